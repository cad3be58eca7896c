//! The contract with modules: a submodule for each version of the WIT package, with the generated bindings, the host's
//! implementation of the interfaces, and the conversions to the contract's plain types. A call goes through the version
//! that the module was built for.

mod canonical_abi;
pub mod v0_1;

pub(crate) use canonical_abi::Layout;
