//! The example `issuer`: it says where it is, serves, and stops on Ctrl-C.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a test fails by panicking, and the times of files"
)]

#[path = "common/tool.rs"]
mod tool;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Command, Stdio},
};

/// An answer over a plain connection.
fn get(url: &str) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_serves_and_stops() {
    let mut child = Command::new(tool::example("issuer"))
        .args(["--fault", "jwks=down"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.next().unwrap();
    let rest: Vec<_> = lines.by_ref().take_while(|line| !line.starts_with("Ctrl-C")).collect();
    assert!(rest.iter().any(|line| line.contains("NOT FOR PRODUCTION")), "{rest:?}");
    let metadata = get(&url);
    assert!(
        metadata.starts_with("HTTP/1.1 200 OK\r\n") && metadata.contains("\"issuer\":\"http://127.0.0.1:"),
        "{metadata}"
    );
    let jwks = get(&url.replace(".well-known/openid-configuration", "jwks"));
    assert!(jwks.starts_with("HTTP/1.1 503 "), "{jwks}");

    // What a terminal sends for Ctrl-C.
    assert!(
        Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap().success()
    );
    assert_eq!(lines.next().as_deref(), Some("stopped"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_it_does_not_know_it_says() {
    for arguments in [
        &["--port", "x"][..],
        &["--port"],
        &["--fault", "jwks"],
        &["--fault", "x=down"],
        &["--fault", "jwks=x"],
        &["--users", "ann,,ben"],
        &["--x"],
    ] {
        let ended = Command::new(tool::example("issuer")).args(arguments).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8(ended.stderr).unwrap().contains("usage: issuer"), "{arguments:?}");
    }
}
