//! A file that is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;

/// A file under work: it gets its name only by [`Output::commit`]. Until then the bytes lie in a
/// temporary file beside it, which is removed when this value is dropped. After a kill the target
/// is absent or the old one, and a hidden `.tmp` file may be left over.
#[derive(Debug)]
pub(crate) struct Output {
    target: PathBuf,
    folder: PathBuf,
    file: BufWriter<NamedTempFile>,
    needed: u64,
}

impl Output {
    /// Starts a file of `needed` bytes that will lie at `target`.
    pub(crate) fn create(target: &Path, needed: u64) -> Result<Self, Error> {
        // A link stays a link: what it points to is replaced.
        let target = match fs::symlink_metadata(target) {
            Ok(old) if old.is_symlink() => {
                fs::canonicalize(target).map_err(Error::io(target, "follow the link"))?
            }
            _ => target.to_owned(),
        };
        if fs::metadata(&target).is_ok_and(|old| !old.is_file()) {
            let source = io::Error::other("it exists and is no regular file");
            return Err(Error::Io { path: target, doing: "replace it", source });
        }
        let Some(name) = target.file_name() else {
            return Err(Error::input(&target, "names no file: give one with -o"));
        };
        let folder = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let prefix = format!(".{}.", name.to_string_lossy());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        #[cfg(unix)]
        {
            // As any new file: the umask decides, not the temporary file's privacy.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder
            .tempfile_in(&folder)
            .map_err(|source| failed(&target, needed, "create a file in its folder", source))?;
        Ok(Self { target, folder, file: BufWriter::with_capacity(1 << 18, file), needed })
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let result = self.file.write_all(bytes);
        result.map_err(|source| self.failed(source))
    }

    /// Replaces the file's first bytes.
    pub(crate) fn patch_start(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let result = self
            .file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.write_all(bytes))
            .and_then(|()| self.file.flush());
        result.map_err(|source| self.failed(source))
    }

    /// Where the bytes lie until they are committed.
    pub(crate) fn temporary(&self) -> &Path {
        self.file.get_ref().path()
    }

    /// Gives the file its name, once all of it is on the disk: a loss of power leaves the old file
    /// or the new one.
    pub(crate) fn commit(mut self) -> Result<(), Error> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().as_file().sync_all());
        synced.map_err(|source| self.failed(source))?;
        let Self { target, folder, file, needed } = self;
        let (file, _) = file.into_parts();
        file.persist(&target).map_err(|error| {
            failed(&target, needed, "move the finished file there", error.error)
        })?;
        sync_folder(&folder).map_err(Error::io(&folder, "write the folder to the disk"))
    }

    fn failed(&self, source: io::Error) -> Error {
        failed(&self.target, self.needed, "write it", source)
    }
}

fn failed(target: &Path, needed: u64, doing: &'static str, source: io::Error) -> Error {
    let path = target.to_owned();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::NoSpace { path, needed }
        }
        _ => Error::Io { path, doing, source },
    }
}

/// The rename itself is durable only once the folder is.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_with_the_bytes_needed() {
        let error =
            failed(Path::new("x.acorn"), 123, "write it", io::ErrorKind::StorageFull.into());
        assert_eq!(error.exit_code(), 4);
        assert!(error.to_string().contains("123 bytes"), "{error}");
    }

    #[test]
    fn what_is_not_committed_leaves_nothing() -> Result<(), Error> {
        let folder = tempfile::tempdir().map_err(Error::io(Path::new("temp"), "create"))?;
        let target = folder.path().join("x");
        let mut output = Output::create(&target, 3)?;
        output.write(b"abc")?;
        drop(output);
        assert_eq!(fs::read_dir(folder.path()).map(Iterator::count).ok(), Some(0));

        let mut output = Output::create(&target, 3)?;
        output.write(b"abc")?;
        output.patch_start(b"x")?;
        output.commit()?;
        assert_eq!(fs::read(&target).ok().as_deref(), Some(b"xbc".as_slice()));
        Ok(())
    }
}
