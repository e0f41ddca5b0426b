//! RFC 6750, bearer tokens: one test for each thing that it asks of a resource server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{convert::Infallible, time::Duration};

use bearergate::{
    AccessToken, AuthErrorKind, ErrorCode, Issuer, Requirement, ResourceServer, Scopes, scopes,
    testing::{Challenge, TestIssuer, assert_refused},
};
use http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION};
use tower::{Layer as _, ServiceExt as _, service_fn};

const RESOURCE: &str = "https://api.example.com";

const INVALID_REQUEST: Option<ErrorCode> = Some(ErrorCode::InvalidRequest);
const INVALID_TOKEN: Option<ErrorCode> = Some(ErrorCode::InvalidToken);

fn scene() -> (TestIssuer, ResourceServer) {
    let issuer = TestIssuer::builder().default_audience(RESOURCE).offline("https://as.example");
    let api = ResourceServer::builder(RESOURCE).trust(Issuer::jwks(issuer.url(), issuer.jwks()));
    (issuer, api.build().unwrap())
}

fn with_fields(fields: &[&str]) -> Request<String> {
    let mut request = Request::new(String::new());
    for field in fields {
        request.headers_mut().append(AUTHORIZATION, HeaderValue::from_bytes(field.as_bytes()).unwrap());
    }
    request
}

/// What a request gets from a service that needs nothing but a good token.
async fn send(api: &ResourceServer, request: Request<String>) -> Response<String> {
    let inner = service_fn(async |request: Request<String>| {
        let token = request.extensions().get::<AccessToken>();
        let subject = token.and_then(|token| token.subject()).unwrap_or("anonymous").to_owned();
        let stored = Response::builder().header("cache-control", "public, max-age=60").body(subject);
        Ok::<_, Infallible>(stored.unwrap())
    });
    api.layer().layer(inner).oneshot(request).await.unwrap()
}

#[tokio::test]
async fn htp_03_section_2_1_the_scheme_is_case_insensitive_and_one_or_more_spaces_follow() {
    let (issuer, api) = scene();
    let token = issuer.token().mint();
    for scheme in ["Bearer", "bearer", "BEARER", "bEARER"] {
        for spaces in [" ", "  ", "     "] {
            let accepted = send(&api, with_fields(&[&format!("{scheme}{spaces}{token}")])).await;
            assert_eq!(accepted.body(), "test-user", "{scheme}{spaces}");
        }
    }
    // The neighbours: no space, another separator, another scheme.
    for (field, code) in [
        (format!("Bearer{token}"), None),
        (format!("Bearer:{token}"), INVALID_TOKEN),
        (format!("Bearer\t{token}"), INVALID_TOKEN),
        (format!("Token {token}"), None),
        (format!("DPoP {token}"), None),
    ] {
        assert_refused(&send(&api, with_fields(&[&field])).await, StatusCode::UNAUTHORIZED, code);
    }
}

/// What follows the scheme is the token: a token68 (RFC 9110 §11.4), or else a bad one. Nothing at all is a malformed request.
#[tokio::test]
async fn htp_02_section_2_1_what_is_no_token68_is_a_bad_token() {
    let (issuer, api) = scene();
    let token = issuer.token().mint();
    for field in [
        format!("Bearer {token} {token}"),
        format!("Bearer {token},"),
        format!("Bearer {token}, realm=\"x\""),
        format!("Bearer \"{token}\""),
        format!("Bearer {token}\u{e9}"),
        format!("Bearer {token}="),
        "Bearer x".into(),
    ] {
        let refused = send(&api, with_fields(&[&field])).await;
        assert_refused(&refused, StatusCode::UNAUTHORIZED, INVALID_TOKEN);
    }
    for field in ["Bearer", "Bearer ", "bearer   "] {
        let refused = send(&api, with_fields(&[field])).await;
        let challenge = assert_refused(&refused, StatusCode::BAD_REQUEST, INVALID_REQUEST);
        assert_eq!(challenge.error_description(), Some("the bearer token is empty"), "{field:?}");
    }
}

