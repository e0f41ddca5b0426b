//! Who waits for which fetch, who carries it out, and which keys are in force? The one lock around [`refresh`].
//!
//! The lock is never held across an await, nor while foreign code runs: clocks, wakers and subscribers are called outside.
//! It knows neither tokio nor the network, so that loom can explore it (`loom/`).
//!
//! [`refresh`]: super::refresh

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{PoisonError, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::keys::{
    refresh::{Cause, Demand, Drive, RESTORED, Refresh, Sequence},
    sync::{Arc, AtomicBool, Mutex, MutexGuard, Slot},
};

/// Requests that wait for one issuer at a time, for each of the two reasons.
pub(crate) const MAX_WAITING: usize = 1024;

/// So many failures in a row, and requests no longer make an issuer's turn a better one.
const GIVEN_UP: u32 = 3;

/// The keys `T` of one issuer and what is told about them, `N`.
pub(crate) struct Shell<T, N> {
    state: Mutex<State<N>>,
    in_force: Slot<InForce<T>>,
    /// Whether a driver lives. Changed under the lock, read without it.
    driven: AtomicBool,
}

/// Keys and how long they serve.
#[derive(Debug)]
pub(crate) struct InForce<T> {
    pub(crate) sequence: Sequence,
    pub(crate) keys: T,
    pub(crate) fresh_until: Duration,
    pub(crate) stale_until: Duration,
}

struct State<N> {
    refresh: Refresh,
    waiters: BTreeMap<u64, Waker>,
    last_waiter: u64,
    waiting: Waiting,
    driver: Driver,
    /// A request waits for the fetch on its way.
    demanded: bool,
    /// The last attempt ran out of time: the next one may hold its place for long.
    hung: bool,
    /// The last fetch that the issuer itself has to answer.
    emergency: Option<Sequence>,
    closed: bool,
    notes: N,
}

/// The driver that is in charge. An older one is told so as soon as it looks.
#[derive(Default)]
struct Driver {
    epoch: u64,
    /// Something has changed that it does not know yet.
    news: bool,
    waker: Option<Waker>,
}

/// Why a request waits. The two are counted apart: a flood of bad signatures takes no place from a new key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Need {
    Key,
    Recheck,
}

/// How many requests wait, by need.
#[derive(Default)]
struct Waiting {
    key: usize,
    recheck: usize,
}

impl Waiting {
    fn count(&mut self, need: Need) -> &mut usize {
        match need {
            Need::Key => &mut self.key,
            Need::Recheck => &mut self.recheck,
        }
    }
}

/// What a request does next.
pub(crate) enum Wanted<T, N> {
    Wait(Attempt<T, N>),
    Final,
    /// Newer keys came meanwhile.
    JudgeAgain,
    Outage {
        retry_after: Duration,
    },
    TooMany,
}

/// How a fetch goes that cannot be content with an answer from a cache.
pub(crate) enum Emergency<T, N> {
    Begun(Attempt<T, N>),
    /// One that can is on its way, and has to end first.
    After(Attempt<T, N>),
    Closed,
}

/// What a driver is there for.
pub(crate) enum Charge {
    /// Nobody drives, or one that stands still: the driver of this number begins.
    Begin(u64),
    /// Somebody does.
    Taken,
    /// Nothing is driven any more.
    Closed,
    /// Nobody drives, and nobody can here.
    Nobody,
}

/// How a fetch ended.
pub(crate) enum Outcome<T> {
    /// New keys, and the lifetime that the server named.
    Keys { keys: T, lifetime: Option<Duration> },
    /// None.
    Failed { hung: bool },
}

impl<T, N> Shell<T, N> {
    pub(crate) fn new(refresh: Refresh, notes: N) -> Self {
        let state = State {
            refresh,
            waiters: BTreeMap::new(),
            last_waiter: 0,
            waiting: Waiting::default(),
            driver: Driver::default(),
            demanded: false,
            hung: false,
            emergency: None,
            closed: false,
            notes,
        };
        Self { state: Mutex::new(state), in_force: Slot::empty(), driven: AtomicBool::new(false) }
    }

