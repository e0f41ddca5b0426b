//! A resource server in the making.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;

use crate::{
    clock::{Clock, SystemClock},
    error::ConfigError,
    fetch::Fetch,
    jwt::{cache::VerifiedTokens, headers::KnownHeaders},
    keys::change::Feed,
    keys::snapshot::KeySnapshots,
    middleware::{
        body::{Rendered, Renderer},
        challenge::{Responder, is_quotable},
        refusal::Refusal,
    },
    policy::Audience,
    server::{
        Inner, ResourceServer,
        entries::{Entries, Shared},
        issuer::{Issuer, without_credentials},
        selector::{Selection, Selector},
        settle,
    },
    telemetry::RefusalLog,
    token::{hierarchy::ScopeHierarchy, scope::Scopes},
};

/// Builds a [`ResourceServer`]. Made by [`ResourceServer::builder`].
///
/// `build` needs neither network nor runtime. An issuer whose keys are fetched needs a tokio runtime with time and I/O
/// enabled (`enable_all`, as `#[tokio::main]` has it) wherever requests are judged: waiting for a key without timers panics.
#[must_use = "a builder does nothing until `build` is called"]
pub struct ResourceServerBuilder {
    resource: String,
    issuers: Vec<Issuer>,
    realm: Option<String>,
    challenge_scopes: Option<Scopes>,
    scopes_supported: Vec<Scopes>,
    hierarchy: ScopeHierarchy,
    strip_credentials: bool,
    keep_token: bool,
    max_token_bytes: usize,
    clock: Arc<dyn Clock>,
    fetch: Option<Arc<dyn Fetch>>,
    renderer: Option<Renderer>,
    snapshots: Option<KeySnapshots>,
    selection: Selection,
    token_cache: Option<u64>,
}

impl ResourceServerBuilder {
    pub(crate) fn new(resource: String) -> Self {
        Self {
            resource,
            issuers: Vec::new(),
            realm: None,
            challenge_scopes: None,
            scopes_supported: Vec::new(),
            hierarchy: ScopeHierarchy::default(),
            strip_credentials: false,
            keep_token: false,
            max_token_bytes: DEFAULT_MAX_TOKEN_BYTES,
            clock: Arc::new(SystemClock),
            fetch: None,
            renderer: None,
            snapshots: None,
            selection: Selection::default(),
            token_cache: None,
        }
    }

