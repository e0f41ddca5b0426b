//! `explain` says what `validate` does, at which step, and nothing that the token says.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::{cmp::Ordering, collections::BTreeSet, time::Duration};

use bearergate::{
    AccessToken, Algorithm, AuthErrorKind, Check, CheckOutcome, Explanation, Issuer, Presented, Profile,
    Requirement, ResourceServer, UnixTime, scopes,
    testing::{TestClock, TestIssuer, TokenBuilder},
};
use common::{
    Api, ISSUER, NOW, NoNetwork, RESOURCE, StillClock, at_once, encode, issuer, issuer_at, trusted,
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};
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
        .claim("aud", [RESOURCE.to_owned(), format!("aud-{MARKED}")])
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

fn explain(server: &ResourceServer, token: &str) -> Explanation {
    server.explain(&Presented::bearer(token))
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
        stopped_at(&explain(&api.server, &token), check, kind, what);
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
        stopped_at(&explain(&api.server, &token), check, verdict(&api.server, &token), what);
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
        let explanation = explain(&api.server, &token);
        let text = format!("{explanation} {explanation:?} {explanation:#?}");
        assert!(!text.contains(MARKED), "{what}: {text}");
        assert!(!text.contains(&encode(MARKED)[..12]), "{what}: {text}");
        assert!(!text.contains(ISSUER) && !text.contains("es256-0"), "{what}: {text}");
        for segment in token.split('.').filter(|segment| segment.len() > 8) {
            assert!(!text.contains(segment), "{what}: {text}");
        }
    }
}

