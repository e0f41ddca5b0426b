//! The resource server: who is calling, with what rights, or why not.

pub(crate) mod builder;
pub(crate) mod entries;
mod expectation;
mod expiry;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod issuer;
mod means;
mod metadata;
pub(crate) mod readiness;
pub(crate) mod remembered;
mod rights;
pub(crate) mod selector;
mod settle;
mod signed;
pub(crate) mod trusted;

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use crate::{
    error::AuthError,
    jwt::cache::VerifiedTokens,
    keys::change::KeyChanges,
    middleware::{challenge::Responder, layer::BearerAuthLayer, refusal::Refusal},
    server::{
        builder::ResourceServerBuilder,
        entries::{Entries, Entry, Shared},
        health::Health,
        remembered::CachedTokens,
        trusted::Issuers,
    },
    token::{access_token::AccessToken, presented::Presented},
    validate::{ValidateToken, Validation},
};

/// A resource server: an audience that trusts some issuers. [Getting started](crate::guide::getting_started) begins with an empty folder.
///
/// Cheap to clone; all clones are one server. The tasks that keep the keys fresh end when the last clone, layer and
/// service of it is dropped.
#[derive(Clone)]
pub struct ResourceServer {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    this: settle::This,
    entries: ArcSwap<Entries>,
    shared: Shared,
    responder: Arc<Responder>,
    /// Tokens that keys have verified, if they are remembered.
    verified: Option<VerifiedTokens<Entry>>,
    /// Held while the list of issuers is changed.
    changing: Mutex<()>,
}

impl ResourceServer {
    /// Begins a server with this resource identifier: the value that authorization servers write into `aud` for it, by
    /// preference its https URL (RFC 8707 §2).
    pub fn builder(resource: impl Into<String>) -> ResourceServerBuilder {
        ResourceServerBuilder::new(resource.into())
    }

    /// The layer, with the default [`Claims`](crate::Claims).
    pub fn layer(&self) -> BearerAuthLayer {
        self.layer_for()
    }

    /// The layer, with claims of the type `C`. A token whose claims do not deserialize into `C` gets 401.
    pub fn layer_for<C>(&self) -> BearerAuthLayer<C> {
        let validator: Arc<Inner> = Arc::clone(&self.inner);
        BearerAuthLayer::new(
            validator,
            Arc::clone(&self.inner.responder),
            Arc::clone(&self.inner.shared.clock),
        )
    }

    /// Judges a token without HTTP: for other protocols, other frameworks, and tests.
    ///
    /// # Errors
    ///
    /// Every kind that a token can be refused with; [`refuse`](Self::refuse) makes the HTTP answer of it.
    pub async fn validate<C: DeserializeOwned + Send + Sync + 'static>(
        &self,
        presented: &Presented<'_>,
    ) -> Result<AccessToken<C>, AuthError> {
        let verdict = match self.inner.validate(presented) {
            Validation::Done(verdict) => verdict,
            Validation::Pending(verdict) => verdict.await,
        };
        let raw =
            if self.inner.responder.keep_token { std::str::from_utf8(presented.token()).ok() } else { None };
        let token = AccessToken::new(verdict?, raw.map(|token| Arc::new(SecretString::from(token))));
        token.inspect_err(|error| self.inner.mismatched(error))
    }

    /// The HTTP answer to an error, with this server's challenge. The refusal is logged as those of the layer are.
    pub fn refuse(&self, error: AuthError) -> Refusal {
        self.inner.responder.log.record(&error);
        Refusal::new(error, Arc::clone(&self.inner.responder))
    }

    /// The trusted issuers, to be changed while the server runs.
    pub fn issuers(&self) -> Issuers<'_> {
        Issuers { inner: &self.inner }
    }

    /// The state of each issuer.
    pub fn health(&self) -> Health {
        Health::of(&self.inner.entries.load(), self.inner.shared.clock.monotonic())
    }

    /// Listens to what happens to the issuers' keys from now on: for an audit log, or an alarm when all keys of an issuer
    /// change at one stroke. The same stands in the log.
    pub fn key_changes(&self) -> KeyChanges {
        self.inner.shared.feed.listen()
    }

    /// What is remembered of tokens, to be forgotten: after a token was revoked, or a subject was locked out.
    pub fn cached_tokens(&self) -> CachedTokens<'_> {
        CachedTokens { inner: &self.inner }
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.inner.entries.load();
        let issuers: Vec<_> = entries.iter().map(|entry| entry.id().as_str()).collect();
        f.debug_struct("ResourceServer").field("issuers", &issuers).finish_non_exhaustive()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}