    /// With keys that an earlier process left, which `refresh` knows of.
    pub(crate) fn restored(refresh: Refresh, keys: T, notes: N) -> Self {
        let (fresh_until, stale_until) = (refresh.fresh_until(), refresh.stale_until());
        let in_force = InForce { sequence: RESTORED, keys, fresh_until, stale_until };
        let shell = Self::new(refresh, notes);
        shell.in_force.store(Some(Arc::new(in_force)));
        shell
    }

    fn lock(&self) -> MutexGuard<'_, State<N>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys in force, whether or not they may still serve.
    pub(crate) fn in_force(&self) -> &Slot<InForce<T>> {
        &self.in_force
    }

    /// Looks at the schedule and at what is noted.
    pub(crate) fn look<R>(&self, at: impl FnOnce(&Refresh, &N) -> R) -> R {
        let state = self.lock();
        at(&state.refresh, &state.notes)
    }

    /// Whether a request that needs another key is told of an outage, as far as that shows without asking: the issuer did not
    /// answer last time, or is not asked any more.
    pub(crate) fn is_failing(&self) -> bool {
        let state = self.lock();
        state.closed || state.refresh.failures() > 0
    }

    /// What a request does that needs another key than those in force. Whoever calls it tells the driver afterwards.
    pub(crate) fn demand(
        self: &Arc<Self>,
        need: Need,
        now: Duration,
        ask: impl FnOnce(&mut Refresh, Duration) -> Demand,
    ) -> Wanted<T, N> {
        let mut state = self.lock();
        if state.closed {
            return match need {
                Need::Key => Wanted::Outage { retry_after: Duration::ZERO },
                Need::Recheck => Wanted::Final,
            };
        }
        match ask(&mut state.refresh, now) {
            Demand::Wait(_) if *state.waiting.count(need) >= MAX_WAITING => Wanted::TooMany,
            Demand::Wait(sequence) => {
                state.demanded = true;
                Wanted::Wait(self.attempt(&mut state, sequence, need))
            }
            Demand::Final => Wanted::Final,
            Demand::JudgeAgain => Wanted::JudgeAgain,
            Demand::Outage => Wanted::Outage { retry_after: state.refresh.retry_after(now) },
        }
    }

