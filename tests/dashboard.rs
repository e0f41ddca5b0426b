//! The example `dashboard`: what it must not fall for, and that it goes with an issuer of another hand. `tests/browser.rs` uses it.
#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test fails by panicking; the times of files; and the browser of a user"
)]

#[path = "common/tool.rs"]
mod tool;

use std::{collections::BTreeMap, env, net::TcpListener, path::PathBuf, process::Stdio};

use http::{
    HeaderMap, StatusCode,
    header::{
        CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, LOCATION, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    },
};
use reqwest::{Client, RequestBuilder, redirect::Policy};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};
use tool::Running;
use url::{Url, form_urlencoded};

/// A user's browser, which goes where it is told and keeps the cookies of the dashboard.
struct Browser {
    client: Client,
    dashboard: Url,
    cookies: BTreeMap<String, String>,
    /// What it was sent from there.
    seen: String,
}

struct Page {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Page {
    fn location(&self) -> &str {
        self.headers
            .get(LOCATION)
            .unwrap_or_else(|| panic!("{}: {}", self.status, self.text))
            .to_str()
            .unwrap()
    }
}

impl Browser {
    fn new(dashboard: &Url) -> Self {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { client, dashboard: dashboard.clone(), cookies: BTreeMap::new(), seen: String::new() }
    }

