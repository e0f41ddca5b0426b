//! What the claims must say, and what a route may ask of them beyond (threats CLM-01 to CLM-15, SCP-01 to SCP-05).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::{
    convert::Infallible,
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bearergate::{
    AccessToken, Algorithm,
    AuthErrorKind::{
        self, ClaimsMismatch, Expired, InvalidClaim, InvalidSignature, IssuedInFuture, NotYetValid,
        UnknownIssuer, WrongAudience, WrongType,
    },
    BearerAuthLayer, ConfigError, Issuer, Presented, Profile, Requirement, ResourceServer, UnixTime, scopes,
    testing::{TestIssuer, TokenBuilder},
};
use common::{Api, ISSUER, NOW, RESOURCE, at_once, es256, issuer, log::Log, trusted};
use http::{Request, Response, StatusCode, header::WWW_AUTHENTICATE};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt as _};

/// The token with a claim written as this JSON text: for numbers that serde would write otherwise.
fn with_number(token: &TokenBuilder, claim: &str, number: &str) -> String {
    let payload = token.clone().without(claim).payload_json();
    let payload = format!("{},\"{claim}\":{number}}}", &payload[..payload.len() - 1]);
    token.clone().payload_text(payload).mint()
}

#[test]
fn clm_01_exp_missing() {
    let (issuer, api) = es256();
    api.accepts(&issuer.token().mint(), "untouched");
    api.refuses(&issuer.token().without("exp").mint(), InvalidClaim, "missing");
    let other_name = issuer.token().payload_json().replace(r#""exp""#, r#""EXP""#);
    api.refuses(&issuer.token().payload_text(other_name).mint(), InvalidClaim, "EXP");
    let nested = issuer.token().without("exp").claim("x", json!({"exp": NOW + 300}));
    api.refuses(&nested.mint(), InvalidClaim, "nested");
    let any = Api::trusting([trusted(&issuer).dangerous().accept_any_audience()]);
    any.refuses(&issuer.token().without("exp").mint(), InvalidClaim, "missing, for any audience");
}

#[test]
fn clm_02_dates_of_a_wrong_type() {
    let (issuer, api) = es256();
    for claim in ["exp", "nbf", "iat"] {
        api.accepts(&issuer.token().claim("nbf", NOW).mint(), "untouched");
        for value in [
            json!("1800000300"),
            json!("2027-01-15T08:00:00Z"),
            json!(""),
            json!(null),
            json!(true),
            json!(false),
            json!([]),
            json!([NOW]),
            json!({}),
            json!({"$date": NOW}),
        ] {
            let token = issuer.token().claim(claim, &value);
            api.refuses(&token.mint(), InvalidClaim, format!("{claim}: {value}"));
        }
    }
    api.accepts(&issuer.token().without("nbf").without("iat").mint(), "neither nbf nor iat");
}

/// An API with this leeway, and its issuer.
fn with_leeway(seconds: u64) -> (TestIssuer, Api) {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer).leeway(Duration::from_secs(seconds))]);
    (issuer, api)
}

#[test]
fn clm_03_expired() {
    for leeway in [0, 1, 60, 300] {
        let (issuer, api) = with_leeway(leeway);
        let token = |exp: i64| issuer.token().claim("exp", exp).mint();
        let limit = NOW - i64::try_from(leeway).unwrap();
        api.accepts(&token(limit + 1), format!("a second is left, leeway {leeway}"));
        api.refuses(&token(limit), Expired, format!("equal, leeway {leeway}"));
        api.refuses(&token(limit - 1), Expired, format!("a second late, leeway {leeway}"));
        for exp in [0, 1, NOW - 3600] {
            api.refuses(&token(exp), Expired, format!("{exp}, leeway {leeway}"));
        }
    }
}

#[test]
fn clm_03_the_default_leeway_is_a_minute() {
    let (issuer, api) = es256();
    api.accepts(&issuer.token().claim("exp", NOW - 59).mint(), "59 s ago");
    api.refuses(&issuer.token().claim("exp", NOW - 60).mint(), Expired, "60 s ago");
}

#[test]
fn clm_03_time_passes() {
    let (issuer, api) = es256();
    let token = issuer.token().claim("exp", NOW).mint();
    api.accepts(&token, "at exp");
    api.clock.set(UnixTime::from_millis((NOW + 60) * 1000 - 1));
    api.accepts(&token, "a millisecond before the end");
    api.clock.set(UnixTime::from_secs(NOW + 60));
    api.refuses(&token, Expired, "at the end");
}

#[test]
fn clm_03_fractions_and_exponents() {
    let (issuer, api) = with_leeway(0);
    let token = |exp: &str| with_number(&issuer.token(), "exp", exp);
    for exp in [
        "1800000001",
        "1800000001.0",
        "1800000000.5",
        "1800000000.001",
        "1.8000003e9",
        "1.8000003E+9",
        "18000003e2",
        "180000030000e-2",
        "2e9",
    ] {
        api.accepts(&token(exp), exp);
    }
    for exp in [
        "1800000000",
        "1800000000.0",
        "1799999999.999",
        "1.8e9",
        "1.8E+09",
        "180000000000e-2",
        "1e9",
        "0",
        "0.0",
        "0e0",
        "1e-5",
    ] {
        api.refuses(&token(exp), Expired, exp);
    }
}

