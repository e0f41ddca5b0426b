//! How is Apache httpd set up with mod_oauth2?

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    servers::Site,
    tokens::{CLIENT, Kind, RESOURCE},
};

pub fn is_installed() -> bool {
    Path::new(PROGRAM).exists() && Path::new(MODULES).join("mod_oauth2.so").exists()
}

pub fn command(site: &Site<'_>, cache: bool) -> io::Result<Command> {
    let cache = cache || site.kind == Kind::OpaqueCached;
    let folder = site.folder.join(format!("apache-{}", site.port));
    fs::create_dir(&folder)?;
    fs::write(folder.join("orders"), "ok")?;
    let config = CONFIG
        .replace("@FOLDER@", &folder.to_string_lossy())
        .replace("@MODULES@", MODULES)
        .replace("@PORT@", &site.port.to_string())
        .replace("@VERIFY@", &verify(site, cache))
        .replace("@CACHE@", &cache_of(cache, &folder))
        .replace("@ISSUER@", site.issuer)
        .replace("@RESOURCE@", RESOURCE);
    let file: PathBuf = folder.join("httpd.conf");
    fs::write(&file, config)?;
    let mut command = Command::new(PROGRAM);
    command.args(["-X", "-f"]).arg(file);
    Ok(command)
}

/// Where verdicts are kept. Files, because in shared memory each look-up goes through the entries one by one: a third as many
/// requests a second. It cannot do without a cache: where nothing is to be kept, a small one in shared memory is the quickest.
fn cache_of(cache: bool, folder: &Path) -> String {
    if cache {
        format!("file name=verdicts&encrypt=false&dir={}", folder.display())
    } else {
        "shm name=verdicts&max_entries=4".to_owned()
    }
}

/// How a token is judged, and for how many seconds a verdict is kept.
fn verify(site: &Site<'_>, cache: bool) -> String {
    let (id, secret) = CLIENT;
    let issuer = site.issuer;
    let kept = if cache { 3600 } else { 0 };
    let how = if site.kind.is_opaque() {
        format!(
            "introspect {issuer}/introspect introspect.auth=client_secret_basic&client_id={id}&client_secret={secret}"
        )
    } else {
        format!("jwks_uri {issuer}/jwks verify.exp=required&jwks_uri.cache=keys")
    };
    format!("{how}&verify.cache=verdicts&expiry={kept}")
}

const CONFIG: &str = include_str!("httpd.conf");

const MODULES: &str = "/usr/lib/apache2/modules";
const PROGRAM: &str = "/usr/sbin/apache2";
