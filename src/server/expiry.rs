//! When does a token that was accepted expire?

use std::{
    future::{Future, pending},
    sync::Arc,
    time::Duration,
};

use crate::{server::ResourceServer, token::access_token::AccessToken};

/// How late a clock that was set forward is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl ResourceServer {
    /// Ends once the token has expired: past `exp` (RFC 7519 §4.1.4) and its issuer's leeway, by this server's clock. For what outlives
    /// the request that it was accepted with: a WebSocket, a stream of events.
    ///
    /// The token was good when the request came, and this tells of its expiry alone: not of a key that is withdrawn, nor of a token
    /// that is revoked. Without `exp` it never ends. A clock that is set forward is noticed within 60 s, and one that cannot be read
    /// ends it. It runs on tokio's timer.
    ///
    /// ```
    /// # use bearergate::{AccessToken, ResourceServer};
    /// async fn feed(api: ResourceServer, token: AccessToken) {
    ///     let expired = api.expired(&token);
    ///     tokio::select! {
    ///         () = expired => (), // close: the client comes back with a new token
    ///         () = send_events() => (),
    ///     }
    /// }
    /// # async fn send_events() {}
    /// ```
    pub fn expired<C>(&self, token: &AccessToken<C>) -> impl Future<Output = ()> + Send + use<C> {
        let leeway = self.inner.entries.load().find(token.issuer()).map(|entry| entry.rules.policy.leeway);
        let end = token.expires_at().map(|end| end.saturating_add(leeway.unwrap_or_default()));
        let clock = Arc::clone(&self.inner.shared.clock);
        async move {
            let Some(end) = end else { return pending().await };
            loop {
                let now = clock.wall();
                let left = end.saturating_duration_since(now);
                if left.is_zero() || !now.is_readable() {
                    return;
                }
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            }
        }
    }
}
