//! Opaque tokens and JWTs behind one layer: the embedded issuer signs JWTs, and tells by introspection (RFC 7662) what its opaque
//! tokens mean. Shows what is asked, what is kept, and when a revoked token is refused.
//!
//! ```sh
//! cargo run --example opaque_tokens
//! ```
//!
//! It fails if an answer is wrong.
#![expect(clippy::print_stdout, reason = "a demonstration talks to its reader")]

use std::{error::Error, process::ExitCode, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header::AUTHORIZATION},
    routing::get,
};
use bearergate::{
    AccessToken, AskAbout, ClientAuth, IntrospectionEndpoint, ResourceServer, scopes,
    testing::{Endpoint, Fault, TestIssuer},
};
use tower::ServiceExt as _;

const RESOURCE: &str = "https://api.example.com";

async fn me(token: AccessToken) -> String {
    format!("hello {}\n", token.subject().unwrap_or("nobody"))
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    // The authorization server. With a real one, only its URL and our own credentials would be known here.
    let issuer = TestIssuer::builder()
        .default_audience(RESOURCE)
        .client("orders-api", "orders-api-secret", scopes!["read"])
        .start()
        .await?;

    // The resource server: JWTs by the issuer's keys, opaque tokens by asking. Both places stand in its metadata.
    let endpoint = IntrospectionEndpoint::discover(ClientAuth::basic("orders-api", "orders-api-secret"));
    let login = issuer.trusted().introspection(endpoint, AskAbout::OpaqueTokens);
    let login = login.introspection_cache_time(Duration::from_secs(60)); // which is the default
    let api = ResourceServer::builder(RESOURCE).trust(login).build()?;
    api.ready().await?; // proves our credentials, by a token that nobody has
    let show = Show { app: Router::new().route("/me", get(me)).layer(api.layer()), issuer: issuer.clone() };

    println!("{:<44} status  questions", "token");
    let opaque = issuer.opaque_token().subject("ada").mint();
    let mut right = show.show("opaque", &opaque, StatusCode::OK, 1).await?;
    right &= show.show("the same again: its answer is kept", &opaque, StatusCode::OK, 0).await?;
    let jwt = issuer.token().subject("bob").mint();
    right &= show.show("a JWT: nobody is asked", &jwt, StatusCode::OK, 0).await?;
    right &= show
        .show("a forged JWT: never asked about", &issuer.token().forged().mint(), StatusCode::UNAUTHORIZED, 0)
        .await?;
    right &= show.show("invented", "let-me-in", StatusCode::UNAUTHORIZED, 1).await?;
    right &=
        show.show("the same again: remembered for 10 s", "let-me-in", StatusCode::UNAUTHORIZED, 0).await?;
    let other = issuer.opaque_token().audience("https://other.example.com").mint();
    right &= show.show("for another audience", &other, StatusCode::UNAUTHORIZED, 1).await?;
    issuer.revoke(&opaque);
    right &= show.show("revoked, within the cache time", &opaque, StatusCode::OK, 0).await?;
    api.cached_tokens().forget(&opaque); // or wait for the cache time to pass
    right &= show.show("revoked, and we were told", &opaque, StatusCode::UNAUTHORIZED, 1).await?;
    let kept = issuer.opaque_token().mint();
    right &= show.show("another one", &kept, StatusCode::OK, 1).await?;
    issuer.faults().set(Endpoint::Introspection, Fault::Status(StatusCode::INTERNAL_SERVER_ERROR));
    let new = issuer.opaque_token().mint();
    right &= show.show("new, while the endpoint fails", &new, StatusCode::SERVICE_UNAVAILABLE, 1).await?;
    right &= show.show("kept, while the endpoint fails", &kept, StatusCode::OK, 0).await?;
    issuer.faults().clear(Endpoint::Introspection);
    right &= show.show("the new one, once it is well again", &new, StatusCode::OK, 1).await?;
    println!("\n{}", if right { "every answer is as it should be" } else { "SOME ANSWERS ARE WRONG" });
    Ok(if right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Somebody who calls the API, and counts what the API asks.
struct Show {
    app: Router,
    issuer: TestIssuer,
}

impl Show {
    async fn show(
        &self,
        what: &str,
        token: &str,
        status: StatusCode,
        questions: u64,
    ) -> Result<bool, Box<dyn Error>> {
        let before = self.issuer.requests_to(Endpoint::Introspection);
        let request =
            Request::get("/me").header(AUTHORIZATION, format!("Bearer {token}")).body(Body::empty())?;
        let response = self.app.clone().oneshot(request).await?;
        let asked = self.issuer.requests_to(Endpoint::Introspection).saturating_sub(before);
        let as_expected = response.status() == status && asked == questions;
        let mark = if as_expected { "" } else { "   <-- WRONG" };
        println!("{what:<44} {:<7} {asked}{mark}", response.status().as_u16());
        Ok(as_expected)
    }
}
