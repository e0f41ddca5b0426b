//! A device without a browser gets a token from the embedded issuer once its user has said yes (RFC 8628).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_types, reason = "this client plays the browser")]

#[allow(unreachable_pub, reason = "shared by several test binaries")]
#[path = "common/authorization.rs"]
mod authorization;

use std::time::Duration;

use authorization::{BASIC, Form, RESOURCE, Scene, URL};
use bearergate::{Fetch as _, FetchRequest, FetchResponse, PostContent, scopes, testing::TestIssuer};
use http::StatusCode;
use serde_json::{Value, json};

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn request() -> Form {
    Form(vec![]).add("client_id", "app").add("scope", "read").add("resource", RESOURCE)
}

async fn begin(scene: &Scene, form: &Form) -> (StatusCode, Value) {
    scene.post("/device_authorization", PostContent::form(form.text()), None).await
}

async fn begun(scene: &Scene) -> Value {
    let (status, content) = begin(scene, &request()).await;
    assert_eq!(status, StatusCode::OK, "{content}");
    content
}

fn poll(content: &Value) -> Form {
    let code = content["device_code"].as_str().unwrap();
    Form(vec![]).add("grant_type", DEVICE_CODE).add("client_id", "app").add("device_code", code)
}

/// A browser sends the form of a page only where the policy of that page lets it.
fn assert_policy_fits(answer: &FetchResponse) {
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    let has_form = String::from_utf8_lossy(&answer.body).contains("<form");
    assert_eq!(policy.contains("form-action 'self'"), has_form, "{policy}");
    assert_eq!(policy.contains("form-action 'none'"), !has_form, "{policy}");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
}

/// The user's browser at the page, with a code.
async fn enter(scene: &Scene, code: &str) -> StatusCode {
    let answer = scene.get("/device", &Form(vec![]).add("user_code", code)).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_policy_fits(&answer);
    assert!(!String::from_utf8(answer.body).unwrap().contains(code), "nothing of the request is shown");
    answer.status
}

