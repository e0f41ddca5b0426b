//! What is a scope, and a list of them?

use std::{fmt, sync::Arc};

use crate::error::InvalidScope;

/// One scope-token: printable ASCII without space, quote and backslash (RFC 6749 §3.3).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Scope(Arc<str>);

impl Scope {
    /// The scope as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Scope {
    type Error = InvalidScope;

    fn try_from(text: &str) -> Result<Self, InvalidScope> {
        if is_scope_token(text) { Ok(Self(text.into())) } else { Err(InvalidScope) }
    }
}

impl AsRef<str> for Scope {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A list of scopes, all of which are meant. Never empty.
///
/// ```
/// use bearergate::{Scopes, scopes};
/// let fixed = scopes!["read:orders", "write:orders"]; // checked when this is compiled
/// let given = Scopes::parse("read:orders write:orders")?; // checked when this runs
/// assert_eq!(fixed, given);
/// # Ok::<(), bearergate::InvalidScope>(())
/// ```
#[derive(Clone)]
pub struct Scopes(List);

#[derive(Clone)]
enum List {
    Static(&'static [&'static str]),
    Owned(Arc<[Scope]>),
}

impl Scopes {
    /// Takes a list as it stands in a `scope` parameter: scope-tokens with single spaces between (RFC 6749 §3.3).
    ///
    /// # Errors
    ///
    /// [`InvalidScope`] when the list is empty or a word is not a scope-token.
    pub fn parse(list: &str) -> Result<Self, InvalidScope> {
        let scopes = list.split(' ').map(Scope::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(List::Owned(scopes.into())))
    }

    /// The scopes, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (fixed, owned): (&[&'static str], &[Scope]) = match &self.0 {
            List::Static(list) => (list, &[]),
            List::Owned(list) => (&[], list),
        };
        fixed.iter().copied().chain(owned.iter().map(Scope::as_str))
    }

    /// For [`scopes!`](crate::scopes), in a constant: there a wrong scope stops the compilation.
    #[doc(hidden)]
    #[expect(
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "runs at compile time"
    )]
    pub const fn from_static(list: &'static [&'static str]) -> Self {
        let mut next = 0;
        while next < list.len() {
            if !is_scope_token(list[next]) {
                panic!(
                    "a scope is empty or holds a space, a quote, a backslash, a control character or non-ASCII text"
                );
            }
            next += 1;
        }
        Self(List::Static(list))
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(List::Owned([scope].into()))
    }
}

impl PartialEq for Scopes {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Scopes {}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

/// A named list of scopes for a handler's signature; made by [`scopes!`](crate::scopes), read by `Scoped`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name scopes",
    note = "declare it: `scopes!(pub {Self} = \"read:orders\");`"
)]
pub trait RequiredScopes: Send + Sync + 'static {
    /// The scopes that the token must carry, all of them.
    const SCOPES: Scopes;
}

/// Makes a list of scopes, or a type that names one. A wrong scope does not compile.
///
/// ```
/// use bearergate::{Scopes, scopes};
///
/// let list: Scopes = scopes!["read:orders", "admin"];
///
/// scopes!(pub ReadOrders = "read:orders"); // for handlers: `_: Scoped<ReadOrders>`
/// ```
///
/// ```compile_fail
/// let list = bearergate::scopes!["two words"];
/// ```
#[macro_export]
macro_rules! scopes {
    ($(#[$meta:meta])* $vis:vis $name:ident = $($scope:literal),+ $(,)?) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $vis struct $name;

        impl $crate::RequiredScopes for $name {
            const SCOPES: $crate::Scopes = $crate::scopes![$($scope),+];
        }
    };
    ($($scope:literal),+ $(,)?) => {
        const { $crate::Scopes::from_static(&[$($scope),+]) }
    };
}

/// Whether `text` is a scope-token (RFC 6749 §3.3).
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "constant evaluation has no iterators"
)]
pub(crate) const fn is_scope_token(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut next = 0;
    while next < bytes.len() {
        if !matches!(bytes[next], 0x21 | 0x23..=0x5B | 0x5D..=0x7E) {
            return false;
        }
        next += 1;
    }
    next > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_list_is_checked_to_its_end() {
        let fails =
            |list: &'static [&'static str]| std::panic::catch_unwind(|| Scopes::from_static(list)).is_err();
        assert!(!fails(&["a", "b:c", "d"]));
        for list in [&["a b"] as &[_], &["a", ""], &["a", "b", "\u{e9}"], &["\"", "a"], &["a\\"]] {
            assert!(fails(list), "{list:?}");
        }
    }

    #[test]
    fn lists_are_equal_word_for_word_in_order() {
        let list = |text| Scopes::parse(text).unwrap();
        assert_eq!(list("a b"), Scopes::from_static(&["a", "b"]));
        assert_ne!(list("a b"), list("b a"));
        assert_ne!(list("a"), list("a b"));
        assert_eq!(Scopes::from(Scope::try_from("a").unwrap()), list("a"));
    }

    #[test]
    fn a_scope_prints_as_it_is() {
        let scope = Scope::try_from("read:orders").unwrap();
        assert_eq!(
            (scope.as_str(), scope.as_ref(), &*scope.to_string()),
            ("read:orders", "read:orders", "read:orders")
        );
        assert_eq!(format!("{:?}", Scopes::parse("a b").unwrap()), r#"["a", "b"]"#);
    }
}
