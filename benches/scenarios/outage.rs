//! What does an issuer that is not there, or not yet, cost?

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bearergate::testing::{Endpoint, Fault};
use tokio::task::JoinSet;

use crate::{
    scene::{Api, Invented, OffsetClock, Scene, issuer, token},
    table::{Row, Tally},
};

pub async fn cold_start() -> Row {
    const AT_ONCE: usize = 1000;
    let clock = OffsetClock::default();
    let issuer = issuer(&clock).await;
    // So that all of them come before the keys do.
    issuer.faults().script(Endpoint::Jwks, [Fault::Slow(Duration::from_secs(1))]);
    let api = Api::start(&clock, [issuer.trusted()]).await;
    // Opened all at once, some connections come about a second late, which is no doing of the API.
    api.client.open(AT_ONCE).await;
    let (tally, token) = (Arc::new(Tally::default()), token(&issuer));
    let mut callers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (client, tally, token) = (api.client.clone(), Arc::clone(&tally), token.clone());
        callers.spawn(async move { tally.good(client.call(Some(&token)).await) });
    }
    callers.join_all().await;
    let fetches = api.fetches();
    tally.row("cold start, 1,000 at once", fetches).bound(fetches == 1 && tally.refused() == 0, "= 1")
}

pub async fn down_at_boot(quick: bool) -> Row {
    let down_for = Duration::from_secs(if quick { 2 } else { 4 });
    let scene = Scene::cold().await;
    scene.issuer.faults().refuse_connections().await;
    // Built before the socket closed, so that the port is known: this one never saw it open.
    let api = Api::start(&scene.clock, [scene.issuer.trusted()]).await;
    let (tally, token) = (Tally::default(), token(&scene.issuer));
    let down = now();
    while down.elapsed() < down_for {
        tally.other(api.client.call(Some(&token)).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let never_401 = tally.unauthorized() == 0;
    let serves_others = api.client.call(None).await.status == 401;
    // The step that runs now is at most so long: 1 s, doubled with each failure but the first.
    let failures = api.server.health().issuers()[0].failures();
    let step = Duration::from_secs(1 << failures.saturating_sub(1).min(5));
    scene.issuer.faults().accept_connections().await.unwrap();
    let back = now();
    let healed = loop {
        let answer = api.client.call(Some(&token)).await;
        if answer.status == 200 {
            tally.good(answer);
            break back.elapsed();
        }
        tally.other(answer);
        assert!(back.elapsed() < Duration::from_secs(70), "it never heals");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let held = never_401 && serves_others && healed <= step + Duration::from_secs(1);
    let bound = format!(
        "503 until it is back, then good after {:.1} s <= {} s",
        healed.as_secs_f64(),
        step.as_secs()
    );
    tally.row("issuer down at boot", api.fetches()).bound(held, bound)
}

pub async fn down_for_an_hour(quick: bool) -> Row {
    // A driver that does nothing for 15 s counts as dead: smaller steps leave it alive.
    let step = if quick { 14 } else { 10 };
    let scene = Scene::warm().await;
    let (tally, good) = (Tally::default(), token(&scene.issuer));
    let invented = Invented::like(&good);
    scene.issuer.faults().refuse_connections().await;
    let mut seconds = 0;
    while seconds < 3600 {
        scene.clock.advance(step);
        seconds += step;
        tally.other(scene.api.client.call(Some(&invented.token())).await);
        for _ in 0..20 {
            tally.good(scene.api.client.call(Some(&good)).await);
        }
    }
    // Fresh for 5 minutes, stale for an hour more; whatever ran in real time comes on top.
    while seconds < 3900 {
        scene.clock.advance(step);
        seconds += step;
        scene.api.client.call(Some(&invented.token())).await;
    }
    for _ in 0..100 {
        tally.other(scene.api.client.call(Some(&good)).await);
    }
    let held = tally.refused() == 0 && tally.unauthorized() == 0;
    // At 1, 2, 4 … 60 s, each with full jitter: half of that on average, so that twice as many are far too many.
    let most = 3900 / 30 * 2;
    let fetches = scene.api.fetches();
    scene.issuer.faults().accept_connections().await.unwrap();
    scene.clock.advance(60);
    let healed = {
        let client = &scene.api.client;
        tally.good(client.call(Some(&good)).await) || {
            tokio::time::sleep(Duration::from_secs(2)).await;
            client.call(Some(&good)).await.status == 200
        }
    };
    let bound = format!("an hour good, then 503, never 401; back-off alone <= {most}");
    tally.row("issuer down for an hour", fetches).bound(held && healed && fetches <= most, bound)
}

pub fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "this measures time")]
    Instant::now()
}
