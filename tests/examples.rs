//! The examples that serve: they say so, and stop on Ctrl-C; and how the quickstart looks.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test fails by panicking, and the times of files"
)]

#[path = "common/tool.rs"]
mod tool;

use tool::Running;

/// Each names Ctrl-C in its last line before it serves, and not earlier. `scripts/startup` has them too.
const SERVING: [&str; 5] = ["dashboard", "device", "issuer", "quickstart", "service"];

/// Where it has printed a line with this text, Ctrl-C stops it.
#[track_caller]
fn stops_after(name: &str, text: &str) {
    let mut running = Running::start(name, &[]);
    running.until(text);
    let ended = running.interrupt();
    assert_eq!(ended.err, "", "{name}");
    assert_eq!(ended.out.lines().last(), Some("stopped"), "{name}");
    assert_eq!(ended.status, Some(0), "{name}");
}

#[test]
fn they_serve_and_stop() {
    for name in SERVING {
        stops_after(name, "Ctrl-C");
    }
}

#[test]
fn they_stop_from_their_first_line_on() {
    for name in SERVING {
        stops_after(name, "");
    }
}

/// What stays on this machine needs no proxy of the environment: no newcomer has to think of theirs.
#[test]
fn a_proxy_does_not_stop_the_quickstart() {
    quickstart(&[
        ("http_proxy", "http://127.0.0.1:1"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("no_proxy", ""),
    ]);
}

#[test]
fn the_quickstart_stops_within_its_table() {
    stops_after("quickstart", "expired ");
}

/// What the quickstart prints with these variables.
fn quickstart(variables: &[(&str, &str)]) -> String {
    let mut command = tool::command("quickstart");
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    let ended = command.arg("--once").envs(variables.iter().copied()).output().unwrap();
    let out = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{out}");
    out
}

#[test]
fn the_table_of_the_quickstart_fits_and_is_plain_where_nobody_looks() {
    for variables in [
        &[][..],
        &[("CLICOLOR", "1")],
        &[("CLICOLOR_FORCE", "0")],
        &[("CLICOLOR_FORCE", "")],
        &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
    ] {
        let out = quickstart(variables);
        assert!(!out.contains('\x1b'), "{variables:?}: {out}");
        assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
    }
}

#[test]
fn colours_can_be_asked_for() {
    for variables in [&[("CLICOLOR_FORCE", "1")][..], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")]] {
        let out = quickstart(variables);
        assert!(out.contains("/me     \x1b[32m200 \x1b[0m"), "{out}");
        assert!(out.contains("/me     \x1b[33m401 \x1b[0m"), "{out}");
        // Each colour is ended in its line.
        for line in out.lines().filter(|line| line.contains('\x1b')) {
            assert_eq!(line.matches('\x1b').count(), 2, "{line:?}");
            assert!(line.contains("\x1b[0m"), "{line:?}");
        }
    }
}
