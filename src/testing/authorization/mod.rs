//! What do the flows that ask a user need of the embedded issuer?

mod codes;
mod consent;
mod device;
mod devices;
mod endpoint;
mod families;
mod grant;
mod pkce;
mod random;
mod redirect;
mod refresh;
mod registration;
mod request;
mod revocation;

pub(super) use self::{
    consent::Consent,
    device::{DEVICE_CODE, device_authorization, device_code_for_token, device_page},
    endpoint::authorize,
    grant::code_for_token,
    random::unguessable,
    redirect::RedirectUri,
    refresh::refresh_for_token,
    registration::register,
    revocation::revoke,
};
use crate::{
    testing::authorization::{codes::Codes, devices::Devices, families::Families},
    token::scope::Scopes,
};

/// What an issuer keeps for them.
#[derive(Debug)]
pub(super) struct Authorization {
    codes: Codes,
    devices: Devices,
    families: Families,
    consent: Consent,
    /// What clients that registered themselves may ask for; `None`: anything.
    pub(super) scopes: Option<Scopes>,
}

impl Authorization {
    /// Ends a refresh token, whose ever it is.
    pub(super) fn end(&self, token: &str) -> bool {
        self.families.revoke(token, None).unwrap_or(false)
    }

    pub(super) fn new(consent: Consent, scopes: Option<Scopes>) -> Self {
        Self {
            codes: Codes::default(),
            devices: Devices::default(),
            families: Families::default(),
            consent,
            scopes,
        }
    }
}
