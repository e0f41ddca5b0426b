//! What does the user see?

use http::{Response, StatusCode};
use url::Url;

use crate::testing::{
    authorization::{
        Authorization,
        consent::User,
        content_policy::{Leads, guard},
        devices::Asked,
        html,
        random::unguessable,
        request::AuthorizationRequest,
    },
    issuer::State,
};

/// Who asks for what, and whoever sits there says who they are, and whether they want that.
pub(super) fn question(
    issuer: &State,
    request: &AuthorizationRequest,
    users: &[User],
    handle: &str,
) -> Response<Vec<u8>> {
    let (name, client) = called(&request.client_id, request.client_name.as_deref());
    let place = html::shown(&place(&request.way_back.redirect_uri), MAX_HOST);
    let resources = resources(&request.asked.resources);
    let rights = rights(&issuer.authorization, &request.asked.scope);
    let form = form(DECISION_PATH, "request", handle, users, request.asked.login_hint.as_deref());
    let main = format!(
        r#"<h1>Allow <bdi>{name}</bdi> to act for you?</h1>
<dl>
<dt>Who asks</dt><dd>{client}</dd>
<dt>Where you are sent back to</dt><dd><code>{place}</code></dd>
<dt>What it wants to use</dt>{resources}
</dl>
<h2>What it wants to do there</h2>
{rights}
{form}"#
    );
    page(StatusCode::OK, &format!("Allow {name}?"), &main, Leads::Back(&request.way_back.redirect_uri))
}

/// Which code does the device show? (RFC 8628 §3.3) Asked again where none waits with the one that was typed.
pub(super) fn device_code(is_unknown: bool) -> Response<Vec<u8>> {
    let (status, told, title) = if is_unknown {
        let told = "<p role=\"alert\">No device waits with this code. Is it the one that the device shows now?</p>\n";
        (StatusCode::NOT_FOUND, told, "No such code")
    } else {
        (StatusCode::OK, "", "Connect a device")
    };
    let main = format!(
        r#"<h1>Connect a device</h1>
{told}<form method="get" action="{DEVICE_PATH}" autocomplete="off">
<p><label for="user_code">The code that the device shows</label></p>
<p><input id="user_code" name="user_code" required autocapitalize="characters" spellcheck="false"></p>
<div class="buttons"><button type="submit">Go on</button></div>
</form>"#
    );
    page(status, title, &main, Leads::Here)
}

/// What a device asks for. The code is shown once more, so that the user sees that it is the device before them (RFC 8628 §3.3.1).
pub(super) fn device_question(
    issuer: &State,
    asked: &Asked,
    client_name: Option<&str>,
    users: &[User],
    user_code: &str,
) -> Response<Vec<u8>> {
    let (name, client) = called(&asked.client_id, client_name);
    let resources = resources(&asked.resources);
    let rights = rights(&issuer.authorization, &asked.scope);
    let form = form(DEVICE_PATH, "user_code", user_code, users, None);
    let code = html::shown(user_code, MAX_NAME);
    let main = format!(
        r#"<h1>Allow <bdi>{name}</bdi> on a device to act for you?</h1>
<dl>
<dt>Who asks</dt><dd>{client}</dd>
<dt>The code that the device shows</dt><dd><code>{code}</code></dd>
<dt>What it wants to use</dt>{resources}
</dl>
<h2>What it wants to do there</h2>
{rights}
{form}"#
    );
    page(StatusCode::OK, &format!("Allow {name}?"), &main, Leads::Here)
}

/// What was decided for a device.
pub(super) fn device_answer(what: &str) -> Response<Vec<u8>> {
    let what = html::shown(what, MAX_TEXT);
    page(StatusCode::OK, &what, &format!("<h1>{what}</h1>\n<p>This page can be closed.</p>"), Leads::Nowhere)
}

/// A client's name, and who that is.
fn called(client_id: &str, client_name: Option<&str>) -> (String, String) {
    let id = html::shown(client_id, MAX_NAME);
    match client_name {
        Some(name) => {
            let name = html::shown(name, MAX_NAME);
            let client =
                format!("<bdi>{name}</bdi>, as it calls itself. It is registered as <code>{id}</code>");
            (name, client)
        }
        None => (id.clone(), format!("<code>{id}</code>")),
    }
}

