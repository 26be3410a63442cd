//! The users of this machine, as this process sees them.

use std::fs;

/// The user ID that the kernel shows for every user without one in this process's user namespace, root of the machine
/// among them; `None` outside of user namespaces, where it is that of an ordinary user.
pub fn overflow() -> Option<u32> {
    let map = fs::read_to_string("/proc/self/uid_map").ok()?;
    if map.split_whitespace().eq(IDENTITY) {
        return None;
    }
    fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?.trim().parse().ok()
}

/// The map of user IDs outside of user namespaces: from 0, to 0, so many.
const IDENTITY: [&str; 3] = ["0", "0", "4294967295"];
