//! What do any number of invented keys cost?

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bearergate::{Clock as _, Issuer, testing::TestIssuer};
use tokio::task::JoinSet;

use crate::{
    scene::{Api, COOLDOWN, Invented, OffsetClock, issuer},
    table::{Row, Tally},
};

/// How many requests run at once.
const AT_ONCE: u64 = 32;

/// One flooded API, and one of the same issuers and the same clock that gets good tokens alone.
struct Twins {
    clock: OffsetClock,
    issuer: TestIssuer,
    flooded: Api,
    quiet: Api,
    /// A good token of each entry.
    good: Vec<String>,
}

impl Twins {
    /// So many trusted entries, whose keys are those of one server.
    async fn start(entries: usize) -> Self {
        let clock = OffsetClock::default();
        let issuer = issuer(&clock).await;
        let id = |n: usize| format!("{}/{n}", issuer.url());
        let trusted = || {
            let place = |n| format!("{}/jwks?{n}", issuer.url());
            (0..entries).map(move |n| Issuer::jwks_uri(id(n), place(n)).allow_http_on_loopback())
        };
        let (flooded, quiet) = (Api::start(&clock, trusted()).await, Api::start(&clock, trusted()).await);
        for api in [&flooded, &quiet] {
            api.server.ready().await.unwrap();
        }
        let good = |n| issuer.token().issuer(id(n)).expires_in(Duration::from_secs(1_000_000)).mint();
        let good = (0..entries).map(good).collect();
        Self { clock, issuer, flooded, quiet, good }
    }

    /// A good token of each entry, for each of the two.
    async fn ask(&self, tally: &Tally) {
        for token in &self.good {
            tally.good(self.flooded.client.call(Some(token)).await);
            tally.good(self.quiet.client.call(Some(token)).await);
        }
    }

    /// So many tokens with invented keys, and good ones between; the clock moves by `seconds` meanwhile.
    async fn flood(&self, tokens: u64, seconds: u64, tally: &Arc<Tally>) {
        let (sent, every) =
            (Arc::new(AtomicU64::new(0)), tokens.checked_div(seconds).unwrap_or(u64::MAX).max(1));
        let mut callers = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (sent, tally, clock) = (Arc::clone(&sent), Arc::clone(tally), self.clock.clone());
            let (client, quiet) = (self.flooded.client.clone(), self.quiet.client.clone());
            let entries: Vec<_> =
                self.good.iter().map(|token| (Invented::like(token), token.clone())).collect();
            callers.spawn(async move {
                loop {
                    let number = sent.fetch_add(1, Relaxed);
                    if number >= tokens {
                        return;
                    }
                    let (invented, good) = &entries[fastrand::usize(..entries.len())];
                    tally.other(client.call(Some(&invented.token())).await);
                    if number % 16 == 0 {
                        tally.good(client.call(Some(good)).await);
                    }
                    if number % every == every - 1 {
                        clock.advance(1);
                        tally.good(quiet.call(Some(good)).await);
                    }
                }
            });
        }
        callers.join_all().await;
    }
}

pub async fn issuer_up(tokens: u64) -> Row {
    let twins = Twins::start(1).await;
    let tally = Arc::default();
    let (start, before) = (twins.clock.monotonic(), (twins.flooded.fetches(), twins.quiet.fetches()));
    twins.flood(tokens, 600, &tally).await;
    row("invented keys, issuer up", &twins, &tally, start, before, |tally| tally.unavailable() == 0)
}

/// From the moment on at which both know of the outage, so that their schedules are the same. Back-off has jitter: the sums
/// over many entries are compared.
pub async fn issuer_down(tokens: u64) -> Row {
    let twins = Twins::start(32).await;
    twins.issuer.faults().refuse_connections().await;
    twins.clock.advance(301);
    let tally = Arc::default();
    twins.ask(&tally).await;
    let knows = |api: &Api| api.server.health().issuers().iter().all(|issuer| issuer.failures() > 0);
    while !(knows(&twins.flooded) && knows(&twins.quiet)) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (start, before) = (twins.clock.monotonic(), (twins.flooded.fetches(), twins.quiet.fetches()));
    twins.flood(tokens, 0, &tally).await;
    row("invented keys, issuer down, 32 entries", &twins, &tally, start, before, |tally| {
        tally.unauthorized() == 0
    })
}

fn row(
    name: &str,
    twins: &Twins,
    tally: &Tally,
    start: Duration,
    before: (u64, u64),
    answers: impl FnOnce(&Tally) -> bool,
) -> Row {
    let elapsed = twins.clock.monotonic().saturating_sub(start).as_secs();
    let (flooded, quiet) = (twins.flooded.fetches() - before.0, twins.quiet.fetches() - before.1);
    let entries = u64::try_from(twins.good.len()).unwrap();
    let most = entries * (elapsed / COOLDOWN + 1);
    let held = flooded <= quiet + most && tally.refused() == 0 && answers(tally);
    tally.row(name, flooded).bound(held, format!("in {elapsed} s <= {quiet} by schedule + {most}"))
}
