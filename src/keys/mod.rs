//! Which key made a signature, and where do keys come from?

pub(crate) mod algorithm;
pub(crate) mod backend;
pub(crate) mod change;
pub(crate) mod discovery;
pub(crate) mod fixed;
pub(crate) mod gate;
pub(crate) mod jwk;
pub(crate) mod key;
pub(crate) mod refresh;
pub(crate) mod remote;
pub(crate) mod set;
pub(crate) mod shell;
pub(crate) mod signing;
pub(crate) mod snapshot;
mod sync;
