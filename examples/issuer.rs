//! The embedded issuer alone, for services in any language that are tested against it. It is for loopback and never for production:
//! whoever reaches it gets in.
//!
//! ```sh
//! cargo run --example issuer -- --port 4000 --audience https://api.example.com
//! cargo run --example issuer -- --fault jwks=slow --fault token=down
//! ```
//!
//! It prints the address of its metadata and commands to try, and serves until Ctrl-C.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its reader")]

use std::{
    collections::HashSet,
    env,
    error::Error,
    future::{Future as _, poll_fn},
    pin::pin,
    process::ExitCode,
    task::Poll,
    time::Duration,
};

use axum::http::StatusCode;
use bearergate::{
    Scopes, scopes,
    testing::{Endpoint, Fault, TestIssuer},
};

const USAGE: &str = "\
usage: issuer [--port PORT] [--audience AUD] [--users LIST] [--opaque] [--fault ENDPOINT=FAULT]...

  --port PORT             listens on this port of 127.0.0.1; default: any free one
  --audience AUD          the `aud` of tokens for which no `resource` is named; default: https://api.example.com
  --users LIST            asks on a page which of these users, with commas between, sits there, and whether they consent; default:
                          `ann` consents at once
  --opaque                gives the client `shop` opaque access tokens; default: JWTs
  --fault ENDPOINT=FAULT  breaks the answers of one of authorization, consent, device, device_authorization, introspection, jwks,
                          metadata, registration, revocation, token:
                          down (503), empty-set, hang, html, slow (3 s), truncated; may be repeated
  --help                  prints this";

