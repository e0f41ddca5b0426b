//! A service on actix-web, which is not tower: an extractor asks `validate`, and a refusal becomes actix's own response.

use std::{fmt, future::Future, io, net::TcpListener, pin::Pin};

use actix_web::{
    App, FromRequest, HttpRequest, HttpResponse, HttpServer, ResponseError,
    dev::{Payload, Server},
    http::{StatusCode, header},
    web::{Data, get, resource},
};
use bearergate::{AccessToken, Presented, Refusal, ResourceServer, scopes};

/// The identifier of this resource server.
pub const RESOURCE: &str = "https://orders.example.com";

/// A server for this listener; it serves once it is awaited.
///
/// # Errors
///
/// Those of the listener.
pub fn server(api: ResourceServer, listener: TcpListener) -> io::Result<Server> {
    let app = move || {
        App::new()
            .app_data(Data::new(api.clone()))
            .route("/me", get().to(me))
            .service(resource("/orders").get(orders))
    };
    // Signals are the application's affair.
    Ok(HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run())
}

async fn me(caller: Caller) -> String {
    caller.0.subject().unwrap_or("nobody").to_owned()
}

async fn orders(caller: Caller, api: Data<ResourceServer>) -> Result<String, Refused> {
    api.check(&caller.0, scopes!["read:orders"]).map_err(Refused)?;
    Ok(format!("the orders of {}", caller.0.subject().unwrap_or("nobody")))
}

/// Who calls, verified. Each handler asks for it: there is no layer. Not as an `Option`, for actix makes `None` of a bad token too.
struct Caller(AccessToken);

impl FromRequest for Caller {
    type Error = Refused;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Refused>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let api = request.app_data::<Data<ResourceServer>>().cloned();
        let parts = parts(request);
        Box::pin(async move {
            let api = api.expect("the server is in the application's data");
            let refuse = |error| Refused(api.refuse(error));
            let presented = Presented::from_parts(&parts).map_err(refuse)?;
            api.validate(&presented).await.map(Self).map_err(refuse)
        })
    }
}

/// actix-web has the types of another version of the crate `http`. Every `Authorization` field counts: two are refused.
fn parts(request: &HttpRequest) -> http::request::Parts {
    let mut builder = http::Request::builder().method(request.method().as_str()).uri(request.path());
    for field in request.headers().get_all(header::AUTHORIZATION) {
        builder = builder.header(http::header::AUTHORIZATION, field.as_bytes());
    }
    // What actix took as a method and a path is one.
    builder.body(()).unwrap_or_default().into_parts().0
}

/// A refusal as actix's own response.
#[derive(Debug)]
struct Refused(Refusal);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for (name, value) in &self.0.headers() {
            response.append_header((name.as_str(), value.as_bytes()));
        }
        response.finish()
    }
}
