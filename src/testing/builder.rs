//! How is the embedded issuer set up?

use std::{collections::HashMap, io, net::SocketAddr, sync::Arc, time::Duration};

use crate::{
    clock::{Clock, SystemClock},
    keys::algorithm::Algorithm,
    testing::{
        authorization::{Consent, RedirectUri},
        clients::Client,
        issuer::{State, TestIssuer},
        mint::DEFAULT_LIFETIME,
        serve,
    },
    token::scope::{Scope, Scopes},
};

/// Sets an issuer up before it starts. Made by [`TestIssuer::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until the issuer is started"]
pub struct TestIssuerBuilder {
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) default_audience: Option<String>,
    pub(super) clients: HashMap<String, Client>,
    pub(super) consent: Consent,
    pub(super) explained: HashMap<String, String>,
    pub(super) scopes: Option<Scopes>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lifetime: Duration,
    address: SocketAddr,
}

impl TestIssuerBuilder {
    pub(super) fn new() -> Self {
        Self {
            algorithms: vec![Algorithm::Es256],
            default_audience: None,
            clients: HashMap::new(),
            consent: Consent::default(),
            explained: HashMap::new(),
            scopes: None,
            clock: Arc::new(SystemClock),
            lifetime: DEFAULT_LIFETIME,
            address: ([127, 0, 0, 1], 0).into(),
        }
    }

    /// Has keys for these algorithms; the first one signs what the token endpoint gives out. To start with one that is not
    /// [supported](Algorithm::is_supported) by this build panics. **Default:** ES256.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Writes this into `aud` where nothing else is asked for. **Default:** no audience.
    pub fn default_audience(mut self, audience: impl Into<String>) -> Self {
        self.default_audience = Some(audience.into());
        self
    }

