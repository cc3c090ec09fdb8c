//! `scangate client diagnose`: why a request's signature does not verify, found out on the developer's own machine
//! with the developer's own key. Nothing is sent anywhere.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Usage;
use super::target::{SignKey, Target, key_given, key_in, read_demo};
use crate::doctor::{
    self, Case, Diagnosis, Explanation, Key, KeyRole, MAX_DOCUMENT, Mistake, Remark, Unreadable, Verdict,
};

#[derive(Debug, Args)]
pub struct DiagnoseArgs {
    /// The file with the request's body, byte for byte as it was sent; `-` reads it from standard input
    #[arg(value_name = "FILE")]
    document: PathBuf,
    /// Use number and key of the running demo's merchant, from its demo.json
    #[arg(long, conflicts_with_all = ["partner_no", "key", "key_file"])]
    demo: bool,
    /// The demo's folder
    #[arg(long, value_name = "DIR", default_value = "scangate-data")]
    data: PathBuf,
    /// The merchant's partner number, to see whether the document names it
    #[arg(long, value_name = "P")]
    partner_no: Option<String>,
    /// The merchant's sign key. Other users of this machine can read it in the process list, and the shell keeps
    /// it in its history: --key-file, or the environment variable `SCANGATE_CLIENT_KEY`, is better
    #[arg(long, value_name = "K", conflicts_with = "key_file")]
    key: Option<SignKey>,
    /// A file that holds the merchant's sign key
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// A file that holds the key's previous version
    #[arg(long, value_name = "FILE")]
    previous_key_file: Option<PathBuf>,
    /// A file that holds the key of the other kind: the test key for a live request, or the live key for one to test
    #[arg(long, value_name = "FILE")]
    other_key_file: Option<PathBuf>,
}

/// What is to be looked into.
pub(super) struct Question {
    document: Vec<u8>,
    partner_no: Option<String>,
    keys: Vec<(KeyRole, SignKey)>,
}

impl DiagnoseArgs {
    pub(super) fn prepare(self) -> Result<Question, Usage> {
        let (partner_no, key) = if self.demo {
            let target = Target::of_demo(read_demo(&self.data)?)?;
            (Some(target.partner_no), target.key)
        } else {
            (self.partner_no, key_given(self.key.as_ref(), self.key_file.as_deref())?)
        };
        let mut keys = vec![(KeyRole::Current, key)];
        for (role, file) in
            [(KeyRole::Previous, &self.previous_key_file), (KeyRole::OtherMode, &self.other_key_file)]
        {
            if let Some(file) = file {
                keys.push((role, key_in(file)?));
            }
        }
        Ok(Question { document: document(&self.document)?, partner_no, keys })
    }
}

/// Whether the signature is right; what is wrong is written to `out`.
pub(super) fn answer(question: &Question, out: &mut impl Write) -> io::Result<bool> {
    let keys = question.keys.iter().map(|(role, key)| Key { role: *role, text: key.reveal() });
    let diagnosis = doctor::diagnose(&Case {
        document: &question.document,
        partner_no: question.partner_no.as_deref(),
        keys: keys.collect(),
    });
    show(&diagnosis, question.document.len(), out)?;
    Ok(matches!(diagnosis.verdict, Verdict::Verifies(_)))
}

fn document(file: &Path) -> Result<Vec<u8>, Usage> {
    // One byte more than is looked at, so that what is too long is seen to be.
    let limit = MAX_DOCUMENT as u64 + 1;
    let mut document = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut document)
    } else {
        File::open(file).and_then(|file| file.take(limit).read_to_end(&mut document))
    };
    read.map_err(|error| Usage(format!("{} cannot be read: {error}", file.display())))?;
    Ok(document)
}

