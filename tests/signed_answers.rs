//! Introspection answers that the issuer signs (RFC 9701).
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test fails by panicking")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bearergate::{
    Algorithm, AskAbout, AuthErrorKind as Kind, Claims, ClientAuth, Clock as _, ConfigError, Fetch,
    FetchFuture, FetchRequest, FetchResponse, IntrospectionEndpoint, Issuer, Presented, ResourceServer,
    scopes,
    testing::{Endpoint, Fault, TestClock, TestIssuer, TokenBuilder},
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde_json::json;

const RESOURCE: &str = "https://api.example.com";
const URL: &str = "https://as.example";
const SIGNED: &str = "application/token-introspection+jwt";

struct Scene {
    issuer: TestIssuer,
    clock: TestClock,
    api: ResourceServer,
}

fn endpoint() -> IntrospectionEndpoint {
    IntrospectionEndpoint::discover(ClientAuth::basic("api", "secret")).signed_answers()
}

impl Scene {
    async fn new() -> Self {
        let clock = TestClock::new();
        let issuer = TestIssuer::builder()
            .clock(clock.clone())
            .default_audience(RESOURCE)
            .client("api", "secret", scopes!["read"])
            .offline(URL);
        let api = ResourceServer::builder(RESOURCE)
            .clock(clock.clone())
            .http_client(issuer.fetch())
            .trust(Issuer::discover(URL).introspection(endpoint(), AskAbout::OpaqueTokens))
            .build()
            .unwrap();
        api.ready().await.unwrap();
        Self { issuer, clock, api }
    }

    async fn check(&self, token: &str) -> Result<(), Kind> {
        let outcome = self.api.validate::<Claims>(&Presented::bearer(token)).await;
        outcome.map(drop).map_err(|error| error.kind())
    }

    /// A good answer about a good token, to be spoilt.
    fn answer(&self) -> TokenBuilder {
        let inner = json!({"active": true, "iss": URL, "aud": RESOURCE, "sub": "ada"});
        let jwt = self.issuer.token().audience("api").header("typ", "token-introspection+jwt");
        jwt.without("sub").without("exp").claim("token_introspection", inner)
    }

    /// The verdict where the endpoint sends this.
    async fn judged(&self, answer: &TokenBuilder) -> Result<(), Kind> {
        self.issuer.faults().script(Endpoint::Introspection, [Fault::Document(answer.mint().into_bytes())]);
        self.api.cached_tokens().clear();
        self.check("token").await
    }
}

#[tokio::test(start_paused = true)]
async fn int_14_signed_answers_are_asked_for_and_their_inner_object_is_judged() {
    let scene = Scene::new().await;
    let token = scene.issuer.opaque_token().subject("ada").mint();
    let good = scene.api.validate::<Claims>(&Presented::bearer(&token)).await.unwrap();
    assert_eq!((good.subject(), good.issuer()), (Some("ada"), URL));
    assert_eq!(scene.check("never issued").await, Err(Kind::Inactive));
    let other = scene.issuer.opaque_token().audience("https://other.example").mint();
    assert_eq!(scene.check(&other).await, Err(Kind::WrongAudience));
    // After a rotation the answer's new key is looked for.
    scene.issuer.rotate();
    let token = scene.issuer.opaque_token().mint();
    assert_eq!(scene.check(&token).await, Ok(()));
    // And after one that keeps the names of the keys, once the set is older than the cooldown.
    tokio::time::sleep(std::time::Duration::from_secs(31)).await;
    scene.issuer.rotate_in_place();
    let token = scene.issuer.opaque_token().mint();
    assert_eq!(scene.check(&token).await, Ok(()));
    // An answer is no access token.
    let answer = scene.answer().audience(RESOURCE).claim("sub", "ada").claim("exp", 9_999_999_999_u64).mint();
    assert_eq!(scene.check(&answer).await, Err(Kind::WrongType));
}

