//! Who acts for the subject? (RFC 8693 §4.1)

use std::{collections::HashMap, fmt};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{
    error::{AuthError, AuthErrorKind},
    token::access_token::AccessToken,
};

/// The party that acts for the subject of a token: its claim `act` (RFC 8693 §4.1), the outermost one. Those within it acted before, and
/// are no ground for a decision.
#[derive(Clone)]
pub struct Actor {
    subject: Option<String>,
    issuer: Option<String>,
    client_id: Option<String>,
    claims: HashMap<String, Box<RawValue>>,
}

impl Actor {
    /// Who acts: `sub`. Only together with the [issuer](Self::issuer), if it has one, it names one party.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Whose identifier that is: `iss`. `None` where it is the issuer of the token.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The client that acts: `client_id`.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// Another claim about the actor; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// When the value does not deserialize into `T`. The error may quote the value: keep it out of logs.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.claims.get(name).map(|value| serde_json::from_str(value.get())).transpose()
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
    /// [`AuthErrorKind::PolicyDenied`] (403) when `act` is no object, has neither `sub` nor `client_id`, or one of them or `iss` is no
    /// text: somebody acts, and nobody can say who.
    pub fn actor(&self) -> Result<Option<Actor>, AuthError> {
        let found = self.core().claim("act").map(read).transpose();
        found.map_err(|_| AuthErrorKind::PolicyDenied.because(NoActor))
    }
}

fn read(text: &str) -> Result<Actor, NoActor> {
    let claims: HashMap<String, Box<RawValue>> = serde_json::from_str(text).map_err(|_| NoActor)?;
    let text = |name: &str| -> Result<Option<String>, NoActor> {
        claims.get(name).map(|value| serde_json::from_str(value.get()).map_err(|_| NoActor)).transpose()
    };
    let (subject, issuer, client_id) = (text("sub")?, text("iss")?, text("client_id")?);
    if subject.is_none() && client_id.is_none() {
        return Err(NoActor);
    }
    Ok(Actor { subject, issuer, client_id, claims })
}

#[derive(Debug, thiserror::Error)]
#[error("`act` of the verified token is not an object with a `sub` or `client_id` that is a text")]
struct NoActor;
