//! An authorization server of one's own, on loopback: to try the crate, to test a service behind it, to teach.
//!
//! [The guide](crate::guide::testing) shows how a service is tested with it.
//!
//! **Never for production**: it knows nobody, consents to everything or asks whoever is there, and mints any token that
//! it is asked for.
//!
//! ```
//! use bearergate::{ResourceServer, Presented, Claims, testing::TestIssuer};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::start().await?;
//! let api = ResourceServer::builder("https://api.example.com").trust(issuer.trusted()).build()?;
//!
//! let good = issuer.token().audience("https://api.example.com").scope("read").mint();
//! assert!(api.validate::<Claims>(&Presented::bearer(&good)).await.is_ok());
//!
//! let late = issuer.token().audience("https://api.example.com").expired().mint();
//! assert!(api.validate::<Claims>(&Presented::bearer(&late)).await.is_err());
//! # Ok(()) }
//! ```
//!
//! # Without an authorization server
//!
//! [`MockAuth`] is a table of made-up tokens in place of an issuer: no keys, no signatures, no sockets, and all other checks as they
//! are. [`assert_refused`], [`assert_refused_in_grpc`] and [`assert_unavailable`] say whether an answer is the refusal that a test
//! expects; [`Challenge`] is what it tells the client.
//!
//! # Users
//!
//! Clients that act for a user get a code for a token, as they do elsewhere (RFC 6749 §4.1, with PKCE); the user consents at once,
//! or is asked on a [page](TestIssuerBuilder::users).
//!
//! ```
//! use bearergate::{Fetch, FetchRequest, scopes, testing::TestIssuer};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::builder()
//!     .public_client("app", ["https://app.example.com/callback"], scopes!["read"])
//!     .consents_as("ann")
//!     .offline("https://login.example.com");
//!
//! // Where the client sends the browser of its user.
//! let url = "https://login.example.com/authorize?response_type=code&client_id=app\
//!     &redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&state=a-state&scope=read\
//!     &resource=https%3A%2F%2Fapi.example.com&code_challenge_method=S256\
//!     &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
//! let answer = issuer.fetch().fetch(FetchRequest::get(url.parse()?, "*/*", 4096)).await?;
//! let back = answer.headers["location"].to_str()?;
//! assert!(back.starts_with("https://app.example.com/callback?code="));
//! # Ok(()) }
//! ```
//!
//! # Faults
//!
//! [`TestIssuer::faults`] breaks its answers at will, per [`Endpoint`]: standing, or one [`Fault`] after the other.
//!
//! ```
//! use bearergate::{Claims, Presented, ResourceServer, testing::{Endpoint, Fault, TestIssuer}};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let issuer = TestIssuer::builder().default_audience("https://api.example.com").start().await?;
//! let api = ResourceServer::builder("https://api.example.com").trust(issuer.trusted()).build()?;
//! api.ready().await?;
//!
//! issuer.faults().set(Endpoint::Jwks, Fault::Html); // a portal answers for the issuer
//! assert!(api.refresh_now().await.is_err());
//! let token = issuer.token().mint();
//! assert!(api.validate::<Claims>(&Presented::bearer(&token)).await.is_ok()); // by the keys of before
//!
//! issuer.faults().clear(Endpoint::Jwks);
//! issuer.faults().script(Endpoint::Jwks, [Fault::ResetMidBody]); // the first answer only
//! api.refresh_now().await?; // the second one is good
//! # Ok(()) }
//! ```
//!
//! Where time is paused, an issuer without a socket ([`TestIssuerBuilder::offline`], [`TestIssuer::fetch`]) has the same
//! faults with the same outcome: an hour of outage takes a test milliseconds.

mod assertions;
mod authorization;
mod builder;
mod challenge;
mod clients;
mod clock;
mod date;
mod delivery;
mod endpoints;
mod etag;
mod fault;
mod faults;
mod fetch;
mod form;
mod gzip;
mod issuer;
mod jws;
mod mint;
mod mock;
mod mock_token;
#[cfg(test)]
mod mutation;
mod opaque;
mod raw;
mod serve;
mod token_endpoint;

pub use self::{
    assertions::{assert_refused, assert_refused_in_grpc, assert_unavailable},
    builder::TestIssuerBuilder,
    challenge::{Challenge, InvalidChallenge},
    clock::TestClock,
    fault::{Endpoint, Fault},
    faults::Faults,
    fetch::IssuerFetch,
    issuer::TestIssuer,
    mint::TokenBuilder,
    mock::MockAuth,
    mock_token::MockTokenBuilder,
    opaque::OpaqueTokenBuilder,
};
