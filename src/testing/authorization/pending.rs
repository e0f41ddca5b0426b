//! Which requests wait for a user to decide?

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{clock::UnixTime, testing::authorization::request::AuthorizationRequest};

/// Those whose page is out, the oldest first. The page has the handle of its request, and nothing else of it.
#[derive(Default)]
pub(super) struct Pending(Mutex<VecDeque<Waiting>>);

struct Waiting {
    handle: String,
    request: AuthorizationRequest,
    until: UnixTime,
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where there are too many, the oldest makes room: most likely nobody sits before it any more.
    pub(super) fn keep(&self, handle: String, request: AuthorizationRequest, now: UnixTime) {
        let mut pending = self.lock();
        pending.retain(|waiting| now < waiting.until);
        if pending.len() >= MAX_PENDING {
            pending.pop_front();
        }
        pending.push_back(Waiting { handle, request, until: now.saturating_add(LIFETIME) });
    }

    /// The request of a handle, once.
    pub(super) fn take(&self, handle: &str, now: UnixTime) -> Option<AuthorizationRequest> {
        let mut pending = self.lock();
        pending.retain(|waiting| now < waiting.until);
        let place = pending.iter().position(|waiting| waiting.handle == handle)?;
        pending.remove(place).map(|waiting| waiting.request)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

/// Somebody who was called to the door comes back to the page; somebody who comes back after lunch starts again.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// More than a demonstration has users. A request is as long as its query: 8 MiB in all.
const MAX_PENDING: usize = 1024;
