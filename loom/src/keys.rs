//! The files of the crate, under the paths by which they know each other.

#[path = "../../src/keys/refresh.rs"]
pub(crate) mod refresh;
#[path = "../../src/keys/shell.rs"]
pub(crate) mod shell;
#[path = "../../src/keys/sync.rs"]
pub(crate) mod sync;
