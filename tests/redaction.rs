//! Nothing that is printed or logged shows a token, a signature or a claim (threats OPS-01).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::{
    collections::HashSet,
    convert::Infallible,
    error::Error,
    fmt::Debug,
    future::Ready,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::extract::FromRequestParts as _;
use bearergate::{
    AccessToken, Algorithm, AuthError, AuthErrorKind, Claims, ClientAuth, FetchRequest, Issuer, PostContent,
    Presented, Refusal, ResourceServer, Scoped, Secret, UnixTime, Validated, scopes,
    testing::{TestClock, TestIssuer, TokenBuilder},
};
use common::{
    Api, ISSUER, NOW, NoNetwork, RESOURCE, StillClock, at_once, encode, es256, issuer, jwk, keys::pem,
    log::Log, segments, set, trusted, with,
};
use http::{HeaderValue, Method, Request, Response, Uri};
use serde::Deserialize;
use serde_json::json;
use tower::{Layer as _, Service as _, ServiceExt as _};

/// Stands in every claim and in the names that a token may choose. Nothing that is printed may show it.
const MARKED: &str = "marked-by-this-test";

/// A good token, with marks wherever its maker may write.
fn token(issuer: &TestIssuer) -> TokenBuilder {
    issuer
        .token()
        .subject(format!("sub-{MARKED}"))
        .client_id(format!("client-{MARKED}"))
        .scope(format!("read scope-{MARKED}"))
        .claim("aud", [RESOURCE.to_owned(), format!("aud-{MARKED}")])
        .claim("jti", format!("jti-{MARKED}"))
        .claim("acr", format!("acr-{MARKED}"))
        .claim("email", format!("email-{MARKED}"))
        .claim(&format!("name-{MARKED}"), "value")
        .claim("number", json!({ "deep": format!("deep-{MARKED}") }))
        .header("x", format!("header-{MARKED}"))
        .header("jku", format!("https://{MARKED}.example"))
        .header("kid", KID)
}

const KID: &str = "kid-marked-by-this-test";

/// An issuer whose key has a name that is marked too, as a token that names it would show it.
fn world() -> (TestIssuer, String) {
    let issuer = issuer([Algorithm::Es256]);
    let jwks = set([with(jwk(&issuer, Algorithm::Es256), "kid", KID)]);
    (issuer, jwks)
}

/// Bad tokens of every kind, and what is said of them.
fn bad_tokens(issuer: &TestIssuer) -> Vec<(AuthErrorKind, String)> {
    use AuthErrorKind as Kind;
    let good = || token(issuer);
    let text = good().mint();
    let [header, payload, signature] = segments(&text);
    vec![
        (Kind::MalformedToken, MARKED.to_owned()),
        (Kind::MalformedToken, format!("{header}.{payload}")),
        (Kind::MalformedToken, format!("{header}.{payload}.{signature}.{signature}")),
        (Kind::MalformedToken, format!("{header}.{payload}.{signature}=")),
        (Kind::MalformedToken, good().header_text(MARKED).mint()),
        (Kind::MalformedToken, good().payload_text(format!("{{\"{MARKED}\":{MARKED}}}")).mint()),
        (Kind::MalformedToken, good().payload_text(format!("{{\"{MARKED}\":1,\"{MARKED}\":2}}")).mint()),
        (Kind::MalformedToken, good().header("kid", json!([KID])).mint()),
        (Kind::TokenTooLong, good().claim("long", MARKED.repeat(1000)).mint()),
        (Kind::AlgorithmNotAllowed, good().header("alg", "none").mint()),
        (Kind::AlgorithmNotAllowed, good().header("alg", MARKED).mint()),
        (Kind::AlgorithmNotAllowed, good().header("alg", "HS256").mint()),
        (Kind::CriticalExtension, good().header("crit", [MARKED]).mint()),
        (Kind::WrongType, good().header("typ", MARKED).mint()),
        (Kind::WrongType, good().claim("events", json!({ MARKED: {} })).mint()),
        (Kind::UnknownIssuer, good().issuer(format!("https://{MARKED}.example")).mint()),
        (Kind::UnknownKey, good().header("kid", format!("other-{MARKED}")).mint()),
        (Kind::UnknownKey, good().header("kid", format!("\r\n\u{1b}[31m{MARKED}")).mint()),
        (Kind::InvalidSignature, good().forged().mint()),
        (Kind::InvalidSignature, format!("{header}.{payload}.{}", encode(MARKED))),
        (Kind::Expired, good().expired().mint()),
        (Kind::NotYetValid, good().claim("nbf", NOW + 3600).mint()),
        (Kind::IssuedInFuture, good().claim("iat", NOW + 3600).mint()),
        (Kind::WrongAudience, good().audience(MARKED).mint()),
        (Kind::InvalidClaim, good().claim("exp", MARKED).mint()),
        (Kind::InvalidClaim, good().claim("sub", json!([MARKED])).mint()),
        (Kind::InvalidClaim, good().claim("scope", json!({ "scope": MARKED })).mint()),
        (Kind::InvalidClaim, good().claim("aud", json!([RESOURCE, { "aud": MARKED }])).mint()),
        (Kind::BindingNotProven, good().claim("cnf", json!({ "jkt": MARKED })).mint()),
    ]
}

