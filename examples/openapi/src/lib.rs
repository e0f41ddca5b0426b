//! One table of rights feeds the layer, the refusals, the metadata (RFC 9728) and the OpenAPI description.

use axum::{
    Json, Router,
    extract::Path,
    routing::{get, post},
};
use bearergate::{
    AccessToken, ConfigError, Issuer, PathRequirements, RequiredScopes as _, Requirement, ResourceServer,
    Scoped, scopes,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

/// The identifier of this resource server.
pub const RESOURCE: &str = "https://orders.example.com";

scopes!(pub ReadOrders = "read:orders");

/// What each operation asks for: the only place that says it.
///
/// # Errors
///
/// When a pattern means nothing.
pub fn rights() -> Result<PathRequirements, ConfigError> {
    PathRequirements::new([
        ("GET /orders", Requirement::from(ReadOrders::SCOPES)),
        ("POST /orders", scopes!["write:orders"].into()),
        (
            "POST /orders/{id}/refund",
            Requirement::any_of([scopes!["admin"], scopes!["write:orders", "refund"]]),
        ),
    ])
}

/// The resource server: its metadata lists the scopes of the table.
///
/// # Errors
///
/// For a configuration that cannot work.
pub fn resource_server(issuer: Issuer) -> Result<ResourceServer, ConfigError> {
    ResourceServer::builder(RESOURCE).trust(issuer).scopes_supported(rights()?.scopes()).build()
}

/// The service. Its description is public, as its metadata is.
///
/// # Errors
///
/// As [`rights`].
pub fn app(api: &ResourceServer) -> Result<Router, ConfigError> {
    let description = description(&rights()?);
    Ok(Router::new()
        .route("/me", get(me))
        .route("/orders", get(orders))
        .route("/orders", post(place))
        .route("/orders/{id}/refund", post(refund))
        .layer(api.layer().require_by_path(rights()?))
        .route_service(&api.metadata_path()?, api.metadata_service()?)
        .route("/openapi.json", get(async move || Json(description))))
}

/// The description, with what the table asks for at each operation.
pub fn description(rights: &PathRequirements) -> utoipa::openapi::OpenApi {
    let mut description = Description::openapi();
    Rights(rights).modify(&mut description);
    description
}

#[derive(OpenApi)]
#[openapi(paths(me, orders, place, refund))]
struct Description;

struct Rights<'r>(&'r PathRequirements);

impl Modify for Rights<'_> {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        let components = description.components.get_or_insert_default();
        components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
        // Whatever the table says nothing of asks for a good token.
        description.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], _>(BEARER, [])]);
        // Patterns for every method come first, and those for one replace what they said.
        for (method, path, requirement) in self.0.iter() {
            let Some(item) = description.paths.paths.get_mut(path) else { continue };
            let of_method = |name: &str| method.is_none_or(|method| method.as_str() == name);
            let operations = [
                ("GET", &mut item.get),
                ("POST", &mut item.post),
                ("PUT", &mut item.put),
                ("PATCH", &mut item.patch),
                ("DELETE", &mut item.delete),
            ];
            for (_, operation) in operations.into_iter().filter(|(name, _)| of_method(name)) {
                if let Some(operation) = operation {
                    secure(operation, requirement);
                }
            }
        }
    }
}

/// Each list of scopes is one way in. Where none is asked for, the token is: an empty list would say that nothing is.
fn secure(operation: &mut Operation, requirement: &Requirement) {
    let ways: Vec<_> = requirement
        .alternatives()
        .iter()
        .map(|scopes| SecurityRequirement::new(BEARER, scopes.iter()))
        .collect();
    operation.security = (!ways.is_empty()).then_some(ways);
}

const BEARER: &str = "bearer";

/// Who calls.
#[utoipa::path(get, path = "/me", responses((status = 200, body = String)))]
async fn me(token: AccessToken) -> String {
    token.subject().unwrap_or("nobody").to_owned()
}

/// The caller's orders. The extractor asks for the same scope type once more: taken out of the table, it still holds.
#[utoipa::path(get, path = "/orders", responses((status = 200, body = String)))]
async fn orders(token: Scoped<ReadOrders>) -> String {
    format!("the orders of {}", token.subject().unwrap_or("nobody"))
}

/// Places an order.
#[utoipa::path(post, path = "/orders", responses((status = 200, body = String)))]
async fn place() -> &'static str {
    "placed"
}

/// Refunds an order.
#[utoipa::path(post, path = "/orders/{id}/refund", params(("id" = u64, Path)), responses((status = 200, body = String)))]
async fn refund(Path(id): Path<u64>) -> String {
    format!("refunded {id}")
}