struct Settings {
    port: u16,
    audience: String,
    users: Vec<String>,
    opaque: bool,
    faults: Vec<(Endpoint, Fault)>,
    /// They as they were given.
    told: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let settings = match settings(env::args().skip(1)) {
        Ok(Some(settings)) => settings,
        Ok(None) => {
            println!("{USAGE}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(wrong) => {
            eprintln!("issuer: {wrong}\n\n{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    let mut builder = TestIssuer::builder()
        .port(settings.port)
        .default_audience(&settings.audience)
        .client("shop", "secret", rights())
        .redirect_uris("shop", ["http://127.0.0.1/callback"])
        .public_client("app", ["http://127.0.0.1/callback"], rights())
        .scopes(rights())
        .consents_as("ann");
    if !settings.users.is_empty() {
        builder = builder.users(settings.users.iter().map(String::as_str));
    }
    if settings.opaque {
        builder = builder.opaque_tokens_for("shop");
    }
    let issuer = match builder.start().await {
        Ok(issuer) => issuer,
        Err(error) => {
            eprintln!("issuer: 127.0.0.1:{}, which --port sets: {error}", settings.port);
            return Ok(ExitCode::FAILURE);
        }
    };
    for (endpoint, fault) in &settings.faults {
        issuer.faults().set(*endpoint, fault.clone());
    }
    // Listened to from here on, so that whoever has read the instructions can stop it.
    let mut stopped = pin!(tokio::signal::ctrl_c());
    let is_stopped = poll_fn(|context| Poll::Ready(stopped.as_mut().poll(context).is_ready())).await;
    if !is_stopped {
        print!("{}", instructions(issuer.url(), &settings));
        stopped.await?;
    }
    println!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// What its clients may ask for: the dashboard's scopes too.
fn rights() -> Scopes {
    scopes!["openid", "profile", "read:orders", "write:orders"]
}

fn instructions(url: &str, settings: &Settings) -> String {
    let users = match settings.users.join(", ") {
        none if none.is_empty() => "`ann` consents at once.".to_owned(),
        users => format!("{users}; a page asks who sits there, and whether they consent."),
    };
    let kinds =
        if settings.opaque { "`shop` gets opaque access tokens, others JWTs." } else { "All get JWTs." };
    let faults = match settings.told.join(", ") {
        none if none.is_empty() => String::new(),
        faults => format!("Broken by `--fault`: {faults}.\n"),
    };
    let audience = &settings.audience;
    format!(
        "{url}/.well-known/openid-configuration\n\
         \n\
         A test issuer, NOT FOR PRODUCTION: it has no passwords, and lets anybody in.\n\
         Clients: `shop` with the secret `secret`, and `app`, a public one; both with http://127.0.0.1/callback at any port. Others may\n\
         register. {kinds}\n\
         Users: {users}\n\
         Scopes: {}; with `openid` there is an ID token, with `profile` a name in it.\n\
         Audience: {audience}, or what `resource` names.\n\
         {faults}\
         \n\
         A token by client credentials, and what the issuer says of it:\n  \
         curl {url}/token -u shop:secret -d grant_type=client_credentials -d scope=read:orders\n  \
         curl {url}/introspect -u shop:secret -d token=TOKEN\n\
         A code: where the browser goes, with a challenge by S256, and a token for what comes back:\n  \
         {url}/authorize?response_type=code&client_id=app&redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fcallback&scope=openid%20read:orders&state=STATE&nonce=NONCE&code_challenge_method=S256&code_challenge=CHALLENGE\n  \
         curl {url}/token -d client_id=app -d grant_type=authorization_code -d redirect_uri=http://127.0.0.1:8080/callback -d code=CODE -d code_verifier=VERIFIER\n\
         A device: what to show its user, who opens `verification_uri_complete`, and then its token:\n  \
         curl {url}/device_authorization -d client_id=app -d scope=read:orders\n  \
         curl {url}/token -d client_id=app -d grant_type=urn:ietf:params:oauth:grant-type:device_code -d device_code=CODE\n\
         Another token for the refresh token that came with it, and its end:\n  \
         curl {url}/token -d client_id=app -d grant_type=refresh_token -d refresh_token=TOKEN\n  \
         curl {url}/revoke -d client_id=app -d token=REFRESH_TOKEN\n\
         A web page that logs in here:\n  \
         OAUTH2_ISSUER={url} OAUTH2_CLIENT_ID=app OAUTH2_AUDIENCE={audience} cargo run --example dashboard\n\
         \n\
         Ctrl-C stops it.\n",
        rights()
    )
}

/// `None` where help is asked for.
fn settings(mut arguments: impl Iterator<Item = String>) -> Result<Option<Settings>, String> {
    let mut settings = Settings {
        port: 0,
        audience: "https://api.example.com".to_owned(),
        users: Vec::new(),
        opaque: false,
        faults: Vec::new(),
        told: Vec::new(),
    };
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{option} needs a value behind it"));
        match option.as_str() {
            "--port" => settings.port = value()?.parse().map_err(|_| "--port is a number up to 65535")?,
            "--audience" => settings.audience = value()?,
            "--users" => {
                settings.users = value()?.split(',').map(str::to_owned).collect();
                if settings.users.iter().any(String::is_empty) {
                    return Err("--users is a list of names with commas between".to_owned());
                }
                let mut known = HashSet::new();
                if let Some(twice) = settings.users.iter().find(|user| !known.insert(user.as_str())) {
                    return Err(format!("--users names {twice} twice"));
                }
            }
            "--opaque" => settings.opaque = true,
            "--fault" => {
                let text = value()?;
                settings.faults.push(fault(&text)?);
                settings.told.push(text);
            }
            "--help" => return Ok(None),
            unknown => return Err(format!("{unknown} is no option")),
        }
    }
    Ok(Some(settings))
}

fn fault(text: &str) -> Result<(Endpoint, Fault), String> {
    let (endpoint, fault) = text.split_once('=').ok_or("--fault is ENDPOINT=FAULT")?;
    let endpoint = match endpoint {
        "authorization" => Endpoint::Authorization,
        "consent" => Endpoint::Consent,
        "device" => Endpoint::Device,
        "device_authorization" => Endpoint::DeviceAuthorization,
        "introspection" => Endpoint::Introspection,
        "jwks" => Endpoint::Jwks,
        "metadata" => Endpoint::Metadata,
        "registration" => Endpoint::Registration,
        "revocation" => Endpoint::Revocation,
        "token" => Endpoint::Token,
        unknown => return Err(format!("{unknown} is no endpoint")),
    };
    let fault = match fault {
        "down" => Fault::Status(StatusCode::SERVICE_UNAVAILABLE),
        "empty-set" => Fault::EmptySet,
        "hang" => Fault::Hang,
        "html" => Fault::Html,
        "slow" => Fault::Slow(Duration::from_secs(3)),
        "truncated" => Fault::Truncated,
        unknown => return Err(format!("{unknown} is no fault")),
    };
    Ok((endpoint, fault))
}
