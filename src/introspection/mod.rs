//! What does the issuer say about this token? Known already, being asked, or to be asked now (RFC 7662).

pub(crate) mod assertion;
pub(crate) mod auth;
mod breaker;
mod cache;
pub(crate) mod endpoint;
mod flights;
mod inquiry;
pub(crate) mod introspector;
pub(crate) mod response;
pub(crate) mod secret;
pub(crate) mod testimony;
pub(crate) mod userinfo;

use std::{fmt, sync::Arc, time::Duration};

use secrecy::SecretBox;
use tokio::{runtime::Handle, sync::watch, time::Instant};

pub(crate) use self::{inquiry::Status, testimony::Subject};
use crate::{
    clock::Clock,
    error::AuthErrorKind::ClockUnavailable,
    fetch::{Fetch, FetchError, FetchErrorKind},
    introspection::{
        cache::Word,
        flights::{Boarding, Landing},
        inquiry::Inquiry,
        introspector::Introspector,
    },
    policy::ClaimPolicy,
    token::digest::TokenDigest,
    validate::Verdict,
};

/// A request waits for the answer, so this is shorter than for keys.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// One question in all, its retry included.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a request waits at most: its turn, the question, and what a busy machine adds.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A question that was given up, by its runtime or because its issuer is gone, is asked anew so often.
const ASKED_AT_MOST: usize = 3;

/// One issuer that is asked about tokens. Its questions end when it is dropped.
pub(crate) struct Introspection {
    inquiry: Arc<Inquiry>,
    /// Nothing is ever sent; that it is dropped is what tells.
    alive: watch::Sender<()>,
}

/// What one issuer is asked by, and how its answers are kept.
pub(crate) struct Settings {
    pub(crate) introspector: Arc<dyn Introspector>,
    pub(crate) policy: ClaimPolicy,
    pub(crate) fetch: Arc<dyn Fetch>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cache_time: Duration,
    pub(crate) cache_entries: u64,
}

impl Introspection {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { inquiry: Arc::new(Inquiry::new(settings)), alive: watch::Sender::new(()) }
    }

    /// The verdict, where it is known what the issuer says. Never waits.
    pub(crate) fn known(&self, token: &[u8], subject: Subject) -> Option<Verdict> {
        self.inquiry.known(&TokenDigest::of(token), subject)
    }

    /// The verdict, by asking where it is not known.
    pub(crate) async fn ask(&self, token: &[u8], subject: Subject) -> Verdict {
        if !self.inquiry.wall().is_readable() {
            return Err(ClockUnavailable.into());
        }
        if Handle::try_current().is_err() {
            return Err(self.inquiry.unavailable(FetchErrorKind::NoRuntime));
        }
        let digest = TokenDigest::of(token);
        let deadline = Instant::now().checked_add(LONGEST_WAIT).unwrap_or_else(Instant::now);
        for _ in 0..ASKED_AT_MOST {
            let waiting = match self.inquiry.board(digest)? {
                Boarding::Known(word) => return self.verdict(word, subject),
                Boarding::Joined(waiting) => waiting,
                Boarding::First(waiting, landing) => {
                    self.set_out(token, subject, landing);
                    waiting
                }
                Boarding::Full => return Err(self.inquiry.busy()),
            };
            match tokio::time::timeout_at(deadline, waiting.answer()).await {
                Ok(Some(word)) => return self.verdict(word, subject),
                // Given up: whoever is still there asks anew.
                Ok(None) => (),
                Err(_) => return Err(self.inquiry.unavailable(FetchErrorKind::Timeout)),
            }
        }
        Err(self.inquiry.unavailable(FetchErrorKind::Aborted))
    }

    /// Whether the issuer answers a question about a token that nobody has: endpoint and credentials are good then.
    pub(crate) async fn probe(&self) -> Result<(), FetchError> {
        self.inquiry.probe().await
    }

    /// How the questions go.
    pub(crate) fn status(&self) -> Status {
        self.inquiry.status()
    }

    /// What was said so far, to be forgotten.
    pub(crate) fn memory(&self) -> &Inquiry {
        &self.inquiry
    }

    fn verdict(&self, word: Word, subject: Subject) -> Verdict {
        // The shape of a token and its issuer's entry say what kind of token it is, and they do not change.
        self.inquiry
            .judge(word, subject)
            .unwrap_or_else(|| Err(self.inquiry.unavailable(FetchErrorKind::Aborted)))
    }

    /// Asks in a task of its own, so that no request that leaves takes the answer along.
    fn set_out(&self, token: &[u8], subject: Subject, landing: Landing) {
        let token = Arc::new(SecretBox::new(token.into()));
        let (inquiry, mut alive) = (Arc::clone(&self.inquiry), self.alive.subscribe());
        drop(tokio::spawn(async move {
            tokio::select! {
                biased;
                () = inquiry.ask(token, subject, landing) => (),
                // An error: the issuer's entry is gone.
                _gone = alive.changed() => (),
            }
        }));
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection").finish_non_exhaustive()
    }
}
