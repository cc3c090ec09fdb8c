//! Who calls the signed API: found by platform and partnerNo, proven by the signature. Until it is proven every
//! caller gets the same answer for the same work, signed with a key that is nobody's.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use shared::code::Code;
use shared::envelope::{self, Envelope};
use zeroize::Zeroizing;

use super::freshness::{self, Message, Stale};
use super::signed::{Answered, read, said, sealed};
use crate::app::App;
use crate::config::FreshnessMode;
use crate::directory::{Freshness, Merchant, SignKey};
use crate::limits::{Refusal, Standing};
use crate::orders::content::FieldError;

/// All that a stranger is ever told.
const STRANGER: &str =
    "the signature does not verify: check partnerNo, key, and that exactly the sent bytes are signed";

/// What a stranger is told whose address has failed too often.
const TOO_OFTEN: &str = "too many requests from this address did not verify; try again later";

const PARTNER_NO_LENGTH: usize = 15;
const MESSAGE_ID_LENGTH: usize = 64;

/// A merchant whose signature verified, and the key version by which it did.
pub struct Caller {
    pub merchant: Arc<Merchant>,
    pub key: SignKey,
    /// The request's own id, where it has one.
    message: Option<Message>,
    /// What is left of its limits; nothing before they were asked.
    standing: Standing,
}

/// The caller of `document` and the document read, or the answer that says why not. `address` is where it came from.
pub fn verify<'a>(
    app: &App,
    platform: &str,
    document: &'a [u8],
    address: IpAddr,
) -> Result<(Caller, Envelope<'a>), Answered> {
    let Some(envelope) = read(document) else {
        return Err(failed(app, "", address));
    };
    let partner_no =
        envelope.header_text(&["partnerNo"]).filter(|text| text.chars().count() <= PARTNER_NO_LENGTH);
    let partner_no = partner_no.unwrap_or_default();
    let merchant = app.directory.merchant(platform, &partner_no);
    let Some((merchant, key)) = proven(app, merchant, &partner_no, &envelope, document) else {
        return Err(failed(app, &partner_no, address));
    };
    let mut caller = Caller { merchant, key, message: None, standing: Standing::default() };
    // Before the header, whose message id it would else use up.
    caller.check_address(app, address)?;
    caller.check_header(app, &envelope)?;
    // Only now: an old request that somebody recorded tells nothing about the key in use.
    caller.merchant.used_key(&caller.key.id);
    caller.key.last_use.note(app.clock.now_ms());
    Ok((caller, envelope))
}

/// The answer to who has just failed to prove who they are. It costs the same work for anybody, and after too many
/// failures from one address it says so, to anybody, under the same key that is nobody's.
fn failed(app: &App, partner_no: &str, address: IpAddr) -> Answered {
    match app.limits.failed_authentication(address) {
        Ok(()) => stranger(app, partner_no),
        Err(refusal) => {
            let key = app.pepper.decoy_key(partner_no);
            sealed(app, partner_no, &key, Code::TRY_LATER, &said(Code::TRY_LATER, TOO_OFTEN)).refused(refusal)
        }
    }
}

/// The answer to anybody who has not proven who they are, whatever they sent.
pub fn stranger(app: &App, partner_no: &str) -> Answered {
    let key = app.pepper.decoy_key(partner_no);
    sealed(app, partner_no, &key, Code::BAD_SIGNATURE, &said(Code::BAD_SIGNATURE, STRANGER))
}

/// The merchant and the key version that verifies. As much is hashed for a partnerNo that nobody has, and a
/// document that fails is kept for nobody as it is for a merchant.
fn proven(
    app: &App,
    merchant: Option<Arc<Merchant>>,
    partner_no: &str,
    envelope: &Envelope<'_>,
    document: &[u8],
) -> Option<(Arc<Merchant>, SignKey)> {
    let now = app.clock.now_ms();
    let keys = merchant.iter().flat_map(|merchant| merchant.keys.iter()).filter(|key| key.is_valid(now));
    let keys: Vec<&SignKey> = keys.take(2).collect();
    let decoy: Zeroizing<String> = app.pepper.decoy_key(partner_no);
    // Always two, current and previous, so that the time taken does not tell who exists.
    let texts = [0, 1].map(|place| keys.get(place).map_or(decoy.as_str(), |key| key.text.as_str()));
    let verified = [0, 1].map(|place| envelope.verifies(texts[place]) && place < keys.len());
    let Some(place) = verified.iter().position(|verified| *verified) else {
        let owner = merchant.as_ref().map_or("", |merchant| merchant.id.as_str());
        app.failures.keep(owner, app.chance.id(), now, document, texts);
        return None;
    };
    let key = keys[place].clone();
    merchant.map(|merchant| (merchant, key))
}

impl Caller {
    fn check_address(&self, app: &App, address: IpAddr) -> Result<(), Answered> {
        if self.merchant.admits(address) {
            return Ok(());
        }
        let msg = format!("requests from the address {address} are not allowed for this merchant");
        Err(self.say(app, Code::NOT_AUTHORISED, &msg))
    }

