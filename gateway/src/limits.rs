//! How much of what anybody may do: one named method per guarded action, which says how things stand or why not now.
//! No look at the store; one round trip where the nodes count together in Redis.
//!
//! | tier | counts | quota |
//! | --- | --- | --- |
//! | platform | its verified requests and its merchants', on every API | its own, else the gateway's |
//! | merchant | its verified requests on every API | its own or the gateway's, within its platform's |
//! | store | orders placed in it | its own or the gateway's, within its merchant's |
//! | account | calls to ScanForPay, in the order of [`Priority`] | its own, else the gateway's |
//! | address | authentications that failed | the gateway's |
//! | callbacks | notices and payers' returns, all together | the gateway's |
//! | diagnose | one API key's diagnoses of signatures | the gateway's |
//! | selfcheck | one merchant's self-checks | the gateway's |
//! | endpoint | challenges and test events to one endpoint | the gateway's |
//!
//! In this process a request that is refused by one bucket has already drawn from those before it; Redis gives from
//! all or from none.

mod address;
mod bucket;
mod quota;
mod reached;
mod said;
mod together;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use self::address::Addresses;
pub use self::bucket::{Bucket, Priority, Tier};
use self::bucket::{Draw, Pulse};
pub use self::quota::{Quota, QuotaError};
pub use self::reached::Reached;
use self::said::Level;
pub use self::said::{Refusal, Standing};
use self::together::Together;
use crate::clock::Clock;
use crate::config;
use crate::directory::api_keys::ApiKey;
use crate::directory::endpoints::Endpoint;
use crate::directory::{Account, Merchant, Platform, Store};
use crate::redis::Redis;

/// Where requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// By each node for itself; no Redis is configured.
    Alone,
    /// By all nodes together, in Redis.
    Together,
    /// Redis does not answer: each node gives out its share.
    Share,
}

impl Counting {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Together => "together",
            Self::Share => "share",
        }
    }
}

pub struct Limits {
    settings: config::Limits,
    pulse: Pulse,
    /// Every bucket that is in use, so that who is loaded again finds its own as it left it.
    buckets: Mutex<HashMap<(Tier, String), Weak<Bucket>>>,
    addresses: Addresses,
    callbacks: Bucket,
    together: Option<Together>,
    pub reached: Reached,
}

impl Limits {
    pub fn new(settings: &config::Limits, clock: &Clock, redis: Option<Redis>) -> Self {
        let pulse = Pulse(clock.clone());
        let nodes = settings.nodes;
        let together = redis.map(Together::new);
        let key = key_of(together.as_ref(), Tier::Callbacks, "-", "all");
        Self {
            addresses: Addresses::new(settings.failed_authentications, nodes, &pulse),
            callbacks: Bucket::new(Tier::Callbacks, key, settings.callbacks, nodes, &pulse),
            buckets: Mutex::default(),
            settings: settings.clone(),
            pulse,
            together,
            reached: Reached::default(),
        }
    }

    pub fn counting(&self) -> Counting {
        match &self.together {
            None => Counting::Alone,
            Some(together) if together.is_answering() => Counting::Together,
            Some(_) => Counting::Share,
        }
    }

    // Who is limited --------------------------------------------------------------------------------------

    /// A verified request: a merchant's, or one that a platform makes for itself.
    pub async fn request(
        &self,
        platform: &Platform,
        merchant: Option<&Merchant>,
    ) -> Result<Standing, Refusal> {
        let mut draws = vec![draw(&platform.bucket)];
        let visible = match merchant {
            Some(merchant) => {
                draws.push(draw(&merchant.bucket));
                Tier::Merchant
            }
            None => Tier::Platform,
        };
        Ok(Standing::of(self.take(&draws).await?, &[visible]))
    }

    /// A merchant's verified request to place an order in `store`, and the call to ScanForPay that it leads to.
    pub async fn create(&self, merchant: &Merchant, store: &Store) -> Result<Standing, Refusal> {
        let draws = [
            draw(&merchant.platform.bucket),
            draw(&merchant.bucket),
            draw(&store.bucket),
            Draw { bucket: &store.account.budget, priority: Priority::Create },
        ];
        Ok(Standing::of(self.take(&draws).await?, &[Tier::Merchant, Tier::Store]))
    }

    /// The same, where the request itself was let through before by the bucket of `admitted`: by [`Self::request`],
    /// before it was known to be about an order.
    pub async fn admitted_create(
        &self,
        admitted: Tier,
        merchant: &Merchant,
        store: &Store,
    ) -> Result<(), Refusal> {
        let draws = [
            draw(&merchant.bucket),
            draw(&store.bucket),
            Draw { bucket: &store.account.budget, priority: Priority::Create },
        ];
        let drawn = usize::from(admitted == Tier::Merchant);
        self.take(&draws[drawn..]).await.map(drop)
    }

    /// A call to ScanForPay other than for a new order.
    pub async fn call(&self, account: &Account, priority: Priority) -> Result<(), Refusal> {
        self.take(&[Draw { bucket: &account.budget, priority }]).await.map(drop)
    }

    /// A diagnosis of a signature for the holder of `key`.
    pub async fn diagnosis(&self, key: &ApiKey) -> Result<(), Refusal> {
        self.take(&[draw(&key.diagnoses)]).await.map(drop)
    }

