//! How many fetches run at once in this process, and whose turn is next?
//!
//! Two lanes, so that issuers which are down cannot keep one waiting that is asked for: one for what the schedule wants, one
//! for what a request waits for.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

/// Which lane a fetch takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// A request waits for it, and nothing says that the issuer is down.
    Demanded,
    Scheduled,
}

/// Ten thousand issuers at a cold start must neither exhaust sockets nor stampede one server.
const SCHEDULED_AT_ONCE: usize = 16;

/// Tokens cause at most one fetch per issuer and cooldown; this bounds what many issuers add up to.
const DEMANDED_AT_ONCE: usize = 64;

/// No fetch takes half of this. A permit that is older belongs to a runtime that stands still, and counts no longer.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// The gate of this process.
pub(crate) static GATE: Gate = Gate {
    demanded: Lane(Mutex::new(Queue::new(DEMANDED_AT_ONCE))),
    scheduled: Lane(Mutex::new(Queue::new(SCHEDULED_AT_ONCE))),
};

pub(crate) struct Gate {
    demanded: Lane,
    scheduled: Lane,
}

struct Lane(Mutex<Queue>);

struct Queue {
    limit: usize,
    last: u64,
    running: Vec<(u64, Instant)>,
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

/// The right to run one fetch; dropping it lets the next one in.
pub(crate) struct Permit {
    lane: &'static Lane,
    id: u64,
}

impl Gate {
    /// Waits for the turn, first come, first served.
    pub(crate) async fn enter(&'static self, turn: Turn) -> Permit {
        let lane = match turn {
            Turn::Demanded => &self.demanded,
            Turn::Scheduled => &self.scheduled,
        };
        let (sender, mut receiver) = oneshot::channel();
        lane.lock().waiting.push_back(sender);
        loop {
            lane.let_in();
            // A permit that is never given back wakes nobody: look again when its lease is over.
            match tokio::time::timeout(LEASE, &mut receiver).await {
                Ok(Ok(permit)) => return permit,
                // The sender leaves the queue only to send.
                Ok(Err(_)) => return Permit { lane, id: 0 },
                Err(_) => (),
            }
        }
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives free places to those who wait.
    fn let_in(&'static self) {
        let mut queue = self.lock();
        let now = Instant::now();
        queue.running.retain(|(_, since)| now.saturating_duration_since(*since) < LEASE);
        while queue.running.len() < queue.limit {
            let Some(next) = queue.waiting.pop_front() else { return };
            queue.last = queue.last.wrapping_add(1);
            let id = queue.last;
            match next.send(Permit { lane: self, id }) {
                Ok(()) => queue.running.push((id, now)),
                // That one gave up waiting. Its permit was never counted, so it must not be given back.
                Err(permit) => std::mem::forget(permit),
            }
        }
    }
}

impl Queue {
    const fn new(limit: usize) -> Self {
        Self { limit, last: 0, running: Vec::new(), waiting: VecDeque::new() }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.lane.lock().running.retain(|(id, _)| *id != self.id);
        self.lane.let_in();
    }
}
