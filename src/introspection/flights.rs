//! Which questions are on their way, and who waits for which?

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::{introspection::cache::Word, token::digest::TokenDigest};

/// Questions that are asked or wait for their turn: 64 at once, and 256 behind them.
const MOST: usize = 64 + 256;

/// A question ends within a few seconds. One that is older than this is on a runtime that stands still.
const LEASE: Duration = Duration::from_secs(10);

/// The questions of one issuer entry, at most one about each token. A question belongs to none of those who wait for it: each
/// of them may leave.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    by_token: HashMap<TokenDigest, Flight>,
    last: u64,
    /// How many run, those that nobody may join any more included.
    running: usize,
}

#[derive(Debug)]
struct Flight {
    id: u64,
    since: Duration,
    answer: watch::Receiver<Option<Word>>,
}

/// What there is for who needs to know about a token.
pub(crate) enum Boarding {
    /// The answer is known meanwhile.
    Known(Word),
    /// Somebody asks already.
    Joined(Waiting),
    /// Nobody does: whoever gets this has to ask.
    First(Waiting, Landing),
    /// Too many questions run.
    Full,
}

/// The wait for an answer.
#[derive(Debug)]
pub(crate) struct Waiting(watch::Receiver<Option<Word>>);

/// The duty to tell an answer to all who wait. Dropped without one, they are told that there is none.
#[derive(Debug)]
#[must_use = "somebody waits for the answer"]
pub(crate) struct Landing {
    flights: Arc<Flights>,
    token: TokenDigest,
    id: u64,
    answer: watch::Sender<Option<Word>>,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `known` is asked under the lock: an answer is in the cache before its flight is gone.
    pub(crate) fn board(
        self: &Arc<Self>,
        token: TokenDigest,
        now: Duration,
        known: impl FnOnce() -> Option<Word>,
    ) -> Boarding {
        let mut table = self.lock();
        if let Some(flight) = table.by_token.get(&token)
            && now.saturating_sub(flight.since) < LEASE
        {
            return Boarding::Joined(Waiting(flight.answer.clone()));
        }
        if let Some(word) = known() {
            return Boarding::Known(word);
        }
        if table.running >= MOST {
            return Boarding::Full;
        }
        table.last = table.last.wrapping_add(1);
        table.running = table.running.saturating_add(1);
        let (id, (sender, receiver)) = (table.last, watch::channel(None));
        let flight = Flight { id, since: now, answer: receiver.clone() };
        table.by_token.insert(token, flight);
        let landing = Landing { flights: Arc::clone(self), token, id, answer: sender };
        Boarding::First(Waiting(receiver), landing)
    }

    /// From now on nobody joins the question about this token, and its answer is not kept.
    pub(crate) fn forget(&self, token: &TokenDigest) {
        self.lock().by_token.remove(token);
    }

    /// The same for all questions.
    pub(crate) fn forget_all(&self) {
        self.lock().by_token.clear();
    }
}

impl Waiting {
    /// The answer; `None` when the question was given up.
    pub(crate) async fn answer(mut self) -> Option<Word> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl Landing {
    /// What the question is about.
    pub(crate) fn token(&self) -> TokenDigest {
        self.token
    }

    /// Tells the answer. `keep` puts it into the cache; it is called only if the question was not forgotten since.
    pub(crate) fn land(self, word: Word, keep: impl FnOnce()) {
        {
            let table = self.flights.lock();
            if table.by_token.get(&self.token).is_some_and(|flight| flight.id == self.id) {
                keep();
            }
        }
        self.answer.send_replace(Some(word));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut table = self.flights.lock();
        table.running = table.running.saturating_sub(1);
        if table.by_token.get(&self.token).is_some_and(|flight| flight.id == self.id) {
            table.by_token.remove(&self.token);
        }
    }
}
