//! What does a path ask for, beyond a good token?

use std::collections::HashMap;

use http::Method;

use crate::{
    error::ConfigError,
    token::{requirement::Requirement, scope::Scopes},
};

/// What each path asks for, beyond a good token: for gRPC, where a path is a method, and wherever rights are kept in one place.
///
/// A pattern is a path, octet by octet as the layer sees it: `/orders.Orders/List`. A method before it, as in `POST /orders`, confines
/// it to this method; GET counts for HEAD and for the CONNECT of a WebSocket over HTTP/2 too, as in routers. A path with patterns for some
/// methods alone is closed for the others, because not every service looks at the method. A segment `{name}` stands for any one segment, and
/// `*` at the end for the place itself and all that is below: `/admin/*` is `/admin`, `/admin/` and `/admin/users`. Where several fit,
/// the most specific one decides: from the left, a literal segment before `{name}`, and that before `*`; then one with a method. A path without a pattern asks
/// for a good token and nothing more, unless [`otherwise`](Self::otherwise) says what; `otherwise(Requirement::any_of([]))` closes the
/// rest to everybody. [`Requirement::no_token`] opens a path to everybody, and `Requirement::default()` leaves it to
/// [`optional`](crate::BearerAuthLayer::optional).
///
/// It is for routers that compare paths as they come, as tonic, axum and hyper do. Within axum's `nest` the layer sees the rest of the
/// path. A literal segment is a guard where the router has it too: what the router takes as a parameter, `/tenants/{id}`, it decodes, and
/// `/tenants/%72oot` is `root` to the handler and not here. A service that decodes or mends paths, such as one for files, or a proxy, may take other paths for the same place: there, and
/// wherever the route can say it, [`require`](crate::ResourceServer::require) is the safer way. `OPTIONS *` and the CONNECT of a proxy have no
/// path: only `otherwise` speaks of them. Patterns other than literal ones are looked at one after the other: keep them to some hundred.
/// [The guide](crate::guide::rights) says when a table is the better way, and when not.
///
/// ```
/// use bearergate::{Issuer, PathRequirements, ResourceServer, scopes};
///
/// # fn main() -> Result<(), bearergate::ConfigError> {
/// let rights = PathRequirements::new([
///     ("/orders.Orders/List", scopes!["read:orders"]),
///     ("/orders.Orders/*", scopes!["write:orders"]),
/// ])?;
/// # let api = ResourceServer::builder("https://api.example.com").trust(Issuer::discover("https://login.example.com")).build()?;
/// let layer = api.layer().require_by_path(rights);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct PathRequirements {
    /// Those of literal segments alone, by path; one with a method comes first.
    exact: HashMap<Box<str>, Vec<Pattern>>,
    /// The others, the most specific first.
    patterns: Vec<Pattern>,
    otherwise: Option<Requirement>,
}

#[derive(Clone, Debug)]
struct Pattern {
    method: Option<Method>,
    path: Box<str>,
    segments: Vec<Segment>,
    requirement: Requirement,
}

/// In the order of how specific they are.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Segment {
    Literal(Box<str>),
    Any,
    /// All that is below, and the place itself.
    Rest,
}

impl PathRequirements {
    /// A table of patterns and what they ask for.
    ///
    /// # Errors
    ///
    /// [`ConfigError::PathPattern`] when a pattern does not begin with `/` or one of the methods GET, POST, PUT, PATCH, DELETE, OPTIONS, TRACE,
    /// CONNECT and a space, has a `*` that is not its last segment, has a `{` or
    /// `}` that does not enclose the name of a segment, holds what no path holds, or stands there twice.
    pub fn new<P, R>(requirements: impl IntoIterator<Item = (P, R)>) -> Result<Self, ConfigError>
    where
        P: AsRef<str>,
        R: Into<Requirement>,
    {
        Self::default().and(requirements)
    }

    /// Adds patterns, which may ask for something of another type: `.and([("/health", Requirement::no_token())])`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn and<P, R>(mut self, requirements: impl IntoIterator<Item = (P, R)>) -> Result<Self, ConfigError>
    where
        P: AsRef<str>,
        R: Into<Requirement>,
    {
        for (pattern, requirement) in requirements {
            self.add(pattern.as_ref(), requirement.into())?;
        }
        let specific = |one: &Pattern, other: &Pattern| {
            (&one.segments, one.method.is_none()).cmp(&(&other.segments, other.method.is_none()))
        };
        self.patterns.sort_by(specific);
        self.exact.values_mut().for_each(|patterns| patterns.sort_by(specific));
        Ok(self)
    }

    /// Sets what a path asks for that no pattern fits. **Default:** a good token.
    #[must_use]
    pub fn otherwise(mut self, requirement: impl Into<Requirement>) -> Self {
        self.otherwise = Some(requirement.into());
        self
    }

