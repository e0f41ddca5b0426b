//! A client of another hand (npm `oauth4webapi`) goes through every flow of the embedded issuer, unmodified.
//!
//! `scripts/test` installs it and says where it is. Without it this test prints one line and is left out.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, path::PathBuf, process::Stdio};

use bearergate::{Claims, Presented, ResourceServer, scopes, testing::TestIssuer};
use tokio::process::Command;

const RESOURCE: &str = "https://api.example.com";

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
        .scopes(scopes!["read"])
        .start()
        .await
        .unwrap();
    let api = ResourceServer::builder(RESOURCE).trust(issuer.trusted()).build().unwrap();
    let output = Command::new("node")
        .arg(PathBuf::from(server).with_file_name("client.mjs"))
        .args([issuer.url(), RESOURCE])
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
            assert_eq!(token.scopes().collect::<Vec<_>>(), ["read"], "{flow}");
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
            "introspection",
            "revocation"
        ]
    );
}
