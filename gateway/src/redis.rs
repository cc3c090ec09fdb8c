//! What the gateways of one installation share through Redis: it holds only what may be lost. A call has a deadline
//! outside the client, whose own does not cover waiting for a connection; after a few calls in vain nobody asks any
//! more, except for one look a second, and everybody goes on with what the node knows by itself.

mod breaker;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{
    Client, FromRedisValue, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisResult,
    TlsCertificates,
};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use self::breaker::{Breaker, Permission};
use crate::config;

/// Commands waiting to be sent; beyond it callers queue before they are written, within the deadline.
const PIPELINE: usize = 1024;
/// The longest between two attempts to connect.
const RECONNECT: Duration = Duration::from_secs(1);
/// A connection over which nothing has been received for so long, not even by the other machine, is given up.
const SILENCE: Duration = Duration::from_secs(10);
/// How long the look that decides whether to ask again may take.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    connection: ConnectionManager,
    prefix: String,
    deadline: Duration,
    breaker: Breaker,
    /// Something may have been announced: a message came, or the connection was lost and with it perhaps one.
    news: Arc<Notify>,
    _subscribing: AbortOnDropHandle<()>,
}

/// Whether a URL is one that [`Redis::open`] can use.
pub fn check_url(url: &str) -> Result<(), &'static str> {
    if !["redis://", "rediss://", "redis+unix://"].iter().any(|start| url.starts_with(start)) {
        return Err("does not start with redis://, rediss:// or redis+unix://");
    }
    if url.contains('#') {
        return Err("has a fragment: a certificate is always checked");
    }
    url.into_connection_info().map(drop).map_err(|_| "is not a URL that can be read")
}

impl Redis {
    /// Connects by itself, now or when the server is there. `None` where no server is configured.
    pub fn open(config: &config::Redis) -> anyhow::Result<Option<Self>> {
        if config.url.is_empty() {
            return Ok(None);
        }
        // The error would repeat the URL, and with it perhaps a password.
        let broken = |_| anyhow::anyhow!("redis.url cannot be used");
        let info = config.url.expose().into_connection_info().map_err(broken)?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let sockets = info.tcp_settings().clone().set_nodelay(true).set_user_timeout(SILENCE);
        let info = info.set_redis_settings(settings).set_tcp_settings(sockets);
        let client = match &config.ca_file {
            None => Client::open(info).map_err(broken)?,
            Some(path) => {
                let said = || format!("redis.ca_file {} cannot be used", path.display());
                let root_cert = Some(std::fs::read(path).with_context(said)?);
                let certificates = TlsCertificates { client_tls: None, root_cert };
                Client::build_with_tls(info, certificates).map_err(|_| anyhow::anyhow!(said()))?
            }
        };
        let news = Arc::new(Notify::new());
        let heard = news.clone();
        let manager = ConnectionManagerConfig::new()
            .set_pipeline_buffer_size(PIPELINE)
            .set_response_timeout(None) // ours is shorter, and a subscription may wait
            .set_max_delay(RECONNECT)
            .set_number_of_retries(usize::MAX)
            .set_automatic_resubscription()
            .set_push_sender(move |push: PushInfo| {
                // A subscription that was renewed also tells that messages may have been missed.
                if matches!(push.kind, PushKind::Message | PushKind::Disconnection | PushKind::Subscribe) {
                    heard.notify_one();
                }
                Ok::<_, std::convert::Infallible>(())
            });
        let connection =
            ConnectionManager::new_lazy_with_config(client, manager).context("preparing for Redis")?;
        let channel = format!("{}:directory", config.prefix);
        let subscribing = tokio::spawn(subscribe(connection.clone(), channel));
        Ok(Some(Self(Arc::new(Inner {
            connection,
            prefix: config.prefix.clone(),
            deadline: config.deadline,
            breaker: Breaker::default(),
            news,
            _subscribing: AbortOnDropHandle::new(subscribing),
        }))))
    }

