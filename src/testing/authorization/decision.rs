//! What did the user decide on the page?

use http::{Response, StatusCode};

use crate::testing::{
    authorization::{
        consent::{Consent, User},
        endpoint::consented,
        page,
        request::AuthorizationError,
        same_origin::is_of_another_site,
    },
    endpoints::{Exchange, not_found},
    form::{Form, Repeated},
    issuer::State,
};

/// Sends the user back with what was decided. A form that decides nothing leaves the request waiting.
pub(in crate::testing) fn decide(issuer: &State, exchange: &Exchange<'_>) -> Response<Vec<u8>> {
    let Consent::AskedOf(users) = &issuer.authorization.consent else { return not_found() };
    if is_of_another_site(issuer, exchange.headers) {
        return page::notice(StatusCode::FORBIDDEN, "This came from another page, and decides nothing.");
    }
    let form = Form::parse(exchange.body);
    let Some((handle, decision)) = read(&form, users).ok().flatten() else {
        return page::notice(StatusCode::BAD_REQUEST, "Pick a user of the list, and allow or deny.");
    };
    let Some(request) = issuer.authorization.pending.take(handle, issuer.clock.wall()) else {
        return page::notice(
            StatusCode::BAD_REQUEST,
            "This was decided already, or too long ago. Go back to the application, and start again.",
        );
    };
    match decision {
        Decision::Allowed(user) => consented(issuer, request, &user.subject),
        Decision::Denied => request.way_back.with_error(issuer, AuthorizationError::AccessDenied),
    }
}

pub(super) enum Decision<'u> {
    Allowed(&'u User),
    /// By whomever: who denies has nothing to pick.
    Denied,
}

/// A handle, and what is decided of it.
fn read<'f, 'u>(form: &'f Form, users: &'u [User]) -> Result<Option<(&'f str, Decision<'u>)>, Repeated> {
    Ok(form.once("request")?.zip(read_decision(form, users)?))
}

pub(super) fn read_decision<'u>(form: &Form, users: &'u [User]) -> Result<Option<Decision<'u>>, Repeated> {
    let subject = form.once("user")?;
    Ok(match form.once("decision")? {
        Some("allow") => {
            users.iter().find(|user| Some(user.subject.as_str()) == subject).map(Decision::Allowed)
        }
        Some("deny") => Some(Decision::Denied),
        _ => None,
    })
}
