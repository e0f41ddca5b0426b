//! How is Envoy's `jwt_authn` filter set up?

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    servers::Site,
    tokens::{LEEWAY, RESOURCE},
};

/// Envoy from the wheel that `install` brings; not by its launcher in Python, which would be one process more.
pub fn program(installed: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(installed.join("venv/lib")).ok()?;
    let mut programs = versions.flatten().map(|folder| folder.path().join("site-packages/envoy/_bin/envoy"));
    programs.find(|program| program.exists())
}

pub fn command(program: PathBuf, site: &Site<'_>, cache: bool) -> io::Result<Command> {
    let issuer_port = site.issuer.rsplit(':').next().unwrap_or_default();
    let config = CONFIG
        .replace("@PORT@", &site.port.to_string())
        .replace("@ISSUER_PORT@", issuer_port)
        .replace("@ISSUER@", site.issuer)
        .replace("@RESOURCE@", RESOURCE)
        .replace("@LEEWAY@", &LEEWAY.as_secs().to_string())
        .replace("@CACHE@", if cache { "jwt_cache_config: { jwt_cache_size: 20000 }" } else { "" });
    let file = site.folder.join(format!("envoy-{}.yaml", site.port));
    fs::write(&file, config)?;
    let mut command = Command::new(program);
    command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "--config-path"]);
    command.arg(file);
    Ok(command)
}

const CONFIG: &str = include_str!("envoy.yaml");
