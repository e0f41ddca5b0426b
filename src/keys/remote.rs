//! The keys of one issuer, fetched and kept fresh by one driver task. It obeys [`refresh`](super::refresh).

use std::{fmt, pin::pin, sync::Arc, time::Duration};

use arc_swap::Guard;
use tokio::{runtime::Handle, sync::Notify};

use crate::{
    fetch::{FetchError, FetchErrorKind},
    keys::{
        refresh::{Limits, Refresh, Sequence},
        remote::{
            driver::Driver,
            fetcher::{Fetched, Fetcher},
            report::{Event, Inventory, Notes},
        },
        set::{KeySet, Skipped},
        shell::{self, Charge, Emergency, InForce, Need, Outcome, Shell},
        snapshot::Restored,
    },
};

mod driver;
mod fetcher;
mod held;
mod report;

pub(crate) use fetcher::{Location, Source};

/// A handle on the keys of one issuer. The driver ends when it is dropped.
pub(crate) struct Remote {
    shared: Arc<Shared>,
}

/// Keys that may be used now.
pub(crate) struct Current(Guard<Option<Arc<InForce<Arc<KeySet>>>>>);

impl AsRef<KeySet> for Current {
    fn as_ref(&self) -> &KeySet {
        static NONE: KeySet = KeySet::none();
        self.0.as_deref().map_or(&NONE, |in_force| &in_force.keys)
    }
}

/// How an issuer's keys are at one moment.
pub(crate) struct Status {
    pub(crate) adopted_at: Option<Duration>,
    pub(crate) fresh: bool,
    pub(crate) serving: bool,
    pub(crate) fetching: bool,
    pub(crate) failures: u32,
    pub(crate) next_attempt: Duration,
    /// JWKs in use.
    pub(crate) usable: usize,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) last_error: Option<Arc<FetchError>>,
    pub(crate) skew: Option<i64>,
}

/// What a request does next.
pub(crate) type Wanted = shell::Wanted<Arc<KeySet>, Notes>;

/// The wait for one fetch to end, well or badly.
pub(crate) type Attempt = shell::Attempt<Arc<KeySet>, Notes>;

struct Shared {
    fetcher: Fetcher,
    shell: Arc<Shell<Arc<KeySet>, Notes>>,
    /// Tells that the driver has ended.
    ended: Notify,
}

impl Remote {
    /// Starts the first fetch if there is a runtime to start it on; else the first request does. Until it succeeds, the
    /// keys serve that an earlier process left.
    pub(crate) fn new(source: Source) -> Self {
        let (now, limits) = (source.clock.monotonic(), Limits::default());
        let shell = match source.restore(limits) {
            Some(Restored { set, left }) => {
                let notes = Notes::restored(Inventory::of(&set, None));
                Shell::restored(Refresh::restored(limits, now, left), Arc::new(set), notes)
            }
            None => Shell::new(Refresh::new(limits, now), Notes::default()),
        };
        let shared =
            Arc::new(Shared { fetcher: Fetcher::new(source), shell: Arc::new(shell), ended: Notify::new() });
        let _started = shared.ensure_driver();
        Self { shared }
    }

    /// The keys that may be used at `now`, and which fetch they came of. Never waits, never locks while they are fresh.
    pub(crate) fn current(&self, now: Duration) -> (Option<Current>, Sequence) {
        let in_force = self.shared.shell.in_force().load();
        let fresh = in_force.as_ref().is_some_and(|keys| now < keys.fresh_until);
        if !fresh || !self.shared.shell.is_driven() {
            let _started = self.shared.ensure_driver();
        }
        Self::usable(in_force, now)
    }

    /// The same for an onlooker: nothing is started by it.
    pub(crate) fn peek(&self, now: Duration) -> Option<Current> {
        Self::usable(self.shared.shell.in_force().load(), now).0
    }

    fn usable(
        in_force: Guard<Option<Arc<InForce<Arc<KeySet>>>>>,
        now: Duration,
    ) -> (Option<Current>, Sequence) {
        let Some((sequence, stale_until)) = in_force.as_ref().map(|keys| (keys.sequence, keys.stale_until))
        else {
            return (None, 0);
        };
        ((now < stale_until).then_some(Current(in_force)), sequence)
    }

    /// What a request does whose key is missing.
    pub(crate) fn key_missing(&self, seen: Sequence) -> Wanted {
        let now = self.shared.now();
        let wanted = self.shared.shell.demand(Need::Key, now, |refresh, now| refresh.key_missing(now, seen));
        self.shared.told(wanted)
    }

    /// What a request does whose signature failed under a held key.
    pub(crate) fn signature_failed(&self, seen: Sequence) -> Wanted {
        let now = self.shared.now();
        let wanted =
            self.shared.shell.demand(Need::Recheck, now, |refresh, now| refresh.signature_failed(now, seen));
        self.shared.told(wanted)
    }

    /// Whether a set was ever adopted.
    pub(crate) fn ever_adopted(&self) -> bool {
        self.shared.shell.look(|refresh, _| refresh.ever_adopted())
    }

