//! What can go wrong, one type per reader: [`ConfigError`] for who builds, [`AuthError`] for who calls.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

/// Why a request was not let in.
///
/// Opaque, cheap to clone, and free of anything that came from the token: [`kind`](Self::kind) to branch on,
/// [`source`](StdError::source) for the operator's log.
#[derive(Clone)]
pub struct AuthError {
    kind: AuthErrorKind,
    /// Most refusals carry nothing else, and cost no allocation.
    detail: Option<Arc<Detail>>,
}

#[derive(Clone, Default)]
struct Detail {
    retry_after: Option<Duration>,
    /// The trusted issuer that the token names: ours, not the token's text.
    issuer: Option<Arc<str>>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl AuthError {
    /// The reason, to branch on.
    pub fn kind(&self) -> AuthErrorKind {
        self.kind
    }

    /// For an [undecidable](Decision::Undecidable) request: the time until the next attempt can have ended.
    pub fn retry_after(&self) -> Option<Duration> {
        self.detail.as_ref()?.retry_after
    }

    /// The trusted issuer that is concerned, where that is known and something is to be done about it.
    pub fn issuer(&self) -> Option<&str> {
        self.detail.as_ref()?.issuer.as_deref()
    }

    /// Sets the trusted issuer that is concerned.
    pub(crate) fn of_issuer(mut self, issuer: impl Into<Arc<str>>) -> Self {
        self.detail_mut().issuer = Some(issuer.into());
        self
    }

    /// Sets when another try makes sense.
    pub(crate) fn retry_in(mut self, delay: Duration) -> Self {
        self.detail_mut().retry_after = Some(delay);
        self
    }

    fn detail_mut(&mut self) -> &mut Detail {
        Arc::make_mut(self.detail.get_or_insert_default())
    }
}

impl From<AuthErrorKind> for AuthError {
    fn from(kind: AuthErrorKind) -> Self {
        Self { kind, detail: None }
    }
}

impl fmt::Debug for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthError")
            .field("kind", &self.kind)
            .field("source", &StdError::source(self))
            .finish()
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.message())
    }
}

impl StdError for AuthError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.detail.as_ref()?.source.as_deref()?;
        Some(source)
    }
}

/// What an [`AuthErrorKind`] says about the request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Decision {
    /// The service is wired wrongly; no token can change that.
    Misconfigured,
    /// The credentials, or the rights they carry, were judged and are not good enough.
    Rejected,
    /// Keys, clock or endpoint were out of reach: the token may be good.
    Undecidable,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $label:literal, $decision:ident, $message:literal;)*) => {
        /// The reason for a refusal. Each variant is a statement of fact. [The guide](crate::guide::errors) says what each means to
        /// a client.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum AuthErrorKind {
            $($(#[$doc])* $name,)*
        }

        impl AuthErrorKind {
            /// Every kind, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// A fixed label for logs and metrics.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// What this kind says about the request.
            pub const fn decision(self) -> Decision {
                match self { $(Self::$name => Decision::$decision,)* }
            }

            const fn message(self) -> &'static str {
                match self { $(Self::$name => $message,)* }
            }
        }
    };
}