fn show(diagnosis: &Diagnosis, length: usize, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "document   {length} bytes")?;
    if let Some(hashed) = &diagnosis.hashed {
        let (from, to) = (hashed.from, hashed.to);
        writeln!(
            out,
            "hashed     {} bytes, from offset {from} to {to}, and the key behind them",
            hashed.text.length
        )?;
        writeln!(out, "  first    {}", hashed.text.first)?;
        writeln!(out, "  last     {}", hashed.text.last)?;
    }
    if let Some(signature) = &diagnosis.signature {
        writeln!(out, "signature  {}", signature.form)?;
    }
    match &diagnosis.verdict {
        Verdict::Verifies(role) => {
            writeln!(out, "verdict    verified, with {}", name_of(*role))?;
            writeln!(
                out,
                "           A request that is refused all the same has another fault: see its code and msg."
            )?;
        }
        Verdict::Mistaken(found) => explain(found, out)?,
        Verdict::Unexplained => unexplained(diagnosis, out)?,
        Verdict::NoHash => {
            writeln!(
                out,
                "verdict    NOT VERIFIED: the signature is no hash; send 64 hex digits in lower case"
            )?;
        }
        Verdict::Unreadable(reason) => writeln!(out, "verdict    NOT VERIFIED: {}", unreadable(reason))?,
    }
    for remark in &diagnosis.remarks {
        writeln!(out, "mind       {}", remark.words())?;
    }
    out.flush()
}

fn explain(found: &Explanation, out: &mut impl Write) -> io::Result<()> {
    let count = match found.mistakes.len() {
        1 => "one mistake explains it",
        _ => "these mistakes together explain it",
    };
    writeln!(out, "verdict    NOT VERIFIED: {count}")?;
    if let Some(role) = found.key {
        writeln!(out, "  key      {}", name_of(role))?;
    }
    for mistake in &found.mistakes {
        writeln!(out, "  mistake  {} ({})", mistake.what(), mistake.code())?;
    }
    for advice in advice(&found.mistakes) {
        writeln!(out, "  do       {advice}")?;
    }
    let Some(instead) = &found.instead else { return Ok(()) };
    writeln!(out, "you hashed {} bytes", instead.text.length)?;
    writeln!(out, "  first    {}", instead.text.first)?;
    writeln!(out, "  last     {}", instead.text.last)?;
    if let Some(difference) = &instead.difference {
        writeln!(out, "  differs  from byte {} on", difference.at)?;
        writeln!(out, "  sent     {}", difference.sent)?;
        writeln!(out, "  hashed   {}", difference.hashed)?;
    }
    Ok(())
}

/// Several mistakes may ask for the same; it is said once.
fn advice(mistakes: &[Mistake]) -> Vec<&'static str> {
    let mut said = Vec::new();
    for mistake in mistakes {
        if !said.contains(&mistake.advice()) {
            said.push(mistake.advice());
        }
    }
    said
}

fn unexplained(diagnosis: &Diagnosis, out: &mut impl Write) -> io::Result<()> {
    let tried = diagnosis.work.trials;
    writeln!(out, "verdict    NOT VERIFIED: no usual mistake explains it ({tried} ways tried)")?;
    if diagnosis.work.cut_short {
        writeln!(
            out,
            "           The document is so large that not every way was tried; try it with a smaller one."
        )?;
    }
    writeln!(
        out,
        "  do       see that the key is this partner number's, and that nothing changed the document after"
    )?;
    writeln!(
        out,
        "           it was signed; then compare, byte for byte, what you hash with what is shown above"
    )
}

fn unreadable(reason: &Unreadable) -> String {
    match reason {
        Unreadable::TooLong => format!("the document is longer than {} KiB", MAX_DOCUMENT / 1024),
        Unreadable::Looks(look) => look.words().to_owned(),
        Unreadable::Envelope(error) => format!("the document is no envelope: {error}"),
    }
}

fn name_of(role: KeyRole) -> &'static str {
    match role {
        KeyRole::Current => "the current key",
        KeyRole::Previous => "the previous key, which is taken until its end date only",
        KeyRole::Expired => "an expired key",
        KeyRole::OtherMode => "the key of the other kind, test or live",
    }
}

impl Remark {
    fn words(self) -> &'static str {
        match self {
            Self::OtherPartnerNo => "the header names another partnerNo, so another's keys are tried",
            Self::NoPartnerNo => "the header names no partnerNo",
            Self::KeyInDocument => {
                "the sign key stands in the document: take it out, and have a new key made"
            }
        }
    }
}
