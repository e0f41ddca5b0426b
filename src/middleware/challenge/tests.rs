#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;
use crate::{middleware::rejection::answer, scopes};

fn challenge(responder: &Responder, kind: AuthErrorKind, requirement: Option<&Requirement>) -> String {
    let value = responder.challenge(kind, answer(kind).challenge, requirement).unwrap();
    value.to_str().unwrap().to_owned()
}

#[test]
fn a_challenge_is_never_bare() {
    let responder = Responder { realm: "api".into(), ..Responder::default() };
    assert_eq!(challenge(&responder, AuthErrorKind::MissingToken, None), r#"Bearer realm="api""#);
}

#[test]
fn each_parameter_has_its_place() {
    let responder = Responder {
        realm: "https://api.example.com".into(),
        challenge_scopes: Some(scopes!["read"]),
        resource_metadata: OnceLock::from(
            "https://api.example.com/.well-known/oauth-protected-resource".to_owned(),
        ),
        ..Responder::default()
    };
    assert_eq!(
        challenge(&responder, AuthErrorKind::Expired, None),
        "Bearer realm=\"https://api.example.com\", \
         resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\", scope=\"read\", \
         error=\"invalid_token\", error_description=\"the token is expired\""
    );
    let requirement = Requirement::scopes(scopes!["read", "write"]);
    assert_eq!(
        challenge(&responder, AuthErrorKind::InsufficientScope, Some(&requirement)),
        "Bearer realm=\"https://api.example.com\", \
         resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\", \
         scope=\"read write\", error=\"insufficient_scope\", error_description=\"a required scope is missing\""
    );
}

#[test]
fn htp_06_what_a_quoted_string_cannot_hold_is_left_out() {
    let responder = Responder { realm: "a\"b\\c\r\nX-Evil: é1".into(), ..Responder::default() };
    assert_eq!(challenge(&responder, AuthErrorKind::MissingToken, None), r#"Bearer realm="abcX-Evil: 1""#);
}

#[test]
fn step_up_names_what_it_wants() {
    let requirement =
        Requirement::default().acr(["gold", "silver"]).max_age(std::time::Duration::from_secs(300));
    let text =
        challenge(&Responder::default(), AuthErrorKind::InsufficientAuthentication, Some(&requirement));
    assert!(text.starts_with(r#"Bearer realm="", error="insufficient_user_authentication""#), "{text}");
    assert!(text.ends_with(r#", acr_values="gold silver", max_age="300""#), "{text}");
}

/// The parameters of one challenge, read as RFC 9110 §11.2 and §11.6.1 write them.
fn parse(field: &str) -> Option<Vec<(String, String)>> {
    let mut rest = field.strip_prefix("Bearer ")?;
    let mut parameters = Vec::new();
    loop {
        let name =
            rest.find(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).filter(|end| *end > 0)?;
        let (name, tail) = rest.split_at(name);
        let mut chars = tail.strip_prefix("=\"")?.chars();
        let mut value = String::new();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => value.push(chars.next().filter(|char| matches!(char, '\t' | ' '..='~'))?),
                char if char == '\t' || (' '..='~').contains(&char) => value.push(char),
                _ => return None,
            }
        }
        parameters.push((name.to_owned(), value));
        if chars.as_str().is_empty() {
            return Some(parameters);
        }
        rest =
            chars.as_str().trim_start_matches([' ', '\t']).strip_prefix(',')?.trim_start_matches([' ', '\t']);
    }
}

#[test]
fn the_parser_of_this_test_reads_what_rfc_6750_prints() {
    let figure =
        r#"Bearer realm="example", error="invalid_token", error_description="The access token expired""#;
    let parameters = parse(figure).unwrap();
    assert_eq!(parameters[1], ("error".into(), "invalid_token".into()));
    for bad in
        ["Bearer", "Bearer ", r#"Bearer realm="a"#, r#"Bearer realm="a" error="b""#, r#"Bearer realm="a","#]
    {
        assert_eq!(parse(bad), None, "{bad}");
    }
}

fn scope_list() -> impl Strategy<Value = Scopes> {
    proptest::collection::vec("[!#-\\[\\]-~]{1,12}", 1..4)
        .prop_map(|words| Scopes::parse(&words.join(" ")).expect("scope tokens (RFC 6749 §3.3)"))
}

proptest! {
    /// Whatever is configured, the field can be read, and says what is configured.
    #[test]
    fn a_challenge_can_always_be_read(
        realm in any::<String>(),
        url in proptest::option::of(any::<String>()),
        challenge_scopes in proptest::option::of(scope_list()),
        required in proptest::option::of(scope_list()),
        acr in proptest::collection::vec(any::<String>(), 0..3),
        max_age in proptest::option::of(any::<u32>()),
        which in any::<proptest::sample::Index>(),
    ) {
        let kind = AuthErrorKind::ALL[which.index(AuthErrorKind::ALL.len())];
        let mut requirement = required.clone().map_or_else(Requirement::default, Requirement::scopes).acr(acr);
        if let Some(age) = max_age {
            requirement = requirement.max_age(std::time::Duration::from_secs(age.into()));
        }
        let responder = Responder {
            realm: realm.clone(),
            challenge_scopes: challenge_scopes.clone(),
            resource_metadata: url.clone().map(OnceLock::from).unwrap_or_default(),
            ..Responder::default()
        };
        let Some(field) = responder.challenge(kind, answer(kind).challenge, Some(&requirement)) else {
            prop_assert_eq!(answer(kind).challenge, Challenge::Absent);
            return Ok(());
        };
        let parameters = parse(field.to_str().unwrap());
        prop_assert!(parameters.is_some(), "{:?}", field);
        let parameters = parameters.unwrap();
        prop_assert_eq!(&parameters[0].0, "realm");
        let value = |name: &str| parameters.iter().find(|known| known.0 == name).map(|known| known.1.clone());
        let quotable = |text: &str| text.chars().filter(|char| is_quotable(*char)).collect::<String>();
        prop_assert_eq!(value("realm"), Some(quotable(&realm)));
        prop_assert_eq!(value("resource_metadata"), url.as_deref().map(quotable));
        let code = match answer(kind).challenge {
            Challenge::Error(code) => Some(code),
            Challenge::Absent | Challenge::Plain => None,
        };
        prop_assert_eq!(value("error"), code.map(|code| code.as_str().to_owned()));
        let scope = match code {
            Some(ErrorCode::InvalidRequest) => None,
            None if kind == AuthErrorKind::PolicyDenied => None,
            Some(ErrorCode::InsufficientScope) => required,
            _ => required.or(challenge_scopes),
        };
        prop_assert_eq!(value("scope"), scope.map(|scopes| scopes.to_string()));
        for (place, (name, _)) in parameters.iter().enumerate() {
            prop_assert!(!parameters[..place].iter().any(|other| other.0 == *name), "{} twice", name);
        }
    }
}
