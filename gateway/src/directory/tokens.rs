//! Short-lived tokens (signed JWTs) for callers who have proven themselves by a key or a password: made, checked and
//! revoked here. The keys that sign them lie sealed in the store and change by age or on demand; a key goes on
//! verifying until the last token made with it has ended. Everything is held in memory, so that a check costs no
//! look into the store.

pub mod keys;
mod provider;
mod revocations;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};

use self::keys::Keys;
use self::revocations::Revocations;
use super::acts::{self, Act, Actor};
use super::change::Refresh;
use super::vault::Vault;
use super::versions;
use crate::app::App;
use crate::chance::Chance;
use crate::ledger::{Lane, LedgerError, RowStatement};

/// How long a token is good for.
pub const LIFETIME: Duration = Duration::from_mins(15);
/// For how long tokens may follow one another without a password.
const SESSION: Duration = Duration::from_hours(12);
/// In bytes; ours have some 500.
const LONGEST: usize = 2048;

/// Which of our APIs a token is for. One for the other is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Api,
    Operators,
}

impl Audience {
    fn as_str(self) -> &'static str {
        match self {
            Self::Api => "scangate-api",
            Self::Operators => "scangate-operators",
        }
    }
}

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct Grant {
    pub audience: Audience,
    /// Id of the operator or API key that it stands for.
    pub credential: String,
    /// Words separated by blanks.
    pub scope: String,
    /// An operator's.
    pub role: Option<String>,
    /// Unix seconds of the proof that it goes back to, where that is not made just now.
    pub auth_time: Option<i64>,
}

/// What a token says. Times are Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    /// Id of the operator or API key that it stands for.
    pub sub: String,
    /// A ULID: when the token was made, to the millisecond, is in it.
    pub jti: String,
    pub iat: i64,
    pub exp: i64,
    pub scope: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// When its bearer gave a password or a key; absent: when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
}

impl Claims {
    /// Unix milliseconds.
    fn made_at(&self) -> Option<i64> {
        let id = ulid::Ulid::from_string(&self.jti).ok()?;
        i64::try_from(id.timestamp_ms()).ok()
    }
}

/// Why a token is not taken. For our log; its bearer is told the same of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("it is not a token of ours")]
    Malformed,
    #[error("its key is not known, or is known no more")]
    UnknownKey,
    #[error("its signature does not verify, or it is for somebody else")]
    Refused,
    #[error("it has expired")]
    Expired,
    #[error("it was revoked")]
    Revoked,
}

pub struct Tokens {
    issuer: String,
    held: RwLock<Arc<Held>>,
    /// Held while the store is looked at: an older look must not undo a newer one.
    looking: tokio::sync::Mutex<()>,
}

/// What the store holds.
#[derive(Default)]
struct Held {
    keys: Keys,
    revocations: Revocations,
}

impl Tokens {
    /// With no keys; they are loaded with the directory.
    pub fn new(issuer: &str) -> Self {
        provider::install();
        Self { issuer: issuer.to_owned(), held: RwLock::default(), looking: tokio::sync::Mutex::default() }
    }

    /// See what was made and revoked, by whichever node.
    pub async fn reload(&self, read: &DatabaseConnection, vault: &Vault) -> anyhow::Result<()> {
        let _looking = self.looking.lock().await;
        let keys = Keys::load(read, vault).await.context("loading the keys of tokens")?;
        let revocations = Revocations::load(read).await.context("loading what was revoked")?;
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Held { keys, revocations });
        Ok(())
    }

    fn held(&self) -> Arc<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A token that says what `grant` does from `now` (Unix milliseconds) on, for [`LIFETIME`].
    pub fn make(&self, grant: Grant, chance: &Chance, now: i64) -> anyhow::Result<(String, Claims)> {
        let held = self.held();
        let key = held.keys.signing(now).context("there is no key to sign tokens with")?;
        let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::EdDSA) };
        let made_at = now.div_euclid(1000);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: grant.audience.as_str().to_owned(),
            sub: grant.credential,
            jti: chance.id(),
            iat: made_at,
            exp: made_at + i64::try_from(LIFETIME.as_secs()).expect("minutes"),
            scope: grant.scope,
            role: grant.role,
            auth_time: grant.auth_time,
        };
        let text = encode(&header, &claims, &key.signs).context("signing a token")?;
        Ok((text, claims))
    }

    /// What a token says, if it is one of ours for `audience` and good at `now`.
    pub fn check(&self, text: &str, audience: Audience, now: i64) -> Result<Claims, TokenError> {
        if text.len() > LONGEST {
            return Err(TokenError::Malformed);
        }
        let header = decode_header(text).map_err(|_| TokenError::Malformed)?;
        let kid = header.kid.ok_or(TokenError::Malformed)?;
        let held = self.held();
        let key = held.keys.verifying(&kid, now).ok_or(TokenError::UnknownKey)?;
        let claims = decode::<Claims>(text, &key.verifies, &self.validation(audience))
            .map_err(|_| TokenError::Refused)?
            .claims;
        if now >= claims.exp.saturating_mul(1000) {
            return Err(TokenError::Expired);
        }
        let made_at = claims.made_at().ok_or(TokenError::Malformed)?;
        if held.revocations.cover(&claims, made_at) {
            return Err(TokenError::Revoked);
        }
        Ok(claims)
    }

    fn validation(&self, audience: Audience) -> Validation {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = 0;
        // The library knows only the system's clock; ours is looked at in `check`.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[audience.as_str()]);
        validation
    }
}