#[tokio::test(start_paused = true)]
async fn a_device_gets_a_token_once_its_user_has_said_yes() {
    let scene = Scene::new();
    let content = begun(&scene).await;
    assert_eq!((&content["expires_in"], &content["interval"]), (&json!(600), &json!(5)));
    let user_code = content["user_code"].as_str().unwrap();
    assert_eq!(content["verification_uri"], format!("{URL}/device"));
    assert_eq!(content["verification_uri_complete"], format!("{URL}/device?user_code={user_code}"));

    assert_eq!(scene.refused(&poll(&content), None).await, "authorization_pending");
    // As people type it.
    assert_eq!(enter(&scene, &user_code.to_lowercase().replace('-', " ")).await, StatusCode::OK);
    scene.clock.advance(seconds(5));
    let (status, token) = scene.token(&poll(&content), None).await;
    assert_eq!(status, StatusCode::OK, "{token}");
    let accepted = scene.accepted(RESOURCE, &token).await;
    assert_eq!((accepted.subject(), accepted.client_id()), (Some("test-user"), Some("app")));
    assert_eq!(accepted.scopes().collect::<Vec<_>>(), ["read"]);

    // Once: for the device, and for its user.
    scene.clock.advance(seconds(5));
    assert_eq!(scene.refused(&poll(&content), None).await, "invalid_grant");
    assert_eq!(enter(&scene, user_code).await, StatusCode::NOT_FOUND);
    // And it goes on by itself.
    let refresh = Form(vec![])
        .add("grant_type", "refresh_token")
        .add("client_id", "app")
        .add("refresh_token", token["refresh_token"].as_str().unwrap());
    assert_eq!(scene.token(&refresh, None).await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_asks_too_often_has_to_wait_longer_each_time() {
    let scene = Scene::new();
    let content = begun(&scene).await;
    // After so many seconds, the answer: five more each time that it came too soon (§3.5).
    for (pause, error) in [
        (0, "authorization_pending"),
        (5, "authorization_pending"),
        (4, "slow_down"),
        (9, "slow_down"),
        (14, "slow_down"),
        (20, "authorization_pending"),
        (20, "authorization_pending"),
    ] {
        scene.clock.advance(seconds(pause));
        assert_eq!(scene.refused(&poll(&content), None).await, error, "after {pause} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_that_is_over_or_somebody_elses_gets_nothing() {
    let scene = Scene::new();
    let content = begun(&scene).await;
    for (form, error) in [
        (poll(&content).without("device_code"), "invalid_request"),
        (poll(&content).set("device_code", "device-nobody"), "invalid_grant"),
        (poll(&content).set("device_code", content["user_code"].as_str().unwrap()), "invalid_grant"),
        (poll(&content).set("client_id", "other"), "invalid_grant"),
        (poll(&content).set("client_id", "nobody"), "invalid_client"),
    ] {
        assert_eq!(scene.refused(&form, None).await, error, "{form:?}");
    }
    scene.clock.advance(seconds(600));
    assert_eq!(enter(&scene, content["user_code"].as_str().unwrap()).await, StatusCode::NOT_FOUND);
    assert_eq!(scene.refused(&poll(&content), None).await, "expired_token");
    assert_eq!(scene.refused(&poll(&content), None).await, "invalid_grant");
}

#[tokio::test(start_paused = true)]
async fn a_user_may_refuse() {
    let scene = Scene::with(|issuer| issuer.denies_consent());
    let content = begun(&scene).await;
    assert_eq!(enter(&scene, content["user_code"].as_str().unwrap()).await, StatusCode::OK);
    assert_eq!(scene.refused(&poll(&content), None).await, "access_denied");
    scene.clock.advance(seconds(5));
    assert_eq!(scene.refused(&poll(&content), None).await, "invalid_grant");
}

/// §5.1: of 2.5e10 codes somebody tries ten a minute.
#[tokio::test(start_paused = true)]
async fn nobody_finds_a_code_by_trying() {
    let scene = Scene::new();
    let content = begun(&scene).await;
    let good = content["user_code"].as_str().unwrap();
    for _ in 0..10 {
        assert_eq!(enter(&scene, "WRNG-WRNG").await, StatusCode::NOT_FOUND);
    }
    // Not even the right one, for a minute.
    assert_eq!(enter(&scene, good).await, StatusCode::TOO_MANY_REQUESTS);
    scene.clock.advance(seconds(59));
    assert_eq!(enter(&scene, good).await, StatusCode::TOO_MANY_REQUESTS);
    scene.clock.advance(seconds(1));
    assert_eq!(enter(&scene, good).await, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn what_a_device_may_not_have_it_does_not_begin() {
    let scene = Scene::new();
    let many =
        (0..8).fold(request(), |form, number| form.add("resource", format!("https://api{number}.example")));
    for (form, error) in [
        (request().without("client_id"), "invalid_client"),
        (request().set("client_id", "nobody"), "invalid_client"),
        (request().set("client_id", "cab"), "invalid_client"),
        (request().set("scope", "admin"), "invalid_scope"),
        (request().add("scope", "read"), "invalid_request"),
        (request().without("resource"), "invalid_target"),
        (request().set("resource", "no uri"), "invalid_target"),
        (request().set("resource", format!("https://api.example/{}", "a".repeat(2048))), "invalid_target"),
        (many.clone(), "invalid_target"),
    ] {
        let (status, content) = begin(&scene, &form).await;
        assert!(status.is_client_error(), "{form:?}");
        assert_eq!(content["error"], error, "{form:?}");
    }
    let confidential = PostContent::form(request().without("client_id").text());
    assert_eq!(scene.post("/device_authorization", confidential, Some(BASIC[0])).await.0, StatusCode::OK);
    // And they are bounded in number.
    for _ in 1..1024 {
        begun(&scene).await;
    }
    let answer = begin(&scene, &request()).await;
    assert_eq!(
        (answer.0, &answer.1["error"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("temporarily_unavailable"))
    );
    scene.clock.advance(seconds(600));
    begun(&scene).await;
}

#[tokio::test(start_paused = true)]
async fn the_page_asks_for_the_code() {
    let scene = Scene::new();
    let answer = scene.get("/device", &Form(vec![])).await;
    assert_eq!(
        (answer.status, answer.headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/html; charset=utf-8")
    );
    assert_policy_fits(&answer);
    let page = String::from_utf8(answer.body).unwrap();
    for part in [
        "lang=\"en\"",
        "<label for=\"user_code\">",
        "name=\"user_code\"",
        "<button type=\"submit\">",
        "not for production",
    ] {
        assert!(page.contains(part), "{page}");
    }
}

/// Where users are asked, the page shows what the device wants, and the same users.
#[tokio::test(start_paused = true)]
async fn where_users_are_asked_they_decide_on_the_page() {
    let scene =
        Scene::with(|issuer| issuer.users(["ann", "ben"]).scope_explained("read", "Read <everything>"));
    let page = async |code: &str| {
        let answer = scene.get("/device", &Form(vec![]).add("user_code", code)).await;
        assert_policy_fits(&answer);
        (answer.status, String::from_utf8(answer.body).unwrap())
    };
    let decide = async |form: Form| scene.ask("/device", PostContent::form(form.text()), None).await.0;
    for (user, decision, error) in [("ben", "allow", None), ("ann", "deny", Some("access_denied"))] {
        let content = begun(&scene).await;
        let code = content["user_code"].as_str().unwrap();
        let (status, shown) = page(code).await;
        assert_eq!(status, StatusCode::OK);
        for part in
            ["value=\"ann\"", "value=\"ben\"", "Read &lt;everything&gt;", RESOURCE, code, "<code>app</code>"]
        {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        // To look at it decides nothing, and neither does a form without a decision.
        assert_eq!(scene.refused(&poll(&content), None).await, "authorization_pending");
        let form = || Form(vec![]).add("user_code", code).add("user", user).add("decision", decision);
        for nothing in
            [form().without("decision"), form().without("user_code"), form().set("decision", "maybe")]
        {
            assert_eq!(decide(nothing).await, StatusCode::BAD_REQUEST);
        }
        assert_eq!(decide(form().set("user", "eve").set("decision", "allow")).await, StatusCode::BAD_REQUEST);
        assert_eq!(decide(form()).await, StatusCode::OK);
        assert_eq!(decide(form()).await, StatusCode::NOT_FOUND, "once");
        scene.clock.advance(seconds(5));
        match error {
            Some(error) => assert_eq!(scene.refused(&poll(&content), None).await, error),
            None => {
                let (_, token) = scene.token(&poll(&content), None).await;
                assert_eq!(scene.accepted(RESOURCE, &token).await.subject(), Some(user));
            }
        }
    }
    let (status, text) = page("WRNG-WRNG").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(text.contains("No device waits with this code") && text.contains("name=\"user_code\""), "{text}");
    // Where nobody is asked there is nothing to decide.
    let settled = Scene::new();
    let form = PostContent::form("user_code=x&user=ann&decision=allow");
    let request = FetchRequest::get(format!("{URL}/device").parse().unwrap(), "*/*", 4096).posting(form);
    assert_eq!(settled.issuer.fetch().fetch(request).await.unwrap().status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_for_fewer_resources_but_for_no_other() {
    let scene = Scene::new();
    let (status, content) = begin(&scene, &request().add("resource", "https://two.example")).await;
    assert_eq!(status, StatusCode::OK);
    enter(&scene, content["user_code"].as_str().unwrap()).await;
    let other = poll(&content).add("resource", "https://other.example");
    assert_eq!(scene.refused(&other, None).await, "invalid_target");
    scene.clock.advance(seconds(5));
    let (_, token) = scene.token(&poll(&content).add("resource", "https://two.example"), None).await;
    assert_eq!(
        scene.accepted("https://two.example", &token).await.audience().collect::<Vec<_>>(),
        ["https://two.example"]
    );
}

/// What other pages in the same browser can do: nothing.
#[tokio::test]
async fn another_site_connects_no_device_and_tries_no_codes() {
    let issuer = TestIssuer::builder()
        .public_client("app", ["https://app.example/callback"], scopes!["read"])
        .default_audience(RESOURCE)
        .users(["ann"])
        .start()
        .await
        .unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |path: &str, form: &Form, fields: &[(&str, &str)]| {
        let request = client.post(format!("{}{path}", issuer.url())).body(form.text());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.unwrap();
        (answer.status(), serde_json::from_slice::<Value>(&answer.bytes().await.unwrap()).unwrap_or_default())
    };
    let device = Form(vec![]).add("client_id", "app").add("scope", "read");
    let other_site: [&[(&str, &str)]; 3] = [
        &[("origin", "https://evil.example")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ];
    for fields in other_site {
        assert_eq!(
            post("/device_authorization", &device, fields).await.0,
            StatusCode::BAD_REQUEST,
            "{fields:?}"
        );
    }
    let (_, content) = post("/device_authorization", &device, &[]).await;
    let code = content["user_code"].as_str().unwrap();
    let allow = Form(vec![]).add("user_code", code).add("user", "ann").add("decision", "allow");
    for fields in other_site {
        assert_eq!(post("/device", &allow, fields).await.0, StatusCode::FORBIDDEN, "{fields:?}");
    }
    // As images of another page: more than may be tried.
    for _ in 0..20 {
        let image =
            client.get(format!("{}/device?user_code=WRNG", issuer.url())).header("sec-fetch-dest", "image");
        assert_eq!(image.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    }
    let page =
        client.get(format!("{}/device?user_code={code}", issuer.url())).header("sec-fetch-dest", "document");
    assert_eq!(page.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(
        post("/device", &allow, &[("sec-fetch-site", "same-origin"), ("origin", "null")]).await.0,
        StatusCode::OK
    );
}
