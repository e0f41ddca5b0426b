//! Which of several introspected issuers is asked about an opaque token?

use std::{fmt, sync::Arc};

use crate::token::presented::Presented;

/// Chooses the one introspected issuer that is asked about an opaque token. A token for which none is chosen is refused with
/// 401, and nobody is asked: whoever is asked about a token has it.
///
/// ```
/// use bearergate::Selector;
///
/// let by_prefix = Selector::by_prefix([("gho_", "https://github.com"), ("dc_", "https://discord.com")]);
/// let by_header = Selector::by_header("x-tenant", [("acme", "https://acme.example"), ("ajax", "https://ajax.example")]);
/// let by_host = Selector::by_host([("acme.api.example.com", "https://acme.example")]);
/// let by_rule = Selector::by(|presented| {
///     let is_old = presented.uri().is_some_and(|uri| uri.path().starts_with("/v1/"));
///     Some(if is_old { "https://old.example" } else { "https://new.example" }.to_owned())
/// });
/// # let _ = (by_prefix, by_header, by_host, by_rule);
/// ```
#[derive(Clone)]
#[must_use = "a selector does nothing until a server has it"]
pub struct Selector(Kind);

#[derive(Clone)]
enum Kind {
    By(Arc<Rule>),
    Header(String, Table),
    Host(Table),
    Prefix(Table),
}

/// A rule of the application's own.
type Rule = dyn Fn(&Presented<'_>) -> Option<String> + Send + Sync;

/// What is looked for, and the issuer that it stands for.
type Table = Arc<[(String, String)]>;

impl Selector {
    /// By how the token begins. Of several prefixes that fit, the longest counts.
    pub fn by_prefix<P: Into<String>, I: Into<String>>(table: impl IntoIterator<Item = (P, I)>) -> Self {
        Self(Kind::Prefix(collect(table)))
    }

    /// By a header field of the request, octet for octet. A field that is missing, or comes twice, chooses none.
    pub fn by_header<V: Into<String>, I: Into<String>>(
        name: impl Into<String>,
        table: impl IntoIterator<Item = (V, I)>,
    ) -> Self {
        Self(Kind::Header(name.into(), collect(table)))
    }

    /// By the host that the request names, without port; letter case does not count (RFC 9110 §4.2.3).
    pub fn by_host<H: Into<String>, I: Into<String>>(table: impl IntoIterator<Item = (H, I)>) -> Self {
        Self(Kind::Host(collect(table)))
    }

    /// By a rule of your own, which gives the identifier of the issuer.
    pub fn by(rule: impl Fn(&Presented<'_>) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Kind::By(Arc::new(rule)))
    }

    /// Hands the chosen issuer to `found`.
    pub(crate) fn choose<T>(
        &self,
        presented: &Presented<'_>,
        found: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let entry = match &self.0 {
            Kind::By(rule) => return found(&rule(presented)?),
            Kind::Header(name, table) => {
                let value = presented.header(name)?;
                table.iter().find(|(key, _)| key == value)
            }
            Kind::Host(table) => {
                let host = presented.host()?;
                table.iter().find(|(key, _)| key.eq_ignore_ascii_case(host))
            }
            Kind::Prefix(table) => {
                let fitting = table.iter().filter(|(prefix, _)| presented.has_prefix(prefix));
                fitting.max_by_key(|(prefix, _)| prefix.len())
            }
        };
        found(&entry?.1)
    }

    /// The issuers that it can choose, as far as that is known.
    pub(crate) fn issuers(&self) -> impl Iterator<Item = &str> {
        let table = match &self.0 {
            Kind::By(_) => &[][..],
            Kind::Header(_, table) | Kind::Host(table) | Kind::Prefix(table) => table,
        };
        table.iter().map(|(_, issuer)| issuer.as_str())
    }
}

fn collect<K: Into<String>, I: Into<String>>(table: impl IntoIterator<Item = (K, I)>) -> Table {
    table.into_iter().map(|(key, issuer)| (key.into(), issuer.into())).collect()
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::By(_) => "Selector::by",
            Kind::Header(..) => "Selector::by_header",
            Kind::Host(_) => "Selector::by_host",
            Kind::Prefix(_) => "Selector::by_prefix",
        })
    }
}

/// How the issuer is found that an opaque token belongs to.
#[derive(Clone, Debug, Default)]
pub(crate) enum Selection {
    /// All are asked, one after the other, in the order in which they were trusted.
    InOrder,
    /// There is but one.
    #[default]
    Only,
    Selected(Selector),
}
