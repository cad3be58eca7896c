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
#[macro_export]
macro_rules! router {
    ($select_peer:path) => {
        const _: () = {
            struct Router;

            impl $crate::__private::Guest for Router {
                fn select_peer(
                    request: &$crate::__private::HostRequest,
                ) -> ::core::result::Result<$crate::Decision, ::std::string::String> {
                    $crate::Answer::into_answer($select_peer(&$crate::Request::from(request)))
                }
            }

            #[cfg(target_family = "wasm")]
    $crate::__private::export!(Router with_types_in $crate::__private);

            // Natively there is no host to export to, and two routers in one test program would clash. This stands for
            // the export, so that the function is not called unused.
            #[cfg(not(target_family = "wasm"))]
            #[used]
            static ROUTER: fn(
                &$crate::__private::HostRequest,
            ) -> ::core::result::Result<$crate::Decision, ::std::string::String> =
                <Router as $crate::__private::Guest>::select_peer;
        };
    };
}

#[doc(hidden)]
pub mod private {
    pub use crate::bindings::*;
    pub use crate::bindings::{Request as HostRequest, export};
}
