//! Does the user consent?

/// Nobody is asked: it is settled before anybody comes. A page that asks would be one more of these.
#[derive(Clone, Debug)]
pub(in crate::testing) enum Consent {
    Denied,
    /// At once, by this subject.
    GivenBy(String),
}

impl Default for Consent {
    fn default() -> Self {
        Self::GivenBy("test-user".to_owned())
    }
}
