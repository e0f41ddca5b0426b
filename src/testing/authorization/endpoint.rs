//! What does the authorization endpoint answer? (RFC 6749 §3.1)

use http::{HeaderMap, Method, Response, header::ACCEPT};

use crate::testing::{
    authorization::{
        codes::{Consented, Grant},
        consent::{Consent, User},
        identity::Login,
        page,
        random::unguessable,
        request::{Asked, AuthorizationError, AuthorizationRequest, Unanswerable},
    },
    endpoints::Exchange,
    issuer::State,
};

/// The user goes back, at once or from the page, but for a request that names no place to go back to.
pub(in crate::testing) fn authorize(issuer: &State, exchange: &Exchange<'_>) -> Response<Vec<u8>> {
    // RFC 6749 §3.1
    let parameters = if exchange.method == Method::POST { exchange.body } else { exchange.query.as_bytes() };
    let request = match AuthorizationRequest::read(issuer, parameters) {
        Ok(request) => request,
        Err(Unanswerable::Here(what)) if wants_page(exchange.headers) => {
            return page::no_request(what);
        }
        Err(unanswerable) => return unanswerable.into_response(issuer),
    };
    match &issuer.authorization.consent {
        // Nobody is signed in here (OpenID Connect Core §3.1.2.6).
        Consent::AskedOf(_) if !request.asked.may_ask => {
            request.way_back.with_error(issuer, AuthorizationError::LoginRequired)
        }
        Consent::AskedOf(users) => asked(issuer, request, users),
        Consent::Denied => request.way_back.with_error(issuer, AuthorizationError::AccessDenied),
        Consent::GivenBy(subject) => consented(issuer, request, subject),
    }
}

/// Whether a browser asks, and not a program.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accepts.is_some_and(|accept| accept.contains("text/html"))
}

fn asked(issuer: &State, request: AuthorizationRequest, users: &[User]) -> Response<Vec<u8>> {
    let handle = unguessable("request");
    let page = page::question(issuer, &request, users, &handle);
    issuer.authorization.pending.keep(handle, request, issuer.clock.wall());
    page
}

/// A code for what this user consented to.
pub(super) fn consented(issuer: &State, request: AuthorizationRequest, subject: &str) -> Response<Vec<u8>> {
    let AuthorizationRequest { client_id, way_back, asked, .. } = request;
    let Asked { challenge, resources, scope, nonce, .. } = asked;
    let now = issuer.clock.wall();
    let redirect_uri = way_back.redirect_uri.clone();
    let consented = Consented { client_id, resources, scope, subject: subject.to_owned() };
    let grant = Grant { consented, redirect_uri, challenge, login: Login { nonce, at: now } };
    match issuer.authorization.codes.issue(grant, now) {
        Some(code) => way_back.with_code(issuer, &code),
        None => way_back.with_error(issuer, AuthorizationError::TemporarilyUnavailable),
    }
}
