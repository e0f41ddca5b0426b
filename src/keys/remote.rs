//! The keys of one issuer, fetched and kept fresh by one driver task. It obeys [`refresh`](super::refresh).

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use arc_swap::{ArcSwapOption, Guard};
use tokio::{runtime::Handle, sync::Notify};

use crate::{
    fetch::{FetchError, FetchErrorKind},
    keys::{
        refresh::{Cause, Demand, Limits, RESTORED, Refresh, Sequence},
        remote::{
            driver::Driver,
            fetcher::{Fetched, Fetcher},
            report::Event,
        },
        set::{KeySet, Skipped},
        snapshot::Restored,
    },
};

mod driver;
mod fetcher;
mod report;

pub(crate) use fetcher::{Location, Source};

/// Requests that wait for one issuer at a time, for each of the two reasons.
pub(crate) const MAX_WAITING: usize = 1024;

/// A handle on the keys of one issuer. The driver ends when it is dropped.
pub(crate) struct Remote {
    shared: Arc<Shared>,
}

/// A set and how long it serves.
#[derive(Debug)]
pub(crate) struct InForce {
    sequence: Sequence,
    set: KeySet,
    fresh_until: Duration,
    stale_until: Duration,
}

impl InForce {
    fn restored(restored: Restored, now: Duration, limits: Limits) -> (Refresh, ArcSwapOption<Self>) {
        let refresh = Refresh::restored(limits, now, restored.left);
        let (fresh_until, stale_until) = (refresh.fresh_until(), refresh.stale_until());
        let in_force = Self { sequence: RESTORED, set: restored.set, fresh_until, stale_until };
        (refresh, ArcSwapOption::from_pointee(in_force))
    }
}

/// Keys that may be used now.
pub(crate) struct Current(Guard<Option<Arc<InForce>>>);

impl AsRef<KeySet> for Current {
    fn as_ref(&self) -> &KeySet {
        static NONE: KeySet = KeySet::none();
        self.0.as_deref().map_or(&NONE, |in_force| &in_force.set)
    }
}

/// What a request does next.
pub(crate) enum Wanted {
    Wait(Attempt),
    Final,
    /// Newer keys came meanwhile.
    JudgeAgain,
    Outage {
        retry_after: Duration,
    },
    TooMany,
}

/// Why a request waits. The two are counted apart: a flood of bad signatures takes no place from a new key.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Need {
    Key,
    Recheck,
}

struct Shared {
    fetcher: Fetcher,
    state: Mutex<State>,
    in_force: ArcSwapOption<InForce>,
    /// Tells that the driver has ended.
    ended: Notify,
    driven: AtomicBool,
}

struct State {
    refresh: Refresh,
    waiters: HashMap<u64, Waker>,
    last_waiter: u64,
    waiting: Waiting,
    last_error: Option<Arc<FetchError>>,
    /// As last reported.
    skipped: Vec<Skipped>,
    /// Names the driver that is in charge; an older one stops when it notices.
    epoch: u64,
    /// That driver's own: one that stands still must not take what is meant for its successor.
    signals: Arc<Signals>,
    demanded: bool,
    closed: bool,
}

impl State {
    /// Whether somebody waits for an issuer that may well answer. One that hangs, or fails again and again, must not hold a
    /// place that another one needs.
    fn is_demanded(&self) -> bool {
        let hangs = self.last_error.as_ref().is_some_and(|error| error.kind() == FetchErrorKind::Timeout);
        self.demanded && !hangs && self.refresh.failures() < GIVEN_UP
    }
}

/// How a driver is told something.
#[derive(Default)]
struct Signals {
    /// To look again.
    wake: Notify,
    /// That a request waits for the fetch that it has queued.
    demand: Notify,
}

