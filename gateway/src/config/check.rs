//! What values are sensible, and which go together. Everything that is wrong is reported, except what follows from
//! a setting already reported.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use humantime_serde::re::humantime::format_duration;
use url::{Host, Url};

use super::{Config, LONGEST_FRESHNESS, Origin, Problem, SHORTEST_FRESHNESS, values};
use crate::directory::access::Mode;

/// The callback URLs put "/callback/notify/" and a token of up to 80 characters behind it and may have 200.
const PUBLIC_URL_MAX: usize = 100;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const TIB: u64 = 1 << 40;

pub fn check(config: &Config, serving: bool, problems: &mut Vec<Problem>) {
    let reported = problems.iter().map(|problem| problem.path.clone()).collect();
    let mut checker = Checker { config, reported, problems };
    checker.server();
    checker.public_url(serving);
    checker.store();
    checker.secrets();
    checker.upstream();
    checker.signed_and_orders();
    checker.reconcile();
    checker.limits_and_redis();
    checker.outgoing();
    checker.deliveries();
    checker.retention();
    checker.log();
    checker.relations();
}

struct Checker<'a> {
    config: &'a Config,
    /// Settings with a problem: what they are compared with would only repeat it.
    reported: BTreeSet<String>,
    problems: &'a mut Vec<Problem>,
}

