//! CPU time and memory of a server and the processes it started, from /proc.

use std::fs;

/// Kernel ticks per second; fixed by the Linux ABI for /proc.
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of CPU that the process and its descendants have used.
pub fn cpu_seconds(pid: u32) -> f64 {
    family(pid).into_iter().map(own_cpu_seconds).sum()
}

/// Peak resident memory in KiB, summed over the process and its descendants.
pub fn peak_memory_kib(pid: u32) -> u64 {
    family(pid)
        .into_iter()
        .filter_map(|pid| status_kib(pid, "VmHWM:"))
        .sum()
}

fn own_cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The command name may contain spaces; fields count from after its closing parenthesis.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |index: usize| {
        fields
            .get(index)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or_default()
    };
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

fn status_kib(pid: u32, key: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

fn family(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(&pid) = found.get(at) {
        at += 1;
        for task in fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
        }
    }
    found
}
