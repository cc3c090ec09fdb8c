//! How far an earlier run got, in a file of its user's.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::receiver::Secret;
use crate::client::Usage;

/// What was listened to. A place in one feed says nothing about another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) base: String,
    /// The one that was named.
    pub(super) merchant: Option<String>,
    pub(super) kinds: Vec<String>,
}

impl Source {
    fn told(&self) -> String {
        let Self { base, merchant, kinds } = self;
        let kinds = if kinds.is_empty() { "all types of events".to_owned() } else { kinds.join(", ") };
        let merchant = merchant.as_ref().map(|name| format!(" of merchant {name}")).unwrap_or_default();
        format!("{kinds}{merchant} at {base}")
    }
}

pub(super) struct Kept {
    /// `None`: only as long as this run.
    file: Option<PathBuf>,
    state: State,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct State {
    #[serde(flatten)]
    source: Source,
    /// The feed's, behind which nothing was looked at; empty: its beginning.
    cursor: Option<String>,
    /// The last event that was forwarded of the page behind `cursor`.
    last: Option<String>,
    /// That was made for it.
    secret: Option<String>,
}

impl Kept {
    pub(super) fn nowhere(source: Source) -> Self {
        Self { file: None, state: State { source, cursor: None, last: None, secret: None } }
    }

    /// What `file` holds; nothing yet, if there is none.
    pub(super) fn open(file: PathBuf, source: Source) -> Result<Self, Usage> {
        let Some(state) = read(&file)? else {
            let kept = Self { file: Some(file), ..Self::nowhere(source) };
            // Better now than after the first event.
            kept.write().map_err(|error| Usage(format!("{error:#}")))?;
            return Ok(kept);
        };
        if state.source != source {
            return Err(Usage(format!(
                "{} is how far it got with {}; name another file, or remove this one",
                file.display(),
                state.source.told()
            )));
        }
        Ok(Self { file: Some(file), state })
    }

    /// Where to go on; `None`: nowhere yet.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.state.cursor.as_deref()
    }

    pub(super) fn last(&self) -> Option<&str> {
        self.state.last.as_deref()
    }

    pub(super) fn secret(&self) -> Option<Secret> {
        self.state.secret.as_deref().and_then(Secret::kept)
    }

    /// Written with the first place.
    pub(super) fn keep_secret(&mut self, secret: Secret) -> Secret {
        self.state.secret = Some(secret.text());
        secret
    }

    /// This event is done.
    pub(super) fn forwarded(&mut self, id: &str) -> anyhow::Result<()> {
        self.state.last = Some(id.to_owned());
        self.write()
    }

    /// Everything up to this place is done.
    pub(super) fn reached(&mut self, cursor: String) -> anyhow::Result<()> {
        if self.state.cursor.as_ref() == Some(&cursor) {
            return Ok(());
        }
        self.state.cursor = Some(cursor);
        self.state.last = None;
        self.write()
    }

    fn write(&self) -> anyhow::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let text = serde_json::to_string(&self.state)?;
        replace(file, &text).with_context(|| format!("{} cannot be written", file.display()))
    }
}

fn read(file: &Path) -> Result<Option<State>, Usage> {
    match fs::read_to_string(file) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|_| {
            Usage(format!("{} is not what `client listen` writes; name another file", file.display()))
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Usage(format!("{} cannot be read: {error}", file.display()))),
    }
}

/// The whole new text or the whole old one, whenever it is cut off. It holds a secret.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let mut open = OpenOptions::new();
    let mut writer = open.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    writer.write_all(text.as_bytes())?;
    fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(kinds: &[&str]) -> Source {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        Source { base: "http://a".to_owned(), merchant: Some("m1".to_owned()), kinds }
    }

    #[test]
    fn a_file_goes_on_where_it_was_left_for_the_same_feed_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("state");
        let open = |kinds: &[&str]| Kept::open(file.clone(), source(kinds)).map_err(|Usage(why)| why);
        let mut kept = open(&[]).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((kept.cursor(), kept.last()), (None, None));
        kept.reached("c1".to_owned()).expect("the folder is ours");
        kept.forwarded("e1").expect("the folder is ours");
        let again = open(&[]).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((again.cursor(), again.last()), (Some("c1"), Some("e1")));
        kept.reached("c2".to_owned()).expect("the folder is ours");
        let again = open(&[]).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((again.cursor(), again.last()), (Some("c2"), None));
        let other = open(&["order.paid"]).map(drop).expect_err("another feed");
        assert!(other.contains("all types of events of merchant m1 at http://a"), "{other}");
        fs::write(&file, "{").expect("the folder is ours");
        assert!(open(&[]).map(drop).expect_err("no state").contains("is not what"));
    }

    #[test]
    fn a_secret_that_was_made_is_the_same_the_next_time_and_nobody_elses_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("state");
        let open = || Kept::open(file.clone(), source(&[])).unwrap_or_else(|Usage(why)| panic!("{why}"));
        let mut kept = open();
        assert!(kept.secret().is_none());
        let secret = kept.keep_secret(Secret::made()).text();
        kept.reached("c1".to_owned()).expect("the folder is ours");
        assert_eq!(open().secret().expect("it was kept").text(), secret);
        assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_said_before_anything_is_fetched() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("no such folder/state");
        let Err(Usage(why)) = Kept::open(file, source(&[])) else { panic!("there is no such folder") };
        assert!(why.contains("no such folder/state cannot be written: "), "{why}");
    }
}
