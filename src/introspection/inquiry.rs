//! How is an issuer asked: how often, by whose leave, and what is kept of its answers?

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use secrecy::SecretBox;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::{error, info, warn};

use crate::{
    clock::{Clock, UnixTime},
    error::{
        AuthError,
        AuthErrorKind::{
            self, Inactive, IntrospectionBusy, IntrospectionCredentialsRefused, IntrospectionMalformed,
            IntrospectionTokenRefused, IntrospectionUnavailable, WrongAudience,
        },
    },
    fetch::{Fetch, FetchError, FetchErrorKind},
    introspection::{
        CALL_TIMEOUT, Settings,
        breaker::{After, Breaker, Change, Outcome, Stop, Stopped, Ticket},
        cache::{Asked, Cache, Word},
        flights::{Boarding, Flights, Landing},
        introspector::{Introspected, Introspector, Question},
        testimony::{Rules, Subject, Testimony},
    },
    token::digest::TokenDigest,
    validate::Verdict,
};

/// What an authorization server bears from one process, and what keeps our own sockets few.
const AT_ONCE: usize = 64;

/// Who has waited this long for a turn would wait in vain.
const LONGEST_QUEUE: Duration = Duration::from_secs(1);

/// The questions to one issuer, and what came of them.
pub(crate) struct Inquiry {
    introspector: Arc<dyn Introspector>,
    issuer: Arc<str>,
    rules: Rules,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    places: Semaphore,
    breaker: Mutex<Breaker>,
    flights: Arc<Flights>,
    cache: Cache,
    tally: Tally,
}

/// For `health()`.
#[derive(Default)]
struct Tally {
    calls: AtomicU64,
    /// In a row.
    failures: AtomicU32,
    last_error: Mutex<Option<FetchErrorKind>>,
}

/// How the questions go, at one moment.
pub(crate) struct Status {
    /// Why none is asked at the moment, and for how long.
    pub(crate) stopped: Option<(AuthErrorKind, Duration)>,
    pub(crate) calls: u64,
    pub(crate) failures: u32,
    pub(crate) last_error: Option<FetchErrorKind>,
    pub(crate) kept: u64,
}

impl Inquiry {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            issuer: settings.policy.issuer.as_str().into(),
            introspector: settings.introspector,
            rules: Rules::new(settings.policy),
            fetch: settings.fetch,
            clock: settings.clock,
            places: Semaphore::new(AT_ONCE),
            breaker: Mutex::default(),
            flights: Arc::default(),
            cache: Cache::new(settings.cache_time, settings.cache_entries),
            tally: Tally::default(),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wall(&self) -> UnixTime {
        self.clock.wall()
    }

    /// The verdict by what is kept of a token. Never waits.
    pub(super) fn known(&self, token: &TokenDigest, subject: Subject) -> Option<Verdict> {
        let now = self.moment();
        self.meaning(self.cache.get(token, now)?, subject, now.wall)
    }

    /// What a word means at this moment; `None` where it was said of another kind of token.
    pub(super) fn judge(&self, word: Word, subject: Subject) -> Option<Verdict> {
        self.meaning(word, subject, self.wall())
    }

    fn meaning(&self, word: Word, subject: Subject, now: UnixTime) -> Option<Verdict> {
        match word {
            Word::Good(held) => held.verdict(&self.rules, subject, now),
            Word::Refused(error) => Some(Err(error)),
        }
    }

    /// What to do about a token that is not known. The error is for an issuer that is not asked at the moment: nobody queues
    /// for it.
    pub(super) fn board(&self, token: TokenDigest) -> Result<Boarding, AuthError> {
        let now = self.moment();
        let stopped = self.breaker().stopped(now.monotonic);
        if let Some(stopped) = stopped {
            return match self.cache.get(&token, now) {
                Some(word) => Ok(Boarding::Known(word)),
                None => Err(self.stopped(stopped)),
            };
        }
        Ok(self.flights.board(token, now.monotonic, || self.cache.get(&token, now)))
    }

    /// Asks about a token when its turn has come, and tells all who wait. Then, where that is called for, asks about one of
    /// our own.
    pub(super) async fn ask(&self, token: Arc<SecretBox<[u8]>>, subject: Subject, landing: Landing) {
        let Some(_place) = self.place().await else {
            landing.land(Word::Refused(self.busy()), || ());
            return;
        };
        let call = match self.admit() {
            Ok(call) => call,
            Err(stopped) => {
                landing.land(Word::Refused(self.stopped(stopped)), || ());
                return;
            }
        };
        let asked = self.moment();
        let said = read(self.question(token).await);
        let control = call.ended(outcome(&said));
        self.land(said, subject, asked, landing);
        if let Some(control) = control {
            let said = read(self.question(invented_token()).await);
            drop(control.ended(outcome(&said)));
        }
    }

