//! Which authorization codes are out, and what is each good for?

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::UnixTime,
    testing::{
        authorization::{identity::Login, pkce::Challenge, random::unguessable},
        token_endpoint::TokenError,
    },
};

/// What a user consented to, for one client (RFC 6749 §4.1.2).
#[derive(Clone, Debug)]
pub(super) struct Consented {
    pub(super) client_id: String,
    pub(super) resources: Vec<String>,
    /// Words with spaces between; none where nothing was asked for.
    pub(super) scope: String,
    pub(super) subject: String,
}

/// What a code is good for, and what it takes.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) consented: Consented,
    pub(super) redirect_uri: String,
    pub(super) challenge: Challenge,
    pub(super) login: Login,
}

/// The codes that were given out, until they expire.
#[derive(Default)]
pub(super) struct Codes(Mutex<HashMap<String, Issued>>);

struct Issued {
    grant: Grant,
    until: UnixTime,
    /// The family of refresh tokens that it was exchanged for.
    spent_for: Option<String>,
}

/// Why a code is worth nothing.
pub(super) enum Worthless {
    /// It was exchanged before, for this family of refresh tokens.
    ComesAgain(String),
    Refused(TokenError),
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
        codes.insert(code.clone(), Issued { grant, until: now.saturating_add(LIFETIME), spent_for: None });
        Some(code)
    }

    /// What a code is good for, once: it is spent if it fits, for this family, and `give` gives what it was spent for. One that does not
    /// fit stays good for its owner, as does one for which nothing was given: whoever stole it can neither use nor spoil it.
    pub(super) fn redeem<T>(
        &self,
        code: &str,
        now: UnixTime,
        family: &str,
        fits: impl FnOnce(&Grant) -> Result<(), TokenError>,
        give: impl FnOnce(&Grant) -> Result<T, TokenError>,
    ) -> Result<T, Worthless> {
        let mut codes = self.lock();
        let issued = codes.get_mut(code).filter(|issued| now < issued.until);
        let unknown = TokenError::InvalidGrant("the code is unknown, used or expired");
        let issued = issued.ok_or(Worthless::Refused(unknown))?;
        fits(&issued.grant).map_err(Worthless::Refused)?;
        match &issued.spent_for {
            Some(family) => Err(Worthless::ComesAgain(family.clone())),
            None => {
                let given = give(&issued.grant).map_err(Worthless::Refused)?;
                issued.spent_for = Some(family.to_owned());
                Ok(given)
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