#[test]
fn clm_04_not_yet_valid() {
    for leeway in [0, 1, 60, 300] {
        let (issuer, api) = with_leeway(leeway);
        let token = |nbf: i64| issuer.token().claim("nbf", nbf).expires_in(Duration::from_secs(3600)).mint();
        let limit = NOW + i64::try_from(leeway).unwrap();
        api.accepts(&token(limit), format!("equal, leeway {leeway}"));
        api.accepts(&token(limit - 1), format!("a second ago, leeway {leeway}"));
        api.accepts(&token(0), format!("1970, leeway {leeway}"));
        api.refuses(&token(limit + 1), NotYetValid, format!("a second early, leeway {leeway}"));
        api.refuses(&token(limit + 86_400), NotYetValid, format!("a day early, leeway {leeway}"));
        let half = with_number(&issuer.token(), "nbf", &format!("{limit}.5"));
        api.refuses(&half, NotYetValid, format!("half a second early, leeway {leeway}"));
    }
    let (issuer, api) = es256();
    api.accepts(&issuer.token().claim("nbf", NOW + 60).mint(), "the default leeway is a minute");
    api.refuses(&issuer.token().claim("nbf", NOW + 61).mint(), NotYetValid, "a second more");
}

#[test]
fn clm_05_dates_out_of_range() {
    let (issuer, api) = es256();
    let token = |claim: &str, number: &str| with_number(&issuer.token(), claim, number);
    for claim in ["exp", "nbf", "iat"] {
        for number in [
            "-1",
            "-0.5",
            "-1800000300",
            "-1e300",
            "-9223372036854775808",
            "-9223372036854775809",
            "253402300800",
            "253402300800.0",
            "2.534023008e11",
            // Milliseconds, microseconds, nanoseconds.
            "1800000300000",
            "1800000300000.0",
            "1800000300000000",
            "1800000300000000000",
            "1e12",
            "1e13",
            "1e300",
            "1e400",
            "4294967296000",
            "9223372036854775",
            "9223372036854776",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "18446744075509551916",
            "340282366920938463463374607431768211456",
        ] {
            api.refuses(&token(claim, number), InvalidClaim, format!("{claim}: {number}"));
        }
        let long = "9".repeat(400);
        api.refuses(&token(claim, &long), InvalidClaim, format!("{claim}: {long}"));
    }
    api.accepts(&token("exp", "253402300799"), "the last second of the year 9999");
    api.accepts(&token("exp", "2.53402300799e11"), "the same, written otherwise");
    api.refuses(&token("exp", "0"), Expired, "1970 is a date");
    api.accepts(&token("nbf", "0"), "1970 is a date");
    api.accepts(&token("nbf", "-0"), "1970 is a date");
    api.refuses(&token("nbf", "253402300799"), NotYetValid, "the year 9999 is a date");
    api.accepts(&token("iat", "0"), "1970 is a date");
    api.refuses(&token("iat", "253402300799"), IssuedInFuture, "the year 9999 is a date");
}

#[test]
fn clm_06_issued_in_the_future() {
    for leeway in [0, 60, 300] {
        let (issuer, api) = with_leeway(leeway);
        let token = |iat: i64| issuer.token().claim("iat", iat).expires_in(Duration::from_secs(3600)).mint();
        let limit = NOW + i64::try_from(leeway).unwrap();
        api.accepts(&token(NOW), format!("now, leeway {leeway}"));
        api.accepts(&token(limit), format!("equal, leeway {leeway}"));
        api.refuses(&token(limit + 1), IssuedInFuture, format!("a second later, leeway {leeway}"));
        api.refuses(&token(limit + 86_400), IssuedInFuture, format!("a day later, leeway {leeway}"));
    }
    let (issuer, api) = es256();
    api.accepts(&issuer.token().claim("iat", 1).mint(), "long ago");
}

#[test]
fn clm_07_iss() {
    let (issuer, api) = es256();
    api.accepts(&issuer.token().mint(), "untouched");
    api.refuses(&issuer.token().without("iss").mint(), InvalidClaim, "missing");
    for iss in
        [json!(null), json!(5), json!(true), json!([]), json!([ISSUER]), json!({"iss": ISSUER}), json!({})]
    {
        api.refuses(&issuer.token().claim("iss", &iss).mint(), InvalidClaim, &iss);
    }
    for iss in [
        "",
        "https://issuer.example/",
        "https://issuer.example//",
        "https://issuer.example/x",
        "https://issuer.example?",
        "https://issuer.example#",
        "https://issuer.example:443",
        "https://issuer.example:443/",
        "https://issuer.example.",
        "http://issuer.example",
        "HTTPS://issuer.example",
        "https://ISSUER.example",
        "https://Issuer.example",
        "https://issuer.exampl",
        "https://issuer.examplee",
        "https://issuer.example.attacker.example",
        "https://attacker.example/https://issuer.example",
        "https://user@issuer.example",
        "https://issuer%2Eexample",
        "https%3A%2F%2Fissuer.example",
        "https:issuer.example",
        " https://issuer.example",
        "https://issuer.example ",
        "https://issuer.example\n",
        "https://issuer.example\0",
        "issuer.example",
        "https://issuеr.example",
        "*",
    ] {
        api.refuses(&issuer.token().issuer(iss).mint(), UnknownIssuer, format!("{iss:?}"));
    }
}