/// Claims that no marked token has.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "deserializing it is the point")]
struct Own {
    number: u64,
}

/// Claims that every marked token has.
#[derive(Debug, Deserialize)]
struct Email {
    email: String,
}

scopes!(Read = "read");

/// What was printed or logged, and where.
#[derive(Debug)]
struct Printed(Vec<(String, String)>);

impl Printed {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn debug(&mut self, place: &str, value: &impl Debug) {
        self.text(place, format!("{value:?} {value:#?}"));
    }

    fn text(&mut self, place: &str, text: String) {
        self.0.push((place.to_owned(), text));
    }

    /// An error, all its causes, and every form of each.
    fn error(&mut self, place: &str, error: &(dyn Error + 'static)) {
        let mut next = Some(error);
        while let Some(error) = next {
            self.text(place, format!("{error} {error:#} {error:?} {error:#?}"));
            next = error.source();
        }
    }

    /// Nowhere is there a mark, nor a piece of a token.
    #[track_caller]
    fn shows_nothing_of(&self, tokens: &[String]) {
        // Twelve characters of a segment are nine octets: no accident.
        let pieces: HashSet<&[u8]> = tokens
            .iter()
            .flat_map(|token| token.as_bytes().windows(12))
            .filter(|piece| !piece.contains(&b'.'))
            .collect();
        for (place, text) in &self.0 {
            assert!(!text.contains(MARKED), "{place} shows a claim or a name: {text}");
            assert!(!text.contains(&encode(MARKED)[..16]), "{place} shows a signature: {text}");
            let shown = text.as_bytes().windows(12).find(|piece| pieces.contains(piece));
            let shown = shown.map(String::from_utf8_lossy);
            assert_eq!(shown, None, "{place} shows a piece of a token: {text}");
        }
    }
}

#[test]
fn ops_01_what_holds_a_good_token_prints_nothing_of_it() {
    let (issuer, jwks) = world();
    let api = Api::trusting([Issuer::jwks(ISSUER, jwks.as_str())]);
    let keeping = ResourceServer::builder(RESOURCE)
        .trust(Issuer::jwks(ISSUER, jwks))
        .clock(StillClock::at(UnixTime::from_secs(NOW)))
        .http_client(NoNetwork::default())
        .keep_token()
        .build()
        .unwrap();
    let builder = token(&issuer);
    let text = builder.mint();
    let mut printed = Printed::new();
    printed.debug("TokenBuilder", &builder);
    printed.debug("TestIssuer", &issuer);

    let (method, uri) =
        (Method::GET, Uri::try_from(format!("https://api.example.com/?access_token={text}")).unwrap());
    let presented = Presented::bearer(&text);
    printed.debug("Presented", &presented);
    printed.debug(
        "Presented with request",
        &presented.with_request(&method, &uri).with_certificate(MARKED.as_bytes()),
    );
    let (parts, ()) =
        Request::get("/").header("authorization", format!("Bearer {text}")).body(()).unwrap().into_parts();
    printed.debug("Presented from a request", &Presented::from_parts(&parts).unwrap());

    let default: AccessToken = at_once(api.server.validate(&presented)).unwrap();
    assert!(default.subject().unwrap().contains(MARKED), "the value is there for who asks");
    printed.debug("AccessToken", &default);
    printed.debug("Claims", default.claims());
    printed.debug("Validated", &Validated(default.clone()));
    let own: AccessToken<Email> = at_once(api.server.validate(&presented)).unwrap();
    assert!(own.claims().email.contains(MARKED));
    printed.debug("AccessToken with a type that prints itself", &own);
    let kept: AccessToken = at_once(keeping.validate(&presented)).unwrap();
    let raw = kept.raw().unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(raw), text);
    printed.debug("AccessToken that keeps its text", &kept);
    printed.debug("the kept text", raw);
    printed.error("claims_as", &default.claims_as::<Own>().unwrap_err());
    printed.debug("Explanation", &api.server.explain(&Presented::bearer(&text)));
    printed.text("Explanation", api.server.explain(&Presented::bearer(&text)).to_string());
    printed.debug("ResourceServer", &api.server);
    printed.debug("Issuers", &api.server.issuers());
    printed.debug("Health", &api.server.health());
    printed.shows_nothing_of(&[text]);
}

