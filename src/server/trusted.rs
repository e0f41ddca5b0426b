//! Which issuers are trusted, while the server runs?

use std::sync::{Arc, PoisonError};

use crate::{
    error::ConfigError,
    server::{Inner, entries::Entries, issuer::Issuer},
};

/// The trusted issuers of a running server. An unchanged entry keeps its keys; a removed one is refused at once.
#[derive(Debug)]
pub struct Issuers<'s> {
    pub(super) inner: &'s Inner,
}

impl Issuers<'_> {
    /// The identifiers of the trusted issuers, in no order.
    pub fn list(&self) -> Vec<String> {
        self.inner.entries.load().iter().map(|entry| entry.id().to_string()).collect()
    }

    /// Trusts one more issuer.
    ///
    /// # Errors
    ///
    /// What [`build`](crate::ResourceServerBuilder::build) would say; then nothing changes.
    pub fn add(&self, issuer: Issuer) -> Result<(), ConfigError> {
        self.change(|mut issuers| {
            issuers.push(issuer);
            issuers
        })
    }

    /// Stops trusting an issuer. Tells whether it was trusted.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoIssuer`] when it is the last one; then nothing changes.
    pub fn remove(&self, issuer: &str) -> Result<bool, ConfigError> {
        let mut removed = false;
        self.change(|mut issuers| {
            let before = issuers.len();
            issuers.retain(|known| known.id != issuer);
            removed = issuers.len() != before;
            issuers
        })?;
        Ok(removed)
    }

    /// Trusts these issuers and no other.
    ///
    /// # Errors
    ///
    /// What [`build`](crate::ResourceServerBuilder::build) would say; then nothing changes.
    pub fn replace_all(&self, issuers: impl IntoIterator<Item = Issuer>) -> Result<(), ConfigError> {
        self.change(|_| issuers.into_iter().collect())
    }

    fn change(&self, change: impl FnOnce(Vec<Issuer>) -> Vec<Issuer>) -> Result<(), ConfigError> {
        let _one_at_a_time = self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.inner.entries.load_full();
        let issuers = change(old.iter().map(|entry| entry.issuer.clone()).collect());
        let new = Entries::build(issuers, &old, &self.inner.shared)?;
        self.inner.entries.store(Arc::new(new));
        Ok(())
    }
}
