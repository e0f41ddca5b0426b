//! Who acts for the subject? (RFC 8693 §4.1)

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    error::{AuthError, AuthErrorKind},
    token::access_token::AccessToken,
};

/// The party that acts for the subject of a token: its claim `act` (RFC 8693 §4.1), the outermost one. Those within it acted before, and
/// are no ground for a decision.
#[derive(Clone, PartialEq)]
pub struct Actor {
    claims: Map<String, Value>,
}

impl Actor {
    /// Who acts: `sub`. Only together with the [issuer](Self::issuer), if it has one, it names one party.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// Whose identifier that is: `iss`. `None` where it is the issuer of the token.
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// The client that acts: `client_id`.
    pub fn client_id(&self) -> Option<&str> {
        self.text("client_id")
    }

    /// Another claim about the actor; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// When the value does not deserialize into `T`. The error may quote the value: keep it out of logs.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.claims.get(name).map(T::deserialize).transpose()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}

/// Prints no claim.
impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").finish_non_exhaustive()
    }
}

impl<C> AccessToken<C> {
    /// Who acts for the subject (RFC 8693 §4.1); `None` when the subject, or the client on its own behalf, is the caller.
    ///
    /// ```
    /// # fn handler(token: &bearergate::AccessToken) -> Result<(), bearergate::AuthError> {
    /// if let Some(actor) = token.actor()? {
    ///     println!("{:?} acts for {:?}", actor.subject(), token.subject());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::PolicyDenied`] (403) when `act` is no object, or its `sub`, `iss` or `client_id` no text: somebody acts, and
    /// nobody can say who.
    pub fn actor(&self) -> Result<Option<Actor>, AuthError> {
        let Some(text) = self.core().claim("act") else { return Ok(None) };
        let Ok(claims) = serde_json::from_str::<Map<String, Value>>(text) else {
            return Err(AuthErrorKind::PolicyDenied.because(NoActor));
        };
        let is_text = |name: &&str| claims.get(*name).is_none_or(Value::is_string);
        if ["sub", "iss", "client_id"].iter().all(is_text) {
            Ok(Some(Actor { claims }))
        } else {
            Err(AuthErrorKind::PolicyDenied.because(NoActor))
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("`act` of the verified token is not an object whose `sub`, `iss` and `client_id` are texts")]
struct NoActor;