    /// A key of ours. What belongs to one `tenant` is kept together where Redis is a cluster.
    pub fn key(&self, tenant: &str, rest: &str) -> String {
        format!("{}:{{{tenant}}}:{rest}", self.0.prefix)
    }

    /// What came of `call`, or nothing if Redis does not answer in time or is not asked.
    pub async fn ask<T, F>(&self, call: impl FnOnce(ConnectionManager) -> F) -> Option<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        match self.0.breaker.permission(Instant::now()) {
            Permission::Ask => {}
            Permission::Refrain => return None,
            Permission::RefrainAndLook => {
                tokio::spawn(look(self.clone()));
                return None;
            }
        }
        match tokio::time::timeout(self.0.deadline, call(self.0.connection.clone())).await {
            Ok(Ok(answer)) => {
                self.0.breaker.answered();
                Some(answer)
            }
            Ok(Err(error)) => {
                self.0.breaker.failed(Instant::now(), &error);
                None
            }
            Err(elapsed) => {
                self.0.breaker.failed(Instant::now(), &elapsed);
                None
            }
        }
    }

    /// Whether it is asked at present. Where it is not, a look is due as for any call.
    pub fn is_answering(&self) -> bool {
        match self.0.breaker.permission(Instant::now()) {
            Permission::Ask => true,
            Permission::Refrain => false,
            Permission::RefrainAndLook => {
                tokio::spawn(look(self.clone()));
                false
            }
        }
    }

    /// Tell the other nodes that the directory has changed. They find out anyway, a little later.
    pub async fn announce_directory(&self) {
        let channel = format!("{}:directory", self.0.prefix);
        let announced: Option<i64> = self
            .ask(|mut connection| async move {
                redis::cmd("PUBLISH").arg(channel).arg("changed").query_async(&mut connection).await
            })
            .await;
        tracing::debug!(?announced, "a change of the directory was announced");
    }

    /// Returns when the directory may have changed in another node.
    pub async fn directory_news(&self) {
        self.0.news.notified().await;
    }
}

/// Whether Redis can do again what it is for: a server that only answers, but takes no writes, would not help.
async fn look(redis: Redis) {
    let key = redis.key("-", "look");
    let mut connection = redis.0.connection.clone();
    let mut write = redis::cmd("SET");
    write.arg(key).arg(1).arg("PX").arg(1000);
    match tokio::time::timeout(LOOK, write.query_async::<()>(&mut connection)).await {
        Ok(Ok(())) => redis.0.breaker.recovered(),
        Ok(Err(error)) => tracing::debug!(%error, "Redis does not work yet"),
        Err(_) => {}
    }
}

/// Until it has worked once; then the client renews it by itself.
async fn subscribe(mut connection: ConnectionManager, channel: String) {
    while let Err(error) = connection.subscribe(&channel).await {
        tracing::debug!(%error, "changes of the directory are not announced to this node yet");
        tokio::time::sleep(RECONNECT).await;
    }
}

/// A script, sent by its digest and loaded where the server does not know it.
pub struct Script(redis::Script);

impl Script {
    pub fn new(text: &str) -> Self {
        Self(redis::Script::new(text))
    }

    pub async fn run<T: FromRedisValue>(
        &self,
        connection: &mut ConnectionManager,
        keys: &[&str],
        arguments: &[u64],
    ) -> RedisResult<T> {
        let mut call = self.0.prepare_invoke();
        for key in keys {
            call.key(*key);
        }
        for argument in arguments {
            call.arg(*argument);
        }
        call.invoke_async(connection).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_whether_tls_is_spoken_and_never_that_a_certificate_is_not_checked() {
        for good in ["redis://host", "rediss://user:password@host:6380/1", "redis+unix:///run/redis.sock"] {
            assert_eq!(check_url(good), Ok(()), "{good}");
        }
        assert!(check_url("rediss://host/#insecure").is_err());
        assert!(check_url("valkey://host").is_err());
        assert!(check_url("rediss://ho st").is_err());
    }
}
