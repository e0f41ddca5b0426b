//! What do the parameters of a request say?

use url::form_urlencoded;

/// Parameters in the form of HTML, of a query or of content (RFC 6749, appendix B).
pub(super) struct Form(Vec<(String, String)>);

/// A parameter stands there twice, which none may (RFC 6749 §3.1, §3.2) but `resource`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeated;

impl Form {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first one of this name.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The only one of this name. One without a value counts as none (RFC 6749 §3.1).
    pub(super) fn once(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut values = self.all(name);
        let value = values.next().filter(|value| !value.is_empty());
        if values.next().is_some() { Err(Repeated) } else { Ok(value) }
    }

    /// Each one of this name (RFC 8707 §2).
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
