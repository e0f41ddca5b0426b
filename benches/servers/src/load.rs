//! How many requests a second does a server answer, and how fast?

use std::{path::Path, process::Command};

use bearergate::testing::{Endpoint, TestIssuer};

use crate::process::{LOAD_CORE, Process, pinned};

/// What one run of wrk has seen; times in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub rps: f64,
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    /// The share of its core that the server used. Far below 1, something else is what limits.
    pub busy: f64,
    /// Questions to the issuer's introspection endpoint for each request.
    pub asked: f64,
}

/// A server under load.
#[derive(Debug)]
pub struct Target<'t> {
    pub server: &'t Process,
    pub port: u16,
    pub issuer: &'t TestIssuer,
}

pub fn is_installed() -> bool {
    Command::new("wrk").arg("--version").output().is_ok()
}

/// wrk's arguments in front of the URL.
pub fn arguments(seconds: u32) -> [String; 6] {
    ["-t1", "-c32", &format!("-d{seconds}s"), "--latency", "-s", "load.lua"].map(str::to_owned)
}

/// Puts load on a server, in a folder that [`prepare`] has seen. An answer that is no success makes it an error.
pub async fn run(target: &Target<'_>, folder: &Path, seconds: u32) -> Result<Sample, String> {
    let Target { server, port, issuer } = target;
    let questions = || issuer.requests_to(Endpoint::Introspection) as f64;
    let mut wrk = Command::new("wrk");
    wrk.args(arguments(seconds)).arg(format!("http://127.0.0.1:{port}/orders")).args(["--", TOKENS_FILE]);
    wrk.current_dir(folder);
    let before = (server.busy(), questions());
    let output = pinned(&wrk, LOAD_CORE).output().await.map_err(|error| format!("wrk: {error}"))?;
    let after = (server.busy(), questions());
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("measured "));
    let numbers: Vec<f64> =
        line.unwrap_or_default().split(' ').filter_map(|number| number.parse().ok()).collect();
    let [requests, micros, refused, broken, p50, p99, p999] = numbers[..] else {
        return Err(format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)));
    };
    if refused > 0.0 || broken > 0.0 || requests == 0.0 {
        return Err(format!("of {requests} requests {refused} were refused, {broken} got no answer"));
    }
    let seconds = micros / 1e6;
    let busy = after.0.zip(before.0).map_or(f64::NAN, |(after, before)| (after - before) / seconds);
    let asked = (after.1 - before.1) / requests;
    Ok(Sample { rps: requests / seconds, p50, p99, p999, busy, asked })
}

/// Writes what wrk does into a folder. The tokens go beside it.
pub fn prepare(folder: &Path) -> std::io::Result<()> {
    std::fs::write(folder.join("load.lua"), SCRIPT)
}

/// One token a line.
pub const TOKENS_FILE: &str = "tokens";

const SCRIPT: &str = include_str!("load.lua");
