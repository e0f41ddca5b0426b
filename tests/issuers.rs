//! Each issuer is one unit of keys and rules, found by its name alone (threats ISS-01 to ISS-05).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::time::Duration;

use bearergate::{
    AccessToken, Algorithm, AuthErrorKind,
    AuthErrorKind::{
        AlgorithmNotAllowed, Expired, InvalidClaim, InvalidSignature, MalformedToken, UnknownIssuer,
        UnknownKey, WrongAudience, WrongType,
    },
    ConfigError, Issuer, Presented, Profile, ResourceServer, UnixTime,
    testing::{TestClock, TestIssuer},
};
use common::{Api, ISSUER, NOW, RESOURCE, issuer, issuer_at, jwk, set, trusted, with};
use http::{Request, Response, StatusCode};
use tower::{Layer as _, ServiceExt as _};

const OTHER: &str = "https://other.example";

/// Two issuers, whose keys for ES256 have one name.
fn two() -> (TestIssuer, TestIssuer, Api) {
    let (a, b) = (issuer([Algorithm::Es256]), issuer_at(OTHER, [Algorithm::Es256]));
    assert_eq!(jwk(&a, Algorithm::Es256)["kid"], jwk(&b, Algorithm::Es256)["kid"]);
    let api = Api::trusting([trusted(&a), trusted(&b)]);
    (a, b, api)
}

#[test]
fn iss_01_a_token_by_another_issuers_key() {
    let (a, b, api) = two();
    api.accepts(&a.token().mint(), "A by A");
    api.accepts(&b.token().mint(), "B by B");
    api.refuses(&a.token().issuer(OTHER).mint(), InvalidSignature, "B by A");
    api.refuses(&b.token().issuer(ISSUER).mint(), InvalidSignature, "A by B");
    let nameless = |issuer: &TestIssuer, iss| issuer.token().issuer(iss).without_header("kid").mint();
    api.accepts(&nameless(&a, ISSUER), "A by A, no kid");
    api.refuses(&nameless(&a, OTHER), InvalidSignature, "B by A, no kid");
}

#[test]
fn iss_01_keys_of_one_issuer_are_not_the_others() {
    let (a, b) = (issuer([Algorithm::Es256]), issuer_at(OTHER, [Algorithm::Es256]));
    let named = |issuer: &TestIssuer, kid| set([with(jwk(issuer, Algorithm::Es256), "kid", kid)]);
    let api =
        Api::trusting([Issuer::jwks(ISSUER, named(&a, "of A")), Issuer::jwks(OTHER, named(&b, "of B"))]);
    api.accepts(&a.token().header("kid", "of A").mint(), "A by A");
    api.accepts(&b.token().header("kid", "of B").mint(), "B by B");
    api.refuses(&a.token().issuer(OTHER).header("kid", "of A").mint(), UnknownKey, "B by A");
    api.refuses(&b.token().issuer(ISSUER).header("kid", "of B").mint(), UnknownKey, "A by B");
    // One key fits in each entry; in a union it would be two.
    api.accepts(&a.token().without_header("kid").mint(), "A by A, no kid");
}

#[test]
fn iss_02_the_entry_is_one_unit() {
    let both = [Algorithm::Es256, Algorithm::EdDsa];
    let (a, b) = (issuer(both), issuer_at(OTHER, both));
    let api = Api::trusting([
        trusted(&a).audiences(["a"]).algorithms([Algorithm::Es256]).leeway(Duration::from_secs(300)),
        trusted(&b)
            .audiences(["b"])
            .algorithms([Algorithm::EdDsa])
            .leeway(Duration::ZERO)
            .profile(Profile::Rfc9068),
    ]);
    let of_a = || a.token_by(Algorithm::Es256).audience("a");
    let of_b = || b.token_by(Algorithm::EdDsa).audience("b");
    api.accepts(&of_a().mint(), "A");
    api.accepts(&of_b().mint(), "B");

    api.refuses(&of_a().audience("b").mint(), WrongAudience, "B's audience with A");
    api.refuses(&of_b().audience("a").mint(), WrongAudience, "A's audience with B");
    api.refuses(&of_a().audience(RESOURCE).mint(), WrongAudience, "the server's own, which A leaves out");

    let by_eddsa = a.token_by(Algorithm::EdDsa).audience("a").mint();
    api.refuses(&by_eddsa, AlgorithmNotAllowed, "B's algorithm with A, which has such a key");
    let by_es256 = b.token_by(Algorithm::Es256).audience("b").mint();
    api.refuses(&by_es256, AlgorithmNotAllowed, "A's algorithm with B, which has such a key");

    api.accepts(&of_a().header("typ", "JWT").mint(), "A is lenient");
    api.refuses(&of_b().header("typ", "JWT").mint(), WrongType, "B is strict");
    api.accepts(&of_a().without("jti").mint(), "A is lenient");
    api.refuses(&of_b().without("jti").mint(), InvalidClaim, "B is strict");

    api.accepts(&of_a().claim("exp", NOW - 299).mint(), "A's leeway");
    api.refuses(&of_b().claim("exp", NOW).mint(), Expired, "B's leeway");
}