    /// A self-check of a merchant's endpoint, whoever asks for it.
    pub async fn selfcheck(&self, merchant: &Merchant) -> Result<(), Refusal> {
        self.take(&[draw(&merchant.selfchecks)]).await.map(drop)
    }

    /// A challenge or a test event to an endpoint, whoever asks for it.
    pub async fn endpoint_trial(&self, endpoint: &Endpoint) -> Result<(), Refusal> {
        self.take(&[draw(&endpoint.trials)]).await.map(drop)
    }

    /// Whether a failed authentication from `address` would be one of too many; nothing is drawn. For who answers
    /// guesses with costly work, or hands out what lets somebody in.
    pub fn authentication(&self, address: IpAddr) -> Result<(), Refusal> {
        self.reached.note(self.addresses.listens_to(address))
    }

    /// An authentication from `address` has failed. The refusal says that too many have.
    pub fn failed_authentication(&self, address: IpAddr) -> Result<(), Refusal> {
        self.reached.unproven();
        self.reached.note(self.addresses.failed(address))
    }

    /// A notice, or a payer's return, whose token is ours. All notices come from ScanForPay's few addresses, so
    /// nothing but this cap holds for them; counted by each node.
    pub fn callback(&self) -> Result<(), Refusal> {
        self.reached.note(self.callbacks.take(Priority::Create)).map(drop)
    }

    /// Refusals since the start.
    pub fn hits(&self) -> u64 {
        self.reached.sum()
    }

    // Loading the directory -------------------------------------------------------------------------------

    pub fn platform_bucket(&self, id: &str, own: Option<Quota>) -> Arc<Bucket> {
        let quota = own.unwrap_or(self.settings.platform);
        self.bucket(Tier::Platform, id, id, quota)
    }

    pub fn merchant_bucket(&self, platform: &Platform, id: &str, own: Option<Quota>) -> Arc<Bucket> {
        let quota = own.unwrap_or(self.settings.merchant).capped_by(platform.bucket.quota);
        self.bucket(Tier::Merchant, &platform.id, id, quota)
    }

    pub fn store_bucket(
        &self,
        platform: &str,
        merchant: &Bucket,
        id: &str,
        own: Option<Quota>,
    ) -> Arc<Bucket> {
        let quota = own.unwrap_or(self.settings.store).capped_by(merchant.quota);
        self.bucket(Tier::Store, platform, id, quota)
    }

    pub fn account_budget(&self, platform: &str, id: &str, own: Option<Quota>) -> Arc<Bucket> {
        self.bucket(Tier::Account, platform, id, own.unwrap_or(self.settings.account))
    }

    pub fn key_diagnoses(&self, platform: &str, id: &str) -> Arc<Bucket> {
        self.bucket(Tier::Diagnose, platform, id, self.settings.diagnoses)
    }

    pub fn merchant_selfchecks(&self, platform: &str, id: &str) -> Arc<Bucket> {
        self.bucket(Tier::SelfCheck, platform, id, self.settings.selfchecks)
    }

    pub fn endpoint_trials(&self, platform: &str, id: &str) -> Arc<Bucket> {
        self.bucket(Tier::Endpoint, platform, id, self.settings.endpoint_trials)
    }

    /// The bucket that is in use, with what was drawn from it, unless its quota is another now.
    fn bucket(&self, tier: Tier, platform: &str, id: &str, quota: Quota) -> Arc<Bucket> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (tier, id.to_owned());
        if let Some(bucket) = buckets.get(&place).and_then(Weak::upgrade).filter(|old| old.quota == quota) {
            return bucket;
        }
        let key = key_of(self.together.as_ref(), tier, platform, id);
        let make = if tier == Tier::Account { Bucket::with_reserves } else { Bucket::new };
        let bucket = Arc::new(make(tier, key, quota, self.settings.nodes, &self.pulse));
        buckets.insert(place, Arc::downgrade(&bucket));
        bucket
    }

    /// Forget the buckets of those who are gone.
    pub fn tidy(&self) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.retain(|_, bucket| bucket.strong_count() > 0);
    }

    /// Draw one from each.
    async fn take(&self, draws: &[Draw<'_>]) -> Result<Vec<Level>, Refusal> {
        let of_all = match &self.together {
            Some(together) => together.take(draws).await,
            None => None,
        };
        let answer =
            of_all.unwrap_or_else(|| draws.iter().map(|draw| draw.bucket.take(draw.priority)).collect());
        match &answer {
            Ok(levels) => {
                for (draw, level) in draws.iter().zip(levels) {
                    draw.bucket.was_drawn(level.refill);
                }
            }
            Err(refusal) => {
                if let Some(empty) = draws.iter().find(|draw| draw.bucket.tier == refusal.tier) {
                    empty.bucket.refused_one();
                }
            }
        }
        self.reached.note(answer)
    }
}

fn draw(bucket: &Bucket) -> Draw<'_> {
    Draw { bucket, priority: Priority::Create }
}

/// Where Redis counts a bucket; nowhere without Redis.
fn key_of(together: Option<&Together>, tier: Tier, platform: &str, id: &str) -> String {
    together.map_or_else(String::new, |together| together.key(tier, platform, id))
}
