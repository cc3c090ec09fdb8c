//! Changes that are made once, however often they are asked for: the `Idempotency-Key`. The answer is kept with the
//! change, in one transaction, under the key and a fingerprint of the request; a repeat gets it again, without the
//! secrets that the first one showed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::types::ToJSON;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};

use super::reply::Answer;
use crate::app::App;
use crate::directory::access::Caller;
use crate::directory::change::{Committed, Plan};
use crate::entity::kept_answer;
use crate::error::{Error, FieldProblem};
use crate::ledger::{Lane, RowStatement, insert_rows};

pub const HEADER: &str = "Idempotency-Key";
const MAX_KEY: usize = 255;
/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_hours(24);
/// How often a change is planned anew because others came first.
const TRIES: usize = 5;

const DESCRIPTION: &str = "Any text of your own, new for each request (a UUID, say). The same key with the same \
    request gets the same answer for 24 hours, without its secrets; with another request it is refused with 422, and \
    with 409 while the first is being answered.";

/// A request's `Idempotency-Key`, and what tells the request from others.
pub struct Once {
    key: Option<String>,
    request: Sha256,
}

impl<'a> ApiExtractor<'a> for Once {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema {
            description: Some(DESCRIPTION),
            min_length: Some(1),
            max_length: Some(MAX_KEY),
            ..MetaSchema::new("string")
        })))
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let mut hash = Sha256::new();
        hash.update(request.method().as_str());
        hash.update([0]);
        hash.update(request.original_uri().path());
        hash.update([0]);
        Ok(Self { key: key(request)?, request: hash })
    }
}

impl Once {
    /// Of a part of what the request asks for, which is a change of its own.
    #[must_use]
    pub fn part(&self, number: usize) -> Self {
        // No key of a caller's has a line break in it.
        Self { key: self.key.as_ref().map(|key| format!("{key}\n{number}")), request: self.request.clone() }
    }
}

/// The header's text; also as the quoted string that the draft asks for.
fn key(request: &Request) -> Result<Option<String>, Error> {
    let mut headers = request.headers().get_all(HEADER).iter();
    let Some(header) = headers.next() else { return Ok(None) };
    let wrong = |why: &str| Error::Invalid(vec![FieldProblem::parameter(HEADER, why)]);
    if headers.next().is_some() {
        return Err(wrong("is there twice"));
    }
    let text = header.to_str().map_err(|_| wrong("must be printable ASCII"))?.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if !(1..=MAX_KEY).contains(&text.len()) {
        return Err(wrong("must have 1 to 255 characters"));
    }
    Ok(Some(text.to_owned()))
}

/// What a change will write, and what is answered then.
pub struct Planned<T> {
    /// `None`: things are as they shall be already.
    pub plan: Option<Plan>,
    pub status: StatusCode,
    pub location: Option<String>,
    pub answer: T,
    /// What a repeat is answered, where that is something else: without the secret.
    pub repeat: Option<T>,
}

impl<T> Planned<T> {
    pub fn changed(plan: Option<Plan>, answer: T) -> Self {
        Self { plan, status: StatusCode::OK, location: None, answer, repeat: None }
    }

    pub fn created(plan: Plan, location: String, answer: T) -> Self {
        Self { plan: Some(plan), status: StatusCode::CREATED, location: Some(location), answer, repeat: None }
    }

    #[must_use]
    pub fn repeated_as(self, repeat: T) -> Self {
        Self { repeat: Some(repeat), ..self }
    }
}

/// Requests with an `Idempotency-Key` that are being answered, by owner and key.
#[derive(Default)]
pub struct Running(Arc<Mutex<HashSet<(String, String)>>>);

/// Holds one of them until it is dropped.
struct Held {
    running: Arc<Mutex<HashSet<(String, String)>>>,
    key: (String, String),
}