/// OAuth 2.1 §5 and MCP forbid both, and RFC 6750 leaves them to choice.
#[tokio::test]
async fn htp_05_sections_2_2_and_2_3_tokens_in_form_and_query_and_elsewhere_are_ignored() {
    let (issuer, api) = scene();
    let (good, bad) = (issuer.token().mint(), issuer.token().expired().mint());
    let request = |query: &str, form: &str| {
        let request = Request::post(format!("/?access_token={query}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let mut request = request.body(format!("access_token={form}")).unwrap();
        for name in ["x-access-token", "proxy-authorization", "cookie"] {
            let field = HeaderValue::try_from(format!("Bearer {query}")).unwrap();
            request.headers_mut().insert(name, field);
        }
        request
    };
    // Nothing was sent, as far as this server is concerned: so no error either.
    let refused = send(&api, request(&good, &good)).await;
    assert_refused(&refused, StatusCode::UNAUTHORIZED, None);
    // And they neither spoil nor mend the one that counts.
    for (field, elsewhere, status) in [(&good, &bad, 200), (&bad, &good, 401)] {
        let mut request = request(elsewhere, elsewhere);
        request
            .headers_mut()
            .insert(AUTHORIZATION, HeaderValue::try_from(format!("Bearer {field}")).unwrap());
        assert_eq!(send(&api, request).await.status(), status);
    }
}

#[tokio::test]
async fn section_3_a_challenge_has_a_parameter_and_each_at_most_once() {
    let metadata = ["https://api.example.com", "https://api.example.com/v1?tenant=a"];
    for resource in metadata.into_iter().chain(["orders", "\u{fc}"]) {
        for hint in [None, Some(scopes!["read", "write"])] {
            let builder =
                ResourceServer::builder(resource).trust(Issuer::jwks("https://as.example", "{\"keys\":[]}"));
            let builder = hint.into_iter().fold(builder, |builder, scopes| builder.challenge_scopes(scopes));
            let api = builder.build().unwrap();
            let has_metadata = api.metadata_service().is_ok();
            assert_eq!(has_metadata, metadata.contains(&resource));
            for kind in AuthErrorKind::ALL {
                let answer: Response<String> = api.refuse((*kind).into()).into_response();
                if !answer.status().is_client_error() {
                    assert_eq!(answer.headers().get("www-authenticate"), None, "{kind:?}");
                    continue;
                }
                // Reading it fails where there is no parameter, or one twice, or more than one challenge.
                let challenge = Challenge::of(&answer);
                assert!(challenge.realm().is_some(), "{kind:?}");
                assert_eq!(challenge.resource_metadata().is_some(), has_metadata, "{kind:?}");
            }
        }
    }
}

/// `%x20-21 / %x23-5B / %x5D-7E`, and for `scope` without the space.
#[test]
fn section_3_no_quote_and_no_backslash_ever_stands_in_a_challenge() {
    let odd = "a\"b\\c\u{e9}\u{1f511}\r\nX-Evil: 1";
    let api = ResourceServer::builder(odd).trust(Issuer::jwks("https://as.example", "{\"keys\":[]}"));
    let api = api.build().unwrap();
    for kind in AuthErrorKind::ALL {
        let refusal = api.refuse((*kind).into());
        if refusal.status().is_client_error() {
            let challenge = Challenge::from_headers(&refusal.headers()).unwrap();
            assert_eq!(challenge.realm(), Some("abcX-Evil: 1"), "left out, not escaped");
            let description = challenge.error_description();
            assert_eq!(description.is_some(), refusal.error_code().is_some(), "{kind:?}");
        }
    }
    // What would need it is refused where it is configured.
    for realm in ["a\"b", "a\\b", "\u{e9}", ""] {
        let builder = ResourceServer::builder(RESOURCE).realm(realm);
        assert!(builder.trust(Issuer::jwks("https://as.example", "{\"keys\":[]}")).build().is_err());
    }
    for scope in ["a\"b", "a\\b", "\u{e9}", "a  b", ""] {
        assert!(Scopes::parse(scope).is_err(), "{scope:?}");
    }
}

#[tokio::test]
async fn section_3_the_values_of_a_requirement_are_sanitised_too() {
    let (issuer, api) = scene();
    let inner = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    let requirement = Requirement::default().acr(["go\"ld\\", "silv\u{e9}r"]);
    let service = api.layer().layer(api.require(requirement).layer(inner));
    let token = format!("Bearer {}", issuer.token().claim("acr", "gold").mint());
    let refused = service.oneshot(with_fields(&[&token])).await.unwrap();
    let code = Some(ErrorCode::InsufficientUserAuthentication);
    let challenge = assert_refused(&refused, StatusCode::UNAUTHORIZED, code);
    assert_eq!(challenge.parameter("acr_values"), Some("gold silvr"));
}

#[tokio::test]
async fn section_3_1_who_sends_no_credentials_gets_no_error_code() {
    let (_, api) = scene();
    for fields in [&[][..], &["Basic eDp5"], &["DPoP abc"], &["Negotiate"], &[""]] {
        let refused = send(&api, with_fields(fields)).await;
        let challenge = assert_refused(&refused, StatusCode::UNAUTHORIZED, None);
        assert_eq!((challenge.error_description(), challenge.realm()), (None, Some(RESOURCE)), "{fields:?}");
    }
}

#[tokio::test]
async fn section_3_1_each_code_has_its_status_and_a_missing_scope_is_named() {
    let (issuer, api) = scene();
    let inner = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    let service = api.layer().layer(api.require(scopes!["read", "write"]).layer(inner));
    let token = || issuer.token().scope("read");
    for (field, status, code, scopes) in [
        ("Bearer".to_owned(), StatusCode::BAD_REQUEST, INVALID_REQUEST, vec![]),
        (format!("Bearer {}", token().forged().mint()), StatusCode::UNAUTHORIZED, INVALID_TOKEN, vec![]),
        (format!("Bearer {}", token().expired().mint()), StatusCode::UNAUTHORIZED, INVALID_TOKEN, vec![]),
        (
            format!("Bearer {}", token().mint()),
            StatusCode::FORBIDDEN,
            Some(ErrorCode::InsufficientScope),
            vec!["read", "write"],
        ),
    ] {
        let refused = service.clone().oneshot(with_fields(&[&field])).await.unwrap();
        let challenge = assert_refused(&refused, status, code);
        assert_eq!(challenge.scopes(), scopes, "{status}");
    }
    let good = format!("Bearer {}", token().scope("write read").mint());
    assert_eq!(service.oneshot(with_fields(&[&good])).await.unwrap().status(), StatusCode::OK);
}

/// Sections 2 and 3.1, and RFC 9110 §5.3: a field that is no list stands there once.
#[tokio::test]
async fn htp_04_section_3_1_more_than_one_credential_is_400() {
    let (issuer, api) = scene();
    let good = format!("Bearer {}", issuer.token().mint());
    let inner = service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())));
    let optional = api.layer().optional().layer(inner);
    for fields in [
        [good.as_str(), &good],
        [&good, "Bearer x"],
        ["Bearer x", &good],
        [&good, "Basic eDp5"],
        ["Basic eDp5", &good],
    ] {
        let refused = send(&api, with_fields(&fields)).await;
        assert_refused(&refused, StatusCode::BAD_REQUEST, INVALID_REQUEST);
        // Also behind an optional layer: credentials were sent.
        let refused = optional.clone().oneshot(with_fields(&fields)).await.unwrap();
        assert_refused(&refused, StatusCode::BAD_REQUEST, INVALID_REQUEST);
    }
    assert_eq!(send(&api, with_fields(&[&good])).await.status(), StatusCode::OK);
}

