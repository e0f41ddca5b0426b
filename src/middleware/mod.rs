//! How a verdict becomes HTTP. Only this module knows status codes.

pub(crate) mod authorize;
pub(crate) mod bearer;
pub(crate) mod body;
pub(crate) mod challenge;
pub(crate) mod future;
pub(crate) mod grpc;
pub(crate) mod layer;
pub(crate) mod metadata;
pub(crate) mod paths;
pub(crate) mod refusal;
pub(crate) mod rejection;
pub(crate) mod request_auth;
pub(crate) mod require;
pub(crate) mod service;
