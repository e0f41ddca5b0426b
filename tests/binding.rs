//! A token that is bound to a key is no bearer token, whatever the binding looks like (threats BND-01 to BND-04).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bearergate::{
    AccessToken, Algorithm,
    AuthErrorKind::{BindingNotProven, Expired, InvalidSignature, MalformedToken, WrongAudience},
    Presented, Profile,
};
use common::{Api, at_once, encode, es256, issuer, jwk, trusted};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header::AUTHORIZATION};
use serde_json::{Value, json};
use tower::{Layer as _, ServiceExt as _};

/// A JWK thumbprint, or a certificate's: 32 octets.
const THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

#[track_caller]
fn refused(cnf: &Value) {
    let issuer = issuer([Algorithm::Es256]);
    for profile in [Profile::Lenient, Profile::Rfc9068] {
        let api = Api::trusting([trusted(&issuer).profile(profile)]);
        api.accepts(&issuer.token().mint(), "unbound");
        api.refuses(&issuer.token().claim("cnf", cnf).mint(), BindingNotProven, format!("{cnf} {profile:?}"));
    }
    let api = Api::trusting([trusted(&issuer).dangerous().accept_any_audience()]);
    api.refuses(&issuer.token().claim("cnf", cnf).mint(), BindingNotProven, format!("{cnf}, any audience"));
}

#[test]
fn bnd_01_bound_to_a_proof_key() {
    refused(&json!({ "jkt": THUMBPRINT }));
}

/// Sends the token with more header fields; gives the status, and how often the protected service was called.
fn send(api: &Api, token: &str, scheme: &str, fields: &HeaderMap) -> (StatusCode, usize) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let inner = tower::service_fn(move |_: Request<()>| {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
    });
    let mut request = Request::get("https://api.example.com/orders").body(()).unwrap();
    request.headers_mut().extend(fields.clone());
    request.headers_mut().insert(AUTHORIZATION, HeaderValue::try_from(format!("{scheme} {token}")).unwrap());
    let response = at_once(api.server.layer().layer(inner).oneshot(request)).unwrap();
    (response.status(), calls.load(Ordering::Relaxed))
}

#[test]
fn bnd_01_a_proof_beside_a_bearer_token_changes_nothing() {
    let (issuer, api) = es256();
    let key = jwk(&issuer, Algorithm::Es256);
    let proof = issuer
        .token()
        .header_text(json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key}).to_string())
        .payload_text(
            json!({"jti": "1", "htm": "GET", "htu": "https://api.example.com/orders", "iat": common::NOW})
                .to_string(),
        )
        .mint();
    let mut with_proof = HeaderMap::new();
    with_proof.insert("dpop", HeaderValue::try_from(proof).unwrap());
    let bound = issuer.token().claim("cnf", json!({ "jkt": THUMBPRINT })).mint();
    let unbound = issuer.token().mint();
    for fields in [HeaderMap::new(), with_proof] {
        assert_eq!(send(&api, &unbound, "Bearer", &fields), (StatusCode::OK, 1));
        assert_eq!(send(&api, &bound, "Bearer", &fields), (StatusCode::UNAUTHORIZED, 0));
        // Another scheme is no bearer token at all.
        assert_eq!(send(&api, &bound, "DPoP", &fields), (StatusCode::UNAUTHORIZED, 0));
    }
}

#[test]
fn bnd_02_a_malformed_binding_is_not_unbound() {
    for cnf in [
        json!(null),
        json!({}),
        json!([]),
        json!(""),
        json!("jkt"),
        json!(THUMBPRINT),
        json!(0),
        json!(5),
        json!(false),
        json!(true),
        json!([{ "jkt": THUMBPRINT }]),
        json!({ "jkt": null }),
        json!({ "jkt": "" }),
        json!({ "jkt": 5 }),
        json!({ "jkt": [THUMBPRINT] }),
        json!({ "jkt": { "x": 1 } }),
        json!({ "JKT": THUMBPRINT }),
        json!({ "x5t#S256": null }),
        json!({ "x5t#S256": [THUMBPRINT] }),
        json!({ "x5t": "AAAAAAAAAAAAAAAAAAAAAAAAAAA" }),
        json!({ "unknown": "method" }),
        json!({ "": "" }),
    ] {
        refused(&cnf);
    }
}

