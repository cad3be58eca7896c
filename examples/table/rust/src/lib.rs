//! Looks the request's host and path up in a table, which is built once, when the module is loaded.

use std::collections::HashMap;

use pointsman_guest::{Decision, Error, Peer, Request, Response, config, router};
use serde::Deserialize;

router!(select_peer, configure => Table);

/// The module's configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Upstream addresses by `host/path/prefix`.
    routes: HashMap<String, String>,
}

/// Upstream addresses by host and the longest prefix of the path, in whole segments.
pub struct Table {
    routes: HashMap<String, String>,
}

/// Makes the table.
pub fn configure() -> Result<Table, Error> {
    let Config { routes } = config::parse()?;
    if routes.is_empty() {
        return Err(Error::new("config: `/routes` is empty"));
    }
    let without_slash = |(from, to): (String, String)| (from.trim_end_matches('/').to_ascii_lowercase(), to);
    Ok(Table { routes: routes.into_iter().map(without_slash).collect() })
}

fn select_peer(request: &Request, table: &Table) -> Decision {
    let mut key = request.authority();
    key.push_str(&request.path());
    loop {
        if let Some(address) = table.routes.get(key.trim_end_matches('/')) {
            return Peer::http(address).into();
        }
        match key.rfind('/') {
            Some(end) => key.truncate(end),
            None => return Response::new(404).text("no such site\n").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use pointsman_guest::testing;

    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<&str>) {
        testing::config(
            r#"{"routes": {"shop.example": "10.0.0.1:80", "shop.example/api/": "10.0.0.2:80", "a.example/x": "10.0.0.3:80"}}"#,
        );
        let table = configure().unwrap();
        let expected = match expected {
            Some(address) => Peer::http(address).into(),
            None => Response::new(404).text("no such site\n").into(),
        };
        assert_eq!(select_peer(&testing::get(url), &table), expected);
    }

    #[test]
    fn the_longest_prefix_in_whole_segments_wins() {
        check("http://shop.example/", Some("10.0.0.1:80"));
        check("http://shop.example/apis", Some("10.0.0.1:80"));
        check("http://shop.example/api", Some("10.0.0.2:80"));
        check("http://shop.example/api/v1/carts?x=/", Some("10.0.0.2:80"));
    }

    #[test]
    fn what_is_not_in_the_table_is_not_found() {
        check("http://a.example/", None);
        check("http://a.example/x/y", Some("10.0.0.3:80"));
        check("http://b.example/", None);
    }

    #[test]
    fn a_table_without_routes_is_refused() {
        testing::config(r#"{"routes": {}}"#);
        assert!(configure().is_err());
    }
}
