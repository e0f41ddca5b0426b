//! Several introspected issuers, and providers that have no RFC 7662: who is asked about which token, and for whom it is good.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bearergate::{
    AccessToken, AuthErrorKind as Kind, BoundTo, Claims, ClientAuth, ConfigError, Fetch, FetchErrorKind,
    FetchFuture, FetchRequest, FetchResponse, Introspected, IntrospectionEndpoint, IntrospectionFuture,
    Introspector, Issuer, OmittableClaim, Presented, Question, ResourceServer, Selector, Userinfo, scopes,
    testing::{Endpoint, Fault, TestClock, TestIssuer},
};
use http::{HeaderMap, Method, StatusCode, Uri, header::WWW_AUTHENTICATE};
use serde_json::{Value, json};

const RESOURCE: &str = "https://api.example.com";
const ONE: &str = "https://one.example";
const TWO: &str = "https://two.example";

/// Two issuers, and who was asked.
#[derive(Clone, Debug)]
struct Network {
    issuers: Vec<TestIssuer>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Network {
    fn new() -> Self {
        let issuer = |url: &str| {
            let builder = TestIssuer::builder().clock(TestClock::new()).default_audience(RESOURCE);
            builder.client("api", "secret", scopes!["read"]).offline(url)
        };
        Self { issuers: vec![issuer(ONE), issuer(TWO)], asked: Arc::default() }
    }

    fn trusted(&self) -> Vec<Issuer> {
        self.issuers.iter().map(|issuer| issuer.introspected(ClientAuth::basic("api", "secret"))).collect()
    }

    fn build(
        &self,
        set_up: impl FnOnce(bearergate::ResourceServerBuilder) -> bearergate::ResourceServerBuilder,
    ) -> ResourceServer {
        let builder = ResourceServer::builder(RESOURCE).clock(TestClock::new()).http_client(self.clone());
        set_up(self.trusted().into_iter().fold(builder, bearergate::ResourceServerBuilder::trust))
            .build()
            .unwrap()
    }

    /// Who was asked since this was called last.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Fetch for Network {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let url = request.url.to_string();
        match self.issuers.iter().find(|issuer| url.starts_with(&format!("{}/", issuer.url()))) {
            Some(issuer) => {
                self.asked.lock().unwrap().push(issuer.url().to_owned());
                issuer.fetch().fetch(request)
            }
            None => Box::pin(std::future::ready(Err(FetchErrorKind::Connect.into()))),
        }
    }
}

async fn judge(api: &ResourceServer, presented: Presented<'_>) -> Result<String, Kind> {
    let outcome: Result<AccessToken, _> = api.validate(&presented).await;
    outcome.map(|token| token.issuer().to_owned()).map_err(|error| error.kind())
}

#[tokio::test(start_paused = true)]
async fn a_token_goes_to_the_one_that_the_selector_chooses_and_to_no_other() {
    let network = Network::new();
    let by_prefix = Selector::by_prefix([("one_", ONE), ("t", ONE), ("two_", TWO)]);
    let api = network.build(|builder| builder.select_introspected(by_prefix));
    network.issuers[0].opaque_token().mint_as("one_good");
    network.issuers[1].opaque_token().mint_as("two_good");
    // Known to the other one alone: whoever is asked must not be led to ask elsewhere.
    network.issuers[0].opaque_token().mint_as("two_of_one");
    for (token, outcome, asked) in [
        ("one_good", Ok(ONE.to_owned()), vec![ONE]),
        ("two_good", Ok(TWO.to_owned()), vec![TWO]),
        ("two_of_one", Err(Kind::Inactive), vec![TWO]),
        ("neither", Err(Kind::UnknownIssuer), vec![]),
    ] {
        assert_eq!(judge(&api, Presented::bearer(token)).await, outcome, "{token}");
        assert_eq!(network.asked(), asked, "{token}");
    }
    let error = api.validate::<Claims>(&Presented::bearer("neither")).await.unwrap_err();
    let refusal = api.refuse(error);
    assert_eq!(refusal.status(), StatusCode::UNAUTHORIZED);
    assert!(refusal.headers()[WWW_AUTHENTICATE].to_str().unwrap().contains("invalid_token"));
}

