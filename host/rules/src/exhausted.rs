//! Resources that this process or this machine has run out of. A failure with such a cause is reported as the proxy's
//! own, not as the upstream's, the client's or the module's.

use std::error::Error;
use std::{fmt, io};

use rustix::io::Errno;

/// A resource of the proxy itself that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// `RLIMIT_NOFILE`.
    Descriptors,
    /// File descriptors of all processes on the machine together.
    SystemDescriptors,
    Memory,
    SocketBuffers,
}

impl Exhausted {
    /// Reads the kernel's error code.
    pub fn of(error: &io::Error) -> Option<Exhausted> {
        error.raw_os_error().and_then(|code| Exhausted::of_errno(Errno::from_raw_os_error(code)))
    }

    /// Looks through an error's chain of causes.
    pub fn of_any<'a>(causes: impl IntoIterator<Item = &'a (dyn Error + 'static)>) -> Option<Exhausted> {
        causes.into_iter().find_map(|cause| match (cause.downcast_ref(), cause.downcast_ref()) {
            (Some(error), _) => Exhausted::of(error),
            (None, Some(errno)) => Exhausted::of_errno(*errno),
            (None, None) => None,
        })
    }

    /// A short word for logs and metrics.
    pub fn label(self) -> &'static str {
        match self {
            Exhausted::Descriptors | Exhausted::SystemDescriptors => "no-descriptors",
            Exhausted::Memory | Exhausted::SocketBuffers => "no-memory",
        }
    }

    fn of_errno(errno: Errno) -> Option<Exhausted> {
        match errno {
            Errno::MFILE => Some(Exhausted::Descriptors),
            Errno::NFILE => Some(Exhausted::SystemDescriptors),
            Errno::NOMEM => Some(Exhausted::Memory),
            Errno::NOBUFS => Some(Exhausted::SocketBuffers),
            _ => None,
        }
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Exhausted::Descriptors => "this proxy has no file descriptors left; raise its limit (`ulimit -n`)",
            Exhausted::SystemDescriptors => "this machine has no file descriptors left; raise `fs.file-max`",
            Exhausted::Memory => {
                "the kernel has no memory for this proxy: too little is free, or it has too many mappings \
                 (`vm.max_map_count`)"
            }
            Exhausted::SocketBuffers => "the kernel has no memory for this proxy's sockets",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn exhausted_resource_is_read_from_the_kernels_error() {
        for (errno, expected) in [
            (Errno::MFILE, Some(Exhausted::Descriptors)),
            (Errno::NFILE, Some(Exhausted::SystemDescriptors)),
            (Errno::NOMEM, Some(Exhausted::Memory)),
            (Errno::NOBUFS, Some(Exhausted::SocketBuffers)),
            (Errno::CONNREFUSED, None),
        ] {
            assert_eq!(Exhausted::of(&errno.into()), expected);
            let alone: [&(dyn Error + 'static); 1] = [&errno];
            assert_eq!(Exhausted::of_any(alone), expected);
            let outer = Outer(errno.into());
            let chain: [&(dyn Error + 'static); 2] = [&outer, &outer.0];
            assert_eq!(Exhausted::of_any(chain), expected);
        }
        assert_eq!(Exhausted::of(&io::Error::other("other")), None);
    }
}
