//! A merchant's sign key, rotated. The new one goes into a file that only its owner reads, and nowhere else.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;
use shared::ops::{KeyToRotate, Moment, RotatedKey};
use zeroize::{Zeroize, Zeroizing};

use super::effect::segment;
use crate::client::{Client, Failure};

/// More than is ever written into it. So much room is taken before the gateway is asked.
const ROOM: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Of the file.
    pub path: String,
    /// Until when the version before is good.
    pub previous_ends_at: Moment,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRotated {
    #[error("the gateway was not asked, because no file can be made for the new key: {0}")]
    NoFile(String),
    #[error("{0}")]
    Refused(Failure),
    /// The version before is good in either case.
    #[error("whether the key was rotated is not known, the merchant's keys tell; {0}")]
    Unknown(Failure),
    #[error("the key was rotated, and cannot be written to {path}: {why}. Rotate once more")]
    NotWritten { path: String, why: String },
}

/// Where the new key of this merchant goes, in the folder of the token.
pub fn path_in(folder: Option<&Path>, partner_no: &str, now_ms: i64) -> Result<PathBuf, NotRotated> {
    let folder = folder
        .ok_or_else(|| NotRotated::NoFile("there is no state folder; name one with --state".to_owned()))?;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let number: String =
        partner_no.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
    Ok(folder.join(format!("sign-key-{number}-{now_ms}.json")))
}

/// Rotate it. The file is there, with room for what comes, before the gateway is asked.
pub async fn rotate(
    client: &Client,
    merchant_id: &str,
    asked: &KeyToRotate,
    path: &Path,
) -> Result<Rotated, NotRotated> {
    let file = made(path).map_err(|error| NotRotated::NoFile(format!("{}: {error}", path.display())))?;
    let at = format!("/ops/v1/merchants/{}/sign-keys", segment(merchant_id));
    let mut key: RotatedKey = match client.ask(&at, Some(asked)).await {
        Ok(key) => key,
        Err(failure) => {
            // Nothing was written into it.
            let _ = std::fs::remove_file(path);
            return Err(match failure {
                Failure::InDoubt(_) | Failure::Unreadable(_) => NotRotated::Unknown(failure),
                Failure::Refused { ref problem } if problem.status >= 500 => NotRotated::Unknown(failure),
                failure => NotRotated::Refused(failure),
            });
        }
    };
    let written = write(file, &key);
    key.sign_key.zeroize();
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    match written {
        Ok(()) => Ok(Rotated { path, previous_ends_at: key.previous_ends_at }),
        Err(error) => Err(NotRotated::NotWritten { path, why: error.to_string() }),
    }
}

/// A new file; nothing that is there is written over.
fn made(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let taken = file.write_all(&[b' '; ROOM]).and_then(|()| file.sync_all());
    if let Err(error) = taken {
        let _ = std::fs::remove_file(path);
        return Err(error);
    }
    Ok(file)
}

fn write(mut file: File, key: &RotatedKey) -> io::Result<()> {
    let text = json!({
        "partnerNo": key.partner_no, "keyId": key.key.id, "signKey": key.sign_key,
        "previousGoodUntil": key.previous_ends_at,
    });
    let text = Zeroizing::new(format!("{text:#}\n"));
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(u64::try_from(text.len()).unwrap_or(u64::MAX))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn key() -> RotatedKey {
        let at = Moment::of_ms(1_795_687_465_000).expect("a date");
        let key = shared::ops::Key { id: "K".to_owned(), created_at: at, ends_at: None, last_used_at: None };
        RotatedKey {
            key,
            partner_no: "10001".to_owned(),
            sign_key: "s3cret".to_owned(),
            previous_ends_at: at,
        }
    }

    #[test]
    fn the_file_is_new_its_owners_and_holds_nothing_but_the_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = path_in(Some(&folder.path().join("state")), "../1 1", 7).expect("it has a name");
        assert!(path.ends_with("state/sign-key-___1_1-7.json"), "{}", path.display());
        write(made(&path).expect("it is made"), &key()).expect("it is written");
        let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).expect("it is read");
        let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON, and no blank is left");
        assert_eq!(value["signKey"], "s3cret");
        let again = made(&path).expect_err("it is there");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn without_a_folder_nothing_is_asked() {
        assert!(matches!(path_in(None, "1", 7), Err(NotRotated::NoFile(_))));
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("it is written");
        made(&file.join("key")).expect_err("that is no folder");
    }
}
