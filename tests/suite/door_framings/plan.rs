//! The plan of an exchange: how its request is framed and how it ends, and the same for its response.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Http10,
    Http11,
    /// All requests are sent before a response is read.
    Pipelined,
    /// All requests are sent, and the sending direction is closed.
    HalfClosed,
    /// All requests are streams of one connection.
    Http2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBody {
    None,
    /// With a `content-length`.
    Sized,
    /// Chunked, or without a length over HTTP/2.
    Unsized,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestEnd {
    Whole,
    /// With trailers, if the framing has them.
    Trailers,
    /// The last DATA frame is empty. Over HTTP/1 the same as `Whole`.
    EmptyFrame,
    /// The client closes the connection, or resets the stream, halfway.
    Aborted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseBody {
    Sized,
    Chunked,
    UntilClose,
    NoContent,
    NotModified,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseEnd {
    Whole,
    /// With `connection: close`.
    Close,
    /// A second response follows, which no request asked for.
    Surplus,
    /// The connection ends halfway.
    Cut,
}

#[derive(Debug, Clone)]
pub struct Exchange {
    pub method: &'static str,
    pub request: RequestBody,
    /// Chunks or DATA frames, in bytes.
    pub pieces: Vec<usize>,
    pub request_end: RequestEnd,
    /// How many `103 Early Hints` precede it.
    pub interims: usize,
    /// The response is sent before the request's body is read.
    pub early: bool,
    pub response: ResponseBody,
    /// Of the response's body, in bytes.
    pub size: usize,
    pub response_end: ResponseEnd,
}

impl Exchange {
    pub fn request_bytes(&self) -> usize {
        if self.request == RequestBody::None { 0 } else { self.pieces.iter().sum() }
    }

    pub fn is_aborted(&self) -> bool {
        self.request_end == RequestEnd::Aborted
    }

    pub fn status(&self) -> u16 {
        match self.response {
            ResponseBody::NoContent => 204,
            ResponseBody::NotModified => 304,
            ResponseBody::Sized | ResponseBody::Chunked | ResponseBody::UntilClose => 200,
        }
    }

    pub fn response_has_body(&self) -> bool {
        self.method != "HEAD" && self.status() == 200
    }

    pub fn response_bytes(&self) -> usize {
        if self.response_has_body() { self.size } else { 0 }
    }

    /// Whether the client can see that the response is incomplete.
    pub fn is_cut(&self) -> bool {
        self.response_end == ResponseEnd::Cut && self.response_has_body() && self.response != ResponseBody::UntilClose
    }
}

/// The exchanges of one client on one connection, one after the other.
#[derive(Debug, Clone)]
pub struct Conversation {
    pub protocol: Protocol,
    pub exchanges: Vec<Exchange>,
}

pub fn conversations() -> impl Strategy<Value = Vec<Conversation>> {
    vec(conversation(), 1..6)
}

fn conversation() -> impl Strategy<Value = Conversation> {
    use Protocol::*;
    (select(vec![Http10, Http11, Pipelined, HalfClosed, Http2, Http2]), vec(exchange(), 1..5))
        .prop_map(|(protocol, exchanges)| Conversation { protocol, exchanges })
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let request = (
        select(vec!["GET", "POST", "POST", "HEAD"]),
        select(vec![RequestBody::None, RequestBody::Sized, RequestBody::Unsized]),
        vec(prop_oneof![4 => 0_usize..40, 1 => 1_000_usize..20_000], 0..4),
        prop_oneof![
            4 => Just(RequestEnd::Whole),
            1 => Just(RequestEnd::Trailers),
            2 => Just(RequestEnd::EmptyFrame),
            1 => Just(RequestEnd::Aborted),
        ],
    );
    let response = (
        0_usize..3,
        prop::bool::weighted(0.2),
        prop_oneof![
            3 => Just(ResponseBody::Sized),
            3 => Just(ResponseBody::Chunked),
            1 => Just(ResponseBody::UntilClose),
            1 => Just(ResponseBody::NoContent),
            1 => Just(ResponseBody::NotModified),
        ],
        prop_oneof![4 => 1_usize..40, 1 => 1_000_usize..80_000],
        prop_oneof![
            5 => Just(ResponseEnd::Whole),
            1 => Just(ResponseEnd::Close),
            1 => Just(ResponseEnd::Surplus),
            1 => Just(ResponseEnd::Cut),
        ],
    );
    (request, response).prop_map(|(request, response)| {
        let (method, request, pieces, request_end) = request;
        let (interims, early, response, size, response_end) = response;
        Exchange { method, request, pieces, request_end, interims, early, response, size, response_end }
    })
}

/// The exchanges in progress, for the upstream to look up.
#[derive(Default, Clone)]
pub struct Plans(Arc<Mutex<HashMap<usize, Exchange>>>);

impl Plans {
    /// Returns the exchange's number.
    pub fn add(&self, exchange: &Exchange) -> usize {
        let mut plans = self.0.lock().expect("plans");
        let number = plans.len();
        plans.insert(number, exchange.clone());
        number
    }

    pub fn get(&self, number: usize) -> Option<Exchange> {
        self.0.lock().expect("plans").get(&number).cloned()
    }
}

/// The bytes of an exchange's bodies.
pub fn content(number: usize, bytes: usize) -> Vec<u8> {
    format!("<{number}>").into_bytes().into_iter().cycle().take(bytes).collect()
}
