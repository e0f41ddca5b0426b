//! Is a request gRPC, and how is it refused then?

use std::fmt::Display;

use http::{HeaderMap, HeaderValue, Method, header::CONTENT_TYPE};

/// How a refusal is put.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Protocol {
    #[default]
    Http,
    Grpc,
    GrpcWeb,
    GrpcWebText,
}

impl Protocol {
    /// What a request speaks. gRPC is POST alone; anything else, whatever its `Content-Type`, gets a status of HTTP, so that no
    /// cache and no probe takes a refusal for a success.
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Self {
        if method != Method::POST {
            return Self::Http;
        }
        let Some(media_type) = headers.get(CONTENT_TYPE) else { return Self::Http };
        // A suffix such as `+proto`, or a parameter, does not count.
        let text = media_type.as_bytes();
        let end = text.iter().position(|octet| matches!(octet, b'+' | b';' | b' '));
        let name = end.and_then(|end| text.get(..end)).unwrap_or(text);
        [Self::Grpc, Self::GrpcWeb, Self::GrpcWebText]
            .into_iter()
            .find(|protocol| {
                protocol.media_type().is_some_and(|known| known.as_bytes().eq_ignore_ascii_case(name))
            })
            .unwrap_or_default()
    }

    /// The media type of an answer, a fixed text: nothing of the request comes back. `None` in HTTP.
    fn media_type(self) -> Option<&'static str> {
        match self {
            Self::Http => None,
            Self::Grpc => Some("application/grpc"),
            Self::GrpcWeb => Some("application/grpc-web"),
            Self::GrpcWebText => Some("application/grpc-web-text"),
        }
    }

    /// Adds what makes an answer without content one of gRPC ("Trailers-Only"): `grpc-status` and `grpc-message`. Tells whether
    /// it is one.
    pub(crate) fn add_status(self, headers: &mut HeaderMap, code: i32, message: impl Display) -> bool {
        let Some(media_type) = self.media_type() else { return false };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert("grpc-status", code.into());
        if let Ok(message) = HeaderValue::try_from(percent_encoded(&message.to_string())) {
            headers.insert("grpc-message", message);
        }
        true
    }
}

/// A `Status-Message` of the gRPC protocol: printable ASCII stays, but for `%`.
fn percent_encoded(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for octet in message.bytes() {
        match octet {
            b' '..=b'$' | b'&'..=b'~' => text.push(char::from(octet)),
            _ => {
                let _infallible = std::fmt::Write::write_fmt(&mut text, format_args!("%{octet:02X}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_grpc_by_method_and_media_type() {
        let of = |method: Method, media_type: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
            Protocol::of(&method, &headers)
        };
        for (media_type, protocol) in [
            ("application/grpc", Protocol::Grpc),
            ("application/grpc+proto", Protocol::Grpc),
            ("Application/GRPC;charset=utf-8", Protocol::Grpc),
            ("application/grpc-web", Protocol::GrpcWeb),
            ("application/grpc-web+proto", Protocol::GrpcWeb),
            ("application/grpc-web-text", Protocol::GrpcWebText),
            ("application/grpc-web-text+proto", Protocol::GrpcWebText),
            ("application/grpcs", Protocol::Http),
            ("application/json", Protocol::Http),
            ("", Protocol::Http),
        ] {
            assert_eq!(of(Method::POST, media_type), protocol, "{media_type}");
            assert_eq!(of(Method::GET, media_type), Protocol::Http, "{media_type}");
        }
        assert_eq!(Protocol::of(&Method::POST, &HeaderMap::new()), Protocol::Http);
    }

    #[test]
    fn a_message_is_percent_encoded() {
        assert_eq!(percent_encoded("100 % \"sure\"\n\u{e9}~"), "100 %25 \"sure\"%0A%C3%A9~");
    }
}