kinds! {
    /// The `alg` header parameter is missing, unknown, or not on the issuer's allow-list (RFC 8725 §3.1).
    AlgorithmNotAllowed = "algorithm_not_allowed", Rejected, "the signature algorithm is not allowed";
    /// The token carries a `cnf` claim: it is bound to a key whose possession was not proven (RFC 7800 §3.1).
    BindingNotProven = "binding_not_proven", Rejected, "the token is bound to a key that was not proven";
    /// The verified claims do not deserialize into the claims type.
    ClaimsMismatch = "claims_mismatch", Rejected, "the claims do not fit the claims type";
    /// The handler asks for another claims type than the layer verified.
    ClaimsTypeDiffers = "claims_type_differs", Misconfigured, "the layer verified another claims type than the handler asks for";
    /// The wall clock reads before 1970.
    ClockUnavailable = "clock_unavailable", Undecidable, "the system clock cannot be trusted";
    /// The `crit` or `b64` header parameter is present: we understand no extension (RFC 7515 §4.1.11).
    CriticalExtension = "critical_extension", Rejected, "the token demands an extension that is not supported";
    /// More than one credential was sent (RFC 6750 §3.1).
    DuplicateCredentials = "duplicate_credentials", Rejected, "more than one credential was sent";
    /// `Bearer` is followed by nothing.
    EmptyToken = "empty_token", Rejected, "the bearer token is empty";
    /// `exp` plus the leeway has passed (RFC 7519 §4.1.4).
    Expired = "expired", Rejected, "the token is expired";
    /// The issuer says that the token is not active: expired, revoked, or never issued (RFC 7662 §2.2).
    Inactive = "inactive", Rejected, "the token is not active";
    /// `acr` or `auth_time` is too weak for the route (RFC 9470 §3).
    InsufficientAuthentication = "insufficient_authentication", Rejected, "the authentication behind the token is not strong or fresh enough";
    /// A scope that the route requires is missing (RFC 6750 §3.1).
    InsufficientScope = "insufficient_scope", Rejected, "a required scope is missing";
    /// Too many requests wait for answers of the introspection endpoint, or this one has waited too long.
    IntrospectionBusy = "introspection_busy", Undecidable, "too many requests wait for the introspection endpoint";
    /// The introspection endpoint refuses the credentials of this resource server (RFC 7662 §2.3).
    IntrospectionCredentialsRefused = "introspection_credentials_refused", Undecidable, "the introspection endpoint refuses this resource server";
    /// What the introspection endpoint says is no answer: no strict JSON object, or one whose `active` is no boolean (RFC 7662 §2.2).
    IntrospectionMalformed = "introspection_malformed", Undecidable, "the answer of the introspection endpoint is malformed";
    /// The introspection endpoint refuses the request about this very token (400, 413 or 414).
    IntrospectionTokenRefused = "introspection_token_refused", Undecidable, "the introspection endpoint does not take the token";
    /// The introspection endpoint cannot be asked, answers with another status than 200, or is not asked for a while because it failed.
    IntrospectionUnavailable = "introspection_unavailable", Undecidable, "the introspection endpoint is unavailable";
    /// A registered claim is missing, ill-typed or out of range (RFC 7519 §4.1).
    InvalidClaim = "invalid_claim", Rejected, "a claim is missing or malformed";
    /// No key of the issuer made the signature.
    InvalidSignature = "invalid_signature", Rejected, "the signature does not hold";
    /// `iat` lies in the future.
    IssuedInFuture = "issued_in_future", Rejected, "the token was issued in the future";
    /// The issuer's keys cannot be had at the moment.
    KeysUnavailable = "keys_unavailable", Undecidable, "the issuer's keys are unavailable";
    /// Size, segments, base64url, UTF-8 or JSON of the token are not those of a JWT (RFC 7515 §5.2).
    MalformedToken = "malformed_token", Rejected, "the token is malformed";
    /// The request did not pass through the layer of this resource server.
    MissingLayer = "missing_layer", Misconfigured, "the layer of this resource server is missing";
    /// No credentials, or only of a scheme that is not taken.
    MissingToken = "missing_token", Rejected, "no bearer token was sent";
    /// `nbf` minus the leeway has not come (RFC 7519 §4.1.5).
    NotYetValid = "not_yet_valid", Rejected, "the token is not valid yet";
    /// The application's own policy said no.
    PolicyDenied = "policy_denied", Rejected, "the request is forbidden by policy";
    /// The application's own policy could not decide.
    PolicyUnavailable = "policy_unavailable", Undecidable, "the policy cannot be decided at the moment";
    /// The token exceeds the size limit.
    TokenTooLong = "token_too_long", Rejected, "the token is too long";
    /// Too many requests wait for the issuer's keys.
    TooManyWaiting = "too_many_waiting", Undecidable, "too many requests wait for the issuer's keys";
    /// `iss` is not a trusted issuer (RFC 7519 §4.1.1).
    UnknownIssuer = "unknown_issuer", Rejected, "the issuer is not trusted";
    /// No key of the issuer fits the token, and the keys are as fresh as they can be.
    UnknownKey = "unknown_key", Rejected, "no key of the issuer fits the token";
    /// No key fits the token, and the issuer could not be asked for newer ones.
    UnknownKeyDuringOutage = "unknown_key_during_outage", Undecidable, "no known key fits the token and the issuer cannot be asked";
    /// `aud` does not name this resource server (RFC 7519 §4.1.3).
    WrongAudience = "wrong_audience", Rejected, "the token is meant for another audience";
    /// The token is a JWT of another kind: `typ`, or claims that only other kinds carry (RFC 8725 §3.11–3.12).
    WrongType = "wrong_type", Rejected, "the token is not an access token";
}

