//! Where are the last good keys kept, so that a restart finds them?

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use secrecy::{ExposeSecret as _, SecretBox};

use crate::{error::ConfigError, keys::snapshot::document::MAX_DOCUMENT_BYTES};

mod document;
#[cfg(unix)]
mod folder;
mod keeper;
mod seal;

pub(crate) use document::{Expected, Published, Restored, Snapshot};
pub(crate) use keeper::Keeper;

/// Where the last good keys of each issuer are kept, for a restart while the issuer is down. Given to
/// [`keep_keys`](crate::ResourceServerBuilder::keep_keys).
///
/// Only public keys are kept: of each key that is in use, the members that make it one.
///
/// ```no_run
/// use bearergate::{Issuer, KeySnapshots, ResourceServer};
///
/// # fn main() -> Result<(), bearergate::ConfigError> {
/// let api = ResourceServer::builder("https://api.example.com")
///     .trust(Issuer::discover("https://login.example.com"))
///     .keep_keys(KeySnapshots::folder("/var/lib/orders-api/keys"))
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct KeySnapshots {
    place: Arc<Place>,
}

/// Keeps documents somewhere else than in a folder: in a database, an object store, a cache that outlives the process.
///
/// Both methods block. [`load`](Self::load) is called once per issuer while the server is built, or while
/// [`issuers()`](crate::ResourceServer::issuers) is changed: it needs a time limit of its own. [`save`](Self::save) is
/// called on tokio's threads for blocking work, never for two documents of one name at once by one entry. The text of an
/// error reaches the log: it must hold no credentials.
///
/// ```
/// use std::{collections::HashMap, io, sync::Mutex};
/// use bearergate::{KeySnapshots, SnapshotStore};
///
/// #[derive(Default)]
/// struct Memory(Mutex<HashMap<String, Vec<u8>>>);
///
/// impl SnapshotStore for Memory {
///     fn load(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
///         Ok(self.0.lock().unwrap().get(name).cloned())
///     }
///
///     fn save(&self, name: &str, document: &[u8]) -> io::Result<()> {
///         self.0.lock().unwrap().insert(name.to_owned(), document.to_vec());
///         Ok(())
///     }
/// }
///
/// # let mac_key = [7; 32];
/// let snapshots = KeySnapshots::store(Memory::default(), mac_key);
/// ```
pub trait SnapshotStore: Send + Sync + 'static {
    /// The document that was last saved under this name, if any: 64 hexadecimal digits that tell nothing of the issuer.
    ///
    /// # Errors
    ///
    /// When the store cannot be read. The server starts without the document, and logs the error.
    fn load(&self, name: &str) -> io::Result<Option<Vec<u8>>>;

    /// Keeps the document under this name, in place of the one before, as a whole or not at all.
    ///
    /// # Errors
    ///
    /// When it cannot be kept. Requests are not concerned; the error is logged, and the next document is saved anew.
    fn save(&self, name: &str, document: &[u8]) -> io::Result<()>;
}

enum Place {
    #[cfg(unix)]
    Folder(folder::Folder),
    /// Nobody can be asked here who may write a folder, or it has no name.
    NoFolder(&'static str),
    Store {
        store: Box<dyn SnapshotStore>,
        mac_key: SecretBox<[u8]>,
    },
}

impl KeySnapshots {
    /// Keeps one file per issuer in this folder, of which only this service may write.
    ///
    /// The folder is made, owner-only, if its parent is there. The folder and its files must belong to the user that the
    /// service runs as, must not be writable for group or others, and must be no symbolic links: else what they hold is
    /// ignored, and nothing is written. They may be readable: the keys are public. The service must be able to write there:
    /// whom it runs as is seen by what it makes. Give each service a folder of its own. Only on Unix; elsewhere [`build`](crate::ResourceServerBuilder::build) refuses it.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self { place: Arc::new(Place::folder(&path.into())) }
    }

    /// Keeps one document per issuer in this store, and believes only those that carry a code made with `mac_key`
    /// (HMAC-SHA-256): whoever else can write there cannot make keys. At least 32 random octets, the same after a restart
    /// and for all instances that share the store, and for nothing else.
    pub fn store(store: impl SnapshotStore, mac_key: impl AsRef<[u8]>) -> Self {
        let mac_key = SecretBox::new(mac_key.as_ref().into());
        Self { place: Arc::new(Place::Store { store: Box::new(store), mac_key }) }
    }

