//! How many scheduled fetches run at once in this process, and whose turn is next?

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// Ten thousand issuers at a cold start must neither exhaust sockets nor stampede one server.
const AT_ONCE: usize = 16;

/// Whose turn comes first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// A request waits for it.
    Demanded,
    Scheduled,
}

/// The gate of this process.
pub(crate) static GATE: Gate =
    Gate(Mutex::new(Queue { running: 0, demanded: VecDeque::new(), scheduled: VecDeque::new() }));

pub(crate) struct Gate(Mutex<Queue>);

struct Queue {
    running: usize,
    demanded: VecDeque<oneshot::Sender<Permit>>,
    scheduled: VecDeque<oneshot::Sender<Permit>>,
}

/// The right to run one fetch; dropping it lets the next one in.
pub(crate) struct Permit(&'static Gate);

impl Gate {
    pub(crate) async fn enter(&'static self, turn: Turn) -> Permit {
        let receiver = {
            let mut queue = self.lock();
            if queue.running < AT_ONCE {
                queue.running = queue.running.saturating_add(1);
                return Permit(self);
            }
            let (sender, receiver) = oneshot::channel();
            match turn {
                Turn::Demanded => queue.demanded.push_back(sender),
                Turn::Scheduled => queue.scheduled.push_back(sender),
            }
            receiver
        };
        // The sender leaves the queue only to send.
        receiver.await.unwrap_or_else(|_| Permit(self))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        loop {
            let Some(next) = ({
                let mut queue = self.0.lock();
                let next = queue.demanded.pop_front().or_else(|| queue.scheduled.pop_front());
                if next.is_none() {
                    queue.running = queue.running.saturating_sub(1);
                }
                next
            }) else {
                return;
            };
            match next.send(Self(self.0)) {
                Ok(()) => return,
                // That one gave up waiting. Its permit is not dropped, it goes to the one behind it.
                Err(permit) => std::mem::forget(permit),
            }
        }
    }
}
