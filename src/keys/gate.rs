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

/// Whoever lives takes an offered place at once. One that is not taken by then goes to the next.
const OFFER: Duration = Duration::from_secs(1);

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
    running: Vec<Place>,
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

/// A place that is taken, or held for the one who is next.
struct Place {
    id: u64,
    since: Instant,
    claimed: bool,
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
        let mut receiver = lane.queue_up();
        loop {
            lane.let_in();
            // A place that is never taken or given back wakes nobody: look again when its time is over.
            match tokio::time::timeout(OFFER, &mut receiver).await {
                Ok(Ok(permit)) if lane.claim(permit.id) => return permit,
                // Too late for that one, or nobody offers any more, which cannot be: from the end of the queue again.
                Ok(_) => receiver = lane.queue_up(),
                Err(_) => (),
            }
        }
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue_up(&self) -> oneshot::Receiver<Permit> {
        let (sender, receiver) = oneshot::channel();
        self.lock().waiting.push_back(sender);
        receiver
    }

    /// Takes an offered place, if it is still held: its lease begins now.
    fn claim(&self, id: u64) -> bool {
        let mut queue = self.lock();
        let Some(place) = queue.running.iter_mut().find(|place| place.id == id) else { return false };
        (place.claimed, place.since) = (true, Instant::now());
        true
    }

    /// Offers free places to those who wait.
    fn let_in(&'static self) {
        let mut queue = self.lock();
        let now = Instant::now();
        queue.running.retain(|place| {
            let longest = if place.claimed { LEASE } else { OFFER };
            now.saturating_duration_since(place.since) < longest
        });
        while queue.running.len() < queue.limit {
            let Some(next) = queue.waiting.pop_front() else { return };
            queue.last = queue.last.wrapping_add(1);
            let id = queue.last;
            match next.send(Permit { lane: self, id }) {
                Ok(()) => queue.running.push(Place { id, since: now, claimed: false }),
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
        self.lane.lock().running.retain(|place| place.id != self.id);
        self.lane.let_in();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::Pin,
        task::{Context, Waker},
    };

    use super::*;

    fn gate() -> &'static Gate {
        Box::leak(Box::new(Gate {
            demanded: Lane(Mutex::new(Queue::new(DEMANDED_AT_ONCE))),
            scheduled: Lane(Mutex::new(Queue::new(SCHEDULED_AT_ONCE))),
        }))
    }

    /// Waits in a runtime that stands still: polled once, and never again.
    fn standing(gate: &'static Gate, turn: Turn) -> Pin<Box<dyn Future<Output = Permit> + Send>> {
        let mut waiting: Pin<Box<dyn Future<Output = Permit> + Send>> = Box::pin(gate.enter(turn));
        let _pending = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        waiting
    }

    #[tokio::test(start_paused = true)]
    async fn places_offered_to_those_who_stand_still_go_to_the_next() {
        let gate = gate();
        let mut busy = Vec::new();
        for _ in 0..SCHEDULED_AT_ONCE {
            busy.push(gate.enter(Turn::Scheduled).await);
        }
        let _still: Vec<_> = (0..3 * SCHEDULED_AT_ONCE).map(|_| standing(gate, Turn::Scheduled)).collect();
        let start = Instant::now();
        drop(busy);
        drop(gate.enter(Turn::Scheduled).await);
        assert!(start.elapsed() <= 4 * OFFER, "{:?}", start.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_lease_begins_when_the_place_is_taken() {
        let gate = gate();
        let mut taken = Vec::new();
        for _ in 0..SCHEDULED_AT_ONCE {
            taken.push(gate.enter(Turn::Scheduled).await);
        }
        let start = Instant::now();
        // They are never given back, and count until their lease is over.
        let next = gate.enter(Turn::Scheduled).await;
        let waited = start.elapsed();
        assert!(waited >= LEASE && waited <= LEASE + OFFER, "{waited:?}");
        drop((next, taken));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_too_late_for_a_place_queues_again() {
        let gate = gate();
        let busy = gate.enter(Turn::Scheduled).await;
        let mut others = Vec::new();
        for _ in 1..SCHEDULED_AT_ONCE {
            others.push(gate.enter(Turn::Scheduled).await);
        }
        let late = standing(gate, Turn::Scheduled);
        drop(busy);
        tokio::time::advance(2 * OFFER).await;
        let quick = gate.enter(Turn::Scheduled).await;
        // The late one finds its place taken by the quick one, and gets the next.
        let late = tokio::spawn(late);
        tokio::time::advance(2 * OFFER).await;
        assert_eq!(gate.scheduled.lock().running.len(), SCHEDULED_AT_ONCE);
        drop(quick);
        drop(late.await.unwrap());
        drop(others);
    }
}