#[test]
fn clm_08_aud() {
    let (issuer, api) = es256();
    api.accepts(&issuer.token().mint(), "a string");
    api.accepts(&issuer.token().claim("aud", [RESOURCE]).mint(), "an array of one");
    api.accepts(&issuer.token().claim("aud", ["x", RESOURCE, "y"]).mint(), "an array of three");
    api.accepts(&issuer.token().claim("aud", [RESOURCE, RESOURCE]).mint(), "twice");

    api.refuses(&issuer.token().without("aud").mint(), InvalidClaim, "missing");
    for aud in [
        json!(null),
        json!(5),
        json!(true),
        json!({}),
        json!({"aud": RESOURCE}),
        json!({RESOURCE: true}),
        json!([[RESOURCE]]),
        json!([{"aud": RESOURCE}]),
        json!([null]),
        json!([5]),
    ] {
        api.refuses(&issuer.token().claim("aud", &aud).mint(), InvalidClaim, &aud);
    }
    for aud in [
        json!(""),
        json!([]),
        json!([""]),
        json!("*"),
        json!("https://*"),
        json!("https://*.example.com"),
        json!("https://.*"),
        json!("https://api.example.com/"),
        json!("https://api.example.com/*"),
        json!("https://api.example.com/orders"),
        json!("https://api.example.co"),
        json!("https://api.example.com.attacker.example"),
        json!("https://API.example.com"),
        json!("HTTPS://api.example.com"),
        json!("http://api.example.com"),
        json!("https://api.example.com:443"),
        json!(" https://api.example.com"),
        json!("https://api.example.com "),
        json!("https://other.example.com"),
        json!("x https://api.example.com"),
        json!("https://api.example.com,https://other.example.com"),
        json!(["https://other.example.com"]),
        json!(["a", "b", "c"]),
        json!(["https://api.example.com x"]),
        json!([ISSUER]),
    ] {
        api.refuses(&issuer.token().claim("aud", &aud).mint(), WrongAudience, &aud);
    }
}

#[test]
fn clm_08_several_expected_audiences() {
    let issuer = issuer([Algorithm::Es256]);
    let api = Api::trusting([trusted(&issuer).audiences(["api", "urn:api:2"])]);
    for aud in [json!("api"), json!("urn:api:2"), json!(["x", "api"]), json!(["urn:api:2", "api"])] {
        api.accepts(&issuer.token().claim("aud", &aud).mint(), &aud);
    }
    for aud in [json!(RESOURCE), json!("api urn:api:2"), json!("apiurn:api:2"), json!("urn:api"), json!([])] {
        api.refuses(&issuer.token().claim("aud", &aud).mint(), WrongAudience, &aud);
    }
}

#[test]
fn clm_09_aud_with_something_else_beside_the_right_entry() {
    let (issuer, api) = es256();
    api.accepts(&issuer.token().claim("aud", ["x", RESOURCE]).mint(), "strings only");
    for other in [json!(5), json!(null), json!(true), json!([RESOURCE]), json!({"a": 1}), json!([])] {
        for aud in [json!([RESOURCE, other]), json!([other, RESOURCE]), json!([RESOURCE, "x", other])] {
            api.refuses(&issuer.token().claim("aud", &aud).mint(), InvalidClaim, &aud);
        }
    }
}

#[test]
fn clm_10_strings_that_are_none() {
    let (issuer, api) = es256();
    for claim in ["sub", "jti", "client_id"] {
        api.accepts(&issuer.token().claim(claim, "text").mint(), claim);
        api.accepts(&issuer.token().without(claim).mint(), format!("{claim} missing"));
        for value in
            [json!(null), json!(5), json!(true), json!([]), json!(["text"]), json!({}), json!({"a": "b"})]
        {
            let token = issuer.token().claim(claim, &value);
            api.refuses(&token.mint(), InvalidClaim, format!("{claim}: {value}"));
        }
    }
}

#[test]
fn clm_11_strict_mode_wants_more_claims() {
    let (issuer, lenient) = es256();
    let strict = Api::trusting([trusted(&issuer).profile(Profile::Rfc9068)]);
    strict.accepts(&issuer.token().mint(), "untouched");
    for claim in ["sub", "client_id", "iat", "jti"] {
        let token = issuer.token().without(claim).mint();
        strict.refuses(&token, InvalidClaim, format!("{claim} missing"));
        lenient.accepts(&token, format!("{claim} missing in lenient mode"));
    }
    for claim in ["iss", "aud", "exp"] {
        let token = issuer.token().without(claim).mint();
        strict.refuses(&token, InvalidClaim, format!("{claim} missing"));
        lenient.refuses(&token, InvalidClaim, format!("{claim} missing in lenient mode"));
    }
}

/// What an OpenID provider puts into an ID token for this client.
fn id_token(issuer: &TestIssuer, audience: &str) -> TokenBuilder {
    issuer
        .token()
        .header("typ", "JWT")
        .audience(audience)
        .without("client_id")
        .without("jti")
        .claim("nonce", "n-0S6_WzA2Mj")
        .claim("auth_time", NOW - 10)
        .claim("email", "user@example.com")
}