/// Another token for the same operator; `None`: it was too long ago that it gave its password.
pub fn renew(app: &App, claims: &Claims, scope: String) -> anyhow::Result<Option<String>> {
    let (now, since) = (app.clock.now_ms(), claims.auth_time.unwrap_or(claims.iat));
    let longest = i64::try_from(SESSION.as_secs()).expect("hours");
    if now.div_euclid(1_000) - since > longest {
        return Ok(None);
    }
    let grant = Grant {
        audience: Audience::Operators,
        credential: claims.sub.clone(),
        scope,
        role: claims.role.clone(),
        auth_time: Some(since),
    };
    Ok(Some(app.tokens.make(grant, &app.chance, now)?.0))
}

/// End one token before its time.
pub async fn revoke(app: &App, claims: &Claims) -> anyhow::Result<()> {
    write(app, vec![revocations::of_token(claims, app.clock.now_ms())]).await?;
    take_effect(app).await
}

/// Ends every token of an operator or API key made until `now`; to be written by [`write`] with the change that calls
/// for it.
pub fn revoke_all_of(credential: &str, now: i64) -> RowStatement {
    revocations::of_credential(credential, now)
}

/// Sign with a new key from now on (in fact a few seconds later, when every node has it), on somebody's word or by
/// age. Returns its id.
pub async fn rotate(app: &App, by: Option<&Actor>) -> anyhow::Result<String> {
    let now = app.clock.now_ms();
    let (id, row) = keys::new(&app.chance, &app.vault, now);
    let act = Act { action: "token_key.changed", subject_id: Some(&id), ..Act::default() };
    let mut rows = vec![row];
    rows.extend(by.map(|by| acts::entry(by, act, &app.chance, now)));
    write(app, rows).await?;
    take_effect(app).await?;
    Ok(id)
}

/// The first start makes the first key.
pub async fn begin(app: &App) -> anyhow::Result<()> {
    if app.tokens.held().keys.is_empty() {
        rotate(app, None).await.context("making the first key of tokens")?;
    }
    Ok(())
}

/// Housekeeping: change a key that is old, forget what is over.
pub async fn sweep(app: &App) -> anyhow::Result<()> {
    let (held, now) = (app.tokens.held(), app.clock.now_ms());
    if held.keys.are_old(now) {
        let id = rotate(app, None).await?;
        tracing::info!(key = id, "tokens are signed with a new key");
    }
    let over: Vec<RowStatement> =
        [held.keys.forget(now), held.revocations.forget(now)].into_iter().flatten().collect();
    if !over.is_empty() {
        // Not a change that other nodes have to hear of: what is over is over for them, too.
        app.ledger.room(Lane::Bulk, "tokens")?.rows(over).await?;
        app.tokens.reload(&app.store.read, &app.vault).await?;
    }
    Ok(())
}

/// Write a change that concerns tokens, so that every node sees it; to be followed by [`take_effect`].
pub async fn write(app: &App, rows: Vec<RowStatement>) -> Result<(), LedgerError> {
    let rows = versions::counted(rows, &[Refresh::Tokens]);
    app.ledger.room(Lane::Bulk, "tokens")?.rows(rows).await.map(drop)
}

/// Have what was written in force here at once, and on the other nodes within seconds.
pub async fn take_effect(app: &App) -> anyhow::Result<()> {
    versions::announce(app);
    app.directory.refresh(&app.store.read, &app.vault, &Refresh::Tokens).await
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("days")
}
