//! Which tokens do the servers get?

use std::{fs, io, path::Path, time::Duration};

use bearergate::{
    Algorithm, scopes,
    testing::{TestIssuer, TokenBuilder},
};

/// What authorization servers write into `aud` for the servers.
pub const RESOURCE: &str = "https://api.example.com";

/// Tokens that take turns under load.
pub const TOKENS: usize = 1000;

/// How the servers are told to forgive clocks. Not zero, because Envoy takes that for its default of a minute.
pub const LEEWAY: Duration = Duration::from_secs(1);

/// As whom the servers introspect.
pub const CLIENT: (&str, &str) = ("api", "secret");

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Rs256,
    Es256,
    EdDsa,
    OpaqueCached,
    OpaqueUncached,
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::Rs256, Self::Es256, Self::EdDsa, Self::OpaqueCached, Self::OpaqueUncached];

    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::OpaqueCached => "opaque, cached",
            Self::OpaqueUncached => "opaque, uncached",
        }
    }

    pub fn is_opaque(self) -> bool {
        self.algorithm().is_none()
    }

    /// How its tokens are signed, if they are.
    pub fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::Rs256 => Some(Algorithm::Rs256),
            Self::Es256 => Some(Algorithm::Es256),
            Self::EdDsa => Some(Algorithm::EdDsa),
            Self::OpaqueCached | Self::OpaqueUncached => None,
        }
    }
}

/// An issuer of all kinds of tokens, on loopback.
pub async fn issuer() -> io::Result<TestIssuer> {
    let (id, secret) = CLIENT;
    TestIssuer::builder()
        .algorithms(Kind::ALL.into_iter().filter_map(Kind::algorithm))
        .default_audience(RESOURCE)
        .client(id, secret, scopes!["read:orders"])
        .start()
        .await
}

/// One token and what is wrong with it, if anything is.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    pub token: Option<String>,
    pub is_good: bool,
}

/// The tokens of one kind.
#[derive(Debug)]
pub struct Tokens {
    issuer: TestIssuer,
    kind: Kind,
}

impl Tokens {
    pub fn new(issuer: TestIssuer, kind: Kind) -> Self {
        Self { issuer, kind }
    }

    /// Writes the tokens for the load into a file, one a line. Tells how many octets one has.
    pub fn write(&self, file: &Path) -> io::Result<usize> {
        let tokens: Vec<_> = (0..TOKENS).map(|number| self.mint(number, DAY, RESOURCE)).collect();
        fs::write(file, tokens.join("\n"))?;
        Ok(tokens.iter().map(String::len).max().unwrap_or_default())
    }

    /// A good token, and what a server must refuse.
    pub fn cases(&self) -> Vec<Case> {
        let bad = |name, token| Case { name, token, is_good: false };
        let good = self.mint(TOKENS, DAY, RESOURCE);
        let (altered, expired) = match self.kind.algorithm() {
            Some(algorithm) => {
                (bad("a tampered signature", tampered(&good)), self.jwt(algorithm, 0).expired().mint())
            }
            None => (
                bad("an unknown token", Some(good.chars().rev().collect())),
                self.mint(0, Duration::ZERO, RESOURCE),
            ),
        };
        vec![
            Case { name: "a good token", token: Some(good), is_good: true },
            bad("no token", None),
            altered,
            bad("an expired token", Some(expired)),
            bad("a token for another audience", Some(self.mint(0, DAY, "https://other.example.com"))),
        ]
    }

    /// A token that is good for so long.
    pub fn lasting(&self, lifetime: Duration) -> String {
        self.mint(TOKENS + 1, lifetime, RESOURCE)
    }

    fn jwt(&self, algorithm: Algorithm, number: usize) -> TokenBuilder {
        self.issuer
            .token_by(algorithm)
            .subject(subject(number))
            .scope(SCOPE)
            .claim("tenant", TENANT)
            .claim("roles", ROLES)
            .claim("sid", format!("5b2c1f0e-93aa-4d5e-{number:012}"))
            .claim("azp", "web-dashboard")
    }

    fn mint(&self, number: usize, lifetime: Duration, audience: &str) -> String {
        match self.kind.algorithm() {
            Some(algorithm) => self.jwt(algorithm, number).audience(audience).expires_in(lifetime).mint(),
            None => self
                .issuer
                .opaque_token()
                .subject(subject(number))
                .scope(SCOPE)
                .claim("tenant", TENANT)
                .claim("roles", ROLES)
                .audience(audience)
                .expires_in(lifetime)
                .mint(),
        }
    }
}

/// One character in the middle of the signature is another one.
fn tampered(token: &str) -> Option<String> {
    let (input, signature) = token.rsplit_once('.')?;
    let (before, after) = signature.split_at_checked(signature.len() / 2)?;
    let mut after = after.chars();
    let other = if after.next()? == 'A' { 'B' } else { 'A' };
    Some(format!("{input}.{before}{other}{}", after.as_str()))
}

fn subject(number: usize) -> String {
    format!("00u8d9f2-7c1e-4b1a-{number:08}")
}

const SCOPE: &str = "openid read:orders write:orders";
const TENANT: &str = "acme-industries";
const ROLES: [&str; 2] = ["buyer", "approver"];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
