//! Are the issuers' keys there, and how does it end?

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    fetch::FetchError,
    server::{ResourceServer, means::Means},
};

impl ResourceServer {
    /// Ends when the keys of every issuer were asked for once, and every introspection endpoint about an invented token: it
    /// must call that inactive, which proves our credentials. Service can begin before; until then, tokens wait.
    ///
    /// # Errors
    ///
    /// The issuers whose first attempt failed, or whose endpoint did not answer as it should. The server goes on trying; a
    /// start-up that insists uses [`ready_all`](Self::ready_all).
    pub async fn ready(&self) -> Result<(), NotReady> {
        let entries = self.inner.entries.load_full();
        let mut failed = Vec::new();
        for entry in entries.iter() {
            let keys = match &entry.means {
                Means::Remote(remote) => remote.first_attempt().await,
                Means::Fixed(_) | Means::None => Ok(()),
            };
            let all = match (keys, &entry.asked) {
                (Ok(()), Some(asked)) => asked.introspection.probe().await.map_err(Arc::new),
                (keys, _) => keys,
            };
            if let Err(error) = all {
                failed.push(FailedIssuer { issuer: entry.id().to_string(), error: Some(error) });
            }
        }
        NotReady::unless_empty(failed)
    }

    /// Ends when the keys of every issuer are there and every introspection endpoint has answered as in
    /// [`ready`](Self::ready), or when `timeout` has passed.
    ///
    /// # Errors
    ///
    /// The issuers of which that is not so after `timeout`.
    pub async fn ready_all(&self, timeout: Duration) -> Result<(), NotReady> {
        let entries = self.inner.entries.load_full();
        let unanswered = Mutex::new(HashMap::new());
        let note = |id: &str, error: Option<FetchError>| {
            let mut unanswered = unanswered.lock().unwrap_or_else(PoisonError::into_inner);
            match error {
                Some(error) => drop(unanswered.insert(id.to_owned(), Some(Arc::new(error)))),
                None => drop(unanswered.remove(id)),
            }
        };
        for entry in entries.iter().filter(|entry| entry.asked.is_some()) {
            let mut unanswered = unanswered.lock().unwrap_or_else(PoisonError::into_inner);
            unanswered.insert(entry.id().to_string(), None);
        }
        let all = async {
            for entry in entries.iter() {
                if let Means::Remote(remote) = &entry.means {
                    remote.served().await;
                }
                let Some(asked) = &entry.asked else { continue };
                while let Err(error) = asked.introspection.probe().await {
                    note(entry.id().as_str(), Some(error));
                    tokio::time::sleep(PROBE_AGAIN).await;
                }
                note(entry.id().as_str(), None);
            }
        };
        if tokio::time::timeout(timeout, all).await.is_ok() {
            return Ok(());
        }
        let now = self.inner.shared.clock.monotonic();
        let unanswered = unanswered.into_inner().unwrap_or_else(PoisonError::into_inner);
        let failed = entries.iter().filter_map(|entry| {
            let issuer = entry.id().to_string();
            match &entry.means {
                Means::Remote(remote) if !remote.can_serve(now) => {
                    Some(FailedIssuer { issuer, error: remote.last_error() })
                }
                Means::Fixed(_) | Means::None | Means::Remote(_) => {
                    let error = unanswered.get(&issuer)?.clone();
                    Some(FailedIssuer { issuer, error })
                }
            }
        });
        NotReady::unless_empty(failed.collect())
    }

    /// Fetches the keys of every issuer now, outside the budget of fetches that tokens may cause: after a key was
    /// withdrawn in an emergency. A key that is no longer published is refused from then on.
    ///
    /// # Errors
    ///
    /// The issuers that could not be asked; their old keys stay in force.
    pub async fn refresh_now(&self) -> Result<(), NotReady> {
        let entries = self.inner.entries.load_full();
        let mut failed = Vec::new();
        for entry in entries.iter() {
            if let Means::Remote(remote) = &entry.means
                && let Err(error) = remote.refresh_now().await
            {
                failed.push(FailedIssuer { issuer: entry.id().to_string(), error: Some(error) });
            }
        }
        NotReady::unless_empty(failed)
    }

    /// Stops the tasks that keep the keys fresh, and waits for their end, at most 5 s: one whose runtime stands still ends
    /// when that is dropped. Held keys go on to serve until they are stale.
    pub async fn shutdown(&self) {
        let entries = self.inner.entries.load_full();
        let remotes = || {
            entries.iter().filter_map(|entry| match &entry.means {
                Means::Remote(remote) => Some(remote),
                Means::Fixed(_) | Means::None => None,
            })
        };
        remotes().for_each(|remote| remote.close());
        let all = async {
            for remote in remotes() {
                remote.closed().await;
            }
        };
        let _ended_or_still = tokio::time::timeout(SHUTDOWN_TIMEOUT, all).await;
    }
}

/// Some issuers' keys are not there.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} cannot be asked yet", self.list())]
pub struct NotReady {
    failed: Vec<FailedIssuer>,
}

impl NotReady {
    fn unless_empty(failed: Vec<FailedIssuer>) -> Result<(), Self> {
        if failed.is_empty() { Ok(()) } else { Err(Self { failed }) }
    }

    /// The issuers, with the last error of each.
    pub fn failed(&self) -> &[FailedIssuer] {
        &self.failed
    }

    fn list(&self) -> String {
        self.failed.iter().map(|failed| failed.issuer.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// An issuer whose keys are not there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FailedIssuer {
    /// Its identifier.
    pub issuer: String,
    /// Why its last attempt failed; `None` while the first one runs.
    pub error: Option<Arc<FetchError>>,
}

/// An idle driver ends within microseconds, one that fetches likewise.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two questions to an endpoint that a start-up waits for.
const PROBE_AGAIN: Duration = Duration::from_secs(1);