#[test]
fn clm_12_id_token() {
    let (issuer, api) = es256();
    let id_token = id_token(&issuer, "client-of-the-user");
    api.refuses(&id_token.mint(), WrongAudience, "for the client");
    api.refuses(&id_token.clone().claim("at_hash", "MTIzNDU2").mint(), WrongAudience, "with at_hash");
    let both = id_token.claim("aud", ["client-of-the-user", RESOURCE]).claim("at_hash", "MTIzNDU2");
    api.refuses(&both.mint(), WrongType, "for the client, and for us");
}

#[test]
fn clm_13_claims_that_access_tokens_do_not_carry() {
    let issuer = issuer([Algorithm::Es256]);
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    for profile in [Profile::Lenient, Profile::Rfc9068] {
        let api = Api::trusting([trusted(&issuer).profile(profile)]);
        api.accepts(&issuer.token().claim("nonce", "n").mint(), "nonce alone");
        for (claim, value) in [
            ("at_hash", json!("MTIzNDU2Nzg5MDEyMzQ1Ng")),
            ("c_hash", json!("MTIzNDU2Nzg5MDEyMzQ1Ng")),
            ("events", logout.clone()),
            ("at_hash", json!(null)),
            ("c_hash", json!("")),
            ("events", json!({})),
            ("events", json!([])),
        ] {
            let token = issuer.token().claim(claim, &value);
            api.refuses(&token.mint(), WrongType, format!("{claim}: {value}, {profile:?}"));
            let nested = issuer.token().claim("x", json!({claim: value}));
            api.accepts(&nested.mint(), format!("{claim} nested, {profile:?}"));
        }
    }
    let api = Api::trusting([trusted(&issuer)]);
    api.accepts(&id_token(&issuer, RESOURCE).mint(), "with nonce and no hash: some servers' access token");
}

#[test]
fn clm_14_neither_audience_nor_issuer() {
    let issuer = issuer([Algorithm::Es256]);
    let build = |resource: &str, issuer: Issuer| ResourceServer::builder(resource).trust(issuer).build();
    assert!(build(RESOURCE, trusted(&issuer)).is_ok());
    assert!(matches!(build("", trusted(&issuer)), Err(ConfigError::EmptyResource)));
    assert!(matches!(ResourceServer::builder(RESOURCE).build(), Err(ConfigError::NoIssuer)));
    let none: [&str; 0] = [];
    assert!(matches!(
        build(RESOURCE, trusted(&issuer).audiences(none)),
        Err(ConfigError::NoAudience { issuer }) if issuer == ISSUER
    ));
    assert!(matches!(build(RESOURCE, trusted(&issuer).audiences([""])), Err(ConfigError::EmptyAudience)));
    assert!(matches!(
        build(RESOURCE, trusted(&issuer).audiences(["a", ""])),
        Err(ConfigError::EmptyAudience)
    ));
}

#[test]
fn clm_14_any_audience_only_by_a_dangerous_call() {
    let (issuer, careful) = es256();
    let careless = Api::trusting([trusted(&issuer).dangerous().accept_any_audience()]);
    for token in [
        issuer.token().audience("another").mint(),
        issuer.token().claim("aud", ["a", "b"]).mint(),
        issuer.token().claim("aud", json!([])).mint(),
    ] {
        careful.refuses(&token, WrongAudience, "careful");
        careless.accepts(&token, "careless");
    }
    let missing = issuer.token().without("aud").mint();
    careful.refuses(&missing, InvalidClaim, "careful, missing");
    careless.accepts(&missing, "careless, missing");
    // It gives up the audience, and nothing else.
    for aud in [json!(5), json!(null), json!({}), json!(["a", 5])] {
        careless.refuses(&issuer.token().claim("aud", &aud).mint(), InvalidClaim, &aud);
    }
    careless.refuses(&issuer.token().expired().mint(), Expired, "careless, expired");
    careless.refuses(&issuer.token().forged().mint(), InvalidSignature, "careless, forged");
    careless.refuses(&issuer.token().issuer("x").mint(), UnknownIssuer, "careless, of another issuer");
}

/// Claims of an application.
#[derive(Debug, Deserialize)]
struct Own {
    tenant: Tenant,
}

#[derive(Debug, Deserialize)]
struct Tenant {
    number: u32,
}

fn typed<C: DeserializeOwned + Send + Sync + 'static>(
    api: &Api,
    token: &str,
) -> Result<AccessToken<C>, AuthErrorKind> {
    at_once(api.server.validate(&Presented::bearer(token))).map_err(|error| error.kind())
}

/// Values of `tenant` that are no `Tenant`. Each holds a text that no log may show.
fn wrong_tenants() -> Vec<Value> {
    let secret = "value-of-the-claim";
    vec![
        json!(secret),
        json!({ "number": secret }),
        json!({ "number": [secret] }),
        json!({ secret: 5 }),
        json!([secret, secret]),
        json!({"number": -1, "x": secret}),
        json!({"number": 4_294_967_296_u64, "x": secret}),
    ]
}

