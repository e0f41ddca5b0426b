//! What does the issuer say about this token? The steps, in order (RFC 7662).

pub(crate) mod auth;
mod breaker;
mod gate;
mod request;
mod response;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::runtime::Handle;
use tracing::{error, info, warn};
use url::Url;

use crate::{
    clock::Clock,
    error::{
        AuthError,
        AuthErrorKind::{
            self, ClockUnavailable, Inactive, IntrospectionBusy, IntrospectionCredentialsRefused,
            IntrospectionMalformed, IntrospectionTokenRefused, IntrospectionUnavailable, InvalidClaim,
            WrongType,
        },
    },
    fetch::{Fetch, FetchErrorKind, FetchResponse},
    introspection::{
        auth::ClientAuth,
        breaker::{Breaker, Change, Outcome, Stop, Stopped, Ticket},
        gate::Gate,
        request::Endpoint,
        response::Answer,
    },
    policy::{ClaimPolicy, check_binding},
    token::claims::{Core, RegisteredClaims},
    validate::Verdict,
};

/// A request waits for the answer, so this is shorter than for keys.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// One call in all, its retry included.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// One issuer that is asked about each of its tokens.
pub(crate) struct Introspection {
    endpoint: Endpoint,
    policy: ClaimPolicy,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    gate: Gate,
    breaker: Mutex<Breaker>,
    /// Whether the log says already which claim its answers lack.
    told_of_lean_answers: AtomicBool,
}

impl Introspection {
    /// The error says what to change.
    pub(crate) fn new(
        url: &Url,
        auth: ClientAuth,
        policy: ClaimPolicy,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, &'static str> {
        Ok(Self {
            endpoint: Endpoint::new(url, auth)?,
            policy,
            fetch,
            clock,
            gate: Gate::new(),
            breaker: Mutex::default(),
            told_of_lean_answers: AtomicBool::new(false),
        })
    }

    /// Asks about a token, and judges the answer by the rules that hold for JWTs too.
    pub(crate) async fn judge(&self, token: &[u8]) -> Verdict {
        if !self.clock.wall().is_readable() {
            return Err(ClockUnavailable.into());
        }
        let answer = self.ask(token).await?;
        let now = self.clock.wall();
        if !now.is_readable() {
            return Err(ClockUnavailable.into());
        }
        let undecided = |kind: AuthErrorKind, error| Err(self.about(kind.because(error)));
        let (claims, is_access_token) = match answer {
            Answer::Active { claims, is_access_token } => (claims, is_access_token),
            Answer::Inactive => return Err(Inactive.into()),
            Answer::CredentialsRefused(error) => return undecided(IntrospectionCredentialsRefused, error),
            Answer::Malformed(error) => return undecided(IntrospectionMalformed, error),
            Answer::TokenRefused(error) => return undecided(IntrospectionTokenRefused, error),
            Answer::Unavailable(error) | Answer::Unexpected(error) => {
                return undecided(IntrospectionUnavailable, error);
            }
        };
        self.check_lean(&claims)?;
        self.policy.check(&claims, now)?;
        if !is_access_token {
            return Err(WrongType.into());
        }
        check_binding(&claims)?;
        Ok(Arc::new(Core::of_issuer(*claims, self.policy.issuer.as_str())))
    }