    /// Whether this can work.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        match &*self.place {
            #[cfg(unix)]
            Place::Folder(_) => Ok(()),
            Place::NoFolder(reason) => Err(ConfigError::KeySnapshots { reason }),
            Place::Store { mac_key, .. } if mac_key.expose_secret().len() < SHORTEST_MAC_KEY => {
                Err(ConfigError::KeySnapshots { reason: SHORT_MAC_KEY })
            }
            Place::Store { .. } => Ok(()),
        }
    }

    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        match &*self.place {
            #[cfg(unix)]
            Place::Folder(folder) => folder.load(name),
            Place::NoFolder(_) => Ok(None),
            Place::Store { store, mac_key } => {
                let Some(sealed) = store.load(name)? else { return Ok(None) };
                if sealed.len() > seal::SEAL_BYTES.saturating_add(MAX_DOCUMENT_BYTES) {
                    return Err(Reason::Damaged.into());
                }
                let document = seal::open(mac_key.expose_secret(), &sealed).ok_or(Reason::WrongMac)?;
                Ok(Some(document.to_vec()))
            }
        }
    }

    fn save(&self, name: &str, document: &[u8]) -> Result<(), Fault> {
        match &*self.place {
            #[cfg(unix)]
            Place::Folder(folder) => folder.save(name, document),
            Place::NoFolder(_) => Ok(()),
            Place::Store { store, mac_key } => {
                Ok(store.save(name, &seal::seal(mac_key.expose_secret(), document))?)
            }
        }
    }
}

impl Place {
    #[cfg(unix)]
    fn folder(path: &Path) -> Self {
        if path.as_os_str().is_empty() {
            return Self::NoFolder("the folder has no name: give `KeySnapshots::folder(..)` a path");
        }
        Self::Folder(folder::Folder::new(path))
    }

    #[cfg(not(unix))]
    fn folder(_path: &Path) -> Self {
        Self::NoFolder(
            "on this platform it cannot be seen who may write a folder: use `KeySnapshots::store(..)` with a MAC key",
        )
    }
}

/// Prints no key, and nothing of the store, which may hold credentials.
impl fmt::Debug for KeySnapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("KeySnapshots");
        match &*self.place {
            #[cfg(unix)]
            Place::Folder(folder) => debug.field("folder", &folder.path()).finish(),
            Place::NoFolder(_) => debug.finish_non_exhaustive(),
            Place::Store { .. } => debug.field("mac_key", &"[REDACTED]").finish_non_exhaustive(),
        }
    }
}

/// Why a snapshot is not taken, or not written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reason {
    /// It is no document of this format.
    Damaged,
    /// Its keys are those of another issuer.
    ForeignIssuer,
    /// It was fetched later than now.
    FromTheFuture,
    /// Every key is one that the entry does not take.
    NoUsableKey,
    /// Its keys come from where this entry does not fetch.
    OtherPlace,
    /// File or folder are symbolic links.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no folders elsewhere"))]
    Symlink,
    /// Its keys would no longer serve without a restart either.
    TooOld,
    /// The place cannot be read or written.
    Unreachable,
    /// Others than the service can write file or folder.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no folders elsewhere"))]
    UnsafePermissions,
    /// Who wrote it does not have the MAC key.
    WrongMac,
}

impl Reason {
    fn label(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::ForeignIssuer => "foreign_issuer",
            Self::FromTheFuture => "from_the_future",
            Self::NoUsableKey => "no_usable_key",
            Self::OtherPlace => "other_place",
            Self::Symlink => "symlink",
            Self::TooOld => "too_old",
            Self::Unreachable => "unreachable",
            Self::UnsafePermissions => "unsafe_permissions",
            Self::WrongMac => "wrong_mac",
        }
    }
}

/// A reason, with what the system said.
#[derive(Debug)]
struct Fault {
    reason: Reason,
    cause: Option<io::Error>,
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self { reason, cause: None }
    }
}

impl From<io::Error> for Fault {
    fn from(cause: io::Error) -> Self {
        Self { reason: Reason::Unreachable, cause: Some(cause) }
    }
}

/// The output length of SHA-256: a shorter key is weaker than the code (RFC 2104 §3).
const SHORTEST_MAC_KEY: usize = 32;

const SHORT_MAC_KEY: &str = "the MAC key has less than 32 octets: give `KeySnapshots::store(..)` 32 random octets or more, the same after each restart";
