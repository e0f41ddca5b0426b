//! The example `dashboard`: what it must not fall for, and that it goes with an issuer of another hand. `tests/browser.rs` uses it.
#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test fails by panicking; the times of files; and the browser of a user"
)]

#[path = "common/browser.rs"]
mod browser;
#[path = "common/tool.rs"]
mod tool;

use std::{collections::BTreeMap, env, path::PathBuf, process::Stdio};

use browser::Browser;
use http::{
    StatusCode,
    header::{CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE},
};
use reqwest::{Client, redirect::Policy};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};
use tool::Running;
use url::Url;

fn dashboard() -> (Running, Url) {
    let mut running = Running::start("dashboard", &[]);
    let url = running.line().unwrap().parse().unwrap();
    (running, url)
}

/// The same answer with other parameters.
fn with(back: &Url, change: impl Fn(&str, &str) -> Option<String>) -> String {
    let mut changed = back.clone();
    let pairs: Vec<_> = back.query_pairs().into_owned().collect();
    let pairs = pairs.iter().filter_map(|(name, value)| Some((name.clone(), change(name, value)?)));
    changed.query_pairs_mut().clear().extend_pairs(pairs.collect::<Vec<_>>());
    changed.into()
}

fn keeping(back: &Url, name: &'static str, value: Option<&'static str>) -> String {
    with(back, |known, before| if known == name { value.map(str::to_owned) } else { Some(before.to_owned()) })
}

/// RFC 6749 §10.12, RFC 9207 §2.4, RFC 9700 §4.7.
#[tokio::test]
async fn an_answer_that_belongs_to_no_login_of_this_browser_logs_nobody_in() {
    let (_running, url) = dashboard();
    let mut browser = Browser::new(&url);
    let another = "begun no such login";
    for (name, value, why, is_used_up) in [
        ("state", None, "no state", false),
        ("state", Some(""), another, false),
        ("state", Some("x"), another, false),
        ("iss", None, "does not come from the issuer", true),
        ("iss", Some("https://evil.example"), "does not come from the issuer", true),
        ("code", None, "no code", true),
        ("code", Some("code-x"), "invalid_grant", true),
    ] {
        let back = browser.decide("allow").await;
        let page = browser.get(&keeping(&back, name, value)).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{name} {value:?}");
        assert!(page.text.contains(why), "{name} {value:?}: {}", page.text);
        assert!(!browser.is_logged_in().await, "{name} {value:?}");
        // What is no answer to this login leaves it as it is: nobody can end it by a link.
        let after = browser.get(back.as_str()).await.status;
        assert_eq!(after == StatusCode::BAD_REQUEST, is_used_up, "{name} {value:?}");
        browser.cookies.clear();
    }
    // What somebody else was given, in this browser: with no login of its own, and with one.
    let mut other = Browser::new(&url);
    let foreign = other.decide("allow").await;
    assert!(browser.get(foreign.as_str()).await.text.contains(another));
    browser.get("/login").await;
    assert!(browser.get(foreign.as_str()).await.text.contains(another));
    assert!(!browser.is_logged_in().await);
    // Theirs it is still.
    assert_eq!(other.get(foreign.as_str()).await.status, StatusCode::SEE_OTHER);
    assert!(other.is_logged_in().await);
    // Once. And who is logged in stays so, and is told.
    let page = other.get(foreign.as_str()).await;
    assert_eq!(
        (page.status, page.text.contains("still logged in as Ben Ohm")),
        (StatusCode::BAD_REQUEST, true)
    );
    assert!(other.is_logged_in().await);
    // A parameter twice.
    let back = browser.decide("allow").await;
    let page = browser.get(&format!("{back}&state=x")).await;
    assert_eq!((page.status, page.text.contains("twice")), (StatusCode::BAD_REQUEST, true));
    // A refusal is one of this login too.
    let back = browser.decide("deny").await;
    assert!(browser.get(&keeping(&back, "state", None)).await.text.contains("no state"));
    let page = browser.get(back.as_str()).await;
    assert_eq!((page.status, page.text.contains("access_denied")), (StatusCode::OK, true));
    assert!(!browser.is_logged_in().await);
    // Two tabs: each comes back to its own.
    let (first, second) = (browser.decide("allow").await, browser.decide("allow").await);
    for back in [first, second] {
        assert_eq!(browser.get(back.as_str()).await.status, StatusCode::SEE_OTHER);
    }
    assert!(browser.is_logged_in().await);
}

