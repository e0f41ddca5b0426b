//! The embedded issuer takes a client for the one that it is by what it proves, and for nobody otherwise.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use bearergate::{
    Algorithm, AuthErrorKind as Kind, Claims, ClientAuth, Fetch as _, FetchRequest, PostContent, Presented,
    ResourceServer, scopes,
    testing::{TestClock, TestIssuer, TokenBuilder},
};
use http::StatusCode;
use serde_json::{Value, json};

const URL: &str = "https://as.example";
const SECRET: &str = "rs-secretjwt-secret-of-32-octets";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What makes assertions: its key is the client's.
fn client(clock: &TestClock) -> TestIssuer {
    TestIssuer::builder().clock(clock.clone()).offline("rs-key")
}

fn jwk(client: &TestIssuer) -> String {
    let jwks: Value = serde_json::from_str(&client.jwks()).unwrap();
    jwks["keys"][0].to_string()
}

fn issuer(clock: &TestClock, jwk: &str) -> TestIssuer {
    TestIssuer::builder()
        .default_audience("https://api.example.com")
        .clock(clock.clone())
        .client("rs", SECRET, scopes!["read"])
        .client_with_key("rs-key", jwk, scopes!["read"])
        .offline(URL)
}

/// What the introspection endpoint says to who sends this form.
async fn status(issuer: &TestIssuer, basic: Option<&'static str>, form: &[(&str, &str)]) -> StatusCode {
    let form = url::form_urlencoded::Serializer::new("token=t".to_owned()).extend_pairs(form).finish();
    let url = format!("{URL}/introspect").parse().unwrap();
    let request = FetchRequest::get(url, "application/json", 4096)
        .authorized(basic.map(http::HeaderValue::from_static))
        .posting(PostContent::form(form));
    issuer.fetch().fetch(request).await.unwrap().status
}

