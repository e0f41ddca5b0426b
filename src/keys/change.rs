//! What happened to the keys of an issuer, for whoever wants to know?

use std::sync::Arc;

use tokio::sync::broadcast::{self, error::RecvError};

use crate::fetch::FetchErrorKind;

/// A change of an issuer's keys, or of the ability to fetch them.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyChange {
    /// The first keys of the issuer are there.
    #[non_exhaustive]
    Adopted {
        /// The issuer's identifier.
        issuer: Arc<str>,
        /// JWKs in use.
        usable: usize,
    },
    /// Keys appeared, vanished, or were replaced under their names.
    #[non_exhaustive]
    Changed {
        /// The issuer's identifier.
        issuer: Arc<str>,
        /// JWKs that were not in use before.
        appeared: usize,
        /// JWKs that are not in use any more.
        vanished: usize,
        /// JWKs in use. When as many vanished as were in use before, *all* keys changed at one stroke: a new
        /// installation, or somebody who should not be there.
        usable: usize,
    },
    /// A refresh failed, after others that had succeeded.
    #[non_exhaustive]
    Failing {
        /// The issuer's identifier.
        issuer: Arc<str>,
        /// Why.
        error: FetchErrorKind,
    },
    /// A refresh succeeded, after others that had failed.
    #[non_exhaustive]
    Recovered {
        /// The issuer's identifier.
        issuer: Arc<str>,
    },
    /// Whoever listens was too slow: so many changes are lost.
    #[non_exhaustive]
    Missed {
        /// How many.
        changes: u64,
    },
}

/// The changes of all issuers' keys from now on. Made by
/// [`ResourceServer::key_changes`](crate::ResourceServer::key_changes).
#[derive(Debug)]
pub struct KeyChanges(broadcast::Receiver<KeyChange>);

impl KeyChanges {
    /// Waits for the next change. `None` when the server is gone.
    ///
    /// Cancel safe: no change is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<KeyChange> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(RecvError::Lagged(changes)) => Some(KeyChange::Missed { changes }),
            Err(RecvError::Closed) => None,
        }
    }
}

/// Where changes are told.
#[derive(Clone, Debug)]
pub(crate) struct Feed(broadcast::Sender<KeyChange>);

impl Feed {
    pub(crate) fn listen(&self) -> KeyChanges {
        KeyChanges(self.0.subscribe())
    }

    pub(crate) fn tell(&self, change: KeyChange) {
        // It fails when nobody listens.
        let _heard = self.0.send(change);
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }
}

/// Changes that are kept for a listener who is slow: rotations are hours apart, and issuers a few thousand.
const KEPT: usize = 256;
