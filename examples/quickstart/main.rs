//! The main job on one machine, without an identity provider: an embedded issuer, a protected API, and what happens to
//! good and bad tokens.
//!
//! ```sh
//! cargo run --example quickstart             # prints a table, then serves until Ctrl-C
//! cargo run --example quickstart -- --once   # prints the table; fails if an answer is wrong
//! ```
#![expect(clippy::print_stdout, reason = "a demonstration talks to its reader")]
#![expect(clippy::disallowed_types, reason = "this client plays the caller of the API")]

mod table;

use std::{error::Error, process::ExitCode, time::Duration};

use axum::{Router, routing::get};
use bearergate::{AccessToken, ResourceServer, Scoped, scopes, testing::TestIssuer};
use serde::Deserialize;
use table::Table;
use tokio::net::TcpListener;

const RESOURCE: &str = "https://api.example.com";

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The claims that this API reads. Others are ignored.
#[derive(Deserialize)]
struct MyClaims {
    client_id: String,
}

scopes!(ReadOrders = "read:orders");

async fn me(token: AccessToken<MyClaims>) -> String {
    format!("hello {}, you come from {}\n", token.claims().client_id, token.issuer())
}

async fn orders(token: Scoped<ReadOrders, MyClaims>) -> String {
    format!("the orders of {}\n", token.subject().unwrap_or("nobody"))
}

/// The protected API: these lines are what a service of yours needs.
fn protected_api(api: &ResourceServer) -> Router {
    Router::new()
        .route("/me", get(me)) // any good token
        .route("/orders", get(orders)) // the scope `read:orders`
        .layer(api.layer_for::<MyClaims>())
}

#[tokio::main]
async fn main() -> Outcome<ExitCode> {
    let once = std::env::args().any(|argument| argument == "--once");
    tokio::select! {
        biased; // listens before anything is printed
        // Not with `--once`: a check that is broken off has not passed.
        stopped = tokio::signal::ctrl_c(), if !once => {
            stopped?;
            println!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        ended = quickstart(once) => ended,
    }
}

async fn quickstart(once: bool) -> Outcome<ExitCode> {
    // The authorization server. With a real one, only its URL would be known here.
    let issuer = TestIssuer::builder()
        .client("quickstart", "quickstart-secret", scopes!["read:orders", "write:orders"])
        .start()
        .await?;
    println!("starting an authorization server … {}", issuer.url());

    // The resource server.
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    let app = protected_api(&api);
    tokio::spawn(async move { axum::serve(listener, app).await });
    println!("starting the API …                 {base}, the audience is {RESOURCE}");
    api.ready().await?; // not needed: a token that comes earlier waits for the keys
    let keys: usize = api.health().issuers().iter().map(|issuer| issuer.usable_keys()).sum();
    println!("fetching its issuer's keys …       {keys} usable\n");

    let all_right = demonstrate(&issuer, &base).await?;
    if once {
        return Ok(if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    print_what_to_try(&issuer, &base);
    println!("\nServing until Ctrl-C.");
    std::future::pending().await
}

fn print_what_to_try(issuer: &TestIssuer, base: &str) {
    let hour = Duration::from_secs(3600);
    let token = || issuer.token().audience(RESOURCE).client_id("you").expires_in(hour);
    println!("\nTry it yourself (the tokens live for an hour):\n");
    println!("curl -i {base}/me   # no token: 401");
    println!("curl -i {base}/orders -H 'Authorization: Bearer {}'", token().scope("read:orders").mint());
    println!("curl -i {base}/orders -H 'Authorization: Bearer {}'   # lacks the scope", token().mint());
    println!(
        "curl -u quickstart:quickstart-secret {}/token -d grant_type=client_credentials -d resource={RESOURCE}",
        issuer.url()
    );
    println!("\nThen:\n");
    println!("cargo run --example dashboard           # a web page that logs in");
    println!("cargo run --example device              # a device without a browser gets a token");
    println!(
        "cargo run --example service             # a service with a token of its own, renewed ahead of time"
    );
    println!(
        "cargo run --example issuer              # an authorization server, for services in any language"
    );
    println!("cargo run --example explain -- --help   # why a token is refused, check by check");
    println!(
        "\nThe guide begins in docs/guide/getting_started.md; all of it: cargo doc --no-deps --all-features --open"
    );
}

/// Sends one request of each kind and prints the answers. Tells whether all were as they should be.
async fn demonstrate(issuer: &TestIssuer, base: &str) -> Outcome<bool> {
    let caller =
        Caller { client: reqwest::Client::builder().no_proxy().build()?, base, table: Table::begin() };
    let granted = caller.obtain_token(issuer, "read:orders").await?;
    let lacking = caller.obtain_token(issuer, "write:orders").await?;
    let token = || issuer.token().audience(RESOURCE).scope("read:orders");

    let mut right = caller.show("none", "/me", None, 401, None).await?;
    right &= caller.show("from the token endpoint", "/me", Some(&granted), 200, None).await?;
    right &= caller.show("from the token endpoint", "/orders", Some(&granted), 200, None).await?;
    right &=
        caller.show("without the scope", "/orders", Some(&lacking), 403, Some("insufficient_scope")).await?;
    let invalid = Some("invalid_token");
    right &= caller.show("expired", "/me", Some(&token().expired().mint()), 401, invalid).await?;
    right &= caller.show("forged", "/me", Some(&token().forged().mint()), 401, invalid).await?;
    let other = token().audience("https://other.example.com").mint();
    right &= caller.show("for another audience", "/me", Some(&other), 401, invalid).await?;
    right &= caller.show("not a token at all", "/me", Some("let-me-in"), 401, invalid).await?;
    issuer.rotate();
    let rotated = caller.obtain_token(issuer, "read:orders").await?;
    right &= caller.show("new, after a rotation", "/orders", Some(&rotated), 200, None).await?;
    right &= caller.show("old, its key withdrawn", "/orders", Some(&granted), 401, invalid).await?;
    caller.table.end(right);
    Ok(right)
}

/// Somebody who calls the API.
struct Caller<'b> {
    client: reqwest::Client,
    base: &'b str,
    table: Table,
}

impl Caller<'_> {
    /// Client credentials (RFC 6749 §4.4), for this API (RFC 8707).
    async fn obtain_token(&self, issuer: &TestIssuer, scope: &str) -> Outcome<String> {
        #[derive(Deserialize)]
        struct TokenResponse {
            access_token: String,
        }
        let form = format!("grant_type=client_credentials&resource={RESOURCE}&scope={scope}");
        let response = self
            .client
            .post(format!("{}/token", issuer.url()))
            .basic_auth("quickstart", Some("quickstart-secret"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await?
            .error_for_status()?;
        let response: TokenResponse = serde_json::from_slice(&response.bytes().await?)?;
        Ok(response.access_token)
    }

    async fn show(
        &self,
        what: &str,
        path: &str,
        token: Option<&str>,
        status: u16,
        error: Option<&str>,
    ) -> Outcome<bool> {
        let mut request = self.client.get(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?;
        let challenge =
            response.headers().get("www-authenticate").map_or("", |value| value.to_str().unwrap_or("?"));
        let as_expected = response.status().as_u16() == status
            && error.is_none_or(|error| challenge.contains(&format!("error=\"{error}\"")))
            && (status == 200) == challenge.is_empty();
        self.table.row(what, path, response.status().as_u16(), challenge);
        if !as_expected {
            self.table.wrong(&format!("{status} {}", error.unwrap_or("without `error`")));
        }
        Ok(as_expected)
    }
}
