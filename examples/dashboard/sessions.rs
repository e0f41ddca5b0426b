//! What does this page keep of those who use it?

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use oauth2::{CsrfToken, PkceCodeVerifier};
use serde_json::Value;

use crate::{
    authorization_server::{Kind, Tokens},
    identity::Identity,
    steps::Step,
};

/// Of somebody who is away at the issuer.
pub(crate) struct Login {
    /// What its cookie says.
    pub(crate) browser: String,
    pub(crate) kind: Kind,
    pub(crate) scope: String,
    /// What is asked for because a call lacked it.
    pub(crate) wanted: Vec<String>,
    /// Who was logged in before.
    pub(crate) before: Option<Identity>,
    pub(crate) nonce: String,
    pub(crate) verifier: PkceCodeVerifier,
}

/// Of somebody who is logged in.
pub(crate) struct Session {
    pub(crate) kind: Kind,
    pub(crate) user: Identity,
    /// `None` once they are over.
    pub(crate) tokens: Option<Tokens>,
    /// Whether the API refused a token that was new: then another one is not asked for.
    pub(crate) is_refused_anew: bool,
    /// Scopes that the last call lacked.
    pub(crate) wanted: Vec<String>,
    /// What the last button did.
    pub(crate) steps: Vec<Step>,
    /// What the API says that it knows of the user.
    pub(crate) seen: Option<Value>,
}

/// Values by a name that nobody guesses, which a cookie carries.
pub(crate) struct Store<T> {
    kept: Mutex<HashMap<String, Kept<T>>>,
    /// Without use.
    lifetime: Duration,
}

struct Kept<T> {
    value: T,
    last_used: Duration,
}

impl<T> Store<T> {
    pub(crate) fn lasting(lifetime: Duration) -> Self {
        Self { kept: Mutex::default(), lifetime }
    }

    fn lock(&self, now: Duration) -> MutexGuard<'_, HashMap<String, Kept<T>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, one| now.saturating_sub(one.last_used) < self.lifetime);
        kept
    }

    /// Under a new name.
    pub(crate) fn keep(&self, value: T, now: Duration) -> String {
        let name = unguessable();
        self.keep_as(name.clone(), value, now);
        name
    }

    /// Where there are too many, the one that was used the longest ago makes room.
    pub(crate) fn keep_as(&self, name: String, value: T, now: Duration) {
        let mut kept = self.lock(now);
        if kept.len() >= MAX_KEPT
            && let Some(oldest) =
                kept.iter().min_by_key(|(_, one)| one.last_used).map(|(name, _)| name.clone())
        {
            kept.remove(&oldest);
        }
        kept.insert(name, Kept { value, last_used: now });
    }

    pub(crate) fn get(&self, name: &str, now: Duration) -> Option<T>
    where
        T: Clone,
    {
        let mut kept = self.lock(now);
        let one = kept.get_mut(name)?;
        one.last_used = now;
        Some(one.value.clone())
    }

    /// Once, if it is the right one.
    pub(crate) fn take(&self, name: &str, now: Duration, is_right: impl FnOnce(&T) -> bool) -> Option<T> {
        let mut kept = self.lock(now);
        kept.get(name).filter(|one| is_right(&one.value))?;
        kept.remove(name).map(|one| one.value)
    }
}

/// 256 random bits.
pub(crate) fn unguessable() -> String {
    CsrfToken::new_random_len(32).into_secret()
}

const MAX_KEPT: usize = 1024;
