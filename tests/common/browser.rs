//! The example `dashboard`, and the browser of somebody who uses it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_types,
    unreachable_pub,
    missing_docs,
    missing_debug_implementations,
    dead_code,
    reason = "helpers of tests, of which each binary uses some"
)]

use std::collections::BTreeMap;

use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE},
};
use reqwest::{Client, RequestBuilder, redirect::Policy};
use url::{Url, form_urlencoded};

/// A user's browser, which goes where it is told and keeps the cookies of the dashboard.
pub struct Browser {
    pub client: Client,
    pub dashboard: Url,
    pub cookies: BTreeMap<String, String>,
    /// What it was sent from there.
    pub seen: String,
}

pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Page {
    pub fn location(&self) -> &str {
        self.headers
            .get(LOCATION)
            .unwrap_or_else(|| panic!("{}: {}", self.status, self.text))
            .to_str()
            .unwrap()
    }
}

impl Browser {
    pub fn new(dashboard: &Url) -> Self {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { client, dashboard: dashboard.clone(), cookies: BTreeMap::new(), seen: String::new() }
    }

    pub async fn send(&mut self, request: RequestBuilder, is_dashboard: bool) -> Page {
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

    pub async fn get(&mut self, place: &str) -> Page {
        let url = self.dashboard.join(place).unwrap();
        let is_dashboard = url.origin() == self.dashboard.origin();
        let request = self.client.get(url);
        self.send(request, is_dashboard).await
    }

    pub async fn press(&mut self, path: &str, form: &str) -> Page {
        let origin = self.dashboard.origin().ascii_serialization();
        let request = self.client.post(self.dashboard.join(path).unwrap()).header(ORIGIN, origin);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.to_owned());
        let answer = self.send(request, true).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/"));
        self.get("/").await
    }

    /// To the issuer, as this user, and to where it sends them back to.
    pub async fn decide(&mut self, decision: &str) -> Url {
        self.decide_by("/login", decision).await
    }

    pub async fn decide_by(&mut self, login: &str, decision: &str) -> Url {
        let issuer = self.get(login).await.location().to_owned();
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

    pub async fn log_in(&mut self) -> Page {
        self.log_in_by("/login").await
    }

    pub async fn log_in_by(&mut self, login: &str) -> Page {
        let back = self.decide_by(login, "allow").await;
        let answer = self.get(back.as_str()).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/"), "{}", answer.text);
        self.get("/").await
    }

    /// A JWT has a second part that begins as its first; others of the embedded issuer have a name and 256 random bits.
    pub fn saw_no_token(&self) {
        assert!(self.seen.contains("Hello, "));
        for begin in ["eyJ", "opaque-", "refresh-", "dashboard-secret"] {
            for (_, rest) in self.seen.match_indices(begin).map(|(place, _)| self.seen.split_at(place)) {
                let end = rest.find(|one: char| !one.is_ascii_alphanumeric() && !"-_".contains(one));
                let is_token = match begin {
                    "eyJ" => end.is_some_and(|end| rest[end..].starts_with(".eyJ")),
                    "dashboard-secret" => true,
                    _ => end.is_some_and(|end| end > 30),
                };
                assert!(!is_token, "{}", &rest[..end.unwrap_or(rest.len()).min(80)]);
            }
        }
    }

    pub async fn is_logged_in(&mut self) -> bool {
        self.get("/").await.text.contains("Hello, ")
    }
}
