//! Which document describes this resource server, and where does it stand? (RFC 9728)

use std::{collections::HashSet, sync::Arc};

use serde_json::json;
use url::Url;

use crate::{
    error::ConfigError,
    keys::discovery::UrlPolicy,
    middleware::metadata::MetadataService,
    server::{Inner, ResourceServer},
    token::scope::Scopes,
};

/// Goes between host and path of the resource identifier (RFC 9728 §3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl ResourceServer {
    /// The path of the metadata document: `/.well-known/oauth-protected-resource`, then the path of the resource
    /// identifier (RFC 9728 §3.1). It belongs to the root of the host, outside the layer.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoMetadata`] when the resource identifier is not an https URL without fragment (http on loopback
    /// is taken too).
    pub fn metadata_path(&self) -> Result<String, ConfigError> {
        Ok(self.inner.metadata_url()?.path().to_owned())
    }

    /// Serves the metadata document: `resource`, `authorization_servers`, `scopes_supported` (see
    /// [the builder](crate::ResourceServerBuilder::scopes_supported)), `bearer_methods_supported` (RFC 9728 §2). An issuer whose
    /// identifier is no https URL (http on loopback is taken too) is trusted, and not named: no client could find it.
    /// From now on every challenge of this server names it in `resource_metadata` (RFC 9728 §5.1).
    /// The guide shows it with [axum](crate::guide::axum) and for [MCP servers](crate::guide::mcp).
    ///
    /// # Errors
    ///
    /// As [`metadata_path`](Self::metadata_path).
    pub fn metadata_service(&self) -> Result<MetadataService, ConfigError> {
        let url = self.inner.metadata_url()?;
        self.inner.responder.resource_metadata.get_or_init(|| url.into());
        let inner = Arc::clone(&self.inner);
        Ok(MetadataService::new(move || inner.metadata_document()))
    }
}

impl Inner {
    fn metadata_url(&self) -> Result<Url, ConfigError> {
        let mut url = Url::parse(self.shared.audience.as_str()).map_err(|_| ConfigError::NoMetadata)?;
        UrlPolicy { http_on_loopback: true }.check(&url).map_err(|_| ConfigError::NoMetadata)?;
        let path = if url.path() == "/" { "" } else { url.path() };
        url.set_path(&format!("{WELL_KNOWN}{path}"));
        Ok(url)
    }

    fn metadata_document(&self) -> String {
        let entries = self.entries.load();
        let ids = entries.iter().map(|entry| entry.id().as_str());
        let mut servers: Vec<&str> = ids.filter(|id| is_findable(id)).collect();
        servers.sort_unstable();
        let mut document = json!({
            "resource": self.shared.audience.as_str(),
            "bearer_methods_supported": ["header"],
        });
        // RFC 9728 §3.2: what has no values is left out.
        for (name, values) in
            [("authorization_servers", servers), ("scopes_supported", self.scopes_supported())]
        {
            if let (false, Some(members)) = (values.is_empty(), document.as_object_mut()) {
                members.insert(name.into(), values.into());
            }
        }
        document.to_string()
    }

    /// Each scope once, those of the challenge first.
    fn scopes_supported(&self) -> Vec<&str> {
        let lists = self.responder.challenge_scopes.iter().chain(&self.responder.scopes_supported);
        let mut known = HashSet::new();
        lists.flat_map(Scopes::iter).filter(|scope| known.insert(*scope)).collect()
    }
}

/// Whether a text is an issuer identifier of RFC 8414 §2, by which metadata can be found. `iss` may be any text.
fn is_findable(issuer: &str) -> bool {
    let urls = UrlPolicy { http_on_loopback: true };
    Url::parse(issuer).is_ok_and(|url| urls.check(&url).is_ok() && url.query().is_none())
}
