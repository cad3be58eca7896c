//! What wit-bindgen makes of `wit/0.1`: types, imports, and the macro that exports a router.
//!
//! The rest of the crate adds methods to these types; it never copies them. So what a module fills in is the record
//! that the host gets, and its documentation is the contract's.

#![allow(missing_docs, reason = "generated; the WIT leaves a field without words where its type says all")]

wit_bindgen::generate!({
    path: "wit",
    world: "router",
    pub_export_macro: true,
    additional_derives: [PartialEq, Eq],
});

/// The optional export: a world of its own, so that a module without it does not have to export it.
pub mod configured {
    wit_bindgen::generate!({
        path: "wit",
        world: "configured",
        pub_export_macro: true,
        export_macro_name: "export_configure",
    });
}