    /// Registers a confidential client that may ask for these scopes. It shows its secret, or signs assertions by HS256 with
    /// it. **Default:** no client.
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<String>, scopes: Scopes) -> Self {
        self.clients.insert(id.into(), Client::with_secret(secret.into(), scopes));
        self
    }

    /// Registers a client that signs assertions by the private half of this key, a JWK in JSON, as
    /// [`ClientAuth::private_key_jwt`](crate::ClientAuth::private_key_jwt) does. An assertion that names a `kid` needs a JWK that
    /// has it. **Default:** no client.
    ///
    /// # Panics
    ///
    /// For a JWK that is no public signature key, or not one that this build can use.
    pub fn client_with_key(mut self, id: impl Into<String>, jwk: &str, scopes: Scopes) -> Self {
        self.clients.insert(id.into(), Client::with_key(jwk, scopes));
        self
    }

    /// Registers a client that has nothing to prove itself by (RFC 6749 §2.1), such as an application on a user's device: it gets
    /// authorization codes at these redirect URIs, and may ask for these scopes. **Default:** those that register themselves.
    ///
    /// # Panics
    ///
    /// For a redirect URI that is neither https, nor http on loopback, nor of an application's own scheme, which has a dot in it; or
    /// one with a fragment.
    pub fn public_client<U: AsRef<str>>(
        mut self,
        id: impl Into<String>,
        redirect_uris: impl IntoIterator<Item = U>,
        scopes: Scopes,
    ) -> Self {
        self.clients.insert(id.into(), Client::public(parsed(redirect_uris), Some(scopes)));
        self
    }

    /// Gives a client that is registered already redirect URIs, so that it may ask for authorization codes. A request names one of
    /// them to the letter, apart from the port on a loopback address (RFC 8252 §7.3). **Default:** none.
    ///
    /// # Panics
    ///
    /// If there is no such client, and for redirect URIs as [`public_client`](Self::public_client).
    pub fn redirect_uris<U: AsRef<str>>(
        mut self,
        id: &str,
        redirect_uris: impl IntoIterator<Item = U>,
    ) -> Self {
        let client = self.clients.get_mut(id).expect("a client of this name is registered");
        client.redirect_uris = parsed(redirect_uris);
        self
    }

    /// Gives a client that is registered already access tokens that only the issuer can read: its introspection endpoint knows them
    /// (RFC 7662), and its clients may [end](crate::testing::Endpoint::Revocation) them. **Default:** JWTs (RFC 9068).
    ///
    /// # Panics
    ///
    /// If there is no such client.
    pub fn opaque_tokens_for(mut self, id: &str) -> Self {
        self.clients.get_mut(id).expect("a client of this name is registered").is_opaque = true;
        self
    }

    /// Has these scopes, which the metadata names: a client that registered itself may ask for no other. **Default:** any.
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.scopes = Some(scopes);
        self
    }

    /// Lets this user consent to whatever a client asks for, at once. **Default:** `test-user`.
    pub fn consents_as(mut self, subject: impl Into<String>) -> Self {
        self.consent = Consent::GivenBy(subject.into());
        self
    }

    /// Lets the user refuse: clients get `access_denied`. **Default:** the user consents.
    pub fn denies_consent(mut self) -> Self {
        self.consent = Consent::Denied;
        self
    }

    /// Asks on a page, in a browser: who opens it picks one of these users, named by subject, without a password, and allows or denies
    /// what the client wants. The page needs no script, and is good for ten minutes.
    ///
    /// The last one of this, [`consents_as`](Self::consents_as) and [`denies_consent`](Self::denies_consent) holds. **Default:** nobody
    /// is asked.
    ///
    /// ```
    /// use bearergate::{scopes, testing::TestIssuer};
    /// let issuer = TestIssuer::builder()
    ///     .public_client("shop", ["http://127.0.0.1/callback"], scopes!["read:orders"])
    ///     .users(["ann", "ben"])
    ///     .user_name("ann", "Ann Archer")
    ///     .scope_explained("read:orders", "See your orders");
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no user, or one without a name.
    pub fn users<U: Into<String>>(mut self, subjects: impl IntoIterator<Item = U>) -> Self {
        self.consent = Consent::asked_of(subjects.into_iter().map(Into::into));
        self
    }

    /// Calls a user of the page by this name. **Default:** the subject.
    ///
    /// # Panics
    ///
    /// If [`users`](Self::users) has not named the subject.
    pub fn user_name(mut self, subject: &str, name: impl Into<String>) -> Self {
        let user = self.consent.user_mut(subject).expect("a user of this subject is on the page");
        user.name = name.into();
        self
    }

    /// Tells users on the [page](Self::users) what a scope means. **Default:** they see the scope as it is.
    ///
    /// # Panics
    ///
    /// For what is no scope (RFC 6749 §3.3).
    pub fn scope_explained(mut self, scope: &str, text: impl Into<String>) -> Self {
        let scope = Scope::try_from(scope).expect("a scope is printable, without space, quote and backslash");
        self.explained.insert(scope.as_str().to_owned(), text.into());
        self
    }

    /// Takes the time from this clock. **Default:** [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Lets access tokens, and ID tokens, be good for so long, in whole seconds. **Default:** 300 s.
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Listens on this port of 127.0.0.1. **Default:** any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }

    /// Starts the issuer on its socket.
    ///
    /// # Errors
    ///
    /// When the port cannot be bound.
    pub async fn start(self) -> io::Result<TestIssuer> {
        let listener = tokio::net::TcpListener::bind(self.address).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(format!("http://{address}"), self));
        let serving = serve::serve(listener, address, Arc::clone(&state));
        Ok(TestIssuer { state, serving: Some(Arc::new(serving)) })
    }

    /// An issuer with this URL and no socket: it mints tokens, and [`TestIssuer::fetch`] reaches it.
    pub fn offline(self, url: impl Into<String>) -> TestIssuer {
        TestIssuer { state: Arc::new(State::new(url.into(), self)), serving: None }
    }
}

fn parsed<U: AsRef<str>>(redirect_uris: impl IntoIterator<Item = U>) -> Vec<RedirectUri> {
    let parse = |uri: U| {
        RedirectUri::parse(uri.as_ref())
            .expect("a redirect URI is https, http on loopback, or an application's own")
    };
    redirect_uris.into_iter().map(parse).collect()
}
