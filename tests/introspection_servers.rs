//! Introspection by real authorization servers: oidc-provider (npm), glewlwyd and LemonLDAP::NG (Debian).
//!
//! `scripts/test` installs them and says where their start scripts are. Without these, each test prints one line and is left
//! out.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![expect(
    clippy::disallowed_types,
    reason = "this client plays the callers of API and authorization servers"
)]

use std::{
    io::Write as _,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use axum::{Router, routing::get};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bearergate::{
    AccessToken, AskAbout, AuthErrorKind as Kind, ClientAuth, Clock, IntrospectionEndpoint, Issuer,
    OmittableClaim, Presented, ResourceServer, Selector, SystemClock, UnixTime, scopes,
};
use http::{StatusCode, header::WWW_AUTHENTICATE};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command},
};

const RESOURCE: &str = "https://api.example.com";

/// The time of this machine, and as much later as a test wants.
#[derive(Clone, Debug, Default)]
struct Later(Arc<AtomicU64>);

impl Later {
    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn shift(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

impl Clock for Later {
    fn wall(&self) -> UnixTime {
        SystemClock::default().wall().saturating_add(self.shift())
    }

    fn monotonic(&self) -> Duration {
        SystemClock::default().monotonic() + self.shift()
    }
}

/// A running authorization server. It ends with the test, because its stdin closes.
struct Server {
    issuer: String,
    client: reqwest::Client,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Server {
    async fn start(test: &str, variable: &str, environment: &[(&str, &str)]) -> Option<Self> {
        let Ok(script) = std::env::var(variable) else {
            let line = format!("{test}: left out, {variable} is not set; scripts/test sets it\n");
            let _shown = std::io::stderr().write_all(line.as_bytes());
            return None;
        };
        let mut process = Command::new("node")
            .arg(script)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(false)
            .spawn()
            .expect("node starts");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("the server says that it is ready");
        let state: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(state["ready"], true);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let orders = process.stdin.take().unwrap();
        let issuer = state["issuer"].as_str().unwrap().to_owned();
        Some(Self { issuer, client, orders, lines, _process: process })
    }

    async fn oidc_provider(test: &str, environment: &[(&str, &str)]) -> Option<Self> {
        Self::start(test, "BEARERGATE_OIDC_PROVIDER", environment).await
    }

    async fn glewlwyd(test: &str) -> Option<Self> {
        Self::start(test, "BEARERGATE_GLEWLWYD", &[]).await
    }

    async fn lemonldap(test: &str) -> Option<Self> {
        Self::start(test, "BEARERGATE_LEMONLDAP", &[]).await
    }

    async fn order(&mut self, order: &str) -> Value {
        self.orders.write_all(format!("{order}\n").as_bytes()).await.unwrap();
        serde_json::from_str(&self.lines.next_line().await.unwrap().unwrap()).unwrap()
    }

    async fn post(&self, path: &str, client: (&str, &str), form: &[(&str, &str)]) -> (StatusCode, Value) {
        let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.client.post(format!("{}{path}", self.issuer)).basic_auth(client.0, Some(client.1));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    }

    /// A token by client credentials.
    async fn token(&self, path: &str, client: (&str, &str), more: &[(&str, &str)]) -> String {
        let form = [&[("grant_type", "client_credentials"), ("scope", "read")], more].concat();
        let (status, body) = self.post(path, client, &form).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// A token of oidc-provider.
    async fn of(&self, kind: &str, audience: &str) -> String {
        let audience: String = url::form_urlencoded::byte_serialize(audience.as_bytes()).collect();
        let resource = format!("urn:rs:{kind}?aud={audience}");
        self.token("/token", ("svc", "svc-secret"), &[("resource", &resource)]).await
    }

    async fn opaque(&self) -> String {
        self.of("opaque", RESOURCE).await
    }

    /// How often oidc-provider was asked about tokens.
    async fn questions(&self) -> u64 {
        let response = self.client.get(format!("{}/control/counters", self.issuer)).send().await.unwrap();
        let counters: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        counters["introspection"].as_u64().unwrap()
    }

    /// This issuer, asked at the endpoint that its metadata names.
    fn asked(&self, auth: ClientAuth, about: AskAbout) -> Issuer {
        let endpoint = IntrospectionEndpoint::discover(auth);
        Issuer::discover(&self.issuer).allow_http_on_loopback().introspection(endpoint, about)
    }
}

fn rs() -> ClientAuth {
    ClientAuth::basic("rs", "rs-secret")
}

fn api(issuer: Issuer, clock: &Later) -> ResourceServer {
    ResourceServer::builder(RESOURCE).trust(issuer).clock(clock.clone()).build().unwrap()
}

async fn judge(api: &ResourceServer, token: &str) -> Result<AccessToken, Kind> {
    api.validate(&Presented::bearer(token)).await.map_err(|error| error.kind())
}

async fn check(api: &ResourceServer, token: &str) -> Result<(), Kind> {
    judge(api, token).await.map(drop)
}

/// A private key as PEM, and its public key as a JWK.
fn key_pair() -> (String, String) {
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
    let jwk =
        json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "kid": "rs-1", "use": "sig"});
    let text = STANDARD.encode(pkcs8);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    (pem, jwk.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_provider_knows_us_by_every_method() {
    let (pem, jwk) = key_pair();
    let environment = [("BEARERGATE_RS_JWK", &*jwk)];
    let Some(server) = Server::oidc_provider("oidc_provider_knows_us_by_every_method", &environment).await
    else {
        return;
    };
    let clock = Later::default();
    for auth in [
        rs(),
        // Both halves have to be form-encoded.
        ClientAuth::basic("rs:odd/id", "p@ss:w%rd +/=&"),
        ClientAuth::post("rs-post", "rs-post-secret"),
        ClientAuth::client_secret_jwt("rs-secretjwt", "rs-secretjwt-secret-of-32-octets"),
        ClientAuth::private_key_jwt("rs-pkjwt", pem.as_str()).key_id("rs-1"),
    ] {
        let what = format!("{auth:?}");
        let api = api(server.asked(auth, AskAbout::OpaqueTokens), &clock);
        api.ready().await.unwrap_or_else(|error| panic!("{what}: {:?}", error.failed()));
        let token = judge(&api, &server.opaque().await).await.unwrap();
        // A token of client credentials has no subject there.
        assert_eq!(
            (token.client_id(), token.subject(), token.issuer()),
            (Some("svc"), None, &*server.issuer)
        );
        assert!(token.has_scope("read") && token.expires_at().is_some(), "{what}");
        assert_eq!(
            check(&api, &server.of("opaque", "urn:other").await).await,
            Err(Kind::WrongAudience),
            "{what}"
        );
        assert_eq!(check(&api, "invented").await, Err(Kind::Inactive), "{what}");
        // JWTs of the same issuer, in the same layer, by their keys.
        let before = server.questions().await;
        assert_eq!(check(&api, &server.of("ES256", RESOURCE).await).await, Ok(()), "{what}");
        assert_eq!(server.questions().await, before, "{what}");
    }
    for auth in [ClientAuth::basic("rs", "wrong"), ClientAuth::post("nobody", "secret"), ClientAuth::none()] {
        let api = api(server.asked(auth, AskAbout::OpaqueTokens), &clock);
        let token = server.opaque().await;
        let kind = check(&api, &token).await.unwrap_err();
        assert!(
            matches!(kind, Kind::IntrospectionCredentialsRefused | Kind::IntrospectionTokenRefused),
            "{kind:?}"
        );
        assert!(api.ready().await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_provider_signs_its_answers() {
    let Some(server) = Server::oidc_provider("oidc_provider_signs_its_answers", &[]).await else { return };
    let clock = Later::default();
    let endpoint =
        IntrospectionEndpoint::discover(ClientAuth::basic("rs-jwt", "rs-jwt-secret")).signed_answers();
    let issuer = Issuer::discover(&server.issuer).allow_http_on_loopback();
    let api = api(issuer.introspection(endpoint, AskAbout::OpaqueTokens), &clock);
    api.ready().await.unwrap();
    let token = judge(&api, &server.opaque().await).await.unwrap();
    assert_eq!(token.client_id(), Some("svc"));
    assert_eq!(check(&api, "invented").await, Err(Kind::Inactive));
    assert_eq!(check(&api, &server.of("opaque", "urn:other").await).await, Err(Kind::WrongAudience));
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_provider_revokes_and_expires() {
    let Some(server) = Server::oidc_provider("oidc_provider_revokes_and_expires", &[]).await else { return };
    let clock = Later::default();
    let api = api(server.asked(rs(), AskAbout::OpaqueTokens), &clock);
    let token = server.opaque().await;
    assert_eq!(check(&api, &token).await, Ok(()));
    let (status, _) = server.post("/token/revocation", ("svc", "svc-secret"), &[("token", &token)]).await;
    assert_eq!(status, StatusCode::OK);
    clock.advance(50);
    assert_eq!(check(&api, &token).await, Ok(()), "within the cache time");
    clock.advance(10);
    assert_eq!(check(&api, &token).await, Err(Kind::Inactive), "behind it");
    // What is told at once is seen at once.
    let token = server.opaque().await;
    assert_eq!(check(&api, &token).await, Ok(()));
    server.post("/token/revocation", ("svc", "svc-secret"), &[("token", &token)]).await;
    api.cached_tokens().forget(&token);
    assert_eq!(check(&api, &token).await, Err(Kind::Inactive));
    // A clock that is ahead by more than the token's 300 s and the leeway.
    let token = server.opaque().await;
    assert_eq!(check(&api, &token).await, Ok(()));
    clock.advance(400);
    assert_eq!(check(&api, &token).await, Err(Kind::Expired));
}

#[tokio::test(flavor = "multi_thread")]
async fn oidc_provider_refuses_to_introspect_a_jwt() {
    let Some(server) = Server::oidc_provider("oidc_provider_refuses_to_introspect_a_jwt", &[]).await else {
        return;
    };
    let api = api(server.asked(rs(), AskAbout::AllTokens), &Later::default());
    // It answers 400 to each: undecidable for that token alone, and nobody else's affair.
    for _ in 0..30 {
        let token = server.of("ES256", RESOURCE).await;
        assert_eq!(check(&api, &token).await, Err(Kind::IntrospectionTokenRefused));
        assert_eq!(check(&api, &token).await, Err(Kind::IntrospectionTokenRefused), "remembered");
    }
    assert_eq!(server.questions().await, 30);
    assert_eq!(check(&api, &server.opaque().await).await, Ok(()));
    assert!(api.health().can_serve());
}

#[tokio::test(flavor = "multi_thread")]
async fn glewlwyd_answers_without_iss_and_sub() {
    const TEST: &str = "glewlwyd_answers_without_iss_and_sub";
    let Some(server) = Server::glewlwyd(TEST).await else { return };
    let (svc, rs) = (("svc", "svc-secret-x"), || ClientAuth::basic("rs", "rs-secret-x"));
    let token = async || server.token("/token", svc, &[]).await;
    let revoke = async |token: &str| {
        let (status, _) = server.post("/revoke", svc, &[("token", token)]).await;
        assert_eq!(status, StatusCode::OK);
    };
    let clock = Later::default();
    // Its access tokens are JWTs, whose `aud` is the scope. By their keys, and asked whether they are revoked:
    let by_both = server.asked(rs(), AskAbout::AllTokens).audiences(["read"]);
    let api_by_both = api(by_both.introspection_may_omit([OmittableClaim::Issuer]), &clock);
    api_by_both.ready().await.unwrap();
    let jwt = token().await;
    assert_eq!(judge(&api_by_both, &jwt).await.unwrap().subject(), Some("svc"), "of the JWT");
    revoke(&jwt).await;
    assert_eq!(check(&api_by_both, &jwt).await, Ok(()), "within the cache time");
    clock.advance(61);
    assert_eq!(check(&api_by_both, &jwt).await, Err(Kind::Inactive));
    // By its word alone:
    let by_word = || {
        let endpoint = IntrospectionEndpoint::discover(rs());
        Issuer::introspect_by(&server.issuer, endpoint).allow_http_on_loopback().audiences(["read"])
    };
    let lean = api(by_word(), &clock);
    let error = lean.validate::<bearergate::Claims>(&Presented::bearer(&token().await)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidClaim);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("OmittableClaim::Issuer"), "{cause}");
    let api_by_word = api(by_word().introspection_may_omit([OmittableClaim::Issuer]), &clock);
    let jwt = token().await;
    let good = judge(&api_by_word, &jwt).await.unwrap();
    assert_eq!((good.subject(), good.client_id(), good.issuer()), (None, Some("svc"), &*server.issuer));
    revoke(&jwt).await;
    clock.advance(61);
    assert_eq!(check(&api_by_word, &jwt).await, Err(Kind::Inactive));
    // What is opaque there is no access token.
    let form =
        [("grant_type", "password"), ("username", "ada"), ("password", "ada-secret-x"), ("scope", "read")];
    let (status, body) = server.post("/token", svc, &form).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(check(&api_by_word, body["access_token"].as_str().unwrap()).await, Ok(()));
    let refresh_token = body["refresh_token"].as_str().unwrap();
    assert!(!refresh_token.contains('.'));
    assert_eq!(check(&api_by_word, refresh_token).await, Err(Kind::Inactive), "by the hint");
    let endpoint = IntrospectionEndpoint::discover(rs()).without_token_type_hint();
    let unhinted = Issuer::introspect_by(&server.issuer, endpoint).allow_http_on_loopback();
    let unhinted = unhinted.introspection_may_omit([OmittableClaim::Issuer]);
    let unhinted = api(unhinted.dangerous().accept_any_audience(), &clock);
    assert_eq!(check(&unhinted, refresh_token).await, Err(Kind::WrongType), "by the answer");
    assert_eq!(check(&api_by_word, "invented").await, Err(Kind::Inactive));
    let wrong = server.asked(ClientAuth::basic("rs", "wrong"), AskAbout::AllTokens).audiences(["read"]);
    let wrong = api(wrong.introspection_may_omit([OmittableClaim::Issuer]), &clock);
    assert_eq!(check(&wrong, &token().await).await, Err(Kind::IntrospectionCredentialsRefused));
}

#[tokio::test(flavor = "multi_thread")]
async fn lemonldap_answers_without_aud_and_token_type() {
    let Some(mut server) = Server::lemonldap("lemonldap_answers_without_aud_and_token_type").await else {
        return;
    };
    let clock = Later::default();
    let lean = api(server.asked(rs(), AskAbout::OpaqueTokens).audiences(["urn:rs:llng"]), &clock);
    let issuer = server.asked(rs(), AskAbout::OpaqueTokens).audiences(["urn:rs:llng"]);
    let api = api(issuer.introspection_may_omit([OmittableClaim::Audience]), &clock);
    api.ready().await.unwrap();
    let opaque = server.token("oauth2/token", ("svcopaque", "svcopaque-secret"), &[]).await;
    let jwt = server.token("oauth2/token", ("svc", "svc-secret"), &[]).await;
    assert!(!opaque.contains('.') && jwt.starts_with("eyJ"));
    assert_eq!(judge(&api, &jwt).await.unwrap().subject(), Some("svc"));
    assert_eq!(judge(&api, &opaque).await.unwrap().subject(), Some("svcopaque"));
    let error = lean.validate::<bearergate::Claims>(&Presented::bearer(&opaque)).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(error.kind() == Kind::InvalidClaim && cause.contains("OmittableClaim::Audience"), "{cause}");
    assert_eq!(check(&api, "invented").await, Err(Kind::Inactive));
    // Its sessions are ended.
    assert!(server.order("forget").await["forgotten"].as_u64().unwrap() >= 1);
    assert_eq!(check(&api, &opaque).await, Ok(()), "within the cache time");
    clock.advance(61);
    assert_eq!(check(&api, &opaque).await, Err(Kind::Inactive));
    // Tokens that have expired by a clock that is ahead.
    let opaque = server.token("oauth2/token", ("svcopaque", "svcopaque-secret"), &[]).await;
    assert_eq!(check(&api, &opaque).await, Ok(()));
    clock.advance(400);
    assert_eq!(check(&api, &opaque).await, Err(Kind::Expired));
    assert_eq!(check(&api, &jwt).await, Err(Kind::Expired));
    let wrong =
        server.asked(ClientAuth::basic("rs", "wrong"), AskAbout::OpaqueTokens).audiences(["urn:rs:llng"]);
    let wrong = ResourceServer::builder(RESOURCE).trust(wrong).build().unwrap();
    assert_eq!(check(&wrong, &opaque).await, Err(Kind::IntrospectionCredentialsRefused));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_service_trusts_all_three_servers() {
    const TEST: &str = "one_service_trusts_all_three_servers";
    let Some(provider) = Server::oidc_provider(TEST, &[]).await else { return };
    let Some(glewlwyd) = Server::glewlwyd(TEST).await else { return };
    let Some(mut lemonldap) = Server::lemonldap(TEST).await else { return };
    let clock = Later::default();
    let by_both = glewlwyd.asked(ClientAuth::basic("rs", "rs-secret-x"), AskAbout::VerifiedJwts);
    let api = ResourceServer::builder(RESOURCE)
        .trust(provider.asked(rs(), AskAbout::OpaqueTokens))
        .trust(by_both.audiences(["read"]))
        .trust(
            lemonldap
                .asked(rs(), AskAbout::OpaqueTokens)
                .audiences(["urn:rs:llng"])
                .introspection_may_omit([OmittableClaim::Audience]),
        )
        .select_introspected(Selector::by_header(
            "x-issuer",
            [("provider", &*provider.issuer), ("lemonldap", &*lemonldap.issuer)],
        ))
        .clock(clock.clone())
        .build()
        .unwrap();
    api.ready().await.unwrap();
    let app = Router::new()
        .route("/", get(async |token: AccessToken| token.issuer().to_owned()))
        .layer(api.require(scopes!["read"]))
        .layer(api.layer());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = provider.client.clone();
    let call = async |token: &str, issuer: &str| {
        let response = client.get(&url).bearer_auth(token).header("x-issuer", issuer).send().await.unwrap();
        let challenge = response.headers().contains_key(WWW_AUTHENTICATE);
        (response.status(), challenge, response.text().await.unwrap())
    };
    let good = |server: &Server| (StatusCode::OK, false, server.issuer.clone());
    let refused = || (StatusCode::UNAUTHORIZED, true, String::new());

    let opaque_of_provider = provider.opaque().await;
    let opaque_of_lemonldap = lemonldap.token("oauth2/token", ("svcopaque", "svcopaque-secret"), &[]).await;
    let jwt_of_glewlwyd = glewlwyd.token("/token", ("svc", "svc-secret-x"), &[]).await;
    let jwt_of_provider = provider.of("RS256", RESOURCE).await;
    let jwt_of_lemonldap = lemonldap.token("oauth2/token", ("svc", "svc-secret"), &[]).await;
    for (token, issuer, server) in [
        (&opaque_of_provider, "provider", &provider),
        (&opaque_of_lemonldap, "lemonldap", &lemonldap),
        (&jwt_of_provider, "", &provider),
        (&jwt_of_lemonldap, "", &lemonldap),
        (&jwt_of_glewlwyd, "", &glewlwyd),
    ] {
        assert_eq!(call(token, issuer).await, good(server));
    }
    // A token goes to the one that is chosen, and to no other.
    assert_eq!(call(&opaque_of_provider, "lemonldap").await, refused());
    assert_eq!(call(&opaque_of_lemonldap, "provider").await, refused());
    assert_eq!(call(&opaque_of_lemonldap, "").await, refused());
    // Each of them revokes.
    provider.post("/token/revocation", ("svc", "svc-secret"), &[("token", &opaque_of_provider)]).await;
    glewlwyd.post("/revoke", ("svc", "svc-secret-x"), &[("token", &jwt_of_glewlwyd)]).await;
    lemonldap.order("forget").await;
    clock.advance(61);
    for (token, issuer) in
        [(&opaque_of_provider, "provider"), (&opaque_of_lemonldap, "lemonldap"), (&jwt_of_glewlwyd, "")]
    {
        assert_eq!(call(token, issuer).await, refused());
    }
    assert_eq!(
        call(&jwt_of_provider, "").await,
        good(&provider),
        "a JWT by its keys alone is good until it expires"
    );
}
