//! Does a claim hold a value that a route asks for?

use std::sync::Arc;

use serde_json::Value;
use tracing::error;

use crate::token::claims::Core;

/// A place in the claims, and the values of which one is enough there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct WantedClaim {
    pointer: String,
    values: Vec<String>,
}

impl WantedClaim {
    pub(crate) fn new(pointer: String, values: Vec<String>) -> Self {
        // Setters do not fail. It is the developer's text, and none of a token.
        if !pointer.is_empty() && !pointer.starts_with('/') {
            error!("a JSON pointer begins with `/`, and `{pointer}` does not: every token will be refused");
        }
        Self { pointer, values }
    }

    /// Whether each of them is held by the verified claims.
    pub(crate) fn all_in(wanted: &[Self], core: &Core) -> bool {
        // Nothing is parsed for a route that asks for none; and once for a token that is remembered.
        let parse = || serde_json::from_str::<Value>(core.payload()).map(Arc::new);
        let parsed = || core.typed().map_or_else(parse, |typed| typed.get(parse));
        wanted.is_empty() || parsed().is_ok_and(|claims| wanted.iter().all(|it| it.is_in(&claims)))
    }

    fn is_in(&self, claims: &Value) -> bool {
        let is_wanted =
            |value: &Value| value.as_str().is_some_and(|text| self.values.iter().any(|it| it == text));
        match claims.pointer(&self.pointer) {
            Some(Value::Array(values)) => values.iter().any(is_wanted),
            Some(value) => is_wanted(value),
            None => false,
        }
    }

    /// For an operator.
    pub(crate) fn all_in_words(wanted: &[Self]) -> String {
        wanted.iter().map(Self::in_words).collect::<Vec<_>>().join("; ")
    }

    fn in_words(&self) -> String {
        format!("`{}` holds one of {:?}", self.pointer, self.values)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_found_where_the_pointer_says_and_nowhere_else() {
        let claims = json!({
            "realm_access": { "roles": ["user", "admin", 7, null] },
            "permissions": ["read:orders"],
            "department": "sales",
            "https://example.com/groups": ["staff"],
            "level": 7,
            "roles": { "admin": true },
        });
        for (pointer, value, is_held) in [
            ("/realm_access/roles", "admin", true),
            ("/realm_access/roles", "Admin", false),
            ("/realm_access/roles", "adm", false),
            ("/realm_access/roles", "7", false),
            ("/realm_access/roles/1", "admin", true),
            ("/realm_access/roles/0", "admin", false),
            ("/realm_access", "roles", false),
            ("/permissions", "read:orders", true),
            ("/department", "sales", true),
            ("/https:~1~1example.com~1groups", "staff", true),
            ("/level", "7", false),
            ("/roles", "admin", false),
            ("/absent", "x", false),
            ("permissions", "read:orders", false),
            ("", "sales", false),
        ] {
            let wanted = WantedClaim::new(pointer.into(), vec!["unheard of".into(), value.into()]);
            assert_eq!(wanted.is_in(&claims), is_held, "{pointer} {value}");
        }
        let none = WantedClaim::new("/department".into(), Vec::new());
        assert!(!none.is_in(&claims), "no value is ever one of none");
    }
}
