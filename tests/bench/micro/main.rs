//! The cost of each step of a request, measured in a loop: caches are warmer here than in a proxy that serves, so these
//! figures show whether a change made a step faster or slower, not what a request costs.
//!
//! `make bench-micro` builds the modules and runs all; `make bench-micro ONLY=decision/fresh` some.

#![forbid(unsafe_code)]

mod around;
mod decision;
mod load;
mod modules;

use criterion::Criterion;

/// As in the proxy.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decision::fresh(&mut criterion);
    decision::new(&mut criterion);
    decision::reused(&mut criterion);
    decision::rotation(&mut criterion);
    decision::cold(&mut criterion);
    decision::cached(&mut criterion);
    decision::cached_among(&mut criterion);
    around::check(&mut criterion);
    around::peer(&mut criterion);
    around::tenants(&mut criterion);
    load::load(&mut criterion);
    load::compile(&mut criterion);
    load::from_cache(&mut criterion);
    criterion.final_summary();
}
