//! Which refresh tokens are out, and what is each good for? (RFC 6749 §6)

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::UnixTime,
    testing::{
        authorization::{codes::Consented, random::unguessable},
        token_endpoint::TokenError,
    },
};

/// Each consent has a family of refresh tokens, of which one is good at a time: each use replaces it. One that comes again was
/// stolen, from the client or by it, and nobody knows which: so the family is over (RFC 9700 §4.14.2).
#[derive(Default)]
pub(super) struct Families(Mutex<HashMap<String, Family>>);

struct Family {
    consented: Consented,
    /// The one that is good.
    current: String,
    until: UnixTime,
}

impl Families {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Family>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first token of a family. Where there are too many, the one that was used the longest ago makes room.
    pub(super) fn begin(&self, name: &str, consented: Consented, now: UnixTime) -> String {
        let mut families = self.lock();
        families.retain(|_, family| now < family.until);
        if families.len() >= MAX_FAMILIES
            && let Some(oldest) =
                families.iter().min_by_key(|(_, family)| family.until).map(|(name, _)| name.clone())
        {
            families.remove(&oldest);
        }
        let token = member(name);
        let family = Family { consented, current: token.clone(), until: now.saturating_add(LIFETIME) };
        families.insert(name.to_owned(), family);
        token
    }

    pub(super) fn go_on(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    /// What `give` gives for a token, and the one that takes its place. One for which nothing is given stays good.
    pub(super) fn next<T>(
        &self,
        token: &str,
        client_id: &str,
        now: UnixTime,
        give: impl FnOnce(&Consented, &str) -> Result<T, TokenError>,
    ) -> Result<(T, String), TokenError> {
        let unknown = TokenError::InvalidGrant("the refresh token is unknown, used, revoked or expired");
        let name = family_of(token).ok_or(unknown)?;
        let mut families = self.lock();
        let family = families.get_mut(name).filter(|family| now < family.until).ok_or(unknown)?;
        // Somebody else's client gets to know nothing, and changes nothing.
        if family.consented.client_id != client_id {
            return Err(unknown);
        }
        if family.current != token {
            families.remove(name);
            return Err(TokenError::InvalidGrant(
                "the refresh token came again: all that came of it are over",
            ));
        }
        let given = give(&family.consented, name)?;
        family.current = member(name);
        family.until = now.saturating_add(LIFETIME);
        Ok((given, family.current.clone()))
    }

    /// Ends a family by its name.
    pub(super) fn end(&self, name: &str) -> bool {
        self.lock().remove(name).is_some()
    }

    /// Ends the family of a token, if it is one of this client; of any, where none is named. Tells whether it did.
    pub(super) fn revoke(&self, token: &str, client_id: Option<&str>) -> Result<bool, TokenError> {
        let Some(name) = family_of(token) else { return Ok(false) };
        let mut families = self.lock();
        let Some(family) = families.get(name) else { return Ok(false) };
        if client_id.is_some_and(|id| id != family.consented.client_id) {
            return Err(TokenError::InvalidGrant("the token was issued to another client"));
        }
        Ok(families.remove(name).is_some())
    }
}

impl fmt::Debug for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Families").finish_non_exhaustive()
    }
}

/// A name that nobody guesses, for a family to come.
pub(super) fn family_name() -> String {
    unguessable("refresh")
}

fn member(family: &str) -> String {
    format!("{family}.{}", unguessable("token"))
}

fn family_of(token: &str) -> Option<&str> {
    token.split_once('.').map(|(family, _)| family)
}

/// From one use to the next.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// More than a demonstration has users. Each has at most eight resources of 2 KiB, and 4 KiB of scopes: 20 MiB in all.
const MAX_FAMILIES: usize = 1024;
