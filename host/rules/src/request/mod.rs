//! Requests as plain data: the grammar of heads and bodies, and the head that modules read.

mod authority;
mod head;
pub mod http1;
mod http2;
mod pace;
mod refusal;
mod written;

pub use authority::{Authority, Host, parse_authority};
pub use head::{Arrival, DownstreamTls, RequestHead, authority};
pub use http2::check_http2_head;
pub use pace::Pace;
pub use refusal::{AnswerForm, Body, Refusal};
pub use written::{OfflineError, OfflineRequest, WrittenRequest, attempts};
