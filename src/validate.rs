//! What the middleware asks of a validator.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::{
    error::AuthError,
    token::{claims::Core, presented::Presented},
};

/// The answer about one token: verified claims, or why not.
pub(crate) type Verdict = Result<Arc<Core>, AuthError>;

/// Judges what a request presented.
pub(crate) trait ValidateToken: Send + Sync + 'static {
    /// Decides at once where nothing has to be waited for, which is the usual case.
    fn validate(&self, presented: &Presented<'_>) -> Validation;

    /// Takes note of a token that was good, and whose claims did not fit the type that was asked for.
    fn mismatched(&self, error: &AuthError);
}

/// A verdict, now or later.
pub(crate) enum Validation {
    Done(Verdict),
    Pending(Pin<Box<dyn Future<Output = Verdict> + Send>>),
}
