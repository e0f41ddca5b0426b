//! What the MCP specification of 2026-07-28 asks of the server in its chapter on authorization, rule by rule, over a real socket.

#![expect(clippy::disallowed_types, reason = "a client of the service")]

mod common;

use bearergate::testing::TestIssuer;
use common::{Outcome, embedded};
use reqwest::{
    Client, Method, RequestBuilder, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, ORIGIN, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

struct Answer {
    status: StatusCode,
    challenges: Vec<String>,
    content: Value,
}

/// As a client of before 2026-07-28, which does not repeat the tool's name in a header field.
fn post(url: &str, token: Option<&str>, message: String) -> RequestBuilder {
    let request = Client::new().post(url).header(CONTENT_TYPE, "application/json");
    let request = request.header(ACCEPT, "application/json, text/event-stream").body(message);
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

async fn sent(request: RequestBuilder) -> Outcome<Answer> {
    let answer = request.send().await?;
    let challenges = answer.headers().get_all(WWW_AUTHENTICATE).iter();
    let challenges = challenges.map(|field| field.to_str().map(str::to_owned)).collect::<Result<_, _>>()?;
    let status = answer.status();
    let content = serde_json::from_slice(&answer.bytes().await?).unwrap_or_default();
    Ok(Answer { status, challenges, content })
}

fn message(tool: &str) -> String {
    let params = json!({"name": tool, "arguments": {"text": "a note"}});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
}

async fn call(url: &str, token: Option<&str>, tool: &str) -> Outcome<Answer> {
    sent(post(url, token, message(tool))).await
}

fn metadata_of(url: &str) -> String {
    url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
}

fn text(answer: &Answer) -> &Value {
    &answer.content["result"]["content"][0]["text"]
}

fn reader(issuer: &TestIssuer, url: &str) -> String {
    issuer.token().audience(url).scope("notes:read").mint()
}

#[tokio::test]
async fn without_a_token_the_client_learns_where_to_ask_and_for_what() -> Outcome {
    let (_issuer, url) = embedded(|issuer| issuer).await?;
    let expected =
        format!("Bearer realm=\"{url}\", resource_metadata=\"{}\", scope=\"notes:read\"", metadata_of(&url));
    for method in [Method::POST, Method::GET, Method::DELETE] {
        let answer = sent(Client::new().request(method, &url)).await?;
        assert_eq!(
            (answer.status, answer.challenges.as_slice()),
            (StatusCode::UNAUTHORIZED, &[expected.clone()][..])
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_metadata_names_the_authorization_server_and_no_refresh_scope() -> Outcome {
    let (issuer, url) = embedded(|issuer| issuer).await?;
    let answer = sent(Client::new().get(metadata_of(&url))).await?;
    assert_eq!(answer.status, StatusCode::OK);
    let expected = json!({
        "resource": url,
        "authorization_servers": [issuer.url()],
        "scopes_supported": ["notes:read"],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(answer.content, expected);
    Ok(())
}

#[tokio::test]
async fn only_tokens_for_this_server_are_accepted() -> Outcome {
    let (issuer, url) = embedded(|issuer| issuer).await?;
    let token = || issuer.token().audience(&url).subject("ben").scope("notes:read");
    for good in [token(), token().claim("aud", [url.as_str(), "https://other.example"])] {
        let answer = call(&url, Some(&good.mint()), "whoami").await?;
        assert_eq!((answer.status, text(&answer)), (StatusCode::OK, &json!("ben")));
    }
    for bad in [
        token().audience("https://other.example/mcp").mint(),
        token().audience(url.replace("/mcp", "")).mint(),
        token().audience(format!("{url}/")).mint(),
        token().without("aud").mint(),
        token().expired().mint(),
        token().forged().mint(),
        token().issuer("https://other.example").mint(),
        "rubbish".to_owned(),
    ] {
        let answer = call(&url, Some(&bad), "whoami").await?;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let [challenge] = answer.challenges.as_slice() else { return Err("one challenge".into()) };
        for part in [
            "error=\"invalid_token\"",
            "scope=\"notes:read\"",
            &format!("resource_metadata=\"{}\"", metadata_of(&url)),
        ] {
            assert!(challenge.contains(part), "{challenge}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_token_elsewhere_than_in_the_header_field_is_none() -> Outcome {
    let (issuer, url) = embedded(|issuer| issuer).await?;
    let token = reader(&issuer, &url);
    let answer = call(&format!("{url}?access_token={token}"), None, "whoami").await?;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(!answer.challenges.concat().contains("error="), "{:?}", answer.challenges);
    let form = post(&url, None, format!("access_token={token}"));
    let answer = sent(form.header(CONTENT_TYPE, "application/x-www-form-urlencoded")).await?;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    // Beside the field it changes nothing.
    let answer = call(&format!("{url}?access_token=rubbish"), Some(&token), "whoami").await?;
    assert_eq!(answer.status, StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn a_tool_that_needs_more_names_all_of_it_in_one_challenge() -> Outcome {
    let (issuer, url) = embedded(|issuer| issuer).await?;
    let token = |scope: &str| issuer.token().audience(&url).scope(scope).mint();
    for (scope, tool, needed) in [
        ("notes:read", "add_note", "notes:read notes:write"),
        ("notes:write:all", "add_note", "notes:read notes:write"),
        ("other", "list_notes", "notes:read"),
    ] {
        let answer = call(&url, Some(&token(scope)), tool).await?;
        let metadata = metadata_of(&url);
        let expected = format!(
            "Bearer realm=\"{url}\", resource_metadata=\"{metadata}\", scope=\"{needed}\", error=\"insufficient_scope\""
        );
        assert_eq!((answer.status, answer.challenges.len()), (StatusCode::FORBIDDEN, 1));
        assert!(answer.challenges.concat().starts_with(&expected), "{:?}", answer.challenges);
    }
    let answer = call(&url, Some(&token("other")), "whoami").await?;
    assert_eq!(answer.status, StatusCode::OK);
    // Of a tool that is not there, no scope would help: nobody's user is asked for one.
    let answer = call(&url, Some(&token("notes:read")), "no_such_tool").await?;
    assert_eq!((answer.challenges.len(), text(&answer)), (0, &Value::Null));
    assert!(answer.content["error"].is_object(), "{}", answer.content);
    // Whoever may write may read.
    for enough in ["notes:write notes:read", "notes:write"] {
        let answer = call(&url, Some(&token(enough)), "add_note").await?;
        assert_eq!((answer.status, text(&answer)), (StatusCode::OK, &json!("kept")));
        let answer = call(&url, Some(&token(enough)), "list_notes").await?;
        assert_eq!(answer.status, StatusCode::OK);
    }
    Ok(())
}

#[tokio::test]
async fn nobody_gets_past_the_scope_by_odd_json() -> Outcome {
    let (issuer, url) = embedded(|issuer| issuer).await?;
    let token = reader(&issuer, &url);
    let call = |members: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":1,{members}}}");
    let arguments = "\"arguments\":{\"text\":\"smuggled\"}";
    for message in [
        call(&format!(
            "\"method\":\"tools/call\",\"params\":{{\"name\":\"add_note\",{arguments},\"name\":\"whoami\"}}"
        )),
        call(&format!(
            "\"method\":\"tools/call\",\"params\":{{\"name\":\"whoami\",{arguments},\"name\":\"add_note\"}}"
        )),
        call(&format!(
            "\"method\":\"tools/call\",\"params\":{{\"name\":\"add_note\",{arguments}}},\"params\":{{\"name\":\"whoami\"}}"
        )),
        call(&format!(
            "\"method\":\"tools/call\",\"params\":{{\"name\":\"add_note\",{arguments}}},\"method\":\"ping\""
        )),
        call(&format!(
            "\"method\":\"ping\",\"params\":{{\"name\":\"add_note\",{arguments}}},\"method\":\"tools/call\""
        )),
        call(&format!(
            "\"method\":\"tools\\u002fcall\",\"params\":{{\"name\":\"add\\u005fnote\",{arguments}}}"
        )),
        call(&format!(
            "\"method\":\"tools/call\",\"params\":{{\"name\":\"add_note\",{arguments}}},\"odd\":1e999"
        )),
        call(&format!(
            "\"method\":\"tools/call\",\"params\":{{\"name\":\"add_note\",{arguments}}},\"odd\":\"\\ud800\""
        )),
        call(&format!(
            "\"method\":\"tools/call\",\"params\":{{\"name\":\"add_note\",{arguments},\"odd\":1e999}}"
        )),
        call(&format!(
            "\"method\":\"tools/call\",\"params\":{{\"name\":\"add_note\",{arguments},\"odd\":\"\\ud800\"}}"
        )),
        call(&format!(
            "\"method\":\"tools/call\",\"params\":{{\"name\":\"add_note\",{arguments}}},\"odd\":{{\"$serde_json::private::RawValue\":\"x\"}}"
        )),
        format!("[{}]", message("add_note")),
        format!("\u{feff}{}", message("add_note")),
    ] {
        let answer = sent(post(&url, Some(&token), message.clone())).await?;
        assert_ne!(text(&answer), "kept", "{message}");
        let notes = sent(post(&url, Some(&token), self::message("list_notes"))).await?;
        assert_eq!((notes.status, text(&notes)), (StatusCode::OK, &json!("")), "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn each_sees_their_own_notes_alone() -> Outcome {
    let (issuer, url) = embedded(|issuer| issuer).await?;
    let token = |who: &str| issuer.token().audience(&url).subject(who).scope("notes:read notes:write").mint();
    call(&url, Some(&token("ann")), "add_note").await?;
    for (who, notes) in [("ann", "a note"), ("ben", "")] {
        let answer = call(&url, Some(&token(who)), "list_notes").await?;
        assert_eq!((answer.status, text(&answer)), (StatusCode::OK, &json!(notes)));
    }
    Ok(())
}

#[tokio::test]
async fn messages_are_bounded_and_pages_of_other_origins_turned_away() -> Outcome {
    let (issuer, url) = embedded(|issuer| issuer).await?;
    let token = reader(&issuer, &url);
    let answer = sent(post(&url, Some(&token), " ".repeat(65 * 1024))).await?;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    for token in [Some(&*token), None] {
        for origin in ["https://evil.example", "http://localhost:6274", "null"] {
            let answer = sent(post(&url, token, message("whoami")).header(ORIGIN, origin)).await?;
            assert_eq!((answer.status, answer.challenges.len()), (StatusCode::FORBIDDEN, 0), "{origin}");
        }
    }
    // The metadata is for everybody.
    assert_eq!(
        sent(Client::new().get(metadata_of(&url)).header(ORIGIN, "https://a.example")).await?.status,
        StatusCode::OK
    );
    Ok(())
}

#[tokio::test]
async fn notes_are_bounded() -> Outcome {
    let (issuer, url) = embedded(|issuer| issuer).await?;
    let token = issuer.token().audience(&url).scope("notes:write").mint();
    let add = async |octets: usize| {
        let params = json!({"name": "add_note", "arguments": {"text": "x".repeat(octets)}});
        let message =
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
        sent(post(&url, Some(&token), message)).await
    };
    assert!(add(1025).await?.content["error"].is_object());
    for _ in 0..100 {
        assert_eq!(text(&add(1024).await?), "kept");
    }
    assert!(add(1).await?.content["error"].is_object());
    Ok(())
}
