//! `explain` says what `validate` does, at which step, and nothing that the token says.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::{cmp::Ordering, collections::BTreeSet};

use bearergate::{
    AccessToken, Algorithm, AuthErrorKind, Check, CheckOutcome, Explanation, Issuer, Presented, Profile,
    ResourceServer, UnixTime,
    testing::{TestClock, TestIssuer, TokenBuilder},
};
use common::{Api, ISSUER, NOW, NoNetwork, RESOURCE, StillClock, at_once, encode, issuer, trusted};
use serde_json::json;

/// Texts that stand in the tokens of these tests, and must stand nowhere else.
const MARKED: &str = "marked-by-this-test";

/// A good token, full of texts that can be found again.
fn token(issuer: &TestIssuer) -> TokenBuilder {
    issuer
        .token()
        .subject(format!("sub-{MARKED}"))
        .client_id(format!("client-{MARKED}"))
        .scope(format!("scope-{MARKED}"))
        .claim("jti", format!("jti-{MARKED}"))
        .claim("email", format!("email-{MARKED}"))
        .header("x", format!("header-{MARKED}"))
}

/// Tokens, and the step that stops each.
fn table(issuer: &TestIssuer) -> Vec<(&'static str, String, Option<Check>)> {
    let good = || token(issuer);
    let text = good().mint();
    let segments: Vec<_> = text.split('.').collect();
    let [header, payload, signature] = segments.as_slice() else { unreachable!() };
    vec![
        ("good", text.clone(), None),
        ("good, no kid", good().without_header("kid").mint(), None),
        ("good, unknown claims", good().claim("x", json!({"y": [1]})).mint(), None),
        ("empty", String::new(), Some(Check::Structure)),
        ("opaque", MARKED.to_owned(), Some(Check::Structure)),
        ("two segments", format!("{header}.{payload}"), Some(Check::Structure)),
        ("five segments", format!("{text}.{payload}.{signature}"), Some(Check::Structure)),
        ("too long", text.repeat(100), Some(Check::Structure)),
        ("header not base64", format!("!{text}"), Some(Check::Header)),
        ("header not JSON", good().header_text(MARKED).mint(), Some(Check::Header)),
        ("alg none", good().header("alg", "none").mint(), Some(Check::Header)),
        ("alg unknown", good().header("alg", MARKED).mint(), Some(Check::Header)),
        ("kid a number", good().header("kid", 5).mint(), Some(Check::Header)),
        ("crit", good().header("crit", [MARKED]).mint(), Some(Check::Header)),
        ("b64", good().header("b64", false).mint(), Some(Check::Header)),
        ("enc", good().header("enc", MARKED).mint(), Some(Check::Header)),
        ("payload not base64", format!("{header}.!{payload}.{signature}"), Some(Check::Payload)),
        ("payload not JSON", good().payload_text(MARKED).mint(), Some(Check::Payload)),
        ("signature not base64", format!("{text}="), Some(Check::Payload)),
        ("no iss", good().without("iss").mint(), Some(Check::Issuer)),
        ("unknown iss", good().issuer(MARKED).mint(), Some(Check::Issuer)),
        ("expired", good().expired().mint(), Some(Check::UnverifiedTimesAndAudience)),
        ("no exp", good().without("exp").mint(), Some(Check::UnverifiedTimesAndAudience)),
        ("exp a text", good().claim("exp", MARKED).mint(), Some(Check::UnverifiedTimesAndAudience)),
        ("not yet valid", good().claim("nbf", NOW + 3600).mint(), Some(Check::UnverifiedTimesAndAudience)),
        ("from the future", good().claim("iat", NOW + 3600).mint(), Some(Check::UnverifiedTimesAndAudience)),
        ("another audience", good().audience(MARKED).mint(), Some(Check::UnverifiedTimesAndAudience)),
        ("alg not listed", good().header("alg", "ES384").mint(), Some(Check::Algorithm)),
        ("HMAC", good().header("alg", "HS256").mint(), Some(Check::Algorithm)),
        ("typ", good().header("typ", MARKED).mint(), Some(Check::Type)),
        ("unknown kid", good().header("kid", MARKED).mint(), Some(Check::Key)),
        ("no key of that kind", good().header("alg", "EdDSA").mint(), Some(Check::Key)),
        ("forged", good().forged().mint(), Some(Check::Signature)),
        ("no signature", format!("{header}.{payload}."), Some(Check::Signature)),
        ("sub a number", good().claim("sub", 5).mint(), Some(Check::Claims)),
        ("scope a number", good().claim("scope", 5).mint(), Some(Check::Claims)),
        ("at_hash", good().claim("at_hash", MARKED).mint(), Some(Check::Claims)),
        ("bound", good().claim("cnf", json!({"jkt": MARKED})).mint(), Some(Check::Binding)),
        ("bound and forged", good().claim("cnf", MARKED).forged().mint(), Some(Check::Signature)),
        ("expired and forged", good().expired().forged().mint(), Some(Check::UnverifiedTimesAndAudience)),
    ]
}

