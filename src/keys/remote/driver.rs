//! The task that keeps one issuer's keys fresh.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Waker,
};

use super::{Shared, Signals, State, fetcher::Fetched};
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
    pub(super) signals: Arc<Signals>,
}

impl Driver {
    pub(super) async fn run(self) {
        while let Some(step) = self.step() {
            match step {
                Drive::Fetch(sequence) => {
                    let Some(result) = self.unless_closed(self.fetch(sequence)).await else { return };
                    // A successor carries this fetch out anew.
                    if !self.is_in_charge(&self.shared.lock()) {
                        return;
                    }
                    let fetched = result.as_ref().ok();
                    let snapshot = fetched.and_then(|fetched| self.snapshot(fetched));
                    self.shared.finish(sequence, result);
                    self.keep(sequence, snapshot);
                }
                Drive::Sleep(delay) => {
                    let _elapsed = tokio::time::timeout(delay, self.signals.wake.notified()).await;
                }
            }
        }
    }

    fn step(&self) -> Option<Drive> {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        (self.is_in_charge(&state)).then(|| state.refresh.drive(now))
    }

    fn is_in_charge(&self, state: &State) -> bool {
        !state.closed && state.epoch == self.epoch
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
                Err(_) => {
                    let now = self.shared.now();
                    self.shared.lock().refresh.queued(now, sequence);
                }
            }
        };
        let now = self.shared.now();
        self.shared.lock().refresh.departed(now, sequence);
        self.shared.fetcher.attempt().await
    }

    fn snapshot(&self, fetched: &Fetched) -> Option<Snapshot> {
        fetched.snapshot(&self.shared.fetcher.source, Limits::default())
    }

    /// Has the keys of this fetch kept across restarts, if they were adopted.
    fn keep(&self, sequence: Sequence, snapshot: Option<Snapshot>) {
        let adopted = self.shared.in_force.load().as_ref().is_some_and(|keys| keys.sequence == sequence);
        if let (Some(keeper), Some(snapshot), true) = (&self.shared.fetcher.source.keeper, snapshot, adopted)
        {
            keeper.keep(self.shared.now(), snapshot);
        }
    }

    async fn demanded(&self) {
        while !self.shared.lock().is_demanded() {
            self.signals.demand.notified().await;
        }
    }

    async fn unless_closed<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = self.signals.wake.notified() => {
                    if !self.is_in_charge(&self.shared.lock()) {
                        return None;
                    }
                }
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        if state.epoch != self.epoch {
            return;
        }
        // In one step: a successor must not find the flight of a dead driver.
        let (waiters, event) = match state.refresh.in_flight() {
            Some(sequence) => {
                self.shared.conclude(&mut state, now, sequence, Err(FetchErrorKind::Aborted.into()))
            }
            None => (Vec::new(), None),
        };
        self.shared.driven.store(false, Ordering::Release);
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
        self.shared.ended.notify_waiters();
        if let Some(event) = event {
            event.log(&self.shared.fetcher.source.issuer);
        }
    }
}
