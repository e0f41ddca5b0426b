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
use http::{HeaderMap, StatusCode, header::CACHE_CONTROL, uri::InvalidUri};
use tokio::{runtime::Handle, sync::Notify};
use tracing::{debug, warn};
use url::Url;

use crate::{
    clock::Clock,
    fetch::{
        ATTEMPT_TIMEOUT, Fetch, FetchError, FetchErrorKind, FetchRequest, FetchResponse, MAX_JWKS_BYTES,
        MAX_METADATA_BYTES,
    },
    keys::{
        algorithm::AlgorithmSet,
        discovery::{UrlPolicy, jwks_uri, metadata_urls},
        gate::{GATE, LEASE, Turn},
        jwk::SkipReason,
        refresh::{Cause, Demand, Drive, Limits, Refresh, Sequence},
        set::{KeySet, Skipped},
    },
};

/// Requests that wait for one issuer at a time, for each of the two reasons.
pub(crate) const MAX_WAITING: usize = 1024;

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    /// In the document that the issuer's metadata names.
    Discover(Url),
    /// Here.
    Jwks(Url),
}

/// What a driver needs to know.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) issuer: Arc<str>,
    pub(crate) location: Location,
    pub(crate) urls: UrlPolicy,
    pub(crate) algorithms: AlgorithmSet,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) clock: Arc<dyn Clock>,
}

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
    source: Source,
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
    discovered: Option<Discovered>,
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
    /// Whether a request waits for an issuer that may well answer.
    fn is_demanded(&self) -> bool {
        self.demanded && !self.refresh.is_failing()
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

struct Discovered {
    jwks_uri: Url,
    at: Duration,
}

impl Remote {
    /// Starts the first fetch if there is a runtime to start it on; else the first request does.
    pub(crate) fn new(source: Source) -> Self {
        let now = source.clock.monotonic();
        let state = State {
            refresh: Refresh::new(Limits::default(), now),
            waiters: HashMap::new(),
            last_waiter: 0,
            waiting: Waiting::default(),
            discovered: None,
            last_error: None,
            skipped: Vec::new(),
            epoch: 0,
            signals: Arc::default(),
            demanded: false,
            closed: false,
        };
        let shared = Arc::new(Shared {
            source,
            state: Mutex::new(state),
            in_force: ArcSwapOption::empty(),
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
            let attempt = {
                let mut state = self.shared.lock();
                if state.refresh.attempted() || state.closed {
                    return state.last_error.clone().map_or(Ok(()), Err);
                }
                let now = self.shared.now();
                let sequence = state.refresh.begin(now, Cause::Schedule);
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
        let attempt = {
            let mut state = self.shared.lock();
            if state.closed {
                return Err(Arc::new(FetchErrorKind::Aborted.into()));
            }
            let now = self.shared.now();
            let sequence = state.refresh.begin(now, Cause::Schedule);
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
                Wanted::Outage { retry_after } => tokio::time::sleep(retry_after).await,
                Wanted::Final | Wanted::JudgeAgain | Wanted::TooMany => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Why the last attempt failed, if it did.
    pub(crate) fn last_error(&self) -> Option<Arc<FetchError>> {
        self.shared.lock().last_error.clone()
    }

    /// Stops the driver and waits for its end.
    pub(crate) async fn shutdown(&self) {
        self.shared.close();
        let mut ended = pin!(self.shared.ended.notified());
        ended.as_mut().enable();
        if self.shared.driven.load(Ordering::Acquire) {
            // A driver whose runtime stands still ends when that is dropped.
            let _ended_or_still = tokio::time::timeout(ATTEMPT_TIMEOUT, ended).await;
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
        f.debug_struct("Remote").field("source", &self.shared.source).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.source.clock.monotonic()
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
            if *state.waiting.count(need) >= MAX_WAITING {
                return Wanted::TooMany;
            }
            match ask(&mut state.refresh, now) {
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
        let (guard, abandoned, before) = {
            let mut state = self.lock();
            let now = self.now();
            let stuck = self.driven.load(Ordering::Relaxed) && state.refresh.is_overdue(now);
            if state.closed || (self.driven.load(Ordering::Relaxed) && !stuck) {
                return Ok(());
            }
            if Handle::try_current().is_err() {
                return if stuck { Ok(()) } else { Err(FetchErrorKind::NoRuntime.into()) };
            }
            let abandoned = if stuck { state.refresh.in_flight() } else { None };
            state.epoch = state.epoch.wrapping_add(1);
            let signals = Arc::new(Signals::default());
            let before = std::mem::replace(&mut state.signals, Arc::clone(&signals));
            self.driven.store(true, Ordering::Release);
            (Driver { shared: Arc::clone(self), epoch: state.epoch, signals }, abandoned, before)
        };
        // The one before, should it ever run again, sees that it is no longer in charge.
        before.send();
        if let Some(sequence) = abandoned {
            self.finish(sequence, Err(FetchErrorKind::Aborted.into()));
        }
        // Outside the lock: a runtime that shuts down drops the driver at once, which takes the lock.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(guard.run())),
            Err(_) => drop(guard),
        }
        Ok(())
    }

    fn finish(&self, sequence: Sequence, result: Result<Fetched, FetchError>) {
        let mut state = self.lock();
        let (waiters, event) = self.conclude(&mut state, sequence, result);
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
        // Last: a subscriber may do anything, and must find nothing half done.
        if let Some(event) = event {
            self.log(&event);
        }
    }

    /// Takes the outcome of a fetch into the state. Whoever calls wakes the waiters, outside the lock.
    fn conclude(
        &self,
        state: &mut State,
        sequence: Sequence,
        result: Result<Fetched, FetchError>,
    ) -> (Vec<Waker>, Option<Event>) {
        let now = self.now();
        if state.refresh.in_flight() != Some(sequence) {
            return (Vec::new(), None);
        }
        let event = match result {
            Ok(Fetched { set, lifetime }) => {
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

    fn log(&self, event: &Event) {
        let issuer = &*self.source.issuer;
        match event {
            Event::Adopted { usable, recovered, skipped } => {
                if *recovered {
                    warn!(issuer, "keys are refreshed again");
                }
                if let Some(skipped) = skipped {
                    self.report(skipped);
                }
                debug!(issuer, usable, "keys adopted");
            }
            Event::Failed { error, first: true } => {
                warn!(issuer, error = %Chain(error), "keys cannot be refreshed");
            }
            Event::Failed { error, first: false } => {
                debug!(issuer, error = %Chain(error), "keys cannot be refreshed");
            }
        }
    }

    /// Keys that are not used are their owner's business, unless they give a secret away.
    fn report(&self, skipped: &[Skipped]) {
        for jwk in skipped {
            let (issuer, index, reason) = (&*self.source.issuer, jwk.index, jwk.reason);
            match reason {
                SkipReason::Private | SkipReason::Symmetric => {
                    warn!(issuer, index, %reason, "the issuer publishes a secret: tell its operator");
                }
                _ => debug!(issuer, index, %reason, "a key is not used"),
            }
        }
    }

    /// One attempt, with one quick retry, within one deadline.
    async fn attempt_fetch(&self) -> Result<Fetched, FetchError> {
        let both = async {
            match self.fetch_keys().await {
                Err(error) if is_passing(&error) => {
                    tokio::time::sleep(QUICK_RETRY).await;
                    self.fetch_keys().await
                }
                result => result,
            }
        };
        tokio::time::timeout(ATTEMPT_TIMEOUT, both)
            .await
            .unwrap_or_else(|_| Err(FetchErrorKind::Timeout.into()))
    }

    async fn fetch_keys(&self) -> Result<Fetched, FetchError> {
        let url = match &self.source.location {
            Location::Jwks(url) => url.clone(),
            Location::Discover(issuer) => self.discover(issuer).await?,
        };
        let response = self.get(url, "application/jwk-set+json, application/json", MAX_JWKS_BYTES).await;
        if let Err(error) = &response
            && matches!(error.kind(), FetchErrorKind::Status(StatusCode::NOT_FOUND | StatusCode::GONE))
        {
            self.lock().discovered = None;
        }
        let response = response?;
        let set = KeySet::parse(&response.body, &self.source.algorithms)
            .map_err(|error| FetchError::new(FetchErrorKind::InvalidDocument, error))?;
        if set.is_empty() {
            let reasons: Vec<_> = set.skipped().iter().map(|jwk| jwk.reason.to_string()).collect();
            return Err(FetchError::new(FetchErrorKind::NoUsableKey, reasons.join("; ")));
        }
        Ok(Fetched { set, lifetime: lifetime(&response.headers) })
    }

    /// The URL of the keys, from memory or from the issuer's metadata.
    async fn discover(&self, issuer: &Url) -> Result<Url, FetchError> {
        let now = self.now();
        let known =
            self.lock().discovered.as_ref().map(|discovered| (discovered.jwks_uri.clone(), discovered.at));
        if let Some((jwks_uri, at)) = &known
            && now.saturating_sub(*at) < REDISCOVER
        {
            return Ok(jwks_uri.clone());
        }
        let metadata = async {
            let look = self.look_for_metadata(issuer);
            // A place that is known must not be missed because its metadata hangs.
            let limit = if known.is_some() { LOOK_ELSEWHERE } else { ATTEMPT_TIMEOUT };
            tokio::time::timeout(limit, look).await.unwrap_or_else(|_| Err(FetchErrorKind::Timeout.into()))
        };
        let error = match metadata.await {
            Ok(jwks_uri) => {
                self.lock().discovered = Some(Discovered { jwks_uri: jwks_uri.clone(), at: now });
                return Ok(jwks_uri);
            }
            Err(error) => error,
        };
        match known {
            // Metadata that cannot be read says nothing against the place that it named before; the next refresh looks again.
            Some((jwks_uri, _)) if error.kind() != FetchErrorKind::IssuerDiffers => Ok(jwks_uri),
            _ => Err(error),
        }
    }

    async fn look_for_metadata(&self, issuer: &Url) -> Result<Url, FetchError> {
        let mut failure: Option<FetchError> = None;
        for place in metadata_urls(issuer) {
            let document = match self.get(place, "application/json", MAX_METADATA_BYTES).await {
                Ok(response) => jwks_uri(&response.body, &self.source.issuer, self.source.urls),
                Err(error) if error.kind() == FetchErrorKind::Timeout => return Err(error),
                // A missing page tells less than what another place said about its document.
                Err(error) => {
                    failure.get_or_insert(error);
                    continue;
                }
            };
            match document {
                Ok(jwks_uri) => return Ok(jwks_uri),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| FetchErrorKind::InvalidDocument.into()))
    }

    async fn get(
        &self,
        url: Url,
        accept: &'static str,
        max_bytes: usize,
    ) -> Result<FetchResponse, FetchError> {
        let url = url
            .as_str()
            .parse()
            .map_err(|error: InvalidUri| FetchError::new(FetchErrorKind::UnusableUrl, error))?;
        let response = self.source.fetch.fetch(FetchRequest { url, accept, max_bytes }).await?;
        if response.status != StatusCode::OK {
            return Err(FetchErrorKind::Status(response.status).into());
        }
        if response.body.len() > max_bytes {
            return Err(FetchErrorKind::TooLarge.into());
        }
        Ok(response)
    }
}

/// What is worth a log line.
enum Event {
    Adopted {
        usable: usize,
        recovered: bool,
        /// Where it changed.
        skipped: Option<Vec<Skipped>>,
    },
    Failed {
        error: Arc<FetchError>,
        first: bool,
    },
}

struct Fetched {
    set: KeySet,
    lifetime: Option<Duration>,
}

/// The task that keeps one issuer's keys. Its end, however it comes, ends the flight as failed and wakes every waiter.
struct Driver {
    shared: Arc<Shared>,
    epoch: u64,
    signals: Arc<Signals>,
}

impl Driver {
    async fn run(self) {
        while let Some(step) = self.step() {
            match step {
                Drive::Fetch(sequence) => {
                    let Some(result) = self.unless_closed(self.fetch(sequence)).await else { return };
                    self.shared.finish(sequence, result);
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
            tokio::select! {
                biased;
                permit = GATE.enter(Turn::Scheduled) => permit,
                () = self.demanded() => GATE.enter(Turn::Demanded).await,
            }
        };
        let mut permit = pin!(permit);
        let _permit = loop {
            match tokio::time::timeout(LEASE, &mut permit).await {
                Ok(permit) => break permit,
                Err(_) => self.shared.lock().refresh.queued(self.shared.now(), sequence),
            }
        };
        self.shared.lock().refresh.departed(self.shared.now(), sequence);
        self.shared.attempt_fetch().await
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
        let mut state = self.shared.lock();
        if state.epoch != self.epoch {
            return;
        }
        // In one step: a successor must not find the flight of a dead driver.
        let (waiters, event) = match state.refresh.in_flight() {
            Some(sequence) => self.shared.conclude(&mut state, sequence, Err(FetchErrorKind::Aborted.into())),
            None => (Vec::new(), None),
        };
        self.shared.driven.store(false, Ordering::Release);
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
        self.shared.ended.notify_waiters();
        if let Some(event) = event {
            self.shared.log(&event);
        }
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

/// No whole answer came.
fn is_transport(error: &FetchError) -> bool {
    matches!(error.kind(), FetchErrorKind::Body | FetchErrorKind::Connect | FetchErrorKind::Timeout)
}

/// Faults that may be gone a moment later; a missing document has perhaps moved, and is looked for anew.
fn is_passing(error: &FetchError) -> bool {
    match error.kind() {
        FetchErrorKind::Status(status) => {
            status.is_server_error() || matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE)
        }
        _ => is_transport(error),
    }
}

/// The lifetime that the server names: `max-age`, or none at all with `no-store` and `no-cache` (RFC 9111 §5.2.2).
fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let mut lifetime = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',').map(str::trim) {
            if directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if let Some((name, age)) = directive.split_once('=')
                && name.trim().eq_ignore_ascii_case("max-age")
            {
                let digits = age.trim().trim_matches('"');
                let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                // RFC 9111 §1.2.2: an overflow counts as the largest value.
                lifetime =
                    is_number.then(|| Duration::from_secs(digits.parse().unwrap_or(u64::from(u32::MAX))));
            }
        }
    }
    lifetime
}

/// Prints an error with its causes.
struct Chain<'e>(&'e FetchError);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Between an attempt and its quick retry.
const QUICK_RETRY: Duration = Duration::from_millis(100);

/// Of the time of one attempt, what metadata may take where a place is known already.
const LOOK_ELSEWHERE: Duration = Duration::from_secs(2);

/// An issuer that moves its keys says so within half a day.
const REDISCOVER: Duration = Duration::from_secs(12 * 60 * 60);

/// How often a wait without deadline sees to it that its driver lives.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
