//! The resource server: who is calling, with what rights, or why not.

pub(crate) mod builder;
pub(crate) mod entries;
mod expectation;
mod expiry;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod issuer;
mod means;
mod metadata;
pub(crate) mod selector;
mod settle;
mod signed;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use http::request::Parts;
use secrecy::SecretString;
use serde::de::DeserializeOwned;

use crate::{
    error::{AuthError, ConfigError},
    fetch::FetchError,
    introspection::Introspection,
    jwt::cache::VerifiedTokens,
    keys::change::KeyChanges,
    middleware::{
        authorize::AuthorizeLayer,
        challenge::Responder,
        layer::BearerAuthLayer,
        refusal::Refusal,
        require::{RequireLayer, Rule},
    },
    server::{
        builder::ResourceServerBuilder,
        entries::{Entries, Entry, Shared},
        health::Health,
        issuer::Issuer,
        means::Means,
    },
    token::{access_token::AccessToken, digest::TokenDigest, presented::Presented, requirement::Requirement},
    validate::{ValidateToken, Validation},
};

/// A resource server: an audience that trusts some issuers. [Getting started](crate::guide::getting_started) begins with an empty folder.
///
/// Cheap to clone; all clones are one server. The tasks that keep the keys fresh end when the last clone, layer and
/// service of it is dropped.
#[derive(Clone)]
pub struct ResourceServer {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    this: settle::This,
    entries: ArcSwap<Entries>,
    shared: Shared,
    responder: Arc<Responder>,
    /// Tokens that keys have verified, if they are remembered.
    verified: Option<VerifiedTokens<Entry>>,
    /// Held while the list of issuers is changed.
    changing: Mutex<()>,
}

impl ResourceServer {
    /// Begins a server with this resource identifier: the value that authorization servers write into `aud` for it, by
    /// preference its https URL (RFC 8707 §2).
    pub fn builder(resource: impl Into<String>) -> ResourceServerBuilder {
        ResourceServerBuilder::new(resource.into())
    }

    /// The layer, with the default [`Claims`](crate::Claims).
    pub fn layer(&self) -> BearerAuthLayer {
        self.layer_for()
    }

    /// The layer, with claims of the type `C`. A token whose claims do not deserialize into `C` gets 401.
    pub fn layer_for<C>(&self) -> BearerAuthLayer<C> {
        let validator: Arc<Inner> = Arc::clone(&self.inner);
        BearerAuthLayer::new(
            validator,
            Arc::clone(&self.inner.responder),
            Arc::clone(&self.inner.shared.clock),
        )
    }

    /// A layer for routes that ask for more than a valid token. It stands behind [`layer`](Self::layer).
    pub fn require(&self, requirement: impl Into<Requirement>) -> RequireLayer {
        RequireLayer::new(self.rule(requirement.into()))
    }

    /// What [`require`](Self::require) asks of a request, asked of a token that this server accepted: for frameworks without tower,
    /// and within handlers. It does not look again whether the token is good, nor **whether it was this server that accepted it**: a token
    /// for another audience has no rights here.
    ///
    /// # Errors
    ///
    /// [`InsufficientScope`](crate::AuthErrorKind::InsufficientScope) and [`PolicyDenied`](crate::AuthErrorKind::PolicyDenied) (403),
    /// [`InsufficientAuthentication`](crate::AuthErrorKind::InsufficientAuthentication) (401), and
    /// [`ClockUnavailable`](crate::AuthErrorKind::ClockUnavailable) (503). The refusal names what was asked for.
    pub fn check<C>(
        &self,
        token: &AccessToken<C>,
        requirement: impl Into<Requirement>,
    ) -> Result<(), Refusal> {
        let checked = self.rule(requirement.into()).check_token(token.core());
        checked.inspect_err(|refusal| self.inner.responder.log.record(refusal.error()))
    }

    /// Whether [`check`](Self::check) would pass, where the answer is no refusal: "the owner, or an admin". Nothing is logged.
    pub fn permits<C>(&self, token: &AccessToken<C>, requirement: impl Into<Requirement>) -> bool {
        self.rule(requirement.into()).check_token(token.core()).is_ok()
    }