    /// Whether calls are stopped at the moment, and for how long.
    pub(crate) fn stopped(&self) -> Option<(AuthErrorKind, Duration)> {
        let breaker = self.breaker();
        let kind = |stopped: Stopped| (reason(stopped.why), stopped.retry_after);
        breaker.stopped(self.clock.monotonic()).map(kind)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn about(&self, error: AuthError) -> AuthError {
        error.of_issuer(self.policy.issuer.as_str())
    }

    /// An operator cannot guess from a 401 that the issuer's answers are the cause.
    fn check_lean(&self, claims: &RegisteredClaims) -> Result<(), AuthError> {
        let may_omit = self.policy.may_omit;
        let lacks_audience = claims.aud.is_none() && !may_omit.audience && self.policy.audiences.is_some();
        let missing = if claims.iss.is_none() && !may_omit.issuer {
            Lean { claim: "iss", setting: "Issuer" }
        } else if lacks_audience {
            Lean { claim: "aud", setting: "Audience" }
        } else {
            return Ok(());
        };
        if !self.told_of_lean_answers.swap(true, Ordering::Relaxed) {
            warn!(issuer = %self.policy.issuer, cause = %missing, "tokens are refused");
        }
        Err(self.about(InvalidClaim.because(missing)))
    }

    async fn ask(&self, token: &[u8]) -> Result<Answer, AuthError> {
        if Handle::try_current().is_err() {
            return Err(self.about(IntrospectionUnavailable.because(FetchErrorKind::NoRuntime)));
        }
        let stopped =
            |stopped: Stopped| self.about(AuthError::from(reason(stopped.why)).retry_in(stopped.retry_after));
        // Nobody queues for an endpoint that is not asked.
        if let Some(refused) = self.breaker().stopped(self.clock.monotonic()) {
            return Err(stopped(refused));
        }
        let Some(_place) = self.gate.enter().await else {
            return Err(self.about(IntrospectionBusy.into()));
        };
        let began = self.clock.monotonic();
        let ticket = self.breaker().admit(began).map_err(stopped)?;
        let call = Call { introspection: self, began, ticket: Some(ticket) };
        let answer = match tokio::time::timeout(CALL_TIMEOUT, self.send(token)).await {
            Ok(Ok(response)) => Answer::read(response),
            Ok(Err(error)) => Answer::failed(error),
            Err(_) => Answer::failed(FetchErrorKind::Timeout.into()),
        };
        call.ended(answer.outcome());
        Ok(answer)
    }

    /// A connection that never came about is tried once more: the endpoint has not seen the token. So is one, by the
    /// built-in client itself, that was kept open and turns out to be closed before anything was sent.
    async fn send(&self, token: &[u8]) -> Result<FetchResponse, crate::fetch::FetchError> {
        match self.fetch.fetch(self.endpoint.request(token)).await {
            Err(error) if error.kind() == FetchErrorKind::Connect => {
                self.fetch.fetch(self.endpoint.request(token)).await
            }
            result => result,
        }
    }

    fn log(&self, change: Change) {
        let issuer = &self.policy.issuer;
        match change {
            Change::Resumed => info!(%issuer, "the introspection endpoint answers again"),
            Change::Stopped(Stop::Credentials(pause)) => error!(
                %issuer,
                pause_seconds = pause.as_secs(),
                "the introspection endpoint refuses the credentials of this resource server: check its `ClientAuth`"
            ),
            Change::Stopped(Stop::Faults) => {
                warn!(%issuer, "the introspection endpoint fails too often: calls are stopped for a while");
            }
        }
    }
}

/// A call that runs. One that is given up ends too.
struct Call<'i> {
    introspection: &'i Introspection,
    began: Duration,
    ticket: Option<Ticket>,
}

impl Call<'_> {
    fn ended(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        let Some(ticket) = self.ticket.take() else { return };
        let now = self.introspection.clock.monotonic();
        let change = self.introspection.breaker().ended(ticket, outcome, now);
        if let Some(change) = change {
            self.introspection.log(change);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        // Clients that lose patience before we do must not hide an endpoint that hangs.
        let took = self.introspection.clock.monotonic().saturating_sub(self.began);
        self.end(if took >= PATIENCE { Outcome::Fault } else { Outcome::NoMatter });
    }
}

impl Answer {
    /// What it says about the endpoint.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Active { .. } | Self::Inactive => Outcome::Answered,
            Self::CredentialsRefused(_) => Outcome::CredentialsRefused,
            Self::Malformed(_) | Self::Unavailable(_) => Outcome::Fault,
            Self::TokenRefused(_) | Self::Unexpected(_) => Outcome::NoMatter,
        }
    }
}

fn reason(stop: Stop) -> AuthErrorKind {
    match stop {
        Stop::Credentials(_) => IntrospectionCredentialsRefused,
        Stop::Faults => IntrospectionUnavailable,
    }
}

/// The answer lacks what a JWT would have to carry.
#[derive(Debug, thiserror::Error)]
#[error(
    "the introspection answer has no `{claim}`: have the issuer add it, or allow it to be left out by `.introspection_may_omit([OmittableClaim::{setting}])`"
)]
struct Lean {
    claim: &'static str,
    setting: &'static str,
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Endpoints answer within a fraction of this.
const PATIENCE: Duration = Duration::from_secs(1);
