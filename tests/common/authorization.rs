//! A client of the embedded issuer that acts for a user, and what it sends.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    missing_debug_implementations,
    dead_code,
    reason = "helpers of tests, of which each binary uses some"
)]

use std::collections::HashMap;

use bearergate::{
    AccessToken, Claims, Fetch as _, FetchRequest, FetchResponse, PostContent, Presented, ResourceServer,
    scopes,
    testing::{TestClock, TestIssuer, TestIssuerBuilder},
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, LOCATION},
};
use serde_json::Value;
use url::form_urlencoded;

pub const URL: &str = "https://as.example";
pub const RESOURCE: &str = "https://api.example.com/mcp";
pub const CALLBACK: &str = "https://app.example/callback";

/// Both are printed in RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// `cab:secret`, `app:`.
pub const BASIC: [&str; 2] = ["Basic Y2FiOnNlY3JldA==", "Basic YXBwOg=="];

pub struct Scene {
    pub issuer: TestIssuer,
    pub clock: TestClock,
}

impl Scene {
    pub fn new() -> Self {
        Self::with(|issuer| issuer)
    }

    /// `app` is public, as are `other` and `native`; `cab` has a secret.
    pub fn with(settings: impl FnOnce(TestIssuerBuilder) -> TestIssuerBuilder) -> Self {
        let clock = TestClock::new();
        let issuer = TestIssuer::builder()
            .clock(clock.clone())
            .public_client("app", [CALLBACK, "https://app.example/second?x=1"], scopes!["read", "write"])
            .public_client("other", [CALLBACK], scopes!["read", "write"])
            .public_client("native", ["http://127.0.0.1/callback"], scopes!["read"])
            .client("cab", "secret", scopes!["read"])
            .redirect_uris("cab", [CALLBACK])
            .client("machine", "secret", scopes!["read"]);
        Self { issuer: settings(issuer).offline(URL), clock }
    }

    pub async fn get(&self, path: &str, query: &Form) -> FetchResponse {
        let url = format!("{URL}{path}?{}", query.text()).parse().unwrap();
        self.issuer.fetch().fetch(FetchRequest::get(url, "*/*", 1 << 20)).await.unwrap()
    }

    pub async fn post(
        &self,
        path: &str,
        content: PostContent,
        basic: Option<&'static str>,
    ) -> (StatusCode, Value) {
        let (status, body) = self.ask(path, content, basic).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    pub async fn ask(
        &self,
        path: &str,
        content: PostContent,
        basic: Option<&'static str>,
    ) -> (StatusCode, Vec<u8>) {
        let request = FetchRequest::get(format!("{URL}{path}").parse().unwrap(), "application/json", 1 << 20)
            .authorized(basic.map(HeaderValue::from_static))
            .posting(content);
        let answer = self.issuer.fetch().fetch(request).await.unwrap();
        assert_eq!(answer.headers.get(CACHE_CONTROL).unwrap(), "no-store");
        (answer.status, answer.body)
    }

    /// What comes back to the client.
    pub async fn authorize(&self, query: &Form) -> HashMap<String, String> {
        let answer = self.get("/authorize", query).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.headers.get(CACHE_CONTROL).unwrap(), "no-store");
        let location = answer.headers.get(LOCATION).unwrap().to_str().unwrap();
        let query = location.strip_prefix(query.value("redirect_uri")).unwrap();
        assert!(query.starts_with(['?', '&']), "{location}");
        form_urlencoded::parse(&query.as_bytes()[1..]).into_owned().collect()
    }

    pub async fn code(&self, query: &Form) -> String {
        let mut answer = self.authorize(query).await;
        answer.remove("code").unwrap_or_else(|| panic!("{answer:?}"))
    }

    pub async fn token(&self, form: &Form, basic: Option<&'static str>) -> (StatusCode, Value) {
        self.post("/token", PostContent::form(form.text()), basic).await
    }

    /// The error of the token endpoint.
    pub async fn refused(&self, form: &Form, basic: Option<&'static str>) -> Value {
        let (status, mut content) = self.token(form, basic).await;
        assert!(status.is_client_error(), "{content}");
        content["error"].take()
    }

    pub async fn register(&self, metadata: &Value) -> (StatusCode, Value) {
        self.post("/register", PostContent::json(metadata.to_string()), None).await
    }

    /// The token as a resource server sees it.
    pub async fn accepted(&self, resource: &str, content: &Value) -> AccessToken {
        let server = ResourceServer::builder(resource)
            .trust(self.issuer.trusted())
            .http_client(self.issuer.fetch())
            .clock(self.clock.clone())
            .build()
            .unwrap();
        let token = content["access_token"].as_str().unwrap_or_else(|| panic!("{content}"));
        server.validate::<Claims>(&Presented::bearer(token)).await.unwrap()
    }
}

/// Parameters, in order.
#[derive(Clone, Debug)]
pub struct Form(pub Vec<(&'static str, String)>);

impl Form {
    /// A good authorization request.
    pub fn authorization() -> Self {
        Self(vec![])
            .add("response_type", "code")
            .add("client_id", "app")
            .add("redirect_uri", CALLBACK)
            .add("scope", "read")
            .add("state", "s t&=ä")
            .add("code_challenge", CHALLENGE)
            .add("code_challenge_method", "S256")
            .add("resource", RESOURCE)
    }

    /// The token request that goes with it.
    pub fn token(code: &str) -> Self {
        Self(vec![])
            .add("grant_type", "authorization_code")
            .add("client_id", "app")
            .add("code", code)
            .add("redirect_uri", CALLBACK)
            .add("code_verifier", VERIFIER)
            .add("resource", RESOURCE)
    }

    pub fn add(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.retain(|(known, _)| *known != name);
        self
    }

    pub fn set(self, name: &'static str, value: impl Into<String>) -> Self {
        self.without(name).add(name, value)
    }

    pub fn value(&self, name: &str) -> &str {
        &self.0.iter().find(|(known, _)| *known == name).unwrap().1
    }

    pub fn text(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}