    /// A layer for routes that ask a policy of the application, which may wait for another service. It stands behind
    /// [`layer`](Self::layer), and takes the claims type that was verified there.
    ///
    /// The policy sees the token and all of the request but its body. What it takes into its future it clones. The path is as it was sent,
    /// not decoded, and within axum's `nest` without what `nest` took. It says no by
    /// [`PolicyDenied`](crate::AuthErrorKind::PolicyDenied) (403), and that it cannot tell by
    /// [`PolicyUnavailable`](crate::AuthErrorKind::PolicyUnavailable) (503); [`because`](crate::AuthErrorKind::because) tells the log why.
    /// Scopes are for [`require`](Self::require), whose challenge names them. **Default:** it may take as long as it likes, and any number
    /// of requests waits for it: a policy that asks a service gives it a time limit, and the route a limit of requests in front of it.
    ///
    /// ```
    /// use bearergate::{AccessToken, AuthErrorKind, ResourceServer};
    /// use http::request::Parts;
    /// # #[derive(Clone)] struct Tenants;
    /// # impl Tenants { async fn owns(&self, _: &(String, String), _: &str) -> Result<bool, std::io::Error> { Ok(true) } }
    ///
    /// # fn routes(api: ResourceServer, tenants: Tenants) {
    /// let owner_only = api.authorize(move |token: &AccessToken, request: &Parts| {
    ///     let (tenants, path) = (tenants.clone(), request.uri.path().to_owned());
    ///     // A subject is one of its issuer.
    ///     let user = token.subject().map(|subject| (token.issuer().to_owned(), subject.to_owned()));
    ///     async move {
    ///         let Some(user) = user else { return Err(AuthErrorKind::PolicyDenied.into()) };
    ///         match tenants.owns(&user, &path).await {
    ///             Ok(true) => Ok(()),
    ///             Ok(false) => Err(AuthErrorKind::PolicyDenied.into()),
    ///             Err(error) => Err(AuthErrorKind::PolicyUnavailable.because(error)),
    ///         }
    ///     }
    /// });
    /// # let _: bearergate::AuthorizeLayer<_> = owner_only;
    /// # }
    /// ```
    pub fn authorize<P, F, C>(&self, policy: P) -> AuthorizeLayer<P, C>
    where
        P: Fn(&AccessToken<C>, &Parts) -> F,
        F: Future<Output = Result<(), AuthError>>,
    {
        AuthorizeLayer::new(policy, Arc::clone(&self.inner.responder))
    }

    fn rule(&self, requirement: Requirement) -> Rule {
        Rule {
            requirement,
            server: Arc::clone(&self.inner.responder),
            clock: Arc::clone(&self.inner.shared.clock),
        }
    }

    /// Judges a token without HTTP: for other protocols, other frameworks, and tests.
    ///
    /// # Errors
    ///
    /// Every kind that a token can be refused with; [`refuse`](Self::refuse) makes the HTTP answer of it.
    pub async fn validate<C: DeserializeOwned + Send + Sync + 'static>(
        &self,
        presented: &Presented<'_>,
    ) -> Result<AccessToken<C>, AuthError> {
        let verdict = match self.inner.validate(presented) {
            Validation::Done(verdict) => verdict,
            Validation::Pending(verdict) => verdict.await,
        };
        let raw =
            if self.inner.responder.keep_token { std::str::from_utf8(presented.token()).ok() } else { None };
        let token = AccessToken::new(verdict?, raw.map(|token| Arc::new(SecretString::from(token))));
        token.inspect_err(|error| self.inner.mismatched(error))
    }

    /// The HTTP answer to an error, with this server's challenge. The refusal is logged as those of the layer are.
    pub fn refuse(&self, error: AuthError) -> Refusal {
        self.inner.responder.log.record(&error);
        Refusal::new(error, Arc::clone(&self.inner.responder))
    }

    /// The trusted issuers, to be changed while the server runs.
    pub fn issuers(&self) -> Issuers<'_> {
        Issuers { inner: &self.inner }
    }

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

    /// The state of each issuer.
    pub fn health(&self) -> Health {
        Health::of(&self.inner.entries.load(), self.inner.shared.clock.monotonic())
    }

    /// Listens to what happens to the issuers' keys from now on: for an audit log, or an alarm when all keys of an issuer
    /// change at one stroke. The same stands in the log.
    pub fn key_changes(&self) -> KeyChanges {
        self.inner.shared.feed.listen()
    }

    /// What is remembered of tokens, to be forgotten: after a token was revoked, or a subject was locked out.
    pub fn cached_tokens(&self) -> CachedTokens<'_> {
        CachedTokens { inner: &self.inner }
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

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.inner.entries.load();
        let issuers: Vec<_> = entries.iter().map(|entry| entry.id().as_str()).collect();
        f.debug_struct("ResourceServer").field("issuers", &issuers).finish_non_exhaustive()
    }
}