/// A handler behind the layer, which sees the whole request.
fn see(request: Request<()>) -> Ready<Result<Response<String>, Infallible>> {
    let (parts, ()) = request.into_parts();
    let scoped: Scoped<Read, Claims> =
        at_once(Scoped::from_request_parts(&mut parts.clone(), &())).expect("the token has the scope");
    assert!(scoped.subject().unwrap().contains(MARKED));
    let seen =
        format!("{parts:?} {parts:#?} {scoped:?} {:?}", parts.extensions.get::<AccessToken>().unwrap());
    std::future::ready(Ok(Response::new(seen)))
}

#[test]
fn ops_01_middleware_prints_nothing_of_the_token() {
    let (issuer, jwks) = world();
    let api = Api::trusting([Issuer::jwks(ISSUER, jwks)]);
    let good = token(&issuer).mint();
    let forged = token(&issuer).forged().mint();
    let mut printed = Printed::new();
    let request =
        |token: &str| Request::get("/").header("authorization", format!("Bearer {token}")).body(()).unwrap();

    let require = api.server.require(scopes!["read"]);
    printed.debug("RequireLayer", &require);
    let layer = api.server.layer();
    printed.debug("BearerAuthLayer", &layer);
    let mut service = layer.layer(require.layer(tower::service_fn(see as fn(_) -> _)));
    printed.debug("BearerAuth", &service);
    for token in [&good, &forged] {
        let future = service.call(request(token));
        printed.debug("ResponseFuture", &future);
        let response = at_once(future).unwrap();
        printed.debug("the answer", &response);
        printed.text("what the handler prints", response.into_body());
    }
    let mut lacking =
        layer.layer(api.server.require(scopes!["write"]).layer(tower::service_fn(see as fn(_) -> _)));
    printed.debug("the answer without the scope", &at_once(lacking.call(request(&good))).unwrap());
    let bearer = api.server.layer_for::<Own>().layer(tower::service_fn(see as fn(_) -> _));
    let answer = at_once(bearer.oneshot(request(&good))).unwrap();
    assert_eq!(answer.status(), 401, "the claims are of another type");
    printed.debug("the answer to claims of another type", &answer);

    // Beyond the layer the field is marked as sensitive, so the handler's own print was harmless.
    assert!(printed.0.iter().any(|(_, text)| text.contains("Sensitive")), "{printed:?}");
    printed.shows_nothing_of(&[good, forged]);
}