#[tokio::test(start_paused = true)]
async fn a_selector_goes_by_header_host_or_rule() {
    let network = Network::new();
    for issuer in &network.issuers {
        issuer.opaque_token().mint_as("token");
    }
    let tenant = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-tenant", value.parse().unwrap());
        }
        headers
    };
    let by_header =
        network.build(|b| b.select_introspected(Selector::by_header("X-Tenant", [("a", ONE), ("b", TWO)])));
    for (values, outcome) in [
        (&["a"][..], Ok(ONE)),
        (&["b"], Ok(TWO)),
        (&["A"], Err(Kind::UnknownIssuer)),
        (&["a", "b"], Err(Kind::UnknownIssuer)),
        (&["a", "a"], Err(Kind::UnknownIssuer)),
        (&[], Err(Kind::UnknownIssuer)),
    ] {
        let headers = tenant(values);
        let presented = Presented::bearer("token").with_headers(&headers);
        assert_eq!(judge(&by_header, presented).await, outcome.map(str::to_owned), "{values:?}");
    }
    let by_host =
        network.build(|b| b.select_introspected(Selector::by_host([("a.example", ONE), ("b.example", TWO)])));
    for (uri, host, outcome) in [
        ("/", "a.example", Ok(ONE)),
        ("/", "B.example:8443", Ok(TWO)),
        ("https://a.example/x", "b.example", Ok(ONE)),
        ("/", "c.example", Err(Kind::UnknownIssuer)),
        ("/", "a.example:evil", Err(Kind::UnknownIssuer)),
    ] {
        let (uri, mut headers): (Uri, _) = (uri.parse().unwrap(), HeaderMap::new());
        headers.insert("host", host.parse().unwrap());
        let presented = Presented::bearer("token").with_request(&Method::GET, &uri).with_headers(&headers);
        assert_eq!(judge(&by_host, presented).await, outcome.map(str::to_owned), "{uri} {host}");
    }
    let rule = |presented: &Presented<'_>| {
        let path = presented.uri()?.path();
        Some(if path.starts_with("/v1/") { ONE } else { "https://nobody.example" }.to_owned())
    };
    let by_rule = network.build(|b| b.select_introspected(Selector::by(rule)));
    for (uri, outcome) in [("/v1/x", Ok(ONE.to_owned())), ("/v2/x", Err(Kind::UnknownIssuer))] {
        let uri: Uri = uri.parse().unwrap();
        assert_eq!(
            judge(&by_rule, Presented::bearer("token").with_request(&Method::GET, &uri)).await,
            outcome
        );
    }
    assert_eq!(judge(&by_rule, Presented::bearer("token")).await, Err(Kind::UnknownIssuer));
}

