//! A client of another hand (npm `oauth4webapi`) goes through every flow of the embedded issuer, unmodified.
//!
//! `scripts/test` installs it and says where it is. Without it this test prints one line and is left out.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, path::PathBuf, process::Stdio};

use bearergate::{Claims, Presented, ResourceServer, scopes, testing::TestIssuer};
use serde_json::Value;
use tokio::process::Command;

const RESOURCE: &str = "https://api.example.com";

/// A private key, as RFC 7517 prints it in appendix A.2, without `use`.
const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE","kid":"1"}"#;

/// Its public half.
fn public() -> String {
    let mut key: Value = serde_json::from_str(KEY).unwrap();
    key.as_object_mut().unwrap().remove("d");
    key.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oauth4webapi_goes_through_every_flow() {
    let Some(server) = env::var_os("BEARERGATE_OIDC_PROVIDER") else {
        println!("left out: `oauth4webapi` is not installed, run scripts/test");
        return;
    };
    let issuer = TestIssuer::builder()
        .client("shop", "secret", scopes!["read"])
        .client("bank", "secret", scopes!["read"])
        .opaque_tokens_for("bank")
        .client_with_key("keys", &public(), scopes!["openid", "read"])
        .redirect_uris("keys", ["http://127.0.0.1:4711/callback"])
        .scopes(scopes!["read"])
        .start()
        .await
        .unwrap();
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build().unwrap();
    let output = Command::new("node")
        .arg(PathBuf::from(server).with_file_name("client.mjs"))
        .args([issuer.url(), RESOURCE, KEY])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut flows = Vec::new();
    for line in told.lines() {
        let (flow, token) = line.split_once(' ').map_or((line, None), |(flow, token)| (flow, Some(token)));
        flows.push(flow);
        if let Some(token) = token {
            let token = api.validate::<Claims>(&Presented::bearer(token)).await.unwrap();
            let expected: &[_] = if flow == "key" { &["openid", "read"] } else { &["read"] };
            assert_eq!(token.scopes().collect::<Vec<_>>(), expected, "{flow}");
        }
    }
    assert_eq!(
        flows,
        [
            "discovery",
            "registration",
            "code",
            "refresh",
            "reuse",
            "device",
            "basic",
            "post",
            "jwt",
            "key",
            "introspection",
            "revocation"
        ]
    );
}