impl Checker<'_> {
    fn server(&mut self) {
        let server = &self.config.server;
        self.within("server.max_connections", server.max_connections, 1, 1_000_000);
        self.lasts("server.header_timeout", server.header_timeout, MILLISECOND, HOUR);
        self.lasts("server.body_timeout", server.body_timeout, MILLISECOND, HOUR);
        self.lasts("server.request_timeout", server.request_timeout, MILLISECOND, HOUR);
        self.lasts("server.idle_timeout", server.idle_timeout, MILLISECOND, DAY);
        self.lasts("server.shutdown_grace", server.shutdown_grace, MILLISECOND, HOUR);
        self.weighs("server.max_body", server.max_body as u64, 4 * KIB, 16 * MIB);
        self.require(
            server.bare_platform.is_empty() || is_slug(&server.bare_platform),
            "server.bare_platform",
            "is not a platform's slug",
            "Use 1 to 40 lower-case letters, digits and hyphens, or leave it empty",
        );
        let (one, other) = (server.listen, server.ops_listen);
        let same_host = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
        self.require(
            one.port() != other.port() || one.port() == 0 || !same_host,
            "server.ops_listen",
            "is the same address as server.listen",
            "Give each listener a port of its own",
        );
    }

    fn public_url(&mut self, serving: bool) {
        let path = "server.public_url";
        let Some(url) = &self.config.server.public_url else {
            self.require(
                !serving,
                path,
                "is not set",
                "Set it to the https:// address under which ScanForPay and payers' browsers reach this gateway",
            );
            return;
        };
        self.web_url(path, url);
        self.require(
            self.config.server.public_base().len() <= PUBLIC_URL_MAX,
            path,
            format!("has more than {PUBLIC_URL_MAX} characters"),
            "ScanForPay takes callback URLs of at most 200 characters: use a shorter one",
        );
    }

    /// A base URL to put paths behind.
    fn web_url(&mut self, path: &str, url: &Url) {
        self.require(
            url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)),
            path,
            "is not an https URL",
            "Use https; only a loopback address may use http",
        );
        self.require(
            url.username().is_empty() && url.password().is_none(),
            path,
            "holds a user name or password",
            "Leave them out",
        );
        self.require(
            url.query().is_none() && url.fragment().is_none(),
            path,
            "has a part after ? or #",
            "End it with the host or a path",
        );
    }

    fn store(&mut self) {
        let store = &self.config.store;
        self.within("store.readers", store.readers, 1, 64);
        self.within("store.writers", store.writers, 1, 64);
        self.within("store.max_batch", store.max_batch, 1, crate::ledger::MAX_BATCH);
        self.within("store.queue", store.queue, 1, 1_000_000);
        self.weighs("store.min_free_disk", store.min_free_disk, 0, 1024 * TIB);
        self.weighs("store.stop_free_disk", store.stop_free_disk, 0, 1024 * TIB);
    }

    fn secrets(&mut self) {
        let secrets = &self.config.secrets;
        self.require(
            !secrets.master_key.is_empty() || secrets.master_key_file.is_some(),
            "secrets.master_key_file",
            "is empty, and so is secrets.master_key",
            "Set one of the two",
        );
    }

    /// Keys and answers that are kept for repeats name audit entries of the last day.
    fn retention(&mut self) {
        let kept = &self.config.retention;
        let kinds = [
            ("retention.journal_bytes", kept.journal_bytes),
            ("retention.attempt_excerpts", kept.attempt_excerpts),
            ("retention.audit_log", kept.audit_log),
        ];
        for (path, time) in kinds.into_iter().filter(|(_, time)| !time.is_zero()) {
            self.lasts(path, time, crate::retention::SHORTEST, crate::retention::LONGEST);
        }
    }

    fn upstream(&mut self) {
        let upstream = &self.config.upstream;
        let (path, sandboxes) = ("upstream.allowed_base_urls", "upstream.sandbox_base_urls");
        let is_none = upstream.allowed_base_urls.is_empty() && upstream.sandbox_base_urls.is_empty();
        self.require(!is_none, path, "is empty", "Name at least one base URL, here or as a sandbox");
        for url in &upstream.allowed_base_urls {
            self.web_url(path, url);
        }
        for url in &upstream.sandbox_base_urls {
            self.web_url(sandboxes, url);
            let is_live = upstream.mode_of(url) == Some(Mode::Live);
            self.require(!is_live, sandboxes, "names a URL of upstream.allowed_base_urls", "Name it once");
        }
        self.lasts("upstream.timeout", upstream.timeout, MILLISECOND, 10 * MINUTE);
        self.lasts("upstream.query_timeout", upstream.query_timeout, MILLISECOND, 10 * MINUTE);
        self.lasts("upstream.answer_grace", upstream.answer_grace, MILLISECOND, 10 * MINUTE);
        self.weighs("upstream.max_response", upstream.max_response as u64, KIB, 16 * MIB);
    }

    fn reconcile(&mut self) {
        let reconcile = &self.config.reconcile;
        self.within("reconcile.concurrency", reconcile.concurrency, 1, 10_000);
        self.lasts("reconcile.unknown_for", reconcile.unknown_for, HOUR, 30 * DAY);
        self.lasts("reconcile.watch_for", reconcile.watch_for, HOUR, 30 * DAY);
        self.lasts("reconcile.notice_grace", reconcile.notice_grace, SECOND, DAY);
        self.lasts("reconcile.probe_interval", reconcile.probe_interval, SECOND, DAY);
    }

    fn signed_and_orders(&mut self) {
        let (signed, orders) = (&self.config.signed, &self.config.orders);
        self.lasts("signed.freshness", signed.freshness, SHORTEST_FRESHNESS, LONGEST_FRESHNESS);
        let windows = [
            ("orders.pay_window_qrcode", orders.pay_window_qrcode),
            ("orders.pay_window_online", orders.pay_window_online),
            ("orders.pay_window_jspay", orders.pay_window_jspay),
            ("orders.pay_window_barcode", orders.pay_window_barcode),
        ];
        for (path, window) in windows {
            self.lasts(path, window, MINUTE, 15 * DAY);
        }
        self.lasts("orders.query_min_interval", orders.query_min_interval, Duration::ZERO, HOUR);
        self.lasts("orders.return_query_timeout", orders.return_query_timeout, MILLISECOND, MINUTE);
        self.lasts("orders.return_query_interval", orders.return_query_interval, Duration::ZERO, HOUR);
        self.lasts("orders.refund_wait", orders.refund_wait, Duration::from_secs(1), MINUTE);
    }

    fn limits_and_redis(&mut self) {
        let (limits, redis) = (&self.config.limits, &self.config.redis);
        self.within("limits.nodes", limits.nodes.get(), 1, 1000);
        let problem = match redis.url.expose() {
            "" => None,
            url => crate::redis::check_url(url).err(),
        };
        let remedy =
            "Write it like redis://user:password@host:6379/0, rediss://… with TLS, or leave it empty";
        self.require(problem.is_none(), "redis.url", problem.unwrap_or_default(), remedy);
        self.require(
            redis.ca_file.is_none() || redis.url.expose().starts_with("rediss://"),
            "redis.ca_file",
            "is of no use: redis.url does not start with rediss://",
            "Write rediss:// there, or leave this empty",
        );
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.');
        self.require(
            (1..=40).contains(&redis.prefix.len()) && redis.prefix.chars().all(is_plain),
            "redis.prefix",
            "is not a prefix for keys",
            "Use 1 to 40 letters, digits and - _ : .",
        );
        self.lasts("redis.deadline", redis.deadline, MILLISECOND, 10 * SECOND);
    }

    fn outgoing(&mut self) {
        let outgoing = &self.config.outgoing;
        let problem = match outgoing.proxy.expose() {
            "" => None,
            url => crate::outgoing::check_proxy(url).err(),
        };
        let remedy = "Write it like http://user:password@proxy.example:3128, or leave it empty";
        self.require(problem.is_none(), "outgoing.proxy", problem.unwrap_or_default(), remedy);
        let is_one = |ip: IpAddr| !ip.is_unspecified() && !ip.is_multicast();
        self.require(
            outgoing.local_address.is_none_or(is_one),
            "outgoing.local_address",
            "is not the address of one machine",
            "Write one that this machine has, or leave it empty",
        );
    }

    fn deliveries(&mut self) {
        let deliveries = &self.config.deliveries;
        let path = "deliveries.schedule";
        self.require(
            (1..=100).contains(&deliveries.schedule.len()),
            path,
            format!("has {} entries", deliveries.schedule.len()),
            "Give it between 1 and 100",
        );
        for wait in &deliveries.schedule {
            self.lasts(path, *wait, MILLISECOND, 30 * DAY);
        }
        self.require(
            (0.0..=0.5).contains(&deliveries.jitter),
            "deliveries.jitter",
            format!("is {}", deliveries.jitter),
            "Choose a share between 0 and 0.5",
        );
        self.lasts("deliveries.timeout", deliveries.timeout, MILLISECOND, 10 * MINUTE);
        self.lasts("deliveries.lease", deliveries.lease, MILLISECOND, HOUR);
        self.lasts("deliveries.idle_poll", deliveries.idle_poll, 10 * MILLISECOND, HOUR);
        self.weighs("deliveries.max_body", deliveries.max_body as u64, 64, MIB);
        self.within("deliveries.max_in_flight", deliveries.max_in_flight, 1, 100_000);
        let each = deliveries.max_in_flight_per_endpoint;
        self.within("deliveries.max_in_flight_per_endpoint", each, 1, 100_000);
        self.within("deliveries.claim_batch", deliveries.claim_batch, 1, 10_000);
        self.within("deliveries.replay_rate", deliveries.replay_rate, 1, 1_000);
        self.within("deliveries.replay_ahead", deliveries.replay_ahead, 1, 100_000);
        self.within("deliveries.named_in_metrics", deliveries.named_in_metrics, 0, 1_000);
        self.within("deliveries.rate_per_endpoint", deliveries.rate_per_endpoint, 1, 100_000);
        self.within("deliveries.breaker_failures", deliveries.breaker_failures, 1, 1_000);
        self.lasts("deliveries.breaker_pause", deliveries.breaker_pause, MILLISECOND, HOUR);
        self.lasts("deliveries.breaker_longest_pause", deliveries.breaker_longest_pause, MILLISECOND, DAY);
        self.lasts("deliveries.longest_retry_after", deliveries.longest_retry_after, MILLISECOND, DAY);
        self.lasts("deliveries.disable_after", deliveries.disable_after, MINUTE, 365 * DAY);
    }

    fn log(&mut self) {
        if let Err(reason) = crate::telemetry::filter(&self.config.log.level) {
            self.require(
                false,
                "log.level",
                reason,
                "Use error, warn, info, debug or trace, or \"info,gateway::deliveries=debug\"",
            );
        }
    }

    fn relations(&mut self) {
        let Config { server, store, upstream, orders, deliveries, .. } = self.config;
        let [request, body, grace] = [server.request_timeout, server.body_timeout, server.shutdown_grace];
        let answer = upstream.timeout.saturating_add(upstream.answer_grace);

        let needed = answer.saturating_add(body);
        self.together(
            needed <= request,
            &["server.request_timeout", "upstream.timeout", "upstream.answer_grace", "server.body_timeout"],
            format!(
                "server.request_timeout ({}) is shorter than server.body_timeout, upstream.timeout and \
                 upstream.answer_grace together ({}): a client would be cut off while its order may still be placed",
                format_duration(request),
                format_duration(needed)
            ),
        );
        let needed = body.saturating_add(upstream.query_timeout);
        self.together(
            needed < request,
            &["upstream.query_timeout", "server.request_timeout", "server.body_timeout"],
            format!(
                "server.request_timeout ({}) is not longer than server.body_timeout and upstream.query_timeout \
                 together ({}): a client would be cut off before its query is answered",
                format_duration(request),
                format_duration(needed)
            ),
        );
        self.together(
            answer <= grace,
            &["server.shutdown_grace", "upstream.timeout", "upstream.answer_grace"],
            format!(
                "server.shutdown_grace ({}) is shorter than upstream.timeout and upstream.answer_grace together \
                 ({}): a stop would lose answers of ScanForPay",
                format_duration(grace),
                format_duration(answer)
            ),
        );
        self.together(
            deliveries.timeout <= grace,
            &["server.shutdown_grace", "deliveries.timeout"],
            format!(
                "server.shutdown_grace ({}) is shorter than deliveries.timeout ({}): a stop would cut deliveries off",
                format_duration(grace),
                format_duration(deliveries.timeout)
            ),
        );
        self.together(
            orders.return_query_timeout <= upstream.query_timeout,
            &["orders.return_query_timeout", "upstream.query_timeout"],
            format!(
                "orders.return_query_timeout ({}) is longer than upstream.query_timeout ({}), which ends it",
                format_duration(orders.return_query_timeout),
                format_duration(upstream.query_timeout)
            ),
        );
        self.together(
            deliveries.timeout < deliveries.lease,
            &["deliveries.timeout", "deliveries.lease"],
            format!(
                "deliveries.timeout ({}) is not shorter than deliveries.lease ({}): another node would send the \
                 same delivery while this one still waits",
                format_duration(deliveries.timeout),
                format_duration(deliveries.lease)
            ),
        );
        self.together(
            deliveries.max_in_flight_per_endpoint <= deliveries.max_in_flight,
            &["deliveries.max_in_flight_per_endpoint", "deliveries.max_in_flight"],
            format!(
                "deliveries.max_in_flight_per_endpoint ({}) is more than deliveries.max_in_flight ({})",
                deliveries.max_in_flight_per_endpoint, deliveries.max_in_flight
            ),
        );
        self.together(
            deliveries.breaker_pause <= deliveries.breaker_longest_pause,
            &["deliveries.breaker_longest_pause", "deliveries.breaker_pause"],
            format!(
                "deliveries.breaker_pause ({}) is more than deliveries.breaker_longest_pause ({})",
                format_duration(deliveries.breaker_pause),
                format_duration(deliveries.breaker_longest_pause)
            ),
        );
        self.together(
            store.max_batch <= store.queue,
            &["store.queue", "store.max_batch"],
            format!(
                "store.max_batch ({}) is more than store.queue ({}): no batch could ever be filled",
                store.max_batch, store.queue
            ),
        );
        self.together(
            store.stop_free_disk <= store.min_free_disk,
            &["store.stop_free_disk", "store.min_free_disk"],
            format!(
                "store.stop_free_disk ({}) is more than store.min_free_disk ({}): new orders must stop before the \
                 rest does",
                values::size::shown(store.stop_free_disk),
                values::size::shown(store.min_free_disk)
            ),
        );
    }

    fn require(&mut self, holds: bool, path: &str, what: impl Into<String>, remedy: impl Into<String>) {
        if holds || self.reported.contains(path) {
            return;
        }
        let origin = self.config.origins.get(path).cloned().unwrap_or(Origin::Default);
        let (what, remedy) = (what.into(), remedy.into());
        self.problems.push(Problem { path: path.to_owned(), origin, what, remedy });
        self.reported.insert(path.to_owned());
    }

    /// A relation of several settings; reported under the first of them that somebody set.
    fn together(&mut self, holds: bool, paths: &[&str], what: String) {
        if holds || paths.iter().any(|path| self.reported.contains(*path)) {
            return;
        }
        let set = paths.iter().find(|path| self.config.origins.contains_key(**path)).or(paths.first());
        let path = set.map_or_else(String::new, ToString::to_string);
        let origin = self.config.origins.get(&path).cloned().unwrap_or(Origin::Default);
        self.problems.push(Problem { path, origin, what, remedy: "Change one of them".to_owned() });
    }

    fn within<T: Copy + PartialOrd + Display>(&mut self, path: &str, value: T, least: T, most: T) {
        let holds = least <= value && value <= most;
        self.require(holds, path, format!("is {value}"), format!("Choose between {least} and {most}"));
    }

    fn lasts(&mut self, path: &str, value: Duration, least: Duration, most: Duration) {
        let holds = least <= value && value <= most;
        let [value, least, most] = [value, least, most].map(format_duration);
        self.require(holds, path, format!("is {value}"), format!("Choose between {least} and {most}"));
    }

    fn weighs(&mut self, path: &str, value: u64, least: u64, most: u64) {
        let holds = least <= value && value <= most;
        let [value, least, most] = [value, least, most].map(values::size::shown);
        self.require(holds, path, format!("is {value}"), format!("Choose between {least} and {most}"));
    }
}

fn is_slug(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.len() <= 40 && text.chars().all(plain) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}
