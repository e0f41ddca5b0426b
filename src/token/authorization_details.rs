//! Which rights, richer than a scope, does a token carry? (RFC 9396)

use std::borrow::Cow;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    error::{AuthError, AuthErrorKind},
    token::{access_token::AccessToken, mismatch::Mismatch},
};

/// One type of `authorization_details`, as the API understands it (RFC 9396 §2).
///
/// ```
/// use bearergate::AuthorizationDetail;
///
/// #[derive(serde::Deserialize)]
/// struct PaymentInitiation {
///     actions: Vec<String>,
///     #[serde(rename = "creditorName")]
///     creditor_name: String,
/// }
///
/// impl AuthorizationDetail for PaymentInitiation {
///     const TYPE: &'static str = "payment_initiation";
/// }
///
/// fn may_pay(token: &bearergate::AccessToken, name: &str) -> Result<bool, bearergate::AuthError> {
///     let payments = token.authorization_details::<PaymentInitiation>()?;
///     Ok(payments.iter().any(|it| it.creditor_name == name && it.actions.iter().any(|it| it == "initiate")))
/// }
/// ```
pub trait AuthorizationDetail: DeserializeOwned {
    /// The value of `type`, compared octet by octet.
    const TYPE: &'static str;
}

impl<C> AccessToken<C> {
    /// The token's `authorization_details` of one type, in their order, from the JWT or the introspection answer (RFC 9396 §9). Others are
    /// left out: of a type that is not understood, no right follows. Each gives rights of its own: fields of two are not to be mixed.
    /// `locations` is not looked at: where tokens have several audiences, it says which of them a detail is for (RFC 9396 §2.2).
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::PolicyDenied`] (403) when the claim is no array of objects with a `type`, or one of the type does not
    /// deserialize into `D`.
    pub fn authorization_details<D: AuthorizationDetail>(&self) -> Result<Vec<D>, AuthError> {
        let Some(text) = self.core().claim("authorization_details") else { return Ok(Vec::new()) };
        let malformed = || AuthErrorKind::PolicyDenied.because(Malformed);
        let details: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| malformed())?;
        let mut of_type = Vec::new();
        for detail in details.into_iter().map(RawValue::get) {
            let typed: Typed<'_> = serde_json::from_str(detail).map_err(|_| malformed())?;
            if typed.name == D::TYPE {
                // From the text: numbers keep what they are written with.
                let detail = serde_json::from_str(detail)
                    .map_err(|_| AuthErrorKind::PolicyDenied.because(Mismatch::find::<D>(detail)))?;
                of_type.push(detail);
            }
        }
        Ok(of_type)
    }
}

/// What every detail has (RFC 9396 §2).
#[derive(Deserialize)]
struct Typed<'t> {
    #[serde(rename = "type", borrow)]
    name: Cow<'t, str>,
}

#[derive(Debug, thiserror::Error)]
#[error("`authorization_details` of the verified token is not an array of objects with a `type`")]
struct Malformed;
