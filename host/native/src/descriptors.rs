//! File descriptors that change hands between processes over a Unix socket (`SCM_RIGHTS`).

use std::io::{Error, ErrorKind, IoSlice, IoSliceMut, Result};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};

/// Descriptors that one message can carry: `SCM_MAX_FD` of the kernel.
pub const MOST: usize = 253;

/// Sends descriptors with a text that is not empty, in one message. This process keeps its own.
pub fn send(socket: &UnixStream, text: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<()> {
    let numbers: Vec<RawFd> = descriptors.iter().map(|descriptor| descriptor.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let sent = sendmsg(socket.as_raw_fd(), &[IoSlice::new(text)], &rights, MsgFlags::MSG_NOSIGNAL, None::<&UnixAddr>)?;
    match sent == text.len() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::WriteZero, format!("only {sent} bytes of {} were sent", text.len()))),
    }
}

/// Receives the text of one message, cut off at `longest` bytes, and its descriptors, which are closed when dropped and
/// in any program that this process starts.
pub fn receive(socket: &UnixStream, longest: usize) -> Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut text = vec![0; longest];
    let mut parts = [IoSliceMut::new(&mut text)];
    let mut rights = nix::cmsg_space!([RawFd; MOST]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = loop {
        match recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut parts, Some(&mut rights), flags) {
            Err(Errno::EINTR) => {}
            received => break received?,
        }
    };
    let bytes = message.bytes;
    let mut descriptors = Vec::new();
    for part in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            // SAFETY: The kernel has made these descriptors for this call, and nobody else knows their numbers.
            #[expect(unsafe_code, reason = "`nix` reports received descriptors by their numbers")]
            descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    text.truncate(bytes);
    Ok((text, descriptors))
}

/// Copies of all of this process's descriptors, made one by one.
#[cfg(feature = "testing")]
pub fn of_this_process() -> Result<impl Iterator<Item = OwnedFd>> {
    let numbers =
        std::fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(numbers.filter_map(|number: RawFd| {
        // SAFETY: Borrowed only to be copied at once. If it was closed meanwhile the copy fails, and if the number was
        // reused the copy is of another file.
        #[expect(unsafe_code, reason = "there is no safe way to name a descriptor that another part of a process owns")]
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        borrowed.try_clone_to_owned().ok()
    }))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn received_descriptors_lead_to_the_same_files() {
        let (here, there) = UnixStream::pair().expect("sockets");
        let pairs: Vec<_> = (0..MOST).map(|_| UnixStream::pair().expect("sockets")).collect();
        let descriptors: Vec<_> = pairs.iter().map(|(end, _)| end.as_fd()).collect();
        send(&here, b"some text", &descriptors).expect("sent");
        let (text, received) = receive(&there, 64).expect("received");
        assert_eq!((text.as_slice(), received.len()), (b"some text".as_slice(), MOST));
        for (received, (_, other)) in received.into_iter().zip(&pairs) {
            let mut byte = [0];
            (&mut &*other).write_all(b"x").expect("written");
            UnixStream::from(received).read_exact(&mut byte).expect("read");
            assert_eq!(&byte, b"x");
        }
    }

    #[test]
    fn more_descriptors_than_a_message_can_carry_are_refused() {
        let (here, _there) = UnixStream::pair().expect("sockets");
        let descriptors = vec![here.as_fd(); MOST + 1];
        assert!(send(&here, b"text", &descriptors).is_err());
    }

    #[test]
    fn stream_that_ends_has_no_text_and_no_descriptors() {
        let (here, there) = UnixStream::pair().expect("sockets");
        drop(here);
        let (text, received) = receive(&there, 64).expect("an end");
        assert!(text.is_empty() && received.is_empty());
    }
}
