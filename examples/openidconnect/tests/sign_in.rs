//! `openidconnect`, unmodified, signs a user in at the embedded issuer; the API takes the access token, and nothing else.

#![expect(clippy::disallowed_types, reason = "the user's browser")]

use bearergate::{AuthErrorKind, Claims, Presented, ResourceServer, scopes, testing::TestIssuer};
use openidconnect_example::{Outcome, RelyingParty};
use reqwest::{Client, Url, header::LOCATION, redirect::Policy};

const RESOURCE: &str = "https://api.example.com";
const CALLBACK: &str = "http://127.0.0.1:4711/callback";

async fn issuer() -> Outcome<TestIssuer> {
    let issuer =
        TestIssuer::builder().public_client("app", [CALLBACK], scopes!["openid", "read"]).consents_as("ann");
    Ok(issuer.start().await?)
}

/// Where the issuer sends the browser of a user who consents.
async fn visit(url: Url) -> Outcome<Url> {
    let browser = Client::builder().no_proxy().redirect(Policy::none()).build()?;
    let answer = browser.get(url).send().await?;
    Ok(answer.headers().get(LOCATION).ok_or("nobody is sent back")?.to_str()?.parse()?)
}

#[tokio::test]
async fn discovery_code_and_pkce() -> Outcome {
    let issuer = issuer().await?;
    let app = RelyingParty::discover(issuer.url(), "app", CALLBACK).await?;
    let (url, begun) = app.begin("read", RESOURCE);
    let user = app.finish(&visit(url).await?, begun).await?;
    assert_eq!(user.subject, "ann");

    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build()?;
    let token = api.validate::<Claims>(&Presented::bearer(&user.access_token)).await?;
    assert_eq!((token.subject(), token.client_id()), (Some("ann"), Some("app")));
    assert!(token.has_scope("read"));
    let refused = api.validate::<Claims>(&Presented::bearer(&user.id_token)).await.err();
    assert_eq!(refused.map(|error| error.kind()), Some(AuthErrorKind::WrongAudience));
    Ok(())
}

#[tokio::test]
async fn an_answer_to_another_request_is_noticed() -> Outcome {
    let issuer = issuer().await?;
    let app = RelyingParty::discover(issuer.url(), "app", CALLBACK).await?;
    let (_, begun) = app.begin("read", RESOURCE);
    let (url, _) = app.begin("read", RESOURCE);
    assert!(app.finish(&visit(url).await?, begun).await.is_err());
    Ok(())
}
