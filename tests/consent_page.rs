//! The page of the embedded issuer asks a user, shows nothing that could deceive one, and takes an answer once, from itself alone.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_types, reason = "this client plays the browser")]

#[allow(unreachable_pub, reason = "shared by several test binaries")]
#[path = "common/authorization.rs"]
mod authorization;

use std::{collections::HashMap, time::Duration};

use authorization::{CALLBACK, Form, RESOURCE, Scene, URL};
use bearergate::{
    Fetch as _, FetchRequest, FetchResponse, PostContent, scopes,
    testing::{Endpoint, Fault, TestIssuer},
};
use http::{StatusCode, header::LOCATION};
use serde_json::json;
use url::{Url, form_urlencoded};

fn scene() -> Scene {
    Scene::with(|issuer| {
        issuer
            .users(["ann", "ben & co", "cleo"])
            .user_name("ann", "Ann Archer")
            .scope_explained("read", "See your orders")
    })
}

/// The page that asks.
async fn page(scene: &Scene, query: &Form) -> String {
    let answer = scene.get("/authorize", query).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert!(answer.headers.get(LOCATION).is_none());
    String::from_utf8(answer.body).unwrap()
}

/// What stands between two marks.
fn between<'t>(text: &'t str, before: &str, behind: &str) -> &'t str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{before} is not in {text}"));
    rest.split_once(behind).unwrap().0
}

fn handle(page: &str) -> &str {
    between(page, r#"name="request" value=""#, "\"")
}

async fn asked(scene: &Scene) -> String {
    handle(&page(scene, &Form::authorization()).await).to_owned()
}

fn decision(handle: &str, user: &str, decision: &str) -> Form {
    Form(vec![]).add("request", handle).add("user", user).add("decision", decision)
}

async fn decide(scene: &Scene, form: &Form) -> FetchResponse {
    let request = FetchRequest::get(format!("{URL}/consent").parse().unwrap(), "text/html", 1 << 20)
        .posting(PostContent::form(form.text()));
    let answer = scene.issuer.fetch().fetch(request).await.unwrap();
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["referrer-policy"], "no-referrer");
    answer
}

