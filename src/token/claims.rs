//! What does a token say about itself?

use std::{fmt, ops::Range, sync::Arc};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    clock::UnixTime,
    token::{
        json::{JsonError, Kind, Nested, RawStr, Value, scan_object},
        scope::is_scope_token,
        typed::Typed,
    },
};

/// A claims object that passed the strict scan, with the places of the claims that we read.
///
/// It is as trustworthy as the text it was made of; the types around it say whether that was verified.
#[derive(Clone)]
pub(crate) struct RegisteredClaims {
    text: String,
    pub(crate) iss: Claim,
    pub(crate) sub: Claim,
    pub(crate) aud: Claim,
    pub(crate) exp: Claim,
    pub(crate) nbf: Claim,
    pub(crate) iat: Claim,
    pub(crate) jti: Claim,
    pub(crate) client_id: Claim,
    pub(crate) scope: Claim,
    pub(crate) scp: Claim,
    pub(crate) cnf: Claim,
    pub(crate) acr: Claim,
    pub(crate) auth_time: Claim,
    /// `at_hash`, `c_hash` or `events`: members of ID tokens, logout tokens and security events.
    pub(crate) of_another_kind: bool,
}

/// A claim's value, if the claim is there.
pub(crate) type Claim = Option<Value>;

impl RegisteredClaims {
    pub(crate) fn scan(text: String) -> Result<Self, JsonError> {
        let mut found = Self {
            text: String::new(),
            iss: None,
            sub: None,
            aud: None,
            exp: None,
            nbf: None,
            iat: None,
            jti: None,
            client_id: None,
            scope: None,
            scp: None,
            cnf: None,
            acr: None,
            auth_time: None,
            of_another_kind: false,
        };
        scan_object(&text, Nested::Unique, |name, value| {
            let slot = match &*name.unescape() {
                "iss" => &mut found.iss,
                "sub" => &mut found.sub,
                "aud" => &mut found.aud,
                "exp" => &mut found.exp,
                "nbf" => &mut found.nbf,
                "iat" => &mut found.iat,
                "jti" => &mut found.jti,
                "client_id" => &mut found.client_id,
                "scope" => &mut found.scope,
                "scp" => &mut found.scp,
                "cnf" => &mut found.cnf,
                "acr" => &mut found.acr,
                "auth_time" => &mut found.auth_time,
                "at_hash" | "c_hash" | "events" => {
                    found.of_another_kind = true;
                    return;
                }
                _ => return,
            };
            *slot = Some(value);
        })?;
        found.text = text;
        Ok(found)
    }