    /// Trusts the tokens of one more issuer.
    pub fn trust(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// The `realm` of every challenge (RFC 6750 §3): printable ASCII without quote and backslash. **Default:** the
    /// resource identifier, without the characters that a challenge cannot carry.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// The scopes that a 401 tells clients to ask for (RFC 6750 §3), and `scopes_supported` of the metadata. `offline_access` is left
    /// out of both: that a client wants a refresh token is its own affair (MCP 2026-07-28, Authorization). **Default:** none are named.
    pub fn challenge_scopes(mut self, scopes: impl Into<Scopes>) -> Self {
        self.challenge_scopes = Some(scopes.into());
        self
    }

    /// The scopes that the [metadata](ResourceServer::metadata_service) lists in `scopes_supported` (RFC 9728 §2), after those of
    /// [`challenge_scopes`](Self::challenge_scopes). Called again, it adds. **Default:** the challenge's alone.
    ///
    /// ```
    /// use bearergate::{PathRequirements, RequiredScopes, ResourceServer, scopes};
    /// # use bearergate::ConfigError;
    ///
    /// scopes!(pub ReadOrders = "read:orders"); // for the handler, `Scoped<ReadOrders>`, and for the table
    ///
    /// # fn main() -> Result<(), ConfigError> {
    /// let rights = PathRequirements::new([("/orders", ReadOrders::SCOPES), ("/orders/{id}", scopes!["write:orders"])])?;
    /// let builder = ResourceServer::builder("https://api.example.com").scopes_supported(rights.scopes());
    /// # let _ = builder;
    /// # Ok(()) }
    /// ```
    pub fn scopes_supported(mut self, scopes: impl IntoIterator<Item = Scopes>) -> Self {
        self.scopes_supported.extend(scopes);
        self
    }

    /// Says which scopes stand for others. **Default:** each stands for itself alone.
    pub fn scope_hierarchy(mut self, hierarchy: ScopeHierarchy) -> Self {
        self.hierarchy = hierarchy;
        self
    }

    /// Removes `Authorization` from accepted requests, so that nothing behind the layer can pass the token on.
    /// **Default:** the field stays, marked as sensitive.
    pub fn strip_credentials(mut self) -> Self {
        self.strip_credentials = true;
        self
    }

    /// Keeps the token's text in [`AccessToken::raw`](crate::AccessToken::raw), for token exchange (RFC 8693).
    /// **Default:** it is not kept.
    pub fn keep_token(mut self) -> Self {
        self.keep_token = true;
        self
    }

    /// Refuses longer tokens before it looks at them. From 1 to 65,536 octets. **Default:** 16 KiB (16,384).
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// Makes the body of refusals, for layers that send one ([`with_body`](crate::BearerAuthLayer::with_body)) and for the
    /// extractors. **Default:** problem details (RFC 9457), and none from extractors whose layer sends none.
    ///
    /// ```
    /// # use bearergate::{Rendered, ResourceServer};
    /// # use http::HeaderValue;
    /// let builder = ResourceServer::builder("https://api.example.com").render_refusals(|refusal| {
    ///     Rendered::new(HeaderValue::from_static("text/plain"), format!("{refusal}\n"))
    /// });
    /// ```
    pub fn render_refusals(mut self, render: impl Fn(&Refusal) -> Rendered + Send + Sync + 'static) -> Self {
        self.renderer = Some(Renderer::new(render));
        self
    }

    /// Takes the time from this clock. **Default:** [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Fetches metadata and keys, and asks introspection endpoints, with this client. **Default:**
    /// [`HttpFetch`](crate::HttpFetch) with the system's roots, one for keys and one with shorter limits for introspection.
    pub fn http_client(mut self, client: impl Fetch) -> Self {
        self.fetch = Some(Arc::new(client));
        self
    }

    /// Keeps the last good keys of each issuer, so that a restart while the issuer is down costs no good token. Kept keys
    /// serve as stale ones: the first fetch starts as always and replaces them, and they serve no longer than they would
    /// have without the restart. A kept document that is damaged, too old, or not this issuer's is ignored, with a line in
    /// the log. **Default:** nothing is kept.
    ///
    /// ```no_run
    /// # use bearergate::{Issuer, KeySnapshots, ResourceServer};
    /// # fn main() -> Result<(), bearergate::ConfigError> {
    /// let api = ResourceServer::builder("https://api.example.com")
    ///     .trust(Issuer::discover("https://login.example.com"))
    ///     .keep_keys(KeySnapshots::folder("/var/lib/orders-api/keys"))
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn keep_keys(mut self, snapshots: KeySnapshots) -> Self {
        self.snapshots = Some(snapshots);
        self
    }

    /// Remembers so many JWTs that keys have verified, so that the signature of a token that comes again is not checked again.
    /// The answer is at each moment the one that a check from scratch would give: a token is accepted by what is remembered
    /// only while the key that verified it is in force for it, its issuer's entry unchanged, and its times good. Refusals are
    /// not remembered. What is held of a token is SHA-256 of it, and its claims. **Default:** nothing is remembered.
    ///
    /// ```no_run
    /// # use bearergate::{Issuer, ResourceServer};
    /// # fn main() -> Result<(), bearergate::ConfigError> {
    /// let api = ResourceServer::builder("https://api.example.com")
    ///     .trust(Issuer::discover("https://login.example.com"))
    ///     .with_token_cache(10_000)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn with_token_cache(mut self, entries: u64) -> Self {
        self.token_cache = Some(entries);
        self
    }

    /// Says which of several introspected issuers is asked about an opaque token. **Default:** there may be only one.
    ///
    /// ```
    /// use bearergate::{ClientAuth, Issuer, ResourceServer, Selector};
    ///
    /// # fn main() -> Result<(), bearergate::ConfigError> {
    /// let ask = |id: &str| Issuer::introspect(id, format!("{id}/introspect"), ClientAuth::basic("api", "secret"));
    /// let api = ResourceServer::builder("https://api.example.com")
    ///     .trust(ask("https://one.example"))
    ///     .trust(ask("https://two.example"))
    ///     .select_introspected(Selector::by_prefix([("one_", "https://one.example"), ("two_", "https://two.example")]))
    ///     .build()?;
    /// # let _ = api;
    /// # Ok(()) }
    /// ```
    pub fn select_introspected(mut self, selector: Selector) -> Self {
        self.selection = Selection::Selected(selector);
        self
    }

    /// Opens the settings that give up a protection.
    pub fn dangerous(self) -> DangerousBuilder {
        DangerousBuilder(self)
    }

