//! RFC 9470, step-up authentication: one test for each thing that it asks of a resource server, with its own figures.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{convert::Infallible, time::Duration};

use bearergate::{
    ErrorCode, Issuer, Requirement, ResourceServer, UnixTime, scopes,
    testing::{Challenge, MockAuth, TestClock, TestIssuer, assert_refused},
};
use http::{HeaderValue, Request, Response, StatusCode, header::AUTHORIZATION};
use tower::{Layer as _, ServiceExt as _, service_fn};

/// The names and moments of figures 6 and 7 (§6).
const RESOURCE: &str = "https://rs.example.com";
const ISSUER: &str = "https://as.example.net";
const LOGIN: i64 = 1_646_340_198;

const STEP_UP: Option<ErrorCode> = Some(ErrorCode::InsufficientUserAuthentication);

async fn answer(api: &ResourceServer, requirement: Requirement, bearer: HeaderValue) -> Response<String> {
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let service = api.layer().layer(api.require(requirement).layer(inner));
    let request = Request::builder().header(AUTHORIZATION, bearer).body(()).unwrap();
    service.oneshot(request).await.unwrap()
}

fn at(seconds: i64) -> TestClock {
    TestClock::at(UnixTime::from_secs(seconds))
}

fn refused(response: &Response<String>) -> Challenge {
    assert_refused(response, StatusCode::UNAUTHORIZED, STEP_UP)
}

/// Figures 2 and 3: `acr_values="myACR"`, `max_age="5"`, and each only where it is asked for.
#[tokio::test]
async fn section_3_a_challenge_says_what_is_wanted() {
    let auth = MockAuth::new(RESOURCE).clock(at(LOGIN));
    let api = auth.server();
    let token = || auth.token().acr("otherACR").auth_age(Duration::from_secs(60)).bearer();
    let five = Duration::from_secs(5);
    for (requirement, acr_values, max_age) in [
        (Requirement::default().acr(["myACR"]), Some("myACR"), None),
        (Requirement::default().max_age(five), None, Some("5")),
        (Requirement::default().acr(["myACR"]).max_age(five), Some("myACR"), Some("5")),
    ] {
        let challenge = refused(&answer(&api, requirement, token()).await);
        assert_eq!(challenge.parameter("acr_values"), acr_values);
        assert_eq!(challenge.parameter("max_age"), max_age);
        assert!(challenge.error_description().is_some() && challenge.realm() == Some(RESOURCE));
        assert!(challenge.scopes().is_empty());
    }
}

#[tokio::test]
async fn section_3_acr_values_stand_in_order_and_any_one_suffices() {
    let auth = MockAuth::new(RESOURCE);
    let api = auth.server();
    let requirement = || Requirement::default().acr(["gold", "silver"]);
    for acr in ["gold", "silver"] {
        assert_eq!(answer(&api, requirement(), auth.token().acr(acr).bearer()).await.status(), 200, "{acr}");
    }
    for acr in ["bronze", "Gold", "gold silver", "silver "] {
        let challenge = refused(&answer(&api, requirement(), auth.token().acr(acr).bearer()).await);
        assert_eq!(challenge.acr_values(), ["gold", "silver"], "{acr:?}");
    }
}

/// "The `scope` parameter may be included": what the next token needs is told at once.
#[tokio::test]
async fn section_3_the_scope_of_the_route_is_named_too() {
    let auth = MockAuth::new(RESOURCE);
    let api = auth.server();
    let requirement = || Requirement::scopes(scopes!["purchase"]).acr(["myACR"]);
    let weak = answer(&api, requirement(), auth.token().scope("purchase").bearer()).await;
    let challenge = refused(&weak);
    assert_eq!((challenge.scopes(), challenge.acr_values()), (vec!["purchase"], vec!["myACR"]));
    // A missing scope is no matter of a login: 403.
    let poor = answer(&api, requirement(), auth.token().acr("myACR").bearer()).await;
    let challenge = assert_refused(&poor, StatusCode::FORBIDDEN, Some(ErrorCode::InsufficientScope));
    assert_eq!(challenge.parameter("acr_values"), None);
}

