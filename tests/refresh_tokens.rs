//! The embedded issuer's refresh tokens replace each other, and end with whoever uses one twice; and its revocation endpoint.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(unreachable_pub, reason = "shared by several test binaries")]
#[path = "common/authorization.rs"]
mod authorization;

use std::time::Duration;

use authorization::{BASIC, Form, RESOURCE, Scene};
use bearergate::{
    AuthErrorKind, Claims, ClientAuth, PostContent, Presented, ResourceServer, testing::Endpoint,
};
use http::StatusCode;
use serde_json::{Value, json};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a user's consent gets the client `app`: both scopes.
async fn consented(scene: &Scene) -> Value {
    let code = scene.code(&Form::authorization().set("scope", "read write")).await;
    let (status, content) = scene.token(&Form::token(&code), None).await;
    assert_eq!(status, StatusCode::OK, "{content}");
    content
}

fn refresh(content: &Value) -> Form {
    let token = content["refresh_token"].as_str().unwrap_or_else(|| panic!("{content}"));
    Form(vec![]).add("grant_type", "refresh_token").add("client_id", "app").add("refresh_token", token)
}

async fn refreshed(scene: &Scene, form: &Form) -> Value {
    let (status, content) = scene.token(form, None).await;
    assert_eq!(status, StatusCode::OK, "{content}");
    content
}

async fn revoke(scene: &Scene, token: &str, client: &str) -> (StatusCode, String) {
    let form = Form(vec![]).add("token", token).add("client_id", client);
    let (status, content) = scene.ask("/revoke", PostContent::form(form.text()), None).await;
    (
        status,
        serde_json::from_slice::<Value>(&content).unwrap_or_default()["error"]
            .as_str()
            .unwrap_or("")
            .to_owned(),
    )
}

#[tokio::test(start_paused = true)]
async fn each_use_replaces_the_token() {
    let scene = Scene::new();
    let mut content = consented(&scene).await;
    for _ in 0..3 {
        scene.clock.advance(20 * DAY);
        let next = refreshed(&scene, &refresh(&content)).await;
        assert_ne!(next["refresh_token"], content["refresh_token"]);
        assert_eq!(next["scope"], "read write");
        let token = scene.accepted(RESOURCE, &next).await;
        assert_eq!((token.subject(), token.client_id()), (Some("test-user"), Some("app")));
        content = next;
    }
    // 30 days after the last use it is over.
    scene.clock.advance(30 * DAY);
    assert_eq!(scene.refused(&refresh(&content), None).await, "invalid_grant");
}

