//! The values that a router may return.

use crate::{Decision, Peer, Response, Route};

/// What a router may return: a [`Peer`], a [`Route`], a [`Response`] or a [`Decision`], or a `Result` with one of them
/// and an error that has a text.
///
/// The text of an error goes to the access log, never to the client.
pub trait Answer {
    /// The answer as the host takes it.
    fn into_answer(self) -> Result<Decision, String>;
}

impl<D: Into<Decision>, E: ToString> Answer for Result<D, E> {
    fn into_answer(self) -> Result<Decision, String> {
        self.map(D::into).map_err(|error| error.to_string())
    }
}

impl Answer for Decision {
    fn into_answer(self) -> Result<Decision, String> {
        Ok(self)
    }
}

impl Answer for Peer {
    fn into_answer(self) -> Result<Decision, String> {
        Ok(self.into())
    }
}

impl Answer for Route {
    fn into_answer(self) -> Result<Decision, String> {
        Ok(self.into())
    }
}

impl Answer for Response {
    fn into_answer(self) -> Result<Decision, String> {
        Ok(self.into())
    }
}

impl From<Peer> for Decision {
    fn from(peer: Peer) -> Decision {
        Decision::Connect(peer.into())
    }
}

impl From<Route> for Decision {
    fn from(route: Route) -> Decision {
        Decision::Connect(route)
    }
}

impl From<Response> for Decision {
    fn from(response: Response) -> Decision {
        Decision::Respond(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn a_peer_is_an_answer() {
        let peer = Peer::http("127.0.0.1:9101");
        assert_eq!(peer.clone().into_answer(), Ok(Decision::Connect(Route::to(peer))));
    }

    #[test]
    fn a_result_is_an_answer() {
        let refused: Result<Peer, Error> = Err(Error::new("no such shop"));
        assert_eq!(refused.into_answer(), Err("no such shop".to_owned()));

        let response: Result<Response, &str> = Ok(Response::new(404));
        assert_eq!(response.into_answer(), Ok(Decision::Respond(Response::new(404))));
    }
}