    /// Builds the server. No network and no runtime is needed; inside a tokio runtime the first fetch of keys starts at
    /// once, else with the first request.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a configuration that cannot work; its message says what to change.
    pub fn build(self) -> Result<ResourceServer, ConfigError> {
        let audience = Audience::parse(&self.resource).ok_or(ConfigError::EmptyResource)?;
        if !(1..=LARGEST_MAX_TOKEN_BYTES).contains(&self.max_token_bytes) {
            return Err(ConfigError::TokenLimit { bytes: self.max_token_bytes });
        }
        let realm = match self.realm {
            Some(realm) if realm.is_empty() || !realm.chars().all(is_quotable) => {
                return Err(ConfigError::InvalidRealm);
            }
            Some(realm) => realm,
            None => self.resource.chars().filter(|char| is_quotable(*char)).collect(),
        };
        self.snapshots.as_ref().map_or(Ok(()), KeySnapshots::check)?;
        let https = self.fetch.is_some() || TLS;
        let asking = self.fetch.clone().map_or_else(OnceLock::new, OnceLock::from);
        let fetch = self.fetch.map_or_else(OnceLock::new, OnceLock::from);
        let shared = Shared {
            audience,
            fetch,
            asking,
            clock: self.clock,
            https,
            max_token_bytes: self.max_token_bytes,
            selection: self.selection,
            feed: Feed::default(),
            headers: KnownHeaders::default(),
            snapshots: self.snapshots,
        };
        let entries = Entries::build(self.issuers, &Entries::default(), &shared)?;
        if let Selection::Selected(selector) = &shared.selection {
            let is_known =
                |issuer: &str| entries.introspected().iter().any(|entry| entry.id().as_str() == issuer);
            if let Some(unknown) = selector.issuers().find(|issuer| !is_known(issuer)) {
                return Err(ConfigError::Introspection {
                    issuer: without_credentials(unknown),
                    reason: "the selector names it, and no issuer that is asked about opaque tokens has this identifier: trust it by `Issuer::introspect(..)`, or correct the selector",
                });
            }
        }
        let responder = Arc::new(Responder {
            realm,
            hierarchy: self.hierarchy,
            challenge_scopes: self.challenge_scopes.and_then(without_offline_access),
            scopes_supported: self.scopes_supported.into_iter().filter_map(without_offline_access).collect(),
            resource_metadata: OnceLock::new(),
            strip_credentials: self.strip_credentials,
            keep_token: self.keep_token,
            renderer: self.renderer,
            log: RefusalLog::new(Arc::clone(&shared.clock)),
        });
        let inner = settle::with_this(|this| Inner {
            this,
            entries: ArcSwap::from_pointee(entries),
            shared,
            responder,
            verified: self.token_cache.map(VerifiedTokens::new),
            changing: std::sync::Mutex::new(()),
        });
        Ok(ResourceServer { inner })
    }
}

/// `None` where nothing else was named.
fn without_offline_access(scopes: Scopes) -> Option<Scopes> {
    if scopes.iter().all(|scope| scope != OFFLINE_ACCESS) {
        return Some(scopes);
    }
    let others: Vec<_> = scopes.iter().filter(|scope| *scope != OFFLINE_ACCESS).collect();
    Scopes::parse(&others.join(" ")).ok()
}

/// Asks the authorization server for a refresh token (OpenID Connect Core 1.0 §11).
const OFFLINE_ACCESS: &str = "offline_access";

/// Settings of a server that give up a protection. Made by [`ResourceServerBuilder::dangerous`].
#[derive(Debug)]
#[must_use = "a setting does nothing until the server is built"]
pub struct DangerousBuilder(ResourceServerBuilder);

impl DangerousBuilder {
    /// Asks the introspected issuers about an opaque token one after the other, in the order in which they were trusted, until
    /// one calls it good. So each of them gets to see, and could use, the tokens of those behind it: only for issuers of one
    /// owner. **Default:** one is asked, and with several a [selector](ResourceServerBuilder::select_introspected) says which.
    pub fn ask_in_order(mut self) -> ResourceServerBuilder {
        self.0.selection = Selection::InOrder;
        self.0
    }
}

/// Real access tokens stay below 4 KiB; servers refuse header fields above 8 to 32 KiB.
const DEFAULT_MAX_TOKEN_BYTES: usize = 16 * 1024;

/// What is longer reaches no service behind a usual server. Decoding costs time and memory before anything is verified.
const LARGEST_MAX_TOKEN_BYTES: usize = 64 * 1024;

/// Whether the built-in client speaks TLS.
const TLS: bool = cfg!(any(feature = "rustls", feature = "rustls-no-provider", feature = "native-tls"));

impl fmt::Debug for ResourceServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServerBuilder")
            .field("resource", &self.resource)
            .field("issuers", &self.issuers)
            .finish_non_exhaustive()
    }
}
