//! What rights does a route ask for, and does a token carry them?

use std::time::Duration;

use crate::{
    clock::UnixTime,
    error::{AuthError, AuthErrorKind},
    token::{claims::Core, hierarchy::ScopeHierarchy, scope::Scopes, wanted_claim::WantedClaim},
};

/// What a route asks of a token beyond being valid. [The guide](crate::guide::rights) has the whole of it.
///
/// ```
/// use bearergate::{Requirement, scopes};
/// use std::time::Duration;
///
/// let all = Requirement::scopes(scopes!["read", "write"]);
/// let one = Requirement::any_of([scopes!["read"], scopes!["admin"]]);
/// let step_up = Requirement::scopes(scopes!["pay"]).acr(["urn:example:loa:2"]).max_age(Duration::from_secs(300));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Requirement {
    /// `None`: no scope is asked for. An empty list can never be fulfilled.
    alternatives: Option<Vec<Scopes>>,
    /// The same.
    acr: Option<Vec<String>>,
    max_age: Option<Duration>,
    claims: Vec<WantedClaim>,
    /// Counts only while nothing else is asked for.
    no_token: bool,
}

impl Requirement {
    /// Asks for every scope of the list.
    pub fn scopes(scopes: impl Into<Scopes>) -> Self {
        Self { alternatives: Some(vec![scopes.into()]), ..Self::default() }
    }

    /// Asks for every scope of at least one of the lists. The challenge names the first list. Of no lists at all, none can be
    /// fulfilled: every token is refused with [`PolicyDenied`](AuthErrorKind::PolicyDenied), 403 without a code, for no scope would help.
    pub fn any_of(alternatives: impl IntoIterator<Item = Scopes>) -> Self {
        Self { alternatives: Some(alternatives.into_iter().collect()), ..Self::default() }
    }

    /// Asks for nothing, not even a token: for what is open to everybody, in a table of paths. A token that is sent is still judged, and a
    /// bad one refused. With anything else asked for, a token is asked for too.
    ///
    /// ```
    /// use bearergate::{PathRequirements, Requirement, scopes};
    ///
    /// # fn main() -> Result<(), bearergate::ConfigError> {
    /// let rights = PathRequirements::new([("/shop.Orders/*", scopes!["orders"])])?
    ///     .and([("/grpc.health.v1.Health/*", Requirement::no_token())])?;
    /// # let _ = rights;
    /// # Ok(()) }
    /// ```
    pub fn no_token() -> Self {
        Self { no_token: true, ..Self::default() }
    }

    /// Asks that the claim at this JSON pointer (RFC 6901) is one of these texts, or a list with one of them in it: for roles,
    /// permissions and groups, which stand outside of `scope`. Asked for twice, both must hold. Where nothing stands at the pointer,
    /// or no value is given, every token is refused; so is it by a pointer that does not begin with `/`, which is told in the log at `error`. What fails is [`PolicyDenied`](AuthErrorKind::PolicyDenied), 403 without a
    /// code, for no scope would help. **Default:** any claims.
    ///
    /// ```
    /// use bearergate::{Requirement, scopes};
    ///
    /// let keycloak = Requirement::default().claim("/realm_access/roles", ["admin", "operator"]);
    /// let auth0 = Requirement::default().claim("/permissions", ["read:orders"]);
    /// let both = Requirement::scopes(scopes!["orders"]).claim("/groups", ["sales"]);
    /// let ours = Requirement::scopes(scopes!["admin"]).claim("/iss", ["https://login.example.com"]); // of this issuer alone
    /// ```
    #[must_use]
    pub fn claim<V: Into<String>>(
        mut self,
        pointer: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.claims.push(WantedClaim::new(pointer.into(), values));
        self
    }

    /// Asks that `acr` is one of these values, the most wanted first (RFC 9470 §3). No value fulfils an empty list.
    /// **Default:** any.
    #[must_use]
    pub fn acr<A: Into<String>>(mut self, values: impl IntoIterator<Item = A>) -> Self {
        self.acr = Some(values.into_iter().map(Into::into).collect());
        self
    }