    /// Version, sign type, time and message id, now that the caller may be told what is wrong with them.
    fn check_header(&mut self, app: &App, envelope: &Envelope<'_>) -> Result<(), Answered> {
        let text = |keys: &[&str]| envelope.header_text(keys);
        match text(&["version"]).as_deref() {
            Some("1.0") => {}
            Some(_) => return Err(self.say(app, Code::INVALID, "version: only 1.0 is known")),
            None => return Err(self.say(app, Code::EMPTY, "version is required")),
        }
        if text(&["signType"]).is_some_and(|kind| !kind.eq_ignore_ascii_case("SHA256")) {
            return Err(self.say(app, Code::INVALID, "signType: only SHA256 is known"));
        }
        let window = self.merchant.freshness_window.unwrap_or(app.config.signed.freshness);
        self.check_time(app, text(&["reqTime", "requestTime"]).as_deref(), window)?;
        let message_id = text(&["reqMsgId"]).unwrap_or_default();
        if message_id.chars().count() > MESSAGE_ID_LENGTH {
            return Err(self.say(app, Code::INVALID, "reqMsgId is longer than 64 characters"));
        }
        if !message_id.is_empty() {
            let message = Message::new(&self.merchant.id, &message_id, envelope.signed, window);
            if !app.seen.admits(&message, app.clock.now_ms()) {
                return Err(self.used_before(app));
            }
            self.message = Some(message);
        }
        Ok(())
    }

    /// What the nodes know together: whether the message id was used elsewhere, and what `limits` says. Asked at the
    /// same time, answered in this order.
    pub async fn admit(
        &mut self,
        app: &App,
        limits: impl Future<Output = Result<Standing, Refusal>>,
    ) -> Result<(), Answered> {
        let used_elsewhere = async {
            match (&app.redis, &self.message) {
                (Some(redis), Some(message)) => {
                    freshness::seen_elsewhere(redis, &self.merchant.platform_id, message).await
                }
                _ => false,
            }
        };
        let (used_elsewhere, limits) = tokio::join!(used_elsewhere, limits);
        if used_elsewhere {
            return Err(self.used_before(app));
        }
        self.standing = limits.map_err(|refusal| self.over(app, refusal))?;
        Ok(())
    }

    fn used_before(&self, app: &App) -> Answered {
        self.say(app, Code::INVALID, "reqMsgId was used before with other content; use a new one")
    }

    /// Over a limit: nothing was begun.
    pub fn over(&self, app: &App, refusal: Refusal) -> Answered {
        self.say(app, Code::TRY_LATER, &refusal.text()).refused(refusal)
    }

    fn check_time(&self, app: &App, said_time: Option<&str>, window: Duration) -> Result<(), Answered> {
        let enforced = match self.merchant.freshness {
            Some(freshness) => freshness == Freshness::Enforce,
            None => app.config.signed.freshness_mode == FreshnessMode::Enforce,
        };
        let now = app.clock.now();
        match freshness::check(said_time, now, window) {
            Ok(()) => Ok(()),
            Err(stale) if !enforced => {
                tracing::warn!(merchant = %self.merchant.id, ?stale, "a request's time is off; it is taken all the same");
                Ok(())
            }
            Err(Stale::Missing) => Err(self.say(app, Code::EMPTY, "reqTime is required")),
            Err(Stale::Unreadable) => Err(self.say(
                app,
                Code::INVALID,
                "reqTime is not an RFC 3339 time such as 2018-07-25T18:06:05+08:00",
            )),
            Err(Stale::Off(seconds)) => {
                let ours = envelope::rfc3339(now);
                Err(self.say(
                    app,
                    Code::INVALID,
                    &format!("reqTime is off by {seconds} s; our clock says {ours}"),
                ))
            }
        }
    }

    /// `body`, which holds `code`, signed with the key version that verified the request.
    pub fn answer(&self, app: &App, code: Code, body: &str) -> Answered {
        sealed(app, &self.merchant.partner_no, &self.key.text, code, body).standing(&self.standing)
    }

    pub fn say(&self, app: &App, code: Code, msg: &str) -> Answered {
        self.answer(app, code, &said(code, msg))
    }

    pub fn refuse(&self, app: &App, error: &FieldError) -> Answered {
        self.say(app, error.code, &format!("{} {}", error.field, error.reason))
    }

    /// It may have been done or not. Never told as a failure.
    pub fn doubt(&self, app: &App) -> Answered {
        self.say(
            app,
            Code::RESULT_UNKNOWN,
            "the state is not known yet; query the order, or send it again unchanged",
        )
    }

    pub fn busy(&self, app: &App) -> Answered {
        self.say(app, Code::TRY_LATER, "too much to do just now; nothing was begun; try again later")
    }
}

/// The answer where we failed before knowing what became of the request.
pub fn unheard(app: &App) -> Answered {
    let key = app.pepper.decoy_key("");
    sealed(
        app,
        "",
        &key,
        Code::RESULT_UNKNOWN,
        &said(Code::RESULT_UNKNOWN, "the state is not known; query the order"),
    )
}
