//! How are the servers in JavaScript started?

use std::{fs, io, path::Path, process::Command};

use crate::{
    servers::Site,
    tokens::{LEEWAY, RESOURCE},
};

/// One of two small programs.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// The package that it needs.
    pub package: &'static str,
    file: &'static str,
    text: &'static str,
}

pub const JOSE: Script =
    Script { package: "jose", file: "jose.js", text: include_str!("../../node/jose.js") };

pub const EXPRESS: Script = Script {
    package: "express-oauth2-jwt-bearer",
    file: "express.js",
    text: include_str!("../../node/express.js"),
};

impl Script {
    pub fn is_installed(self, installed: &Path) -> bool {
        installed.join("node/node_modules").join(self.package).exists()
    }

    pub fn command(self, site: &Site<'_>) -> io::Result<Command> {
        // Beside node_modules, because that is where imports are looked for.
        let folder = site.installed.join("node");
        fs::write(folder.join(self.file), self.text)?;
        let mut command = Command::new("node");
        command
            .args([self.file, &site.port.to_string(), site.issuer, RESOURCE])
            .arg(LEEWAY.as_secs().to_string());
        command.current_dir(folder);
        Ok(command)
    }
}