#[test]
fn explain_prints_one_line_for_each_check() {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer)]);
    let good = explain(&api.server, &issuer.token().mint()).to_string();
    assert_eq!(good.lines().count(), Check::ALL.len());
    assert!(good.lines().all(|line| line.starts_with("pass ")), "{good}");
    let late = explain(&api.server, &issuer.token().expired().mint()).to_string();
    assert_eq!(
        late.lines().collect::<Vec<_>>(),
        [
            "pass Structure",
            "pass Header",
            "pass Payload",
            "pass Issuer",
            "FAIL UnverifiedTimesAndAudience: the token is expired (expected: at 1800000000, give or take 60 s, `exp` lies ahead, \
             `nbf` and `iat` do not; `aud` names `https://api.example.com`)",
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
fn explain_says_what_is_configured() {
    let issuer = issuer([Algorithm::Es256]);
    let other = issuer_at("https://other.example", [Algorithm::Es256]);
    let entry = trusted(&issuer)
        .audiences(["api", "web", RESOURCE])
        .algorithms([Algorithm::Es256, Algorithm::Rs256])
        .profile(Profile::Rfc9068)
        .leeway(Duration::from_secs(5));
    let api = Api::trusting([entry, trusted(&other)]);
    let good = || token(&issuer);
    for (check, token, expectation) in [
        (Check::Structure, MARKED.to_owned(), "at most 16384 octets, in three segments"),
        (Check::Issuer, good().issuer(MARKED).mint(), "`iss` is one of the 2 issuers that are trusted"),
        (
            Check::UnverifiedTimesAndAudience,
            good().audience(MARKED).mint(),
            "at 1800000000, give or take 5 s, `exp` lies ahead, \
             `nbf` and `iat` do not; \
             `aud` names `api`, `web` or `https://api.example.com`",
        ),
        (Check::Algorithm, good().header("alg", "ES384").mint(), "`alg` is `ES256` or `RS256`"),
        (Check::Type, good().header("typ", "JWT").mint(), "`typ` is `at+jwt`"),
        (
            Check::Claims,
            good().without("jti").mint(),
            "registered claims have their types, and none is that of another kind of JWT; \
             `sub`, `client_id`, `iat` and `jti` are there",
        ),
    ] {
        let explanation = explain(&api.server, &token);
        let failed = explanation.steps().iter().find(|(_, outcome)| outcome.label() == "failed").unwrap().0;
        assert_eq!(failed, check);
        assert_eq!(explanation.expectation(check), Some(expectation));
        assert!(explanation.to_string().contains(&format!("(expected: {expectation})")), "{explanation}");
    }
    // Without an entry there are no rules of one.
    let nobody = explain(&api.server, &good().issuer(MARKED).mint());
    assert_eq!(nobody.expectation(Check::Algorithm), None);
    let any = trusted(&issuer).dangerous().accept_any_audience();
    let explanation = explain(&Api::trusting([any]).server, &good().mint());
    let expectation = explanation.expectation(Check::UnverifiedTimesAndAudience).unwrap();
    assert!(expectation.ends_with("`aud` names anything"), "{expectation}");
    assert_eq!(explanation.expectation(Check::Issuer), Some("`iss` is the one issuer that is trusted"));
    assert_eq!(explanation.expectation(Check::Scope), None, "nothing asks for it");
}

#[test]
fn explain_for_a_route_goes_on_where_the_token_is_good() {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer)]);
    let good = || issuer.token().scope("read write").claim("acr", "high").claim("auth_time", NOW - 60);
    let explain = |token: &TokenBuilder, requirement: &Requirement| {
        api.server.explain_for(&Presented::bearer(&token.mint()), requirement)
    };
    let last = |explanation: &Explanation| explanation.steps()[Check::ALL.len()..].to_vec();
    let (scope, authentication) = (Check::Scope, Check::Authentication);
    let (lacking, weak) = (AuthErrorKind::InsufficientScope, AuthErrorKind::InsufficientAuthentication);
    let (passed, skipped, failed) = (CheckOutcome::Passed, CheckOutcome::Skipped, CheckOutcome::Failed);

    let nothing = Requirement::default();
    assert_eq!(last(&explain(&good(), &nothing)), []);
    let scopes = Requirement::any_of([scopes!["read", "admin"], scopes!["write"]]);
    assert_eq!(last(&explain(&good(), &scopes)), [(scope, passed)]);
    let explanation = explain(&good().scope("read"), &scopes);
    assert_eq!(last(&explanation), [(scope, failed(lacking))]);
    assert_eq!(explanation.failure(), Some(lacking));
    assert_eq!(explanation.expectation(scope), Some("the token carries `read admin` or `write`"));
    assert_eq!(last(&explain(&good().expired(), &scopes)), [(scope, skipped)]);

    let values = Check::ClaimValues;
    let roles = Requirement::scopes(scopes!["read"]).claim("/realm_access/roles", ["admin", "root"]);
    let explanation = explain(&good().claim("realm_access", json!({"roles": ["admin"]})), &roles);
    assert_eq!(last(&explanation), [(scope, passed), (values, passed)]);
    assert_eq!(
        explanation.expectation(values),
        Some("`/realm_access/roles` holds one of [\"admin\", \"root\"]")
    );
    let explanation = explain(&good(), &roles);
    assert_eq!(last(&explanation), [(scope, passed), (values, failed(AuthErrorKind::PolicyDenied))]);

    let both = Requirement::scopes(scopes!["read"]).acr(["high", "higher"]).max_age(Duration::from_secs(60));
    let explanation = explain(&good(), &both);
    assert_eq!(last(&explanation), [(scope, passed), (authentication, passed)]);
    assert!(explanation.is_accepted());
    let explanation = explain(&good().claim("acr", "low"), &both);
    assert_eq!(last(&explanation), [(scope, passed), (authentication, failed(weak))]);
    let expectation = "`acr` is `high` or `higher`; `auth_time` lies at most 60 s back";
    assert_eq!(explanation.expectation(authentication), Some(expectation));
    let explanation = explain(&good().scope("write").claim("acr", "low"), &both);
    assert_eq!(last(&explanation), [(scope, failed(lacking)), (authentication, skipped)]);
    let age = Requirement::default().max_age(Duration::from_secs(59));
    assert_eq!(last(&explain(&good(), &age)), [(authentication, failed(weak))]);
}

