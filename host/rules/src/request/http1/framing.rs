//! Finds the end of an HTTP/1 request's body, so that no byte of the next request is read with it.

use crate::request::http1::chunked::Chunked;
use crate::request::http1::grammar::Framing;
use crate::request::refusal::Refusal;

/// Tracks the progress of one body.
#[derive(Debug)]
pub enum Framer {
    /// Remaining bytes.
    Length(u64),
    Chunked(Chunked),
}

/// The result of reading some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    /// Bytes from the front that belong to the body.
    pub consumed: usize,
    /// Bytes at the front that are forwarded.
    pub kept: usize,
}

impl Framer {
    pub fn new(framing: Framing) -> Framer {
        match framing {
            Framing::None => Framer::Length(0),
            Framing::Length(length) => Framer::Length(length),
            Framing::Chunked => Framer::Chunked(Chunked::new()),
        }
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        match self {
            Framer::Length(left) => *left == 0,
            Framer::Chunked(chunked) => chunked.is_done(),
        }
    }

    /// Reads bytes as they arrive, and moves those to forward to the front of `bytes`.
    pub fn advance(&mut self, bytes: &mut [u8]) -> Result<Advance, Refusal> {
        match self {
            Framer::Length(left) => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left = left.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX));
                Ok(Advance { consumed: take, kept: take })
            }
            Framer::Chunked(chunked) => {
                let (consumed, kept) = chunked.advance(bytes)?;
                Ok(Advance { consumed, kept })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_of_a_length_ends_there() {
        let mut framer = Framer::new(Framing::Length(5));
        assert_eq!(framer.advance(&mut b"hel".to_vec()), Ok(Advance { consumed: 3, kept: 3 }));
        assert!(!framer.is_done());
        assert_eq!(framer.advance(&mut b"loGET".to_vec()), Ok(Advance { consumed: 2, kept: 2 }));
        assert!(framer.is_done());
        assert!(Framer::new(Framing::None).is_done() && !Framer::new(Framing::Chunked).is_done());
    }
}
