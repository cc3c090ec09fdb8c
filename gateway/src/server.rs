//! A running gateway: both listeners, the delivery worker, housekeeping, and stopping in good order.

use std::sync::Arc;

use anyhow::bail;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::app::{App, Opened};
use crate::clock::Clock;
use crate::config::Config;
use crate::console;
use crate::control::Control;
use crate::deliveries::replay::run::Runner;
use crate::directory::versions;
use crate::ledger::Writers;
use crate::lifecycle::{self, Settings};
use crate::orders::reconcile;

pub struct Running {
    pub app: Arc<App>,
    stop: CancellationToken,
    listeners: Vec<JoinHandle<lifecycle::Stopped>>,
    beside: Vec<JoinHandle<()>>,
    writers: Writers,
}

/// Serve on `public` and `ops` until `stop`. The listeners are bound before the store is opened, so that a port in
/// use is told first.
pub async fn start(
    config: Config,
    clock: Clock,
    public: TcpListener,
    ops: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<Running> {
    let own = vec![public.local_addr()?, ops.local_addr()?];
    let Opened { app, worker, writers } = App::open(config, clock, own).await?;
    let control = Control::bind(app.store.path.as_deref())?;
    let settings = Settings::from(&app.config.server);
    let listeners = vec![
        tokio::spawn(lifecycle::serve(public, api::public(&app), settings, stop.clone())),
        tokio::spawn(lifecycle::serve(ops, api::operators(&app), settings, stop.clone())),
    ];
    let mut beside = vec![
        tokio::spawn(worker.run(stop.clone())),
        tokio::spawn(Runner::new(app.clone()).run(stop.clone())),
        tokio::spawn(console::live::follow(app.clone(), stop.clone())),
        tokio::spawn(reconcile::Worker::new(app.clone()).run(stop.clone())),
        tokio::spawn(app.clone().keep_house(stop.clone())),
        tokio::spawn(versions::follow(app.clone(), stop.clone())),
    ];
    beside.extend(control.map(|control| tokio::spawn(control.run(app.clone(), stop.clone()))));
    Ok(Running { app, stop, listeners, beside, writers })
}

impl Running {
    /// Wait for the stop, or for the store to fail; then let everything that was begun come to its end.
    pub async fn finish(self) -> anyhow::Result<()> {
        let failure = tokio::select! {
            () = self.stop.cancelled() => None,
            reason = self.app.ledger.died() => Some(reason),
        };
        self.stop.cancel();
        self.app.live.end();
        for listener in self.listeners {
            if let Ok(lifecycle::Stopped { cut }) = listener.await
                && cut > 0
            {
                tracing::warn!(connections = cut, "connections were cut off: the grace was over");
            }
        }
        self.app.tasks.close();
        self.app.tasks.wait().await;
        for task in self.beside {
            // A task that panicked has said so in the log.
            let _ = task.await;
        }
        // Readers first: SQLite folds its log into the database when the last connection closes, and that has to be
        // one that may write.
        let closed = self.app.store.read.close_by_ref().await;
        closed.unwrap_or_else(|error| tracing::warn!(%error, "the readers could not be closed"));
        self.writers.finish().await;
        match failure {
            Some(reason) => bail!("the store failed and nothing could be acknowledged any more: {reason}"),
            None => Ok(()),
        }
    }
}