#[tokio::test]
async fn a_session_begins_with_the_login_and_ends_with_the_logout() {
    let (_running, url) = dashboard();
    let mut browser = Browser::new(&url);
    let cookie = format!("dashboard-session-{}", url.port().unwrap());
    browser.cookies.insert(cookie.clone(), "planted".to_owned());
    browser.log_in().await;
    let first = browser.cookies[&cookie].clone();
    assert_ne!(first, "planted");
    browser.log_in().await;
    let second = browser.cookies[&cookie].clone();
    assert_ne!(first, second);
    // The one of before is over.
    let mut other = Browser::new(&url);
    other.cookies.insert(cookie.clone(), first);
    assert!(!other.is_logged_in().await);
    other.cookies.insert(cookie.clone(), second);
    assert!(other.is_logged_in().await);
    // So is this one, wherever it is used.
    let origin = url.origin().ascii_serialization();
    let request = browser.client.post(url.join("/logout").unwrap()).header(ORIGIN, origin);
    assert_eq!(browser.send(request, true).await.status, StatusCode::SEE_OTHER);
    assert!(!browser.cookies.contains_key(&cookie));
    assert!(!other.is_logged_in().await);
}

#[tokio::test]
async fn no_page_but_its_own_uses_a_session() {
    let (_running, url) = dashboard();
    let mut browser = Browser::new(&url);
    browser.log_in().await;
    let host = format!("127.0.0.1:{}", url.port().unwrap());
    for path in ["/call", "/expire", "/revoke", "/logout"] {
        for (origin, host, expected) in [
            (None, &*host, StatusCode::FORBIDDEN),
            (Some("null"), &host, StatusCode::FORBIDDEN),
            (Some("https://evil.example"), &host, StatusCode::FORBIDDEN),
            (Some("http://127.0.0.1:1"), &host, StatusCode::FORBIDDEN),
            (Some("http://evil.example"), "evil.example", StatusCode::MISDIRECTED_REQUEST),
        ] {
            let request = browser.client.post(url.join(path).unwrap()).header(HOST, host);
            let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body("call=me");
            let request = origin.iter().fold(request, |request, origin| request.header(ORIGIN, *origin));
            assert_eq!(browser.send(request, true).await.status, expected, "{path} {origin:?} {host}");
        }
    }
    for path in ["/", "/login", "/callback", "/style.css", "/countdown.js"] {
        let request = browser.client.get(url.join(path).unwrap()).header(HOST, "evil.example");
        assert_eq!(browser.send(request, true).await.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
    let page = browser.get("/").await;
    assert!(page.text.contains("Hello, <bdi>Ben Ohm</bdi>"), "{}", page.text);
    for path in ["/", "/login", "/callback", "/style.css", "/countdown.js"] {
        let fields = browser.get(path).await.headers;
        let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";
        for (name, value) in [
            ("cache-control", "no-store"),
            ("content-security-policy", policy),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(fields[name], value, "{path}");
        }
    }
}

#[tokio::test]
async fn what_the_buttons_do_and_that_no_token_reaches_the_browser() {
    // Nor does one reach a proxy: what is asked on loopback is asked of nobody else.
    let proxies = [("http_proxy", "http://127.0.0.1:1"), ("HTTP_PROXY", "http://127.0.0.1:1")];
    let mut running = Running::start_with("dashboard", &[], &proxies);
    let url = running.line().unwrap().parse().unwrap();
    let mut browser = Browser::new(&url);
    browser.log_in().await;
    let page = browser.press("/call", "call=with_id_token").await;
    assert!(page.text.contains("401 Unauthorized"), "{}", page.text);
    let page = browser.press("/call", "call=in_the_url").await;
    assert!(page.text.contains("401 Unauthorized") && !page.text.contains("error=&quot;"), "{}", page.text);
    let page = browser.press("/expire", "").await;
    let retried = r#"<span>GET /orders with the new access token</span> <strong class="good">200 OK"#;
    assert!(page.text.contains("invalid_token") && page.text.contains(retried), "{}", page.text);
    let page = browser.log_in_by("/login?kind=opaque").await;
    assert!(page.text.contains("opaque: the API asks"), "{}", page.text);
    let page = browser.press("/revoke", "").await;
    assert!(page.text.contains("the token is not active"), "{}", page.text);
    browser.saw_no_token();
}

/// A refresh token is used once, whatever buttons are pressed at once.
#[tokio::test]
async fn requests_of_one_session_at_once_are_no_theft() {
    let (_running, url) = dashboard();
    let mut browser = Browser::new(&url);
    browser.log_in().await;
    let name = format!("dashboard-session-{}", url.port().unwrap());
    let cookie = format!("{name}={}", browser.cookies[&name]);
    let origin = url.origin().ascii_serialization();
    let presses = (0..8).map(|_| {
        let request = browser.client.post(url.join("/expire").unwrap());
        tokio::spawn(request.header(COOKIE, &cookie).header(ORIGIN, &origin).send())
    });
    for press in presses.collect::<Vec<_>>() {
        assert_eq!(press.await.unwrap().unwrap().status(), StatusCode::SEE_OTHER);
    }
    let page = browser.press("/call", "call=orders").await;
    assert!(page.text.contains("200 OK") && !page.text.contains("Log in again"), "{}", page.text);
}

#[test]
fn what_is_missing_it_says() {
    for (variables, expected) in [
        (&[("OAUTH2_ISSUER", "http://127.0.0.1:1")][..], "OAUTH2_CLIENT_ID is not"),
        (&[("OAUTH2_CLIENT_ID", "x")], "OAUTH2_ISSUER is not"),
        (&[("OAUTH2_ISSUER", "http://127.0.0.1:1"), ("OAUTH2_CLIENT_ID", "x")], "OAUTH2_RESOURCE is not"),
        (
            &[
                ("OAUTH2_ISSUER", "http://127.0.0.1:1"),
                ("OAUTH2_CLIENT_ID", "x"),
                ("OAUTH2_RESOURCE", "https://api.example.com"),
                ("OAUTH2_REDIRECT_URI", "https://example.com/callback"),
            ],
            "OAUTH2_REDIRECT_URI is not as",
        ),
        (
            &[
                ("OAUTH2_ISSUER", "http://127.0.0.1:1"),
                ("OAUTH2_CLIENT_ID", "x"),
                ("OAUTH2_AUDIENCE", "https://api.example.com"),
                ("OAUTH2_REDIRECT_URI", "http://127.0.0.1:8080/login"),
            ],
            "OAUTH2_REDIRECT_URI is not as",
        ),
        (
            &[
                ("OAUTH2_ISSUER", "http://127.0.0.1:1"),
                ("OAUTH2_CLIENT_ID", "x"),
                ("OAUTH2_AUDIENCE", "https://api.example.com"),
                ("OAUTH2_REDIRECT_URI", "http://127.0.0.1:8080/style.css"),
            ],
            "OAUTH2_REDIRECT_URI is not as",
        ),
    ] {
        let ended = tool::command("dashboard").envs(variables.iter().copied()).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains(expected) && said.contains("OAUTH2_SCOPE"), "{said}");
    }
}

/// `oidc-provider`, as the environment names it. `scripts/test` installs it; without it this test prints one line and is left out.
#[tokio::test]
async fn with_oidc_provider() {
    let Ok(server) = env::var("BEARERGATE_OIDC_PROVIDER") else {
        println!("left out: `oidc-provider` is not installed, run scripts/test");
        return;
    };
    let mut provider = Command::new("node")
        .arg(PathBuf::from(server).with_file_name("login.mjs"))
        .args(["read:orders", "write:orders"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(provider.stdout.take().unwrap()).lines();
    let line: Value = serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap();
    let issuer = line["issuer"].as_str().unwrap();

    // At any port, which native clients may choose (RFC 8252 §7.3).
    let registered_uri = "http://127.0.0.1/back";
    let registration = json!({
        "redirect_uris": [registered_uri],
        "application_type": "native",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
    });
    let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let request = client.post(format!("{issuer}/reg")).header(CONTENT_TYPE, "application/json");
    let registered = request.body(registration.to_string()).send().await.unwrap().text().await.unwrap();
    let registered: Value = serde_json::from_str(&registered).unwrap();
    let text = |name: &str| registered[name].as_str().unwrap_or_else(|| panic!("{registered}"));

    let mut running = Running::start_with(
        "dashboard",
        &[],
        &[
            ("OAUTH2_ISSUER", issuer),
            ("OAUTH2_CLIENT_ID", text("client_id")),
            ("OAUTH2_CLIENT_SECRET", text("client_secret")),
            ("OAUTH2_RESOURCE", "https://api.example.com"),
            ("OAUTH2_REDIRECT_URI", "http://127.0.0.1:0/back"),
        ],
    );
    let url: Url = running.line().unwrap().parse().unwrap();
    let redirect_uri = url.join("back").unwrap();
    let mut browser = Browser::new(&url);
    // The provider has cookies of its own, and sends its user round: login, consent, back.
    let mut place = browser.get("/login").await.location().to_owned();
    let mut cookies = BTreeMap::new();
    while !place.starts_with(redirect_uri.as_str()) {
        let pairs: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = client.get(&place).header(COOKIE, pairs.join("; ")).send().await.unwrap();
        for field in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = field.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        let Some(next) = answer.headers().get(LOCATION) else {
            panic!("{place}: {} {}", answer.status(), answer.text().await.unwrap());
        };
        place = Url::parse(&place).unwrap().join(next.to_str().unwrap()).unwrap().into();
    }
    let answer = browser.get(&place).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let page = browser.get("/").await;
    assert!(page.text.contains("Hello, <bdi>Ann Arbor</bdi>"), "{}", page.text);
    assert!(page.text.contains("&quot;sub&quot;: &quot;ann&quot;"), "{}", page.text);
    let page = browser.press("/call", "call=orders").await;
    assert!(page.text.contains("200 OK"), "{}", page.text);
    let page = browser.press("/call", "call=place_order").await;
    assert!(page.text.contains("403 Forbidden") && page.text.contains("insufficient_scope"), "{}", page.text);
    let page = browser.press("/call", "call=with_id_token").await;
    assert!(page.text.contains("401 Unauthorized"), "{}", page.text);
    let page = browser.press("/revoke", "").await;
    assert!(page.text.contains("Its refresh token is over already"), "{}", page.text);
    browser.saw_no_token();
    assert_eq!(running.interrupt().status, Some(0));
}
