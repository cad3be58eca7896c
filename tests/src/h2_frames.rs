//! An HTTP/2 upstream without TLS at the level of frames (RFC 9113, section 4): it records each frame that it receives.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::upstream::Upstream;

pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A received frame.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The number of the upstream's connection; the first is 1.
    pub connection: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// How requests are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Answered with 200, once this many have arrived in total.
    AnswerAfter(usize),
    /// The very first is not processed (REFUSED_STREAM); all others are answered.
    RefuseFirst,
    /// The first connection processes none (GOAWAY); requests on others are answered.
    GoAwayFirst,
    /// No stream may send a byte of its body, and none is answered.
    NoWindow,
}

/// An upstream that records frames.
pub struct FrameUpstream {
    pub upstream: Upstream,
    frames: Arc<Mutex<Vec<Frame>>>,
}

impl FrameUpstream {
    pub async fn start(behaviour: Behaviour) -> FrameUpstream {
        let frames = Arc::new(Mutex::new(Vec::new()));
        let (requests, _) = watch::channel(0_usize);
        let (recorded, requests) = (frames.clone(), Arc::new(requests));
        let upstream = Upstream::raw(move |stream, number| {
            let mut connection = Connection {
                number,
                behaviour,
                frames: recorded.clone(),
                requests: requests.clone(),
                waiting: Vec::new(),
            };
            // Connections end in many ways in tests, none of which concerns this side.
            async move { drop(connection.serve(stream).await) }
        })
        .await;
        FrameUpstream { upstream, frames }
    }

    /// The received frames of a kind.
    pub fn frames(&self, kind: u8) -> Vec<Frame> {
        self.frames.lock().expect("records").iter().filter(|frame| frame.kind == kind).cloned().collect()
    }

    /// The received requests, as the numbers of their connections.
    pub fn requests(&self) -> Vec<usize> {
        self.frames(HEADERS).iter().map(|frame| frame.connection).collect()
    }
}

struct Connection {
    number: usize,
    behaviour: Behaviour,
    frames: Arc<Mutex<Vec<Frame>>>,
    /// How many have arrived on all connections.
    requests: Arc<watch::Sender<usize>>,
    /// Streams that wait for their response.
    waiting: Vec<u32>,
}

impl Connection {
    async fn serve(&mut self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await?;
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let (mut reader, mut writer) = stream.into_split();
        // A separate task reads frames, because a read that is cancelled halfway would lose its place.
        let (sender, mut arriving) = tokio::sync::mpsc::channel(64);
        let number = self.number;
        tokio::spawn(async move {
            while sender.send(read(&mut reader, number).await?).await.is_ok() {}
            std::io::Result::Ok(())
        });
        const INITIAL_WINDOW_OF_ZERO: [u8; 6] = [0, 4, 0, 0, 0, 0];
        let settings = if self.behaviour == Behaviour::NoWindow { &INITIAL_WINDOW_OF_ZERO[..] } else { &[] };
        writer.write_all(&frame(SETTINGS, 0, 0, settings)).await?;
        let mut total = self.requests.subscribe();
        loop {
            let answer = tokio::select! {
                arrived = arriving.recv() => match arrived {
                    Some(arrived) => self.note(arrived),
                    None => return Ok(()),
                },
                _ = total.changed() => Vec::new(),
            };
            writer.write_all(&answer).await?;
            if !self.waiting.is_empty() && self.may_answer(*total.borrow()) {
                for stream in std::mem::take(&mut self.waiting) {
                    // `:status: 200` from the static table (RFC 7541, appendix A).
                    writer.write_all(&frame(HEADERS, END_STREAM | END_HEADERS, stream, &[0x88])).await?;
                }
            }
        }
    }

    fn may_answer(&self, total: usize) -> bool {
        match self.behaviour {
            Behaviour::AnswerAfter(requests) => total >= requests,
            Behaviour::RefuseFirst | Behaviour::GoAwayFirst => true,
            Behaviour::NoWindow => false,
        }
    }

    /// Records a frame. Returns the frames that have to be sent at once.
    fn note(&mut self, arrived: Frame) -> Vec<u8> {
        self.frames.lock().expect("records").push(arrived.clone());
        let mut answer = Vec::new();
        match (arrived.kind, arrived.flags & ACK) {
            (SETTINGS, 0) => answer = frame(SETTINGS, ACK, 0, &[]),
            (PING, 0) => answer = frame(PING, ACK, 0, &arrived.payload),
            _ => {}
        }
        let ends = [HEADERS, DATA].contains(&arrived.kind) && arrived.flags & END_STREAM != 0;
        if arrived.kind == HEADERS {
            self.requests.send_modify(|total| *total += 1);
            let first = *self.requests.borrow() == 1;
            if self.behaviour == Behaviour::RefuseFirst && first {
                const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];
                return frame(RST_STREAM, 0, arrived.stream, &REFUSED_STREAM);
            }
            if self.behaviour == Behaviour::GoAwayFirst && self.number == 1 {
                // The last stream that was processed: none. No error.
                return frame(GOAWAY, 0, 0, &[0; 8]);
            }
        }
        if ends && !self.is_refused(arrived.stream) {
            self.waiting.push(arrived.stream);
        }
        answer
    }

    fn is_refused(&self, stream: u32) -> bool {
        match self.behaviour {
            Behaviour::AnswerAfter(_) | Behaviour::NoWindow => false,
            Behaviour::RefuseFirst => self.number == 1 && stream == 1,
            Behaviour::GoAwayFirst => self.number == 1,
        }
    }
}

async fn read(reader: &mut (impl AsyncReadExt + Unpin), connection: usize) -> std::io::Result<Frame> {
    let mut head = [0; 9];
    reader.read_exact(&mut head).await?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]).try_into().expect("a length")];
    reader.read_exact(&mut payload).await?;
    Ok(Frame { connection, kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff, payload })
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a length").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}
