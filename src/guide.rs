// How is the crate used? One page a topic, there only in the documentation and its tests. Links between pages lead into the
// documentation here, and to files in the repository: of two definitions of a link, the first counts.
#![doc = include_str!("../docs/guide/links.md")]
#![doc = include_str!("../docs/guide/index.md")]
#![cfg_attr(
    not(all(feature = "axum", feature = "testing")),
    allow(rustdoc::broken_intra_doc_links, reason = "pages link to what these features bring")
)]

#[expect(unused_imports, reason = "the pages link to these names")]
use crate::*;

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/getting_started.md")]
pub mod getting_started {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/axum.md")]
pub mod axum {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/tonic.md")]
pub mod tonic {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/other_frameworks.md")]
pub mod other_frameworks {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/issuers.md")]
pub mod issuers {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/opaque_tokens.md")]
pub mod opaque_tokens {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/rights.md")]
pub mod rights {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/mcp.md")]
pub mod mcp {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/operation.md")]
pub mod operation {}

#[doc = include_str!("../docs/guide/links.md")]
#[doc = include_str!("../docs/guide/security.md")]
pub mod security {}
