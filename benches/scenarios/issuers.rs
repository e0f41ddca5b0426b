//! What does one issuer that hangs cost the others?

use std::{sync::Arc, time::Duration};

use bearergate::testing::{Endpoint, Fault};
use tokio::task::JoinSet;

use crate::{
    outage::now,
    scene::{Api, Invented, OffsetClock, issuer, token},
    table::{Row, Tally},
};

pub async fn one_of_a_hundred_hangs() -> Row {
    const OTHERS: u64 = 99;
    /// Of the others, a request that waits for keys waits far shorter than an attempt at the one that hangs takes.
    const LONGEST: Duration = Duration::from_secs(2);
    let clock = OffsetClock::default();
    let mut issuers = Vec::new();
    for _ in 0..=OTHERS {
        issuers.push(issuer(&clock).await);
    }
    let (hanging, others) = issuers.split_first().unwrap();
    hanging.faults().set(Endpoint::Jwks, Fault::Hang);
    for issuer in others {
        issuer.faults().script(Endpoint::Jwks, [Fault::Slow(Duration::from_millis(300))]);
    }
    let api = Api::start(&clock, issuers.iter().map(|issuer| issuer.trusted())).await;
    let tally = Arc::new(Tally::default());

    // Opened all at once, some connections come about a second late, which is no doing of the API.
    api.client.open(600).await;
    let flood = {
        let (client, tally, token) = (api.client.clone(), Arc::clone(&tally), token(hanging));
        let invented = Invented::like(&token);
        tokio::spawn(async move {
            loop {
                let (own, unknown) = (token.clone(), invented.token());
                let (one, other) = tokio::join!(client.call(Some(&own)), client.call(Some(&unknown)));
                tally.other(one);
                tally.other(other);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
    };
    let mut longest = Duration::ZERO;
    // Cold, and then with new keys.
    for round in 0..5 {
        if round > 0 {
            clock.advance(31);
            others.iter().for_each(|issuer| issuer.rotate());
        }
        let mut callers = JoinSet::new();
        for issuer in others {
            for _ in 0..5 {
                let (client, tally, token) = (api.client.clone(), Arc::clone(&tally), token(issuer));
                callers.spawn(async move {
                    let start = now();
                    tally.good(client.call(Some(&token)).await);
                    start.elapsed()
                });
            }
        }
        longest = callers.join_all().await.into_iter().max().unwrap().max(longest);
        if round == 0 {
            // What the one that hangs answers must be seen too: it takes 5 s until its first attempt has failed.
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
    }
    flood.abort();
    let fetches: u64 = others.iter().map(|issuer| issuer.requests_to(Endpoint::Jwks)).sum();
    let most = OTHERS * 5;
    let held = tally.refused() == 0 && tally.unauthorized() == 0 && fetches == most && longest <= LONGEST;
    let bound = format!("= {most} at the others, each within {:.2} s <= 2 s", longest.as_secs_f64());
    tally.row("99 issuers beside one that hangs", fetches).bound(held, bound)
}