/// The trusted issuers of a running server. An unchanged entry keeps its keys; a removed one is refused at once.
#[derive(Debug)]
pub struct Issuers<'s> {
    inner: &'s Inner,
}

impl Issuers<'_> {
    /// The identifiers of the trusted issuers, in no order.
    pub fn list(&self) -> Vec<String> {
        self.inner.entries.load().iter().map(|entry| entry.id().to_string()).collect()
    }

    /// Trusts one more issuer.
    ///
    /// # Errors
    ///
    /// What [`build`](ResourceServerBuilder::build) would say; then nothing changes.
    pub fn add(&self, issuer: Issuer) -> Result<(), ConfigError> {
        self.change(|mut issuers| {
            issuers.push(issuer);
            issuers
        })
    }

    /// Stops trusting an issuer. Tells whether it was trusted.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoIssuer`] when it is the last one; then nothing changes.
    pub fn remove(&self, issuer: &str) -> Result<bool, ConfigError> {
        let mut removed = false;
        self.change(|mut issuers| {
            let before = issuers.len();
            issuers.retain(|known| known.id != issuer);
            removed = issuers.len() != before;
            issuers
        })?;
        Ok(removed)
    }

    /// Trusts these issuers and no other.
    ///
    /// # Errors
    ///
    /// What [`build`](ResourceServerBuilder::build) would say; then nothing changes.
    pub fn replace_all(&self, issuers: impl IntoIterator<Item = Issuer>) -> Result<(), ConfigError> {
        self.change(|_| issuers.into_iter().collect())
    }

    fn change(&self, change: impl FnOnce(Vec<Issuer>) -> Vec<Issuer>) -> Result<(), ConfigError> {
        let _one_at_a_time = self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.inner.entries.load_full();
        let issuers = change(old.iter().map(|entry| entry.issuer.clone()).collect());
        let new = Entries::build(issuers, &old, &self.inner.shared)?;
        self.inner.entries.store(Arc::new(new));
        Ok(())
    }
}

/// What the server remembers of tokens: the answers of introspection endpoints, and with
/// [`with_token_cache`](ResourceServerBuilder::with_token_cache) the JWTs that keys have verified. Made by [`ResourceServer::cached_tokens`].
///
/// What is forgotten is asked about anew when the token comes again, and so is what is being asked about at this moment. It
/// holds for this process; where several share the work, call it in each.
#[derive(Debug)]
pub struct CachedTokens<'s> {
    inner: &'s Inner,
}

impl CachedTokens<'_> {
    /// Forgets what was said of this token.
    pub fn forget(&self, token: &str) {
        if let Some(verified) = &self.inner.verified {
            verified.forget(&TokenDigest::of(token.as_bytes()));
        }
        self.each(None, |introspection| introspection.memory().forget(token.as_bytes()));
    }

    /// Forgets what was said of all tokens of a subject, `sub`, of this issuer. It looks at each token that is remembered.
    pub fn forget_subject(&self, issuer: &str, subject: &str) {
        if let Some(verified) = &self.inner.verified {
            verified.forget_subject(issuer, subject);
        }
        self.each(Some(issuer), |introspection| introspection.memory().forget_subject(subject));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        if let Some(verified) = &self.inner.verified {
            verified.clear();
        }
        self.each(None, |introspection| introspection.memory().clear());
    }

    fn each(&self, issuer: Option<&str>, act: impl Fn(&Introspection)) {
        let entries = self.inner.entries.load();
        let chosen = entries.iter().filter(|entry| issuer.is_none_or(|issuer| entry.id().as_str() == issuer));
        for asked in chosen.filter_map(|entry| entry.asked.as_ref()) {
            act(&asked.introspection);
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

/// An idle driver ends within microseconds, one that fetches likewise.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two questions to an endpoint that a start-up waits for.
const PROBE_AGAIN: Duration = Duration::from_secs(1);

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