    /// Whether a question about a token of our own is answered as it should be.
    pub(super) async fn probe(&self) -> Result<(), FetchError> {
        let place = self.place().await;
        if place.is_none() {
            return Err(FetchErrorKind::Timeout.into());
        }
        match self.question(invented_token()).await {
            Introspected::Inactive | Introspected::NotForUs => Ok(()),
            Introspected::Active(_) => Err(FetchError::new(
                FetchErrorKind::InvalidDocument,
                "it calls a token good that nobody has: check the URL of the introspection endpoint",
            )),
            Introspected::CredentialsRefused(error)
            | Introspected::Malformed(error)
            | Introspected::TokenRefused(error)
            | Introspected::Unavailable(error)
            | Introspected::Unexpected(error) => Err(error),
        }
    }

    pub(super) fn status(&self) -> Status {
        let stopped = self.breaker().stopped(self.clock.monotonic());
        Status {
            stopped: stopped.map(|stopped| (reason(stopped.why), stopped.retry_after)),
            calls: self.tally.calls.load(Ordering::Relaxed),
            failures: self.tally.failures.load(Ordering::Relaxed),
            last_error: *self.tally.last_error.lock().unwrap_or_else(PoisonError::into_inner),
            kept: self.cache.len(),
        }
    }

    /// Forgets what was said of a token. An answer on its way is not kept.
    pub(crate) fn forget(&self, token: &[u8]) {
        let token = TokenDigest::of(token);
        self.flights.forget(&token);
        self.cache.forget(&token);
    }

    /// Forgets what was said of a subject's tokens.
    pub(crate) fn forget_subject(&self, subject: &str) {
        // Whose tokens are asked about is not known yet.
        self.flights.forget_all();
        self.cache.forget_subject(subject);
    }

    /// Forgets everything that was said.
    pub(crate) fn clear(&self) {
        self.flights.forget_all();
        self.cache.clear();
    }

    pub(super) fn busy(&self) -> AuthError {
        self.about(IntrospectionBusy.into())
    }

    pub(super) fn unavailable(&self, kind: FetchErrorKind) -> AuthError {
        self.about(IntrospectionUnavailable.because(FetchError::from(kind)))
    }

    fn stopped(&self, stopped: Stopped) -> AuthError {
        self.about(AuthError::from(reason(stopped.why)).retry_in(stopped.retry_after))
    }

    fn about(&self, error: AuthError) -> AuthError {
        error.of_issuer(Arc::clone(&self.issuer))
    }

    fn moment(&self) -> Asked {
        Asked { wall: self.clock.wall(), monotonic: self.clock.monotonic() }
    }

    async fn place(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(place) = self.places.try_acquire() {
            return Some(place);
        }
        tokio::time::timeout(LONGEST_QUEUE, self.places.acquire()).await.ok()?.ok()
    }

    fn admit(&self) -> Result<Call<'_>, Stopped> {
        let ticket = self.breaker().admit(self.clock.monotonic())?;
        Ok(Call { inquiry: self, ticket: Some(ticket), is_control: false })
    }

    /// One question, within its deadline. A connection that never came about is tried once more: nobody has seen the token
    /// then. So is one, by the built-in client itself, that was kept open and turns out to be closed before anything was sent.
    async fn question(&self, token: Arc<SecretBox<[u8]>>) -> Introspected {
        self.tally.calls.fetch_add(1, Ordering::Relaxed);
        let question =
            Question::new(token, Arc::clone(&self.issuer), self.clock.wall(), Arc::clone(&self.fetch));
        let asking = async {
            match self.introspector.introspect(question.clone()).await {
                Introspected::Unavailable(error) if error.kind() == FetchErrorKind::Connect => {
                    self.introspector.introspect(question).await
                }
                said => said,
            }
        };
        let late = |_| Introspected::Unavailable(FetchErrorKind::Timeout.into());
        let said = tokio::time::timeout(CALL_TIMEOUT, asking).await.unwrap_or_else(late);
        self.tally.record(&said);
        said
    }

    /// Keeps what may be kept, and tells those who wait.
    fn land(&self, said: Result<Testimony, Introspected>, subject: Subject, asked: Asked, landing: Landing) {
        let token = landing.token();
        match said
            .map_err(|said| self.refusal(said))
            .and_then(|said| said.judge(&self.rules, subject, self.wall()))
        {
            Ok(held) => landing.land(Word::Good(held.clone()), || self.cache.keep(token, held, asked)),
            Err(error) => {
                landing.land(Word::Refused(error.clone()), || self.cache.refuse(token, error, asked));
            }
        }
    }

    fn refusal(&self, said: Introspected) -> AuthError {
        match said {
            Introspected::Inactive => Inactive.into(),
            Introspected::NotForUs => WrongAudience.into(),
            Introspected::TokenRefused(error) => self.about(IntrospectionTokenRefused.because(error)),
            // Of another token the endpoint has just told, by the same credentials.
            Introspected::CredentialsRefused(error)
                if self.breaker().is_vouched_for(self.clock.monotonic()) =>
            {
                self.about(IntrospectionTokenRefused.because(error))
            }
            Introspected::CredentialsRefused(error) => {
                self.about(IntrospectionCredentialsRefused.because(error))
            }
            Introspected::Malformed(error) => self.about(IntrospectionMalformed.because(error)),
            Introspected::Unavailable(error) | Introspected::Unexpected(error) => {
                self.about(IntrospectionUnavailable.because(error))
            }
            // Those who call it have read this one.
            Introspected::Active(_) => self.unavailable(FetchErrorKind::InvalidDocument),
        }
    }

    fn log(&self, change: Change) {
        let issuer = &*self.issuer;
        match change {
            Change::Resumed => info!(issuer, "the introspection endpoint answers again"),
            Change::Stopped(Stop::Credentials(pause)) => error!(
                issuer,
                pause_seconds = pause.as_secs(),
                "the introspection endpoint refuses the credentials of this resource server: check its `ClientAuth`"
            ),
            Change::Stopped(Stop::Faults) => {
                warn!(issuer, "the introspection endpoint fails too often: calls are stopped for a while");
            }
        }
    }
}

