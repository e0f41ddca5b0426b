//! Does the user consent?

/// Settled before anybody comes, or asked.
#[derive(Clone, Debug)]
pub(in crate::testing) enum Consent {
    /// The page asks which of these it is.
    AskedOf(Vec<User>),
    Denied,
    /// At once, by this subject.
    GivenBy(String),
}

/// Somebody who can be picked.
#[derive(Clone, Debug)]
pub(in crate::testing) struct User {
    pub(in crate::testing) subject: String,
    /// What the page calls them.
    pub(in crate::testing) name: String,
}

impl Consent {
    /// Asks these, each once. Panics if there is nobody.
    pub(in crate::testing) fn asked_of(subjects: impl IntoIterator<Item = String>) -> Self {
        let mut users: Vec<User> = Vec::new();
        for subject in subjects {
            // A form field without a value counts as none.
            assert!(!subject.is_empty(), "a user has a subject");
            if users.iter().all(|known| known.subject != subject) {
                users.push(User { name: subject.clone(), subject });
            }
        }
        assert!(!users.is_empty(), "the page has a user to pick");
        Self::AskedOf(users)
    }

    /// What this subject is called, if it is one who consents here.
    pub(in crate::testing) fn name_of(&self, subject: &str) -> Option<&str> {
        match self {
            Self::AskedOf(users) => {
                users.iter().find(|user| user.subject == subject).map(|user| user.name.as_str())
            }
            Self::GivenBy(known) => Some(known.as_str()).filter(|known| *known == subject),
            Self::Denied => None,
        }
    }

    /// The user of this subject, if it is one who is asked.
    pub(in crate::testing) fn user_mut(&mut self, subject: &str) -> Option<&mut User> {
        match self {
            Self::AskedOf(users) => users.iter_mut().find(|user| user.subject == subject),
            Self::Denied | Self::GivenBy(_) => None,
        }
    }
}

impl Default for Consent {
    fn default() -> Self {
        Self::GivenBy("test-user".to_owned())
    }
}