/// What is done to the text of a token.
#[derive(Clone, Copy, Debug)]
enum Mutation {
    Insert,
    Remove,
    Replace,
    Truncate,
}

/// Whatever becomes of a token's text, or of the texts that are signed: one verdict.
#[test]
fn explain_agrees_with_validate_on_any_mutation() {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer)]);
    let texts: Vec<_> = table(&issuer).into_iter().map(|(_, token, _)| token).collect();
    let good = token(&issuer);
    let change = (
        prop_oneof![
            Just(Mutation::Insert),
            Just(Mutation::Remove),
            Just(Mutation::Replace),
            Just(Mutation::Truncate)
        ],
        any::<Index>(),
        // Most are of base64url or of JSON, so that not all fail at the first step.
        prop_oneof![4 => "[A-Za-z0-9_.\"{}:,-]", 1 => any::<char>().prop_map(String::from)],
    );
    let mutate = |text: &str, (mutation, place, with): &(Mutation, Index, String)| {
        let mut chars: Vec<char> = text.chars().collect();
        let at = place.index(chars.len() + 1);
        let end = chars.len().min(at + usize::from(!matches!(mutation, Mutation::Insert)));
        match mutation {
            Mutation::Insert | Mutation::Replace => drop(chars.splice(at..end, with.chars())),
            Mutation::Remove => drop(chars.drain(at..end)),
            Mutation::Truncate => chars.truncate(at),
        }
        String::from_iter(chars)
    };
    let any_token = (any::<Index>(), 0..3_u8, vec(change, 1..3));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(256) });
    let outcome = runner.run(&any_token, |(which, layer, changes)| {
        let apply = |text: String| changes.iter().fold(text, |text, change| mutate(&text, change));
        let text = match layer {
            0 => apply(which.get(&texts).clone()),
            1 => good.clone().header_text(apply(good.header_json())).mint(),
            _ => good.clone().payload_text(apply(good.payload_json())).mint(),
        };
        let explanation = explain(&api.server, &text);
        prop_assert_eq!(explanation.failure(), verdict(&api.server, &text));
        prop_assert_eq!(explanation.is_accepted(), explanation.failure().is_none());
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn ops_07_a_clock_that_cannot_be_read_is_503_and_explain_agrees() {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer)]);
    let token = issuer.token().mint();
    for unreadable in [UnixTime::UNREADABLE, UnixTime::from_millis(-1)] {
        api.clock.set(unreadable);
        let kind = verdict(&api.server, &token);
        assert_eq!(kind, Some(AuthErrorKind::ClockUnavailable));
        assert_eq!(api.server.refuse(AuthErrorKind::ClockUnavailable.into()).status(), 503);
        let explanation = explain(&api.server, &token);
        assert_eq!(explanation.failure(), kind);
        assert!(!explanation.is_accepted());
        assert_eq!(explanation.steps().len(), Check::ALL.len());
        assert_eq!(explanation.expectation(Check::Structure), Some("a clock that reads 1970 or later"));
    }
    api.clock.set(UnixTime::from_secs(NOW));
    assert!(explain(&api.server, &token).is_accepted());
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
    let explanation = explain(&server, &issuer.token().mint());
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
    assert!(explain(&server, &issuer.token().mint()).is_accepted());
    issuer.rotate();
    for number in 0..10 {
        let unknown = token(&issuer).header("kid", format!("unknown {number}")).mint();
        assert_eq!(explain(&server, &unknown).failure(), Some(AuthErrorKind::UnknownKey));
        assert_eq!(explain(&server, &token(&issuer).mint()).failure(), Some(AuthErrorKind::UnknownKey));
        for (_, token, _) in table(&issuer) {
            let _explained = explain(&server, &token);
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
    assert!(explain(&server, &rotated).is_accepted());
}
