//! What does a rotation of keys cost?

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::{
    scene::{COOLDOWN, Invented, Scene, token},
    table::{Row, Tally},
};

fn name(overlap: bool) -> &'static str {
    if overlap { "with overlap" } else { "without overlap" }
}

fn rotate(scene: &Scene, overlap: bool) {
    if overlap { scene.issuer.rotate_gently() } else { scene.issuer.rotate() }
}

/// Right after boot, and then again and again: fifty tokens of the new key at once.
pub async fn calm(overlap: bool) -> Row {
    const ROTATIONS: u64 = 20;
    let scene = Scene::warm().await;
    let tally = Arc::new(Tally::default());
    let mut old = token(&scene.issuer);
    for _ in 0..ROTATIONS {
        rotate(&scene, overlap);
        let new = token(&scene.issuer);
        // Held keys serve until somebody shows a new one; published ones also after that.
        tally.good(scene.api.client.call(Some(&old)).await);
        let mut callers = JoinSet::new();
        for _ in 0..50 {
            let (client, tally, token) = (scene.api.client.clone(), Arc::clone(&tally), new.clone());
            callers.spawn(async move { tally.good(client.call(Some(&token)).await) });
        }
        callers.join_all().await;
        if overlap {
            tally.good(scene.api.client.call(Some(&old)).await);
        }
        old = new;
        scene.clock.advance(COOLDOWN);
    }
    let fetches = scene.api.fetches();
    let held = tally.refused() == 0 && fetches <= 1 + ROTATIONS;
    tally.row(format!("20 rotations {}", name(overlap)), fetches).bound(held, "<= 1 + 20")
}

/// In the middle of a flood. With overlap, the new key is published for a minute before it signs.
pub async fn flooded(overlap: bool) -> Row {
    const BEFORE: u64 = 20;
    const PUBLISHED: u64 = 60;
    const AFTER: u64 = 100;
    let scene = Scene::warm().await;
    let tally = Tally::default();
    let old = token(&scene.issuer);
    let invented = Invented::like(&old);
    let mut good = old.clone();
    let mut refused = Vec::new();
    for second in 0..BEFORE + PUBLISHED + AFTER {
        scene.clock.advance(1);
        if second == BEFORE {
            rotate(&scene, overlap);
        }
        let signs = if overlap { BEFORE + PUBLISHED } else { BEFORE };
        if second == signs {
            good = token(&scene.issuer);
        }
        for _ in 0..20 {
            tally.other(scene.api.client.call(Some(&invented.token())).await);
        }
        if !tally.good(scene.api.client.call(Some(&good)).await) {
            refused.push(second - signs);
        }
        if overlap {
            tally.good(scene.api.client.call(Some(&old)).await);
        }
    }
    let fetches = scene.api.fetches();
    let elapsed = BEFORE + PUBLISHED + AFTER;
    let most = 1 + elapsed / COOLDOWN + 1;
    let longest = if overlap { 0 } else { COOLDOWN };
    let last = refused.last().map_or(0, |second| second + 1);
    let bound = format!("<= {most}; refused for {last} s <= {longest} s");
    let held = fetches <= most && last <= longest && tally.unavailable() == 0;
    tally.row(format!("rotation in a flood, {}", name(overlap)), fetches).bound(held, bound)
}
