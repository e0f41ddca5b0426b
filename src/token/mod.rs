//! What a token is and says, before anyone judges it.

pub(crate) mod access_token;
pub(crate) mod actor;
pub(crate) mod authorization_details;
pub(crate) mod cache;
pub(crate) mod claims;
pub(crate) mod digest;
pub(crate) mod hierarchy;
pub(crate) mod json;
pub(crate) mod mismatch;
pub(crate) mod presented;
pub(crate) mod requirement;
pub(crate) mod scope;
pub(crate) mod typed;
pub(crate) mod wanted_claim;
