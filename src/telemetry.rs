//! What reaches the log, and how often.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tracing::{debug, error, warn};

use crate::{
    clock::{Clock, SystemClock},
    error::{AuthError, AuthErrorKind, Decision},
};

/// Logs refusals. What is the caller's affair is at `debug`; what only we can mend is at `warn` or `error`, and of each
/// pair of issuer and reason one line in ten seconds, with the number of those left out.
pub(crate) struct RefusalLog {
    clock: Arc<dyn Clock>,
    windows: Mutex<HashMap<Subject, Window>>,
}

/// What a line is about: a trusted issuer, where one is concerned, and the reason.
type Subject = (Option<Arc<str>>, AuthErrorKind);

#[derive(Clone, Copy)]
struct Window {
    since: Duration,
    left_out: u64,
}

impl RefusalLog {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, windows: Mutex::default() }
    }

    pub(crate) fn record(&self, refused: &AuthError) {
        let kind = refused.kind();
        let reason = kind.label();
        let cause = std::error::Error::source(refused).map(|cause| tracing::field::display(Cause(cause)));
        let issuer = refused.issuer();
        match (kind, kind.decision()) {
            (AuthErrorKind::ClaimsMismatch, _) | (_, Decision::Misconfigured) => {
                if let Some(left_out) = self.admit(refused) {
                    error!(reason, issuer, cause, left_out, "refused");
                }
            }
            (_, Decision::Undecidable) => {
                if let Some(left_out) = self.admit(refused) {
                    warn!(reason, issuer, cause, left_out, "refused");
                }
            }
            (_, Decision::Rejected) => debug!(reason, issuer, cause, "refused"),
        }
    }

    /// Whether a line is due, and how many were left out since the last one.
    fn admit(&self, refused: &AuthError) -> Option<u64> {
        let now = self.clock.monotonic();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MAX_WINDOWS {
            windows.retain(|_, window| now.saturating_sub(window.since) < PAUSE);
        }
        let full = windows.len() >= MAX_WINDOWS;
        let key = (refused.issuer().map(Into::into), refused.kind());
        match windows.get_mut(&key) {
            Some(window) if now.saturating_sub(window.since) < PAUSE => {
                window.left_out = window.left_out.saturating_add(1);
                None
            }
            Some(window) => {
                let left_out = window.left_out;
                *window = Window { since: now, left_out: 0 };
                Some(left_out)
            }
            None if !full => {
                windows.insert(key, Window { since: now, left_out: 0 });
                Some(0)
            }
            // So many issuers at once are in trouble that one more line tells nothing.
            None => None,
        }
    }
}

/// What happened, and why as far as we know it ourselves: what lies behind that may hold a text of somebody else's.
struct Cause<'e>(&'e (dyn std::error::Error + 'static));

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(why) => write!(f, "{}: {why}", self.0),
            None => fmt::Display::fmt(self.0, f),
        }
    }
}

impl Default for RefusalLog {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl fmt::Debug for RefusalLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefusalLog").finish_non_exhaustive()
    }
}

/// Between two lines about the same thing.
const PAUSE: Duration = Duration::from_secs(10);

/// Issuers are configured, reasons are a closed set: this bounds the product for ten thousand issuers.
const MAX_WINDOWS: usize = 4096;
