//! What the operating system says of memory. Where it says nothing (not Linux), nothing is limited.

use std::fs;
use std::path::Path;

/// Bytes that this process could take without pushing others out: what the system has available, or what a
/// control group (a container, a systemd unit) leaves.
pub fn available() -> Option<u64> {
    let system = field(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:");
    [system, control_group()].into_iter().flatten().min()
}

/// Bytes of address space that this process may still take (RLIMIT_AS), if that is limited.
pub fn address_space_left() -> Option<u64> {
    let limit = address_space_limit()?;
    let taken = fs::read_to_string("/proc/self/status").ok();
    let taken = taken.and_then(|status| field(&status, "VmSize:"))?;
    Some(limit.saturating_sub(taken))
}

/// Bytes of address space that this process may have in all (RLIMIT_AS), if that is limited.
#[cfg(unix)]
pub fn address_space_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::As).current
}

#[cfg(not(unix))]
pub fn address_space_limit() -> Option<u64> {
    None
}

/// What the control group leaves: its limit less what it has, but for the pages of files, which it can give
/// up.
fn control_group() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let folders = own.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        // Version 2 has one tree, version 1 one per controller. In a container the group is the root.
        let (root, limit, used, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current", "file"),
            "memory" => (
                "/sys/fs/cgroup/memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_cache",
            ),
            _ => return None,
        };
        let own = Path::new(root).join(path.trim_start_matches('/'));
        [own.as_path(), Path::new(root)].into_iter().find_map(|folder| {
            let read = |name| fs::read_to_string(folder.join(name)).ok();
            let limit: u64 = read(limit)?.trim().parse().ok()?;
            let used: u64 = read(used)?.trim().parse().ok()?;
            let files = read("memory.stat").and_then(|stat| word(&stat, file)).unwrap_or(0);
            Some(limit.saturating_sub(used.saturating_sub(files)))
        })
    });
    folders.min()
}

/// The field's value in bytes, which these files give in kB.
fn field(text: &str, name: &str) -> Option<u64> {
    word(text, name)?.checked_mul(1024)
}

/// The number behind `name` at the start of a line.
fn word(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next()? == name).then(|| words.next()?.parse().ok())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "MemFree:  12 kB\nMemAvailable:   1024 kB\nfile 77\n";
        assert_eq!(field(text, "MemAvailable:"), Some(1 << 20));
        assert_eq!(
            (word(text, "file"), word(text, "fil"), word(text, "Mem")),
            (Some(77), None, None)
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linux_says_how_much_there_is() {
        assert!(available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
