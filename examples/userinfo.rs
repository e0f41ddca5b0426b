//! A provider without introspection that tells whose token it is, and for which application it was issued, as Discord does: a
//! token of another application is refused, although the provider calls it good.
//!
//! ```sh
//! cargo run --example userinfo
//! ```
//!
//! The provider is a small service of this example. It fails if an answer is wrong.
#![expect(clippy::print_stdout, reason = "a demonstration talks to its reader")]

use std::{error::Error, process::ExitCode};

use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    http::{StatusCode, header::AUTHORIZATION},
    response::{IntoResponse as _, Response},
    routing::get,
};
use bearergate::{AccessToken, BoundTo, Issuer, ResourceServer, Userinfo};
use serde_json::json;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

/// The provider's `/oauth2/@me`: it answers for every token of its own, whatever application it was issued to.
async fn current_authorization(request: Request) -> Response {
    let application = match request.headers().get(AUTHORIZATION).and_then(|field| field.to_str().ok()) {
        Some("Bearer a-token-of-ours") => "1029",
        Some("Bearer a-token-of-another-application") => "4711",
        _ => return StatusCode::UNAUTHORIZED.into_response(),
    };
    Json(json!({
        "application": {"id": application},
        "scopes": ["identify"],
        "user": {"id": "80351110224678912", "username": "ada"},
    }))
    .into_response()
}

async fn me(token: AccessToken) -> String {
    format!("{} {:?}\n", token.subject().unwrap_or_default(), token.scopes().collect::<Vec<_>>())
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}/oauth2/@me", listener.local_addr()?);
    let provider = Router::new().route("/oauth2/@me", get(current_authorization));
    tokio::spawn(async move { axum::serve(listener, provider).await });

    // The subject stands at `/user/id`; that a token is ours is proven by `/application/id`, which is our own client identifier.
    let userinfo =
        Userinfo::new(endpoint, "/user/id", BoundTo::pointer("/application/id", ["1029"])).scopes("/scopes");
    let discord = Issuer::introspect_by("https://discord.com", userinfo).allow_http_on_loopback();
    let api = ResourceServer::builder("https://api.example.com").trust(discord).build()?;
    let app = Router::new().route("/me", get(me)).layer(api.layer());

    let mut right = true;
    for (token, status) in [
        ("a-token-of-ours", StatusCode::OK),
        ("a-token-of-another-application", StatusCode::UNAUTHORIZED),
        ("invented", StatusCode::UNAUTHORIZED),
    ] {
        let request =
            Request::get("/me").header(AUTHORIZATION, format!("Bearer {token}")).body(Body::empty())?;
        let response = app.clone().oneshot(request).await?;
        let mark = if response.status() == status { "" } else { "   <-- WRONG" };
        println!("{token:<32} {}{mark}", response.status().as_u16());
        right &= response.status() == status;
    }
    println!("\n{}", if right { "every answer is as it should be" } else { "SOME ANSWERS ARE WRONG" });
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
