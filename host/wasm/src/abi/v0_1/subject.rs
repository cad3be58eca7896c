//! The resource `request`.

/// The request behind a handle. A store is about one request only, so the handle carries nothing: `State` has it all.
pub struct Subject;