    /// Starts a fetch outside the budget of tokens, or joins the one on its way; `None` when nothing is fetched any more.
    pub(crate) fn begin(self: &Arc<Self>, now: Duration) -> Option<Attempt<T, N>> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        let sequence = state.refresh.begin(now, Cause::Schedule);
        state.demanded = true;
        Some(self.attempt(&mut state, sequence, Need::Key))
    }

    /// Starts a fetch that the issuer itself has to answer, in full, or joins such a one.
    pub(crate) fn begin_emergency(self: &Arc<Self>, now: Duration) -> Emergency<T, N> {
        let mut state = self.lock();
        if state.closed {
            return Emergency::Closed;
        }
        match state.refresh.in_flight() {
            Some(sequence) if state.emergency != Some(sequence) => {
                Emergency::After(self.attempt(&mut state, sequence, Need::Key))
            }
            _ => {
                let sequence = state.refresh.begin(now, Cause::Schedule);
                (state.emergency, state.demanded) = (Some(sequence), true);
                Emergency::Begun(self.attempt(&mut state, sequence, Need::Key))
            }
        }
    }

    /// Waits for the fetch on its way, if there is one.
    pub(crate) fn join(self: &Arc<Self>) -> Option<Attempt<T, N>> {
        let mut state = self.lock();
        let sequence = state.refresh.in_flight()?;
        Some(self.attempt(&mut state, sequence, Need::Key))
    }

    /// A wait for a fetch; it counts from now on.
    fn attempt(self: &Arc<Self>, state: &mut State<N>, sequence: Sequence, need: Need) -> Attempt<T, N> {
        state.last_waiter = state.last_waiter.wrapping_add(1);
        let id = state.last_waiter;
        state.waiters.insert(id, Waker::noop().clone());
        let waiting = state.waiting.count(need);
        *waiting = waiting.saturating_add(1);
        Attempt { shell: Arc::clone(self), sequence, need, id }
    }

    /// Asks who drives. Where nobody does, or one that stands still, and `can_drive` says that there is a runtime, whoever
    /// asks has to start the driver of the number that it gets.
    pub(crate) fn charge(&self, now: Duration, can_drive: bool) -> Charge {
        let mut state = self.lock();
        let driven = self.is_driven();
        let stuck = driven && state.refresh.is_overdue(now);
        let charge = if state.closed {
            if driven { Charge::Taken } else { Charge::Closed }
        } else if driven && !stuck {
            Charge::Taken
        } else if !can_drive {
            if stuck { Charge::Taken } else { Charge::Nobody }
        } else {
            if stuck {
                state.refresh.take_over(now);
            }
            let epoch = state.driver.epoch.wrapping_add(1);
            let before = std::mem::replace(&mut state.driver, Driver { epoch, news: true, waker: None });
            self.driven.store(true, Ordering::Release);
            drop(state);
            // Should the one before ever run again, it sees that it is no longer in charge.
            if let Some(waker) = before.waker {
                waker.wake();
            }
            return Charge::Begin(epoch);
        };
        drop(state);
        charge
    }

    /// What the driver of this number does now; `None` when it is no longer in charge.
    pub(crate) fn step(&self, epoch: u64, now: Duration) -> Option<Drive> {
        let mut state = self.lock();
        state.is_in_charge(epoch).then(|| state.refresh.drive(now))
    }

    pub(crate) fn is_in_charge(&self, epoch: u64) -> bool {
        self.lock().is_in_charge(epoch)
    }

    /// The fetch waits in the queue of the process, and its driver lives.
    pub(crate) fn queued(&self, now: Duration, sequence: Sequence) {
        self.lock().refresh.queued(now, sequence);
    }

    /// The fetch has left that queue. Tells whether it is an emergency.
    pub(crate) fn departed(&self, now: Duration, sequence: Sequence) -> bool {
        let mut state = self.lock();
        state.refresh.departed(now, sequence);
        state.emergency == Some(sequence)
    }

    /// Tells the driver to look again.
    pub(crate) fn signal(&self) {
        let waker = {
            let mut state = self.lock();
            state.driver.news = true;
            state.driver.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends when there are news for the driver of this number, which are told once, or when it is no longer in charge.
    pub(crate) fn poll_news(&self, epoch: u64, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        let mut state = self.lock();
        if !state.is_in_charge(epoch) || std::mem::take(&mut state.driver.news) {
            drop(state);
            drop(waker);
            return Poll::Ready(());
        }
        let old = state.driver.waker.replace(waker);
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Whether somebody waits for an issuer that may well answer. One that hangs, or fails again and again, must not hold a
    /// place that another one needs.
    pub(crate) fn is_demanded(&self) -> bool {
        let state = self.lock();
        state.demanded && !state.hung && state.refresh.failures() < GIVEN_UP
    }

    /// Takes in how a fetch ended, and wakes all who wait for it. An outcome that nobody waits for any more changes nothing:
    /// an older answer never replaces a newer one. What `note` makes of it is for the log, outside the lock.
    pub(crate) fn finish<E>(
        &self,
        now: Duration,
        jitter: f64,
        sequence: Sequence,
        outcome: Outcome<T>,
        note: impl FnOnce(&mut N) -> E,
    ) -> Option<E> {
        let mut state = self.lock();
        let (waiters, event) = self.conclude(&mut state, now, jitter, sequence, outcome, note)?;
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
        Some(event)
    }

    /// The driver of this number has ended, however that came. Its flight failed, in the same step: a successor must not find
    /// the flight of a dead driver. The answer is `None` for one that was no longer in charge.
    pub(crate) fn driver_ended<E>(
        &self,
        epoch: u64,
        now: Duration,
        jitter: f64,
        note: impl FnOnce(&mut N) -> E,
    ) -> Option<Option<E>> {
        let mut state = self.lock();
        if state.driver.epoch != epoch {
            return None;
        }
        let failed = Outcome::Failed { hung: false };
        let concluded = state
            .refresh
            .in_flight()
            .and_then(|sequence| self.conclude(&mut state, now, jitter, sequence, failed, note));
        self.driven.store(false, Ordering::Release);
        let waker = state.driver.waker.take();
        drop(state);
        drop(waker);
        let (waiters, event) =
            concluded.map_or((Vec::new(), None), |(waiters, event)| (waiters, Some(event)));
        waiters.into_iter().for_each(Waker::wake);
        Some(event)
    }

    /// A flight that nobody can carry out fails.
    pub(crate) fn give_up<E>(&self, now: Duration, jitter: f64, note: impl FnOnce(&mut N) -> E) -> Option<E> {
        let mut state = self.lock();
        let sequence = state.refresh.in_flight()?;
        let failed = Outcome::Failed { hung: false };
        let (waiters, event) = self.conclude(&mut state, now, jitter, sequence, failed, note)?;
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
        Some(event)
    }

    /// Ends the driver. Held keys go on to serve until they are stale.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.signal();
    }

    /// Whether a driver lives, or is about to begin.
    pub(crate) fn is_driven(&self) -> bool {
        self.driven.load(Ordering::Acquire)
    }

    /// How many requests wait, by need.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let state = self.lock();
        (state.waiting.key, state.waiting.recheck)
    }

    /// Takes the outcome of a fetch into the state. Whoever calls wakes the waiters, outside the lock.
    fn conclude<E>(
        &self,
        state: &mut State<N>,
        now: Duration,
        jitter: f64,
        sequence: Sequence,
        outcome: Outcome<T>,
        note: impl FnOnce(&mut N) -> E,
    ) -> Option<(Vec<Waker>, E)> {
        if state.refresh.in_flight() != Some(sequence) {
            return None;
        }
        match outcome {
            Outcome::Keys { keys, lifetime } => {
                state.hung = false;
                if state.refresh.succeeded(now, sequence, lifetime, jitter) {
                    let (fresh_until, stale_until) =
                        (state.refresh.fresh_until(), state.refresh.stale_until());
                    self.in_force.store(Some(Arc::new(InForce { sequence, keys, fresh_until, stale_until })));
                }
            }
            Outcome::Failed { hung } => {
                state.hung = hung;
                state.refresh.failed(now, sequence, jitter);
            }
        }
        state.demanded = false;
        let waiters = state.waiters.values_mut().map(|waker| std::mem::replace(waker, Waker::noop().clone()));
        Some((waiters.collect(), note(&mut state.notes)))
    }
}

impl<N> State<N> {
    fn is_in_charge(&self, epoch: u64) -> bool {
        !self.closed && self.driver.epoch == epoch
    }
}

/// The wait for one fetch to end, well or badly.
pub(crate) struct Attempt<T, N> {
    shell: Arc<Shell<T, N>>,
    sequence: Sequence,
    need: Need,
    id: u64,
}

impl<T, N> Future for Attempt<T, N> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        let mut state = self.shell.lock();
        if state.refresh.in_flight() != Some(self.sequence) {
            drop(state);
            drop(waker);
            return Poll::Ready(());
        }
        let old = state.waiters.insert(self.id, waker);
        drop(state);
        // Foreign code runs when a waker is dropped.
        drop(old);
        Poll::Pending
    }
}

impl<T, N> Drop for Attempt<T, N> {
    fn drop(&mut self) {
        let mut state = self.shell.lock();
        let waker = state.waiters.remove(&self.id);
        let waiting = state.waiting.count(self.need);
        *waiting = waiting.saturating_sub(1);
        drop(state);
        drop(waker);
    }
}
