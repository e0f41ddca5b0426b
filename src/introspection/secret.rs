//! Where does a secret come from?

use std::{error::Error as StdError, fmt, fs::File, io::Read as _, path::PathBuf, sync::Arc};

use secrecy::{ExposeSecret, SecretString};

/// A client secret, a bearer token, or a private key in PEM: given as it is, or read anew for each question, so that it can be
/// replaced without a restart. `Debug` prints nothing of it.
///
/// ```
/// use bearergate::{ClientAuth, Secret};
///
/// let fixed = ClientAuth::basic("orders-api", "a secret from the environment");
/// let mounted = ClientAuth::basic("orders-api", Secret::file("/run/secrets/introspection"));
/// let asked_for = ClientAuth::basic("orders-api", Secret::from_fn(|| Ok(std::env::var("SECRET")?.into())));
/// # let _ = (fixed, mounted, asked_for);
/// ```
#[derive(Clone)]
pub struct Secret(Source);

#[derive(Clone)]
enum Source {
    File(PathBuf),
    Function(Arc<dyn Fn() -> Result<SecretString, Cause> + Send + Sync>),
    Value(SecretString),
}

type Cause = Box<dyn StdError + Send + Sync>;

/// A secret cannot be had. Nothing of it is in the text.
#[derive(thiserror::Error)]
pub(crate) enum SecretError {
    #[error("it is empty")]
    Empty,
    #[error("its file cannot be read")]
    File(#[source] std::io::Error),
    #[error("the function that gives it failed")]
    Function(#[source] Cause),
    #[error("its file holds more than 64 KiB")]
    TooLarge,
}

/// The function's own error may hold anything.
impl fmt::Debug for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::File(_) => "File",
            Self::Function(_) => "Function",
            Self::TooLarge => "TooLarge",
        })
    }
}

impl Secret {
    /// This very text.
    pub fn value(secret: impl Into<SecretString>) -> Self {
        Self(Source::Value(secret.into()))
    }

    /// The content of a file of at most 64 KiB, without the line end behind it, read for each question. A file that cannot be
    /// read makes a request 503, never one without credentials.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// What the function gives, called for each question. It must not block. Nothing but a fixed text reaches the log if it
    /// fails.
    pub fn from_fn(
        function: impl Fn() -> Result<SecretString, Box<dyn StdError + Send + Sync>> + Send + Sync + 'static,
    ) -> Self {
        Self(Source::Function(Arc::new(function)))
    }

    pub(crate) fn read(&self) -> Result<SecretString, SecretError> {
        let secret = match &self.0 {
            Source::File(path) => {
                let mut content = String::new();
                let file = File::open(path).map_err(SecretError::File)?;
                file.take(MAX_BYTES.saturating_add(1))
                    .read_to_string(&mut content)
                    .map_err(SecretError::File)?;
                let content = SecretString::from(content);
                let text = content.expose_secret();
                if u64::try_from(text.len()).is_ok_and(|length| length > MAX_BYTES) {
                    return Err(SecretError::TooLarge);
                }
                let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
                line.unwrap_or(text).into()
            }
            Source::Function(function) => function().map_err(SecretError::Function)?,
            Source::Value(secret) => secret.clone(),
        };
        if secret.expose_secret().is_empty() { Err(SecretError::Empty) } else { Ok(secret) }
    }
}

/// A private key in PEM has 4 KiB.
const MAX_BYTES: u64 = 64 * 1024;

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self::value(secret)
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self::value(secret)
    }
}

impl From<SecretString> for Secret {
    fn from(secret: SecretString) -> Self {
        Self::value(secret)
    }
}

/// So that an entry that did not change is known as such. Of functions, only the very same is equal.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Source::File(one), Source::File(other)) => one == other,
            (Source::Function(one), Source::Function(other)) => Arc::ptr_eq(one, other),
            (Source::Value(one), Source::Value(other)) => one.expose_secret() == other.expose_secret(),
            (Source::File(_) | Source::Function(_) | Source::Value(_), _) => false,
        }
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Source::File(_) => "Secret::file",
            Source::Function(_) => "Secret::from_fn",
            Source::Value(_) => "Secret::value",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn read(secret: &Secret) -> String {
        secret.read().unwrap().expose_secret().to_owned()
    }

    #[test]
    fn a_file_is_read_anew_each_time() {
        let path = std::env::temp_dir().join(format!("bearergate-secret-{:x}", fastrand::u64(..)));
        let secret = Secret::file(&path);
        assert!(matches!(secret.read(), Err(SecretError::File(_))));
        for (content, expected) in [("one\n", "one"), ("two\r\n", "two"), (" three \n\n", " three \n")] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read(&secret), expected);
        }
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(secret.read(), Err(SecretError::Empty)));
        std::fs::write(&path, "x".repeat(64 * 1024)).unwrap();
        assert!(secret.read().is_ok());
        std::fs::write(&path, "x".repeat(64 * 1024 + 1)).unwrap();
        assert!(matches!(secret.read(), Err(SecretError::TooLarge)));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_function_is_called_anew_each_time() {
        let calls = AtomicU32::new(0);
        let secret = Secret::from_fn(move || Ok(calls.fetch_add(1, Ordering::Relaxed).to_string().into()));
        assert_eq!((read(&secret), read(&secret)), ("0".into(), "1".into()));
        let failing = Secret::from_fn(|| Err("canary".into()));
        let error = failing.read().unwrap_err();
        assert!(!error.to_string().contains("canary"));
    }
}