fn resources(named: &[String]) -> String {
    named
        .iter()
        .map(|resource| format!("<dd><code>{}</code></dd>", html::shown(resource, MAX_TEXT)))
        .collect()
}

/// Who they are, and whether they want it. What it is about goes along as `name`.
fn form(action: &str, name: &str, about: &str, users: &[User], login_hint: Option<&str>) -> String {
    let hinted = users.iter().position(|user| Some(user.subject.as_str()) == login_hint).unwrap_or(0);
    let choice = |(place, user)| choice(place, user, place == hinted);
    let users: String = users.iter().enumerate().map(choice).collect();
    let about = html::value(about);
    format!(
        r#"<form method="post" action="{action}" autocomplete="off">
<input type="hidden" name="{name}" value="{about}">
<fieldset>
<legend>Who are you?</legend>
{users}</fieldset>
<div class="buttons">
<button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny">Deny</button>
</div>
</form>"#
    )
}

/// Why there is nothing to decide.
pub(super) fn notice(status: StatusCode, what: &str) -> Response<Vec<u8>> {
    told(status, "Nothing was decided", what)
}

/// What is wrong with what the application asks.
pub(super) fn no_request(what: &str) -> Response<Vec<u8>> {
    told(StatusCode::BAD_REQUEST, "This application asks in a way that cannot be answered", what)
}

fn told(status: StatusCode, title: &str, what: &str) -> Response<Vec<u8>> {
    let what = html::shown(what, MAX_TEXT);
    page(status, title, &format!("<h1>{title}</h1>\n<p>{what}</p>"), Leads::Nowhere)
}

fn page(status: StatusCode, title: &str, main: &str, leads: Leads<'_>) -> Response<Vec<u8>> {
    let nonce = unguessable("style");
    // The icon is there so that no browser asks for one.
    let html = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – test issuer</title>
<link rel="icon" href="data:,">
<style nonce="{nonce}">
{STYLE}</style>
</head>
<body>
<main>
<p class="warning"><strong>Embedded test issuer: not for production.</strong> Its users are made up, and it asks for no password.</p>
{main}
</main>
</body>
</html>
"#
    );
    let mut response = Response::new(html.into_bytes());
    *response.status_mut() = status;
    guard(response.headers_mut(), &nonce, leads);
    response
}

/// The host, with a port that is not the scheme's; of an application's own scheme, the scheme.
fn place(redirect_uri: &str) -> String {
    let Ok(url) = Url::parse(redirect_uri) else { return String::new() };
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => format!("{}:", url.scheme()),
    }
}

/// Each scope, behind its explanation where there is one.
fn rights(authorization: &Authorization, scope: &str) -> String {
    let right = |word: &str| {
        let scope = html::shown(word, MAX_TEXT);
        match authorization.explained.get(word) {
            Some(text) => format!("<li>{} (<code>{scope}</code>)</li>\n", html::shown(text, MAX_TEXT)),
            None => format!("<li><code>{scope}</code></li>\n"),
        }
    };
    let rights: String = scope.split(' ').filter(|word| !word.is_empty()).map(right).collect();
    if rights.is_empty() { "<p>It asks for no scope.</p>".to_owned() } else { format!("<ul>\n{rights}</ul>") }
}

/// Whom the client takes them for is picked already, or else the first one.
fn choice(place: usize, user: &User, is_picked: bool) -> String {
    let (subject, name) = (html::value(&user.subject), html::shown(&user.name, MAX_NAME));
    let checked = if is_picked { " checked" } else { "" };
    format!(
        r#"<div class="user"><input type="radio" id="user-{place}" name="user" value="{subject}" required{checked}><label for="user-{place}"><bdi>{name}</bdi></label></div>
"#
    )
}

const DECISION_PATH: &str = "/consent";
const DEVICE_PATH: &str = "/device";

const STYLE: &str = include_str!("page.css");

/// Two lines on a phone, or three.
const MAX_NAME: usize = 80;

/// A host as a whole, with its port: its end is what counts. A redirect URI has no longer one.
const MAX_HOST: usize = 300;

/// A URL or a sentence that somebody reads.
const MAX_TEXT: usize = 200;