impl Running {
    fn begin(&self, owner: &str, key: &str) -> Result<Held, Error> {
        let key = (owner.to_owned(), key.to_owned());
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !running.insert(key.clone()) {
            return Err(Error::KeyRunning);
        }
        Ok(Held { running: Arc::clone(&self.0), key })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Plan a change and write it, once. Planning is repeated where others changed meanwhile what it rests on.
pub async fn change<T, F>(
    app: &Arc<App>,
    caller: &Caller,
    once: Once,
    body: &[u8],
    plan: impl Fn() -> F,
) -> Result<Answer, Error>
where
    T: ToJSON,
    F: Future<Output = Result<Planned<T>, Error>>,
{
    let identity = once.key.map(|key| Identity {
        owner: owner(caller),
        key,
        fingerprint: once.request.chain_update(body).finalize().to_vec(),
    });
    let held = match &identity {
        Some(identity) => Some(Arc::new(app.running.begin(&identity.owner, &identity.key)?)),
        None => None,
    };
    for _ in 0..TRIES {
        if let Some(identity) = &identity
            && let Some(kept) = identity.kept(app).await?
        {
            return Ok(kept);
        }
        let Planned { plan: planned, status, location, answer, repeat } = plan().await?;
        let Some(mut planned) = planned else {
            return Ok(Answer { status, location, body: answer.to_json_string() });
        };
        if let Some(identity) = &identity {
            let kept = repeat.as_ref().unwrap_or(&answer).to_json_string();
            planned.keep(identity.row(app, status, location.clone(), kept));
        }
        // In a task of its own: a caller that hangs up leaves no change half in effect.
        let (committing, held) = (Arc::clone(app), held.clone());
        let commit = app.tasks.spawn(async move {
            let committed = planned.commit(&committing).await;
            drop(held);
            committed
        });
        if commit.await.unwrap_or(Err(Error::InDoubt))? == Committed::Done {
            return Ok(Answer { status, location, body: answer.to_json_string() });
        }
    }
    Err(Error::Busy)
}

/// An `Idempotency-Key` that points to what the request makes.
pub struct Pointed {
    /// The key pointed there before this request.
    pub is_repeat: bool,
    /// Refuses repeats in this node until it is dropped.
    _held: Option<Held>,
}

/// Have the key, if there is one, point to what is made outside of a plan and has a name of its own, `location`. It
/// points there before it is made: should that fail, a repeat finds nothing there and makes it.
pub async fn point(
    app: &App,
    caller: &Caller,
    once: Once,
    body: &[u8],
    location: &str,
) -> Result<Pointed, Error> {
    let Some(key) = once.key else { return Ok(Pointed { is_repeat: false, _held: None }) };
    let fingerprint = once.request.chain_update(body).finalize().to_vec();
    let identity = Identity { owner: owner(caller), key, fingerprint };
    let held = Some(app.running.begin(&identity.owner, &identity.key)?);
    if identity.kept(app).await?.is_some() {
        return Ok(Pointed { is_repeat: true, _held: held });
    }
    let row = identity.row(app, StatusCode::CREATED, Some(location.to_owned()), String::new());
    let mut insert = insert_rows::<kept_answer::Entity>(&[row]);
    if let RowStatement::Insert(insert) = &mut insert {
        insert.on_conflict(OnConflict::new().do_nothing().to_owned());
    }
    app.ledger.room(Lane::Bulk, "idempotency")?.rows(vec![insert]).await?;
    // Another node may have been quicker, with another request even.
    identity.kept(app).await?;
    Ok(Pointed { is_repeat: false, _held: held })
}

/// Forget answers that were kept long enough.
pub async fn prune(app: &App) -> anyhow::Result<()> {
    let kept_ms = i64::try_from(KEPT.as_millis()).expect("a day in milliseconds");
    let old = kept_answer::Column::CreatedAt.lt(app.clock.now_ms() - kept_ms);
    if kept_answer::Entity::find().filter(old.clone()).one(&app.store.read).await?.is_none() {
        return Ok(());
    }
    let delete = Query::delete().from_table(kept_answer::Entity).and_where(old).to_owned();
    app.ledger.room(Lane::Bulk, "idempotency")?.rows(vec![RowStatement::Delete(delete)]).await?;
    Ok(())
}

/// Whose a key is: of one tenant, in one mode.
fn owner(caller: &Caller) -> String {
    let tenant = &caller.tenant;
    let merchant = tenant.merchant_id().unwrap_or_default();
    format!("{}/{merchant}/{}", tenant.platform_id(), caller.mode.as_str())
}

struct Identity {
    owner: String,
    key: String,
    fingerprint: Vec<u8>,
}

impl Identity {
    async fn kept(&self, app: &App) -> Result<Option<Answer>, Error> {
        let Some(kept) = kept_answer::Entity::of(&self.owner, &self.key).one(&app.store.read).await? else {
            return Ok(None);
        };
        if kept.fingerprint != self.fingerprint {
            return Err(Error::KeyReused);
        }
        let status = u16::try_from(kept.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        Ok(Some(Answer {
            status: status.unwrap_or(StatusCode::OK),
            location: kept.location,
            body: kept.answer,
        }))
    }

    fn row(
        &self,
        app: &App,
        status: StatusCode,
        location: Option<String>,
        answer: String,
    ) -> kept_answer::Model {
        kept_answer::Model {
            owner: self.owner.clone(),
            key: self.key.clone(),
            fingerprint: self.fingerprint.clone(),
            entry_id: String::new(),
            status: status.as_u16().into(),
            location,
            answer,
            created_at: app.clock.now_ms(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Result<Option<String>, Error> {
        key(&Request::builder().header(HEADER, header).finish())
    }

    #[test]
    fn a_key_has_1_to_255_characters_with_or_without_quotes() {
        assert_eq!(read("abc").expect("is good").as_deref(), Some("abc"));
        assert_eq!(read("\"abc\"").expect("is good").as_deref(), Some("abc"));
        assert!(read(&"k".repeat(MAX_KEY)).is_ok() && read(&"k".repeat(MAX_KEY + 1)).is_err());
        assert!(read("").is_err() && read("\"\"").is_err());
        assert!(key(&Request::default()).is_ok_and(|key| key.is_none()));
    }

    #[test]
    fn a_key_is_running_until_its_request_ends() {
        let running = Running::default();
        let held = running.begin("a", "k").expect("is free");
        assert!(matches!(running.begin("a", "k"), Err(Error::KeyRunning)));
        assert!(running.begin("b", "k").is_ok());
        drop(held);
        assert!(running.begin("a", "k").is_ok());
    }
}
