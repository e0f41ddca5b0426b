//! Describes the service in Rust, so that nobody needs protoc to try this.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let method = |name: &str, route: &str| {
        Method::builder()
            .name(name)
            .route_name(route)
            .input_type("crate::Order")
            .output_type("crate::Order")
            .codec_path("tonic_prost::ProstCodec")
    };
    let service = Service::builder()
        .name("Orders")
        .package("shop")
        .method(method("get", "Get").build())
        .method(method("list", "List").server_streaming().build())
        .method(method("place", "Place").client_streaming().build())
        .method(method("change", "Change").client_streaming().server_streaming().build())
        .build();
    Builder::new().compile(&[service]);
}
