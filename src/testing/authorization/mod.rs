//! What do the flows that ask a user need of the embedded issuer?

mod codes;
mod consent;
mod endpoint;
mod grant;
mod pkce;
mod random;
mod redirect;
mod registration;
mod request;

pub(super) use self::{
    consent::Consent, endpoint::authorize, grant::code_for_token, redirect::RedirectUri,
    registration::register,
};
use crate::{testing::authorization::codes::Codes, token::scope::Scopes};

/// What an issuer keeps for them.
#[derive(Debug)]
pub(super) struct Authorization {
    codes: Codes,
    consent: Consent,
    /// What clients that registered themselves may ask for; `None`: anything.
    pub(super) scopes: Option<Scopes>,
}

impl Authorization {
    pub(super) fn new(consent: Consent, scopes: Option<Scopes>) -> Self {
        Self { codes: Codes::default(), consent, scopes }
    }
}
