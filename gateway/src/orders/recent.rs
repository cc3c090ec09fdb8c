//! Submissions of late, in memory: most notices come minutes after their order, to the node that placed it, and need
//! nothing of its submission but what never changes. A read of the store costs more than all else that is done with a
//! notice before it is written.

use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use sea_orm::{DbErr, EntityTrait};

use crate::app::App;
use crate::entity::submission;

/// How many are kept: about 20 MB.
const KEPT: usize = 32 * 1024;

/// By their ids. Those used least lately make room.
pub struct Recent(Mutex<LruCache<String, Arc<submission::Model>>>);

impl Default for Recent {
    fn default() -> Self {
        // Bounded by `note`: a cache that knows its bound takes memory for all of it at once.
        Self(Mutex::new(LruCache::unbounded()))
    }
}

impl Recent {
    /// It was written.
    pub fn note(&self, submission: &submission::Model) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(submission.id.clone(), Arc::new(submission.clone()));
        if kept.len() > KEPT {
            kept.pop_lru();
        }
    }

    fn get(&self, id: &str) -> Option<Arc<submission::Model>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).map(Arc::clone)
    }
}

/// A submission as it was sent: ids, account, numbers, amount and the hashes of its tokens. Of what changes later, its
/// state and what was answered, this may be behind.
pub async fn submission(app: &App, id: &str) -> Result<Option<Arc<submission::Model>>, DbErr> {
    if let Some(recent) = app.recent.get(id) {
        return Ok(Some(recent));
    }
    Ok(submission::Entity::find_by_id(id).one(&app.store.read).await?.map(Arc::new))
}
