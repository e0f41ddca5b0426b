//! Which signature algorithms are there, and which keys do they take?

use std::fmt;

use crate::keys::backend;

/// What a key must be for an algorithm (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2, RFC 9964 §3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Family {
    Ed25519,
    EcP256,
    EcP384,
    EcP521,
    /// A shared secret: never a public key.
    Hmac,
    MlDsa44,
    MlDsa65,
    MlDsa87,
    Rsa,
}

impl Family {
    /// The octets of a coordinate on the curve, leading zeros included (RFC 7518 §6.2.1.2).
    pub(crate) const fn coordinate_length(self) -> usize {
        match self {
            Self::EcP256 | Self::Ed25519 => 32,
            Self::EcP384 => 48,
            Self::EcP521 => 66,
            Self::Hmac | Self::MlDsa44 | Self::MlDsa65 | Self::MlDsa87 | Self::Rsa => 0,
        }
    }
}

/// The parameter sets of ML-DSA (FIPS 204 §4, table 2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct MlDsaSizes {
    pub(crate) public_key: usize,
    pub(crate) signature: usize,
}

impl Family {
    pub(crate) const fn ml_dsa(self) -> Option<MlDsaSizes> {
        match self {
            Self::MlDsa44 => Some(MlDsaSizes { public_key: 1312, signature: 2420 }),
            Self::MlDsa65 => Some(MlDsaSizes { public_key: 1952, signature: 3309 }),
            Self::MlDsa87 => Some(MlDsaSizes { public_key: 2592, signature: 4627 }),
            Self::EcP256 | Self::EcP384 | Self::EcP521 | Self::Ed25519 | Self::Hmac | Self::Rsa => None,
        }
    }
}

macro_rules! algorithms {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $family:ident, default: $default:literal;)*) => {
        /// A JWS signature algorithm, by its registered name (RFC 7518 §3.1).
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Algorithm {
            $($(#[$doc])* $variant,)*
        }

        impl Algorithm {
            /// Every algorithm of this crate.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The registered name, as it stands in `alg`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The algorithm of this name: letter for letter (RFC 7515 §4.1.1). `none` is not one.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// Whether an issuer allows it unless told otherwise.
            pub const fn is_default(self) -> bool {
                match self { $(Self::$variant => $default,)* }
            }

            pub(crate) const fn family(self) -> Family {
                match self { $(Self::$variant => Family::$family,)* }
            }
        }
    };
}

algorithms! {
    /// ECDSA on P-256 with SHA-256.
    Es256 = "ES256", EcP256, default: true;
    /// ECDSA on P-384 with SHA-384.
    Es384 = "ES384", EcP384, default: false;
    /// ECDSA on P-521 with SHA-512.
    Es512 = "ES512", EcP521, default: false;
    /// Ed25519 under its fully specified name (RFC 9864 §2.2).
    Ed25519 = "Ed25519", Ed25519, default: true;
    /// Ed25519 under the name of RFC 8037 §3.1.
    EdDsa = "EdDSA", Ed25519, default: true;
    /// HMAC with SHA-256; needs a shared secret.
    Hs256 = "HS256", Hmac, default: false;
    /// HMAC with SHA-384; needs a shared secret.
    Hs384 = "HS384", Hmac, default: false;
    /// HMAC with SHA-512; needs a shared secret.
    Hs512 = "HS512", Hmac, default: false;
    /// ML-DSA-44 (RFC 9964 §4).
    MlDsa44 = "ML-DSA-44", MlDsa44, default: false;
    /// ML-DSA-65 (RFC 9964 §4).
    MlDsa65 = "ML-DSA-65", MlDsa65, default: false;
    /// ML-DSA-87 (RFC 9964 §4).
    MlDsa87 = "ML-DSA-87", MlDsa87, default: false;
    /// RSASSA-PSS with SHA-256 and a salt of 32 octets.
    Ps256 = "PS256", Rsa, default: true;
    /// RSASSA-PSS with SHA-384 and a salt of 48 octets.
    Ps384 = "PS384", Rsa, default: false;
    /// RSASSA-PSS with SHA-512 and a salt of 64 octets.
    Ps512 = "PS512", Rsa, default: false;
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256 = "RS256", Rsa, default: true;
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384 = "RS384", Rsa, default: false;
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512 = "RS512", Rsa, default: false;
}

impl Algorithm {
    /// Whether the signature backend of this build verifies it. Never so for HS*, nor without a backend.
    ///
    /// `aws-lc-rs` verifies all others, `rust-crypto` all but ES512 and ML-DSA. To list one that is not supported is
    /// [`ConfigError::UnsupportedAlgorithm`](crate::ConfigError::UnsupportedAlgorithm).
    pub fn is_supported(self) -> bool {
        backend::supports(self)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An issuer's allow-list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AlgorithmSet(Box<[Algorithm]>);

impl AlgorithmSet {
    pub(crate) fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let mut list: Vec<_> = algorithms.into_iter().collect();
        list.sort_unstable();
        list.dedup();
        Self(list.into())
    }

    pub(crate) fn contains(&self, algorithm: Algorithm) -> bool {
        self.0.contains(&algorithm)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Algorithm> {
        self.0.iter().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for AlgorithmSet {
    fn default() -> Self {
        Self::new(Algorithm::ALL.iter().copied().filter(|algorithm| algorithm.is_default()))
    }
}
