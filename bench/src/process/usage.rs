//! What a server has used so far, from `/proc`: processor time and peak memory of a process and all below it.

use std::collections::HashMap;
use std::fs;

/// One process's line in `/proc/<pid>/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// Its own ticks, and those of the children it has waited for.
    ticks: u64,
}

/// Seconds of processor time that `root` and its descendants have used, ended ones included: a parent that waits
/// for its child takes over the child's time.
pub fn cpu_seconds(root: u32) -> f64 {
    let stats = stats();
    seconds(family(root, &stats).iter().filter_map(|pid| stats.get(pid)).map(|stat| stat.ticks).sum())
}

/// The bench's own. Servers it has ended and waited for would be in it, but none ends while it measures.
pub fn own_cpu_seconds() -> f64 {
    std::fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|line| parse(&line))
        .map_or(0.0, |stat| seconds(stat.ticks))
}

#[expect(clippy::cast_precision_loss, reason = "ticks stay far below 2^52")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// The sum of the peaks (`VmHWM`) of `root` and its descendants, in bytes.
pub fn peak_memory(root: u32) -> u64 {
    sum(root, "VmHWM:")
}

/// The memory (`VmRSS`) that `root` and its descendants have now, in bytes.
pub fn memory(root: u32) -> u64 {
    sum(root, "VmRSS:")
}

fn sum(root: u32, name: &str) -> u64 {
    family(root, &stats())
        .iter()
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok())
        .filter_map(|status| bytes(&status, name))
        .sum()
}

fn stats() -> HashMap<u32, Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return HashMap::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            // A process may end between the listing and the reading.
            Some((pid, parse(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
        })
        .collect()
}

/// `root` and everything below it.
fn family(root: u32, stats: &HashMap<u32, Stat>) -> Vec<u32> {
    let mut family = vec![root];
    let mut at = 0;
    while at < family.len() {
        let parent = family[at];
        family.extend(stats.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    family
}

/// A program's name may hold blanks and parentheses; the last parenthesis ends it.
fn parse(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    // Counted from the state, which is field 3 of proc(5): parent 4; utime, stime, cutime, cstime 14 to 17.
    let ticks = (11..=14).map(|index| fields.get(index)?.parse::<u64>().ok()).sum::<Option<u64>>()?;
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks })
}

fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_a_confusing_name_is_read_right() {
        let line = "7 (nginx: (x) 1) S 3 7 7 0 -1 4194560 10 20 0 0 100 20 3 4 20 0 1 0 55 1000 200 184467";
        assert_eq!(parse(line), Some(Stat { parent: 3, ticks: 127 }));
        assert_eq!(parse("7 (short) S 3"), None);
    }

    #[test]
    fn a_family_is_all_below_the_root_and_nothing_beside_it() {
        let stat = |parent| Stat { parent, ticks: 1 };
        let stats = HashMap::from([(2, stat(1)), (3, stat(2)), (4, stat(3)), (5, stat(1)), (6, stat(5))]);
        let mut family = family(2, &stats);
        family.sort_unstable();
        assert_eq!(family, [2, 3, 4]);
    }

    #[test]
    fn our_own_memory_is_found() {
        let status = "Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 1 kB\n";
        assert_eq!((bytes(status, "VmHWM:"), bytes(status, "VmRSS:")), (Some(1234 * 1024), Some(1024)));
        let own = std::process::id();
        assert!(peak_memory(own) >= memory(own) && memory(own) > 0);
    }
}