#[tokio::test(start_paused = true)]
async fn issuers_of_one_owner_can_be_asked_in_order() {
    let network = Network::new();
    let api = network.build(|builder| builder.dangerous().ask_in_order());
    let [one, two] = [&network.issuers[0], &network.issuers[1]];
    let of_two = two.opaque_token().mint();
    let of_one = one.opaque_token().mint();
    assert_eq!(judge(&api, Presented::bearer(&of_one)).await, Ok(ONE.into()));
    assert_eq!(network.asked(), [ONE]);
    assert_eq!(judge(&api, Presented::bearer(&of_two)).await, Ok(TWO.into()));
    assert_eq!(network.asked(), [ONE, TWO]);
    assert_eq!(judge(&api, Presented::bearer(&of_two)).await, Ok(TWO.into()), "kept");
    assert_eq!(judge(&api, Presented::bearer("nobody's")).await, Err(Kind::Inactive));
    assert_eq!(network.asked(), [ONE, TWO]);
    // A reason outweighs "not mine".
    let other = one.opaque_token().audience("https://other.example").mint();
    assert_eq!(judge(&api, Presented::bearer(&other)).await, Err(Kind::WrongAudience));
    // Who cannot say outweighs who says no; and who says yes outweighs both.
    one.faults().set(Endpoint::Introspection, Fault::Status(StatusCode::BAD_GATEWAY));
    assert_eq!(judge(&api, Presented::bearer("new")).await, Err(Kind::IntrospectionUnavailable));
    let of_two = two.opaque_token().mint();
    assert_eq!(judge(&api, Presented::bearer(&of_two)).await, Ok(TWO.into()));
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_removed_before_its_turn_does_not_get_the_token() {
    let network = Network::new();
    let api = network.build(|builder| builder.dangerous().ask_in_order());
    let of_two = network.issuers[1].opaque_token().mint();
    network.issuers[0].faults().set(Endpoint::Introspection, Fault::Slow(Duration::from_secs(1)));
    let (outcome, ()) = tokio::join!(judge(&api, Presented::bearer(&of_two)), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(api.issuers().remove(TWO).unwrap());
    });
    assert_eq!(outcome, Err(Kind::Inactive), "by the word of the one that is left");
    assert_eq!(network.asked(), [ONE]);
}

#[test]
fn several_introspected_issuers_need_a_selector_that_knows_them() {
    let network = Network::new();
    let builder = || network.trusted().into_iter().fold(ResourceServer::builder(RESOURCE), |b, i| b.trust(i));
    let error = builder().build().unwrap_err();
    assert!(error.to_string().contains("`.select_introspected(..)`"), "{error}");
    let error = builder().select_introspected(Selector::by_prefix([("x", "https://three.example")])).build();
    let error = error.unwrap_err();
    assert!(matches!(&error, ConfigError::Introspection { issuer, .. } if issuer == "https://three.example"));
    let selector = Selector::by_prefix([("x", ONE)]);
    assert!(builder().select_introspected(selector).build().is_ok(), "an issuer may never be chosen");
    let server = builder().dangerous().ask_in_order().build().unwrap();
    assert!(server.issuers().remove(ONE).unwrap(), "and one may be removed");
}

/// A provider by its own protocol: what it says of each token, with which status.
#[derive(Clone, Debug, Default)]
struct Provider {
    answers: Arc<Mutex<HashMap<String, (StatusCode, String)>>>,
    requests: Arc<Mutex<Vec<FetchRequest>>>,
    otherwise: Option<StatusCode>,
}

impl Provider {
    fn says(&self, token: &str, answer: &Value) {
        self.answers.lock().unwrap().insert(token.into(), (StatusCode::OK, answer.to_string()));
    }

    fn api(&self, userinfo: Userinfo) -> ResourceServer {
        let builder = ResourceServer::builder(RESOURCE).clock(TestClock::new()).http_client(self.clone());
        builder.trust(Issuer::introspect_by("https://provider.example", userinfo)).build().unwrap()
    }
}

impl Fetch for Provider {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        self.requests.lock().unwrap().push(request.clone());
        let token = match &request.post {
            None => {
                let field = request.authorization.unwrap();
                assert!(field.is_sensitive());
                field.to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned()
            }
            Some(post) if post.content_type() == "application/json" => {
                let content: Value = serde_json::from_str(post.content()).unwrap();
                content["access_token"].as_str().unwrap().to_owned()
            }
            Some(post) => {
                let form: HashMap<_, _> =
                    url::form_urlencoded::parse(post.content().as_bytes()).into_owned().collect();
                form["access_token"].clone()
            }
        };
        let known = self.answers.lock().unwrap().get(&token).cloned();
        let (status, body) =
            known.unwrap_or((self.otherwise.unwrap_or(StatusCode::UNAUTHORIZED), "{}".into()));
        Box::pin(std::future::ready(Ok(FetchResponse::new(status, HeaderMap::new(), body.into_bytes()))))
    }
}

