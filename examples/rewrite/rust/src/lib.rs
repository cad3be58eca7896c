//! The upstream sees another path, another host and other headers than the client sent.

use pointsman_guest::{Decision, Error, Peer, Request, Route, config, router};

router!(select_peer);

fn select_peer(request: &Request) -> Result<Decision, Error> {
    let prefix = config::text("/prefix")?;
    let Some(path) = below(&prefix, &request.path()) else {
        return Ok(Decision::Pass);
    };
    let target = match request.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let route = Route::to(Peer::http(config::text("/upstream")?))
        .path_and_query(target)
        .authority(config::text("/host")?)
        .set_header("x-forwarded-host", request.authority())
        .set_header("x-forwarded-prefix", prefix)
        .remove_header("x-debug");
    Ok(route.into())
}

/// The path below a prefix: `/cart` for `/shop` and `/shop/cart`. None if it is elsewhere, as `/shopping` is.
fn below(prefix: &str, path: &str) -> Option<String> {
    match path.strip_prefix(prefix)? {
        "" => Some("/".to_owned()),
        rest if rest.starts_with('/') => Some(rest.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use pointsman_guest::{Header, testing};

    use super::*;

    fn decide(url: &str) -> Decision {
        testing::config(r#"{"upstream": "127.0.0.1:9101", "prefix": "/shop", "host": "shop.internal"}"#);
        select_peer(&testing::get(url)).unwrap()
    }

    fn route(url: &str) -> Route {
        match decide(url) {
            Decision::Connect(route) => route,
            other => panic!("no route but {other:?}"),
        }
    }

    #[track_caller]
    fn target(url: &str, expected: &str) {
        assert_eq!(route(url).rewrite.path_and_query.as_deref(), Some(expected));
    }

    #[test]
    fn the_prefix_is_taken_off() {
        target("http://www.example/shop/cart?x=1", "/cart?x=1");
        target("http://www.example/shop/", "/");
        target("http://www.example/shop?x=1", "/?x=1");
        target("http://www.example/shop/caf%C3%A9", "/caf%C3%A9");
    }

    #[test]
    fn other_paths_are_left_to_the_next_module() {
        assert_eq!(decide("http://www.example/"), Decision::Pass);
        assert_eq!(decide("http://www.example/shopping"), Decision::Pass);
    }

    #[test]
    fn the_upstream_sees_its_own_host_and_where_the_request_came_from() {
        let rewrite = route("http://www.example:8080/shop/").rewrite;
        assert_eq!(rewrite.authority.as_deref(), Some("shop.internal"));
        let expected =
            [Header::new("x-forwarded-host", "www.example:8080"), Header::new("x-forwarded-prefix", "/shop")];
        assert_eq!(rewrite.set_headers, expected);
        assert_eq!(rewrite.remove_headers, ["x-debug"]);
    }
}
