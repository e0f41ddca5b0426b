//! What does a request cost without any middleware? A control for each version of axum.

use std::sync::LazyLock;

use http::StatusCode;

use crate::{
    handler::MyClaims,
    subject::{Routed, Subject},
};

pub(crate) fn axum_08() -> Box<dyn Subject> {
    Routed::boxed(axum::Router::new().route("/", axum::routing::get(handler)))
}

pub(crate) fn axum_07() -> Box<dyn Subject> {
    Routed::boxed(axum_07::Router::new().route("/", axum_07::routing::get(handler)))
}

async fn handler() -> StatusCode {
    NOBODY.seen()
}

/// So that this handler does what the others do.
static NOBODY: LazyLock<MyClaims> = LazyLock::new(|| MyClaims {
    sub: "somebody".into(),
    client_id: "test-client".into(),
    tenant: "acme-industries".into(),
    roles: vec!["buyer".into(), "approver".into()],
});