    /// Whether keys may be used at `now`.
    pub(crate) fn can_serve(&self, now: Duration) -> bool {
        self.shared.shell.in_force().load().as_ref().is_some_and(|in_force| now < in_force.stale_until)
    }

    /// Ends when the first attempt has ended. The error is that of the last attempt, if it failed.
    pub(crate) async fn first_attempt(&self) -> Result<(), Arc<FetchError>> {
        loop {
            let now = self.shared.now();
            if self.shared.shell.look(|refresh, _| refresh.attempted()) {
                return self.last_error().map_or(Ok(()), Err);
            }
            let Some(attempt) = self.shared.shell.begin(now) else {
                return Err(Arc::new(FetchErrorKind::Aborted.into()));
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
        if let Some(attempt) = self.shared.shell.join() {
            self.patiently(attempt).await;
        }
        let attempt = loop {
            match self.shared.shell.begin_emergency(self.shared.now()) {
                Emergency::Begun(attempt) => break attempt,
                Emergency::After(usual) => self.patiently(usual).await,
                Emergency::Closed => return Err(Arc::new(FetchErrorKind::Aborted.into())),
            }
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

    /// Whether the issuer did not answer when it was last asked, or is not asked any more.
    pub(crate) fn is_failing(&self) -> bool {
        self.shared.shell.is_failing()
    }

    /// Why the last attempt failed, if it did.
    pub(crate) fn last_error(&self) -> Option<Arc<FetchError>> {
        self.shared.shell.look(|_, notes| notes.last_error())
    }

    /// How the keys are.
    pub(crate) fn status(&self, now: Duration) -> Status {
        self.shared.shell.look(|refresh, notes| Status {
            adopted_at: refresh.adopted_at(),
            fresh: now < refresh.fresh_until(),
            serving: now < refresh.stale_until(),
            fetching: refresh.in_flight().is_some(),
            failures: refresh.failures(),
            next_attempt: refresh.due(),
            usable: notes.usable(),
            skipped: notes.skipped().to_vec(),
            last_error: notes.last_error(),
            skew: notes.skew(),
        })
    }

    /// Tells the driver to stop.
    pub(crate) fn close(&self) {
        self.shared.shell.close();
    }

    /// Ends when the driver has, which [`close`](Self::close) told to.
    pub(crate) async fn closed(&self) {
        let mut ended = pin!(self.shared.ended.notified());
        ended.as_mut().enable();
        if self.shared.shell.is_driven() {
            ended.await;
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.shared.shell.close();
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("source", &self.shared.fetcher.source).finish_non_exhaustive()
    }
}

impl Shared {
    /// Asks the clock, which is foreign code: never under the lock.
    fn now(&self) -> Duration {
        self.fetcher.source.clock.monotonic()
    }

    /// Lets the driver know of a wait, or of an outage that it may end.
    fn told(self: &Arc<Self>, wanted: Wanted) -> Wanted {
        if !matches!(wanted, Wanted::Final | Wanted::JudgeAgain) {
            self.drive_on();
        }
        wanted
    }

    /// Makes the driver look at the state; without a runtime, a flight that nobody can carry out fails.
    fn drive_on(self: &Arc<Self>) {
        if let Err(error) = self.ensure_driver() {
            let event = self.shell.give_up(self.now(), fastrand::f64(), |notes| notes.failed(error));
            self.log(event);
        }
        self.shell.signal();
    }

    /// Sees to it that a driver lives, and that it is not one whose runtime stands still.
    fn ensure_driver(self: &Arc<Self>) -> Result<(), FetchError> {
        let epoch = match self.shell.charge(self.now(), Handle::try_current().is_ok()) {
            Charge::Begin(epoch) => epoch,
            Charge::Taken => return Ok(()),
            Charge::Closed => return Err(FetchErrorKind::Aborted.into()),
            Charge::Nobody => return Err(FetchErrorKind::NoRuntime.into()),
        };
        let driver = Driver { shared: Arc::clone(self), epoch };
        // Outside the lock: a runtime that shuts down drops the driver at once, which takes the lock.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(driver.run())),
            Err(_) => drop(driver),
        }
        Ok(())
    }

    fn finish(&self, sequence: Sequence, result: Result<Fetched, FetchError>) {
        let (now, jitter) = (self.now(), fastrand::f64());
        let event = match result {
            Ok(Fetched { set, lifetime, skew, .. }) => {
                let inventory = Inventory::of(&set, skew);
                let outcome = Outcome::Keys { keys: set, lifetime };
                self.shell.finish(now, jitter, sequence, outcome, |notes| notes.adopted(inventory))
            }
            Err(error) => {
                let outcome = Outcome::Failed { hung: error.kind() == FetchErrorKind::Timeout };
                self.shell.finish(now, jitter, sequence, outcome, |notes| notes.failed(error))
            }
        };
        self.log(event);
    }

    /// Last: a subscriber may do anything, and must find nothing half done.
    fn log(&self, event: Option<Event>) {
        if let Some(event) = event {
            event.tell(&self.fetcher.source.issuer, &self.fetcher.source.feed);
        }
    }
}

/// How often a wait without deadline sees to it that its driver lives.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[cfg(all(test, feature = "testing"))]
mod tests;
