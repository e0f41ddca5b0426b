//! The task that keeps one issuer's keys fresh.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
};

use super::{
    Shared,
    fetcher::{Ask, Fetched},
};
use crate::{
    fetch::{FetchError, FetchErrorKind},
    keys::{
        gate::{GATE, LEASE, Turn},
        refresh::{Drive, Limits, Sequence},
        snapshot::Snapshot,
    },
};

/// The task that keeps one issuer's keys. Its end, however it comes, ends the flight as failed and wakes every waiter.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) epoch: u64,
}

impl Driver {
    pub(super) async fn run(self) {
        while let Some(step) = self.shared.shell.step(self.epoch, self.shared.now()) {
            match step {
                Drive::Fetch(sequence) => {
                    let Some(result) = self.while_in_charge(self.fetch(sequence)).await else { return };
                    let fetched = result.as_ref().ok();
                    let snapshot = fetched.and_then(|fetched| self.snapshot(fetched));
                    self.shared.finish(sequence, result);
                    self.keep(sequence, snapshot);
                }
                Drive::Sleep(delay) => {
                    let _elapsed = tokio::time::timeout(delay, self.news()).await;
                }
            }
        }
    }

    /// Waits for its turn. A request that waits makes it a better one, unless the issuer is known to fail.
    async fn fetch(&self, sequence: Sequence) -> Result<Fetched, FetchError> {
        let permit = async {
            let mut scheduled = pin!(GATE.enter(Turn::Scheduled));
            tokio::select! {
                biased;
                permit = &mut scheduled => return permit,
                () = self.demanded() => (),
            }
            // In both lanes: whichever comes first.
            tokio::select! {
                biased;
                permit = &mut scheduled => permit,
                permit = GATE.enter(Turn::Demanded) => permit,
            }
        };
        let mut permit = pin!(permit);
        let _permit = loop {
            match tokio::time::timeout(LEASE, &mut permit).await {
                Ok(permit) => break permit,
                Err(_) => self.shared.shell.queued(self.shared.now(), sequence),
            }
        };
        let is_emergency = self.shared.shell.departed(self.shared.now(), sequence);
        self.shared.fetcher.attempt(if is_emergency { Ask::Emergency } else { Ask::Usual }).await
    }

    fn snapshot(&self, fetched: &Fetched) -> Option<Snapshot> {
        fetched.snapshot(&self.shared.fetcher.source, Limits::default())
    }

    /// Has the keys of this fetch kept across restarts, if they were adopted.
    fn keep(&self, sequence: Sequence, snapshot: Option<Snapshot>) {
        let adopted =
            self.shared.shell.in_force().load().as_ref().is_some_and(|keys| keys.sequence == sequence);
        if let (Some(keeper), Some(snapshot), true) = (&self.shared.fetcher.source.keeper, snapshot, adopted)
        {
            keeper.keep(self.shared.now(), snapshot);
        }
    }

    /// Ends when a request waits for an issuer that may well answer. Looks at every poll: `while_in_charge`, around this, may
    /// have taken the news of it.
    pub(super) fn demanded(&self) -> impl Future<Output = ()> {
        poll_fn(|context| {
            loop {
                if self.shared.shell.is_demanded() {
                    return Poll::Ready(());
                }
                if !self.shared.shell.is_in_charge(self.epoch) {
                    // There are always news then; `while_in_charge` ends this.
                    return Poll::Pending;
                }
                ready!(self.shared.shell.poll_news(self.epoch, context));
            }
        })
    }

    /// Does the work, unless another driver takes over or nothing is to be driven any more.
    pub(super) async fn while_in_charge<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                // A successor carries this work out anew.
                done = &mut work => return self.shared.shell.is_in_charge(self.epoch).then_some(done),
                () = self.news() => {
                    if !self.shared.shell.is_in_charge(self.epoch) {
                        return None;
                    }
                }
            }
        }
    }

    /// Ends when the state has news for this driver.
    fn news(&self) -> impl Future<Output = ()> {
        poll_fn(|context| self.shared.shell.poll_news(self.epoch, context))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let (now, jitter) = (self.shared.now(), fastrand::f64());
        let aborted = FetchErrorKind::Aborted;
        if let Some(event) =
            self.shared.shell.driver_ended(self.epoch, now, jitter, |notes| notes.failed(aborted.into()))
        {
            self.shared.ended.notify_waiters();
            self.shared.log(event);
        }
    }
}
