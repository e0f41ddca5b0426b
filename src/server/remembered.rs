//! What does the server remember of tokens, and how is it forgotten?

use crate::{introspection::Introspection, server::Inner, token::digest::TokenDigest};

/// What the server remembers of tokens: the answers of introspection endpoints, and with
/// [`with_token_cache`](crate::ResourceServerBuilder::with_token_cache) the JWTs that keys have verified. Made by [`ResourceServer::cached_tokens`](crate::ResourceServer::cached_tokens).
///
/// What is forgotten is asked about anew when the token comes again, and so is what is being asked about at this moment. It
/// holds for this process; where several share the work, call it in each.
#[derive(Debug)]
pub struct CachedTokens<'s> {
    pub(super) inner: &'s Inner,
}

impl CachedTokens<'_> {
    /// Forgets what was said of this token.
    pub fn forget(&self, token: &str) {
        if let Some(verified) = &self.inner.verified {
            verified.forget(&TokenDigest::of(token.as_bytes()));
        }
        self.each(None, |introspection| introspection.memory().forget(token.as_bytes()));
    }

    /// Forgets what was said of all tokens of a subject, `sub`, of this issuer. It looks at each token that is remembered.
    pub fn forget_subject(&self, issuer: &str, subject: &str) {
        if let Some(verified) = &self.inner.verified {
            verified.forget_subject(issuer, subject);
        }
        self.each(Some(issuer), |introspection| introspection.memory().forget_subject(subject));
    }

    /// Forgets everything.
    pub fn clear(&self) {
        if let Some(verified) = &self.inner.verified {
            verified.clear();
        }
        self.each(None, |introspection| introspection.memory().clear());
    }

    fn each(&self, issuer: Option<&str>, act: impl Fn(&Introspection)) {
        let entries = self.inner.entries.load();
        let chosen = entries.iter().filter(|entry| issuer.is_none_or(|issuer| entry.id().as_str() == issuer));
        for asked in chosen.filter_map(|entry| entry.asked.as_ref()) {
            act(&asked.introspection);
        }
    }
}
