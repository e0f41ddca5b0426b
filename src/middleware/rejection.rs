//! What does each kind of error mean on the wire? The one table.

use http::StatusCode;

use crate::error::{AuthErrorKind, ErrorCode};

/// How a refusal is answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) challenge: Challenge,
    /// The gRPC status code of the same meaning.
    pub(crate) grpc: i32,
}

/// What stands in `WWW-Authenticate`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Challenge {
    /// The field is not sent: no token would help.
    Absent,
    /// A challenge without error code (RFC 6750 §3.1: the request carried no authentication information).
    Plain,
    /// A challenge with this error code.
    Error(ErrorCode),
}

/// Total: a new kind does not compile until it has an answer.
pub(crate) const fn answer(kind: AuthErrorKind) -> Answer {
    use AuthErrorKind as K;
    let (status, challenge, grpc) = match kind {
        K::MissingToken => (StatusCode::UNAUTHORIZED, Challenge::Plain, UNAUTHENTICATED),
        K::DuplicateCredentials | K::EmptyToken => {
            (StatusCode::BAD_REQUEST, Challenge::Error(ErrorCode::InvalidRequest), INVALID_ARGUMENT)
        }
        K::AlgorithmNotAllowed
        | K::BindingNotProven
        | K::ClaimsMismatch
        | K::CriticalExtension
        | K::Expired
        | K::Inactive
        | K::InvalidClaim
        | K::InvalidSignature
        | K::IssuedInFuture
        | K::MalformedToken
        | K::NotYetValid
        | K::TokenTooLong
        | K::UnknownIssuer
        | K::UnknownKey
        | K::WrongAudience
        | K::WrongType => {
            (StatusCode::UNAUTHORIZED, Challenge::Error(ErrorCode::InvalidToken), UNAUTHENTICATED)
        }
        K::InsufficientAuthentication => (
            StatusCode::UNAUTHORIZED,
            Challenge::Error(ErrorCode::InsufficientUserAuthentication),
            UNAUTHENTICATED,
        ),
        K::InsufficientScope => {
            (StatusCode::FORBIDDEN, Challenge::Error(ErrorCode::InsufficientScope), PERMISSION_DENIED)
        }
        K::PolicyDenied => (StatusCode::FORBIDDEN, Challenge::Plain, PERMISSION_DENIED),
        K::ClockUnavailable
        | K::IntrospectionBusy
        | K::IntrospectionCredentialsRefused
        | K::IntrospectionMalformed
        | K::IntrospectionTokenRefused
        | K::IntrospectionUnavailable
        | K::KeysUnavailable
        | K::PolicyUnavailable
        | K::TooManyWaiting
        | K::UnknownKeyDuringOutage => (StatusCode::SERVICE_UNAVAILABLE, Challenge::Absent, UNAVAILABLE),
        K::ClaimsTypeDiffers | K::MissingLayer => {
            (StatusCode::INTERNAL_SERVER_ERROR, Challenge::Absent, INTERNAL)
        }
    };
    Answer { status, challenge, grpc }
}

const INVALID_ARGUMENT: i32 = 3;
const PERMISSION_DENIED: i32 = 7;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Decision;

    #[test]
    fn kinds_are_sorted_and_labelled_by_their_names() {
        assert!(AuthErrorKind::ALL.is_sorted_by_key(|kind| kind.label()));
        for kind in AuthErrorKind::ALL {
            assert_eq!(kind.label().replace('_', ""), format!("{kind:?}").to_lowercase());
        }
    }

    #[test]
    fn the_status_agrees_with_the_decision() {
        for kind in AuthErrorKind::ALL {
            let status = answer(*kind).status;
            match kind.decision() {
                Decision::Rejected => assert!(status.is_client_error(), "{kind:?}"),
                Decision::Undecidable => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{kind:?}"),
                Decision::Misconfigured => assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{kind:?}"),
            }
        }
    }
}