impl AuthErrorKind {
    /// An error of this kind with the cause behind it, which reaches the log and no caller: it must not hold the token or its claims.
    /// With [`PolicyDenied`](Self::PolicyDenied) (403) and [`PolicyUnavailable`](Self::PolicyUnavailable) (503) a policy of one's own
    /// says why.
    pub fn because(self, source: impl StdError + Send + Sync + 'static) -> AuthError {
        let mut error = AuthError::from(self);
        error.detail_mut().source = Some(Arc::new(source));
        error
    }
}

impl fmt::Display for AuthErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

/// The `error` value of a challenge (RFC 6750 §3.1, RFC 9470 §3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `invalid_request`, sent with 400.
    InvalidRequest,
    /// `invalid_token`, sent with 401.
    InvalidToken,
    /// `insufficient_scope`, sent with 403.
    InsufficientScope,
    /// `insufficient_user_authentication`, sent with 401 (RFC 9470 §3).
    InsufficientUserAuthentication,
}

impl ErrorCode {
    /// The code as it stands in a challenge.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A configuration that cannot work. The message says what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A pattern of [`PathRequirements`](crate::PathRequirements) means nothing.
    #[error("the path pattern `{pattern}` cannot be used: {reason}")]
    PathPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it, and what to do.
        reason: &'static str,
    },
    /// An audience is empty.
    #[error("an audience is empty: give the identifier that the authorization server writes into `aud`")]
    EmptyAudience,
    /// An issuer has an empty list of audiences.
    #[error(
        "issuer `{issuer}` has an empty list of audiences: name at least one, or leave out `.audiences(..)` to expect the resource identifier"
    )]
    NoAudience {
        /// The entry's issuer identifier.
        issuer: String,
    },
    /// No issuer is trusted.
    #[error("no issuer is trusted: call `.trust(Issuer::discover(\"https://…\"))` on the builder")]
    NoIssuer,
    /// An issuer identifier is empty.
    #[error("an issuer identifier is empty: give the value that the authorization server writes into `iss`")]
    EmptyIssuer,
    /// Two entries have one issuer identifier.
    #[error("issuer `{issuer}` is trusted twice: merge the two entries into one")]
    DuplicateIssuer {
        /// The entry's issuer identifier.
        issuer: String,
    },
    /// An issuer has an empty list of algorithms.
    #[error(
        "issuer `{issuer}` allows no signature algorithm: name at least one, or leave out `.algorithms(..)` for the default list"
    )]
    NoAlgorithm {
        /// The entry's issuer identifier.
        issuer: String,
    },
    /// An HMAC algorithm is listed for public keys.
    #[error(
        "issuer `{issuer}` lists {algorithm}, which needs a shared secret, for public keys: remove it from `.algorithms(..)`"
    )]
    SymmetricAlgorithm {
        /// The entry's issuer identifier.
        issuer: String,
        /// The algorithm's name.
        algorithm: &'static str,
    },
    /// The signature backend in force cannot verify a listed algorithm.
    #[error(
        "issuer `{issuer}` lists {algorithm}, which the feature `rust-crypto` cannot verify: enable the cargo feature `aws-lc-rs` of bearergate, or remove it from `.algorithms(..)`"
    )]
    UnsupportedAlgorithm {
        /// The entry's issuer identifier.
        issuer: String,
        /// The algorithm's name.
        algorithm: &'static str,
    },
    /// No signature backend is compiled in.
    #[error(
        "issuer `{issuer}` is trusted by its keys, but no signature backend is compiled in: enable the cargo feature `aws-lc-rs` or `rust-crypto` of bearergate"
    )]
    NoBackend {
        /// The entry's issuer identifier.
        issuer: String,
    },
    /// The leeway is above the limit.
    #[error(
        "a leeway of {seconds} s for issuer `{issuer}` is above the limit of 300 s: lower it, and set the clocks"
    )]
    LeewayTooLong {
        /// The entry's issuer identifier.
        issuer: String,
        /// What was asked for.
        seconds: u64,
    },
    /// A URL does not parse.
    #[error("`{url}` is not an absolute URL: write it as https://host/path")]
    InvalidUrl {
        /// The text that was given.
        url: String,
        /// Why it does not parse.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A URL is not one that keys may be fetched from.
    #[error("`{url}` cannot be used: {reason}")]
    UnusableUrl {
        /// The URL, without credentials.
        url: String,
        /// What is wrong, and what to change.
        reason: &'static str,
    },
    /// A fixed key document cannot be used.
    #[error("the fixed keys of issuer `{issuer}` cannot be used: {reason}")]
    FixedKeys {
        /// The entry's issuer identifier.
        issuer: String,
        /// What is wrong, and what to change.
        reason: String,
    },
    /// An issuer cannot be introspected as it was asked for.
    #[error("issuer `{issuer}` cannot be introspected: {reason}")]
    Introspection {
        /// The entry's issuer identifier.
        issuer: String,
        /// What is wrong, and what to change.
        reason: &'static str,
    },
    /// A file cannot be read.
    #[error("the file `{path}` with the keys of issuer `{issuer}` cannot be read")]
    KeyFile {
        /// The entry's issuer identifier.
        issuer: String,
        /// The path that was given.
        path: String,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// Snapshots of keys cannot be kept as it was asked for.
    #[error("snapshots of keys cannot be kept: {reason}")]
    KeySnapshots {
        /// What is wrong, and what to change.
        reason: &'static str,
    },
    /// The resource identifier is empty.
    #[error(
        "the resource identifier is empty: give `ResourceServer::builder(..)` the identifier of this service, which is its default audience"
    )]
    EmptyResource,
    /// The realm holds characters that a challenge cannot carry.
    #[error(
        "the realm holds characters that a challenge cannot carry: use printable ASCII without quote and backslash"
    )]
    InvalidRealm,
    /// The limit for the length of tokens is out of range.
    #[error(
        "a limit of {bytes} octets for tokens is not between 1 and 65536: change what `.max_token_bytes(..)` is given, or leave it out for 16384"
    )]
    TokenLimit {
        /// What was asked for.
        bytes: usize,
    },
    /// A scope is not a scope-token.
    #[error(transparent)]
    InvalidScope(#[from] InvalidScope),
    /// The HTTP client cannot be built.
    #[error(
        "the HTTP client cannot be built: check the TLS set-up of this machine, or give your own with `.http_client(..)`"
    )]
    HttpClient(#[source] Box<dyn StdError + Send + Sync>),
    /// Something is wanted that only a resource with a URL has.
    #[error(
        "protected resource metadata (RFC 9728) needs a resource identifier that is an https URL without fragment: change what `ResourceServer::builder(..)` is given"
    )]
    NoMetadata,
}

/// A text is not a scope-token: one or more of `!`, `#`–`[`, `]`–`~` (RFC 6749 §3.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a scope is empty or holds a space, a quote, a backslash, a control character or non-ASCII text")]
#[non_exhaustive]
pub struct InvalidScope;
