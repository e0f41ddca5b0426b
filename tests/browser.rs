//! Somebody uses the example `dashboard`, and the issuer's pages, in a real browser: Debian's Chromium, driven by npm `playwright-core`.
//!
//! `scripts/test` installs both and says where they are. Without them this test prints one line and is left out. The pictures that it
//! takes are in `target/screenshots`; with `BEARERGATE_WRITE_SCREENSHOTS` set they become those of the documentation.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test fails by panicking, and the times of files"
)]

#[path = "common/tool.rs"]
mod tool;

use std::{env, fs, path::Path, process::Command};

use tool::{Running, example};

#[test]
fn somebody_uses_the_dashboard() {
    let Some(walk) = env::var_os("BEARERGATE_BROWSER") else {
        println!("left out: Chromium and `playwright-core` are not installed, run scripts/test");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = fs::read(root.join("tests/browser/walk.mjs")).unwrap();
    assert!(fs::read(&walk).unwrap() == source, "an old copy of walk.mjs is installed, run scripts/test");
    let screenshots = root.join("target/screenshots");
    let quickstart = Command::new(example("quickstart"))
        .arg("--once")
        .env_remove("NO_COLOR")
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    let printed = tool::file(&String::from_utf8(quickstart.stdout).unwrap());

    let mut dashboard = Running::start("dashboard", &[]);
    let walked = Command::new("node")
        .arg(walk)
        .arg(dashboard.line().unwrap())
        .arg(&screenshots)
        .arg(&printed)
        .output()
        .unwrap();
    let told = String::from_utf8(walked.stdout).unwrap();
    assert!(walked.status.success(), "{told}\n{}", String::from_utf8_lossy(&walked.stderr));
    assert_eq!(
        told.lines().collect::<Vec<_>>(),
        [
            "login",
            "countdown",
            "cookie",
            "403",
            "more scope",
            "expiry, refresh, retry",
            "what an API must not take",
            "two users",
            "revoked, a JWT",
            "revoked, an opaque token",
            "log out",
            "deny",
            "phone",
            "device",
            "no token in the browser",
            "screenshots",
        ]
    );
    let ended = dashboard.interrupt();
    assert_eq!((ended.status, ended.err.as_str()), (Some(0), ""));
    if env::var_os("BEARERGATE_WRITE_SCREENSHOTS").is_some() {
        let docs = root.join("docs/screenshots");
        fs::create_dir_all(&docs).unwrap();
        for name in ["consent.png", "dashboard.png", "quickstart.png"] {
            fs::copy(screenshots.join(name), docs.join(name)).unwrap();
        }
    }
}
