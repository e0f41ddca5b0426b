//! What does a challenge say? Read as strictly as it is written.

use std::time::Duration;

use http::{HeaderMap, Response, header::WWW_AUTHENTICATE};

use crate::{error::ErrorCode, token::scope::Scopes};

/// A Bearer challenge that was received (RFC 6750 §3, RFC 9110 §11.6.1): for tests of what clients are told.
///
/// ```
/// use bearergate::{ErrorCode, testing::Challenge};
/// use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
///
/// let field = r#"Bearer realm="https://api.example.com", scope="read", error="insufficient_scope""#;
/// let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, HeaderValue::from_static(field))]);
/// let challenge = Challenge::from_headers(&headers)?;
/// assert_eq!(challenge.error(), Some(ErrorCode::InsufficientScope));
/// assert_eq!(challenge.scopes(), ["read"]);
/// # Ok::<(), bearergate::testing::InvalidChallenge>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Challenge {
    parameters: Vec<(String, String)>,
}

/// No Bearer challenge can be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{reason}: {fields:?}")]
pub struct InvalidChallenge {
    reason: &'static str,
    fields: Vec<String>,
}

impl Challenge {
    /// The Bearer challenge of an answer.
    ///
    /// # Panics
    ///
    /// Where [`from_headers`](Self::from_headers) fails, with what the answer says.
    #[expect(clippy::panic, reason = "an assertion of a test")]
    #[track_caller]
    pub fn of<B>(response: &Response<B>) -> Self {
        match Self::from_headers(response.headers()) {
            Ok(challenge) => challenge,
            Err(invalid) => panic!("{}: {invalid}", response.status()),
        }
    }

    /// The Bearer challenge among header fields. Challenges of other schemes in fields of their own are passed over.
    ///
    /// # Errors
    ///
    /// [`InvalidChallenge`] where there is none or more than one, or not one as RFC 6750 §3 writes it: at least one parameter, each at
    /// most once, as a quoted string without quote and backslash; `scope` a list of scope-tokens, `error` a registered code, `max_age`
    /// whole seconds (RFC 9470 §3).
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, InvalidChallenge> {
        let fields: Vec<String> = headers
            .get_all(WWW_AUTHENTICATE)
            .into_iter()
            .map(|field| String::from_utf8_lossy(field.as_bytes()).into_owned())
            .collect();
        let mut bearer = fields.iter().filter(|field| is_bearer(field));
        let read = match (bearer.next(), bearer.next()) {
            (None, _) => Err("there is no Bearer challenge"),
            (Some(_), Some(_)) => Err("there is more than one Bearer challenge"),
            (Some(field), None) => Self::parse(field),
        };
        read.map_err(|reason| InvalidChallenge { reason, fields })
    }

    fn parse(field: &str) -> Result<Self, &'static str> {
        let mut rest = field.strip_prefix("Bearer ").ok_or("a Bearer challenge has parameters")?;
        let mut parameters: Vec<(String, String)> = Vec::new();
        loop {
            let (name, tail) = rest.split_once("=\"").ok_or("a parameter is no quoted string")?;
            let (value, tail) = tail.split_once('"').ok_or("a quoted string does not end")?;
            if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_') {
                return Err("the name of a parameter is none");
            }
            if !value.bytes().all(|octet| matches!(octet, b' '..=b'~') && octet != b'\\') {
                return Err("a parameter holds a backslash or what is not printable ASCII");
            }
            if parameters.iter().any(|(known, _)| known == name) {
                return Err("a parameter stands there twice");
            }
            parameters.push((name.to_owned(), value.to_owned()));
            if tail.is_empty() {
                break;
            }
            rest = tail.strip_prefix(", ").ok_or("there is no comma between two parameters")?;
        }
        let challenge = Self { parameters };
        challenge.check()?;
        Ok(challenge)
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.parameter("scope").is_some_and(|list| Scopes::parse(list).is_err()) {
            return Err("`scope` is no list of scopes");
        }
        if self.parameter("error").is_some() && self.error().is_none() {
            return Err("`error` is no registered code");
        }
        if self.parameter("error_description").is_some() && self.error().is_none() {
            return Err("`error_description` describes no error");
        }
        if self.parameter("max_age").is_some() && self.max_age().is_none() {
            return Err("`max_age` is no number of seconds");
        }
        Ok(())
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `realm`: what is protected.
    pub fn realm(&self) -> Option<&str> {
        self.parameter("realm")
    }

    /// `scope`: what a client should ask for, in order. Empty where none is named.
    pub fn scopes(&self) -> Vec<&str> {
        self.words("scope")
    }

    /// `error`: what is wrong with the request.
    pub fn error(&self) -> Option<ErrorCode> {
        let code = self.parameter("error")?;
        CODES.into_iter().find(|known| known.as_str() == code)
    }

    /// `error_description`: the same for developers.
    pub fn error_description(&self) -> Option<&str> {
        self.parameter("error_description")
    }

    /// `resource_metadata`: where the metadata of the resource stands (RFC 9728 §5.1).
    pub fn resource_metadata(&self) -> Option<&str> {
        self.parameter("resource_metadata")
    }

    /// `acr_values`: how users must log in, the most wanted first (RFC 9470 §3). Empty where none is named.
    pub fn acr_values(&self) -> Vec<&str> {
        self.words("acr_values")
    }

    /// `max_age`: how long ago the login may be (RFC 9470 §3).
    pub fn max_age(&self) -> Option<Duration> {
        let seconds =
            self.parameter("max_age").filter(|age| age.bytes().all(|octet| octet.is_ascii_digit()))?;
        seconds.parse().ok().map(Duration::from_secs)
    }

    fn words(&self, name: &str) -> Vec<&str> {
        self.parameter(name).map(|list| list.split(' ').collect()).unwrap_or_default()
    }
}