#[test]
fn iss_02_giving_up_the_audience_of_one_keeps_the_others() {
    let (a, b) = (issuer([Algorithm::Es256]), issuer_at(OTHER, [Algorithm::Es256]));
    let api = Api::trusting([trusted(&a).dangerous().accept_any_audience(), trusted(&b)]);
    api.accepts(&a.token().audience("x").mint(), "A");
    api.refuses(&b.token().audience("x").mint(), WrongAudience, "B");
    api.accepts(&b.token().mint(), "B, for us");
}

#[test]
fn iss_03_unknown_issuer() {
    let (a, _, api) = two();
    api.accepts(&a.token().mint(), "A");
    for iss in ["https://attacker.example", "http://169.254.169.254", "http://127.0.0.1:1", "x", ""] {
        api.refuses(&a.token().issuer(iss).mint(), UnknownIssuer, iss);
        api.refuses(&a.token().issuer(iss).header("kid", "unknown").mint(), UnknownIssuer, iss);
    }
    let stranger = issuer_at("https://attacker.example", [Algorithm::Es256]);
    api.refuses(&stranger.token().mint(), UnknownIssuer, "a good token of somebody else");
    let mut known = api.server.issuers().list();
    known.sort();
    assert_eq!(known, [ISSUER, OTHER]);
}

#[tokio::test(start_paused = true)]
async fn iss_03_unknown_issuer_fetches_nothing() {
    let clock = TestClock::at(UnixTime::from_secs(NOW));
    let issuer = TestIssuer::builder().clock(clock.clone()).default_audience(RESOURCE).offline(ISSUER);
    let server = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(ISSUER))
        .clock(clock)
        .http_client(issuer.fetch())
        .build()
        .unwrap();
    server.ready().await.unwrap();
    let requests = || {
        let metadata = issuer.requests("/.well-known/oauth-authorization-server");
        (metadata, issuer.requests("/.well-known/openid-configuration"), issuer.requests("/jwks"))
    };
    let kind = async |token: String| -> Option<AuthErrorKind> {
        let verdict: Result<AccessToken, _> = server.validate(&Presented::bearer(&token)).await;
        verdict.err().map(|error| error.kind())
    };
    assert_eq!(kind(issuer.token().mint()).await, None);
    let before = requests();
    assert_eq!(before.2, 1);
    for number in 0..100 {
        let token = issuer.token().issuer(format!("https://attacker.example/{number}"));
        assert_eq!(kind(token.clone().mint()).await, Some(UnknownIssuer));
        assert_eq!(kind(token.header("kid", format!("{number}")).mint()).await, Some(UnknownIssuer));
    }
    assert_eq!(requests(), before);
    // The neighbour: an unknown key of the known issuer is asked for.
    assert_eq!(kind(issuer.token().header("kid", "unknown").mint()).await, Some(UnknownKey));
    assert_eq!(issuer.requests("/jwks"), 2);
}