#[test]
fn clm_15_typed_claims_that_do_not_fit() {
    let (issuer, api) = es256();
    let good = issuer.token().claim("tenant", json!({"number": 7})).mint();
    assert_eq!(typed::<Own>(&api, &good).unwrap().claims().tenant.number, 7);
    let token = issuer.token().mint();
    assert_eq!(typed::<Own>(&api, &token).unwrap_err(), ClaimsMismatch, "missing");
    for tenant in wrong_tenants() {
        let token = issuer.token().claim("tenant", &tenant).mint();
        api.accepts(&token, "no type is asked for");
        assert_eq!(typed::<Own>(&api, &token).unwrap_err(), ClaimsMismatch, "{tenant}");
    }
    assert_eq!(ClaimsMismatch.label(), "claims_mismatch");
}

#[test]
fn clm_15_is_counted_in_health() {
    let (issuer, api) = es256();
    let count = || api.server.health().issuers()[0].claims_mismatches();
    let odd = issuer.token().claim("tenant", "odd");
    assert_eq!(count(), 0);
    assert_eq!(typed::<Own>(&api, &odd.clone().mint()).unwrap_err(), ClaimsMismatch);
    assert_eq!(count(), 1);
    let answer = send(&api.server.layer_for::<Own>(), &nothing(), &odd.clone().mint());
    assert_eq!((answer.status, count()), (StatusCode::UNAUTHORIZED, 2));
    // Bad tokens, and good ones that fit, do not count.
    let _refused = typed::<Own>(&api, &odd.forged().mint()).unwrap_err();
    let good = issuer.token().claim("tenant", json!({"number": 7})).mint();
    assert!(typed::<Own>(&api, &good).is_ok());
    assert_eq!(count(), 2);
}

#[test]
fn clm_15_what_was_not_verified_is_not_deserialized() {
    let (issuer, api) = es256();
    let odd = issuer.token().claim("tenant", "odd");
    let error = |token: TokenBuilder| typed::<Own>(&api, &token.mint()).unwrap_err();
    assert_eq!(error(odd.clone()), ClaimsMismatch);
    assert_eq!(error(odd.clone().forged()), InvalidSignature);
    assert_eq!(error(odd.clone().expired()), Expired);
    assert_eq!(error(odd.claim("cnf", json!({}))), AuthErrorKind::BindingNotProven);
}

/// What an HTTP client sees, and how often the service behind the layers was called.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    challenge: Option<String>,
    calls: usize,
}

/// Sends a request through the layer, and through one more behind it.
fn send<C, L>(layer: &BearerAuthLayer<C>, behind: &L, token: &str) -> Answer
where
    C: DeserializeOwned + Send + Sync + 'static,
    L: Layer<Counting>,
    L::Service: tower::Service<Request<()>, Response = Response<String>, Error = Infallible> + Clone,
{
    let counting = Counting::default();
    let service = layer.layer(behind.layer(counting.clone()));
    let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(()).unwrap();
    let response = at_once(service.oneshot(request)).unwrap();
    let challenge = response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
    Answer { status: response.status(), challenge, calls: counting.0.load(Ordering::Relaxed) }
}

/// Nothing behind the first layer.
fn nothing() -> tower::layer::util::Identity {
    tower::layer::util::Identity::new()
}

/// The protected service.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<AtomicUsize>);

impl tower::Service<Request<()>> for Counting {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(Response::new("protected".to_owned())))
    }
}

#[test]
fn clm_15_the_answer_is_401_and_never_500() {
    let (issuer, api) = es256();
    let layer = api.server.layer_for::<Own>();
    let good = issuer.token().claim("tenant", json!({"number": 7})).mint();
    let answer = send(&layer, &nothing(), &good);
    assert_eq!((answer.status, answer.challenge, answer.calls), (StatusCode::OK, None, 1));
    for tenant in wrong_tenants() {
        let answer = send(&layer, &nothing(), &issuer.token().claim("tenant", &tenant).mint());
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{tenant}");
        assert_eq!(answer.calls, 0, "{tenant}");
        let challenge = answer.challenge.unwrap();
        assert!(challenge.contains(r#"error="invalid_token""#), "{challenge}");
        assert!(!challenge.contains("value-of-the-claim"), "{challenge}");
    }
}

/// What is logged when a token's claims do not fit.
fn log_of_mismatch(tenant: &Value) -> String {
    let (issuer, api) = es256();
    let layer = api.server.layer_for::<Own>();
    let token = issuer.token().claim("tenant", tenant).mint();
    let (answer, log) = Log::during(|| send(&layer, &nothing(), &token));
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    log
}

#[test]
fn clm_15_the_log_says_so_without_a_value() {
    for tenant in wrong_tenants() {
        let log = log_of_mismatch(&tenant);
        let lines: Vec<_> = log.lines().filter(|line| line.contains("claims_mismatch")).collect();
        assert!(lines.len() == 1 && lines[0].contains("ERROR"), "{tenant}: {log}");
        assert!(!log.contains("value-of-the-claim"), "{tenant}: {log}");
        assert!(!log.contains("4294967296"), "{tenant}: {log}");
    }
}

#[test]
fn clm_15_the_log_names_the_field_and_the_expected_type() {
    let log = log_of_mismatch(&json!({"number": "value-of-the-claim"}));
    let line = log.lines().find(|line| line.contains("ERROR")).unwrap();
    assert!(line.contains("tenant.number"), "the path of the field: {line}");
    assert!(line.contains("u32"), "the expected type: {line}");
}

/// A type of an application that says which value it does not like, as many do.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Colour;

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Err(format!("{text} is no colour, see {text}"))
    }
}