    /// Asks that the user logged in (`auth_time`) at most this long ago; whole seconds (RFC 9470 §3). **Default:** any.
    #[must_use]
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// What no token fulfils.
    pub(crate) const fn nobody() -> Self {
        Self { alternatives: Some(Vec::new()), acr: None, max_age: None, claims: Vec::new(), no_token: false }
    }

    /// Whether a good token is enough.
    pub(crate) fn asks_for_nothing(&self) -> bool {
        !self.asks_for_scopes() && !self.asks_for_authentication() && self.claims.is_empty()
    }

    /// Whether not even a token is asked for.
    pub(crate) fn needs_no_token(&self) -> bool {
        self.no_token && self.asks_for_nothing()
    }

    /// The scopes that the challenge names.
    pub(crate) fn wanted_scopes(&self) -> Option<&Scopes> {
        self.alternatives().first()
    }

    pub(crate) fn wanted_acr(&self) -> &[String] {
        self.acr.as_deref().unwrap_or_default()
    }

    pub(crate) fn wanted_max_age(&self) -> Option<Duration> {
        self.max_age
    }

    pub(crate) fn asks_for_scopes(&self) -> bool {
        self.alternatives.is_some()
    }

    pub(crate) fn wanted_claims(&self) -> &[WantedClaim] {
        &self.claims
    }

    pub(crate) fn asks_for_authentication(&self) -> bool {
        self.acr.is_some() || self.max_age.is_some()
    }

    /// The lists of scopes of which one is enough. An API description writes each as one security requirement. None where no scope is asked
    /// for, and none where nobody passes ([`any_of`](Self::any_of) of nothing): there it is still a token that is asked for.
    pub fn alternatives(&self) -> &[Scopes] {
        self.alternatives.as_deref().unwrap_or_default()
    }

    /// Judges a verified token: scopes first, then other claims, then the strength and age of the login.
    pub(crate) fn check(
        &self,
        core: &Core,
        hierarchy: &ScopeHierarchy,
        now: UnixTime,
    ) -> Result<(), AuthError> {
        self.check_scopes(core, hierarchy)?;
        // The operator learns which claim was asked for: that is configured, and nothing of the token.
        self.check_claims(core)
            .map_err(|kind| kind.because(MissingClaim(WantedClaim::all_in_words(&self.claims))))?;
        Ok(self.check_authentication(core, now)?)
    }

    pub(crate) fn check_scopes(&self, core: &Core, hierarchy: &ScopeHierarchy) -> Result<(), AuthErrorKind> {
        let granted = |wanted: &Scopes| wanted.iter().all(|scope| hierarchy.grants(core, scope));
        match self.alternatives.as_deref() {
            None => Ok(()),
            Some([]) => Err(AuthErrorKind::PolicyDenied),
            Some(alternatives) if alternatives.iter().any(granted) => Ok(()),
            Some(_) => Err(AuthErrorKind::InsufficientScope),
        }
    }

    pub(crate) fn check_claims(&self, core: &Core) -> Result<(), AuthErrorKind> {
        if WantedClaim::all_in(&self.claims, core) { Ok(()) } else { Err(AuthErrorKind::PolicyDenied) }
    }

    fn is_strong(&self, core: &Core) -> bool {
        self.acr
            .as_ref()
            .is_none_or(|wanted| core.acr().is_some_and(|acr| wanted.iter().any(|value| value == acr)))
    }

    pub(crate) fn check_authentication(&self, core: &Core, now: UnixTime) -> Result<(), AuthErrorKind> {
        let Some(age) = self.max_age else {
            return if self.is_strong(core) {
                Ok(())
            } else {
                Err(AuthErrorKind::InsufficientAuthentication)
            };
        };
        if !now.is_readable() {
            return Err(AuthErrorKind::ClockUnavailable);
        }
        let strong = self.is_strong(core);
        let fresh = core.auth_time().is_some_and(|login| {
            login <= now.saturating_add(CLOCK_DIFFERENCE) && now.saturating_duration_since(login) <= age
        });
        if strong && fresh { Ok(()) } else { Err(AuthErrorKind::InsufficientAuthentication) }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the claims do not hold what the route asks for: {0}")]
struct MissingClaim(String);

impl From<Scopes> for Requirement {
    fn from(scopes: Scopes) -> Self {
        Self::scopes(scopes)
    }
}

/// A login later than this from now did not happen.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);