/// What comes back to the client.
async fn sent_back(scene: &Scene, form: &Form) -> HashMap<String, String> {
    let answer = decide(scene, form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", String::from_utf8_lossy(&answer.body));
    let location = answer.headers[LOCATION].to_str().unwrap();
    let query = location.strip_prefix(CALLBACK).unwrap().strip_prefix('?').unwrap();
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

async fn is_refused(scene: &Scene, form: &Form) {
    let answer = decide(scene, form).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{form:?}");
    assert!(answer.headers.get(LOCATION).is_none(), "{form:?}");
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    assert!(String::from_utf8(answer.body).unwrap().contains("Nothing was decided"));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_picked_is_whom_the_token_is_of() {
    let scene = scene();
    for user in ["ann", "ben & co", "cleo"] {
        let answer = sent_back(&scene, &decision(&asked(&scene).await, user, "allow")).await;
        assert_eq!(answer.len(), 3, "{answer:?}");
        assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("s t&=ä", URL));
        let (status, content) = scene.token(&Form::token(&answer["code"]), None).await;
        assert_eq!((status, &content["scope"]), (StatusCode::OK, &json!("read")));
        let token = scene.accepted(RESOURCE, &content).await;
        assert_eq!((token.subject(), token.client_id()), (Some(user), Some("app")));
    }
    assert_eq!(scene.issuer.requests_to(Endpoint::Authorization), 3);
    assert_eq!(scene.issuer.requests_to(Endpoint::Consent), 3);
}

#[tokio::test(start_paused = true)]
async fn whoever_denies_need_not_say_who_they_are() {
    let scene = scene();
    let handle = asked(&scene).await;
    let answer = sent_back(&scene, &decision(&handle, "", "deny").without("user")).await;
    assert_eq!((answer["error"].as_str(), answer["state"].as_str()), ("access_denied", "s t&=ä"));
    assert_eq!(answer["iss"], URL);
    assert!(!answer.contains_key("code"));
    // That was it.
    is_refused(&scene, &decision(&handle, "ann", "allow")).await;
    let answer = sent_back(&scene, &decision(&asked(&scene).await, "ben & co", "deny")).await;
    assert_eq!(answer["error"], "access_denied");
}

#[tokio::test(start_paused = true)]
async fn a_form_that_decides_nothing_leaves_the_request_waiting() {
    let scene = scene();
    let handle = asked(&scene).await;
    let good = || decision(&handle, "ann", "allow");
    for form in [
        good().set("user", "mallory"),
        good().set("user", "Ann Archer"),
        good().set("user", "ANN"),
        good().set("user", ""),
        good().without("user"),
        good().add("user", "cleo"),
        good().set("decision", "Allow"),
        good().set("decision", ""),
        good().without("decision"),
        good().add("decision", "deny"),
        good().without("request"),
        good().set("request", ""),
        good().add("request", handle.as_str()),
        // Handles of nobody.
        good().set("request", "request-"),
        good().set("request", handle.to_uppercase()),
        good().set("request", &handle[1..]),
        good().set("request", format!("{handle}A")),
        Form(vec![]),
    ] {
        is_refused(&scene, &form).await;
    }
    assert!(sent_back(&scene, &good()).await.contains_key("code"));
}

#[tokio::test(start_paused = true)]
async fn a_handle_is_good_once_and_for_its_own_request() {
    let scene = scene();
    let (first, second) = (asked(&scene).await, asked(&scene).await);
    assert_ne!(first, second);
    // 256 bits in base64url.
    assert!(first.len() >= 43, "{first}");
    let allowed = decision(&first, "ann", "allow");
    sent_back(&scene, &allowed).await;
    for form in [allowed.clone(), allowed, decision(&first, "ann", "deny")] {
        is_refused(&scene, &form).await;
    }
    sent_back(&scene, &decision(&second, "cleo", "allow")).await;

    // What the form brings besides changes nothing.
    let form = decision(&asked(&scene).await, "ann", "allow")
        .add("scope", "read write")
        .add("redirect_uri", "https://evil.example/callback")
        .add("state", "other")
        .add("client_id", "other");
    let answer = sent_back(&scene, &form).await;
    assert_eq!(answer["state"], "s t&=ä");
    assert_eq!(scene.token(&Form::token(&answer["code"]), None).await.1["scope"], "read");
}

#[tokio::test(start_paused = true)]
async fn a_page_is_good_for_ten_minutes() {
    for (seconds, is_good) in [(599, true), (600, false), (86_400, false)] {
        let scene = scene();
        let form = decision(&asked(&scene).await, "ann", "allow");
        scene.clock.advance(Duration::from_secs(seconds));
        if is_good {
            // The code has its own minute.
            let answer = sent_back(&scene, &form).await;
            assert_eq!(scene.token(&Form::token(&answer["code"]), None).await.0, StatusCode::OK);
        } else {
            is_refused(&scene, &form).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_bounded_and_the_oldest_makes_room() {
    let scene = scene();
    let (first, second) = (asked(&scene).await, asked(&scene).await);
    for _ in 2..1024 {
        asked(&scene).await;
    }
    // That makes one too many.
    let last = asked(&scene).await;
    is_refused(&scene, &decision(&first, "ann", "allow")).await;
    for handle in [second, last] {
        sent_back(&scene, &decision(&handle, "ann", "allow")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_request_is_told_before_anybody_is_asked() {
    let scene = scene();
    let answer = scene.get("/authorize", &Form::authorization().set("client_id", "nobody")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers["content-type"], "application/json");
    let answer = scene.authorize(&Form::authorization().set("scope", "admin")).await;
    assert_eq!(answer["error"], "invalid_scope");
    let answer = scene.authorize(&Form::authorization().without("code_challenge")).await;
    assert_eq!(answer["error"], "invalid_request");
}

#[tokio::test(start_paused = true)]
async fn the_page_says_who_asks_for_what() {
    let scene = scene();
    let query = Form::authorization()
        .set("client_id", "native")
        .set("redirect_uri", "http://127.0.0.1:4711/callback")
        .add("resource", "https://other.example/api");
    let text = page(&scene, &query).await;
    for part in [
        "Embedded test issuer: not for production.",
        "<h1>Allow <bdi>native</bdi> to act for you?</h1>",
        "<code>127.0.0.1:4711</code>",
        "<li>See your orders (<code>read</code>)</li>",
        "<dd><code>https://api.example.com/mcp</code></dd><dd><code>https://other.example/api</code></dd>",
        r#"name="user" value="ann""#,
        "<bdi>Ann Archer</bdi>",
        r#"value="ben &amp; co""#,
        "<bdi>cleo</bdi>",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    // A scope that nobody explained, and the host without a port.
    let text = page(&scene, &Form::authorization().set("scope", "read write")).await;
    assert!(text.contains("<li><code>write</code></li>") && text.contains("<code>app.example</code>"));

    // Who registered itself says its name itself.
    let metadata = json!({"redirect_uris": [CALLBACK], "client_name": "The shop"});
    let (_, registered) = scene.register(&metadata).await;
    assert_eq!(registered["client_name"], "The shop");
    let id = registered["client_id"].as_str().unwrap();
    let text = page(&scene, &Form::authorization().set("client_id", id).without("scope")).await;
    for part in
        ["<bdi>The shop</bdi>, as it calls itself", &format!("<code>{id}</code>"), "It asks for no scope."]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let (_, registered) = scene.register(&json!({"redirect_uris": [CALLBACK]})).await;
    assert!(registered.get("client_name").is_none());
}

#[tokio::test(start_paused = true)]
async fn nothing_that_somebody_else_wrote_is_markup() {
    let script = "<script>alert('1')</script>";
    let scene = Scene::with(|issuer| {
        issuer
            .users([format!("\"><b>{script}")])
            .scope_explained("read", script)
            .scope_explained("write", "safe")
    });
    let name = format!("{script}\"><img src=x onerror=alert(1)> \u{202e}nimda");
    let (_, registered) = scene
        .register(&json!({"redirect_uris": ["https://app.example/<script>\"x'"], "client_name": name}))
        .await;
    let query = Form::authorization()
        .set("client_id", registered["client_id"].as_str().unwrap())
        .set("redirect_uri", "https://app.example/<script>\"x'")
        .set("scope", "read <script>alert('1')</script>")
        .set("state", script)
        .set("resource", "https://api.example.com/<script>'&quot;");
    let text = page(&scene, &query).await;
    for bad in ["<script", "<img", "<b>", "onerror=alert(1)>", "\u{202e}"] {
        assert!(!text.contains(bad), "{bad} is in {text}");
    }
    for good in ["&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;", "&#39;&amp;quot;", "\u{fffd}nimda"] {
        assert!(text.contains(good), "{good} is not in {text}");
    }
    // It stays what it is for those whom it is for.
    let form = decision(handle(&text), &format!("\"><b>{script}"), "allow");
    let answer = decide(&scene, &form).await;
    let location = Url::parse(answer.headers[LOCATION].to_str().unwrap()).unwrap();
    let answer: HashMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(answer["state"], script);
    // The page of nothing repeats nothing.
    let answer = decide(&scene, &decision(script, script, script)).await;
    assert!(!String::from_utf8(answer.body).unwrap().contains("alert"));
}

#[tokio::test(start_paused = true)]
async fn long_texts_are_cut() {
    let scene = scene();
    let metadata = json!({"redirect_uris": [CALLBACK], "client_name": "n".repeat(5000)});
    let (_, registered) = scene.register(&metadata).await;
    assert_eq!(registered["client_name"], "n".repeat(200));
    let query = Form::authorization()
        .set("client_id", registered["client_id"].as_str().unwrap())
        .set("scope", "s".repeat(2000))
        .set("resource", format!("https://api.example.com/{}", "r".repeat(2000)))
        .set("state", "t".repeat(2000));
    let text = page(&scene, &query).await;
    for (letter, most) in [("n", 80), ("s", 200), ("r", 200), ("t", 20)] {
        assert!(!text.contains(&letter.repeat(most + 1)), "{letter}");
    }
    assert!(text.contains(&format!("{}…", "n".repeat(80))));
}

#[tokio::test(start_paused = true)]
async fn the_page_is_kept_nowhere_framed_nowhere_and_runs_nothing() {
    let scene = scene();
    let good = Form::authorization();
    let native =
        good.clone().set("client_id", "native").set("redirect_uri", "http://127.0.0.1:4711/callback");
    let mut nonces = Vec::new();
    for (query, leads_to) in
        [(good, "'self' https://app.example"), (native, "'self' http://127.0.0.1:* http://localhost:*")]
    {
        let answer = scene.get("/authorize", &query).await;
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.headers[name], value, "{name}");
        }
        let text = String::from_utf8(answer.body).unwrap();
        let nonce = between(&text, "<style nonce=\"", "\"").to_owned();
        assert_eq!(
            answer.headers["content-security-policy"].to_str().unwrap(),
            format!(
                "default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action {leads_to}"
            )
        );
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
    let answer = decide(&scene, &Form(vec![])).await;
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.ends_with("frame-ancestors 'none'; form-action 'none'"), "{policy}");
    assert_eq!(answer.headers["x-frame-options"], "DENY");
}

/// The tags of this name, as they begin.
fn tags<'t>(page: &'t str, name: &str) -> Vec<&'t str> {
    let begin = format!("<{name}");
    let ends = |rest: &&str| rest.starts_with([' ', '>']);
    page.split(begin.as_str()).skip(1).filter(ends).map(|rest| rest.split_once('>').unwrap().0).collect()
}

#[tokio::test(start_paused = true)]
async fn the_page_can_be_used_by_everybody() {
    let scene = scene();
    let asks = page(&scene, &Form::authorization()).await;
    let tells = decide(&scene, &Form(vec![])).await.body;
    for text in [&asks, std::str::from_utf8(&tells).unwrap()] {
        assert!(text.starts_with("<!doctype html>\n<html lang=\"en\">"));
        assert!(text.contains(r#"<meta name="viewport" content="width=device-width, initial-scale=1">"#));
        for (name, count) in [("h1", 1), ("main", 1), ("title", 1), ("script", 0), ("a", 0)] {
            assert_eq!(tags(text, name).len(), count, "{name}");
        }
        for attribute in ["tabindex", "style=", "onclick", "onload", "autofocus"] {
            assert!(!text.contains(attribute), "{attribute}");
        }
    }
    let labels = tags(&asks, "label");
    let (mut fields, mut hidden) = (0, Vec::new());
    for input in tags(&asks, "input") {
        if input.contains(r#"type="hidden""#) {
            hidden.push(between(input, "name=\"", "\""));
            continue;
        }
        fields += 1;
        assert!(input.contains(r#"type="radio""#) && input.contains("required"), "{input}");
        let label = format!(" for=\"{}\"", between(input, "id=\"", "\""));
        assert_eq!(labels.iter().filter(|known| ***known == label).count(), 1, "{label}");
    }
    assert_eq!((fields, labels.len(), hidden), (3, 3, vec!["request"]));
    assert_eq!(asks.matches(" checked").count(), 1);
    assert!(asks.contains("<fieldset>\n<legend>Who are you?</legend>"));
    let buttons = tags(&asks, "button");
    assert_eq!(buttons.len(), 2);
    assert!(buttons.iter().all(|button| button.contains(r#"type="submit" name="decision""#)));
    assert_eq!(tags(&asks, "form"), [r#" method="post" action="/consent" autocomplete="off""#]);
}

/// WCAG 2.2 §1.4.6 wants 7 between text and ground, §1.4.11 wants 3 of lines.
#[tokio::test(start_paused = true)]
async fn the_colours_can_be_told_apart() {
    fn luminance(colour: &str) -> f64 {
        let digits: String = match colour.strip_prefix('#').unwrap() {
            short if short.len() == 3 => short.chars().flat_map(|digit| [digit, digit]).collect(),
            long => long.to_owned(),
        };
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
    }
    let text = page(&scene(), &Form::authorization()).await;
    let schemes: Vec<_> = text.split(":root {").skip(1).map(|rest| rest.split_once('}').unwrap().0).collect();
    assert_eq!(schemes.len(), 2);
    for scheme in schemes {
        let colour = |name: &str| luminance(between(scheme, &format!("--{name}: "), ";"));
        for (one, other, least) in [
            ("text", "ground", 7.0),
            ("warn-text", "warn", 7.0),
            ("act-text", "act", 7.0),
            ("act", "ground", 3.0),
            ("line", "ground", 3.0),
        ] {
            let (one_is, other_is) = (colour(one), colour(other));
            let contrast = (one_is.max(other_is) + 0.05) / (one_is.min(other_is) + 0.05);
            assert!(contrast >= least, "{one} on {other}: {contrast} in {scheme}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_users_nobody_is_asked() {
    for (scene, member) in [
        (Scene::new(), "code"),
        (Scene::with(|issuer| issuer.users(["ann"]).consents_as("ben")), "code"),
        (Scene::with(|issuer| issuer.users(["ann"]).denies_consent()), "error"),
    ] {
        assert!(scene.authorize(&Form::authorization()).await.contains_key(member));
        let request = FetchRequest::get(format!("{URL}/consent").parse().unwrap(), "*/*", 1 << 20)
            .posting(PostContent::form(decision("request-", "ann", "allow").text()));
        let answer = scene.issuer.fetch().fetch(request).await.unwrap();
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.body, br#"{"error":"not_found"}"#);
    }
    let answer = scene().get("/consent", &Form(vec![])).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn what_is_decided_can_go_wrong_too() {
    let scene = scene();
    let form = decision(&asked(&scene).await, "ann", "allow");
    scene.issuer.faults().script(Endpoint::Consent, [Fault::Status(StatusCode::BAD_GATEWAY)]);
    let request = FetchRequest::get(format!("{URL}/consent").parse().unwrap(), "*/*", 1 << 20)
        .posting(PostContent::form(form.text()));
    assert_eq!(scene.issuer.fetch().fetch(request).await.unwrap().status, StatusCode::BAD_GATEWAY);
    // The answer was lost, and what was decided was decided.
    is_refused(&scene, &form).await;
}

#[tokio::test]
async fn another_site_decides_nothing() {
    let issuer = TestIssuer::builder()
        .public_client("app", [CALLBACK], scopes!["read"])
        .users(["ann"])
        .start()
        .await
        .unwrap();
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().unwrap();
    let ask = async || {
        let url = format!("{}/authorize?{}", issuer.url(), Form::authorization().text());
        let text = client.get(url).send().await.unwrap().text().await.unwrap();
        handle(&text).to_owned()
    };
    let decide = async |handle: &str, fields: &[(&str, &str)]| {
        let mut request = client
            .post(format!("{}/consent", issuer.url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(decision(handle, "ann", "allow").text());
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status()
    };
    let own = issuer.url();
    let other_port = "http://127.0.0.1:1";
    let handle = ask().await;
    for fields in [
        &[("origin", "https://evil.example")][..],
        &[("origin", other_port)],
        &[("origin", "null")],
        &[("origin", "")],
        &[("origin", own), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("origin", "null")],
        &[("sec-fetch-site", "cross-site"), ("origin", own)],
        &[("sec-fetch-site", "same-site"), ("origin", other_port)],
        &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
    ] {
        assert_eq!(decide(&handle, fields).await, StatusCode::FORBIDDEN, "{fields:?}");
    }
    // What was refused has spent nothing.
    assert_eq!(decide(&handle, &[]).await, StatusCode::SEE_OTHER);
    let by_name = own.replace("127.0.0.1", "localhost");
    for fields in [
        &[("origin", own)][..],
        &[("sec-fetch-site", "same-origin")],
        // As browsers send it from a page without referrer.
        &[("sec-fetch-site", "same-origin"), ("origin", "null")],
        &[("sec-fetch-site", "same-origin"), ("origin", own)],
        &[("host", by_name.strip_prefix("http://").unwrap()), ("origin", &by_name)],
    ] {
        assert_eq!(decide(&ask().await, fields).await, StatusCode::SEE_OTHER, "{fields:?}");
    }
}

#[test]
#[should_panic(expected = "a user to pick")]
fn a_page_without_users_stops_the_test_that_sets_it() {
    let _builder = TestIssuer::builder().users(Vec::<String>::new());
}

#[test]
#[should_panic(expected = "on the page")]
fn so_does_a_name_for_nobody() {
    let _builder = TestIssuer::builder().users(["ann"]).user_name("ben", "Ben");
}

#[test]
#[should_panic(expected = "a scope is printable")]
fn and_an_explanation_of_what_is_no_scope() {
    let _builder = TestIssuer::builder().scope_explained("read write", "Both");
}

/// OpenID Connect Core §3.1.2.1: a hint, and no more.
#[tokio::test(start_paused = true)]
async fn whom_the_client_takes_them_for_is_picked_already() {
    let scene = scene();
    for (hint, picked) in [("cleo", "cleo"), ("ben & co", "ben &amp; co"), ("nobody", "ann"), ("", "ann")] {
        let page = page(&scene, &Form::authorization().set("login_hint", hint)).await;
        assert_eq!(page.matches(" checked").count(), 1, "{hint}");
        let choice = page.lines().find(|line| line.contains(" checked")).unwrap();
        assert!(choice.contains(&format!("value=\"{picked}\"")), "{hint}: {choice}");
    }
}

/// What nobody is sent back with is read by whoever sits there: a page for a browser, JSON for a program.
#[tokio::test(start_paused = true)]
async fn a_browser_is_told_on_a_page_what_is_wrong() {
    let scene = scene();
    let ask = async |accept: &'static str, query: &Form| {
        let url = format!("{URL}/authorize?{}", query.text()).parse().unwrap();
        scene.issuer.fetch().fetch(FetchRequest::get(url, accept, 1 << 20)).await.unwrap()
    };
    for (query, why) in [
        (Form::authorization().without("client_id"), "client_id is missing"),
        (Form::authorization().set("client_id", "x"), "no client of this client_id"),
        (Form::authorization().without("redirect_uri"), "redirect_uri is missing"),
        (Form::authorization().set("redirect_uri", "https://evil.example/"), "redirect_uri is not one"),
    ] {
        for (accept, media_type) in
            [("text/html,*/*;q=0.8", "text/html; charset=utf-8"), ("*/*", "application/json")]
        {
            let answer = ask(accept, &query).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{why}");
            assert_eq!(answer.headers["content-type"], media_type, "{why}");
            assert!(answer.headers.get(LOCATION).is_none(), "{why}");
            assert!(String::from_utf8(answer.body).unwrap().contains(why), "{why}");
        }
    }
}
