//! Who sent a call and whether it is to be believed: envelope, partner, signature and header.

use std::sync::Arc;

use shared::code::Code;
use shared::envelope::{Envelope, EnvelopeError, Side};
use shared::json::{Member, Object};

use crate::directory::{Directory, Partner};
use crate::fields::{self, Problem};
use crate::style::Signer;

/// A call whose sender is known and whose signature is right.
pub(crate) struct Admitted<'a> {
    pub partner: Arc<Partner>,
    pub body: Object<'a>,
}

/// A call that is not answered by an operation.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub signer: Signer,
    pub problems: Vec<Problem>,
}

impl Refusal {
    fn unsigned(problem: Problem) -> Self {
        Self { signer: Signer::default(), problems: vec![problem] }
    }
}

impl Signer {
    pub(crate) fn of(partner: &Partner) -> Self {
        Self { partner_no: partner.partner_no.clone(), sign_key: partner.sign_key.clone() }
    }
}

pub(crate) fn admit<'a>(directory: &Directory, raw: &'a [u8]) -> Result<Admitted<'a>, Refusal> {
    let envelope = Envelope::read(raw, Side::Request).map_err(|e| Refusal::unsigned(unreadable(&e)))?;
    let partner = known_partner(directory, &envelope)?;
    let refused = |problems| Refusal { signer: Signer::of(&partner), problems };
    if !envelope.verifies(&partner.sign_key) {
        let reason = "is not the SHA-256 of the request's value as sent and the sign key, in lower-case hex";
        return Err(refused(vec![Problem::refused(Code::BAD_SIGNATURE, "signature", reason)]));
    }
    let problems = header_problems(&envelope.header);
    if problems.iter().any(|problem| problem.code.is_some()) {
        return Err(refused(problems));
    }
    Ok(Admitted { partner, body: envelope.body })
}

fn unreadable(error: &EnvelopeError) -> Problem {
    let code = match error {
        EnvelopeError::Json(_) => Code::NOT_JSON,
        EnvelopeError::Missing(_) => Code::EMPTY,
        EnvelopeError::NotAnObject(_) | EnvelopeError::SignatureNotText => Code::INVALID,
    };
    Problem::refused(code, "envelope", error.to_string())
}

fn known_partner(directory: &Directory, envelope: &Envelope<'_>) -> Result<Arc<Partner>, Refusal> {
    let refuse = |code, reason: &str, claimed: &str| Refusal {
        signer: Signer { partner_no: claimed.to_owned(), sign_key: String::new() },
        problems: vec![Problem::refused(code, "partnerNo", reason)],
    };
    let Some(member) = envelope.header.get("partnerNo") else {
        return Err(refuse(Code::EMPTY, "is missing", ""));
    };
    let Some(claimed) = member.string() else {
        return Err(refuse(Code::INVALID, "must be a JSON string", ""));
    };
    match claimed.chars().count() {
        0 => Err(refuse(Code::EMPTY, "is empty", "")),
        1..=15 => directory
            .partner(&claimed)
            .ok_or_else(|| refuse(Code::NOT_AUTHORISED, "is not a partner of this sandbox", &claimed)),
        length => Err(refuse(Code::INVALID, &format!("has {length} characters, may have 15"), "")),
    }
}

fn header_problems(header: &Object<'_>) -> Vec<Problem> {
    let mut reading = fields::read(header, &fields::HEADER);
    let mut refuse = |code, about: &str, reason: &str| {
        reading.problems.push(Problem::refused(code, about, reason));
    };
    let value = |name: &str| header.get(name).and_then(Member::string);
    if value("version").is_some_and(|version| !version.is_empty() && version != "1.0") {
        refuse(Code::INVALID, "version", "must be 1.0");
    }
    if value("signType").is_some_and(|kind| !kind.is_empty() && kind != "SHA256") {
        refuse(Code::INVALID, "signType", "must be SHA256");
    }
    let times: Vec<_> = ["reqTime", "requestTime"].iter().filter_map(|name| value(name)).collect();
    if times.iter().all(|time| time.is_empty()) {
        if !["reqTime", "requestTime"]
            .iter()
            .any(|name| header.get(name).is_some_and(|m| m.string().is_none()))
        {
            refuse(Code::EMPTY, "reqTime", "is missing, as is requestTime");
        }
    } else if times.len() == 2 && times[0] != times[1] {
        refuse(Code::INVALID, "reqTime", "differs from requestTime");
    }
    reading.problems
}
