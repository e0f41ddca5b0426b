//! What is asked of a request beyond a good token?

use std::{future::Future, sync::Arc};

use http::request::Parts;

use crate::{
    error::AuthError,
    middleware::{
        authorize::AuthorizeLayer,
        refusal::Refusal,
        require::{RequireLayer, Rule},
    },
    server::ResourceServer,
    token::{access_token::AccessToken, requirement::Requirement},
};

impl ResourceServer {
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
}
