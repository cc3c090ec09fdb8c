//! The file of master keys: 64 hex digits a line, newest first. It is only ever replaced as a whole, so that a process
//! that dies leaves the old one or the new one.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use anyhow::{Context, bail};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::chance;

/// The keys in a file's text.
pub fn keys(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

pub fn new_key() -> Zeroizing<String> {
    Zeroizing::new(HEXLOWER.encode(&*Zeroizing::new(chance::bytes::<32>())))
}

pub fn read(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = std::fs::read_to_string(path);
    text.map(Zeroizing::new).with_context(|| format!("reading the master key file {}", path.display()))
}

/// The file's text; with a new key in it where there is no file and `make` allows one.
pub fn read_or_make(path: &Path, make: bool) -> anyhow::Result<Zeroizing<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == ErrorKind::NotFound && make => make_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "the master key file {} is missing, and the store holds secrets sealed under it; put the file back from your escrow",
            path.display()
        ),
        Err(error) => Err(error).with_context(|| format!("reading the master key file {}", path.display())),
    }
}

fn make_file(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = Zeroizing::new(format!("{}\n", &*new_key()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    }
    let mut file = create(path).with_context(|| format!("making the master key file {}", path.display()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(text)
}

/// Put these keys in the place of those in the file, durably, and for the same owner's eyes.
pub fn replace<'a>(path: &Path, keys: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    let mut text = Zeroizing::new(String::new());
    for key in keys {
        text.push_str(key);
        text.push('\n');
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    let write = || {
        // Of a process that died.
        match std::fs::remove_file(beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = create(beside)?;
        let owner = std::fs::metadata(path)?;
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(beside, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    };
    write().with_context(|| format!("writing the master key file {}", path.display()))
}

/// A new file for its owner's eyes only.
fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