    /// The whole claims object.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// A claim's string; `None` when it is absent or no string.
    pub(crate) fn str(&self, claim: Claim) -> Option<RawStr<'_>> {
        claim?.raw_str(&self.text)
    }

    /// A claim's moment; `Err` when the claim is no number between 1970 and the year 9999.
    pub(crate) fn date(&self, claim: Claim) -> Result<Option<UnixTime>, NotADate> {
        let Some(value) = claim else { return Ok(None) };
        if value.kind() != Kind::Number {
            return Err(NotADate);
        }
        numeric_date(value.text(&self.text)).map(Some)
    }

    /// Whether a claim is absent, a string, or an array of strings.
    pub(crate) fn is_strings(&self, claim: Claim) -> bool {
        claim.is_none_or(|value| match value.kind() {
            Kind::String { .. } => true,
            Kind::Array => {
                value.elements(&self.text).all(|element| matches!(element.kind(), Kind::String { .. }))
            }
            _ => false,
        })
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct NotADate;

/// The claims of a verified token: the registered ones ready to read, the others as verified JSON text.
///
/// One allocation holds the text; values with escapes are unescaped behind it.
pub(crate) struct Core {
    text: String,
    payload: Range<usize>,
    issuer: Range<usize>,
    subject: Option<Range<usize>>,
    client_id: Option<Range<usize>>,
    token_id: Option<Range<usize>>,
    acr: Option<Range<usize>>,
    scopes: Range<usize>,
    audience: Strings,
    expires_at: Option<UnixTime>,
    not_before: Option<UnixTime>,
    issued_at: Option<UnixTime>,
    auth_time: Option<UnixTime>,
    /// For a core that serves more than one request.
    typed: Option<Typed>,
}

/// Places of strings; one, as nearly always, costs no allocation.
enum Strings {
    One(Range<usize>),
    Many(Box<[Range<usize>]>),
}

impl Strings {
    fn as_slice(&self) -> &[Range<usize>] {
        match self {
            Self::One(range) => std::slice::from_ref(range),
            Self::Many(ranges) => ranges,
        }
    }
}

impl Core {
    /// Takes claims that were judged. Claims of a wrong type do not come this far.
    pub(crate) fn new(claims: RegisteredClaims) -> Self {
        let RegisteredClaims {
            mut text,
            iss,
            sub,
            aud,
            jti,
            client_id,
            scope,
            scp,
            acr,
            exp,
            nbf,
            iat,
            auth_time,
            ..
        } = claims;
        let payload = 0..text.len();
        let date = |text: &str, claim: Claim| claim.and_then(|value| numeric_date(value.text(text)).ok());
        let (expires_at, not_before) = (date(&text, exp), date(&text, nbf));
        let (issued_at, auth_time) = (date(&text, iat), date(&text, auth_time));
        let string = |text: &mut String, claim: Claim| place(text, claim?);
        let issuer = string(&mut text, iss).unwrap_or_default();
        let subject = string(&mut text, sub);
        let client_id = string(&mut text, client_id);
        let token_id = string(&mut text, jti);
        let acr = string(&mut text, acr);
        let audience = match aud {
            Some(value) if value.kind() == Kind::Array => {
                let elements: Vec<_> = value.elements(&text).collect();
                Strings::Many(elements.into_iter().filter_map(|element| place(&mut text, element)).collect())
            }
            Some(value) => place(&mut text, value).map_or(Strings::Many(Box::default()), Strings::One),
            None => Strings::Many(Box::default()),
        };
        let scopes = match scope.or(scp) {
            Some(value) if value.kind() == Kind::Array => {
                // A scope-token holds no space, so an entry with one can never be asked for: it is left out.
                let words: Vec<_> = value.elements(&text).filter_map(|entry| entry.raw_str(&text)).collect();
                let words: Vec<_> =
                    words.into_iter().map(RawStr::unescape).filter(|word| is_scope_token(word)).collect();
                let joined = words.join(" ");
                append(&mut text, &joined)
            }
            Some(value) => place(&mut text, value).unwrap_or_default(),
            None => Range::default(),
        };
        Self {
            text,
            payload,
            issuer,
            subject,
            client_id,
            token_id,
            acr,
            scopes,
            audience,
            expires_at,
            not_before,
            issued_at,
            auth_time,
            typed: None,
        }
    }

    /// For more than one request: claims are given their type once.
    pub(crate) fn shared(mut self) -> Self {
        self.typed = Some(Typed::default());
        self
    }

    /// What is kept of its typed claims, if it serves more than one request.
    pub(crate) fn typed(&self) -> Option<&Typed> {
        self.typed.as_ref()
    }

    /// Takes claims that were judged, of an issuer that need not name itself.
    pub(crate) fn of_issuer(claims: RegisteredClaims, issuer: &str) -> Self {
        let names_itself = claims.iss.is_some();
        let mut core = Self::new(claims);
        if !names_itself {
            core.issuer = append(&mut core.text, issuer);
        }
        core
    }

    fn get(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    pub(crate) fn payload(&self) -> &str {
        self.get(&self.payload)
    }

    pub(crate) fn issuer(&self) -> &str {
        self.get(&self.issuer)
    }

    pub(crate) fn subject(&self) -> Option<&str> {
        self.subject.as_ref().map(|range| self.get(range))
    }

    pub(crate) fn client_id(&self) -> Option<&str> {
        self.client_id.as_ref().map(|range| self.get(range))
    }

    pub(crate) fn token_id(&self) -> Option<&str> {
        self.token_id.as_ref().map(|range| self.get(range))
    }

    pub(crate) fn acr(&self) -> Option<&str> {
        self.acr.as_ref().map(|range| self.get(range))
    }

    pub(crate) fn audience(&self) -> impl Iterator<Item = &str> {
        self.audience.as_slice().iter().map(|range| self.get(range))
    }

    pub(crate) fn scopes(&self) -> impl Iterator<Item = &str> {
        self.get(&self.scopes).split(' ').filter(|word| !word.is_empty())
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|word| word == scope)
    }

    pub(crate) fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    pub(crate) fn not_before(&self) -> Option<UnixTime> {
        self.not_before
    }

    pub(crate) fn issued_at(&self) -> Option<UnixTime> {
        self.issued_at
    }

    pub(crate) fn auth_time(&self) -> Option<UnixTime> {
        self.auth_time
    }

    /// The verified value of any claim, as JSON text.
    pub(crate) fn claim(&self, name: &str) -> Option<&str> {
        let payload = self.payload();
        let mut found = None;
        scan_object(payload, Nested::Any, |member, value| {
            if member.is(name) {
                found = Some(value.text(payload));
            }
        })
        .ok()?;
        found
    }
}

/// The place of a string's content; unescaped text is appended first.
fn place(text: &mut String, value: Value) -> Option<Range<usize>> {
    match value.kind() {
        Kind::String { escaped: false } => Some(value.content()),
        Kind::String { escaped: true } => {
            let unescaped = value.raw_str(text)?.unescape().into_owned();
            Some(append(text, &unescaped))
        }
        _ => None,
    }
}

fn append(text: &mut String, addition: &str) -> Range<usize> {
    let start = text.len();
    text.push_str(addition);
    start..text.len()
}

/// A *NumericDate* (RFC 7519 §2): a JSON number of seconds, fractions and exponents allowed, 1970 to 9999.
fn numeric_date(number: &str) -> Result<UnixTime, NotADate> {
    let date = if let Ok(seconds) = number.parse::<i64>() {
        UnixTime::from_secs(seconds)
    } else {
        let seconds = number.parse::<f64>().map_err(|_| NotADate)?;
        if !(0.0..=1e12).contains(&seconds) {
            return Err(NotADate);
        }
        #[expect(clippy::cast_possible_truncation, reason = "the value is at most 1e15")]
        UnixTime::from_millis((seconds * 1000.0).floor() as i64)
    };
    if date.is_readable() && date <= UnixTime::MAX_DATE { Ok(date) } else { Err(NotADate) }
}

/// The default claims type: any claim on demand, parsed from the verified JSON text.
///
/// ```
/// # fn handler(claims: &bearergate::Claims) -> Result<(), serde_json::Error> {
/// let email: Option<String> = claims.get("email")?;
/// let roles: Option<Vec<String>> = claims.get("roles")?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Claims(Arc<Core>);

impl Claims {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self(core)
    }

    /// Who issued the token: `iss` (RFC 7519 §4.1.1).
    pub fn issuer(&self) -> &str {
        self.0.issuer()
    }

    /// Who the token speaks for: `sub` (RFC 7519 §4.1.2). Unique within the issuer only.
    pub fn subject(&self) -> Option<&str> {
        self.0.subject()
    }

    /// Whom the token is meant for: `aud` (RFC 7519 §4.1.3).
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        self.0.audience()
    }

    /// The client that the token was issued to: `client_id` (RFC 8693 §4.3).
    pub fn client_id(&self) -> Option<&str> {
        self.0.client_id()
    }

    /// The scopes, from `scope` (RFC 8693 §4.2) or else `scp`.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.scopes()
    }

    /// The claim `name`, deserialized from the verified text; `None` when the token does not carry it.
    ///
    /// # Errors
    ///
    /// When the value does not deserialize into `T`. The error may quote the value: keep it out of logs.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, serde_json::Error> {
        self.0.claim(name).map(serde_json::from_str).transpose()
    }

    /// All claims as the JSON object that was verified.
    pub fn as_json(&self) -> &str {
        self.0.payload()
    }
}

/// So that the layer can ask any claims type the same. It verifies nothing: only an
/// [`AccessToken<Claims>`](crate::AccessToken) says that these are a good token's claims.
impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let claims = RegisteredClaims::scan(raw.get().to_owned())
            .map_err(|_| serde::de::Error::custom("the claims are not one strict JSON object"))?;
        Ok(Self(Arc::new(Core::new(claims))))
    }
}

/// Prints no claim: a claim is personal data in a log.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").finish_non_exhaustive()
    }
}