#[test]
fn ops_01_errors_and_refusals_print_nothing_of_the_token() {
    let (issuer, jwks) = world();
    let api = Api::trusting([Issuer::jwks(ISSUER, jwks)]);
    let mut printed = Printed::new();
    let mut tokens = Vec::new();
    for (kind, token) in bad_tokens(&issuer) {
        let error = api.verdict(&token).unwrap_err();
        assert_eq!(error.kind(), kind);
        let place = kind.label();
        printed.error(place, &error);
        let refusal = api.server.refuse(error);
        printed.error(place, &refusal);
        printed.debug(place, &refusal.headers());
        printed.debug(place, &refusal.into_response::<String>());
        printed.debug(place, &api.server.explain(&Presented::bearer(&token)));
        printed.text(place, api.server.explain(&Presented::bearer(&token)).to_string());
        tokens.push(token);
    }
    let good = token(&issuer).mint();
    let verdict: Result<AccessToken<Own>, AuthError> =
        at_once(api.server.validate(&Presented::bearer(&good)));
    let error = verdict.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::ClaimsMismatch);
    assert!(error.source().is_some(), "the operator learns where");
    printed.error("claims_mismatch", &error);
    tokens.push(good);
    printed.shows_nothing_of(&tokens);
}

#[test]
fn ops_01_extractors_print_nothing_of_the_token() {
    let (issuer, jwks) = world();
    let state = Api::trusting([Issuer::jwks(ISSUER, jwks)]).server;
    let mut printed = Printed::new();
    let mut tokens = vec![token(&issuer).mint()];
    tokens.extend(bad_tokens(&issuer).into_iter().map(|(_, token)| token));
    for text in &tokens {
        let request = Request::get("/").header("authorization", format!("Bearer {text}")).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        let extracted: Result<Validated, Refusal> =
            at_once(Validated::from_request_parts(&mut parts, &state));
        printed.debug("Validated", &extracted);
        let typed: Result<Validated<Own>, Refusal> =
            at_once(Validated::from_request_parts(&mut parts, &state));
        printed.error("Validated", &typed.unwrap_err());
    }
    printed.shows_nothing_of(&tokens);
}

#[test]
fn ops_01_nothing_of_a_token_is_logged() {
    let (issuer, jwks) = world();
    let good = token(&issuer).mint();
    let bad = bad_tokens(&issuer);
    let (_, log) = Log::during(|| {
        let api = Api::trusting([Issuer::jwks(ISSUER, jwks)]);
        let require = api.server.require(scopes!["read"]);
        let write = api.server.require(scopes!["write"]);
        let service = api.server.layer().layer(require.layer(tower::service_fn(see as fn(_) -> _)));
        let lacking = api.server.layer().layer(write.layer(tower::service_fn(see as fn(_) -> _)));
        let typed = api.server.layer_for::<Own>().layer(tower::service_fn(see as fn(_) -> _));
        let optional = api.server.layer().optional().layer(tower::service_fn(see as fn(_) -> _));
        for token in bad.iter().map(|(_, token)| token).chain([&good]) {
            let _verdict = api.verdict(token);
            let _explanation = api.server.explain(&Presented::bearer(token));
            // Some of the tokens are no field value, and never come this far.
            let Ok(request) = Request::get("/").header("authorization", format!("Bearer {token}")).body(())
            else {
                continue;
            };
            let status = at_once(service.clone().oneshot(request.clone())).unwrap().status();
            assert_eq!(status, if *token == good { 200 } else { 401 });
            let status = at_once(optional.clone().oneshot(request.clone())).unwrap().status();
            assert_eq!(status, if *token == good { 200 } else { 401 });
            let status = at_once(lacking.clone().oneshot(request.clone())).unwrap().status();
            assert_eq!(status, if *token == good { 403 } else { 401 });
            assert_eq!(at_once(typed.clone().oneshot(request)).unwrap().status(), 401);
        }
    });
    assert!(log.contains("accepted"), "good tokens were logged: {log}");
    for kind in bad.iter().map(|(kind, _)| kind).chain([&AuthErrorKind::ClaimsMismatch]) {
        assert!(log.contains(kind.label()), "{} was logged: {log}", kind.label());
    }
    let mut printed = Printed::new();
    for line in log.lines() {
        printed.text("the log", line.to_owned());
    }
    let tokens: Vec<_> = bad.into_iter().map(|(_, token)| token).chain([good]).collect();
    printed.shows_nothing_of(&tokens);
}