    /// The methods and paths of the patterns, and what they ask for: for an API description, such as OpenAPI. Those for every method come
    /// first, so that what comes later may replace it. [`otherwise`](Self::otherwise) is not among them.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&Method>, &str, &Requirement)> {
        let mut all: Vec<_> = self.all().collect();
        all.sort_by_key(|pattern| (pattern.method.is_some(), &pattern.path));
        all.into_iter().map(|pattern| (pattern.method.as_ref(), &*pattern.path, &pattern.requirement))
    }

    fn all(&self) -> impl Iterator<Item = &Pattern> {
        self.exact.values().flatten().chain(&self.patterns)
    }

    /// Every list of scopes that is asked for somewhere, sorted: for
    /// [`scopes_supported`](crate::ResourceServerBuilder::scopes_supported).
    pub fn scopes(&self) -> impl Iterator<Item = Scopes> {
        let requirements = self.all().map(|pattern| &pattern.requirement).chain(&self.otherwise);
        let mut lists: Vec<Scopes> = requirements.flat_map(Requirement::alternatives).cloned().collect();
        lists.sort_by_cached_key(Scopes::to_string);
        lists.dedup();
        lists.into_iter()
    }

    /// What this path asks for.
    pub(crate) fn of(&self, method: &Method, path: &str) -> Option<&Requirement> {
        let exact = self.exact.get(path).into_iter().flatten();
        let by_pattern = self.patterns.iter().filter(|pattern| fits(&pattern.segments, path));
        let mut is_known = false;
        for pattern in exact.chain(by_pattern) {
            if pattern.is_for(method) {
                return Some(&pattern.requirement);
            }
            is_known = true;
        }
        if is_known { Some(&CLOSED) } else { self.otherwise.as_ref() }
    }

    fn add(&mut self, pattern: &str, requirement: Requirement) -> Result<(), ConfigError> {
        let unusable = |reason| ConfigError::PathPattern { pattern: pattern.to_owned(), reason };
        let (method, whole) = match pattern.split_once(' ') {
            Some((method, path)) if !method.starts_with('/') => (Some(method), path),
            _ => (None, pattern),
        };
        let method = match method {
            Some("HEAD") => return Err(unusable("HEAD asks for what GET asks for: write GET")),
            Some(name) => {
                let known = METHODS.iter().find(|known| known.as_str() == name);
                Some(known.cloned().ok_or_else(|| {
                    unusable(
                        "what stands before the path is not one of the methods, in capitals: leave it out for others",
                    )
                })?)
            }
            None => None,
        };
        let path = whole.strip_prefix('/').ok_or_else(|| unusable("it does not begin with `/`: add it"))?;
        let is_of_a_path = |octet: u8| octet > b' ' && octet != 0x7F && !b"?#".contains(&octet);
        if !path.bytes().all(is_of_a_path) {
            return Err(unusable("a path holds no space, control character, `?` and `#`: remove it"));
        }
        let mut segments = Vec::new();
        for text in path.split('/') {
            if segments.last() == Some(&Segment::Rest) {
                return Err(unusable("something follows `*`: it stands for all that is below, at the end"));
            }
            let name = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            segments.push(match name {
                _ if text == "*" => Segment::Rest,
                // Other spellings mean more than one segment, or nothing here.
                Some(name) if !name.is_empty() && !name.contains(['{', '}', '*']) => Segment::Any,
                _ if text.starts_with(':') => {
                    return Err(unusable("a segment with a name is written `{name}`"));
                }
                _ if text.contains(['{', '}']) => {
                    return Err(unusable(
                        "a segment is either `{name}` as a whole, or a literal; all that is below is `*`",
                    ));
                }
                _ if text.contains('*') => {
                    return Err(unusable("`*` is a whole segment, the last: write `/…/*`"));
                }
                _ => Segment::Literal(text.into()),
            });
        }
        let is_literal = segments.iter().all(|segment| matches!(segment, Segment::Literal(_)));
        let known = if is_literal { self.exact.entry(whole.into()).or_default() } else { &mut self.patterns };
        let is_new = known.iter().all(|known| known.segments != segments || known.method != method);
        known.push(Pattern { method, path: whole.into(), segments, requirement });
        if is_new { Ok(()) } else { Err(unusable("it stands in the table twice: merge the two")) }
    }
}

impl Pattern {
    /// GET counts for HEAD, which routers answer with the handler of GET, and for the CONNECT with a path that asks for a WebSocket over
    /// HTTP/2 what GET asks for over HTTP/1.1 (RFC 8441 §4).
    fn is_for(&self, method: &Method) -> bool {
        let is_get = || [Method::HEAD, Method::CONNECT].contains(method);
        self.method.as_ref().is_none_or(|own| own == method || (own == Method::GET && is_get()))
    }
}

/// Those that a pattern may name. A typing error must not guard what nobody calls.
const METHODS: [Method; 8] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

/// What nobody fulfils: for methods of which a path's patterns say nothing.
static CLOSED: Requirement = Requirement::nobody();