fn verdict(server: &ResourceServer, token: &str) -> Option<AuthErrorKind> {
    let verdict: Result<AccessToken, _> = at_once(server.validate(&Presented::bearer(token)));
    verdict.err().map(|error| error.kind())
}

/// Every check in order: passed, then the one that failed, then skipped.
#[track_caller]
fn stopped_at(explanation: &Explanation, check: Option<Check>, kind: Option<AuthErrorKind>, what: &str) {
    let stop =
        check.map_or(Check::ALL.len(), |check| Check::ALL.iter().position(|one| *one == check).unwrap());
    let expected = Check::ALL.iter().enumerate().map(|(place, one)| {
        let outcome = match place.cmp(&stop) {
            Ordering::Less => CheckOutcome::Passed,
            Ordering::Equal => CheckOutcome::Failed(kind.expect("a check that fails has a reason")),
            Ordering::Greater => CheckOutcome::Skipped,
        };
        (*one, outcome)
    });
    let expected: Vec<_> = expected.collect();
    assert_eq!(explanation.steps(), expected, "{what}");
    assert_eq!(explanation.failure(), kind, "{what}");
    assert_eq!(explanation.is_accepted(), kind.is_none(), "{what}");
}

#[test]
fn explain_agrees_with_validate() {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer)]);
    for (what, token, check) in table(&issuer) {
        let kind = verdict(&api.server, &token);
        assert_eq!(kind.is_some(), check.is_some(), "{what}");
        stopped_at(&api.server.explain(&token), check, kind, what);
    }
}

#[test]
fn explain_agrees_with_validate_in_strict_mode() {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer).profile(Profile::Rfc9068)]);
    let more = [
        ("typ JWT", token(&issuer).header("typ", "JWT").mint(), Some(Check::Type)),
        ("no jti", token(&issuer).without("jti").mint(), Some(Check::Claims)),
    ];
    for (what, token, check) in table(&issuer).into_iter().chain(more) {
        stopped_at(&api.server.explain(&token), check, verdict(&api.server, &token), what);
    }
}

#[test]
fn every_check_stops_some_token_of_the_table() {
    let issuer = issuer([Algorithm::Es256]);
    let stopping: BTreeSet<_> =
        table(&issuer).iter().filter_map(|(_, _, check)| *check).map(|check| format!("{check:?}")).collect();
    let all: BTreeSet<_> = Check::ALL.iter().map(|check| format!("{check:?}")).collect();
    assert_eq!(stopping, all);
}

#[test]
fn explain_prints_no_claim_value() {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer)]);
    for (what, token, _) in table(&issuer) {
        let explanation = api.server.explain(&token);
        let text = format!("{explanation} {explanation:?} {explanation:#?}");
        assert!(!text.contains(MARKED), "{what}: {text}");
        assert!(!text.contains(&encode(MARKED)[..12]), "{what}: {text}");
        assert!(
            !text.contains(ISSUER) && !text.contains(RESOURCE) && !text.contains("es256-0"),
            "{what}: {text}"
        );
        for segment in token.split('.').filter(|segment| segment.len() > 8) {
            assert!(!text.contains(segment), "{what}: {text}");
        }
    }
}

