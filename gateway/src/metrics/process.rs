//! What the process uses, under the names that all programs give these numbers.

use std::time::Duration;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::app::App;

pub(super) fn look(app: &App) -> Registry {
    let mut registry = Registry::with_prefix("process");
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let used = Duration::try_from(used).unwrap_or_default();
    registry.register("cpu_seconds", "Processor time used", ConstCounter::new(used.as_secs_f64()));
    let started_at = app.started_at.unix_timestamp();
    gauge(&mut registry, "start_time_seconds", "When the process started", u64::try_from(started_at).ok());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = field(&status, "VmRSS").map(|kilobytes| kilobytes * 1024);
    gauge(&mut registry, "resident_memory_bytes", "Memory in use", memory);
    gauge(&mut registry, "threads", "Threads", field(&status, "Threads"));
    let open = std::fs::read_dir("/proc/self/fd").ok().and_then(|open| u64::try_from(open.count()).ok());
    gauge(&mut registry, "open_fds", "Files and connections that are open", open);
    gauge(&mut registry, "max_fds", "How many may be", getrlimit(Resource::Nofile).current);
    registry
}

/// What a system does not tell is left out.
fn gauge(registry: &mut Registry, name: &str, help: &str, value: Option<u64>) {
    if let Some(value) = value {
        registry.register(name, help, ConstGauge::new(value));
    }
}

/// A number of `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "VmRSSx:\t1 kB\nVmRSS:\t  5120 kB\nThreads:\t7\n";
        assert_eq!(field(status, "VmRSS"), Some(5120));
        assert_eq!(field(status, "Threads"), Some(7));
        assert_eq!(field(status, "Vm"), None);
    }
}
