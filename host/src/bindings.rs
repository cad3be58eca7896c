//! Host bindings, generated from `wit/0.1`.

wasmtime::component::bindgen!({
    path: "../wit/0.1",
    world: "router",
    with: {
        "pointsman:router/request.request": crate::call::Subject,
    },
    imports: { default: trappable },
    additional_derives: [Eq, Hash, PartialEq, serde::Serialize],
    ownership: Owning,
});