#[tokio::test(start_paused = true)]
async fn int_14_typ_iss_aud_iat_and_signature_are_checked() {
    let scene = Scene::new().await;
    let now = scene.clock.wall().as_secs();
    let good = || scene.answer();
    for answer in [
        good(),
        good().header("typ", "application/token-introspection+jwt"),
        good().claim("aud", ["x", "api"]),
        good().audience(RESOURCE),
        good().claim("iat", now - 60),
        good().claim("iat", now + 59),
    ] {
        assert_eq!(scene.judged(&answer).await, Ok(()));
    }
    let stranger = TestIssuer::builder().clock(scene.clock.clone()).offline(URL);
    for (answer, what) in [
        (good().header("typ", "JWT"), "typ"),
        (good().header("typ", "at+jwt"), "typ"),
        (good().without_header("typ"), "typ"),
        (good().issuer("https://other.example"), "iss"),
        (good().issuer("https://as.example/"), "iss"),
        (good().without("iss"), "iss"),
        (good().audience("other"), "aud"),
        (good().claim("aud", json!(["other"])), "aud"),
        (good().claim("aud", 7), "aud"),
        (good().without("aud"), "aud"),
        (good().claim("iat", now + 61), "iat"),
        (good().claim("iat", now - 64), "an old answer"),
        (good().claim("iat", "now"), "iat"),
        (good().without("iat"), "iat"),
        (good().forged(), "signature"),
        (good().header("alg", "none"), "alg"),
        (good().header("alg", "ES384"), "alg"),
        (good().header("crit", ["exp"]), "crit"),
        (good().without("token_introspection"), "no answer"),
        (good().claim("token_introspection", "active"), "a string"),
        (good().claim("token_introspection", json!({})), "no active"),
        (good().claim("token_introspection", json!({"active": "true"})), "active"),
    ] {
        assert_eq!(scene.judged(&answer).await, Err(Kind::IntrospectionMalformed), "{what}");
    }
    let foreign = stranger.token().audience("api").header("typ", "token-introspection+jwt").without("exp");
    let foreign = foreign.claim("token_introspection", json!({"active": true, "iss": URL, "aud": RESOURCE}));
    assert_eq!(
        scene.judged(&foreign).await,
        Err(Kind::IntrospectionMalformed),
        "another's key of the same name"
    );
    // What the signed object says is judged like any answer.
    let inactive = good().claim("token_introspection", json!({"active": false}));
    assert_eq!(scene.judged(&inactive).await, Err(Kind::Inactive));
    let expired = json!({"active": true, "iss": URL, "aud": RESOURCE, "exp": now - 100});
    assert_eq!(scene.judged(&good().claim("token_introspection", expired)).await, Err(Kind::Expired));
}

/// Answers in plain, whatever it is asked for.
#[derive(Clone, Debug)]
struct Plain(Arc<AtomicBool>, TestIssuer);

impl Fetch for Plain {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let is_question = request.post.is_some();
        assert!(!is_question || request.accept == SIGNED);
        let answer = self.1.fetch().fetch(request);
        let signed_type = self.0.load(Ordering::Relaxed);
        Box::pin(async move {
            if !is_question {
                return answer.await;
            }
            let mut headers = HeaderMap::new();
            let content_type = if signed_type { SIGNED } else { "application/json" };
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
            let inner = json!({"active": true, "iss": URL, "aud": RESOURCE}).to_string();
            Ok(FetchResponse::new(StatusCode::OK, headers, inner.into_bytes()))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn int_14_nobody_on_the_way_can_have_a_plain_answer_taken() {
    let issuer = TestIssuer::builder().clock(TestClock::new()).offline(URL);
    for signed_type in [false, true] {
        let api = ResourceServer::builder(RESOURCE)
            .clock(TestClock::new())
            .http_client(Plain(Arc::new(AtomicBool::new(signed_type)), issuer.clone()))
            .trust(Issuer::discover(URL).introspection(endpoint(), AskAbout::OpaqueTokens))
            .build()
            .unwrap();
        let error = api.validate::<Claims>(&Presented::bearer("token")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::IntrospectionMalformed);
    }
}

#[test]
fn int_14_signed_answers_need_the_keys_of_their_issuer() {
    let build = |issuer: Issuer| ResourceServer::builder(RESOURCE).trust(issuer).build().unwrap_err();
    let error = build(Issuer::introspect_by(URL, endpoint()));
    assert!(
        matches!(error, ConfigError::Introspection { .. }) && error.to_string().contains("Issuer::discover")
    );
    let issuer = TestIssuer::builder().algorithms([Algorithm::Es256]).offline(URL);
    let fixed = Issuer::jwks(URL, issuer.jwks()).introspection(endpoint(), AskAbout::AllTokens);
    assert!(ResourceServer::builder(RESOURCE).trust(fixed).build().is_ok());
}
