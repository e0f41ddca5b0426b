//! When is an issuer's snapshot written, and what of it reaches the log?

use std::{
    fmt, io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tracing::{debug, warn};

use super::{
    Fault, KeySnapshots, Reason,
    document::{Expected, Restored, Snapshot, judge},
    seal::name,
};

/// Keeps the snapshot of one issuer.
pub(crate) struct Keeper {
    snapshots: KeySnapshots,
    issuer: Arc<str>,
    name: String,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// What was last written; `None` also after a failure.
    written: Option<Adopted>,
    /// What is written next; newer keys take the place of older ones.
    next: Option<Adopted>,
    writing: bool,
    failing: bool,
}

/// A snapshot, and when its keys were adopted.
#[derive(Clone)]
struct Adopted {
    snapshot: Snapshot,
    at: Duration,
}

impl Progress {
    /// Whether others than the keys that were last written are to be, or it was a while ago.
    fn wants(&self, adopted: &Adopted) -> bool {
        self.written.as_ref().is_none_or(|written| {
            written.snapshot.published != adopted.snapshot.published
                || adopted.at.saturating_sub(written.at) >= RENEWAL
        })
    }
}

impl Keeper {
    pub(crate) fn new(snapshots: KeySnapshots, issuer: &str) -> Self {
        Self { snapshots, issuer: issuer.into(), name: name(issuer), progress: Mutex::default() }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys that an earlier process left, if they serve. Blocks while they are read.
    pub(crate) fn restore<'e>(&self, expected: impl FnOnce() -> Expected<'e>) -> Option<Restored> {
        let (issuer, name) = (&*self.issuer, self.name.as_str());
        let restored = match self.snapshots.load(name) {
            Ok(None) => {
                debug!(issuer, name, "there is no snapshot of keys");
                return None;
            }
            // The time is asked for last: the place may be slow.
            Ok(Some(document)) => judge(&document, &expected()).map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        match restored {
            Ok(restored) => {
                let (usable, seconds_left) = (restored.set.identities().len(), restored.left.as_secs());
                debug!(issuer, name, usable, seconds_left, "keys of a snapshot serve until the first fetch");
                Some(restored)
            }
            Err(Fault { reason, cause }) => {
                let cause = cause.as_ref().map(tracing::field::display);
                warn!(issuer, name, reason = reason.label(), cause, "a snapshot of keys is ignored");
                None
            }
        }
    }

    /// Has the snapshot written, apart from the caller: at once where its keys are others than before, at most once a
    /// minute where they only live on. Must be called in a tokio runtime.
    pub(crate) fn keep(self: &Arc<Self>, now: Duration, snapshot: Snapshot) {
        if !snapshot.fetched.is_readable() {
            return;
        }
        let adopted = Adopted { snapshot, at: now };
        let writing = {
            let mut progress = self.progress();
            // What is being written may be neither what was written before nor this.
            if !progress.writing && !progress.wants(&adopted) {
                return;
            }
            progress.next = Some(adopted);
            if mem::replace(&mut progress.writing, true) {
                return;
            }
            Writing { keeper: Arc::clone(self), done: false }
        };
        tokio::spawn(writing.run());
    }

    fn save(&self, snapshot: &Snapshot) -> Result<(), Fault> {
        let document = snapshot.encode(&self.issuer).ok_or(io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.snapshots.save(&self.name, &document)
    }

    fn record(&self, adopted: Adopted, outcome: Result<(), Fault>) {
        let (issuer, name) = (&*self.issuer, self.name.as_str());
        let failed_before = {
            let mut progress = self.progress();
            progress.written = outcome.is_ok().then_some(adopted);
            mem::replace(&mut progress.failing, outcome.is_err())
        };
        match outcome {
            Err(Fault { reason, cause }) if !failed_before => {
                let cause = cause.as_ref().map(tracing::field::display);
                warn!(issuer, name, reason = reason.label(), cause, "the snapshot of keys cannot be written");
            }
            Ok(()) if failed_before => warn!(issuer, name, "the snapshot of keys is written again"),
            Err(_) => debug!(issuer, name, "the snapshot of keys cannot be written"),
            Ok(()) => debug!(issuer, name, "the snapshot of keys is written"),
        }
    }
}

/// The one task that writes an issuer's snapshots, one after the other. Its end, however it comes, lets another begin.
struct Writing {
    keeper: Arc<Keeper>,
    done: bool,
}

impl Writing {
    async fn run(mut self) {
        while let Some(adopted) = self.next() {
            let (keeper, snapshot) = (Arc::clone(&self.keeper), adopted.snapshot.clone());
            let saved = tokio::task::spawn_blocking(move || keeper.save(&snapshot)).await;
            self.keeper.record(adopted, saved.unwrap_or_else(|_panicked| Err(Reason::Unreachable.into())));
        }
    }

    fn next(&mut self) -> Option<Adopted> {
        let mut progress = self.keeper.progress();
        let next = progress.next.take().filter(|next| progress.wants(next));
        self.done = next.is_none();
        progress.writing = !self.done;
        next
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.done {
            // The runtime is gone; whether anything was written is not known.
            let mut progress = self.keeper.progress();
            (progress.writing, progress.written, progress.next) = (false, None, None);
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("snapshots", &self.snapshots).finish_non_exhaustive()
    }
}

/// Between two documents that differ in their time alone.
const RENEWAL: Duration = Duration::from_secs(60);