impl Signals {
    fn send(&self) {
        self.demand.notify_one();
        self.wake.notify_one();
    }
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

impl Remote {
    /// Starts the first fetch if there is a runtime to start it on; else the first request does. Until it succeeds, the
    /// keys serve that an earlier process left.
    pub(crate) fn new(source: Source) -> Self {
        let (now, limits) = (source.clock.monotonic(), Limits::default());
        let (refresh, in_force) = match source.restore(limits) {
            Some(restored) => InForce::restored(restored, now, limits),
            None => (Refresh::new(limits, now), ArcSwapOption::empty()),
        };
        let state = State {
            refresh,
            waiters: HashMap::new(),
            last_waiter: 0,
            waiting: Waiting::default(),
            last_error: None,
            skipped: Vec::new(),
            epoch: 0,
            signals: Arc::default(),
            demanded: false,
            closed: false,
        };
        let shared = Arc::new(Shared {
            fetcher: Fetcher::new(source),
            state: Mutex::new(state),
            in_force,
            ended: Notify::new(),
            driven: AtomicBool::new(false),
        });
        let _started = shared.ensure_driver();
        Self { shared }
    }

    /// The keys that may be used at `now`, and which fetch they came of. Never waits, never locks while they are fresh.
    pub(crate) fn current(&self, now: Duration) -> (Option<Current>, Sequence) {
        let in_force = self.shared.in_force.load();
        let fresh = in_force.as_ref().is_some_and(|keys| now < keys.fresh_until);
        if !fresh || !self.shared.driven.load(Ordering::Relaxed) {
            let _started = self.shared.ensure_driver();
        }
        Self::usable(in_force, now)
    }

    /// The same for an onlooker: nothing is started by it.
    pub(crate) fn peek(&self, now: Duration) -> Option<Current> {
        Self::usable(self.shared.in_force.load(), now).0
    }

    fn usable(in_force: Guard<Option<Arc<InForce>>>, now: Duration) -> (Option<Current>, Sequence) {
        let Some((sequence, stale_until)) = in_force.as_ref().map(|keys| (keys.sequence, keys.stale_until))
        else {
            return (None, 0);
        };
        ((now < stale_until).then_some(Current(in_force)), sequence)
    }

    /// What a request does whose key is missing.
    pub(crate) fn key_missing(&self, seen: Sequence) -> Wanted {
        self.shared.demand(Need::Key, |refresh, now| refresh.key_missing(now, seen))
    }

    /// What a request does whose signature failed under a held key.
    pub(crate) fn signature_failed(&self, seen: Sequence) -> Wanted {
        self.shared.demand(Need::Recheck, |refresh, now| refresh.signature_failed(now, seen))
    }

    /// Whether a set was ever adopted.
    pub(crate) fn ever_adopted(&self) -> bool {
        self.shared.lock().refresh.ever_adopted()
    }

    /// Whether keys may be used at `now`.
    pub(crate) fn can_serve(&self, now: Duration) -> bool {
        self.shared.in_force.load().as_ref().is_some_and(|in_force| now < in_force.stale_until)
    }

    /// Ends when the first attempt has ended. The error is that of the last attempt, if it failed.
    pub(crate) async fn first_attempt(&self) -> Result<(), Arc<FetchError>> {
        loop {
            let now = self.shared.now();
            let attempt = {
                let mut state = self.shared.lock();
                if state.refresh.attempted() || state.closed {
                    return state.last_error.clone().map_or(Ok(()), Err);
                }
                let sequence = state.refresh.begin(now, Cause::Schedule);
                state.demanded = true;
                self.shared.attempt(sequence, Need::Key, &mut state)
            };
            self.shared.drive_on();
            self.patiently(attempt).await;
        }
    }

    /// Waits without a deadline, and sees to it that a living driver carries the fetch out.
    async fn patiently(&self, attempt: Attempt) {
        let mut attempt = pin!(attempt);
        while tokio::time::timeout(LOOK_AGAIN, &mut attempt).await.is_err() {
            self.shared.drive_on();
        }
    }

