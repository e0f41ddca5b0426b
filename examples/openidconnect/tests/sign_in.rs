//! `openidconnect`, unmodified, signs a user in at the embedded issuer; the API takes the access token, and nothing else.

#![expect(clippy::disallowed_types, reason = "the user's browser")]

use bearergate::{AuthErrorKind, Claims, Presented, ResourceServer, scopes, testing::TestIssuer};
use openidconnect_example::{NotSignedIn, Outcome, RelyingParty, SignedIn};
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

/// One thing of another login at a time.
#[tokio::test]
async fn an_answer_to_another_request_is_noticed() -> Outcome {
    let issuer = issuer().await?;
    let app = RelyingParty::discover(issuer.url(), "app", CALLBACK).await?;
    let other = || app.begin("read", RESOURCE).1;
    let why = |outcome: Outcome<SignedIn>| {
        outcome.err().and_then(|error| error.downcast_ref::<NotSignedIn>().copied())
    };

    let (url, mut begun) = app.begin("read", RESOURCE);
    begun.state = other().state;
    assert_eq!(why(app.finish(&visit(url).await?, begun).await), Some(NotSignedIn::AnotherRequest));

    let (url, mut begun) = app.begin("read", RESOURCE);
    begun.nonce = other().nonce;
    assert_eq!(why(app.finish(&visit(url).await?, begun).await), Some(NotSignedIn::IdToken));

    let (url, begun) = app.begin("read", RESOURCE);
    let mut back = visit(url).await?;
    let pairs: Vec<_> = back.query_pairs().into_owned().filter(|(name, _)| name != "iss").collect();
    back.query_pairs_mut().clear().extend_pairs(pairs).append_pair("iss", "https://evil.example");
    assert_eq!(why(app.finish(&back, begun).await), Some(NotSignedIn::AnotherIssuer));

    // The verifier the issuer looks at (RFC 7636 §4.6): it is no answer of this client's own.
    let (url, mut begun) = app.begin("read", RESOURCE);
    begun.verifier = other().verifier;
    let refused = app.finish(&visit(url).await?, begun).await;
    assert!(refused.is_err() && why(refused).is_none());
    Ok(())
}
