// Links of the README lead into the documentation there: of two definitions of a link, the first counts.
#![doc = include_str!("../docs/front.md")]
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod error;
#[cfg(feature = "axum")]
mod extract;
mod fetch;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
pub mod guide;
mod introspection;
mod jwt;
mod keys;
mod middleware;
mod policy;
mod server;
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod validate;

pub use crate::{
    clock::{Clock, SystemClock, UnixTime},
    error::{AuthError, AuthErrorKind, ConfigError, Decision, ErrorCode, InvalidScope},
    fetch::{
        Fetch, FetchError, FetchErrorKind, FetchFuture, FetchRequest, FetchResponse, PostContent,
        client::HttpFetch,
    },
    introspection::{
        auth::ClientAuth,
        endpoint::IntrospectionEndpoint,
        introspector::{Introspected, IntrospectionFuture, Introspector, Question},
        secret::Secret,
        userinfo::{BoundTo, DangerousUserinfo, Userinfo},
    },
    jwt::Check,
    keys::{
        algorithm::Algorithm,
        change::{KeyChange, KeyChanges},
        snapshot::{KeySnapshots, SnapshotStore},
    },
    middleware::{
        authorize::{Authorize, AuthorizeFuture, AuthorizeLayer},
        body::{NoBody, RefusalBody, RefusalMode, Rendered, WithBody},
        future::ResponseFuture,
        layer::BearerAuthLayer,
        metadata::MetadataService,
        paths::PathRequirements,
        refusal::Refusal,
        require::{Require, RequireFuture, RequireLayer},
        service::BearerAuth,
    },
    policy::{OmittableClaim, Profile},
    server::{
        ResourceServer,
        builder::{DangerousBuilder, ResourceServerBuilder},
        explain::{CheckOutcome, Explanation},
        health::{Health, IntrospectionHealth, IssuerHealth, KeyState, SkippedKey},
        issuer::{Answer, AskAbout, Dangerous, Issuer},
        readiness::{FailedIssuer, NotReady},
        remembered::CachedTokens,
        selector::Selector,
        trusted::Issuers,
    },
    token::{
        access_token::AccessToken,
        actor::Actor,
        authorization_details::AuthorizationDetail,
        claims::Claims,
        hierarchy::ScopeHierarchy,
        presented::Presented,
        requirement::Requirement,
        scope::{RequiredScopes, Scope, Scopes},
    },
};

#[cfg(feature = "axum")]
pub use crate::extract::{Scoped, Validated};
