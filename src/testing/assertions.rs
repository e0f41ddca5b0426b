//! Is this answer the refusal that a test expects?

use http::{
    HeaderMap, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::{error::ErrorCode, testing::challenge::Challenge};

/// Fails unless the answer refuses with this status and this error code, as clients must be told: by one readable Bearer challenge, in
/// an answer that nobody stores. `None` is for who sent no token (401), and for the application's own no (403). Gives back the challenge.
///
/// [`MockAuth`](super::MockAuth) shows it in use.
///
/// # Panics
///
/// When it is another answer.
#[track_caller]
pub fn assert_refused<B>(response: &Response<B>, status: StatusCode, code: Option<ErrorCode>) -> Challenge {
    assert_eq!(response.status(), status, "the status; {}", told(response.headers()));
    refused(response, code)
}

/// The same for a call of gRPC, behind a layer with [`grpc`](crate::BearerAuthLayer::grpc): 200 without content, whose
/// fields carry `grpc-status`.
///
/// ```
/// use bearergate::testing::{MockAuth, assert_refused_in_grpc};
/// use http::{Request, Response};
/// use tower::{Layer as _, ServiceExt as _, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = service_fn(async |_: Request<()>| Ok::<_, std::io::Error>(Response::new(String::new())));
/// let service = MockAuth::new("https://api.example.com").server().layer().grpc().layer(service);
/// let call = Request::post("/shop.Orders/Get").header("content-type", "application/grpc").body(())?;
/// let challenge = assert_refused_in_grpc(&service.oneshot(call).await?, 16, None);
/// assert_eq!(challenge.realm(), Some("https://api.example.com"));
/// # Ok(()) }
/// ```
///
/// # Panics
///
/// When it is another answer.
#[track_caller]
pub fn assert_refused_in_grpc<B>(response: &Response<B>, status: i32, code: Option<ErrorCode>) -> Challenge {
    let headers = response.headers();
    assert_eq!(response.status(), StatusCode::OK, "the status in HTTP; {}", told(headers));
    let is_grpc =
        text(headers, CONTENT_TYPE.as_str()).is_some_and(|name| name.starts_with("application/grpc"));
    assert!(is_grpc, "the media type is not one of gRPC; {}", told(headers));
    assert_eq!(text(headers, "grpc-status"), Some(status.to_string()), "`grpc-status`; {}", told(headers));
    refused(response, code)
}

/// Fails unless the answer asks to come again (503): no verdict could be had. Then no challenge says that the token is bad.
///
/// ```
/// use bearergate::{Claims, Issuer, Presented, ResourceServer, testing::{TestIssuer, assert_unavailable}};
/// use http::Response;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::builder().default_audience("orders").offline("https://login.example.com");
/// issuer.faults().refuse_connections().await;
/// let api = ResourceServer::builder("orders")
///     .trust(Issuer::discover(issuer.url()))
///     .http_client(issuer.fetch())
///     .build()?;
/// let token = issuer.token().mint();
/// let error = api.validate::<Claims>(&Presented::bearer(&token)).await.expect_err("no keys can be had");
/// let answer: Response<String> = api.refuse(error).into_response();
/// assert_unavailable(&answer);
/// # Ok(()) }
/// ```
///
/// # Panics
///
/// When it is another answer.
#[track_caller]
pub fn assert_unavailable<B>(response: &Response<B>) {
    let headers = response.headers();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "the status; {}", told(headers));
    let delay = text(headers, RETRY_AFTER.as_str()).and_then(|delay| delay.parse::<u64>().ok());
    assert!(delay.is_some_and(|delay| delay > 0), "`Retry-After` is no number of seconds; {}", told(headers));
    assert_eq!(headers.get(WWW_AUTHENTICATE), None, "no token would help, and a challenge asks for one");
    assert_not_stored(headers);
}

#[track_caller]
fn refused<B>(response: &Response<B>, code: Option<ErrorCode>) -> Challenge {
    let challenge = Challenge::of(response);
    assert_eq!(challenge.error(), code, "the error code; {}", told(response.headers()));
    assert_not_stored(response.headers());
    challenge
}

#[track_caller]
fn assert_not_stored(headers: &HeaderMap) {
    let is_kept_out = text(headers, CACHE_CONTROL.as_str()).is_some_and(|field| field.contains("no-store"));
    assert!(is_kept_out, "a refusal that a cache may store; {}", told(headers));
}

/// For who reads the failure.
fn told(headers: &HeaderMap) -> String {
    format!("the answer has these fields: {headers:?}")
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    const FIELD: &str = r#"Bearer realm="api", error="invalid_token""#;

    fn answer(status: u16, fields: &[(&'static str, &'static str)]) -> Response<()> {
        let start = Response::builder().status(status);
        fields.iter().fold(start, |answer, (name, value)| answer.header(*name, *value)).body(()).unwrap()
    }

    fn fails(assertion: impl FnOnce()) -> bool {
        catch_unwind(AssertUnwindSafe(assertion)).is_err()
    }

    #[test]
    fn a_refusal_is_one_by_status_code_challenge_and_cache() {
        let code = Some(ErrorCode::InvalidToken);
        let good = answer(401, &[("www-authenticate", FIELD), ("cache-control", "no-store")]);
        assert_eq!(assert_refused(&good, StatusCode::UNAUTHORIZED, code).realm(), Some("api"));
        for (other, status, code) in [
            (&good, StatusCode::FORBIDDEN, code),
            (&good, StatusCode::UNAUTHORIZED, None),
            (&good, StatusCode::UNAUTHORIZED, Some(ErrorCode::InvalidRequest)),
            (&answer(401, &[("www-authenticate", FIELD)]), StatusCode::UNAUTHORIZED, code),
            (&answer(401, &[("cache-control", "no-store")]), StatusCode::UNAUTHORIZED, None),
        ] {
            assert!(fails(|| drop(assert_refused(other, status, code))), "{other:?} {status} {code:?}");
        }
    }

    #[test]
    fn a_refusal_in_grpc_is_200_with_its_status() {
        let code = Some(ErrorCode::InvalidToken);
        let fields = [("www-authenticate", FIELD), ("cache-control", "no-store")];
        let grpc = [("content-type", "application/grpc"), ("grpc-status", "16")];
        let good = answer(200, &[&fields[..], &grpc].concat());
        assert_eq!(assert_refused_in_grpc(&good, 16, code).realm(), Some("api"));
        for (other, status) in [
            (&good, 7),
            (&answer(401, &[&fields[..], &grpc].concat()), 16),
            (&answer(200, &[&fields[..], &grpc[..1]].concat()), 16),
            (&answer(200, &[&fields[..], &grpc[1..]].concat()), 16),
            (&answer(200, &grpc), 16),
        ] {
            assert!(fails(|| drop(assert_refused_in_grpc(other, status, code))), "{other:?} {status}");
        }
    }

    #[test]
    fn no_verdict_is_503_without_a_challenge() {
        let fields = [("retry-after", "3"), ("cache-control", "no-store"), ("www-authenticate", FIELD)];
        assert_unavailable(&answer(503, &fields[..2]));
        for other in [
            answer(500, &fields[..2]),
            answer(503, &fields),
            answer(503, &fields[..1]),
            answer(503, &fields[1..2]),
            answer(503, &[("retry-after", "soon"), fields[1]]),
        ] {
            assert!(fails(|| assert_unavailable(&other)), "{other:?}");
        }
    }
}