#[test]
fn ops_01_nothing_of_a_token_is_logged_while_keys_are_fetched() {
    let ((tokens, printed), log) = Log::during(|| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let clock = TestClock::at(UnixTime::from_secs(NOW));
            let issuer =
                TestIssuer::builder().clock(clock.clone()).default_audience(RESOURCE).offline(ISSUER);
            let server = ResourceServer::builder(RESOURCE)
                .trust(Issuer::discover(ISSUER))
                .clock(clock)
                .http_client(issuer.fetch())
                .build()
                .unwrap();
            let own_kid = |token: TokenBuilder| token.header("kid", "es256-0");
            let mut tokens = vec![own_kid(token(&issuer)).mint()];
            tokens.extend(bad_tokens(&issuer).into_iter().map(|(_, token)| token));
            // Of this set, the key's own name is known to the issuer alone: the next one will be `es256-1`.
            tokens.push(own_kid(token(&issuer)).forged().mint());
            let mut printed = Printed::new();
            for text in &tokens {
                let request = Request::get("/").header("authorization", format!("Bearer {text}")).body(());
                let Ok(request) = request else { continue };
                let inner = tower::service_fn(async |_: Request<()>| {
                    Ok::<_, Infallible>(Response::new(String::new()))
                });
                let future = server.layer().layer(inner).oneshot(request);
                printed.debug("the answer", &future.await.unwrap());
            }
            let accepted: Result<AccessToken, _> = server.validate(&Presented::bearer(&tokens[0])).await;
            assert!(accepted.is_ok());
            issuer.rotate();
            let rotated = token(&issuer).header("kid", "es256-1").mint();
            tokio::time::advance(std::time::Duration::from_secs(60)).await;
            let accepted: Result<AccessToken, _> = server.validate(&Presented::bearer(&rotated)).await;
            assert!(accepted.is_ok());
            tokens.push(rotated);
            (tokens, printed)
        })
    });
    assert!(log.contains("accepted") && log.contains("unknown_key"), "{log}");
    let mut printed = printed;
    for line in log.lines() {
        printed.text("the log", line.to_owned());
    }
    printed.shows_nothing_of(&tokens);
}

#[tokio::test]
async fn ops_01_a_request_that_waits_prints_nothing_of_its_token() {
    let issuer = issuer([Algorithm::Es256]);
    let server = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(ISSUER))
        .clock(StillClock::at(UnixTime::from_secs(NOW)))
        .http_client(issuer.fetch())
        .build()
        .unwrap();
    let text = token(&issuer).header("kid", "es256-0").mint();
    let inner = tower::service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let mut service = server.layer().layer(inner);
    let request = Request::get("/").header("authorization", format!("Bearer {text}")).body(()).unwrap();
    let future = service.ready().await.unwrap().call(request);
    let mut printed = Printed::new();
    let waiting = format!("{future:?}");
    assert!(waiting.contains("Validating"), "the keys are not there yet: {waiting}");
    printed.text("ResponseFuture that waits", waiting);
    let response = future.await.unwrap();
    assert_eq!(response.status(), 200);
    printed.debug("the answer", &response);
    printed.shows_nothing_of(&[text]);
}