#[test]
fn iss_04_there_is_one_iss() {
    let (a, _, api) = two();
    let token = a.token();
    let payload = token.payload_json();
    let with_more =
        |more: &str| token.clone().payload_text(payload.replacen('{', &format!("{{{more},"), 1)).mint();
    for more in [
        format!(r#""iss":"{OTHER}""#),
        format!(r#""iss":"{ISSUER}""#),
        format!(r#""\u0069ss":"{OTHER}""#),
        r#""iss":null"#.to_owned(),
    ] {
        api.refuses(&with_more(&more), MalformedToken, &more);
    }
    for more in [
        format!(r#""Iss":"{OTHER}""#),
        format!(r#""issuer":"{OTHER}""#),
        format!(r#""x":{{"iss":"{OTHER}"}}"#),
        format!(r#""\\u0069ss":"{OTHER}""#),
    ] {
        let accepted = api.verdict(&with_more(&more)).unwrap();
        assert_eq!(accepted.issuer(), ISSUER, "{more}");
        assert_eq!(accepted.claims().issuer(), ISSUER, "{more}");
    }
}

#[test]
fn iss_04_the_verified_issuer_is_the_one_that_was_looked_up() {
    let (a, b, api) = two();
    for (issuer, url) in [(&a, ISSUER), (&b, OTHER)] {
        let plain = api.verdict(&issuer.token().mint()).unwrap();
        assert_eq!(plain.issuer(), url);
        let escaped = issuer.token().payload_json().replace("https:", r"\u0068ttps:").replace("//", r"\/\/");
        let escaped = api.verdict(&issuer.token().payload_text(escaped).mint()).unwrap();
        assert_eq!(escaped.issuer(), url);
        assert_eq!(escaped.claims().get::<String>("iss").unwrap().as_deref(), Some(url));
    }
    // A header parameter of that name routes nobody.
    api.refuses(&a.token().issuer(OTHER).header("iss", ISSUER).mint(), InvalidSignature, "header");
    let accepted = api.verdict(&a.token().header("iss", OTHER).mint()).unwrap();
    assert_eq!(accepted.issuer(), ISSUER);
}

#[test]
fn iss_05_the_same_issuer_twice() {
    let a = issuer([Algorithm::Es256]);
    let build = |issuers: [Issuer; 2]| {
        let [first, second] = issuers;
        ResourceServer::builder(RESOURCE).trust(first).trust(second).build()
    };
    let jwks_uri = Issuer::jwks_uri(ISSUER, "https://issuer.example/jwks");
    for twice in [
        [trusted(&a), trusted(&a)],
        [trusted(&a), trusted(&a).audiences(["x"])],
        [trusted(&a), Issuer::discover(ISSUER)],
        [Issuer::discover(ISSUER), jwks_uri],
    ] {
        let error = build(twice).unwrap_err();
        assert!(matches!(&error, ConfigError::DuplicateIssuer { issuer } if issuer == ISSUER), "{error}");
    }
    let b = issuer_at(OTHER, [Algorithm::Es256]);
    assert!(build([trusted(&a), trusted(&b)]).is_ok());
}

#[test]
fn iss_05_a_trailing_slash_makes_another_issuer() {
    let slashed = format!("{ISSUER}/");
    let (a, b) = (issuer([Algorithm::Es256]), issuer_at(&slashed, [Algorithm::Es256]));
    let api = Api::trusting([trusted(&a), trusted(&b).audiences(["b"])]);
    api.accepts(&a.token().mint(), "without slash");
    api.accepts(&b.token().audience("b").mint(), "with slash");
    api.refuses(&a.token().issuer(slashed).audience("b").mint(), InvalidSignature, "one's key for the other");
    api.refuses(&b.token().issuer(ISSUER).mint(), InvalidSignature, "one's key for the other");
    api.refuses(&b.token().mint(), WrongAudience, "one's audience with the other");
}

/// The identifiers of the trusted issuers, sorted.
fn list(api: &Api) -> Vec<String> {
    let mut list = api.server.issuers().list();
    list.sort();
    list
}

#[test]
fn issuers_added_are_trusted_at_once() {
    let (a, b) = (issuer([Algorithm::Es256]), issuer_at(OTHER, [Algorithm::Es256]));
    let api = Api::trusting([trusted(&a)]);
    let (of_a, of_b) = (a.token().mint(), b.token().mint());
    api.refuses(&of_b, UnknownIssuer, "before");
    api.server.issuers().add(trusted(&b)).unwrap();
    api.accepts(&of_b, "after");
    api.accepts(&of_a, "the old one");
    assert_eq!(list(&api), [ISSUER, OTHER]);
}

#[test]
fn issuers_removed_are_refused_at_once() {
    let (a, b, api) = two();
    let (of_a, of_b) = (a.token().mint(), b.token().mint());
    api.accepts(&of_b, "before");
    assert!(api.server.issuers().remove(OTHER).unwrap());
    api.refuses(&of_b, UnknownIssuer, "after");
    api.accepts(&of_a, "the other one");
    assert!(!api.server.issuers().remove(OTHER).unwrap(), "there is none any more");
    assert!(!api.server.issuers().remove("https://issuer.example/").unwrap(), "compared byte for byte");
    assert!(matches!(api.server.issuers().remove(ISSUER), Err(ConfigError::NoIssuer)), "the last one stays");
    api.accepts(&of_a, "after the last one could not be removed");
    assert_eq!(list(&api), [ISSUER]);
}

#[test]
fn issuers_replaced_are_in_force_at_once() {
    let (a, b, api) = two();
    let c = issuer_at("https://third.example", [Algorithm::Es256]);
    let tokens = [a.token().mint(), b.token().mint(), c.token().mint()];
    api.server.issuers().replace_all([trusted(&b), trusted(&c)]).unwrap();
    api.refuses(&tokens[0], UnknownIssuer, "left out");
    api.accepts(&tokens[1], "kept");
    api.accepts(&tokens[2], "new");
    assert_eq!(list(&api), [OTHER, "https://third.example"]);
    assert!(matches!(api.server.issuers().replace_all([]), Err(ConfigError::NoIssuer)));
    api.accepts(&tokens[1], "after an empty list");
}

#[test]
fn issuers_with_other_keys_or_rules_are_in_force_at_once() {
    let (a, successor) = (issuer([Algorithm::Es256]), issuer([Algorithm::Es256]));
    let api = Api::trusting([trusted(&a)]);
    let token = a.token().mint();
    api.accepts(&token, "before");
    api.server.issuers().replace_all([trusted(&successor)]).unwrap();
    api.refuses(&token, InvalidSignature, "by the old key");
    api.accepts(&successor.token().mint(), "by the new key");
    api.server.issuers().replace_all([trusted(&a).audiences(["x"])]).unwrap();
    api.refuses(&token, WrongAudience, "the old key again, with another audience");
    api.server.issuers().replace_all([trusted(&a).algorithms([Algorithm::EdDsa])]).unwrap();
    api.refuses(&token, AlgorithmNotAllowed, "with another algorithm");
    api.server.issuers().replace_all([trusted(&a)]).unwrap();
    api.accepts(&token, "as it was");
}

#[test]
fn issuers_are_not_changed_by_a_list_that_cannot_work() {
    let (a, b, api) = two();
    let (of_a, of_b) = (a.token().mint(), b.token().mint());
    let issuers = api.server.issuers();
    assert!(matches!(issuers.add(trusted(&a)), Err(ConfigError::DuplicateIssuer { .. })));
    assert!(matches!(issuers.add(Issuer::discover("nowhere")), Err(ConfigError::InvalidUrl { .. })));
    assert!(matches!(issuers.add(Issuer::jwks("x", "{}")), Err(ConfigError::FixedKeys { .. })));
    let bad = trusted(&a).algorithms([Algorithm::Hs256]);
    assert!(matches!(issuers.replace_all([bad]), Err(ConfigError::SymmetricAlgorithm { .. })));
    let twice = [trusted(&a), trusted(&a)];
    assert!(matches!(issuers.replace_all(twice), Err(ConfigError::DuplicateIssuer { .. })));
    api.accepts(&of_a, "as before");
    api.accepts(&of_b, "as before");
    assert_eq!(list(&api), [ISSUER, OTHER]);
}

#[tokio::test]
async fn issuers_change_for_clones_layers_and_services_too() {
    let (a, b) = (issuer([Algorithm::Es256]), issuer_at(OTHER, [Algorithm::Es256]));
    let api = Api::trusting([trusted(&a)]);
    let clone = api.server.clone();
    let inner = tower::service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    });
    let service = api.server.layer().layer(inner);
    let status = async |token: &str| {
        let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(()).unwrap();
        service.clone().oneshot(request).await.unwrap().status()
    };
    let (of_a, of_b) = (a.token().mint(), b.token().mint());
    assert_eq!((status(&of_a).await, status(&of_b).await), (StatusCode::OK, StatusCode::UNAUTHORIZED));
    clone.issuers().add(trusted(&b)).unwrap();
    assert_eq!((status(&of_a).await, status(&of_b).await), (StatusCode::OK, StatusCode::OK));
    clone.issuers().remove(ISSUER).unwrap();
    assert_eq!((status(&of_a).await, status(&of_b).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
    api.refuses(&of_a, UnknownIssuer, "the server that was cloned");
}