fn is_bearer(field: &str) -> bool {
    field.split(' ').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("Bearer"))
}

const CODES: [ErrorCode; 4] = [
    ErrorCode::InvalidRequest,
    ErrorCode::InvalidToken,
    ErrorCode::InsufficientScope,
    ErrorCode::InsufficientUserAuthentication,
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(fields: &[&str]) -> Result<Challenge, &'static str> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(field.as_bytes()).unwrap());
        }
        Challenge::from_headers(&headers).map_err(|invalid| invalid.reason)
    }

    #[test]
    fn what_the_rfcs_print_is_read() {
        // RFC 6750 §3, the second figure.
        let challenge = read(&[
            r#"Bearer realm="example", error="invalid_token", error_description="The access token expired""#,
        ])
        .unwrap();
        assert_eq!((challenge.realm(), challenge.error()), (Some("example"), Some(ErrorCode::InvalidToken)));
        assert_eq!(challenge.error_description(), Some("The access token expired"));
        assert!(challenge.scopes().is_empty() && challenge.acr_values().is_empty());
        assert_eq!((challenge.max_age(), challenge.resource_metadata()), (None, None));
        // RFC 9470 §3, both of its figures in one.
        let challenge = read(&[
            r#"Bearer error="insufficient_user_authentication", acr_values="myACR other", max_age="5""#,
        ])
        .unwrap();
        assert_eq!(challenge.error(), Some(ErrorCode::InsufficientUserAuthentication));
        assert_eq!(
            (challenge.acr_values(), challenge.max_age()),
            (vec!["myACR", "other"], Some(Duration::from_secs(5)))
        );
        // RFC 9728 §5.1, beside a challenge of another scheme.
        let url = "https://resource.example.com/.well-known/oauth-protected-resource";
        let challenge =
            read(&["Basic realm=\"x\"", &format!(r#"Bearer resource_metadata="{url}""#)]).unwrap();
        assert_eq!(challenge.resource_metadata(), Some(url));
    }

    #[test]
    fn whatever_is_not_strict_is_none() {
        for (fields, reason) in [
            (&[][..], "there is no Bearer challenge"),
            (&["Basic realm=\"x\""], "there is no Bearer challenge"),
            (&["Bearer realm=\"x\"", "bearer realm=\"y\""], "there is more than one Bearer challenge"),
            (&["Bearer"], "a Bearer challenge has parameters"),
            (&["Bearer "], "a parameter is no quoted string"),
            (&["Bearer max_age=5"], "a parameter is no quoted string"),
            (&["Bearer realm=\"x"], "a quoted string does not end"),
            (&["Bearer realm=\"x\" error=\"invalid_token\""], "there is no comma between two parameters"),
            (&["Bearer realm=\"x\","], "there is no comma between two parameters"),
            (&["Bearer realm=\"x\", Basic realm=\"y\""], "the name of a parameter is none"),
            (&["Bearer =\"x\""], "the name of a parameter is none"),
            (&["Bearer realm=\"x\", realm=\"y\""], "a parameter stands there twice"),
            (&["Bearer realm=\"a\\b\""], "a parameter holds a backslash or what is not printable ASCII"),
            (&["Bearer realm=\"\u{e9}\""], "a parameter holds a backslash or what is not printable ASCII"),
            (&["Bearer scope=\"a  b\""], "`scope` is no list of scopes"),
            (&["Bearer scope=\"\""], "`scope` is no list of scopes"),
            (&["Bearer error=\"odd\""], "`error` is no registered code"),
            (&["Bearer error_description=\"x\""], "`error_description` describes no error"),
            (&["Bearer max_age=\"-5\""], "`max_age` is no number of seconds"),
            (&["Bearer max_age=\"\""], "`max_age` is no number of seconds"),
        ] {
            assert_eq!(read(fields), Err(reason), "{fields:?}");
        }
    }

    #[test]
    #[should_panic(expected = "403 Forbidden: there is no Bearer challenge")]
    fn an_answer_without_a_challenge_fails_with_what_it_says() {
        let mut response = Response::new(());
        *response.status_mut() = http::StatusCode::FORBIDDEN;
        let _fails = Challenge::of(&response);
    }
}
