//! Every order in which threads can go through `src/keys/shell.rs`, as far as loom explores it.
//!
//! `RUSTFLAGS='--cfg loom' cargo run --release --manifest-path loom/Cargo.toml --target-dir target/loom`
#![allow(dead_code, reason = "the files belong to the crate; not all of each is explored")]

#[cfg(loom)]
mod keys;
#[cfg(loom)]
mod models;

#[cfg(loom)]
fn main() {
    models::explore_all();
}

#[cfg(not(loom))]
fn main() {
    eprintln!("compile this with RUSTFLAGS='--cfg loom'");
    std::process::exit(2);
}