    async fn send(&mut self, request: RequestBuilder, is_dashboard: bool) -> Page {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if is_dashboard { request.header(COOKIE, cookies.join("; ")) } else { request };
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        if is_dashboard {
            self.seen.push_str(&format!("{headers:?}\n{text}\n"));
            for field in headers.get_all(SET_COOKIE) {
                let field = field.to_str().unwrap();
                assert!(field.contains("; HttpOnly") && field.contains("; SameSite=Lax"), "{field}");
                let (name, value) = field.split(';').next().unwrap().split_once('=').unwrap();
                if field.contains("Max-Age=0") {
                    self.cookies.remove(name);
                } else {
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        Page { status, headers, text }
    }

    async fn get(&mut self, place: &str) -> Page {
        let url = self.dashboard.join(place).unwrap();
        let is_dashboard = url.origin() == self.dashboard.origin();
        let request = self.client.get(url);
        self.send(request, is_dashboard).await
    }

    async fn press(&mut self, path: &str, form: &str) -> Page {
        let origin = self.dashboard.origin().ascii_serialization();
        let request = self.client.post(self.dashboard.join(path).unwrap()).header(ORIGIN, origin);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.to_owned());
        let answer = self.send(request, true).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/#happened"));
        self.get("/").await
    }

    /// To the issuer, as this user, and to where it sends them back to.
    async fn decide(&mut self, decision: &str) -> Url {
        let issuer = self.get("/login").await.location().to_owned();
        let page = self.get(&issuer).await;
        let (_, handle) = page.text.split_once(r#"name="request" value=""#).unwrap();
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("request", handle.split('"').next().unwrap())
            .append_pair("user", "ben")
            .append_pair("decision", decision)
            .finish();
        let consent = Url::parse(&issuer).unwrap().join("/consent").unwrap();
        let request = self.client.post(consent).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(form), false).await.location().parse().unwrap()
    }

    async fn log_in(&mut self) -> Page {
        let back = self.decide("allow").await;
        let answer = self.get(back.as_str()).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/"), "{}", answer.text);
        self.get("/").await
    }

    async fn is_logged_in(&mut self) -> bool {
        self.get("/").await.text.contains("Hello, ")
    }
}

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
    for (name, value, why) in [
        ("state", None, "no state"),
        ("state", Some(""), "another login"),
        ("state", Some("x"), "another login"),
        ("iss", None, "does not come from the issuer"),
        ("iss", Some("https://evil.example"), "does not come from the issuer"),
        ("code", None, "no code"),
        ("code", Some("code-x"), "invalid_grant"),
    ] {
        let back = browser.decide("allow").await;
        let page = browser.get(&keeping(&back, name, value)).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{name} {value:?}");
        assert!(page.text.contains(why), "{name} {value:?}: {}", page.text);
        // Nor does the right answer afterwards: a login is asked for anew.
        assert_eq!(browser.get(back.as_str()).await.status, StatusCode::BAD_REQUEST, "{name} {value:?}");
        assert!(!browser.is_logged_in().await, "{name} {value:?}");
    }
    // What somebody else was given, in this browser: with no login of its own, and with one.
    let mut other = Browser::new(&url);
    let foreign = other.decide("allow").await;
    assert!(browser.get(foreign.as_str()).await.text.contains("No login was begun"));
    browser.get("/login").await;
    assert!(browser.get(foreign.as_str()).await.text.contains("another login"));
    assert!(!browser.is_logged_in().await);
    // Theirs it is still.
    assert_eq!(other.get(foreign.as_str()).await.status, StatusCode::SEE_OTHER);
    assert!(other.is_logged_in().await);
    // Once.
    assert_eq!(other.get(foreign.as_str()).await.status, StatusCode::BAD_REQUEST);
    // A parameter twice.
    let back = browser.decide("allow").await;
    let page = browser.get(&format!("{back}&state=x")).await;
    assert_eq!((page.status, page.text.contains("twice")), (StatusCode::BAD_REQUEST, true));
    // A refusal is one of this login too.
    let back = browser.decide("deny").await;
    assert!(browser.get(&keeping(&back, "state", None)).await.text.contains("no state"));
    let back = browser.decide("deny").await;
    let page = browser.get(back.as_str()).await;
    assert_eq!((page.status, page.text.contains("access_denied")), (StatusCode::OK, true));
    assert!(!browser.is_logged_in().await);
}

#[tokio::test]
async fn a_session_begins_with_the_login_and_no_page_but_its_own_uses_it() {
    let (_running, url) = dashboard();
    let mut browser = Browser::new(&url);
    browser.cookies.insert("dashboard-session".to_owned(), "planted".to_owned());
    browser.log_in().await;
    let first = browser.cookies["dashboard-session"].clone();
    assert_ne!(first, "planted");
    assert!(!browser.cookies.contains_key("dashboard-login"));
    browser.log_in().await;
    let second = browser.cookies["dashboard-session"].clone();
    assert_ne!(first, second);
    // The one of before is over.
    let mut other = Browser::new(&url);
    other.cookies.insert("dashboard-session".to_owned(), first);
    assert!(!other.is_logged_in().await);

    let host = format!("127.0.0.1:{}", url.port().unwrap());
    for (origin, host, expected) in [
        (None, &*host, StatusCode::FORBIDDEN),
        (Some("null"), &host, StatusCode::FORBIDDEN),
        (Some("https://evil.example"), &host, StatusCode::FORBIDDEN),
        (Some("http://127.0.0.1:1"), &host, StatusCode::FORBIDDEN),
        (Some("http://evil.example"), "evil.example", StatusCode::MISDIRECTED_REQUEST),
    ] {
        let mut request = browser.client.post(url.join("/logout").unwrap()).header(HOST, host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        assert_eq!(browser.send(request, true).await.status, expected, "{origin:?} {host}");
    }
    let rebound = browser.client.get(url.clone()).header(HOST, "evil.example");
    assert_eq!(browser.send(rebound, true).await.status, StatusCode::MISDIRECTED_REQUEST);
    let page = browser.get("/").await;
    assert!(page.text.contains("Hello, <bdi>Ben Ohm</bdi>"), "{}", page.text);
    let policy = page.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"), "{policy}");
    assert_eq!(page.headers[REFERRER_POLICY], "same-origin");

    let page = browser.press("/call", "call=with_id_token").await;
    assert!(page.text.contains("401 Unauthorized"), "{}", page.text);
    let page = browser.press("/call", "call=in_the_url").await;
    assert!(page.text.contains("401 Unauthorized") && !page.text.contains("error=&quot;"), "{}", page.text);
    let page = browser.press("/expire", "").await;
    assert!(page.text.contains("invalid_token") && page.text.contains("200 OK"), "{}", page.text);
    for secret in ["eyJ", "opaque-", "refresh-", "dashboard-secret"] {
        assert!(!browser.seen.contains(secret), "{secret}");
    }
}

/// A refresh token is used once, whatever buttons are pressed at once.
#[tokio::test]
async fn requests_of_one_session_at_once_are_no_theft() {
    let (_running, url) = dashboard();
    let mut browser = Browser::new(&url);
    browser.log_in().await;
    let cookie = format!("dashboard-session={}", browser.cookies["dashboard-session"]);
    let origin = url.origin().ascii_serialization();
    let presses = (0..8).map(|_| {
        let request = browser.client.post(url.join("/expire").unwrap());
        tokio::spawn(request.header(COOKIE, &cookie).header(ORIGIN, &origin).send())
    });
    for press in presses.collect::<Vec<_>>() {
        assert_eq!(press.await.unwrap().unwrap().status(), StatusCode::SEE_OTHER);
    }
    let page = browser.press("/call", "call=orders").await;
    assert!(page.text.contains("200 OK") && !page.text.contains("log in again"), "{}", page.text);
}

#[test]
fn what_is_missing_it_says() {
    for (variables, expected) in [
        (&[("OAUTH2_ISSUER", "http://127.0.0.1:1")][..], "OAUTH2_CLIENT_ID is not"),
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
    ] {
        let ended = std::process::Command::new(tool::example("dashboard"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
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

    // A port that is free now, and is the dashboard's in a moment.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redirect_uri = format!("http://127.0.0.1:{port}/back");
    let registration = json!({
        "redirect_uris": [redirect_uri],
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
            ("OAUTH2_REDIRECT_URI", &redirect_uri),
        ],
    );
    let url: Url = running.line().unwrap().parse().unwrap();
    assert_eq!(url.port(), Some(port));
    let mut browser = Browser::new(&url);
    // The provider has cookies of its own, and sends its user round: login, consent, back.
    let mut place = browser.get("/login").await.location().to_owned();
    let mut cookies = BTreeMap::new();
    while !place.starts_with(&redirect_uri) {
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
    assert!(page.text.contains("A JWT is good until it expires"), "{}", page.text);
    assert!(!browser.seen.contains("eyJ"));
    assert_eq!(running.interrupt().status, Some(0));
}
