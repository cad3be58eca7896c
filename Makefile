# Everything here does its own set-up: it works on a fresh Debian 12 with Rust.

EXAMPLES := fixed canary sticky failover least-loaded quota rewrite table lab

.PHONY: demo lab test test-languages bench bench-micro profiled setup modules

## Build all, start upstreams and the proxy on loopback, show a few routed requests, keep serving (Ctrl-C ends it).
demo: setup modules
	cargo build --locked --workspace --bin pointsman
	examples/demo/run

## Upstreams of every kind, and a proxy that connects as a header says: see docs/peer.md.
lab: setup modules
	cargo build --locked --workspace --bin pointsman
	examples/lab/run

## The proxy, and modules in Rust, C and JavaScript. CI runs this and test-languages.
test: setup modules
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	cargo check --locked --manifest-path tests/fuzz/Cargo.toml --target-dir target
	cargo test --locked --workspace
	cargo build --locked --workspace --bins --tests
	target/debug/conformance --decisions 10000 target/modules/conformance-rust.wasm tests/conformance/oldest/*.wasm
	tests/http/conformance --target pointsman=target/debug/pointsman
	tests/http/h2/conformance --target pointsman=target/debug/pointsman
	tests/languages/run --quick c js
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --no-deps --quiet

## Every language, as its users meet it. Gets the toolchains that are missing into the cache folder.
test-languages: setup modules
	cargo build --locked --workspace --bins --tests
	tests/languages/run
	tests/languages/bindings

## The cost of a request, compared with other proxies and as the site grows: see docs/performance.md. Needs an idle
## machine.
bench: profiled
	guest-sdk/rust/build-guest bench-pick bench-static table
	tests/bench/proxies/compare.py --pointsman target/profiled/pointsman $(COMPARE)
	tests/bench/scale/scale.py --pointsman target/profiled/pointsman $(SCALE)

## The release build, optimised by a profile of itself at work: target/profiled/pointsman. See docs/performance.md.
profiled: target/profiled/pointsman

target/profiled/pointsman: $(shell find host wit Cargo.toml Cargo.lock -type f) | setup
	tests/bench/proxies/setup
	guest-sdk/rust/build-guest bench-pick bench-static
	tests/bench/profiled

## The cost of each step of a request, in a loop; `ONLY=decision/fresh` for some of them. Languages other than Rust are
## measured where `tests/languages/run` has built their modules.
bench-micro: setup modules
	guest-sdk/rust/build-guest bench-micro
	cargo bench --locked -p pointsman-tests --bench micro -- --noplot $(ONLY)

## Debian packages and the Wasm toolchain.
setup:
	.ci/setup host
	.ci/setup guest

## The examples, and the tests' own modules, as Wasm in target/modules/.
modules: setup
	guest-sdk/rust/build-guest $(EXAMPLES) conformance-rust hostile versioned
