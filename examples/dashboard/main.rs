//! The whole journey in a browser: log in, consent, come back with a code, get tokens, call a protected API, and see what happens when a
//! scope is missing, when a token expires, and when it is revoked.
//!
//! ```sh
//! cargo run --example dashboard   # with an issuer of its own: nothing to set up, no password
//! ```
//!
//! The same against any other issuer, where the redirect URI is registered for the client:
//!
//! ```sh
//! OAUTH2_ISSUER=https://login.example.com OAUTH2_CLIENT_ID=dashboard OAUTH2_CLIENT_SECRET=… \
//!     OAUTH2_RESOURCE=https://api.example.com OAUTH2_REDIRECT_URI=http://127.0.0.1:8080/callback cargo run --example dashboard
//! ```
//!
//! Three parties are in here: the client (`web.rs`, by the crate `oauth2`), the resource server (`api.rs`, behind bearergate), and, unless
//! told otherwise, the authorization server (`testing::TestIssuer`). The browser sees a session cookie, and no token.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a program talks to its reader, and is a client"
)]

mod api;
mod authorization_server;
mod http_client;
mod identity;
mod metadata;
mod pages;
mod sessions;
mod settings;
mod steps;
mod web;

use std::{env, process::ExitCode, sync::Arc, time::Duration};

use bearergate::{
    AskAbout, ClientAuth, Clock, IntrospectionEndpoint, Issuer, SystemClock, scopes,
    testing::{TestClock, TestIssuer},
};
use tokio::net::TcpListener;

use crate::{
    authorization_server::{AuthorizationServer, Credentials},
    http_client::{Failure, HttpClient},
    sessions::Store,
    settings::Settings,
    steps::Parties,
    web::Dashboard,
};

/// Of tokens of the embedded issuer: long enough to look around, short enough to watch.
const LIFETIME: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        None => (),
        Some("--help") => {
            println!("{}", settings::USAGE);
            return ExitCode::SUCCESS;
        }
        Some(unknown) => return wrong(&format!("{unknown} is no option")),
    }
    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        Err(what) => return wrong(&what),
    };
    // What the API says to its operator: that it cannot get its issuer's keys, say.
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
    let ended = tokio::select! {
        biased; // listens before anything is printed
        stopped = tokio::signal::ctrl_c() => stopped.map_err(Failure::from),
        ended = serve(settings) => ended,
    };
    match ended {
        Ok(()) => {
            println!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("dashboard: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wrong(what: &str) -> ExitCode {
    eprintln!("dashboard: {what}\n\n{}", settings::USAGE);
    ExitCode::from(2)
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let listener = TcpListener::bind(("127.0.0.1", settings.redirect_uri.port)).await;
    let listener = listener
        .map_err(|error| format!("{}, which OAUTH2_REDIRECT_URI sets: {error}", settings.redirect_uri))?;
    let redirect_uri = settings.redirect_uri.clone().with_port(listener.local_addr()?.port());
    let http = HttpClient::new()?;

    // Who lets users in: one of our own, with a clock that the page can move, or the one that the environment names.
    let test_clock = TestClock::new();
    let embedded =
        if settings.issuer.is_none() { Some(embedded(&settings, &test_clock).await?) } else { None };
    let (trusted, clock): (Issuer, Arc<dyn Clock>) = match (&embedded, &settings.issuer) {
        (Some(issuer), _) => (trusted(issuer), Arc::new(test_clock.clone())),
        (None, Some(url)) => {
            eprintln!("asking {url} for its metadata …");
            (Issuer::discover(url).allow_http_on_loopback(), Arc::new(SystemClock::default()))
        }
        (None, None) => unreachable!("there is an issuer of our own where no other is named"),
    };
    let url = embedded.as_ref().map_or(settings.issuer.as_deref(), |issuer| Some(issuer.url()));
    let url = url.unwrap_or_default().to_owned();
    let issuer =
        AuthorizationServer::discover(&url, &settings, redirect_uri.to_string(), http.clone()).await?;

    // The API, which knows its issuer and nothing of this page.
    let api = api::serve(&settings.audience, trusted, Arc::clone(&clock)).await?;

    let is_embedded = embedded.is_some();
    let pages = web::router(Dashboard {
        parties: Parties { issuer, api, http, clock },
        origin: redirect_uri.origin(),
        callback: redirect_uri.path.clone(),
        test_clock: is_embedded.then_some(test_clock),
        scope: settings.scope,
        logins: Store::lasting(Duration::from_secs(10 * 60)),
        sessions: Store::lasting(Duration::from_secs(12 * 60 * 60)),
    });
    println!("{}/\n", redirect_uri.origin());
    if is_embedded {
        println!(
            "Open it in a browser. Its issuer, {url}, is embedded, and NOT FOR PRODUCTION: pick a user, there is no password."
        );
    } else {
        println!(
            "Open it in a browser. Its issuer is {url}; there the redirect URI {redirect_uri} has to be registered."
        );
    }
    println!("Serving until Ctrl-C.");
    Ok(axum::serve(listener, pages).await?)
}

/// An issuer with three users, who are asked. It knows this page under two names, of which one gets opaque tokens; and the API, which
/// may ask about those.
async fn embedded(settings: &Settings, clock: &TestClock) -> std::io::Result<TestIssuer> {
    let rights = || scopes!["openid", "profile", "read:orders", "write:orders"];
    let [jwt, opaque] = Credentials::embedded();
    TestIssuer::builder()
        .clock(clock.clone())
        .access_token_lifetime(LIFETIME)
        .default_audience(&settings.audience)
        .client(&jwt.id, jwt.secret.unwrap_or_default(), rights())
        .redirect_uris(&jwt.id, ["http://127.0.0.1/callback"])
        .client(&opaque.id, opaque.secret.unwrap_or_default(), rights())
        .redirect_uris(&opaque.id, ["http://127.0.0.1/callback"])
        .opaque_tokens_for(&opaque.id)
        .client("orders-api", "orders-api-secret", scopes!["introspect"])
        .scopes(rights())
        .users(["ann", "ben", "cleo"])
        .user_name("ann", "Ann Arbor")
        .user_name("ben", "Ben Ohm")
        .user_name("cleo", "Cleo Park")
        .scope_explained("openid", "know that it is you")
        .scope_explained("profile", "see your name")
        .scope_explained("read:orders", "read your orders")
        .scope_explained("write:orders", "place orders for you")
        .start()
        .await
}

/// JWTs by the issuer's keys, opaque tokens by asking, each time: what is revoked is refused at once. All share one clock, so there is no
/// leeway to grant.
fn trusted(issuer: &TestIssuer) -> Issuer {
    let endpoint = IntrospectionEndpoint::discover(ClientAuth::basic("orders-api", "orders-api-secret"));
    issuer
        .trusted()
        .introspection(endpoint, AskAbout::OpaqueTokens)
        .introspection_cache_time(Duration::ZERO)
        .leeway(Duration::ZERO)
}