#[test]
fn explain_prints_one_line_for_each_check() {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer)]);
    let good = api.server.explain(&issuer.token().mint()).to_string();
    assert_eq!(good.lines().count(), Check::ALL.len());
    assert!(good.lines().all(|line| line.starts_with("pass ")), "{good}");
    let late = api.server.explain(&issuer.token().expired().mint()).to_string();
    assert_eq!(
        late.lines().collect::<Vec<_>>(),
        [
            "pass Structure",
            "pass Header",
            "pass Payload",
            "pass Issuer",
            "FAIL UnverifiedTimesAndAudience: the token is expired",
            "skip Algorithm",
            "skip Type",
            "skip Key",
            "skip Signature",
            "skip Claims",
            "skip Binding",
        ]
    );
}

#[test]
fn explain_agrees_when_the_clock_cannot_be_read() {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer)]);
    let token = issuer.token().mint();
    for unreadable in [UnixTime::UNREADABLE, UnixTime::from_millis(-1)] {
        api.clock.set(unreadable);
        let kind = verdict(&api.server, &token);
        assert_eq!(kind, Some(AuthErrorKind::ClockUnavailable));
        assert_eq!(api.server.refuse(AuthErrorKind::ClockUnavailable.into()).status(), 503);
        let explanation = api.server.explain(&token);
        assert_eq!(explanation.failure(), kind);
        assert!(!explanation.is_accepted());
        assert_eq!(explanation.steps().len(), Check::ALL.len());
    }
    api.clock.set(UnixTime::from_secs(NOW));
    assert!(api.server.explain(&token).is_accepted());
}

#[test]
fn explain_without_keys_waits_for_nobody() {
    let network = NoNetwork::default();
    let server = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(ISSUER))
        .clock(StillClock::at(UnixTime::from_secs(NOW)))
        .http_client(network.clone())
        .build()
        .unwrap();
    let issuer = issuer([Algorithm::Es256]);
    let explanation = server.explain(&issuer.token().mint());
    stopped_at(&explanation, Some(Check::Key), Some(AuthErrorKind::KeysUnavailable), "no keys yet");
    assert_eq!(network.requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn explain_never_fetches() {
    let clock = TestClock::at(UnixTime::from_secs(NOW));
    let issuer = TestIssuer::builder().clock(clock.clone()).default_audience(RESOURCE).offline(ISSUER);
    let server = ResourceServer::builder(RESOURCE)
        .trust(Issuer::discover(ISSUER))
        .clock(clock)
        .http_client(issuer.fetch())
        .build()
        .unwrap();
    server.ready().await.unwrap();
    assert_eq!(issuer.requests("/jwks"), 1);
    assert!(server.explain(&issuer.token().mint()).is_accepted());
    issuer.rotate();
    for number in 0..10 {
        let unknown = token(&issuer).header("kid", format!("unknown {number}")).mint();
        assert_eq!(server.explain(&unknown).failure(), Some(AuthErrorKind::UnknownKey));
        assert_eq!(server.explain(&token(&issuer).mint()).failure(), Some(AuthErrorKind::UnknownKey));
        for (_, token, _) in table(&issuer) {
            let _explained = server.explain(&token);
        }
        // Whatever was started would run now.
        tokio::task::yield_now().await;
    }
    assert_eq!(issuer.requests("/jwks"), 1);
    // The neighbour: the same token makes `validate` fetch, and then both accept it.
    let rotated = issuer.token().mint();
    let verdict: Result<AccessToken, _> = server.validate(&Presented::bearer(&rotated)).await;
    assert!(verdict.is_ok());
    assert_eq!(issuer.requests("/jwks"), 2);
    assert!(server.explain(&rotated).is_accepted());
}