/// RFC 9110 §11.6.1: a 401 without `WWW-Authenticate` is none. And what no token would mend asks for none.
#[test]
fn rfc_9110_section_11_6_1_every_401_has_a_challenge() {
    let (_, api) = scene();
    let mut seen = 0;
    for kind in AuthErrorKind::ALL {
        let refusal = api.refuse((*kind).into());
        let challenge = Challenge::from_headers(&refusal.headers());
        assert_eq!(challenge.is_ok(), refusal.status().is_client_error(), "{kind:?}");
        seen += usize::from(refusal.status() == StatusCode::UNAUTHORIZED);
    }
    assert!(seen > 10);
}

/// For shared caches.
#[tokio::test]
async fn htp_11_section_5_3_refusals_are_not_stored_and_successes_are_left_alone() {
    let (issuer, api) = scene();
    for kind in AuthErrorKind::ALL {
        assert_eq!(api.refuse((*kind).into()).headers()["cache-control"], "no-store", "{kind:?}");
    }
    for field in ["Bearer x", "Bearer", "Basic x"] {
        let refused = send(&api, with_fields(&[field])).await;
        assert_eq!(refused.headers().get_all("cache-control").iter().collect::<Vec<_>>(), ["no-store"]);
    }
    let late = issuer.token().expires_in(Duration::from_secs(1)).mint();
    let accepted = send(&api, with_fields(&[&format!("Bearer {late}")])).await;
    assert_eq!(accepted.headers()["cache-control"], "public, max-age=60");
}