    /// Asks the issuer now, whatever the schedule says, and ends when it has answered. A fetch that is on its way may be
    /// older than the reason to ask: another one follows it.
    pub(crate) async fn refresh_now(&self) -> Result<(), Arc<FetchError>> {
        let on_its_way = {
            let mut state = self.shared.lock();
            state.refresh.in_flight().map(|sequence| self.shared.attempt(sequence, Need::Key, &mut state))
        };
        if let Some(attempt) = on_its_way {
            self.patiently(attempt).await;
        }
        let now = self.shared.now();
        let attempt = {
            let mut state = self.shared.lock();
            if state.closed {
                return Err(Arc::new(FetchErrorKind::Aborted.into()));
            }
            let sequence = state.refresh.begin(now, Cause::Schedule);
            state.demanded = true;
            self.shared.attempt(sequence, Need::Key, &mut state)
        };
        self.shared.drive_on();
        self.patiently(attempt).await;
        self.last_error().map_or(Ok(()), Err)
    }

    /// Ends when keys can serve.
    pub(crate) async fn served(&self) {
        loop {
            if self.can_serve(self.shared.now()) {
                return;
            }
            match self.key_missing(Sequence::MAX) {
                Wanted::Wait(attempt) => self.patiently(attempt).await,
                Wanted::Outage { retry_after } => tokio::time::sleep(retry_after.max(LOOK_AGAIN)).await,
                Wanted::Final | Wanted::JudgeAgain | Wanted::TooMany => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Whether the issuer did not answer when it was last asked.
    pub(crate) fn is_failing(&self) -> bool {
        self.shared.lock().refresh.failures() > 0
    }

    /// Why the last attempt failed, if it did.
    pub(crate) fn last_error(&self) -> Option<Arc<FetchError>> {
        self.shared.lock().last_error.clone()
    }

    /// Tells the driver to stop.
    pub(crate) fn close(&self) {
        self.shared.close();
    }

    /// Ends when the driver has, which [`close`](Self::close) told to.
    pub(crate) async fn closed(&self) {
        let mut ended = pin!(self.shared.ended.notified());
        ended.as_mut().enable();
        if self.shared.driven.load(Ordering::Acquire) {
            ended.await;
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("source", &self.shared.fetcher.source).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the clock, which is foreign code: never under the lock.
    fn now(&self) -> Duration {
        self.fetcher.source.clock.monotonic()
    }

    fn close(&self) {
        let signals = {
            let mut state = self.lock();
            state.closed = true;
            Arc::clone(&state.signals)
        };
        signals.send();
    }

    fn demand(self: &Arc<Self>, need: Need, ask: impl FnOnce(&mut Refresh, Duration) -> Demand) -> Wanted {
        let now = self.now();
        let wanted = {
            let mut state = self.lock();
            if state.closed {
                return if need == Need::Key {
                    Wanted::Outage { retry_after: Duration::ZERO }
                } else {
                    Wanted::Final
                };
            }
            match ask(&mut state.refresh, now) {
                Demand::Wait(_) if *state.waiting.count(need) >= MAX_WAITING => Wanted::TooMany,
                Demand::Wait(sequence) => {
                    state.demanded = true;
                    Wanted::Wait(self.attempt(sequence, need, &mut state))
                }
                Demand::Final => return Wanted::Final,
                Demand::JudgeAgain => return Wanted::JudgeAgain,
                Demand::Outage => Wanted::Outage { retry_after: state.refresh.retry_after(now) },
            }
        };
        self.drive_on();
        wanted
    }

    /// A wait for a fetch; it counts from now on.
    fn attempt(self: &Arc<Self>, sequence: Sequence, need: Need, state: &mut State) -> Attempt {
        state.last_waiter = state.last_waiter.wrapping_add(1);
        let id = state.last_waiter;
        state.waiters.insert(id, Waker::noop().clone());
        let waiting = state.waiting.count(need);
        *waiting = waiting.saturating_add(1);
        Attempt { shared: Arc::clone(self), sequence, need, id }
    }

    /// Makes the driver look at the state; without a runtime, a flight that nobody can carry out fails.
    fn drive_on(self: &Arc<Self>) {
        if let Err(error) = self.ensure_driver() {
            let sequence = self.lock().refresh.in_flight();
            if let Some(sequence) = sequence {
                self.finish(sequence, Err(error));
            }
        }
        let signals = Arc::clone(&self.lock().signals);
        signals.send();
    }

    /// Sees to it that a driver lives, and that it is not one whose runtime stands still.
    fn ensure_driver(self: &Arc<Self>) -> Result<(), FetchError> {
        let now = self.now();
        let (guard, before) = {
            let mut state = self.lock();
            let driven = self.driven.load(Ordering::Relaxed);
            let stuck = driven && state.refresh.is_overdue(now);
            if state.closed && !driven {
                return Err(FetchErrorKind::Aborted.into());
            }
            if state.closed || (driven && !stuck) {
                return Ok(());
            }
            if Handle::try_current().is_err() {
                return if stuck { Ok(()) } else { Err(FetchErrorKind::NoRuntime.into()) };
            }
            if stuck {
                state.refresh.take_over(now);
            }
            state.epoch = state.epoch.wrapping_add(1);
            let signals = Arc::new(Signals::default());
            let before = std::mem::replace(&mut state.signals, Arc::clone(&signals));
            self.driven.store(true, Ordering::Release);
            (Driver { shared: Arc::clone(self), epoch: state.epoch, signals }, before)
        };
        // The one before, should it ever run again, sees that it is no longer in charge.
        before.send();
        // Outside the lock: a runtime that shuts down drops the driver at once, which takes the lock.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(guard.run())),
            Err(_) => drop(guard),
        }
        Ok(())
    }

    fn finish(&self, sequence: Sequence, result: Result<Fetched, FetchError>) {
        let now = self.now();
        let mut state = self.lock();
        let (waiters, event) = self.conclude(&mut state, now, sequence, result);
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
        // Last: a subscriber may do anything, and must find nothing half done.
        if let Some(event) = event {
            event.log(&self.fetcher.source.issuer);
        }
    }

    /// Takes the outcome of a fetch into the state. Whoever calls wakes the waiters, outside the lock.
    fn conclude(
        &self,
        state: &mut State,
        now: Duration,
        sequence: Sequence,
        result: Result<Fetched, FetchError>,
    ) -> (Vec<Waker>, Option<Event>) {
        if state.refresh.in_flight() != Some(sequence) {
            return (Vec::new(), None);
        }
        let event = match result {
            Ok(Fetched { set, lifetime, .. }) => {
                let skipped = set.skipped().to_vec();
                let event = Event::Adopted {
                    usable: set.len(),
                    recovered: state.last_error.take().is_some(),
                    skipped: (state.skipped != skipped).then(|| skipped.clone()),
                };
                state.skipped = skipped;
                if state.refresh.succeeded(now, sequence, lifetime, fastrand::f64()) {
                    let (fresh_until, stale_until) =
                        (state.refresh.fresh_until(), state.refresh.stale_until());
                    self.in_force.store(Some(Arc::new(InForce { sequence, set, fresh_until, stale_until })));
                }
                event
            }
            Err(error) => {
                state.refresh.failed(now, sequence, fastrand::f64());
                let error = Arc::new(error);
                let first = state.last_error.replace(Arc::clone(&error)).is_none();
                Event::Failed { error, first }
            }
        };
        state.demanded = false;
        (state.waiters.values().cloned().collect(), Some(event))
    }
}

/// The wait for one fetch to end, well or badly.
pub(crate) struct Attempt {
    shared: Arc<Shared>,
    sequence: Sequence,
    need: Need,
    id: u64,
}

impl Future for Attempt {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        if state.refresh.in_flight() != Some(self.sequence) {
            return Poll::Ready(());
        }
        let old = state.waiters.insert(self.id, context.waker().clone());
        drop(state);
        // Foreign code runs when a waker is dropped.
        drop(old);
        Poll::Pending
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let waker = state.waiters.remove(&self.id);
        let waiting = state.waiting.count(self.need);
        *waiting = waiting.saturating_sub(1);
        drop(state);
        drop(waker);
    }
}

/// So many failures in a row, and requests no longer make an issuer's turn a better one.
const GIVEN_UP: u32 = 3;

/// How often a wait without deadline sees to it that its driver lives.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
