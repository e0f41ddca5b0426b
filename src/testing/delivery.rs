//! What does a fault make of an answer?

use std::{
    future::{Future, pending},
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, LOCATION},
};
use serde_json::{Value, json};

use crate::testing::{
    date,
    endpoints::{self, Exchange},
    etag,
    fault::{Endpoint, Fault},
    faults::Place,
    gzip,
    issuer::State,
};

/// An answer on its way.
pub(super) struct Delivery {
    pub(super) response: Response<Vec<u8>>,
    /// How it breaks on the way, if it does.
    pub(super) breakage: Option<Breakage>,
    moment: Moment,
    place: Option<Place>,
}

/// What only octets on a socket can do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Breakage {
    Drip(Duration),
    Endless,
    ResetMidBody,
    ResetMidHead,
    Truncated,
}

/// When an answer leaves.
#[derive(Clone, Copy)]
enum Moment {
    Now,
    After(Duration),
    AfterTheNext,
    Never,
}

impl Delivery {
    /// Answers as the fault wants it whose turn it is. The answer is made now, whenever it comes.
    pub(super) fn new(issuer: &State, exchange: &Exchange<'_>) -> Self {
        let Some(endpoint) = Endpoint::of(exchange.method, exchange.path) else {
            return Self::prompt(endpoints::answer(issuer, exchange));
        };
        issuer.count(exchange.path);
        let (place, fault) = issuer.schedule.enter(endpoint);
        let mut delivery = Self::with(issuer, exchange, endpoint, fault);
        delivery.place = Some(place);
        delivery
    }

    fn with(issuer: &State, exchange: &Exchange<'_>, endpoint: Endpoint, fault: Fault) -> Self {
        if matches!(fault, Fault::KeysReplacedInPlace) {
            issuer.rotate_in_place();
        }
        let (breakage, moment) = match fault {
            Fault::DripFeed(pause) => (Some(Breakage::Drip(pause)), Moment::Now),
            Fault::Endless => (Some(Breakage::Endless), Moment::Now),
            Fault::ResetMidBody => (Some(Breakage::ResetMidBody), Moment::Now),
            Fault::ResetMidHead => (Some(Breakage::ResetMidHead), Moment::Now),
            Fault::Truncated => (Some(Breakage::Truncated), Moment::Now),
            Fault::Hang => (None, Moment::Never),
            Fault::OutOfOrder => (None, Moment::AfterTheNext),
            Fault::Slow(delay) => (None, Moment::After(delay)),
            _ => (None, Moment::Now),
        };
        let mut response = endpoints::answer(issuer, exchange);
        change_document(&mut response, &fault);
        if endpoint == Endpoint::Jwks && response.status() == StatusCode::OK {
            etag::mark(&mut response);
        }
        let mut response = replace(response, &fault);
        change_fields(issuer, response.headers_mut(), fault);
        // An answer that breaks needs content to break in.
        if breakage.is_none() {
            etag::leave_out_what_is_known(&mut response, exchange.headers);
        }
        issuer.count_status(response.status());
        Self { response, breakage, moment, place: None }
    }

    fn prompt(response: Response<Vec<u8>>) -> Self {
        Self { response, breakage: None, moment: Moment::Now, place: None }
    }

    /// Ends when the answer leaves.
    pub(super) fn leaves(&self, issuer: &State) -> impl Future<Output = ()> + Send {
        let (moment, place) = (self.moment, self.place);
        async move {
            match (moment, place) {
                (Moment::After(delay), _) => tokio::time::sleep(delay).await,
                (Moment::AfterTheNext, Some(place)) => issuer.schedule.overtaken(place).await,
                (Moment::Never, _) => pending().await,
                _ => (),
            }
            if let Some(place) = place {
                issuer.schedule.leave(place);
            }
        }
    }
}

/// Another document from the same endpoint.
fn change_document(response: &mut Response<Vec<u8>>, fault: &Fault) {
    match fault {
        Fault::Document(document) => *response.body_mut() = document.clone(),
        Fault::EmptySet => *response.body_mut() = json!({"keys": []}).to_string().into_bytes(),
        Fault::JwksUri(uri) => change_member(response, "jwks_uri", |_| uri.as_str().into()),
        Fault::OddKeys => change_member(response, "keys", odd_keys_around),
        Fault::Oversized(length) => {
            let body = response.body_mut();
            body.resize((*length).max(body.len()), b' ');
        }
        Fault::WrongIssuer(issuer) => change_member(response, "issuer", |_| issuer.as_str().into()),
        _ => (),
    }
}

fn change_member(response: &mut Response<Vec<u8>>, name: &str, change: impl FnOnce(Value) -> Value) {
    let Ok(Value::Object(mut members)) = serde_json::from_slice(response.body()) else { return };
    if let Some(member) = members.remove(name) {
        members.insert(name.into(), change(member));
        *response.body_mut() = Value::Object(members).to_string().into_bytes();
    }
}

/// Types, curves and uses that nobody knows, members that lack or have the wrong type, and what is no key at all.
fn odd_keys_around(keys: Value) -> Value {
    let before = json!([
        {"kty": "XYZ", "kid": "odd-type"},
        {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA", "kid": "odd-curve"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "odd-point"},
        {"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB", "kid": "odd-use"},
        null,
    ]);
    let after = json!([
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "odd-size"},
        {"kty": "oct", "k": "AAAA", "kid": "odd-secret"},
        {"kty": "EC", "kid": "odd-members"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": 7},
        "odd",
    ]);
    let lists = [before, keys, after].into_iter();
    lists.flat_map(|list| if let Value::Array(list) = list { list } else { Vec::new() }).collect()
}

/// An answer of another kind.
fn replace(response: Response<Vec<u8>>, fault: &Fault) -> Response<Vec<u8>> {
    match fault {
        Fault::GzipBomb => {
            let mut bomb = Response::new(gzip::bomb());
            bomb.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            bomb.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            bomb
        }
        Fault::Html => {
            let mut page = Response::new(PAGE.as_bytes().to_vec());
            page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
            page
        }
        Fault::Redirect(place) => {
            let mut redirect = empty(StatusCode::FOUND);
            if let Ok(place) = HeaderValue::try_from(place.to_string()) {
                redirect.headers_mut().insert(LOCATION, place);
            }
            redirect
        }
        Fault::Status(status) => empty(*status),
        _ => response,
    }
}

fn empty(status: StatusCode) -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = status;
    response
}

fn change_fields(issuer: &State, headers: &mut HeaderMap, fault: Fault) {
    match fault {
        Fault::Headers(fields) => headers.extend(fields),
        Fault::SkewedDate(seconds) => {
            let date = date::http_date(issuer.clock.wall().as_secs().saturating_add(seconds));
            headers.insert(DATE, date);
        }
        Fault::WithoutHeader(name) => {
            headers.remove(name);
        }
        _ => (),
    }
}

const PAGE: &str =
    "<!doctype html><title>Sign in</title><p>The service is busy. Sign in and try again.</p>\n";
