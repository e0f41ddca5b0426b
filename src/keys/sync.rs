//! Which locks and shared values does the shell use? Those of std and arc-swap; loom's where loom explores it.

pub(crate) use std::sync::Arc;
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicBool};

#[cfg(not(loom))]
pub(crate) use arc_swap::ArcSwapOption as Slot;
#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic::AtomicBool};

#[cfg(loom)]
pub(crate) use self::slot::Slot;

/// What loom puts in arc-swap's place: the same contract, a whole value or none, behind a lock that loom sees.
#[cfg(loom)]
mod slot {
    use super::{Arc, Mutex};

    pub(crate) struct Slot<T>(Mutex<Option<Arc<T>>>);

    impl<T> Slot<T> {
        pub(crate) fn empty() -> Self {
            Self(Mutex::new(None))
        }

        pub(crate) fn load(&self) -> Option<Arc<T>> {
            self.0.lock().expect("nothing panics under this lock").clone()
        }

        pub(crate) fn store(&self, value: Option<Arc<T>>) {
            *self.0.lock().expect("nothing panics under this lock") = value;
        }
    }
}