#[test]
fn bnd_02_only_methods_that_nobody_here_can_check() {
    let key = jwk(&issuer([Algorithm::Es256]), Algorithm::Es256);
    for cnf in [
        json!({ "jwk": key }),
        json!({ "jwe": "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkExMjhHQ00ifQ.AA.AA.AA.AA" }),
        json!({ "kid": "dfd1aa97-6d8d-4575-a0fe-34b96de2bfad" }),
        json!({ "jku": "https://keys.example.net/pop-keys.json", "kid": "2015-08-28" }),
        json!({ "osc": { "kid": "AQ" } }),
        json!({ "did": "did:example:123" }),
    ] {
        refused(&cnf);
    }
}

#[test]
fn bnd_02_the_claim_is_found_wherever_it_stands() {
    let (issuer, api) = es256();
    let token = issuer.token();
    let payload = token.payload_json();
    api.accepts(&token.mint(), "unbound");
    for member in [r#""cnf":null"#, r#""\u0063nf":{}"#, r#""c\u006ef" : "x""#] {
        let first = payload.replacen('{', &format!("{{{member},"), 1);
        let last = format!("{},{member}}}", &payload[..payload.len() - 1]);
        for payload in [first, last] {
            api.refuses(&token.clone().payload_text(payload.as_str()).mint(), BindingNotProven, payload);
        }
    }
    let twice = payload.replacen('{', r#"{"cnf":{},"cnf":{},"#, 1);
    api.refuses(&token.clone().payload_text(twice).mint(), MalformedToken, "twice");
    // What only looks like it binds nothing.
    for (name, value) in [
        ("Cnf", json!({ "jkt": THUMBPRINT })),
        ("CNF", json!({ "jkt": THUMBPRINT })),
        ("cnf ", json!({ "jkt": THUMBPRINT })),
        ("cnf#", json!(null)),
        ("jkt", json!(THUMBPRINT)),
        ("act", json!({ "cnf": { "jkt": THUMBPRINT } })),
    ] {
        api.accepts(&token.clone().claim(name, &value).mint(), format!("{name}: {value}"));
    }
    api.accepts(&token.header("cnf", json!({ "jkt": THUMBPRINT })).mint(), "in the header");
}

#[test]
fn bnd_03_two_methods() {
    for cnf in [
        json!({ "jkt": THUMBPRINT, "x5t#S256": THUMBPRINT }),
        json!({ "jkt": THUMBPRINT, "kid": "k" }),
        json!({ "x5t#S256": THUMBPRINT, "unknown": 1 }),
    ] {
        refused(&cnf);
    }
}

#[test]
fn bnd_04_no_feature_proves_a_binding() {
    let (issuer, api) = es256();
    let certificate = b"the certificate of the connection";
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate);
    let fitting = encode(digest);
    let (method, uri) = (Method::GET, Uri::from_static("https://api.example.com/orders"));
    let verdict = |token: &str| {
        let presented = Presented::bearer(token).with_request(&method, &uri).with_certificate(certificate);
        let verdict: Result<AccessToken, _> = at_once(api.server.validate(&presented));
        verdict.map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(verdict(&issuer.token().mint()), Ok(()));
    for thumbprint in [fitting.as_str(), THUMBPRINT] {
        refused(&json!({ "x5t#S256": thumbprint }));
        let bound = issuer.token().claim("cnf", json!({ "x5t#S256": thumbprint })).mint();
        assert_eq!(verdict(&bound), Err(BindingNotProven), "{thumbprint}");
    }
}

#[test]
fn bnd_04_other_faults_are_told_first() {
    let (issuer, api) = es256();
    let bound = issuer.token().claim("cnf", json!({ "jkt": THUMBPRINT }));
    api.refuses(&bound.mint(), BindingNotProven, "bound");
    api.refuses(&bound.clone().forged().mint(), InvalidSignature, "forged: nothing in it counts");
    api.refuses(&bound.clone().expired().mint(), Expired, "expired");
    api.refuses(&bound.audience("x").mint(), WrongAudience, "for another audience");
}
