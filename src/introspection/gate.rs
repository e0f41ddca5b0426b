//! How many calls to an endpoint run at once, and who may wait for a place?

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::sync::{Semaphore, SemaphorePermit};

/// What an authorization server bears from one process, and what keeps our own sockets few.
const AT_ONCE: usize = 64;

/// Four times as many as run: at a usual 10 ms a call, the last one waits 40 ms.
const WAITING: usize = 256;

/// Who has waited this long would wait in vain.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Gate {
    places: Semaphore,
    waiting: AtomicUsize,
}

/// One who waits. Counted until the wait ends or is given up.
struct Waiting<'g>(&'g AtomicUsize);

impl Gate {
    pub(crate) fn new() -> Self {
        Self { places: Semaphore::new(AT_ONCE), waiting: AtomicUsize::new(0) }
    }

    /// `None`: too many wait, or the wait was too long.
    pub(crate) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(permit) = self.places.try_acquire() {
            return Some(permit);
        }
        let _waiting = Waiting::begin(&self.waiting)?;
        tokio::time::timeout(LONGEST_WAIT, self.places.acquire()).await.ok()?.ok()
    }
}

impl<'g> Waiting<'g> {
    fn begin(count: &'g AtomicUsize) -> Option<Self> {
        let one_more = |waiting: usize| (waiting < WAITING).then(|| waiting.saturating_add(1));
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
