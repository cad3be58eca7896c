//! Host bindings, generated from `wit/0.1`.

wasmtime::component::bindgen!({
    path: "../../wit/0.1",
    world: "router",
    with: {
        "pointsman:router/request.request": crate::abi::v0_1::Subject,
    },
    imports: { default: trappable },
    ownership: Owning,
});
