//! The export: from a function to a module.

/// Makes a module of a function: it is what the host calls.
///
/// The function takes a [`&Request`](crate::Request) and returns an [`Answer`](crate::Answer). A crate has one router.
///
/// ```
/// use pointsman_guest::{Peer, Request, router};
///
/// router!(select_peer);
///
/// fn select_peer(_request: &Request) -> Peer {
///     Peer::http("127.0.0.1:9101")
/// }
/// ```
///
/// A module that makes something of its configuration does so once, when it is loaded, and every decision starts with
/// the result. Name a function that makes it, and its type:
///
/// ```
/// use std::collections::HashMap;
///
/// use pointsman_guest::{Error, Peer, Request, config, router};
///
/// router!(select_peer, configure => Table);
///
/// type Table = HashMap<String, String>;
///
/// fn configure() -> Result<Table, Error> {
///     config::parse()
/// }
///
/// fn select_peer(request: &Request, table: &Table) -> Result<Peer, Error> {
///     let address = table.get(&request.authority()).ok_or(Error::new("no such site"))?;
///     Ok(Peer::http(address))
/// }
/// ```
#[macro_export]
// The names of what it makes begin with `__`: the paths that it is given are resolved beside them.
macro_rules! router {
    ($select_peer:path, $configure:path => $state:ty) => {
        const _: () = {
            static __POINTSMAN_STATE: ::std::sync::OnceLock<$state> = ::std::sync::OnceLock::new();

            fn __pointsman_with_state(
                request: &$crate::Request,
            ) -> ::core::result::Result<$crate::Decision, ::std::string::String> {
                match __POINTSMAN_STATE.get() {
                    Some(state) => $crate::Answer::into_answer($select_peer(request, state)),
                    None => Err(::std::string::String::from("`configure` was not called")),
                }
            }

            struct __PointsmanConfigured;

            impl $crate::__private::ConfiguredGuest for __PointsmanConfigured {
                fn configure(_config: ::std::string::String) -> ::core::result::Result<(), ::std::string::String> {
                    $crate::__private::log_panics();
                    let state: $state = $configure().map_err(|error| ::std::string::ToString::to_string(&error))?;
                    __POINTSMAN_STATE
                        .set(state)
                        .map_err(|_| ::std::string::String::from("`configure` was called before"))
                }
            }

            #[cfg(target_family = "wasm")]
    $crate::__private::export_configure!(__PointsmanConfigured with_types_in $crate::__private::configured);

            // Natively nothing calls it; see below.
            #[cfg(not(target_family = "wasm"))]
            #[used]
            static __POINTSMAN_CONFIGURE: fn(
                ::std::string::String,
            ) -> ::core::result::Result<(), ::std::string::String> =
                <__PointsmanConfigured as $crate::__private::ConfiguredGuest>::configure;

            $crate::router!(__pointsman_with_state);
        };
    };
    ($select_peer:path) => {
        const _: () = {
            struct __PointsmanRouter;

            impl $crate::__private::Guest for __PointsmanRouter {
                fn select_peer(
                    request: &$crate::__private::HostRequest,
                ) -> ::core::result::Result<$crate::Decision, ::std::string::String> {
                    $crate::__private::log_panics();
                    $crate::Answer::into_answer($select_peer(&$crate::Request::from(request)))
                }
            }

            #[cfg(target_family = "wasm")]
    $crate::__private::export!(__PointsmanRouter with_types_in $crate::__private);

            // Natively there is no host to export to, and two routers in one test program would clash. This stands for
            // the export, so that the function is not called unused.
            #[cfg(not(target_family = "wasm"))]
            #[used]
            static __POINTSMAN_ROUTER: fn(
                &$crate::__private::HostRequest,
            ) -> ::core::result::Result<$crate::Decision, ::std::string::String> =
                <__PointsmanRouter as $crate::__private::Guest>::select_peer;
        };
    };
}

#[doc(hidden)]
pub mod private {
    pub use crate::bindings::configured::Guest as ConfiguredGuest;
    pub use crate::bindings::configured::export_configure;
    pub use crate::bindings::*;
    pub use crate::bindings::{Request as HostRequest, export};
    pub use crate::panic::log_panics;
}
