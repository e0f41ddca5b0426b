//! The embedded issuer gives a token for a code only to the client that the user consented for, and tells nobody else anything.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_types, reason = "this client plays the browser")]

#[allow(unreachable_pub, reason = "shared by several test binaries")]
#[path = "common/authorization.rs"]
mod authorization;

use std::{collections::HashMap, time::Duration};

use authorization::{BASIC, CALLBACK, CHALLENGE, Form, RESOURCE, Scene, URL, VERIFIER};

use bearergate::{
    Fetch as _, FetchRequest, HttpFetch, PostContent, scopes,
    testing::{Endpoint, TestIssuer},
};
use http::{StatusCode, header::LOCATION};
use serde_json::{Value, json};
use url::Url;

#[tokio::test(start_paused = true)]
async fn a_code_buys_a_token_for_what_was_asked() {
    let scene = Scene::new();
    let answer = scene.authorize(&Form::authorization()).await;
    assert_eq!(answer.len(), 3, "{answer:?}");
    assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("s t&=ä", URL));
    let (status, content) = scene.token(&Form::token(&answer["code"]), None).await;
    assert_eq!(status, StatusCode::OK, "{content}");
    assert_eq!(
        (&content["token_type"], &content["scope"], &content["expires_in"]),
        (&json!("Bearer"), &json!("read"), &json!(300))
    );
    let token = scene.accepted(RESOURCE, &content).await;
    assert_eq!((token.subject(), token.client_id()), (Some("test-user"), Some("app")));
    assert_eq!(token.scopes().collect::<Vec<_>>(), ["read"]);
    assert_eq!(scene.issuer.requests_to(Endpoint::Authorization), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_names_no_registered_way_back_is_sent_nowhere() {
    let scene = Scene::new();
    let good = Form::authorization;
    let native = || good().set("client_id", "native").set("redirect_uri", "http://127.0.0.1:4711/callback");
    for neighbour in [
        good(),
        good().set("redirect_uri", "https://app.example/second?x=1"),
        native(),
        native().set("redirect_uri", "http://127.0.0.1/callback"),
    ] {
        scene.code(&neighbour).await;
    }
    let lies = [
        "https://app.example/callback/deeper",
        "https://app.example/callback/",
        "https://app.example/callback?a=b",
        "https://app.example/callback#a",
        "https://app.example/callbac",
        "https://app.example/",
        "https://app.example/second",
        "https://app.example/second?x=1&y=2",
        "https://evil.example/callback",
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",
        "https://app.example/%63allback",
        "https://app.example%2Fcallback",
        "https%3A%2F%2Fapp.example%2Fcallback",
        "https://app.example/x/../callback",
        "https://app.example:8443/callback",
        "https://app.example:443/callback",
        "https://APP.EXAMPLE/callback",
        "http://app.example/callback",
        "http://127.0.0.1/callback",
        "javascript:alert(1)",
        "https://app.example/callback\r\nx-injected: 1",
        "",
    ];
    let port_lies = [
        "http://127.0.0.1:4711/other",
        "http://127.0.0.1:4711@evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://localhost:4711/callback",
        "http://[::1]:4711/callback",
        "http://127.0.0.2:4711/callback",
        "http://127.0.0.1:99999/callback",
    ];
    let mut bad = vec![
        good().without("client_id"),
        good().set("client_id", "nobody"),
        good().set("client_id", ""),
        good().add("client_id", "other"),
        // It has no redirect URI.
        good().set("client_id", "machine"),
        good().without("redirect_uri"),
        good().add("redirect_uri", "https://evil.example/callback"),
        good().add("redirect_uri", CALLBACK),
        good().set("state", "a".repeat(9000)),
    ];
    bad.extend(lies.map(|uri| good().set("redirect_uri", uri)));
    bad.extend(port_lies.map(|uri| native().set("redirect_uri", uri)));
    for query in bad {
        let answer = scene.get("/authorize", &query).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query:?}");
        assert!(answer.headers.get(LOCATION).is_none(), "{query:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_else_is_wrong_the_client_is_told() {
    let scene = Scene::new();
    let good = Form::authorization;
    for (query, error) in [
        (good().without("response_type"), "invalid_request"),
        (good().set("response_type", "token"), "unsupported_response_type"),
        (good().set("response_type", "code id_token"), "unsupported_response_type"),
        (good().add("response_type", "code"), "invalid_request"),
        (good().without("code_challenge"), "invalid_request"),
        (good().set("code_challenge", VERIFIER.to_lowercase().repeat(2)), "invalid_request"),
        (good().set("code_challenge", "short"), "invalid_request"),
        (good().add("code_challenge", CHALLENGE), "invalid_request"),
        (good().without("code_challenge_method"), "invalid_request"),
        (good().set("code_challenge_method", "plain"), "invalid_request"),
        (good().set("code_challenge_method", "s256"), "invalid_request"),
        (good().set("scope", "admin"), "invalid_scope"),
        (good().set("scope", "read admin"), "invalid_scope"),
        (good().set("scope", "read  write"), "invalid_scope"),
        (good().set("scope", "re\"ad"), "invalid_scope"),
        (good().add("scope", "write"), "invalid_request"),
        (good().without("resource"), "invalid_target"),
        (good().set("resource", ""), "invalid_target"),
        (good().set("resource", "/mcp"), "invalid_target"),
        (good().set("scope", "read ".repeat(900) + "read"), "invalid_scope"),
        // OpenID Connect Core §6, §7.2.1.
        (good().add("request", "e30.e30."), "request_not_supported"),
        (good().add("request_uri", "https://app.example/request"), "request_uri_not_supported"),
        (good().add("registration", "{}"), "registration_not_supported"),
        (good().set("resource", format!("{RESOURCE}#part")), "invalid_target"),
        (good().add("resource", "not absolute"), "invalid_target"),
    ] {
        let answer = scene.authorize(&query).await;
        assert_eq!(answer["error"], error, "{query:?}");
        assert!(!answer["error_description"].is_empty());
        assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("s t&=ä", URL), "{query:?}");
        assert!(!answer.contains_key("code"));
    }
    let answer = scene.authorize(&good().add("state", "second")).await;
    assert_eq!((answer["error"].as_str(), answer.get("state")), ("invalid_request", None));
    let answer = scene.authorize(&good().without("state")).await;
    assert!(answer.contains_key("code") && !answer.contains_key("state"), "{answer:?}");
    // By POST too (RFC 6749 §3.1), and then by nothing else.
    let post = async |url: String, content: &Form| {
        let request = FetchRequest::get(url.parse().unwrap(), "*/*", 4096);
        scene.issuer.fetch().fetch(request.posting(PostContent::form(content.text()))).await.unwrap()
    };
    let answer = post(format!("{URL}/authorize"), &good()).await;
    assert!(answer.headers["location"].to_str().unwrap().contains("?code="));
    let answer = post(format!("{URL}/authorize?{}", good().text()), &Form(vec![])).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    scene.code(&good().add("request", "").add("request_uri", "").add("registration", "")).await;
    // What nobody knows is ignored (RFC 6749 §3.1).
    scene.code(&good().add("display", "page").add("display", "popup")).await;
}

#[tokio::test(start_paused = true)]
async fn a_code_is_good_once_and_its_token_outlives_the_second_attempt() {
    let scene = Scene::new();
    let code = scene.code(&Form::authorization()).await;
    let (_, content) = scene.token(&Form::token(&code), None).await;
    for _ in 0..2 {
        assert_eq!(scene.refused(&Form::token(&code), None).await, "invalid_grant");
    }
    scene.accepted(RESOURCE, &content).await;
    let second = scene.code(&Form::authorization()).await;
    assert_ne!(code, second);
    assert_eq!(scene.token(&Form::token(&second), None).await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_code_that_does_not_fit_gets_nothing_and_stays_with_its_owner() {
    let scene = Scene::new();
    let code = scene.code(&Form::authorization()).await;
    let good = || Form::token(&code);
    for (form, error) in [
        (good().set("code", "code-of-nobody"), "invalid_grant"),
        (good().set("code", code.to_uppercase()), "invalid_grant"),
        (good().without("code"), "invalid_request"),
        (good().add("code", code.as_str()), "invalid_request"),
        (good().set("client_id", "other"), "invalid_grant"),
        (good().set("client_id", "nobody"), "invalid_client"),
        (good().without("client_id"), "invalid_client"),
        // It has a secret, and does not show it.
        (good().set("client_id", "cab"), "invalid_client"),
        (good().set("redirect_uri", "https://app.example/second?x=1"), "invalid_grant"),
        (good().set("redirect_uri", format!("{CALLBACK}/")), "invalid_grant"),
        (good().without("redirect_uri"), "invalid_request"),
        (good().set("code_verifier", VERIFIER.to_lowercase()), "invalid_grant"),
        (good().set("code_verifier", CHALLENGE), "invalid_grant"),
        (good().set("code_verifier", &VERIFIER[1..]), "invalid_grant"),
        (good().set("code_verifier", ""), "invalid_request"),
        (good().without("code_verifier"), "invalid_request"),
        (good().add("code_verifier", VERIFIER), "invalid_request"),
        (good().set("resource", "https://other.example"), "invalid_target"),
        (good().set("resource", format!("{RESOURCE}/")), "invalid_target"),
        (good().add("resource", "https://other.example"), "invalid_target"),
        (good().set("grant_type", "implicit"), "unsupported_grant_type"),
        (good().without("grant_type"), "invalid_request"),
        (good().add("grant_type", "client_credentials"), "invalid_request"),
    ] {
        assert_eq!(scene.refused(&form, None).await, error, "{form:?}");
    }
    // Another client, which proves that it is that one.
    assert_eq!(scene.refused(&good().without("client_id"), Some(BASIC[0])).await, "invalid_grant");
    assert_eq!(scene.token(&good(), None).await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_code_is_good_for_less_than_a_minute() {
    for (seconds, status) in
        [(59, StatusCode::OK), (60, StatusCode::BAD_REQUEST), (3600, StatusCode::BAD_REQUEST)]
    {
        let scene = Scene::new();
        let code = scene.code(&Form::authorization()).await;
        scene.clock.advance(Duration::from_secs(seconds));
        assert_eq!(scene.token(&Form::token(&code), None).await.0, status, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_user_is_chosen_and_may_say_no() {
    let scene = Scene::with(|issuer| issuer.consents_as("ann"));
    let code = scene.code(&Form::authorization()).await;
    let (_, content) = scene.token(&Form::token(&code), None).await;
    assert_eq!(scene.accepted(RESOURCE, &content).await.subject(), Some("ann"));

    let scene = Scene::with(|issuer| issuer.denies_consent());
    let answer = scene.authorize(&Form::authorization()).await;
    assert_eq!(answer["error"], "access_denied");
    assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("s t&=ä", URL));
    // What would have been wrong anyway is still told first.
    let answer = scene.authorize(&Form::authorization().set("scope", "admin")).await;
    assert_eq!(answer["error"], "invalid_scope");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_for_the_resources_that_were_named() {
    let (first, second) = ("https://one.example", "https://two.example");
    let scene = Scene::new();
    let query = Form::authorization().set("resource", first).add("resource", second);
    let form = |code: &str| Form::token(code).without("resource");
    for (form, audiences) in [
        (form(&scene.code(&query).await), vec![first, second]),
        (form(&scene.code(&query).await).add("resource", second), vec![second]),
        (form(&scene.code(&query).await).add("resource", second).add("resource", first), vec![second, first]),
    ] {
        let (_, content) = scene.token(&form, None).await;
        let token = scene.accepted(audiences[0], &content).await;
        assert_eq!(token.audience().collect::<Vec<_>>(), audiences);
    }
    let scene = Scene::with(|issuer| issuer.default_audience(RESOURCE));
    let code = scene.code(&Form::authorization().without("resource")).await;
    let (_, content) = scene.token(&form(&code), None).await;
    scene.accepted(RESOURCE, &content).await;
    let code = scene.code(&Form::authorization().without("resource")).await;
    assert_eq!(scene.refused(&form(&code).add("resource", first), None).await, "invalid_target");
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_secret_shows_it_and_one_without_is_no_machine() {
    let scene = Scene::new();
    let query = Form::authorization().set("client_id", "cab");
    let code = scene.code(&query).await;
    let form = Form::token(&code).without("client_id");
    // Not by its name alone, not with another secret, and not as somebody else.
    assert_eq!(scene.refused(&form.clone().add("client_id", "cab"), None).await, "invalid_client");
    let wrong = form.clone().add("client_id", "cab").add("client_secret", "other");
    assert_eq!(scene.refused(&wrong, None).await, "invalid_client");
    assert_eq!(scene.refused(&form.clone().add("client_id", "app"), Some(BASIC[0])).await, "invalid_client");
    assert_eq!(scene.token(&form, Some(BASIC[0])).await.0, StatusCode::OK);
    let code = scene.code(&query).await;
    let post = Form::token(&code).set("client_id", "cab").add("client_secret", "secret");
    assert_eq!(scene.token(&post, None).await.0, StatusCode::OK);

    // A public client has no secret, not even an empty one.
    let code = scene.code(&Form::authorization()).await;
    assert_eq!(
        scene.refused(&Form::token(&code).without("client_id"), Some(BASIC[1])).await,
        "invalid_client"
    );
    assert_eq!(scene.refused(&Form::token(&code).add("client_secret", ""), None).await, "invalid_client");
    let machine = Form(vec![("grant_type", "client_credentials".into()), ("client_id", "app".into())]);
    assert_eq!(scene.refused(&machine.add("resource", RESOURCE), None).await, "unauthorized_client");
    let question = PostContent::form("token=t&client_id=app");
    assert_eq!(scene.post("/introspect", question, None).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn a_client_registers_itself() {
    let scene = Scene::with(|issuer| issuer.scopes(scopes!["read", "write"]));
    let (status, content) = scene
        .register(&json!({
            "client_name": "An application",
            "redirect_uris": ["http://127.0.0.1:4711/callback", CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            // What it needs first does not bind it.
            "scope": "read",
        }))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{content}");
    assert_eq!(content["redirect_uris"], json!(["http://127.0.0.1:4711/callback", CALLBACK]));
    assert_eq!(
        content["grant_types"],
        json!(["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"])
    );
    assert!(content.get("client_secret").is_none());
    let id = content["client_id"].as_str().unwrap();

    let query = Form::authorization().set("client_id", id);
    for scope in ["read", "read write", "write"] {
        let code = scene.code(&query.clone().set("scope", scope)).await;
        let (_, content) = scene.token(&Form::token(&code).set("client_id", id), None).await;
        assert_eq!(content["scope"], scope);
    }
    assert_eq!(scene.authorize(&query.clone().set("scope", "admin")).await["error"], "invalid_scope");
    let code = scene.code(&query.without("scope")).await;
    let (_, content) = scene.token(&Form::token(&code).set("client_id", id), None).await;
    assert!(content.get("scope").is_none(), "{content}");
    assert_eq!(scene.accepted(RESOURCE, &content).await.scopes().count(), 0);

    // Each is its own.
    let (_, second) = scene.register(&json!({"redirect_uris": [CALLBACK]})).await;
    assert_ne!(second["client_id"], id);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_registered() {
    let scene = Scene::new();
    let good = json!({"redirect_uris": [CALLBACK]});
    assert_eq!(scene.register(&good).await.0, StatusCode::CREATED);
    let many: Vec<_> = (0..9).map(|number| format!("{CALLBACK}/{number}")).collect();
    for (metadata, error) in [
        (json!({}), "invalid_redirect_uri"),
        (json!({"redirect_uris": []}), "invalid_redirect_uri"),
        (json!({"redirect_uris": many}), "invalid_redirect_uri"),
        (json!({"redirect_uris": ["javascript:alert(1)"]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": [CALLBACK, "http://app.example/callback"]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": [format!("{CALLBACK}#part")]}), "invalid_redirect_uri"),
        (json!({"redirect_uris": CALLBACK}), "invalid_client_metadata"),
        (json!({"redirect_uris": [7]}), "invalid_client_metadata"),
        (json!([]), "invalid_client_metadata"),
        (json!("app"), "invalid_client_metadata"),
        (
            json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_basic"}),
            "invalid_client_metadata",
        ),
        (json!({"redirect_uris": [CALLBACK], "grant_types": ["implicit"]}), "invalid_client_metadata"),
        (json!({"redirect_uris": [CALLBACK], "response_types": ["token"]}), "invalid_client_metadata"),
    ] {
        let (status, content) = scene.register(&metadata).await;
        assert_eq!((status, &content["error"]), (StatusCode::BAD_REQUEST, &json!(error)), "{metadata}");
    }
    for text in ["", "{", "[[[[", "{\"redirect_uris\":[\"https://app.example\"]} x"] {
        let (status, _) = scene.post("/register", PostContent::json(text), None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    }
    // What any web page may send without asking first.
    let simple = PostContent::form(json!({"redirect_uris": [CALLBACK]}).to_string());
    let (status, content) = scene.post("/register", simple, None).await;
    assert_eq!((status, &content["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_client_metadata")));
    let deep = "[".repeat(60_000);
    assert_eq!(scene.post("/register", PostContent::json(deep), None).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn clients_and_codes_are_bounded() {
    let scene = Scene::new();
    let metadata = json!({"redirect_uris": [CALLBACK]});
    let (_, first) = scene.register(&metadata).await;
    for _ in 1..1000 {
        assert_eq!(scene.register(&metadata).await.0, StatusCode::CREATED);
    }
    let (status, content) = scene.register(&metadata).await;
    assert_eq!(
        (status, &content["error"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("temporarily_unavailable"))
    );

    // Those that are in are served.
    let query = Form::authorization().set("client_id", first["client_id"].as_str().unwrap());
    for _ in 0..1024 {
        scene.code(&query).await;
    }
    let answer = scene.authorize(&query).await;
    assert_eq!(answer["error"], "temporarily_unavailable");
    scene.clock.advance(Duration::from_secs(60));
    scene.code(&query).await;
}

#[tokio::test(start_paused = true)]
async fn the_metadata_says_what_there_is_at_both_places() {
    let scene = Scene::with(|issuer| issuer.scopes(scopes!["read", "write"]));
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let answer = scene.get(path, &Form(vec![])).await;
        let metadata: Value = serde_json::from_slice(&answer.body).unwrap();
        for (member, value) in [
            ("issuer", json!(URL)),
            ("authorization_endpoint", json!("https://as.example/authorize")),
            ("token_endpoint", json!("https://as.example/token")),
            ("registration_endpoint", json!("https://as.example/register")),
            ("response_types_supported", json!(["code"])),
            ("code_challenge_methods_supported", json!(["S256"])),
            (
                "grant_types_supported",
                json!([
                    "authorization_code",
                    "client_credentials",
                    "refresh_token",
                    "urn:ietf:params:oauth:grant-type:device_code"
                ]),
            ),
            ("authorization_response_iss_parameter_supported", json!(true)),
            ("scopes_supported", json!(["read", "write"])),
        ] {
            assert_eq!(metadata[member], value, "{member}");
        }
        let methods = metadata["token_endpoint_auth_methods_supported"].as_array().unwrap();
        assert!(methods.contains(&json!("none")));
        let methods = metadata["introspection_endpoint_auth_methods_supported"].as_array().unwrap();
        assert!(!methods.contains(&json!("none")));
    }
    let answer = Scene::new().get("/.well-known/openid-configuration", &Form(vec![])).await;
    assert!(!String::from_utf8(answer.body).unwrap().contains("scopes_supported"));
}

#[test]
#[should_panic(expected = "redirect URI")]
fn a_way_back_that_a_browser_would_run_stops_the_test_that_sets_it() {
    let _builder = TestIssuer::builder().public_client("app", ["javascript:alert(1)"], scopes!["read"]);
}

#[tokio::test]
async fn it_is_the_same_over_the_socket() {
    let issuer =
        TestIssuer::builder().public_client("app", [CALLBACK], scopes!["read"]).start().await.unwrap();
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let fetch = HttpFetch::new(client.build().unwrap());
    let url = format!("{}/authorize?{}", issuer.url(), Form::authorization().text());
    let answer = fetch.fetch(FetchRequest::get(url.parse().unwrap(), "*/*", 1 << 20)).await.unwrap();
    let location = Url::parse(answer.headers.get(LOCATION).unwrap().to_str().unwrap()).unwrap();
    let answer: HashMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(answer["iss"], issuer.url());
    let request = FetchRequest::get(format!("{}/token", issuer.url()).parse().unwrap(), "*/*", 1 << 20);
    let form = Form::token(&answer["code"]).text();
    let answer = fetch.fetch(request.posting(PostContent::form(form))).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
}
