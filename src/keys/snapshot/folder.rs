//! Files in a folder that only this service may write.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use super::{Fault, Reason, document::MAX_DOCUMENT_BYTES};

/// See [`KeySnapshots::folder`](super::KeySnapshots::folder).
pub(super) struct Folder {
    path: PathBuf,
    /// Whether what earlier processes left behind was removed.
    swept: AtomicBool,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        // Without a slash at the end, behind which a symbolic link would hide.
        Self { path: path.components().collect(), swept: AtomicBool::new(false) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let path = self.file(name);
        let Some(folder) = look(&self.path)? else { return Ok(None) };
        check_folder(&folder)?;
        let Some((mut file, found)) = open(&path)? else { return Ok(None) };
        if is_writable_by_others(&found) || found.uid() != folder.uid() {
            return Err(Reason::UnsafePermissions.into());
        }
        // Whom we run as is seen by what we make.
        if Temporary::new(&self.path, name)?.metadata()?.uid() != folder.uid() {
            return Err(Reason::UnsafePermissions.into());
        }
        let mut document = Vec::new();
        let limit = u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        io::Read::by_ref(&mut file).take(limit).read_to_end(&mut document)?;
        Ok(Some(document))
    }

    /// Readers find the old document or the new one, never a part of one.
    pub(super) fn save(&self, name: &str, document: &[u8]) -> Result<(), Fault> {
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
            _ => (),
        }
        let folder = look(&self.path)?.ok_or(io::Error::from(ErrorKind::NotFound))?;
        check_folder(&folder)?;
        let mut temporary = Temporary::new(&self.path, name)?;
        if temporary.metadata()?.uid() != folder.uid() {
            return Err(Reason::UnsafePermissions.into());
        }
        if !self.swept.swap(true, Ordering::Relaxed) {
            self.sweep(&temporary)?;
        }
        temporary.file.write_all(document)?;
        temporary.file.sync_all()?;
        // What stands there is replaced, not followed.
        fs::rename(&temporary.path, self.file(name))?;
        temporary.renamed = true;
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.json"))
    }

    /// Removes what processes left that ended in the middle of writing.
    fn sweep(&self, ours: &Temporary) -> io::Result<()> {
        let now = ours.metadata()?.modified()?;
        for entry in fs::read_dir(&self.path)?.flatten() {
            let path = entry.path();
            let is_temporary = path.extension().is_some_and(|extension| extension == TEMPORARY);
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|modified| now.duration_since(modified).ok());
            if is_temporary && age.is_some_and(|age| age > LEFT_BEHIND) {
                let _gone_or_the_next_time = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

/// What stands at this path, itself: a link is refused, not followed.
fn look(path: &Path) -> Result<Option<Metadata>, Fault> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(Reason::Symlink.into()),
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens the very file that was looked at. Another server may replace it in between, not for ever.
fn open(path: &Path) -> Result<Option<(File, Metadata)>, Fault> {
    for _ in 0..REPLACED_AT_MOST {
        let Some(found) = look(path)? else { return Ok(None) };
        if !found.is_file() {
            // To open a pipe would wait.
            return Err(io::Error::from(ErrorKind::InvalidInput).into());
        }
        let file = File::open(path)?;
        let opened = file.metadata()?;
        if (opened.dev(), opened.ino()) == (found.dev(), found.ino()) {
            return Ok(Some((file, opened)));
        }
    }
    Err(io::Error::from(ErrorKind::ResourceBusy).into())
}

fn check_folder(folder: &Metadata) -> Result<(), Fault> {
    if !folder.is_dir() {
        return Err(io::Error::from(ErrorKind::NotADirectory).into());
    }
    if is_writable_by_others(folder) { Err(Reason::UnsafePermissions.into()) } else { Ok(()) }
}

fn is_writable_by_others(metadata: &Metadata) -> bool {
    metadata.mode() & 0o022 != 0
}

/// A file of our own that is removed unless it is renamed.
struct Temporary {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Temporary {
    fn new(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(format!("{name}.{:016x}.{TEMPORARY}", fastrand::u64(..)));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, file, renamed: false })
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            let _gone_or_left_behind = fs::remove_file(&self.path);
        }
    }
}

const TEMPORARY: &str = "tmp";

/// To write half a megabyte takes no hour: whoever began that has ended.
const LEFT_BEHIND: Duration = Duration::from_secs(60 * 60);

/// A file is replaced once a minute.
const REPLACED_AT_MOST: usize = 3;
