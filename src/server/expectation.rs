//! What does the configuration ask for at each check? In words for an operator, none of which come from a token.

use crate::{
    clock::UnixTime,
    jwt::{Check, JwtRules},
    policy::{ClaimPolicy, Profile},
    token::{requirement::Requirement, scope::Scopes, wanted_claim::WantedClaim},
};

/// What counts for one token.
pub(super) struct Configured<'c> {
    pub(super) max_token_bytes: usize,
    /// Whether the token is one that only its issuer can read.
    pub(super) is_opaque: bool,
    /// How many issuers are trusted.
    pub(super) issuers: usize,
    /// The rules of the entry that the token's issuer selected.
    pub(super) rules: Option<&'c JwtRules>,
    pub(super) requirement: &'c Requirement,
    pub(super) now: UnixTime,
}

impl Configured<'_> {
    /// `None` where it depends on the entry, and the token selected none.
    pub(super) fn expectation(&self, check: Check) -> Option<String> {
        let policy = self.rules.map(|rules| &rules.policy);
        let expectation = match check {
            Check::Structure if !self.now.is_readable() => "a clock that reads 1970 or later".to_owned(),
            Check::Structure if self.is_opaque => format!("at most {} octets", self.max_token_bytes),
            Check::Structure => format!("at most {} octets, in three segments", self.max_token_bytes),
            Check::Header => {
                "strict base64url and JSON, with a known `alg`, without `crit`, `b64` and `enc`".to_owned()
            }
            Check::Payload => "strict base64url and JSON".to_owned(),
            Check::Issuer if self.issuers == 1 => "`iss` is the one issuer that is trusted".to_owned(),
            Check::Issuer => format!("`iss` is one of the {} issuers that are trusted", self.issuers),
            Check::UnverifiedTimesAndAudience => times_and_audience(policy?, self.now),
            Check::Algorithm => {
                let allowed = self.rules?.algorithms.iter().map(|algorithm| algorithm.name());
                format!("`alg` is {}", any_of(allowed))
            }
            Check::Type => match policy?.profile {
                Profile::Lenient => "`typ` is `at+jwt`, `JWT` or absent".to_owned(),
                Profile::Rfc9068 => "`typ` is `at+jwt`".to_owned(),
            },
            Check::Key => "one key of the issuer fits `alg` and `kid`".to_owned(),
            Check::Signature => "made by that key over this very text".to_owned(),
            Check::Claims => {
                let more = match policy?.profile {
                    Profile::Lenient => "",
                    Profile::Rfc9068 => "; `sub`, `client_id`, `iat` and `jti` are there",
                };
                format!("registered claims have their types, and none is that of another kind of JWT{more}")
            }
            Check::Binding => "no `cnf`: the possession of a key is not checked yet".to_owned(),
            Check::Introspection => "the issuer says `active: true`".to_owned(),
            Check::Scope => {
                let lists = self.requirement.alternatives();
                if lists.is_empty() {
                    return Some("nothing: this route is closed".to_owned());
                }
                format!("the token carries {}", any_of(lists.iter().map(Scopes::to_string)))
            }
            Check::ClaimValues => WantedClaim::all_in_words(self.requirement.wanted_claims()),
            Check::Authentication => authentication(self.requirement),
        };
        Some(expectation)
    }
}

fn times_and_audience(policy: &ClaimPolicy, now: UnixTime) -> String {
    let (now, leeway) = (now.as_secs(), policy.leeway.as_secs());
    let audience = match &policy.audiences {
        Some(audiences) => {
            format!("`aud` names {}", any_of(audiences.iter().map(|audience| audience.as_str())))
        }
        None => "`aud` names anything".to_owned(),
    };
    format!("at {now}, give or take {leeway} s, `exp` lies ahead, `nbf` and `iat` do not; {audience}")
}

fn authentication(requirement: &Requirement) -> String {
    let strength = (!requirement.wanted_acr().is_empty())
        .then(|| format!("`acr` is {}", any_of(requirement.wanted_acr())));
    let age =
        requirement.wanted_max_age().map(|age| format!("`auth_time` lies at most {} s back", age.as_secs()));
    strength.into_iter().chain(age).collect::<Vec<_>>().join("; ")
}

/// `a`, `b` or `c`, in this form.
fn any_of<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<_> = values.into_iter().map(|value| format!("`{}`", value.as_ref())).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "nothing".to_owned(),
    }
}