#[tokio::test(start_paused = true)]
async fn each_method_proves_who_asks() {
    // Both halves are printed in RFC 8410 §10.1 and §10.3.
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----";
    let public =
        r#"{"kty":"OKP","crv":"Ed25519","kid":"k","x":"Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE"}"#;
    let key = || ClientAuth::private_key_jwt("rs-key", pem);
    let secret = |secret: &str| ClientAuth::client_secret_jwt("rs", secret);
    for (auth, expected) in [
        (ClientAuth::basic("rs", SECRET), Ok(())),
        (ClientAuth::post("rs", SECRET), Ok(())),
        (secret(SECRET), Ok(())),
        (secret(SECRET).assertion_audience("https://as.example/token"), Ok(())),
        (key(), Ok(())),
        (key().key_id("k"), Ok(())),
        (key().assertion_algorithm(Algorithm::Ed25519), Ok(())),
        (key().assertion_audience("https://as.example/introspect"), Ok(())),
        (ClientAuth::basic("rs", "other"), Err(Kind::IntrospectionCredentialsRefused)),
        (secret("another-secret-that-has-32-octets"), Err(Kind::IntrospectionCredentialsRefused)),
        (
            secret(SECRET).assertion_audience("https://other.example"),
            Err(Kind::IntrospectionCredentialsRefused),
        ),
        (key().key_id("other"), Err(Kind::IntrospectionCredentialsRefused)),
        (key().assertion_audience("https://as.example/tokens"), Err(Kind::IntrospectionCredentialsRefused)),
        (ClientAuth::private_key_jwt("rs", pem), Err(Kind::IntrospectionCredentialsRefused)),
        (ClientAuth::client_secret_jwt("rs-key", SECRET), Err(Kind::IntrospectionCredentialsRefused)),
        (ClientAuth::mutual_tls("rs"), Err(Kind::IntrospectionCredentialsRefused)),
        (ClientAuth::none(), Err(Kind::IntrospectionCredentialsRefused)),
    ] {
        let clock = TestClock::new();
        let issuer = issuer(&clock, public);
        let printed = format!("{auth:?}");
        let api = ResourceServer::builder("https://api.example.com")
            .trust(issuer.introspected(auth))
            .http_client(issuer.fetch())
            .clock(clock)
            .build()
            .unwrap();
        let token = issuer.opaque_token().mint();
        let verdict = api.validate::<Claims>(&Presented::bearer(&token)).await;
        assert_eq!(verdict.map(drop).map_err(|error| error.kind()), expected, "{printed}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_assertion_with_one_fault_proves_nothing() {
    let clock = TestClock::new();
    let client = client(&clock);
    let issuer = issuer(&clock, &jwk(&client));
    let good = || client.token().issuer("rs-key").subject("rs-key").audience(URL);
    let ask = async |assertion: &TokenBuilder| {
        let assertion = assertion.mint();
        status(&issuer, None, &[("client_assertion_type", TYPE), ("client_assertion", &assertion)]).await
    };
    for neighbour in [good(), good().claim("aud", json!(["https://x.example", URL])), good().without("iat")] {
        assert_eq!(ask(&neighbour).await, StatusCode::OK, "{}", neighbour.payload_json());
    }
    for bad in [
        good().forged(),
        good().expired(),
        good().without("exp"),
        good().without("jti"),
        good().without("aud"),
        good().without("iss"),
        good().without("sub"),
        good().header("crit", json!(["x"])),
        good().claim("nbf", i64::from(u32::MAX)),
        good().claim("nbf", "yesterday"),
        good().issuer("rs"),
        good().subject("rs"),
        good().issuer("nobody").subject("nobody"),
        good().issuer("rs").subject("rs"),
        good().audience("https://x.example"),
        good().audience(format!("{URL}.example")),
        good().header("kid", "other"),
        good().header("alg", "none"),
        good().header("alg", "HS256"),
        good().header("alg", "ES384"),
        good().header_text("{"),
        good().payload_text("{"),
    ] {
        let (header, payload) = (bad.header_json(), bad.payload_json());
        assert_eq!(ask(&bad).await, StatusCode::UNAUTHORIZED, "{header} {payload}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_uses_one_method_and_one_name() {
    let clock = TestClock::new();
    let client = client(&clock);
    let issuer = issuer(&clock, &jwk(&client));
    let assertion = client.token().issuer("rs-key").subject("rs-key").audience(URL).mint();
    let signed = [("client_assertion_type", TYPE), ("client_assertion", &*assertion)];
    let shown = [("client_id", "rs"), ("client_secret", SECRET)];
    // rs:rs-secretjwt-secret-of-32-octets
    let basic = Some("Basic cnM6cnMtc2VjcmV0and0LXNlY3JldC1vZi0zMi1vY3RldHM=");
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&str, &str)> {
        signed.iter().chain(more).copied().collect()
    };
    for (field, form, expected) in [
        (basic, vec![], StatusCode::OK),
        (None, shown.to_vec(), StatusCode::OK),
        (None, signed.to_vec(), StatusCode::OK),
        (None, with(&[("client_id", "rs-key")]), StatusCode::OK),
        (None, with(&[("client_id", "rs")]), StatusCode::UNAUTHORIZED),
        (None, with(&shown), StatusCode::UNAUTHORIZED),
        (basic, shown.to_vec(), StatusCode::UNAUTHORIZED),
        (basic, signed.to_vec(), StatusCode::UNAUTHORIZED),
        (None, vec![signed[1]], StatusCode::UNAUTHORIZED),
        (None, vec![("client_assertion_type", "other"), signed[1]], StatusCode::UNAUTHORIZED),
        (None, vec![("client_id", "rs-key"), ("client_secret", "")], StatusCode::UNAUTHORIZED),
        (None, vec![], StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(status(&issuer, field, &form).await, expected, "{field:?} {form:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_metadata_names_the_methods() {
    let clock = TestClock::new();
    let issuer = issuer(&clock, &jwk(&client(&clock)));
    let url = format!("{URL}/.well-known/oauth-authorization-server").parse().unwrap();
    let answer = issuer.fetch().fetch(FetchRequest::get(url, "application/json", 1 << 16)).await.unwrap();
    let metadata: Value = serde_json::from_slice(&answer.body).unwrap();
    // A client without credentials gets tokens, and no answers about those of others.
    for (endpoint, none) in [("token", Some("none")), ("introspection", None)] {
        let listed = |what: &str| metadata[format!("{endpoint}_endpoint_auth_{what}")].clone();
        let methods = ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"];
        let methods: Vec<_> = methods.into_iter().chain(none).collect();
        assert_eq!(listed("methods_supported"), json!(methods));
        let algorithms = listed("signing_alg_values_supported");
        let names: Vec<_> =
            algorithms.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert!(
            names.contains(&"HS256") && names.contains(&"ES256") && !names.contains(&"none"),
            "{names:?}"
        );
    }
}

#[test]
fn a_key_that_verifies_nothing_is_refused() {
    for jwk in ["", "{", "[]", r#"{"kty":"oct","k":"AAAA"}"#, r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#] {
        let register = || TestIssuer::builder().client_with_key("rs", jwk, scopes!["read"]);
        assert!(std::panic::catch_unwind(register).is_err(), "{jwk}");
    }
    let builder = TestIssuer::builder().client("rs", "canary", scopes!["read"]);
    assert!(!format!("{builder:?}").contains("canary"));
}
