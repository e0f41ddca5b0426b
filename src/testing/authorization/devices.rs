//! Which devices wait for their user, and what has become of it? (RFC 8628)

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::UnixTime,
    testing::{
        authorization::{codes::Consented, random::unguessable},
        token_endpoint::TokenError,
    },
};

/// Devices by their code, and how many wrong user codes came of late.
#[derive(Default)]
pub(super) struct Devices(Mutex<State>);

#[derive(Default)]
struct State {
    waiting: HashMap<String, Device>,
    wrong: Wrong,
}

struct Device {
    user_code: String,
    asked: Asked,
    decision: Decision,
    until: UnixTime,
    /// Between two questions of the device; longer each time that it does not keep to it.
    interval: Duration,
    last_poll: Option<UnixTime>,
}

/// What a device asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) client_id: String,
    pub(super) resources: Vec<String>,
    pub(super) scope: String,
}

enum Decision {
    Pending,
    Denied,
    /// By this subject.
    Given(String),
}

/// Wrong user codes since a moment.
#[derive(Default)]
struct Wrong {
    since: Option<UnixTime>,
    count: u32,
}

/// What a device gets to show and to keep.
pub(super) struct Codes {
    pub(super) device_code: String,
    pub(super) user_code: String,
}

/// Why a user code leads nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoDevice {
    Unknown,
    /// Somebody tries them out.
    TooManyTries,
}

impl Devices {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a device in, if not too many wait.
    pub(super) fn begin(&self, asked: Asked, now: UnixTime) -> Option<Codes> {
        let mut state = self.lock();
        // Those that are over are told so for a while (§3.5).
        state.waiting.retain(|_, device| now < device.until.saturating_add(LIFETIME));
        if state.waiting.values().filter(|device| now < device.until).count() >= MAX_DEVICES {
            return None;
        }
        let device_code = unguessable("device");
        let user_code = user_code();
        let device = Device {
            user_code: user_code.clone(),
            asked,
            decision: Decision::Pending,
            until: now.saturating_add(LIFETIME),
            interval: INTERVAL,
            last_poll: None,
        };
        state.waiting.insert(device_code.clone(), device);
        Some(Codes { device_code, user_code })
    }

    /// What the device with this code asks for, for a user to decide on, and the code as the device shows it.
    pub(super) fn asked(&self, typed: &str, now: UnixTime) -> Result<(Asked, String), NoDevice> {
        self.with_device(typed, now, |device| (device.asked.clone(), device.user_code.clone()))
    }

    /// A user has the code of a device, and says yes, as this subject, or no.
    pub(super) fn decide(&self, typed: &str, subject: Option<&str>, now: UnixTime) -> Result<(), NoDevice> {
        self.with_device(typed, now, |device| {
            device.decision = subject.map_or(Decision::Denied, |subject| Decision::Given(subject.to_owned()));
        })
    }

    /// One that waits for a decision. A code of none is a try.
    fn with_device<T>(
        &self,
        typed: &str,
        now: UnixTime,
        act: impl FnOnce(&mut Device) -> T,
    ) -> Result<T, NoDevice> {
        let mut state = self.lock();
        if state.wrong.are_too_many(now) {
            return Err(NoDevice::TooManyTries);
        }
        let typed = normalized(typed);
        let found = state.waiting.values_mut().find(|device| {
            now < device.until
                && matches!(device.decision, Decision::Pending)
                && normalized(&device.user_code) == typed
        });
        match found {
            Some(device) => Ok(act(device)),
            None => {
                state.wrong.one_more(now);
                Err(NoDevice::Unknown)
            }
        }
    }

    /// A device asks whether it may go on (§3.4, §3.5): then it gets what `give` gives, once.
    pub(super) fn poll<T>(
        &self,
        code: &str,
        client_id: &str,
        now: UnixTime,
        give: impl FnOnce(&Consented) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let mut state = self.lock();
        let device = state
            .waiting
            .get_mut(code)
            .ok_or(TokenError::InvalidGrant("the device code is unknown or used"))?;
        if device.asked.client_id != client_id {
            return Err(TokenError::InvalidGrant("the device code is unknown or used"));
        }
        if now >= device.until {
            state.waiting.remove(code);
            return Err(TokenError::ExpiredToken);
        }
        let is_too_soon =
            device.last_poll.is_some_and(|last| now.saturating_duration_since(last) < device.interval);
        device.last_poll = Some(now);
        if is_too_soon {
            device.interval = device.interval.saturating_add(INTERVAL);
            return Err(TokenError::SlowDown);
        }
        match &device.decision {
            Decision::Pending => Err(TokenError::AuthorizationPending),
            Decision::Denied => {
                state.waiting.remove(code);
                Err(TokenError::AccessDenied)
            }
            Decision::Given(subject) => {
                let Asked { client_id, resources, scope } = device.asked.clone();
                let given = give(&Consented { client_id, resources, scope, subject: subject.clone() })?;
                state.waiting.remove(code);
                Ok(given)
            }
        }
    }
}

impl Wrong {
    fn are_too_many(&self, now: UnixTime) -> bool {
        self.is_of_late(now) && self.count >= MAX_TRIES
    }

    fn one_more(&mut self, now: UnixTime) {
        if !self.is_of_late(now) {
            *self = Self { since: Some(now), count: 0 };
        }
        self.count = self.count.saturating_add(1);
    }

    fn is_of_late(&self, now: UnixTime) -> bool {
        self.since.is_some_and(|since| now.saturating_duration_since(since) < TRIES_WITHIN)
    }
}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Devices").finish_non_exhaustive()
    }
}

/// Eight letters without vowels, so that no word comes out (§6.1): 34 bits.
fn user_code() -> String {
    let mut letters = String::with_capacity(9);
    let mut octets = [0; 1];
    while letters.len() < 9 {
        getrandom::fill(&mut octets).expect("the system has random octets");
        // 240 is a multiple of 20: none is likelier than another.
        let [octet] = octets;
        let Some(letter) = LETTERS.get(usize::from(octet % 20)).filter(|_| octet < 240) else { continue };
        letters.push(char::from(*letter));
        if letters.len() == 4 {
            letters.push('-');
        }
    }
    letters
}

/// As people type it (§6.1).
fn normalized(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_alphanumeric).take(MAX_TYPED).collect::<String>().to_ascii_uppercase()
}

const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// More than any code has.
const MAX_TYPED: usize = 16;

/// A user has to find the page and sign in (§3.2).
pub(super) const LIFETIME: Duration = Duration::from_secs(600);

/// §3.2.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

/// More than wait in a demonstration. Each has at most eight resources of 2 KiB, and 4 KiB of scopes.
const MAX_DEVICES: usize = 1024;

/// Of 2.5e10 codes, so many may be tried in a minute (§5.1).
const MAX_TRIES: u32 = 10;
const TRIES_WITHIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_is_easy_to_type() {
        for _ in 0..200 {
            let code = user_code();
            let (first, second) = code.split_once('-').expect("two halves");
            assert_eq!((first.len(), second.len()), (4, 4), "{code}");
            assert!(normalized(&code).bytes().all(|octet| LETTERS.contains(&octet)), "{code}");
            assert_eq!(
                normalized(&format!(" {} ", code.to_lowercase().replace('-', " "))),
                normalized(&code)
            );
        }
    }
}