fn discord() -> Userinfo {
    let bound = BoundTo::pointer("/application/id", ["ours", "ours-too"]);
    Userinfo::new("https://provider.example/oauth2/@me", "/user/id", bound).scopes("/scopes")
}

#[tokio::test(start_paused = true)]
async fn a_userinfo_like_token_of_another_client_is_refused() {
    let provider = Provider::default();
    let api = provider.api(discord());
    let answer = |application: Value| json!({"application": {"id": application}, "scopes": ["identify", "email"], "user": {"id": "80351110224678912", "username": "ada"}});
    provider.says("good", &answer(json!("ours")));
    provider.says("good-too", &answer(json!("ours-too")));
    for (token, application) in [
        ("other", json!("theirs")),
        ("prefix", json!("ours-")),
        ("case", json!("Ours")),
        ("null", json!(null)),
        ("number", json!(7)),
        ("list", json!(["theirs"])),
        ("object", json!({"id": "ours"})),
    ] {
        provider.says(token, &answer(application));
        assert_eq!(judge(&api, Presented::bearer(token)).await, Err(Kind::WrongAudience), "{token}");
    }
    provider.says("nameless", &json!({"user": {"id": "1"}}));
    assert_eq!(judge(&api, Presented::bearer("nameless")).await, Err(Kind::WrongAudience));
    assert_eq!(judge(&api, Presented::bearer("never issued")).await, Err(Kind::Inactive));
    assert_eq!(judge(&api, Presented::bearer("good-too")).await, Ok("https://provider.example".into()));

    let token: AccessToken = api.validate(&Presented::bearer("good")).await.unwrap();
    assert_eq!((token.subject(), token.client_id()), (Some("80351110224678912"), Some("ours")));
    assert!(token.has_scope("identify") && !token.has_scope("guilds"));
    let whole: Value = token.claims().get("userinfo").unwrap().unwrap();
    assert_eq!(whole["user"]["username"], "ada");
    // The same cache around it.
    let calls = provider.requests.lock().unwrap().len();
    for _ in 0..10 {
        assert!(judge(&api, Presented::bearer("good")).await.is_ok());
        assert!(judge(&api, Presented::bearer("other")).await.is_err());
    }
    assert_eq!(provider.requests.lock().unwrap().len(), calls);
    let error = api.validate::<Claims>(&Presented::bearer("other")).await.unwrap_err();
    assert_eq!(api.refuse(error).status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test(start_paused = true)]
async fn what_a_provider_says_cannot_pass_for_our_claims() {
    let provider = Provider::default();
    let api = provider.api(discord());
    let answer = json!({
        "application": {"id": "ours"}, "user": {"id": 7}, "scopes": ["a b", "c"],
        "sub": "root", "iss": "https://evil.example", "aud": "x", "exp": "2026-01-01T00:00:00Z", "scope": "admin", "cnf": {"jkt": "x"}, "events": {}
    });
    provider.says("token", &answer);
    let token: AccessToken = api.validate(&Presented::bearer("token")).await.unwrap();
    assert_eq!((token.subject(), token.issuer()), (Some("7"), "https://provider.example"));
    assert!(token.has_scope("c") && !token.has_scope("admin") && !token.has_scope("a"));
    for (subject, what) in
        [(json!(null), "null"), (json!({}), "object"), (json!(1.5), "fraction"), (json!(true), "bool")]
    {
        provider.says("odd", &json!({"application": {"id": "ours"}, "user": {"id": subject}}));
        api.cached_tokens().clear();
        assert_eq!(judge(&api, Presented::bearer("odd")).await, Err(Kind::InvalidClaim), "{what}");
    }
    provider.says("none", &json!({"application": {"id": "ours"}}));
    assert_eq!(judge(&api, Presented::bearer("none")).await, Err(Kind::InvalidClaim));
    for (body, what) in [
        ("[]", "array"),
        ("{", "cut"),
        (r#"{"application":{"id":"ours","id":"theirs"}}"#, "twice"),
        ("<html>", "page"),
    ] {
        provider.answers.lock().unwrap().insert("broken".into(), (StatusCode::OK, body.into()));
        assert_eq!(
            judge(&api, Presented::bearer("broken")).await,
            Err(Kind::IntrospectionMalformed),
            "{what}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_is_asked_by_form_or_by_json_too() {
    // Google: the token in a form; strings for numbers; 400 for what is not good.
    let google = Provider { otherwise: Some(StatusCode::BAD_REQUEST), ..Provider::default() };
    let userinfo =
        Userinfo::new("https://provider.example/tokeninfo", "/sub", BoundTo::pointer("/aud", ["ours"]))
            .post_form("access_token")
            .scopes("/scope")
            .expires_at("/exp");
    let api = google.api(userinfo);
    let now = bearergate::Clock::wall(&TestClock::new()).as_secs();
    let answer = |exp: Value| json!({"aud": "ours", "sub": "110", "scope": "openid email", "exp": exp});
    google.says("a+b&c", &answer(json!((now + 30).to_string())));
    google.says("late", &answer(json!((now - 100).to_string())));
    google.says("odd", &answer(json!("soon")));
    let token: AccessToken = api.validate(&Presented::bearer("a+b&c")).await.unwrap();
    assert!(token.has_scope("email") && token.expires_at().is_some());
    assert_eq!(judge(&api, Presented::bearer("late")).await, Err(Kind::Expired));
    assert_eq!(judge(&api, Presented::bearer("odd")).await, Err(Kind::InvalidClaim));
    assert_eq!(judge(&api, Presented::bearer("invented")).await, Err(Kind::Inactive));
    let calls = google.requests.lock().unwrap().len();
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert!(judge(&api, Presented::bearer("a+b&c")).await.is_ok());
    assert_eq!(google.requests.lock().unwrap().len(), calls, "kept until `exp`");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(judge(&api, Presented::bearer("a+b&c")).await.is_ok());
    assert_eq!(google.requests.lock().unwrap().len(), calls + 1, "and no longer");

    // GitHub: the token in a JSON object, our credentials in the field; 404 for what is not good.
    let github = Provider { otherwise: Some(StatusCode::NOT_FOUND), ..Provider::default() };
    let bound = BoundTo::pointer("/app/client_id", ["Iv1.ours"]);
    let userinfo = Userinfo::new("https://provider.example/applications/Iv1.ours/token", "/user/id", bound)
        .post_json("access_token", ClientAuth::basic("Iv1.ours", "secret"));
    let api = github.api(userinfo);
    github.says("gho_x", &json!({"app": {"client_id": "Iv1.ours"}, "user": {"id": 583_231}}));
    let token: AccessToken = api.validate(&Presented::bearer("gho_x")).await.unwrap();
    assert_eq!(token.subject(), Some("583231"));
    assert_eq!(judge(&api, Presented::bearer("gho_no")).await, Err(Kind::Inactive));
    let request = github.requests.lock().unwrap()[0].clone();
    assert!(request.authorization.unwrap().to_str().unwrap().starts_with("Basic "));
    assert!(!request.url.to_string().contains("gho_"), "never in the URL");
    let refusing = Provider { otherwise: Some(StatusCode::UNAUTHORIZED), ..Provider::default() };
    let bound = BoundTo::pointer("/app/client_id", ["Iv1.ours"]);
    let userinfo = Userinfo::new("https://provider.example/t", "/user/id", bound);
    let api = refusing.api(userinfo.post_json("access_token", ClientAuth::basic("Iv1.ours", "wrong")));
    assert_eq!(judge(&api, Presented::bearer("gho_x")).await, Err(Kind::IntrospectionCredentialsRefused));
}

#[tokio::test(start_paused = true)]
async fn tokens_of_any_client_are_a_dangerous_choice() {
    let provider = Provider::default();
    let any = Userinfo::dangerous("https://provider.example/userinfo", "/sub").accept_tokens_of_any_client();
    let api = provider.api(any);
    provider.says("token", &json!({"sub": "ada"}));
    assert!(judge(&api, Presented::bearer("token")).await.is_ok());
    for (userinfo, what) in [
        (Userinfo::new("https://p.example/", "sub", BoundTo::pointer("/aud", ["ours"])), "JSON pointer"),
        (Userinfo::new("https://p.example/", "/sub", BoundTo::pointer("aud", ["ours"])), "JSON pointer"),
        (
            Userinfo::new("https://p.example/", "/sub", BoundTo::pointer("/aud", Vec::<String>::new())),
            "no client",
        ),
    ] {
        let issuer = Issuer::introspect_by("https://p.example", userinfo);
        let error = ResourceServer::builder(RESOURCE).trust(issuer).build().unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
    for auth in [ClientAuth::post("ours", "secret"), ClientAuth::mutual_tls("ours")] {
        let userinfo = Userinfo::new("https://p.example/", "/sub", BoundTo::pointer("/aud", ["ours"]));
        let issuer = Issuer::introspect_by("https://p.example", userinfo.post_json("access_token", auth));
        let error = ResourceServer::builder(RESOURCE).trust(issuer).build().unwrap_err();
        assert!(error.to_string().contains("`Authorization` field alone"), "{error}");
    }
    let canary = Userinfo::new("https://p.example/?key=canary", "/sub", BoundTo::pointer("/aud", ["ours"]));
    let printed = format!("{canary:?} {:?}", Issuer::introspect_by("https://p.example", canary.clone()));
    assert!(!printed.contains("canary"), "{printed}");
    let claims = FetchResponse::new(StatusCode::OK, HeaderMap::new(), b"canary".to_vec());
    assert!(!format!("{claims:?}").contains("99, 97"), "{claims:?}");
    let plain = Userinfo::new("http://p.example/", "/sub", BoundTo::pointer("/aud", ["ours"]));
    let error =
        ResourceServer::builder(RESOURCE).trust(Issuer::introspect_by("https://p.example", plain)).build();
    assert!(matches!(error.unwrap_err(), ConfigError::UnusableUrl { .. }));
    let signed = IntrospectionEndpoint::from(discord()).signed_answers();
    let error =
        ResourceServer::builder(RESOURCE).trust(Issuer::introspect_by("https://p.example", signed)).build();
    assert!(error.unwrap_err().to_string().contains("RFC 7662"));
}

/// Somebody's own way to know tokens.
#[derive(Debug)]
struct Own(&'static str, &'static [OmittableClaim]);

impl Introspector for Own {
    fn introspect(&self, question: Question) -> IntrospectionFuture<'_> {
        assert_eq!(question.issuer(), "https://own.example");
        let answer =
            if question.token() == b"good" { Introspected::active(self.0) } else { Introspected::Inactive };
        Box::pin(std::future::ready(answer))
    }

    fn proves(&self) -> &[OmittableClaim] {
        self.1
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_knows_tokens_in_another_way_is_judged_by_the_same_rules() {
    let whole = r#"{"iss":"https://own.example","aud":"https://api.example.com","sub":"ada"}"#;
    let both: &[OmittableClaim] = &[OmittableClaim::Audience, OmittableClaim::Issuer];
    for (claims, proves, outcome) in [
        (whole, &[][..], Ok("https://own.example".to_owned())),
        (r#"{"sub":"ada"}"#, &[], Err(Kind::InvalidClaim)),
        (r#"{"sub":"ada"}"#, both, Ok("https://own.example".into())),
        (r#"{"sub":"ada","aud":"other"}"#, both, Err(Kind::WrongAudience)),
        (r#"{"sub":"ada","cnf":{}}"#, both, Err(Kind::BindingNotProven)),
        (r#"{"sub":"ada","sub":"root"}"#, both, Err(Kind::IntrospectionMalformed)),
        ("not JSON", both, Err(Kind::IntrospectionMalformed)),
        (r#"{"active":false,"sub":"ada"}"#, both, Err(Kind::IntrospectionMalformed)),
        (r#"{"active":"yes","sub":"ada"}"#, both, Err(Kind::IntrospectionMalformed)),
        (r#"{"active":true,"sub":"ada"}"#, both, Ok("https://own.example".into())),
    ] {
        let own = IntrospectionEndpoint::of(Own(claims, proves));
        let builder = ResourceServer::builder(RESOURCE).clock(TestClock::new());
        let api = builder.trust(Issuer::introspect_by("https://own.example", own)).build().unwrap();
        assert_eq!(judge(&api, Presented::bearer("good")).await, outcome, "{claims}");
        assert_eq!(judge(&api, Presented::bearer("bad")).await, Err(Kind::Inactive));
    }
}

#[tokio::test(start_paused = true)]
async fn ready_proves_the_credentials_by_a_token_that_nobody_has() {
    let network = Network::new();
    let build = |auth: ClientAuth| {
        let builder = ResourceServer::builder(RESOURCE).clock(TestClock::new()).http_client(network.clone());
        builder.trust(network.issuers[0].introspected(auth)).build().unwrap()
    };
    build(ClientAuth::basic("api", "secret")).ready().await.unwrap();
    let api = build(ClientAuth::basic("api", "wrong"));
    let failed = api.ready().await.unwrap_err();
    let kind = failed.failed()[0].error.as_ref().unwrap().kind();
    assert_eq!((&*failed.failed()[0].issuer, kind), (ONE, FetchErrorKind::Status(StatusCode::UNAUTHORIZED)));
    assert_eq!(api.health().issuers()[0].introspection().unwrap().failures, 1);
    let failed = api.ready_all(Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(failed.failed().len(), 1);

    let api = build(ClientAuth::basic("api", "secret"));
    network.issuers[0].faults().script(Endpoint::Introspection, [Fault::Status(StatusCode::BAD_GATEWAY)]);
    api.ready_all(Duration::from_secs(3)).await.unwrap();
    let active = Fault::Document(br#"{"active":true}"#.to_vec());
    network.issuers[0].faults().set(Endpoint::Introspection, active);
    let failed = api.ready().await.unwrap_err();
    assert_eq!(failed.failed()[0].error.as_ref().unwrap().kind(), FetchErrorKind::InvalidDocument);
}

#[tokio::test(start_paused = true)]
async fn health_tells_how_the_questions_go() {
    let network = Network::new();
    let api = network.build(|builder| builder.dangerous().ask_in_order());
    let token = network.issuers[0].opaque_token().mint();
    assert!(judge(&api, Presented::bearer(&token)).await.is_ok());
    let json = serde_json::to_value(api.health()).unwrap();
    let asked = &json["issuers"][0]["introspection"];
    assert_eq!(
        (&asked["can_ask"], &asked["calls"], &asked["failures"]),
        (&json!(true), &json!(1), &json!(0))
    );
    assert_eq!(json["issuers"][0]["state"], "introspected");
    network.issuers[0].faults().set(Endpoint::Introspection, Fault::Status(StatusCode::UNAUTHORIZED));
    assert!(judge(&api, Presented::bearer("new")).await.is_err());
    let health = api.health();
    let asked = health.issuers()[0].introspection().unwrap();
    assert!(!health.can_serve() && !asked.can_ask && asked.failures >= 2);
    assert_eq!(asked.last_error.as_deref(), Some("the server answered 401 Unauthorized"));
    assert!((4..=5).contains(&asked.next_attempt_seconds.unwrap()));
}

/// A token that makes the provider hang up has been seen by it: it is not sent again, and does not count as an outage.
#[tokio::test]
async fn int_05_a_userinfo_question_that_breaks_is_not_sent_again() {
    use tokio::io::AsyncReadExt as _;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/me", listener.local_addr().unwrap());
    let accepted = Arc::new(Mutex::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            *count.lock().unwrap() += 1;
            let _read = stream.read(&mut [0; 1024]).await;
        }
    });
    let userinfo = Userinfo::new(url, "/sub", BoundTo::pointer("/aud", ["ours"]));
    let issuer = Issuer::introspect_by("https://p.example", userinfo).allow_http_on_loopback();
    let api = ResourceServer::builder(RESOURCE).trust(issuer).build().unwrap();
    let error = api.validate::<Claims>(&Presented::bearer("token")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::IntrospectionUnavailable);
    let cause = std::error::Error::source(&error).unwrap();
    let kind = cause.downcast_ref::<bearergate::FetchError>().map(bearergate::FetchError::kind);
    assert_eq!((kind, *accepted.lock().unwrap()), (Some(FetchErrorKind::Body), 1));
}

/// Twelve hours later the metadata is read again. If that does not go well, the endpoint that it named before serves on, and
/// the metadata is left alone for a minute.
#[tokio::test(start_paused = true)]
async fn dsc_03_metadata_that_cannot_be_read_again_costs_no_token() {
    for fault in [Fault::Hang, Fault::Status(StatusCode::BAD_GATEWAY)] {
        let clock = TestClock::new();
        let issuer = TestIssuer::builder()
            .clock(clock.clone())
            .default_audience(RESOURCE)
            .client("api", "secret", scopes!["read"])
            .offline(ONE);
        let endpoint = IntrospectionEndpoint::discover(ClientAuth::basic("api", "secret"));
        let api = ResourceServer::builder(RESOURCE)
            .clock(clock)
            .http_client(issuer.fetch())
            .trust(Issuer::introspect_by(ONE, endpoint))
            .build()
            .unwrap();
        let check = async || {
            let token = issuer.opaque_token().mint();
            judge(&api, Presented::bearer(&token)).await
        };
        assert_eq!(check().await, Ok(ONE.into()));
        tokio::time::sleep(Duration::from_secs(12 * 60 * 60)).await;
        issuer.faults().set(Endpoint::Metadata, fault.clone());
        let before = issuer.requests_to(Endpoint::Metadata);
        for _ in 0..50 {
            assert_eq!(check().await, Ok(ONE.into()), "{fault:?}");
        }
        let looks = issuer.requests_to(Endpoint::Metadata) - before;
        assert!((1..=2).contains(&looks), "{fault:?}: one look at two places, not {looks}");
        issuer.faults().clear(Endpoint::Metadata);
        // An endpoint that is gone: the metadata is looked at, at most once a minute, and the place is not forgotten.
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(check().await, Ok(ONE.into()));
        let before = issuer.requests_to(Endpoint::Metadata);
        issuer.faults().set(Endpoint::Introspection, Fault::Status(StatusCode::NOT_FOUND));
        for _ in 0..20 {
            assert_eq!(check().await, Err(Kind::IntrospectionUnavailable));
        }
        assert_eq!(issuer.requests_to(Endpoint::Metadata), before, "within the minute");
        issuer.faults().set(Endpoint::Metadata, Fault::Status(StatusCode::BAD_GATEWAY));
        issuer.faults().clear(Endpoint::Introspection);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(check().await, Ok(ONE.into()), "{fault:?}");
        assert!(issuer.requests_to(Endpoint::Metadata) > before);
    }
}
