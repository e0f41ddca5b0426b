//! What does the service behind the middleware read? The same four claims for all.

use std::{cell::RefCell, hint::black_box};

use http::StatusCode;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct MyClaims {
    pub(crate) sub: String,
    pub(crate) client_id: String,
    pub(crate) tenant: String,
    pub(crate) roles: Vec<String>,
}

impl MyClaims {
    pub(crate) fn seen(&self) -> StatusCode {
        seen(&self.sub, &self.client_id, &self.tenant, &self.roles)
    }
}

/// Where each handler ends.
pub(crate) fn seen(subject: &str, client: &str, tenant: &str, roles: &[String]) -> StatusCode {
    black_box((subject, client, tenant, roles));
    WATCHED.with_borrow_mut(|watched| {
        if let Some(last) = watched {
            *last = format!("{subject} {client} {tenant} {}", roles.join(" "));
        }
    });
    StatusCode::OK
}

/// What the handlers of this thread saw last while `calls` ran. Empty if none was reached.
pub(crate) fn watch<T>(calls: impl FnOnce() -> T) -> (T, String) {
    WATCHED.set(Some(String::new()));
    let result = calls();
    (result, WATCHED.take().unwrap_or_default())
}

thread_local! {
    static WATCHED: RefCell<Option<String>> = const { RefCell::new(None) };
}
