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
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
};

use tool::Running;

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
    let mut issuer = Running::start("issuer", &["--fault", "jwks=down"]);
    let url = issuer.line().unwrap();
    let rest = issuer.until("Ctrl-C");
    assert!(rest.iter().any(|line| line.contains("NOT FOR PRODUCTION")), "{rest:?}");
    let metadata = get(&url);
    assert!(
        metadata.starts_with("HTTP/1.1 200 OK\r\n") && metadata.contains("\"issuer\":\"http://127.0.0.1:"),
        "{metadata}"
    );
    let jwks = get(&url.replace(".well-known/openid-configuration", "jwks"));
    assert!(jwks.starts_with("HTTP/1.1 503 "), "{jwks}");

    let ended = issuer.interrupt();
    assert_eq!((ended.status, &*ended.out), (Some(0), "stopped\n"));
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
        &["--users", "ann,ann"],
        &["--x"],
    ] {
        let ended = Command::new(tool::example("issuer")).args(arguments).output().unwrap();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8(ended.stderr).unwrap().contains("usage: issuer"), "{arguments:?}");
    }
}
