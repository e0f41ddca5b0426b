//! What is axum with and without bearergate, as one program?

use std::{future::ready, hint::black_box, time::Duration};

use axum::{Router, routing::get, serve::ListenerExt as _};
use bearergate::{AccessToken, ClientAuth, Issuer, ResourceServer};
use serde::Deserialize;
use tokio::{net::TcpListener, runtime};

use crate::tokens::{CLIENT, LEEWAY, RESOURCE};

/// What a typical service reads.
#[derive(Deserialize)]
struct MyClaims {
    sub: String,
    client_id: String,
    tenant: String,
    roles: Vec<String>,
}

/// Serves until it is killed, on one thread. The arguments are those of [`arguments`].
pub fn serve(arguments: &[String]) -> Result<(), String> {
    let [form, port, issuer] = arguments else { return Err("serve FORM PORT ISSUER".to_owned()) };
    let port: u16 = port.parse().map_err(|_| format!("{port} is no port"))?;
    let runtime =
        runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let app = app(form, issuer)?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
        let listener = listener.tap_io(|stream| {
            // Without it an answer may wait for the client's acknowledgement of the last one.
            let _kept = stream.set_nodelay(true);
        });
        axum::serve(listener, app).await.map_err(|error| error.to_string())
    })
}

fn app(form: &str, issuer: &str) -> Result<Router, String> {
    if form == BARE {
        return Ok(Router::new().route("/orders", get(|| ready("ok"))));
    }
    let (id, secret) = CLIENT;
    let by_keys = || Issuer::discover(issuer);
    let asked = |time| {
        Issuer::introspect(issuer, format!("{issuer}/introspect"), ClientAuth::basic(id, secret))
            .introspection_cache_time(time)
    };
    let trusting = |issuer: Issuer| {
        ResourceServer::builder(RESOURCE).trust(issuer.allow_http_on_loopback().leeway(LEEWAY))
    };
    let builder = match form {
        KEYS => trusting(by_keys()),
        KEYS_AND_CACHE => trusting(by_keys()).with_token_cache(20_000),
        ASK_ONCE => trusting(asked(Duration::from_secs(3600))),
        ASK_ALWAYS => trusting(asked(Duration::ZERO)),
        _ => return Err(format!("there is no form {form}")),
    };
    let api = builder.build().map_err(|error| error.to_string())?;
    Ok(Router::new().route("/orders", get(orders)).layer(api.layer_for::<MyClaims>()))
}

async fn orders(token: AccessToken<MyClaims>) -> &'static str {
    let MyClaims { sub, client_id, tenant, roles } = token.claims();
    black_box((sub, client_id, tenant, roles));
    "ok"
}

/// Checks nothing.
pub const BARE: &str = "bare";
/// Checks each signature.
pub const KEYS: &str = "keys";
/// Remembers verified tokens.
pub const KEYS_AND_CACHE: &str = "keys-and-cache";
/// Asks the issuer once about each token.
pub const ASK_ONCE: &str = "ask-once";
/// Asks the issuer about each request.
pub const ASK_ALWAYS: &str = "ask-always";
