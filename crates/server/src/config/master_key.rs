//! The file with the master key: read, or made once beside a new SQLite file.
//!
//! What must stay true: a key is only ever made for a database that does not exist yet. For an existing one a new key
//! would be useless and would hide that the right one is missing.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use engine::random::{Random, unique_name};
use secrecy::zeroize::Zeroizing;
use store::{DatabaseUrl, Keyring, StoreError};

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The database is there, its key is not.
    #[error(
        "the master key {} is missing, but the database exists: put the file back that was there, \
         or name it with --master-key (without it the stored secrets cannot be read)", file.display()
    )]
    Missing {
        /// Where it was looked for.
        file: PathBuf,
    },
    /// The file cannot be read or made.
    #[error(
        "the master key {} cannot be used: {error}; its folder must exist, and this user must be able to read the file, \
         or to make it beside a new SQLite file (another one is named with --master-key)", file.display()
    )]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// The file holds something else.
    #[error("{}: {error}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: StoreError,
    },
}

/// Reads the key ring from `file`; for a SQLite database that does not exist yet, a missing file is made (0600).
///
/// # Errors
/// [`MasterKeyError`].
pub fn read_or_make(file: &Path, database: &DatabaseUrl, random: &dyn Random) -> Result<Keyring, MasterKeyError> {
    let unusable = |error| MasterKeyError::Unusable { file: file.to_owned(), error };
    let malformed = |error| MasterKeyError::Malformed { file: file.to_owned(), error };
    match std::fs::read_to_string(file) {
        Ok(text) => return Keyring::read(&Zeroizing::new(text)).map_err(malformed),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(unusable(error)),
    }
    let is_new =
        database.sqlite_path().is_some_and(|path| std::fs::metadata(path).map_or(true, |data| data.len() == 0));
    if !is_new {
        return Err(MasterKeyError::Missing { file: file.to_owned() });
    }
    let mut key = Zeroizing::new([0; 32]);
    random.fill(&mut *key);
    let ring = Keyring::generate(*key);
    let draft = file.with_extension(format!("new-{}", unique_name(random)));
    match write_new(file, &draft, &ring.to_file_text()) {
        Ok(()) => Ok(ring),
        // Another process was faster: its key counts.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let text = std::fs::read_to_string(file).map_err(unusable)?;
            Keyring::read(&Zeroizing::new(text)).map_err(malformed)
        }
        Err(error) => Err(unusable(error)),
    }
}

/// Written whole under another name and then linked, so that nobody ever reads half a key. That name is new each time:
/// a draft that a crash left behind is in nobody's way (in a container all processes have the same number).
fn write_new(file: &Path, draft: &Path, text: &str) -> std::io::Result<()> {
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft).and_then(|mut open| {
        open.write_all(text.as_bytes())?;
        open.sync_all()
    });
    let linked = written.and_then(|()| std::fs::hard_link(draft, file));
    let _ = std::fs::remove_file(draft);
    linked?;
    // The name too must be on disk before anything is sealed with the key.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
