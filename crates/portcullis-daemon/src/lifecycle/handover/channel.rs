//! Text and descriptors over a private Unix stream: the text with its length before it, the descriptors in batches that the
//! kernel takes whole, each checked to have arrived whole.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Descriptors in one message; the kernel refuses more than 253 (`SCM_MAX_FD`).
const BATCH: usize = 128;
/// The longest text that is read.
const MOST_TEXT: u64 = 64 << 20;
/// The most descriptors that are read.
const MOST_SOCKETS: u64 = 1 << 20;

/// Sends both.
pub(super) fn send(
    mut channel: &UnixStream,
    text: &[u8],
    sockets: &[BorrowedFd<'_>],
) -> io::Result<()> {
    channel.write_all(&(text.len() as u64).to_be_bytes())?;
    channel.write_all(&(sockets.len() as u64).to_be_bytes())?;
    channel.write_all(text)?;
    for batch in sockets.chunks(BATCH) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(batch)) {
            return Err(io::Error::other("too many descriptors for one message"));
        }
        sendmsg(
            channel,
            &[IoSlice::new(b"+")],
            &mut control,
            SendFlags::NOSIGNAL,
        )?;
    }
    Ok(())
}

/// Receives what [`send`] sent, or fails.
pub(super) fn receive(mut channel: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut number = || {
        let mut bytes = [0; 8];
        channel
            .read_exact(&mut bytes)
            .map(|()| u64::from_be_bytes(bytes))
    };
    let (length, count) = (number()?, number()?);
    if length > MOST_TEXT || count > MOST_SOCKETS {
        return Err(io::Error::other(
            "more is announced than anybody hands over",
        ));
    }
    let mut text = Vec::new();
    channel.take(length).read_to_end(&mut text)?;
    if text.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut sockets = Vec::new();
    while (sockets.len() as u64) < count {
        batch(channel, &mut sockets)?;
    }
    if sockets.len() as u64 == count {
        Ok((text, sockets))
    } else {
        Err(io::Error::other("more sockets came than were announced"))
    }
}

fn batch(channel: &UnixStream, sockets: &mut Vec<OwnedFd>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = recvmsg(
        channel,
        &mut [IoSliceMut::new(&mut byte)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let before = sockets.len();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            sockets.extend(descriptors);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::other(
            "descriptors were lost: the limit on open files is too low",
        ));
    }
    if received.bytes == 0 || sockets.len() == before {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn any_number_of_descriptors_arrives_whole() {
        let file = File::open("/dev/null").unwrap();
        for count in [0, 1, BATCH, BATCH + 1, 3 * BATCH + 7] {
            let (near, far) = UnixStream::pair().unwrap();
            let all = vec![file.as_fd(); count];
            let text = vec![b'x'; 1 << 20];
            let sent = text.clone();
            let (arrived, sockets) = std::thread::scope(|scope| {
                scope.spawn(|| send(&near, &sent, &all).unwrap());
                receive(&far).unwrap()
            });
            assert_eq!((arrived.len(), sockets.len()), (text.len(), count));
        }
    }

    #[test]
    fn half_a_parcel_is_none() {
        let (near, far) = UnixStream::pair().unwrap();
        (&near).write_all(&[0, 0, 0, 0, 0, 0, 0, 9]).unwrap();
        (&near).write_all(&[0, 0, 0, 0, 0, 0, 0, 1]).unwrap();
        (&near).write_all(b"half").unwrap();
        drop(near);
        assert!(receive(&far).is_err());
        let (near, far) = UnixStream::pair().unwrap();
        (&near).write_all(&[0xff; 16]).unwrap();
        assert!(
            receive(&far).is_err(),
            "nothing is allocated for a wild number"
        );
    }
}
