//! What does the user see?

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};

use crate::{
    authorization_server::{Kind, Tokens},
    sessions::Session,
    steps::{Parties, Step},
};

pub(crate) fn welcome(issuer: &str, is_embedded: bool) -> Response {
    let main = html! {
        h1 { "Orders" }
        p {
            "This page logs you in at " code { (issuer) } ", and calls an API in your name. It keeps the tokens to itself: your browser \
             gets a cookie."
        }
        p.buttons {
            a.button.first href=(login(Kind::Jwt)) { "Log in" }
            @if is_embedded { a.button href=(login(Kind::Opaque)) { "Log in, with opaque tokens" } }
        }
        @if is_embedded {
            p {
                "The issuer is a test issuer: pick a user, there is no password. It gives JWTs, which the API checks by itself, or opaque \
                 tokens, about which the API asks the issuer."
            }
        }
    };
    page(StatusCode::OK, "Log in", &main)
}

pub(crate) fn notice(status: StatusCode, title: &str, text: &str) -> Response {
    let main = html! {
        h1 { (title) }
        p { (text) }
        p.buttons { a.button href="/" { "Go on" } }
    };
    page(status, title, &main)
}

pub(crate) fn dashboard(parties: &Parties, session: &Session, is_embedded: bool) -> Response {
    let main = html! {
        header {
            h1 { "Hello, " bdi { (session.user.name) } }
            (button("/logout", None, "Log out"))
        }
        .columns {
            dl {
                dt { "Who you are" }
                dd { code { (session.user.subject) } " at " code { (parties.issuer.issuer()) } }
                @if let Some(tokens) = &session.tokens { (access(parties, session.kind, tokens, is_embedded)) }
            }
            section #happened {
                h2 { "What happened" }
                ol { @for step in &session.steps { (shown(step)) } }
                @if !session.wanted.is_empty() {
                    p.buttons { a.button href=(more(session.kind)) { "Ask for " (session.wanted.join(" ")) } }
                }
            }
            div #actions {
                @if session.tokens.is_some() { (actions(session, is_embedded)) }
                @else { p.buttons { a.button.first href=(login(session.kind)) { "Log in again" } } }
            }
            @if let Some(seen) = &session.seen {
                section #seen {
                    h2 { "What the API said to “Who am I?”" }
                    pre { (format!("{seen:#}")) }
                }
            }
        }
    };
    page(StatusCode::OK, "Orders", &main)
}

fn login(kind: Kind) -> &'static str {
    match kind {
        Kind::Jwt => "/login",
        Kind::Opaque => "/login?kind=opaque",
    }
}

fn more(kind: Kind) -> &'static str {
    match kind {
        Kind::Jwt => "/login?more=",
        Kind::Opaque => "/login?kind=opaque&more=",
    }
}

fn access(parties: &Parties, kind: Kind, tokens: &Tokens, is_embedded: bool) -> Markup {
    let kind = match kind {
        Kind::Jwt => "a JWT, which the API checks by the issuer's keys",
        Kind::Opaque => "opaque: the API asks the issuer about it",
    };
    let left = tokens.left(&*parties.clock).map(|left| left.as_secs());
    // Of the embedded issuer the API knows that all clocks are one.
    let over = if is_embedded { "expired" } else { "expired; the API allows for clocks that differ by 60 s" };
    html! {
        dt { "What this page may do" }
        dd #scopes { @for scope in &tokens.scope { code { (scope) } " " } }
        @if is_embedded { dt { "Access token" } dd #kind { (kind) } }
        dt { "Time left" }
        dd {
            @match left {
                Some(0) => (over),
                Some(left) => span #left role="timer" data-seconds=(left) data-over=(over) {
                    (left / 60) ":" (format!("{:02}", left % 60))
                },
                None => "the issuer has not said",
            }
        }
    }
}

fn actions(session: &Session, is_embedded: bool) -> Markup {
    html! {
        section {
            h2 { "Call the API" }
            .buttons {
                (button("/call", Some("me"), "Who am I?"))
                (button("/call", Some("orders"), "My orders"))
                (button("/call", Some("place_order"), "Place an order"))
            }
        }
        section {
            h2 { "What tokens go through" }
            .buttons {
                @if is_embedded { (button("/expire", None, "Let it expire, and call")) }
                (button("/revoke", None, "Revoke, and call"))
                @if is_embedded {
                    @match session.kind {
                        Kind::Jwt => a.button href=(login(Kind::Opaque)) { "Switch to opaque tokens" },
                        Kind::Opaque => a.button href=(login(Kind::Jwt)) { "Switch to JWTs" },
                    }
                }
            }
        }
        section {
            h2 { "What an API must not take" }
            p {
                "An ID token tells this page who you are, and is for nobody else. A URL is kept in logs and histories, so no token belongs \
                 there."
            }
            .buttons {
                (button("/call", Some("with_id_token"), "The ID token"))
                (button("/call", Some("in_the_url"), "The token in the URL"))
                (button("/call", Some("without_token"), "No token"))
            }
        }
    }
}

/// A form of one button: what it does changes something.
fn button(action: &str, call: Option<&str>, label: &str) -> Markup {
    html! {
        form method="post" action=(action) {
            @match call {
                Some(call) => button type="submit" name="call" value=(call) { (label) },
                None => button type="submit" { (label) },
            }
        }
    }
}

fn shown(step: &Step) -> Markup {
    let class = match step.status {
        Some(status) if status.is_success() => "good",
        Some(status) if status.is_server_error() => "bad",
        Some(_) => "refused",
        None => "",
    };
    html! {
        li {
            span { (step.what) }
            @if let Some(status) = step.status { " " strong class=(class) { (status) } }
            @for line in &step.said { br; code { (line) } }
        }
    }
}

fn page(status: StatusCode, title: &str, main: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – dashboard" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/style.css";
                script src="/countdown.js" defer {}
            }
            body { main { (main) } }
        }
    };
    (status, Html(page.into_string())).into_response()
}
