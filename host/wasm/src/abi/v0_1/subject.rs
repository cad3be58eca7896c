//! The resource `request`.

/// The request behind a handle. A store serves one request only, so the handle carries nothing: all of it is in
/// `State`.
pub struct Subject;