/// What is not said cannot be relied upon.
#[tokio::test]
async fn section_6_a_token_without_acr_or_auth_time_is_challenged() {
    let auth = MockAuth::new(RESOURCE);
    let api = auth.server();
    let requirement = || Requirement::default().acr(["myACR"]).max_age(Duration::from_secs(300));
    let whole = || auth.token().acr("myACR").auth_age(Duration::from_secs(10));
    assert_eq!(answer(&api, requirement(), whole().bearer()).await.status(), StatusCode::OK);
    for lean in [whole().without("acr"), whole().without("auth_time")] {
        let challenge = refused(&answer(&api, requirement(), lean.bearer()).await);
        assert_eq!(challenge.max_age(), Some(Duration::from_secs(300)));
    }
    // Of another type than the RFC gives them, they are no claims at all.
    for ill in [whole().claim("acr", ["myACR"]), whole().claim("auth_time", "yesterday")] {
        let response = answer(&api, requirement(), ill.bearer()).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }
}

/// Figure 6, the whole of it.
#[tokio::test]
async fn section_6_1_acr_and_auth_time_are_read_from_a_jwt() {
    let clock = at(LOGIN + 2);
    let issuer = TestIssuer::builder().clock(clock.clone()).offline(ISSUER);
    let api = ResourceServer::builder(RESOURCE)
        .trust(Issuer::jwks(ISSUER, issuer.jwks()))
        .clock(clock.clone())
        .build()
        .unwrap();
    let token = issuer.token().payload_text(
        r#"{
         "iss": "https://as.example.net",
         "sub": "someone@example.net",
         "aud": "https://rs.example.com",
         "exp": 1646343000,
         "iat": 1646340200,
         "jti" : "e1j3V_bKic8-LAEB_lccD0G",
         "client_id": "s6BhdRkqt3",
         "scope": "purchase",
         "auth_time": 1646340198,
         "acr": "myACR"
        }"#,
    );
    let bearer = HeaderValue::try_from(format!("Bearer {}", token.mint())).unwrap();
    let requirement =
        || Requirement::scopes(scopes!["purchase"]).acr(["myACR"]).max_age(Duration::from_secs(5));
    assert_eq!(answer(&api, requirement(), bearer.clone()).await.status(), StatusCode::OK);
    // 4 s after the login, and whatever passes meanwhile, it is good; 6 s after it is not.
    clock.set(UnixTime::from_secs(LOGIN + 4));
    assert_eq!(answer(&api, requirement(), bearer.clone()).await.status(), StatusCode::OK);
    clock.set(UnixTime::from_secs(LOGIN + 6));
    let challenge = refused(&answer(&api, requirement(), bearer.clone()).await);
    assert_eq!(challenge.parameter("max_age"), Some("5"));
    let other = Requirement::default().acr(["otherACR"]);
    assert_eq!(refused(&answer(&api, other, bearer).await).acr_values(), ["otherACR"]);
}

/// Figure 7: the members of an introspection answer. What is made up stands in one.
#[tokio::test]
async fn section_6_2_acr_and_auth_time_are_read_from_an_introspection_answer() {
    let clock = at(LOGIN + 4);
    let auth = MockAuth::new(RESOURCE).clock(clock.clone());
    let api = auth.server();
    let token = auth.token().subject("someone@example.net").client_id("s6BhdRkqt3").scope("purchase");
    let bearer = token.claim("auth_time", LOGIN).acr("myACR").bearer();
    let requirement = || Requirement::default().acr(["myACR"]).max_age(Duration::from_secs(5));
    assert_eq!(answer(&api, requirement(), bearer.clone()).await.status(), StatusCode::OK);
    clock.set(UnixTime::from_secs(LOGIN + 6));
    refused(&answer(&api, requirement(), bearer).await);
}
