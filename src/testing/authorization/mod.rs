//! What do the flows that ask a user need of the embedded issuer?

mod at_hash;
mod codes;
mod consent;
mod content_policy;
mod decision;
mod device;
mod devices;
mod endpoint;
mod families;
mod grant;
mod html;
mod identity;
mod page;
mod pending;
mod pkce;
mod random;
mod redirect;
mod refresh;
mod registration;
mod request;
mod revocation;
mod same_origin;

use std::collections::HashMap;

pub(super) use self::{
    consent::Consent,
    decision::decide,
    device::{DEVICE_CODE, decide_device, device_authorization, device_code_for_token, device_page},
    endpoint::authorize,
    grant::code_for_token,
    random::unguessable,
    redirect::RedirectUri,
    refresh::refresh_for_token,
    registration::register,
    request::is_resource,
    revocation::revoke,
};
use crate::{
    testing::authorization::{codes::Codes, devices::Devices, families::Families, pending::Pending},
    token::scope::Scopes,
};

/// What an issuer keeps for them.
#[derive(Debug)]
pub(super) struct Authorization {
    codes: Codes,
    devices: Devices,
    families: Families,
    consent: Consent,
    /// What scopes mean, in words for users.
    explained: HashMap<String, String>,
    pending: Pending,
    /// What clients that registered themselves may ask for; `None`: anything.
    pub(super) scopes: Option<Scopes>,
}

impl Authorization {
    /// Whether the refresh tokens of a family go on.
    pub(super) fn goes_on(&self, family: &str) -> bool {
        self.families.go_on(family)
    }

    /// Ends a refresh token, whose ever it is.
    pub(super) fn end(&self, token: &str) -> bool {
        self.families.revoke(token, None).unwrap_or(false)
    }

    pub(super) fn new(consent: Consent, explained: HashMap<String, String>, scopes: Option<Scopes>) -> Self {
        Self {
            codes: Codes::default(),
            devices: Devices::default(),
            families: Families::default(),
            consent,
            explained,
            pending: Pending::default(),
            scopes,
        }
    }
}
