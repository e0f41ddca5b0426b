//! A service that calls another one on its own behalf: client credentials (RFC 6749 §4.4), a new token ahead of the old one's end, and one
//! more try where the answer is 401 `invalid_token`. Issuer and API are in here too.
//!
//! ```sh
//! cargo run --example service            # three steps, then a call every two seconds until Ctrl-C
//! cargo run --example service -- --once  # the steps alone; fails if an answer is wrong
//! ```
#![expect(clippy::print_stdout, clippy::disallowed_types, reason = "a demonstration, and a client")]

use std::{env, error::Error, time::Duration};

use axum::{Router, http::StatusCode, routing::get};
use bearergate::{
    AccessToken, ErrorCode, ResourceServer, scopes,
    testing::{Challenge, TestIssuer},
};
use serde::Deserialize;
use tokio::time::Instant;

const RESOURCE: &str = "https://api.example.com";

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// RFC 6749 §5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

/// Whoever calls, with the token that it has.
struct Caller {
    client: reqwest::Client,
    token_endpoint: String,
    /// Since when it is there, and for how long it is good.
    token: Option<(String, Instant, Duration)>,
    asked: u32,
}

impl Caller {
    /// A token that is good for a while yet.
    async fn token(&mut self) -> Outcome<String> {
        if let Some((token, ..)) = &self.token
            && self.left() > Some(AHEAD)
        {
            return Ok(token.clone());
        }
        self.asked = self.asked.saturating_add(1);
        let since = Instant::now();
        let request = self.client.post(&self.token_endpoint).basic_auth("reports", Some("secret"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let form = format!("grant_type=client_credentials&scope=read&resource={RESOURCE}");
        let answer = request.body(form).send().await?.error_for_status()?;
        let Granted { access_token, expires_in } = serde_json::from_slice(&answer.bytes().await?)?;
        self.token = Some((access_token.clone(), since, Duration::from_secs(expires_in)));
        Ok(access_token)
    }

    /// How long its token is good yet.
    fn left(&self) -> Option<Duration> {
        self.token.as_ref().map(|(_, since, lifetime)| lifetime.saturating_sub(since.elapsed()))
    }

    /// The token may have been good when it was sent, and not when it came: its keys were withdrawn, say. Once more, with a new one;
    /// 403 and 503 are no reason for that.
    async fn get(&mut self, url: &str) -> Outcome<reqwest::Response> {
        let answer = self.client.get(url).bearer_auth(self.token().await?).send().await?;
        let is_refused = answer.status() == StatusCode::UNAUTHORIZED
            && Challenge::from_headers(answer.headers())
                .is_ok_and(|it| it.error() == Some(ErrorCode::InvalidToken));
        if !is_refused {
            return Ok(answer);
        }
        self.token = None;
        Ok(self.client.get(url).bearer_auth(self.token().await?).send().await?)
    }
}

/// Ahead of its end a token is replaced: longer than a request takes, and clocks differ.
const AHEAD: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_secs(2);

async fn report(token: AccessToken) -> String {
    format!("for {}", token.client_id().unwrap_or("nobody"))
}

#[tokio::main]
async fn main() -> Outcome {
    let once = env::args().any(|argument| argument == "--once");
    tokio::select! {
        biased; // listens before anything is printed
        // Not with `--once`: a check that is broken off has not passed.
        stopped = tokio::signal::ctrl_c(), if !once => {
            stopped?;
            println!("stopped");
            Ok(())
        }
        ended = service(once) => ended,
    }
}

async fn service(once: bool) -> Outcome {
    let issuer = TestIssuer::builder()
        .client("reports", "secret", scopes!["read"])
        .default_audience(RESOURCE)
        .access_token_lifetime(Duration::from_secs(30))
        .start()
        .await?;
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build()?;
    let reports = get(report).layer(api.require(scopes!["read"]));
    let app = Router::new().route("/report", reports).layer(api.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/report", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    let client = reqwest::Client::builder().no_proxy().build()?;
    let token_endpoint = format!("{}/token", issuer.url());
    let mut caller = Caller { client, token_endpoint, token: None, asked: 0 };
    let mut show = async |what: &str, asked: u32| -> Outcome {
        let answer = caller.get(&url).await?;
        println!("{what:<58} {}, tokens asked for: {}", answer.status(), caller.asked);
        if answer.status() == StatusCode::OK && caller.asked == asked {
            Ok(())
        } else {
            Err(format!("expected 200 and {asked}").into())
        }
    };
    show("the first call gets a token", 1).await?;
    show("the second one uses it again", 1).await?;
    issuer.rotate();
    api.refresh_now().await?;
    show("its key was withdrawn: 401, a new token, and once more", 2).await?;
    if once {
        return Ok(());
    }
    println!(
        "\nA token is replaced {} s ahead of its end. Calling every {} s until Ctrl-C.",
        AHEAD.as_secs(),
        PAUSE.as_secs()
    );
    loop {
        let status = caller.get(&url).await?.status();
        let left = caller.left().unwrap_or_default().as_secs();
        println!("{status}, tokens asked for: {}, the last one ends in {left} s", caller.asked);
        tokio::time::sleep(PAUSE).await;
    }
}