#[derive(Debug, Deserialize)]
enum Plan {
    Free,
    Paid,
}

/// All that is logged, and all that the error shows, when claims of this type are asked for.
fn shown<C: DeserializeOwned + Send + Sync + 'static>(claim: &str, value: impl Into<Value>) -> String {
    let (issuer, api) = es256();
    let layer = api.server.layer_for::<C>();
    let token = issuer.token().claim(claim, value.into()).mint();
    let (answer, log) = Log::during(|| send(&layer, &nothing(), &token));
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(log.contains("claims_mismatch"), "{log}");
    let verdict: Result<AccessToken<C>, _> = at_once(api.server.validate(&Presented::bearer(&token)));
    let error = verdict.unwrap_err();
    let cause = error.source().unwrap();
    format!("{log} {error} {error:?} {cause} {cause:?}")
}

#[test]
fn clm_15_a_value_that_looks_like_a_message_of_serde_is_not_shown() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "deserializing it is the point")]
    struct Painted {
        colour: Colour,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "deserializing it is the point")]
    struct Numbered {
        colour: u32,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "deserializing it is the point")]
    struct Planned {
        colour: Plan,
    }
    for value in [
        "value-of-the-claim",
        "red, expected value-of-the-claim",
        "missing field `value-of-the-claim`",
        "value-of-the-claim at line 1 column 1",
        "x at line value-of-the-claim",
        "`, expected `value-of-the-claim` at line 1",
    ] {
        for shown in [
            shown::<Painted>("colour", value),
            shown::<Numbered>("colour", value),
            shown::<Planned>("colour", value),
        ] {
            assert!(!shown.contains("value-of-the-claim"), "{value}: {shown}");
        }
    }
}

#[test]
fn clm_15_names_inside_of_a_claim_that_is_a_map_are_not_shown() {
    // Where the application expects a map, its keys are data of the token: here, whose quota it is.
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "deserializing it is the point")]
    struct Quotas {
        quota: std::collections::HashMap<String, u32>,
    }
    for value in [json!({"user@value-of-the-claim.example": "x"}), json!({"a\nERROR value-of-the-claim": -1})]
    {
        let shown = shown::<Quotas>("quota", value);
        assert!(shown.contains("quota"), "the claim itself is named: {shown}");
        assert!(!shown.contains("value-of-the-claim"), "{shown}");
    }
}

#[test]
fn clm_15_the_log_is_not_flooded() {
    let (issuer, api) = es256();
    let layer = api.server.layer_for::<Own>();
    let token = issuer.token().claim("tenant", 5).mint();
    let ((), log) = Log::during(|| {
        for _ in 0..100 {
            assert_eq!(send(&layer, &nothing(), &token).status, StatusCode::UNAUTHORIZED);
        }
    });
    // The clock stands still: all of this is within the ten seconds of OPS-09.
    let errors = log.lines().filter(|line| line.contains("ERROR")).count();
    assert_eq!(errors, 1, "one line for a hundred tokens");
}

/// Sends a token to a route with this requirement.
fn ask(api: &Api, requirement: &Requirement, token: &TokenBuilder) -> Answer {
    send(&api.server.layer(), &api.server.require(requirement.clone()), &token.mint())
}

#[track_caller]
fn admitted(api: &Api, requirement: &Requirement, token: &TokenBuilder) {
    let answer = ask(api, requirement, token);
    assert_eq!((answer.status, answer.calls), (StatusCode::OK, 1), "{}", token.payload_json());
    assert_eq!(answer.challenge, None);
}

/// Refused with 403, and with the wanted scopes.
#[track_caller]
fn lacking(api: &Api, requirement: &Requirement, scope: &str, token: &TokenBuilder) {
    let answer = ask(api, requirement, token);
    assert_eq!((answer.status, answer.calls), (StatusCode::FORBIDDEN, 0), "{}", token.payload_json());
    let challenge = answer.challenge.unwrap();
    let wanted = format!(
        r#"Bearer realm="{RESOURCE}", scope="{scope}", error="insufficient_scope", error_description="a required scope is missing""#
    );
    assert_eq!(challenge, wanted, "{}", token.payload_json());
    api.accepts(&token.mint(), "the token itself is good");
}

#[test]
fn scp_01_a_required_scope_is_missing() {
    let (issuer, api) = es256();
    let read = Requirement::scopes(scopes!["read:orders"]);
    for scope in [
        "read:orders",
        "read:orders write:orders",
        "write:orders read:orders",
        "a read:orders b",
        "a  read:orders",
        " read:orders ",
    ] {
        admitted(&api, &read, &issuer.token().scope(scope));
    }
    lacking(&api, &read, "read:orders", &issuer.token());
    for scope in [
        "",
        " ",
        "write:orders",
        "read",
        "read:order",
        "read:orders:all",
        "xread:orders",
        "read:*",
        "*",
        "READ:ORDERS",
        "Read:orders",
        "read:orders,write:orders",
        "write:orders,read:orders",
        "read:orders\twrite:orders",
        "write:orders\tread:orders",
        "\tread:orders",
        "read:orders\nwrite:orders",
        "read:orders\u{a0}write:orders",
        "\u{a0}read:orders",
        "read:orders\u{2003}write:orders",
        "read:orders\0",
        "\"read:orders\"",
        "read:orderѕ",
        "read: orders",
        "read%3Aorders",
        "read:orders+write:orders",
    ] {
        lacking(&api, &read, "read:orders", &issuer.token().scope(scope));
    }
}

