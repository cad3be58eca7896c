//! A response from the module itself.

use crate::{Header, Response};

/// ```
/// use pointsman_guest::Response;
///
/// let response = Response::new(503).header("retry-after", "30").text("Back in half a minute.\n");
/// ```
impl Response {
    /// A response without headers and body. The status is 200 to 599.
    pub fn new(status: u16) -> Response {
        Response { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Response {
        self.headers.push(Header::new(name, value));
        self
    }

    /// Sets the body. Its type is for [`header`](Response::header) to say.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Response {
        self.body = body.into();
        self
    }

    /// Sets a body of plain text.
    pub fn text(self, text: impl Into<String>) -> Response {
        self.header("content-type", "text/plain; charset=utf-8").body(text.into())
    }

    /// Sets a body of JSON, which is sent unchanged.
    pub fn json(self, json: impl Into<String>) -> Response {
        self.header("content-type", "application/json").body(json.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_set_their_type() {
        let text = Response::new(404).text("no such page");
        assert_eq!(text.headers, [Header::new("content-type", "text/plain; charset=utf-8")]);
        assert_eq!(text.body, b"no such page");

        let json = Response::new(200).json("{}");
        assert_eq!(json.headers, [Header::new("content-type", "application/json")]);
        assert_eq!(json.body, b"{}");
    }

    #[test]
    fn headers_keep_their_order() {
        let response = Response::new(204).header("b", "1").header("a", "2").header("b", "3");
        assert_eq!(response.headers, [Header::new("b", "1"), Header::new("a", "2"), Header::new("b", "3")]);
    }
}
