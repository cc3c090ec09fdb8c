//! A gate at which answers wait.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds answers back until it is opened; then it stays open. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Open, or closed with nobody who waits at it or could open it.
    pub(super) fn is_of_no_more_use(&self) -> bool {
        *self.0.borrow() || Arc::strong_count(&self.0) == 1
    }

    pub(crate) async fn passed(&self) {
        let mut open = self.0.subscribe();
        open.wait_for(|open| *open).await.expect("the sender is borrowed for as long as this waits");
    }
}
