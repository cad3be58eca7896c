//! The local ports that this system lets a connection choose from.

use std::sync::LazyLock;

/// First and last port of the system's range, of which `bind-to.port-range` takes a part: the kernel does not look
/// beyond it. None: this kernel can't restrict a connection to a part of it (before Linux 6.3).
pub fn system() -> Option<(u16, u16)> {
    static RANGE: LazyLock<Option<(u16, u16)>> = LazyLock::new(|| {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/{name}")).ok();
        range(&read("kernel/osrelease")?, &read("net/ipv4/ip_local_port_range")?)
    });
    *RANGE
}

fn range(release: &str, ports: &str) -> Option<(u16, u16)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit()).map(str::parse::<u32>);
    let version = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let mut ends = ports.split_whitespace().map(str::parse);
    let (first, last) = (ends.next()?.ok()?, ends.next()?.ok()?);
    (version >= (6, 3)).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_port_range_is_read_where_the_kernel_supports_it() {
        assert_eq!(range("6.18.44-fc\n", "32768\t60999\n"), Some((32_768, 60_999)));
        assert_eq!(range("6.3-rc1\n", "1024 65535\n"), Some((1024, 65_535)));
        assert_eq!(range("6.2.16\n", "32768\t60999\n"), None);
        assert_eq!(range("5.10.0-28-amd64\n", "32768\t60999\n"), None);
        assert_eq!(range("", ""), None);
    }
}
