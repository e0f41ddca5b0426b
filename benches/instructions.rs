//! What `scripts/instructions` counts under callgrind: one way to handle tokens, so many times, and nothing else.
//!
//! Keys are made by `prepare`, in a run of its own, because making them costs a random number of instructions.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench fails by panicking"
)]
#![expect(clippy::print_stdout, reason = "a bench talks to its reader")]

mod common;

use std::{fs, path::Path};

use bearergate::{Algorithm, Clock as _, SystemClock};
use common::{ALGORITHMS, Subject, bare, call, refusals::refusals, tokens};

const TOKENS: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["prepare", folder] => prepare(Path::new(folder)),
        ["run", folder, algorithm, way, count] => {
            run(Path::new(folder), Algorithm::from_name(algorithm).unwrap(), way, count.parse().unwrap());
        }
        _ => println!("instruction counts: run `scripts/instructions`"),
    }
}

fn prepare(folder: &Path) {
    for algorithm in ALGORITHMS {
        let (jwks, tokens) = tokens(algorithm, TOKENS);
        fs::write(folder.join(format!("{algorithm}.jwks")), jwks).unwrap();
        fs::write(folder.join(format!("{algorithm}.tokens")), tokens.join("\n")).unwrap();
    }
}

fn run(folder: &Path, algorithm: Algorithm, way: &str, count: usize) {
    let read = |extension: &str| fs::read_to_string(folder.join(format!("{algorithm}.{extension}"))).unwrap();
    let (jwks, tokens) = (read("jwks"), read("tokens"));
    let tokens: Vec<String> = tokens.lines().map(str::to_owned).collect();
    let subject = Subject::by(algorithm, &jwks, &tokens, |builder| match way {
        "remembered" => builder.with_token_cache(1000),
        _ => builder,
    });
    let (mut service, mut layered) = (bare(), subject.layered(bare()));
    let repeat = |work: &mut dyn FnMut(usize)| (0..count).for_each(work);
    match way {
        "check" => repeat(&mut |turn| subject.raw(turn)),
        "parsing" => repeat(&mut |turn| subject.parse(turn)),
        "service" => repeat(&mut |turn| call(&mut service, subject.request(turn))),
        "accepted" | "remembered" => repeat(&mut |turn| call(&mut layered, subject.request(turn))),
        reason => {
            let refusals = refusals(&jwks, &tokens[0], SystemClock::default().wall());
            repeat(&mut refusals.iter().find(|refused| refused.name == reason).unwrap().way());
        }
    }
}
