//! Time that a test moves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::clock::{Clock, SystemClock, UnixTime};

/// A clock that runs with tokio's, and whose wall time can be shifted.
///
/// In a test with paused time, `tokio::time::advance` moves everything: timers, ages and the wall. Where time is real
/// (sockets), [`advance`](Self::advance) moves the wall alone: tokens expire at once, and nothing waits.
#[derive(Clone, Debug)]
pub struct TestClock {
    start: Instant,
    wall_at_start: UnixTime,
    shift_millis: Arc<AtomicI64>,
}

impl TestClock {
    /// A clock that shows the real time of day.
    pub fn new() -> Self {
        Self::at(SystemClock.wall())
    }

    /// A clock that shows this time of day now.
    pub fn at(wall: UnixTime) -> Self {
        Self { start: Instant::now(), wall_at_start: wall, shift_millis: Arc::default() }
    }

    /// Moves the wall forward. All clones of this clock move.
    pub fn advance(&self, by: Duration) {
        self.shift_millis.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Sets the wall to this time of day. All clones of this clock move.
    pub fn set(&self, wall: UnixTime) {
        let unshifted = self.wall_at_start.saturating_add(self.monotonic());
        self.shift_millis.store(wall.as_millis().saturating_sub(unshifted.as_millis()), Ordering::Relaxed);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestClock {
    fn wall(&self) -> UnixTime {
        let unshifted = self.wall_at_start.saturating_add(self.monotonic());
        UnixTime::from_millis(unshifted.as_millis().saturating_add(self.shift_millis.load(Ordering::Relaxed)))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}