/// RFC 9700 §4.14.2: nobody knows whether the thief came first or the owner.
#[tokio::test(start_paused = true)]
async fn a_token_that_comes_again_ends_all_that_came_of_it() {
    let scene = Scene::new();
    let first = consented(&scene).await;
    let other = consented(&scene).await;
    let second = refreshed(&scene, &refresh(&first)).await;
    let third = refreshed(&scene, &refresh(&second)).await;
    assert_eq!(scene.refused(&refresh(&first), None).await, "invalid_grant");
    for over in [&third, &second, &first] {
        assert_eq!(scene.refused(&refresh(over), None).await, "invalid_grant");
    }
    // Another consent of the same user is not concerned.
    refreshed(&scene, &refresh(&other)).await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_gets_nothing_and_spoils_nothing() {
    let scene = Scene::new();
    let content = consented(&scene).await;
    let good = || refresh(&content);
    for (form, error) in [
        (good().without("refresh_token"), "invalid_request"),
        (good().set("refresh_token", ""), "invalid_request"),
        (good().add("refresh_token", "twice"), "invalid_request"),
        (good().set("refresh_token", "refresh-nobody.token-nobody"), "invalid_grant"),
        (good().set("refresh_token", "no dot"), "invalid_grant"),
        (good().set("refresh_token", content["access_token"].as_str().unwrap()), "invalid_grant"),
        (good().set("client_id", "other"), "invalid_grant"),
        (good().set("client_id", "cab"), "invalid_client"),
        (good().without("client_id"), "invalid_client"),
        (good().add("scope", "read write admin"), "invalid_scope"),
        (good().add("scope", "admin"), "invalid_scope"),
        (good().add("scope", " "), "invalid_scope"),
        (good().add("scope", "read  write"), "invalid_scope"),
        (good().add("resource", "https://other.example"), "invalid_target"),
        (good().add("resource", RESOURCE).add("resource", "https://other.example"), "invalid_target"),
    ] {
        assert_eq!(scene.refused(&form, None).await, error, "{form:?}");
    }
    refreshed(&scene, &good()).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_may_be_for_less_and_the_next_one_for_all_again() {
    let scene = Scene::new();
    let content = consented(&scene).await;
    let less = refreshed(&scene, &refresh(&content).add("scope", "read").add("resource", RESOURCE)).await;
    assert_eq!(less["scope"], "read");
    assert_eq!(scene.accepted(RESOURCE, &less).await.scopes().collect::<Vec<_>>(), ["read"]);
    let all = refreshed(&scene, &refresh(&less)).await;
    assert_eq!(all["scope"], "read write");
}

/// RFC 6749 §4.1.2: whoever has code and verifier twice, one of the two stole them.
#[tokio::test(start_paused = true)]
async fn a_code_that_comes_again_ends_its_refresh_tokens() {
    let scene = Scene::new();
    let code = scene.code(&Form::authorization()).await;
    let content = refreshed(&scene, &Form::token(&code)).await;
    // Not by who cannot use it.
    assert_eq!(scene.refused(&Form::token(&code).set("client_id", "other"), None).await, "invalid_grant");
    let content = refreshed(&scene, &refresh(&content)).await;
    assert_eq!(scene.refused(&Form::token(&code), None).await, "invalid_grant");
    assert_eq!(scene.refused(&refresh(&content), None).await, "invalid_grant");
}

#[tokio::test(start_paused = true)]
async fn a_confidential_client_shows_its_secret() {
    let scene = Scene::new();
    let code = scene.code(&Form::authorization().set("client_id", "cab")).await;
    let (status, content) = scene.token(&Form::token(&code).without("client_id"), Some(BASIC[0])).await;
    assert_eq!(status, StatusCode::OK, "{content}");
    assert_eq!(scene.refused(&refresh(&content).set("client_id", "cab"), None).await, "invalid_client");
    assert_eq!(scene.token(&refresh(&content).without("client_id"), Some(BASIC[0])).await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn rfc_7009_section_2_1_a_client_ends_its_own_tokens() {
    let scene = Scene::new();
    let content = consented(&scene).await;
    let token = content["refresh_token"].as_str().unwrap();
    assert_eq!(revoke(&scene, token, "other").await, (StatusCode::BAD_REQUEST, "invalid_grant".to_owned()));
    assert_eq!(revoke(&scene, token, "nobody").await.0, StatusCode::UNAUTHORIZED);
    let next = refreshed(&scene, &refresh(&content)).await;
    // The one of before ends the family too.
    assert_eq!(revoke(&scene, token, "app").await, (StatusCode::OK, String::new()));
    assert_eq!(scene.refused(&refresh(&next), None).await, "invalid_grant");
    assert_eq!(scene.issuer.requests_to(Endpoint::Revocation), 3);

    let opaque = scene.issuer.opaque_token().client_id("app").mint();
    let of_other = scene.issuer.opaque_token().client_id("other").mint();
    assert_eq!(revoke(&scene, &of_other, "app").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(revoke(&scene, &opaque, "app").await, (StatusCode::OK, String::new()));
    assert!(!scene.issuer.revoke(&opaque), "it is gone");
    assert!(scene.issuer.revoke(&of_other), "it is there");
}

#[tokio::test(start_paused = true)]
async fn rfc_7009_section_2_2_what_is_not_known_is_over_and_a_jwt_goes_on() {
    let scene = Scene::new();
    for nonsense in ["nonsense", "a.b.c", "e30.e30", "IA.b.c"] {
        assert_eq!(revoke(&scene, nonsense, "app").await, (StatusCode::OK, String::new()), "{nonsense}");
    }
    let content = consented(&scene).await;
    let jwt = content["access_token"].as_str().unwrap();
    let unsupported = (StatusCode::BAD_REQUEST, "unsupported_token_type".to_owned());
    assert_eq!(revoke(&scene, jwt, "app").await, unsupported);
    scene.accepted(RESOURCE, &content).await;
    // As a test does it, whosever it is.
    assert!(scene.issuer.revoke(content["refresh_token"].as_str().unwrap()));
    assert_eq!(scene.refused(&refresh(&content), None).await, "invalid_grant");
}

/// Whatever the flow, a client gets the kind of token that it is set up for.
#[tokio::test(start_paused = true)]
async fn a_client_may_get_tokens_that_only_the_issuer_can_read() {
    let scene = Scene::with(|issuer| issuer.opaque_tokens_for("app").opaque_tokens_for("machine"));
    let auth = ClientAuth::basic("cab", "secret");
    let api = ResourceServer::builder(RESOURCE)
        .trust(scene.issuer.introspected(auth))
        .http_client(scene.issuer.fetch())
        .clock(scene.clock.clone())
        .build()
        .unwrap();
    let accepted = async |content: &Value| {
        let token = content["access_token"].as_str().unwrap();
        assert_eq!(token.split('.').count(), 1, "{token}");
        api.validate::<Claims>(&Presented::bearer(token)).await
    };
    let first = consented(&scene).await;
    let token = accepted(&first).await.unwrap();
    assert_eq!((token.subject(), token.client_id()), (Some("test-user"), Some("app")));
    assert_eq!(token.scopes().collect::<Vec<_>>(), ["read", "write"]);
    let next = refreshed(&scene, &refresh(&first)).await;
    assert!(accepted(&next).await.is_ok());

    // One that is ended is over, once nothing is remembered of it.
    let text = next["access_token"].as_str().unwrap();
    assert_eq!(revoke(&scene, text, "app").await, (StatusCode::OK, String::new()));
    api.cached_tokens().forget(text);
    assert_eq!(accepted(&next).await.unwrap_err().kind(), AuthErrorKind::Inactive);
    assert_eq!(told(&scene, &first).await, json!(true));
    scene.clock.advance(Duration::from_secs(300));
    assert_eq!(told(&scene, &first).await, json!(false), "expired");

    // They are bounded in number, and those that are over make room.
    let waiting = consented(&scene).await;
    let machine = Form(vec![])
        .add("grant_type", "client_credentials")
        .add("client_id", "machine")
        .add("client_secret", "secret")
        .add("resource", RESOURCE);
    for number in 1..10_000 {
        assert_eq!(scene.token(&machine, None).await.0, StatusCode::OK, "{number}");
    }
    assert_eq!(scene.token(&machine, None).await.0, StatusCode::SERVICE_UNAVAILABLE);
    // What got nothing has spent nothing.
    assert_eq!(scene.token(&refresh(&waiting), None).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let code = scene.code(&Form::authorization()).await;
    assert_eq!(scene.token(&Form::token(&code), None).await.0, StatusCode::SERVICE_UNAVAILABLE);
    scene.clock.advance(Duration::from_secs(300));
    refreshed(&scene, &refresh(&waiting)).await;
}

/// What the introspection endpoint says of an access token.
async fn told(scene: &Scene, content: &Value) -> Value {
    let form = Form(vec![]).add("token", content["access_token"].as_str().unwrap());
    scene.post("/introspect", PostContent::form(form.text()), Some(BASIC[0])).await.1["active"].take()
}

#[tokio::test(start_paused = true)]
async fn opaque_tokens_end_with_the_consent_that_they_came_of() {
    let scene = Scene::with(|issuer| issuer.opaque_tokens_for("app"));
    let other = consented(&scene).await;
    // A refresh token that comes again, one that is ended, and a code that comes again.
    let (first, second) = {
        let first = consented(&scene).await;
        let second = refreshed(&scene, &refresh(&first)).await;
        scene.refused(&refresh(&first), None).await;
        (first, second)
    };
    let ended = consented(&scene).await;
    revoke(&scene, ended["refresh_token"].as_str().unwrap(), "app").await;
    let code = scene.code(&Form::authorization()).await;
    let of_code = refreshed(&scene, &Form::token(&code)).await;
    scene.refused(&Form::token(&code), None).await;
    for over in [&first, &second, &ended, &of_code] {
        assert_eq!(told(&scene, over).await, json!(false));
    }
    assert_eq!(told(&scene, &other).await, json!(true), "another consent");
}

/// 1,024 consents at a time; the one that was used the longest ago makes room.
#[tokio::test(start_paused = true)]
async fn refresh_tokens_are_bounded_in_number() {
    let scene = Scene::new();
    let oldest = consented(&scene).await;
    let second = consented(&scene).await;
    scene.clock.advance(Duration::from_secs(1));
    let second = refreshed(&scene, &refresh(&second)).await;
    for _ in 2..1024 {
        consented(&scene).await;
    }
    // As many codes may be out within a minute.
    scene.clock.advance(Duration::from_secs(60));
    let oldest = refreshed(&scene, &refresh(&oldest)).await;
    for _ in 0..1023 {
        consented(&scene).await;
    }
    assert_eq!(scene.refused(&refresh(&second), None).await, "invalid_grant");
    refreshed(&scene, &refresh(&oldest)).await;
}

#[tokio::test(start_paused = true)]
async fn grants_that_hand_over_too_much_are_refused_with_the_reason() {
    let scene = Scene::new();
    let password = Form(vec![])
        .add("grant_type", "password")
        .add("client_id", "app")
        .add("username", "ann")
        .add("password", "secret");
    let (status, content) = scene.token(&password, None).await;
    assert_eq!((status, &content["error"]), (StatusCode::BAD_REQUEST, &json!("unsupported_grant_type")));
    assert!(content["error_description"].as_str().unwrap().contains("RFC 9700"), "{content}");
    let implicit = scene.authorize(&Form::authorization().set("response_type", "token")).await;
    assert_eq!(implicit["error"], "unsupported_response_type");
}