#[test]
fn scp_01_several_required_scopes() {
    let (issuer, api) = es256();
    let both = Requirement::scopes(scopes!["read", "write"]);
    let either = Requirement::any_of([scopes!["read", "list"], scopes!["admin"]]);
    for scope in ["read write", "write read", "x write y read"] {
        admitted(&api, &both, &issuer.token().scope(scope));
    }
    for scope in ["read", "write", "readwrite", "read,write", ""] {
        lacking(&api, &both, "read write", &issuer.token().scope(scope));
    }
    for scope in ["read list", "admin", "admin read"] {
        admitted(&api, &either, &issuer.token().scope(scope));
    }
    for scope in ["read", "list", "administrator", ""] {
        lacking(&api, &either, "read list", &issuer.token().scope(scope));
    }
}

#[test]
fn scp_02_scopes_in_other_places_and_forms() {
    let (issuer, api) = es256();
    let read = Requirement::scopes(scopes!["read"]);
    for claim in ["scope", "scp"] {
        for value in [json!("read"), json!("a read"), json!(["read"]), json!(["a", "read"])] {
            admitted(&api, &read, &issuer.token().claim(claim, value));
        }
        // The entries of an array are words; they are not split.
        for value in [
            json!(["read write"]),
            json!(["a", "write read"]),
            json!([" read"]),
            json!(["read "]),
            json!(["read,write"]),
            json!(["READ"]),
            json!([""]),
            json!([]),
            json!(""),
        ] {
            lacking(&api, &read, "read", &issuer.token().claim(claim, value));
        }
    }
    for claim in ["scopes", "Scope", "SCP", "permissions"] {
        lacking(&api, &read, "read", &issuer.token().claim(claim, "read"));
    }
    lacking(&api, &read, "read", &issuer.token().claim("x", json!({"scope": "read"})));
    let token = issuer.token().claim("scope", ["a", "b c", "d"]).mint();
    assert_eq!(api.verdict(&token).unwrap().scopes().collect::<Vec<_>>(), ["a", "d"]);
}

#[test]
fn scp_03_scope_of_another_type() {
    let (issuer, api) = es256();
    let read = Requirement::scopes(scopes!["read"]);
    for claim in ["scope", "scp"] {
        admitted(&api, &read, &issuer.token().claim(claim, "read"));
        for value in [
            json!(null),
            json!(5),
            json!(true),
            json!({}),
            json!({"read": true}),
            json!({"scope": "read"}),
            json!([["read"]]),
            json!(["read", 5]),
            json!([null, "read"]),
            json!(["read", {"x": 1}]),
        ] {
            let token = issuer.token().claim(claim, &value);
            let answer = ask(&api, &read, &token);
            assert_eq!((answer.status, answer.calls), (StatusCode::UNAUTHORIZED, 0), "{claim}: {value}");
            api.refuses(&token.mint(), InvalidClaim, format!("{claim}: {value}"));
        }
        // A good one beside it changes nothing.
        let other = if claim == "scope" { "scp" } else { "scope" };
        let token = issuer.token().claim(claim, 5).claim(other, "read");
        assert_eq!(ask(&api, &read, &token).status, StatusCode::UNAUTHORIZED, "{claim}");
    }
}

