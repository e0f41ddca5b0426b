//! What was measured on what?

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::{load, servers::envoy};

/// One line each: the date, the machine's kind, the versions, and wrk's command.
pub fn lines(installed: &Path, rounds: usize, seconds: u32) -> Vec<String> {
    let package = |name: &str| format!("{name} {}", node_package(installed, name).unwrap_or_else(unknown));
    let envoy = envoy::program(installed).and_then(|program| {
        // `… version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`
        first_line(&program.to_string_lossy(), &["--version"])?.split('/').rev().nth(3).map(str::to_owned)
    });
    let versions = [
        first_line("rustc", &["--version"]).unwrap_or_else(unknown),
        format!("axum {}", locked("axum").unwrap_or_else(unknown)),
        format!("envoy {}", envoy.unwrap_or_else(unknown)),
        format!("apache {}", debian("apache2-bin").unwrap_or_else(unknown)),
        format!("mod_oauth2 {}", debian("libapache2-mod-oauth2").unwrap_or_else(unknown)),
        format!("liboauth2 {}", debian("liboauth2-0").unwrap_or_else(unknown)),
        format!("node {}", first_line("node", &["--version"]).unwrap_or_else(unknown)),
        package("jose"),
        package("express"),
        package("express-oauth2-jwt-bearer"),
        format!("wrk {}", debian("wrk").unwrap_or_else(unknown)),
    ];
    vec![
        format!("date: {}", first_line("date", &["-u", "+%F"]).unwrap_or_else(unknown)),
        format!("cpu: {}", cpu().unwrap_or_else(unknown)),
        format!("kernel: {}", kernel().unwrap_or_else(unknown)),
        format!("versions: {}", versions.join(", ")),
        format!("load: {rounds} rounds of: wrk {} URL -- tokens", load::arguments(seconds).join(" ")),
        "cores: the server alone on one; wrk and the issuer on the other".to_owned(),
    ]
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// Its name and two parts of its version: what is behind them names a machine.
fn kernel() -> Option<String> {
    let line = first_line("uname", &["-sr"])?;
    Some(line.split('.').take(2).collect::<Vec<_>>().join("."))
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

fn debian(package: &str) -> Option<String> {
    first_line("dpkg-query", &["--show", "--showformat", "${Version}", package])
}

fn node_package(installed: &Path, name: &str) -> Option<String> {
    let text = fs::read(installed.join("node/node_modules").join(name).join("package.json")).ok()?;
    Some(serde_json::from_slice::<Value>(&text).ok()?.get("version")?.as_str()?.to_owned())
}

/// The version of a crate in the lock file that this program was built from.
fn locked(name: &str) -> Option<String> {
    let (_, rest) = LOCK.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    rest.split('"').next().map(str::to_owned)
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(": ")?.1.to_owned())
}

const LOCK: &str = include_str!("../Cargo.lock");
