//! How well events reach endpoints and merchants, of which a few have series of their own.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use sea_orm::DbErr;

use super::PREFIX;
use crate::app::App;
use crate::deliveries::service::{self, Named};

/// Labels whose values are ids; their number is bounded by `deliveries.named_in_metrics`.
type Gauges<const N: usize> = Family<[(&'static str, String); N], Gauge>;

pub(super) async fn look(app: &App) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    if let Err(error) = tell(app, &mut registry).await {
        tracing::warn!(%error, "how endpoints are served could not be looked up");
    }
    registry
}

async fn tell(app: &App, registry: &mut Registry) -> Result<(), DbErr> {
    let most = app.config.deliveries.named_in_metrics;
    if most == 0 {
        return Ok(());
    }
    Series::of("endpoint", &service::endpoints_by_name(app, most).await?).register(app, registry);
    Series::of("merchant", &service::merchants_by_name(app, most).await?).register(app, registry);
    Ok(())
}

struct Series<'a> {
    whose: &'static str,
    named: &'a [Named],
}

impl<'a> Series<'a> {
    fn of(whose: &'static str, named: &'a [Named]) -> Self {
        Self { whose, named }
    }

    fn register(&self, app: &App, registry: &mut Registry) {
        let (attempts, backlog, age, exhausted) =
            (Gauges::default(), Gauges::default(), Gauges::default(), Gauges::default());
        let told = Gauges::<2>::default();
        for Named { name, service } in self.named {
            let of = |outcome: &str| [(self.whose, name.clone()), ("outcome", outcome.to_owned())];
            let failed = service.attempts - service.acknowledged;
            attempts.get_or_create(&of("acknowledged")).set(whole(service.acknowledged));
            attempts.get_or_create(&of("failed")).set(whole(failed));
            let percentiles = [("0.5", service.p50_ms), ("0.95", service.p95_ms), ("0.99", service.p99_ms)];
            for (quantile, ms) in percentiles {
                if let Some(ms) = ms {
                    let labels = [(self.whose, name.clone()), ("quantile", quantile.to_owned())];
                    told.get_or_create(&labels).set(whole(ms));
                }
            }
            if name == service::OTHER {
                continue;
            }
            let label = [(self.whose, name.clone())];
            let since = service.oldest_at.map_or(0, |at| (app.clock.now_ms() - at.ms()).max(0) / 1000);
            backlog.get_or_create(&label).set(whole(service.backlog));
            age.get_or_create(&label).set(since);
            exhausted.get_or_create(&label).set(whole(service.exhausted));
        }
        let named = |what: &str| format!("{}_{what}", self.whose);
        registry.register(named("attempts_last_hour"), "Attempts of the last hour, this node's", attempts);
        let help = "From the promise to the acknowledgement in the last hour, this node's, in milliseconds";
        registry.register(named("acknowledgement_milliseconds"), help, told);
        registry.register(named("backlog"), "Deliveries not acknowledged yet, counted up to 10,000", backlog);
        registry.register(named("oldest_open_seconds"), "For how long the oldest was promised", age);
        let help = "Deliveries given up and not sent again since, counted up to 10,000";
        registry.register(named("exhausted"), help, exhausted);
    }
}

fn whole(count: u64) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
