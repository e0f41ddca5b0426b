//! The whole dance, by the client of rmcp: 401, metadata, authorization server, token, call, 403, more scope, call. The tests play
//! the user's browser, and nothing else.

#![expect(clippy::disallowed_types, reason = "clients of the service, and the browser")]

mod common;

use std::{collections::BTreeMap, env, io::Write as _, path::PathBuf, process::Stdio};

use bearergate::{Issuer, testing::Endpoint};
use common::{Outcome, embedded, server};
use reqwest::{
    Client, Url,
    header::{COOKIE, LOCATION, SET_COOKIE},
    redirect::Policy,
};
use rmcp::{
    ClientLifecycleMode, ClientServiceExt as _, RoleClient, ServiceError,
    model::{CallToolRequestParams, ProtocolVersion},
    service::{ClientInitializeError, RunningService},
    transport::{
        AuthClient, AuthorizationManager, StreamableHttpClientTransport,
        auth::{AuthorizationCallback, AuthorizationRequest, OAuthState, WWWAuthenticateParams},
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

/// Where the client would listen for its user's browser.
const CALLBACK: &str = "http://127.0.0.1:4711/callback";

type Mcp = RunningService<RoleClient, ()>;

/// Follows redirects, keeps cookies.
struct Browser {
    client: Client,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    fn new() -> Outcome<Self> {
        let client = Client::builder().no_proxy().redirect(Policy::none()).build()?;
        Ok(Self { client, cookies: BTreeMap::new() })
    }

    /// Goes where it is sent, until that is the client.
    async fn visit(&mut self, url: &str) -> Outcome<String> {
        let mut url = Url::parse(url)?;
        for _ in 0..20 {
            if url.as_str().starts_with(CALLBACK) {
                return Ok(url.into());
            }
            let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
            let cookies = cookies.collect::<Vec<_>>().join("; ");
            let answer = self.client.get(url.clone()).header(COOKIE, cookies).send().await?;
            for field in answer.headers().get_all(SET_COOKIE) {
                let pair = field.to_str()?.split(';').next().unwrap_or_default();
                let (name, value) = pair.split_once('=').ok_or("a cookie has a value")?;
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
            let Some(place) = answer.headers().get(LOCATION) else {
                return Err(format!("{} {url}: {}", answer.status(), answer.text().await?).into());
            };
            url = url.join(place.to_str()?)?;
        }
        Err("the browser is sent round in circles".into())
    }
}

/// As a client of 2026-07-28.
fn newest() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
}

async fn connect(
    client: AuthClient<Client>,
    url: &str,
    lifecycle: ClientLifecycleMode,
) -> Result<Mcp, ClientInitializeError> {
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let transport = StreamableHttpClientTransport::with_client(client, config);
    ().serve_with_lifecycle(transport, lifecycle).await
}

/// What the server says to a client that has no token.
async fn challenge(url: &str, lifecycle: ClientLifecycleMode) -> Outcome<String> {
    let nobody = AuthClient::new(Client::new(), AuthorizationManager::new(url).await?);
    let error = connect(nobody, url, lifecycle).await.err().ok_or("nobody is let in without a token")?;
    Ok(error.auth_challenge().ok_or("the refusal has a challenge")?.to_owned())
}

/// Begins an authorization from a challenge, and asks the user.
async fn ask(url: &str, challenge: String, browser: &mut Browser) -> Outcome<(OAuthState, String)> {
    let mut state = OAuthState::new(url, None).await?;
    let request = AuthorizationRequest::new(CALLBACK).with_client_name("The dance").with_challenge(challenge);
    state.start_authorization(request).await?;
    let back = browser.visit(&state.get_authorization_url().await?).await?;
    Ok((state, back))
}

async fn call(mcp: &Mcp, tool: &'static str, arguments: Value) -> Result<String, ServiceError> {
    let arguments = arguments.as_object().cloned().unwrap_or_default();
    let result = mcp.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?;
    let text = result.content.first().and_then(|content| content.as_text());
    Ok(text.map(|text| text.text.clone()).unwrap_or_default())
}

async fn dance(url: &str, lifecycle: ClientLifecycleMode) -> Outcome {
    let mut browser = Browser::new()?;

    // 401, from which everything else follows.
    let first = challenge(url, lifecycle.clone()).await?;
    let (mut state, back) = ask(url, first, &mut browser).await?;
    state.handle_callback_url(&back).await?;
    let manager = state.into_authorization_manager().ok_or("the client has a token")?;
    assert_eq!(manager.get_current_scopes().await, ["notes:read"]);

    let client = AuthClient::new(Client::new(), manager);
    let manager = client.auth_manager.clone();
    let mcp = connect(client, url, lifecycle).await?;
    let mut tools: Vec<_> = mcp.list_all_tools().await?.into_iter().map(|tool| tool.name).collect();
    tools.sort();
    assert_eq!(tools, ["add_note", "list_notes", "whoami"]);
    assert_eq!(call(&mcp, "whoami", json!({})).await?, "ann");
    assert_eq!(call(&mcp, "list_notes", json!({})).await?, "");

    // 403, which says what is missing.
    let note = json!({"text": "water the plants"});
    let error = call(&mcp, "add_note", note.clone()).await.err().ok_or("a reader may not write")?;
    let refused = error.auth_challenge().ok_or("the refusal has a challenge")?;
    let refused = WWWAuthenticateParams::parse(refused, &Url::parse(url)?);
    assert!(refused.is_insufficient_scope(), "{refused:?}");
    let scope = refused.scope.ok_or("the challenge names the scope")?;
    assert_eq!(scope, "notes:read notes:write");
    assert_eq!(call(&mcp, "list_notes", json!({})).await?, "");

    // The step up, and the call once more.
    let manager = manager.lock().await;
    let back = browser.visit(&manager.request_scope_upgrade(&scope).await?).await?;
    let back = AuthorizationCallback::from_redirect_url(&back)?;
    let issuer = back.issuer.as_deref();
    manager.exchange_code_for_token_with_issuer(&back.code, &back.csrf_token, issuer).await?;
    let mut scopes = manager.get_current_scopes().await;
    scopes.sort();
    assert_eq!(scopes, ["notes:read", "notes:write"]);
    drop(manager);
    assert_eq!(call(&mcp, "add_note", note).await?, "kept");
    assert_eq!(call(&mcp, "list_notes", json!({})).await?, "water the plants");
    mcp.cancel().await?;
    Ok(())
}

#[tokio::test]
async fn with_the_embedded_issuer() -> Outcome {
    let (issuer, url) = embedded(|issuer| issuer).await?;
    dance(&url, newest()).await?;
    let asked = [Endpoint::Registration, Endpoint::Authorization, Endpoint::Token];
    assert_eq!(asked.map(|endpoint| issuer.requests_to(endpoint)), [1, 2, 2]);
    Ok(())
}

#[tokio::test]
async fn with_oidc_provider() -> Outcome {
    let Some(provider) = Provider::start("with_oidc_provider").await? else { return Ok(()) };
    let url = server(Issuer::discover(&provider.issuer).allow_http_on_loopback()).await?;
    dance(&url, newest()).await
}

#[tokio::test]
async fn by_a_client_of_before_2026_07_28() -> Outcome {
    let (_issuer, url) = embedded(|issuer| issuer).await?;
    dance(&url, ClientLifecycleMode::Initialize).await
}

#[tokio::test]
async fn a_user_who_refuses_gives_the_client_nothing() -> Outcome {
    let (issuer, url) = embedded(|issuer| issuer.denies_consent()).await?;
    let (mut state, back) = ask(&url, challenge(&url, newest()).await?, &mut Browser::new()?).await?;
    let said: BTreeMap<_, _> = Url::parse(&back)?.query_pairs().into_owned().collect();
    assert_eq!((said["error"].as_str(), said["iss"].as_str()), ("access_denied", issuer.url()));
    assert!(!said.contains_key("code"));
    assert!(state.handle_callback_url(&back).await.is_err());
    assert_eq!(issuer.requests_to(Endpoint::Token), 0);
    assert!(challenge(&url, newest()).await.is_ok());
    Ok(())
}

/// A running oidc-provider. It ends with the test, because its stdin closes.
struct Provider {
    issuer: String,
    _process: Child,
    /// It says more than the line that is read.
    _lines: Lines<BufReader<ChildStdout>>,
}

impl Provider {
    async fn start(test: &str) -> Outcome<Option<Self>> {
        let Ok(server) = env::var("BEARERGATE_OIDC_PROVIDER") else {
            let line =
                format!("{test}: left out, BEARERGATE_OIDC_PROVIDER is not set; scripts/test sets it\n");
            let _shown = std::io::stderr().write_all(line.as_bytes());
            return Ok(None);
        };
        let script = PathBuf::from(server).with_file_name("login.mjs");
        let mut command = Command::new("node");
        command
            .arg(script)
            .args(["notes:read", "notes:write"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn()?;
        let mut lines = BufReader::new(process.stdout.take().ok_or("node has a stdout")?).lines();
        let line = lines.next_line().await?.ok_or("oidc-provider says where it is")?;
        let state: Value = serde_json::from_str(&line)?;
        let issuer = state["issuer"].as_str().ok_or("oidc-provider names itself")?.to_owned();
        Ok(Some(Self { issuer, _process: process, _lines: lines }))
    }
}
