//! A program on a device without a browser: it shows a code, waits for its user, and calls an API (RFC 8628). Issuer and API are in
//! here too, so that nothing else is needed.
//!
//! ```sh
//! cargo run --example device            # open the address that it prints; Ctrl-C stops it
//! cargo run --example device -- --once  # plays the user's browser itself
//! ```
#![expect(clippy::print_stdout, clippy::disallowed_types, reason = "a demonstration, and a client")]

use std::{env, error::Error, time::Duration};

use axum::{Router, routing::get};
use bearergate::{AccessToken, ResourceServer, scopes, testing::TestIssuer};
use serde::Deserialize;
use url::form_urlencoded;

const RESOURCE: &str = "https://api.example.com";

/// RFC 8628 §3.2.
#[derive(Deserialize)]
struct Codes {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    interval: u64,
}

/// RFC 6749 §5.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Token { access_token: String },
    Error { error: String },
}

async fn me(token: AccessToken) -> String {
    format!("hello {}", token.subject().unwrap_or("nobody"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let plays_the_user = env::args().any(|argument| argument == "--once");
    tokio::select! {
        biased; // listens before anything is printed
        // Not with `--once`: a check that is broken off has not passed.
        stopped = tokio::signal::ctrl_c(), if !plays_the_user => {
            stopped?;
            println!("stopped");
            Ok(())
        }
        ended = device(plays_the_user) => ended,
    }
}

async fn device(plays_the_user: bool) -> Result<(), Box<dyn Error>> {
    // The authorization server, and the API. A real device knows their addresses alone.
    let issuer = TestIssuer::builder()
        .public_client("tv", ["http://127.0.0.1/unused"], scopes!["read"])
        .default_audience(RESOURCE);
    let issuer = if plays_the_user { issuer.consents_as("ann") } else { issuer.users(["ann", "ben"]) };
    let issuer = issuer.start().await?;
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build()?;
    let app = Router::new().route("/me", get(me)).layer(api.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let service = format!("http://{}/me", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    // The device.
    let client = reqwest::Client::builder().no_proxy().build()?;
    let post = async |path: &str, form: &[(&str, &str)]| {
        let content = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = client.post(format!("{}{path}", issuer.url()));
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(content)
            .send()
            .await?
            .bytes()
            .await
    };
    let codes = post("/device_authorization", &[("client_id", "tv"), ("scope", "read")]).await?;
    let codes: Codes = serde_json::from_slice(&codes)?;
    println!("Open {} and enter {},", codes.verification_uri, codes.user_code);
    println!("or open {}", codes.verification_uri_complete);
    if plays_the_user {
        client.get(&codes.verification_uri_complete).send().await?.error_for_status()?;
    } else {
        println!("Waiting for its user, for ten minutes or until Ctrl-C.");
    }
    let mut interval = Duration::from_secs(codes.interval);
    let token = loop {
        let form = [
            ("client_id", "tv"),
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", &*codes.device_code),
        ];
        match serde_json::from_slice(&post("/token", &form).await?)? {
            Answer::Token { access_token } => break access_token,
            // §3.5
            Answer::Error { error } if error == "authorization_pending" => (),
            Answer::Error { error } if error == "slow_down" => {
                interval = interval.saturating_add(Duration::from_secs(5));
            }
            Answer::Error { error } => return Err(error.into()),
        }
        tokio::time::sleep(interval).await;
    };
    let answer = client.get(service).bearer_auth(token).send().await?.error_for_status()?;
    println!("GET /me: {}, {}", answer.status(), answer.text().await?);
    Ok(())
}
