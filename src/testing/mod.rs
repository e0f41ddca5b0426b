//! An authorization server of one's own, on loopback: to try the crate, to test a service behind it, to teach.
//!
//! **Never for production**: it has no users, no consent, and mints any token that it is asked for.
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

mod clock;
mod date;
mod delivery;
mod endpoints;
mod etag;
mod fault;
mod faults;
mod fetch;
mod gzip;
mod issuer;
mod key;
mod mint;
#[cfg(test)]
mod mutation;
mod raw;
mod serve;

pub use self::{
    clock::TestClock,
    fault::{Endpoint, Fault},
    faults::Faults,
    fetch::IssuerFetch,
    issuer::{TestIssuer, TestIssuerBuilder},
    mint::TokenBuilder,
};