#[test]
fn scp_04_a_bad_token_is_a_bad_token_first() {
    let (issuer, api) = es256();
    let read = Requirement::scopes(scopes!["read"]);
    admitted(&api, &read, &issuer.token().scope("read"));
    for scope in ["read", "other"] {
        let token = issuer.token().scope(scope);
        for (what, token) in [
            ("expired", token.clone().expired()),
            ("forged", token.clone().forged()),
            ("for another audience", token.clone().audience("x")),
            ("of another issuer", token.clone().issuer("x")),
            ("bound", token.clone().claim("cnf", json!({"jkt": "x"}))),
        ] {
            let answer = ask(&api, &read, &token);
            assert_eq!((answer.status, answer.calls), (StatusCode::UNAUTHORIZED, 0), "{what}, {scope}");
            let challenge = answer.challenge.unwrap();
            assert!(challenge.contains(r#"error="invalid_token""#), "{what}, {scope}: {challenge}");
        }
    }
    lacking(&api, &read, "read", &issuer.token().scope("other"));
}

#[test]
fn scp_05_each_route_asks_for_itself() {
    let (issuer, api) = es256();
    let orders = Requirement::scopes(scopes!["orders"]);
    let users = Requirement::scopes(scopes!["users"]);
    let nothing_more = Requirement::default();
    let (token, admin) = (issuer.token().scope("orders"), issuer.token().scope("orders users"));
    for _ in 0..3 {
        admitted(&api, &orders, &token);
        lacking(&api, &users, "users", &token);
        admitted(&api, &nothing_more, &token);
        admitted(&api, &orders, &admin);
        admitted(&api, &users, &admin);
    }
}

#[test]
fn scp_05_the_claims_that_a_route_asks_for() {
    let (issuer, api) = es256();
    let strong = Requirement::default().acr(["gold", "silver"]);
    let fresh = Requirement::default().max_age(Duration::from_secs(300));
    let token = issuer.token().claim("acr", "gold").claim("auth_time", NOW - 300);
    let weak = issuer.token().claim("acr", "bronze").claim("auth_time", NOW - 301);
    for _ in 0..3 {
        for requirement in [&strong, &fresh] {
            admitted(&api, requirement, &token);
            for token in [&weak, &issuer.token()] {
                let answer = ask(&api, requirement, token);
                assert_eq!((answer.status, answer.calls), (StatusCode::UNAUTHORIZED, 0));
                let challenge = answer.challenge.unwrap();
                assert!(challenge.contains(r#"error="insufficient_user_authentication""#), "{challenge}");
            }
        }
        admitted(&api, &Requirement::default(), &weak);
    }
    for acr in [json!(null), json!(5), json!(["gold"])] {
        api.refuses(&issuer.token().claim("acr", &acr).mint(), InvalidClaim, format!("acr: {acr}"));
    }
    for time in [json!(null), json!("1800000000"), json!(-1), json!([NOW])] {
        let token = issuer.token().claim("auth_time", &time).mint();
        api.refuses(&token, InvalidClaim, format!("auth_time: {time}"));
    }
}

#[test]
fn scp_05_a_requirement_does_not_stand_without_its_layer() {
    let (issuer, api) = es256();
    let other = Api::trusting([trusted(&issuer)]);
    let token = issuer.token().scope("read").mint();
    let require = |api: &Api| api.server.require(scopes!["read"]);
    assert_eq!(send(&api.server.layer(), &require(&api), &token).status, StatusCode::OK);
    let answer = send(&other.server.layer(), &require(&api), &token);
    assert_eq!(
        (answer.status, answer.calls),
        (StatusCode::INTERNAL_SERVER_ERROR, 0),
        "another server's layer"
    );
    let counting = Counting::default();
    let request = Request::get("/").header("authorization", format!("Bearer {token}")).body(()).unwrap();
    let response = at_once(require(&api).layer(counting.clone()).oneshot(request)).unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "no layer");
    assert_eq!(counting.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_handler_reads_what_the_token_says() {
    let (issuer, api) = es256();
    let token = issuer
        .token()
        .subject("subject-1")
        .client_id("client-1")
        .scope("read write")
        .claim("aud", [RESOURCE, "other"])
        .claim("jti", "id-1")
        .claim("exp", NOW + 100)
        .claim("nbf", NOW - 100)
        .claim("iat", NOW - 50)
        .claim("auth_time", NOW - 60)
        .claim("acr", "gold")
        .claim("email", "e@example.com");
    let accepted = api.verdict(&token.mint()).unwrap();
    let claims = accepted.claims();
    let at = |seconds: i64| Some(UnixTime::from_secs(seconds));
    assert_eq!((accepted.issuer(), claims.issuer()), (ISSUER, ISSUER));
    assert_eq!((accepted.subject(), claims.subject()), (Some("subject-1"), Some("subject-1")));
    assert_eq!((accepted.client_id(), claims.client_id()), (Some("client-1"), Some("client-1")));
    assert_eq!(accepted.audience().collect::<Vec<_>>(), [RESOURCE, "other"]);
    assert_eq!(claims.audience().collect::<Vec<_>>(), [RESOURCE, "other"]);
    assert_eq!(accepted.scopes().collect::<Vec<_>>(), ["read", "write"]);
    assert_eq!(claims.scopes().collect::<Vec<_>>(), ["read", "write"]);
    assert!(accepted.has_scope("read") && !accepted.has_scope("rea") && !accepted.has_scope("read write"));
    assert_eq!(accepted.token_id(), Some("id-1"));
    assert_eq!(
        (accepted.expires_at(), accepted.not_before(), accepted.issued_at()),
        (at(NOW + 100), at(NOW - 100), at(NOW - 50))
    );
    assert_eq!(claims.get::<String>("email").unwrap().as_deref(), Some("e@example.com"));
    assert_eq!(claims.get::<String>("phone").unwrap(), None);
    assert!(claims.get::<u64>("email").is_err());
    let object: Value = serde_json::from_str(claims.as_json()).unwrap();
    assert_eq!(object["acr"], "gold");
    // Made of JSON by hand, they say the same, and still nothing says that they are true.
    let by_hand: bearergate::Claims = serde_json::from_str(claims.as_json()).unwrap();
    assert_eq!((by_hand.subject(), by_hand.as_json()), (claims.subject(), claims.as_json()));
    assert!(serde_json::from_str::<bearergate::Claims>(r#"{"sub":"a","sub":"b"}"#).is_err());
    assert!(format!("{claims:?}").starts_with("Claims"));

    let bare = token.without("nbf").without("iat").without("jti").without("sub").without("client_id");
    let accepted = api.verdict(&bare.without("scope").mint()).unwrap();
    let claims = accepted.claims();
    assert_eq!((accepted.not_before(), accepted.issued_at(), accepted.token_id()), (None, None, None));
    assert_eq!((claims.subject(), claims.client_id()), (None, None));
    assert_eq!(claims.scopes().count(), 0);
}