#[test]
fn ops_01_keys_that_are_passed_over_are_not_logged() {
    let (issuer, _) = world();
    let secret = encode(MARKED.repeat(2));
    let real = jwk(&issuer, Algorithm::Es256);
    let (_, log) = Log::during(|| {
        Api::trusting([Issuer::jwks(
            ISSUER,
            set([
                json!({"kty": "oct", "kid": KID, "k": secret}),
                with(with(real.clone(), "d", secret.as_str()), "kid", KID),
                with(with(real.clone(), "use", MARKED), "kid", KID),
                with(with(real.clone(), "alg", MARKED), "kid", KID),
                json!({"kty": MARKED}),
                real,
            ]),
        )])
    });
    assert_eq!(log.lines().filter(|line| line.contains("WARN")).count(), 5, "{log}");
    assert!(!log.contains(MARKED) && !log.contains(&secret), "{log}");
}

#[test]
fn ops_01_an_issuer_prints_no_secret_of_its_configuration() {
    let jwk = json!({"kty": "oct", "k": "hunter2"});
    for issuer in [
        Issuer::discover("https://user:hunter2@issuer.example"),
        Issuer::jwks_uri(ISSUER, "https://user:hunter2@issuer.example/jwks"),
        Issuer::jwks(ISSUER, set([jwk])),
        Issuer::pem(ISSUER, pem("PRIVATE KEY", b"hunter2").replace('\n', " hunter2 ")),
    ] {
        let mut shown = format!("{issuer:?} {issuer:#?} {:?}", issuer.clone().dangerous());
        shown += &format!("{:?}", ResourceServer::builder(RESOURCE).trust(issuer));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let shown = format!("{:?}", Issuer::discover(ISSUER));
    assert!(shown.contains(ISSUER), "which issuer it is can be seen: {shown}");
}

#[test]
fn ops_01_a_request_for_a_document_prints_where_and_nothing_more() {
    let url = Uri::from_static("https://user:hunter2@issuer.example:8443/jwks?key=hunter2");
    let field = HeaderValue::from_static("Basic hunter2");
    let request = FetchRequest::get(url, "application/json", 1)
        .authorized(Some(field))
        .posting(PostContent::form("token=hunter2"));
    let shown = format!("{request:?} {request:#?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    for place in ["https", "issuer.example", "8443", "/jwks"] {
        assert!(shown.contains(place), "{place}: {shown}");
    }
}

#[test]
fn ops_01_an_issuer_that_is_nearly_trusted_is_not_logged() {
    let (issuer, jwks) = world();
    for (iss, piece) in [
        ("https://issuer.example:48213", "48213"),
        ("https://iSsUeR.example", "iSsUeR"),
        ("https://issuer.example///", "example/"),
        ("http://issuer.example", "http:"),
        ("https://user-marked-by-this-test@issuer.example", MARKED),
        ("https://issuer.example/marked-by-this-test", MARKED),
        ("https://issuer.example?marked-by-this-test", MARKED),
        ("https://issuer.example#marked-by-this-test", MARKED),
    ] {
        let token = token(&issuer).issuer(iss).mint();
        let ((), log) = Log::during(|| {
            let api = Api::trusting([Issuer::jwks(ISSUER, jwks.as_str())]);
            let service = api.server.layer().layer(tower::service_fn(see as fn(_) -> _));
            let request =
                Request::get("/").header("authorization", format!("Bearer {token}")).body(()).unwrap();
            assert_eq!(at_once(service.oneshot(request)).unwrap().status(), 401);
            let error = api.verdict(&token).unwrap_err();
            let mut printed = Printed::new();
            printed.error("the error", &error);
            printed.shows_nothing_of(std::slice::from_ref(&token));
            assert!(!format!("{printed:?}").contains(piece), "{iss}: {printed:?}");
        });
        assert!(log.contains("unknown_issuer"), "{log}");
        assert!(!log.contains(piece), "{iss}: {log}");
    }
}

/// The marks are found where they are printed: this test is about the others.
#[test]
fn the_search_finds_what_is_printed() {
    let (issuer, jwks) = world();
    let api =
        Api::trusting([Issuer::jwks(ISSUER, jwks), trusted(&common::issuer_at("https://b.example", []))]);
    let text = token(&issuer).mint();
    let accepted = api.verdict(&text).unwrap();
    for leak in [
        accepted.subject().unwrap(),
        accepted.claims().as_json(),
        KID,
        &text,
        &segments(&text)[2][5..20],
        &segments(&text)[1][..12],
    ] {
        let mut printed = Printed::new();
        printed.text("a leak", format!("before {leak} behind"));
        let found = std::panic::catch_unwind(|| printed.shows_nothing_of(std::slice::from_ref(&text)));
        assert!(found.is_err(), "{leak}");
    }
}

#[test]
fn ops_02_the_mac_key_of_kept_keys_is_not_printed() {
    #[derive(Debug)]
    struct Nowhere;
    impl bearergate::SnapshotStore for Nowhere {
        fn load(&self, _: &str) -> std::io::Result<Option<Vec<u8>>> {
            Ok(None)
        }

        fn save(&self, _: &str, _: &[u8]) -> std::io::Result<()> {
            Ok(())
        }
    }
    let key = format!("{MARKED}-mac-key-of-more-than-32-octets");
    let kept = bearergate::KeySnapshots::store(Nowhere, &key);
    let builder = ResourceServer::builder("https://api.example.com").keep_keys(kept.clone());
    for text in [format!("{kept:?}"), format!("{builder:?}"), format!("{kept:#?}")] {
        assert!(!text.contains(MARKED) && !text.contains(&encode(&key)), "{text}");
        assert!(!text.contains(&format!("{:?}", key.as_bytes())), "{text}");
    }
}

#[test]
fn ops_01_credentials_of_this_server_are_neither_printed_nor_logged() {
    type Make = fn(Secret) -> ClientAuth;
    let methods: [Make; 5] = [
        |secret| ClientAuth::basic("rs", secret),
        |secret| ClientAuth::post("rs", secret),
        |secret| ClientAuth::bearer(secret),
        |secret| ClientAuth::client_secret_jwt("rs", secret),
        |secret| ClientAuth::private_key_jwt("rs", secret),
    ];
    let ed25519 = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let key = pem("PRIVATE KEY", ed25519.to_pkcs8v1().unwrap().as_ref());
    let broken = key.replacen("MC4C", "!C4C", 1);
    assert_ne!(broken, key);
    let shared = format!("{MARKED}-and-32-octets-or-more");
    let path = std::env::temp_dir().join(format!("bearergate-redaction-{:x}", fastrand::u64(..)));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline(ISSUER);
    let mut printed = Printed::new();

    let ((), log) = Log::during(|| {
        for (place, method) in methods.into_iter().enumerate() {
            let good = if place == 4 { &key } else { &shared };
            // The issuer knows no such client. Nor is what the file holds later a secret that can be used.
            for later in [good.clone(), format!("{MARKED} \0\n{MARKED}"), broken.clone(), String::new()] {
                let given = good.clone();
                for secret in [
                    Secret::value(good.as_str()),
                    Secret::file(&path),
                    Secret::from_fn(move || Ok(given.as_str().into())),
                ] {
                    std::fs::write(&path, good).unwrap();
                    printed.debug("Secret", &secret);
                    let auth = method(secret);
                    printed.debug("ClientAuth", &auth);
                    let entry = issuer.introspected(auth);
                    printed.debug("Issuer", &entry);
                    let builder = ResourceServer::builder(RESOURCE).trust(entry).http_client(issuer.fetch());
                    printed.debug("ResourceServerBuilder", &builder);
                    let server = builder.build().unwrap();
                    std::fs::write(&path, &later).unwrap();
                    let asked = runtime.block_on(server.validate::<Claims>(&Presented::bearer("opaque")));
                    printed.error("the error", &asked.unwrap_err());
                    printed.debug("ready()", &runtime.block_on(server.ready()));
                    printed.debug("ResourceServer", &server);
                    printed.debug("Health", &server.health());
                    printed.debug("Issuers", &server.issuers());
                }
            }
            // What cannot work is said when the server is built, and without it too.
            for bad in [format!("{MARKED}\n{MARKED} \0"), broken.clone(), key.replace("PRIVATE", MARKED)] {
                let entry = issuer.introspected(method(Secret::value(bad)));
                let built = ResourceServer::builder(RESOURCE).trust(entry).build();
                printed.debug("what is built of bad credentials", &built);
                if let Err(error) = built {
                    printed.error("ConfigError", &error);
                }
            }
            let entry = issuer.introspected(method(Secret::from_fn(|| Err(MARKED.into()))));
            let built = ResourceServer::builder(RESOURCE).trust(entry).build();
            printed.error("ConfigError", &built.unwrap_err());

            // What a function says when it fails is its own: it is the source of the error, and not logged.
            let (fails, given) = (Arc::new(AtomicBool::new(false)), good.clone());
            let when = Arc::clone(&fails);
            let function = move || match when.load(Ordering::Relaxed) {
                true => Err(MARKED.into()),
                false => Ok(given.as_str().into()),
            };
            let entry = issuer.introspected(method(Secret::from_fn(function)));
            let server =
                ResourceServer::builder(RESOURCE).trust(entry).http_client(issuer.fetch()).build().unwrap();
            fails.store(true, Ordering::Relaxed);
            let error =
                runtime.block_on(server.validate::<Claims>(&Presented::bearer("opaque"))).unwrap_err();
            printed.text("the error of a function that fails", error.to_string());
            printed.debug("Health", &server.health());
        }
    });
    std::fs::remove_file(&path).unwrap();
    assert!(log.contains("introspection"), "something is logged: {log}");
    printed.text("the log", log);
    printed.shows_nothing_of(&[key.lines().nth(1).unwrap().to_owned(), shared]);
}

/// The values of `reason` in what was logged.
fn reasons(log: &str) -> Vec<&str> {
    let after = log.split("reason=").skip(1);
    after.map(|rest| rest.split([' ', '\n']).next().unwrap().trim_matches('"')).collect()
}

#[test]
fn ops_03_labels_are_a_closed_set() {
    let all: Vec<_> = AuthErrorKind::ALL.iter().map(|kind| kind.label()).collect();
    for (place, label) in all.iter().enumerate() {
        assert!(label.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_'), "{label}");
        assert!(!all[..place].contains(label), "{label} twice");
    }
    let (issuer, api) = es256();
    let token = || issuer.token();
    let tokens = [
        token().issuer(format!("https://{MARKED}")),
        token().header("kid", MARKED),
        token().header("alg", MARKED),
        token().header("typ", MARKED),
        token().audience(MARKED),
        token().expired(),
        token().forged(),
    ];
    let ((), log) = Log::during(|| {
        for token in tokens {
            let error =
                at_once(api.server.validate::<Claims>(&Presented::bearer(&token.mint()))).unwrap_err();
            let _refusal = api.server.refuse(error);
        }
    });
    let reasons = reasons(&log);
    assert_eq!(reasons.len(), 7, "{log}");
    assert!(reasons.iter().all(|reason| all.contains(reason)), "{log}");
    assert!(!log.contains(MARKED), "{log}");
}