fn fits(pattern: &[Segment], path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let mut segments = path.split('/');
    for wanted in pattern {
        let segment = segments.next();
        match (wanted, segment) {
            (Segment::Rest, _) => return true,
            (Segment::Literal(text), Some(segment)) if **text == *segment => (),
            // Also for none: routers give `/orders//refund` to `/orders/{id}/refund`.
            (Segment::Any, Some(_)) => (),
            (Segment::Literal(_) | Segment::Any, _) => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scopes, token::requirement::Requirement};

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text).expect("a scope")
    }

    #[test]
    fn the_most_specific_pattern_decides() {
        let patterns = ["/a/*", "/a/{id}", "/a/b", "/a/{id}/c", "/{any}/b/c", "/a/b/*", "/"];
        let table =
            PathRequirements::new(patterns.map(|pattern| (pattern, scopes(&pattern.replace('"', "")))))
                .expect("good patterns");
        let of = |path: &str| {
            table.of(&Method::GET, path).and_then(Requirement::wanted_scopes).map(ToString::to_string)
        };
        for (path, pattern) in [
            ("/a/b", Some("/a/b")),
            ("/a/x", Some("/a/{id}")),
            ("/a/", Some("/a/{id}")),
            ("/a//c", Some("/a/{id}/c")),
            ("/a//", Some("/a/*")),
            ("/a/b/", Some("/a/b/*")),
            ("/a/x/y/z", Some("/a/*")),
            ("/a/x/c", Some("/a/{id}/c")),
            ("/a/b/c", Some("/a/b/*")),
            ("/z/b/c", Some("/{any}/b/c")),
            ("/", Some("/")),
            ("/a", Some("/a/*")),
            ("/ab", None),
            ("/A/b", None),
            ("/z/b", None),
            ("a/b", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(of(path).as_deref(), pattern, "{path}");
        }
        let table = table.otherwise(scopes("rest"));
        assert_eq!(
            table
                .of(&Method::GET, "/z")
                .and_then(Requirement::wanted_scopes)
                .map(ToString::to_string)
                .as_deref(),
            Some("rest")
        );
    }

    #[test]
    fn a_method_confines_a_pattern() {
        let patterns =
            ["/a", "POST /a", "GET /b", "DELETE /{any}", "/{any}", "PUT /c/*", "GET /a/{id}", "/a/*"];
        let table =
            PathRequirements::new(patterns.map(|pattern| (pattern, scopes(&pattern.replace(' ', "_")))))
                .expect("good patterns");
        for (method, path, pattern) in [
            (Method::CONNECT, "/b", Some("GET_/b")),
            (Method::POST, "/c/d/e", None),
            (Method::POST, "/a", Some("POST_/a")),
            (Method::GET, "/a", Some("/a")),
            (Method::GET, "/b", Some("GET_/b")),
            (Method::HEAD, "/b", Some("GET_/b")),
            (Method::POST, "/b", Some("/{any}")),
            (Method::DELETE, "/b", Some("DELETE_/{any}")),
            (Method::DELETE, "/a", Some("/a")),
            (Method::HEAD, "/a/7", Some("GET_/a/{id}")),
            (Method::PUT, "/a/7", Some("/a/*")),
            (Method::PUT, "/c/d/e", Some("PUT_/c/*")),
            (Method::GET, "/c/d/e", None),
            (Method::GET, "/nowhere/else", None),
        ] {
            let found = table.of(&method, path).and_then(Requirement::wanted_scopes).map(ToString::to_string);
            assert_eq!(found.as_deref(), pattern, "{method} {path}");
        }
        // Closed where other methods are spoken of, and left alone where nothing is.
        assert_eq!(table.of(&Method::GET, "/c/d/e"), Some(&Requirement::any_of([])));
        assert_eq!(table.of(&Method::GET, "/nowhere/else"), None);
        let table = table.otherwise(scopes("rest"));
        assert_eq!(table.of(&Method::GET, "/c/d/e"), Some(&Requirement::any_of([])));
        assert_eq!(table.of(&Method::GET, "/nowhere/else"), Some(&scopes("rest").into()));
        let posts: Vec<_> = table.iter().filter(|(method, ..)| *method == Some(&Method::POST)).collect();
        assert!(matches!(posts[..], [(_, "/a", _)]), "{posts:?}");
    }

    #[test]
    fn patterns_that_mean_nothing_are_refused() {
        for patterns in [
            &["a"][..],
            &[""],
            &["/*/a"],
            &["/a*"],
            &["/{}"],
            &["/a/{*b}"],
            &["/{*b}"],
            &["/:a"],
            &["/a?b"],
            &["/a#b"],
            &["/a b"],
            &["/a\n"],
            &["get /a"],
            &["DELTE /a"],
            &["HEAD /a"],
            &["G€T /a"],
            &[" /a"],
            &["GET  /a"],
            &["GET a"],
            &["GET POST /a"],
            &["GET"],
            &["GET /a", "GET /a"],
            &["GET /{a}", "GET /{b}"],
            &["/{a}b"],
            &["/a/{b"],
            &["/a", "/a"],
            &["/{a}", "/{b}"],
            &["/a/*", "/a/*"],
        ] {
            let table = PathRequirements::new(patterns.iter().map(|pattern| (pattern, scopes("a"))));
            assert!(matches!(table, Err(ConfigError::PathPattern { .. })), "{patterns:?}");
        }
    }
}
