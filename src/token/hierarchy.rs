//! Which scopes does a granted scope stand for?

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::Arc,
};

use crate::token::{
    claims::Core,
    scope::{Scopes, is_scope_token},
};

/// Scopes that stand for others: with `admin` goes `read:orders`, though the token does not say so.
///
/// Given to the [builder](crate::ResourceServerBuilder::scope_hierarchy), it counts wherever this resource server looks for a scope:
/// in the layer's path table, in [`require`](crate::ResourceServer::require), [`check`](crate::ResourceServer::check) and
/// [`explain_for`](crate::ResourceServer::explain_for), and in the extractor `Scoped`. A challenge names what the route asks for, which is
/// always enough. [`AccessToken::has_scope`](crate::AccessToken::has_scope) says what the token says. **Default:** a scope stands for
/// itself alone.
///
/// ```
/// use bearergate::{Issuer, ResourceServer, ScopeHierarchy, scopes};
///
/// # fn main() -> Result<(), bearergate::ConfigError> {
/// let hierarchy = ScopeHierarchy::new([
///     (scopes!["admin"], scopes!["write:orders", "write:users"]),
///     (scopes!["write:orders"], scopes!["read:orders"]), // and so `admin` stands for it too
/// ]);
/// let api = ResourceServer::builder("https://api.example.com")
///     .trust(Issuer::discover("https://login.example.com"))
///     .scope_hierarchy(hierarchy)
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct ScopeHierarchy(Rule);

#[derive(Clone, Default)]
enum Rule {
    #[default]
    Flat,
    Table(Arc<HashMap<Box<str>, HashSet<Box<str>>>>),
    Function(Arc<Implies>),
}

type Implies = dyn Fn(&str, &str) -> bool + Send + Sync;

impl ScopeHierarchy {
    /// A table: each scope of the first list, by itself, stands for all of the second, and for what those stand for.
    pub fn new(implications: impl IntoIterator<Item = (Scopes, Scopes)>) -> Self {
        let mut table: HashMap<Box<str>, HashSet<Box<str>>> = HashMap::new();
        for (granted, implied) in implications {
            for scope in granted.iter() {
                table.entry(scope.into()).or_default().extend(implied.iter().map(Into::into));
            }
        }
        // A scope that is reached hands on what it reaches, until nothing new comes: a circle ends too.
        let direct = table.clone();
        for reached in table.values_mut() {
            let mut next: Vec<Box<str>> = reached.iter().cloned().collect();
            while let Some(scope) = next.pop() {
                for further in direct.get(&scope).into_iter().flatten() {
                    if reached.insert(further.clone()) {
                        next.push(further.clone());
                    }
                }
            }
        }
        Self(Rule::Table(Arc::new(table)))
    }

    /// A function that says whether the first scope, which a token carries, stands for the second, which a route asks for. It is asked
    /// for each scope of a token, so it is to be quick; the first comes from outside, and is any scope-token (RFC 6749 §3.3).
    ///
    /// ```
    /// use bearergate::ScopeHierarchy;
    ///
    /// // `orders` stands for `orders.read`, and so on down.
    /// let hierarchy = ScopeHierarchy::by(|granted, wanted| {
    ///     wanted.strip_prefix(granted).is_some_and(|rest| rest.starts_with('.'))
    /// });
    /// ```
    pub fn by(implies: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Self {
        Self(Rule::Function(Arc::new(implies)))
    }

    /// Whether a token carries a scope, or one that stands for it.
    pub(crate) fn grants(&self, core: &Core, wanted: &str) -> bool {
        core.scopes().any(|granted| granted == wanted || self.implies(granted, wanted))
    }

    fn implies(&self, granted: &str, wanted: &str) -> bool {
        match &self.0 {
            Rule::Flat => false,
            Rule::Table(table) => table.get(granted).is_some_and(|implied| implied.contains(wanted)),
            // An issuer may write anything into `scope`; what is no scope-token stands for nothing.
            Rule::Function(implies) => is_scope_token(granted) && implies(granted, wanted),
        }
    }
}

impl fmt::Debug for ScopeHierarchy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Flat => f.write_str("ScopeHierarchy(flat)"),
            Rule::Table(table) => f.debug_tuple("ScopeHierarchy").field(table).finish(),
            Rule::Function(_) => f.write_str("ScopeHierarchy(function)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scopes;

    #[test]
    fn what_is_implied_implies_in_turn_and_nothing_flows_back() {
        let hierarchy = ScopeHierarchy::new([
            (scopes!["root", "admin"], scopes!["write", "audit"]),
            (scopes!["write"], scopes!["read"]),
            (scopes!["left"], scopes!["right"]),
            (scopes!["right"], scopes!["left"]),
        ]);
        for (granted, wanted, is_implied) in [
            ("root", "write", true),
            ("admin", "audit", true),
            ("admin", "read", true),
            ("write", "read", true),
            ("left", "right", true),
            ("right", "left", true),
            ("read", "write", false),
            ("write", "admin", false),
            ("write", "audit", false),
            ("Admin", "write", false),
            ("admin", "writ", false),
            ("", "read", false),
        ] {
            assert_eq!(hierarchy.implies(granted, wanted), is_implied, "{granted} -> {wanted}");
        }
    }

    #[test]
    fn a_function_sees_scope_tokens_alone() {
        let hierarchy = ScopeHierarchy::by(|_, _| true);
        assert!(hierarchy.implies("any", "read"));
        for odd in ["", "a\tb", "\"q\"", "é", "\0", "a\\b"] {
            assert!(!hierarchy.implies(odd, "read"), "{odd:?}");
        }
    }
}
