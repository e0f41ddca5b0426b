//! Which authorization codes are out, and what is each good for?

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::UnixTime,
    testing::{
        authorization::{pkce::Challenge, random::unguessable},
        token_endpoint::TokenError,
    },
};

/// What a user consented to, for one client (RFC 6749 §4.1.2).
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: Challenge,
    pub(super) resources: Vec<String>,
    /// Words with spaces between; none where nothing was asked for.
    pub(super) scope: String,
    pub(super) subject: String,
}

/// The codes that were given out and not brought back yet.
#[derive(Default)]
pub(super) struct Codes(Mutex<HashMap<String, Issued>>);

struct Issued {
    grant: Grant,
    until: UnixTime,
}

impl Codes {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Issued>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A code for this grant, if not too many are out.
    pub(super) fn issue(&self, grant: Grant, now: UnixTime) -> Option<String> {
        let mut codes = self.lock();
        codes.retain(|_, issued| now < issued.until);
        if codes.len() >= MAX_CODES {
            return None;
        }
        let code = unguessable("code");
        codes.insert(code.clone(), Issued { grant, until: now.saturating_add(LIFETIME) });
        Some(code)
    }

    /// What a code is good for, once: it is gone if it fits. One that does not fit stays good for its owner: whoever stole it can
    /// neither use nor spoil it.
    pub(super) fn redeem(
        &self,
        code: &str,
        now: UnixTime,
        fits: impl FnOnce(&Grant) -> Result<(), TokenError>,
    ) -> Result<Grant, TokenError> {
        let mut codes = self.lock();
        match codes.entry(code.to_owned()) {
            Entry::Occupied(issued) if now < issued.get().until => {
                fits(&issued.get().grant)?;
                Ok(issued.remove().grant)
            }
            Entry::Occupied(_) | Entry::Vacant(_) => {
                Err(TokenError::InvalidGrant("the code is unknown, used or expired"))
            }
        }
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codes").finish_non_exhaustive()
    }
}

/// A client brings its code at once (RFC 6749 §4.1.2 allows ten minutes).
const LIFETIME: Duration = Duration::from_secs(60);

/// More than a test or a demonstration has within a minute. A grant is as long as the query that asked for it: 8 MiB in all.
const MAX_CODES: usize = 1024;