impl fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inquiry").field("introspector", &self.introspector).finish_non_exhaustive()
    }
}

impl Tally {
    fn record(&self, said: &Introspected) {
        let (failed, kind) = match said {
            Introspected::Active(_) | Introspected::Inactive | Introspected::NotForUs => (false, None),
            Introspected::TokenRefused(_) => return,
            Introspected::CredentialsRefused(error)
            | Introspected::Malformed(error)
            | Introspected::Unavailable(error)
            | Introspected::Unexpected(error) => (true, Some(error.kind())),
        };
        let more = |failures: u32| Some(if failed { failures.saturating_add(1) } else { 0 });
        let _before = self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = kind;
    }
}

/// A question that runs. One that is given up ends too.
struct Call<'i> {
    inquiry: &'i Inquiry,
    ticket: Option<Ticket>,
    is_control: bool,
}

impl<'i> Call<'i> {
    /// The answer is the leave for a control question, where one is called for.
    fn ended(mut self, outcome: Outcome) -> Option<Self> {
        self.end(outcome)
    }

    fn end(&mut self, outcome: Outcome) -> Option<Self> {
        let (inquiry, ticket) = (self.inquiry, self.ticket.take()?);
        let now = inquiry.clock.monotonic();
        let after = if self.is_control {
            let change = inquiry.breaker().controlled(ticket, outcome, now);
            change.map_or(After::Nothing, After::Changed)
        } else {
            inquiry.breaker().ended(ticket, outcome, now)
        };
        match after {
            After::Changed(change) => {
                inquiry.log(change);
                None
            }
            After::Control(ticket) => Some(Self { inquiry, ticket: Some(ticket), is_control: true }),
            After::Nothing => None,
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let _none_for_one_that_was_given_up = self.end(Outcome::GivenUp);
    }
}

/// The claims that came, if they are claims.
fn read(said: Introspected) -> Result<Testimony, Introspected> {
    let Introspected::Active(claims) = said else { return Err(said) };
    let malformed =
        |why: &'static str| Introspected::Malformed(FetchError::new(FetchErrorKind::InvalidDocument, why));
    Testimony::read(claims).map_err(malformed)
}

/// What an answer says about the endpoint.
fn outcome(said: &Result<Testimony, Introspected>) -> Outcome {
    let Err(said) = said else { return Outcome::Answered };
    match said {
        Introspected::Active(_) | Introspected::Inactive | Introspected::NotForUs => Outcome::Answered,
        Introspected::CredentialsRefused(_) => Outcome::CredentialsRefused,
        Introspected::Malformed(_) => Outcome::Fault,
        Introspected::TokenRefused(_) | Introspected::Unexpected(_) => Outcome::AboutTheToken,
        Introspected::Unavailable(error) => match error.kind() {
            FetchErrorKind::Connect => Outcome::Unconnected,
            // Ours alone: nothing was asked.
            FetchErrorKind::Aborted | FetchErrorKind::Credentials | FetchErrorKind::NoRuntime => {
                Outcome::GivenUp
            }
            _ => Outcome::Fault,
        },
    }
}

fn reason(stop: Stop) -> AuthErrorKind {
    match stop {
        Stop::Credentials(_) => IntrospectionCredentialsRefused,
        Stop::Faults => IntrospectionUnavailable,
    }
}

/// A token that nobody has, and that nobody but us has chosen.
fn invented_token() -> Arc<SecretBox<[u8]>> {
    let token = format!("{:032x}{:032x}", fastrand::u128(..), fastrand::u128(..));
    Arc::new(SecretBox::new(token.into_bytes().into()))
}
