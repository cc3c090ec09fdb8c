//! A gateway that can die in the middle: it runs on a runtime of its own, and with that its tasks, connections
//! and writers end wherever they are.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use super::Stage;

/// The runtime of a gateway that is to crash.
pub struct Apart(Runtime);

impl Apart {
    /// Whatever still runs there ends where it is.
    pub async fn end(self) {
        let end = tokio::task::spawn_blocking(move || self.0.shutdown_timeout(Duration::from_mins(1)));
        end.await.expect("the runtime ends");
    }

    /// [`Stage::deliver_due`] of a gateway that runs here: attempts under way end with it.
    pub async fn deliver_due(&self, stage: &mut Stage) -> usize {
        Within { handle: self.0.handle().clone(), future: Box::pin(stage.deliver_due()) }.await
    }
}

impl Stage {
    /// Move the gateway to a runtime of its own; it is restarted for it.
    pub async fn set_apart(&mut self) -> Apart {
        self.node.take().expect("a node is running").stop().await;
        self.start_apart().await
    }

    /// Start a gateway on a runtime of its own, after a crash.
    pub async fn start_apart(&mut self) -> Apart {
        assert!(self.node.is_none(), "one node at a time");
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let future = Box::pin(self.world.node_on(&self.listener));
        let node = Within { handle: runtime.handle().clone(), future }.await;
        self.node = Some(node);
        Apart(runtime)
    }

    /// The gateway is gone at once, with whatever it was doing. Its address stays: who calls it waits for the next.
    pub async fn crash(&mut self, apart: Apart) {
        drop(self.node.take().expect("a node is running"));
        apart.end().await;
    }

    /// Start a gateway after a crash, at the same address.
    pub async fn start_again(&mut self) {
        assert!(self.node.is_none(), "one node at a time");
        self.node = Some(self.world.node_on(&self.listener).await);
    }

    /// [`Stage::restart`] of a gateway that runs apart.
    pub async fn restart_apart(&mut self, apart: Apart) -> Apart {
        self.node.take().expect("a node is running").stop().await;
        apart.end().await;
        self.start_apart().await
    }
}

/// Polls a future so that all it starts runs on another runtime.
struct Within<F> {
    handle: Handle,
    future: F,
}

impl<F: Future + Unpin> Future for Within<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let handle = self.handle.clone();
        let _entered = handle.enter();
        pin!(&mut self.future).poll(context)
    }
}
