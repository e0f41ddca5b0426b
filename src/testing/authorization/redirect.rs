//! Where may a user be sent back to?

use url::{Host, Url};

/// A redirect URI that a client has registered.
#[derive(Clone, Debug)]
pub(in crate::testing) struct RedirectUri(String);

impl RedirectUri {
    /// An absolute URI without fragment (RFC 6749 §3.1.2): `https`, `http` on loopback (RFC 8252 §7.3), or of a scheme that an
    /// application has for itself, which is known by its dot (§7.1). So none that a browser would run.
    pub(in crate::testing) fn parse(text: &str) -> Option<Self> {
        // As it stands it goes into a header field.
        let is_plain = text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#');
        if !is_plain || text.len() > MAX_REDIRECT_URI_BYTES {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let is_good = match url.scheme() {
            // What follows the scheme is resolved against the issuer, where the slashes are missing.
            "https" => text.starts_with("https://") && url.has_host(),
            "http" => text.starts_with("http://") && url.host().is_some_and(|host| is_loopback(&host)),
            other => other.contains('.'),
        };
        let is_shown_whole = url.host_str().is_none_or(|host| host.len() <= MAX_HOST_BYTES);
        let has_no_user = url.username().is_empty() && url.password().is_none();
        (is_good && has_no_user && is_shown_whole).then(|| Self(text.to_owned()))
    }

    /// Whether a request may name this one: to the letter (RFC 9700 §2.1), but with any port on a loopback address, for an
    /// application takes the one that is free (RFC 8252 §7.3). `localhost` is a name, and not excepted.
    pub(in crate::testing) fn admits(&self, asked: &str) -> bool {
        self.0 == asked || without_port(&self.0).is_some_and(|known| Some(known) == without_port(asked))
    }

    pub(in crate::testing) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// What stands before the port of a loopback address, and what behind it.
fn without_port(uri: &str) -> Option<(&'static str, &str)> {
    let (origin, behind) =
        LOOPBACK.into_iter().find_map(|origin| Some((origin, uri.strip_prefix(origin)?)))?;
    let rest = match behind.strip_prefix(':') {
        Some(behind) => {
            let rest = behind.trim_start_matches(|character: char| character.is_ascii_digit());
            let port = behind.strip_suffix(rest)?.parse::<u16>().ok()?;
            if port == 0 { None } else { Some(rest) }?
        }
        None => behind,
    };
    // Else the name of the host goes on.
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((origin, rest))
}

const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// Of a name in DNS (RFC 1035 §2.3.4).
const MAX_HOST_BYTES: usize = 253;

/// The longest that browsers and servers agree on is about this.
const MAX_REDIRECT_URI_BYTES: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_registered() {
        for good in [
            "https://app.example/callback",
            "https://app.example",
            "https://app.example:8443/callback?tenant=1",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:4711/callback",
            "http://[::1]:4711/callback",
            "http://localhost:4711/callback",
            "com.example.app:/callback",
        ] {
            assert!(RedirectUri::parse(good).is_some(), "{good}");
        }
        let long = format!("https://app.example/{}", "a".repeat(2048));
        let long_host = format!("https://bank.example.{}.evil.example/", ["a"; 130].join("."));
        for bad in [
            "",
            "/callback",
            "app.example/callback",
            "https://",
            "http://app.example/callback",
            "http://127.0.0.1.app.example/callback",
            "https://app.example/callback#",
            "https://app.example/callback#part",
            "https://user@app.example/callback",
            "https://:secret@app.example/callback",
            "https://app.example/a b",
            "https://app.example/\r\nset-cookie:a=b",
            "https://äpp.example/callback",
            "javascript:alert(1)",
            "data:text/html,hello",
            "file:///etc/passwd",
            "myapp:/callback",
            "https:app.example/callback",
            "http:127.0.0.1:4711/callback",
            &long,
            &long_host,
        ] {
            assert!(RedirectUri::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn it_admits_itself_to_the_letter() {
        let registered = RedirectUri::parse("https://app.example/callback").unwrap();
        assert!(registered.admits("https://app.example/callback"));
        for other in [
            "",
            "https://app.example/",
            "https://app.example/callback/",
            "https://app.example/callback/deeper",
            "https://app.example/callback?next=evil",
            "https://app.example/callback#part",
            "https://app.example/callbac",
            "https://app.example/callbackk",
            "https://app.example/Callback",
            "https://app.example/%63allback",
            "https://app.example/x/../callback",
            "https://APP.example/callback",
            "https://app.example:443/callback",
            "https://app.example:8443/callback",
            "https://app.example.evil.example/callback",
            "https://evil.example/callback",
            "https://app.example@evil.example/callback",
            "https://app.example\\@evil.example/callback",
            "http://app.example/callback",
            " https://app.example/callback",
        ] {
            assert!(!registered.admits(other), "{other}");
        }
    }

    #[test]
    fn on_loopback_the_port_is_free_and_nothing_else() {
        for registered in ["http://127.0.0.1/callback", "http://127.0.0.1:4711/callback"] {
            let registered = RedirectUri::parse(registered).unwrap();
            for good in [
                "http://127.0.0.1/callback",
                "http://127.0.0.1:1/callback",
                "http://127.0.0.1:65535/callback",
            ] {
                assert!(registered.admits(good), "{good}");
            }
            for bad in [
                "http://127.0.0.1:4711/other",
                "http://127.0.0.1:4711/callback/",
                "http://127.0.0.1:4711/callback?a=b",
                "http://127.0.0.1:4711",
                "http://127.0.0.1:/callback",
                "http://127.0.0.1:0/callback",
                "http://127.0.0.1:65536/callback",
                "http://127.0.0.1:+1/callback",
                "http://127.0.0.1:4711@evil.example/callback",
                "http://127.0.0.1:4711.evil.example/callback",
                "http://127.0.0.1.evil.example/callback",
                "http://127.0.0.1@evil.example/callback",
                "http://127.0.0.2:4711/callback",
                "http://[::1]:4711/callback",
                "http://localhost:4711/callback",
                "https://127.0.0.1:4711/callback",
                "HTTP://127.0.0.1:4711/callback",
            ] {
                assert!(!registered.admits(bad), "{bad}");
            }
        }
        let six = RedirectUri::parse("http://[::1]/callback").unwrap();
        assert!(six.admits("http://[::1]:4711/callback"));
        assert!(!six.admits("http://127.0.0.1:4711/callback"));
    }

    #[test]
    fn a_name_has_the_port_that_it_was_registered_with() {
        let registered = RedirectUri::parse("http://localhost:4711/callback").unwrap();
        assert!(registered.admits("http://localhost:4711/callback"));
        assert!(!registered.admits("http://localhost:4712/callback"));
        assert!(!registered.admits("http://127.0.0.1:4711/callback"));
    }
}
