//! Denies a function by its type: returns an error if the type has one, otherwise an empty value (`none`, an empty
//! list), so that a toolchain's runtime handles the denial in its own way. A function whose type has neither traps.

use wasmtime::StoreContextMut;
use wasmtime::component::types::{Case, ComponentFunc, Type};
use wasmtime::component::{LinkerInstance, Val};

use crate::state::State;

/// Error cases that fit, best first: `wasi:filesystem` and `wasi:sockets` name them differently.
const ERRORS: [&str; 5] = ["access", "access-denied", "not-permitted", "not-supported", "closed"];

/// Most parts of a returned value. WASI's own have at most 12.
const MOST_PARTS: usize = 64;

/// A module called a function that can only be denied by a trap.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not offered to modules")]
struct NotOffered(String);

/// Defines a function that is denied.
pub fn add(
    linked: &mut LinkerInstance<'_, State>,
    full_name: &str,
    name: &str,
    ty: &ComponentFunc,
) -> wasmtime::Result<()> {
    let full_name = full_name.to_owned();
    let mut parts = MOST_PARTS;
    // None: it has no result.
    let answer = ty.results().next().map(|result| denial(&result, &mut parts));
    linked.func_new(name, move |mut store, _, parameters, results| {
        store.data_mut().count_call()?;
        parameters.iter().try_for_each(|parameter| let_go(&mut store, parameter))?;
        match (&answer, results.first_mut()) {
            (Some(Some(answer)), Some(result)) => result.clone_from(answer),
            (None, None) => {}
            _ => return Err(NotOffered(full_name.clone()).into()),
        }
        Ok(())
    })
}

/// Drops the handles in a parameter: a borrowed one must be returned before the function ends, and an owned one is the
/// function's to drop.
fn let_go(store: &mut StoreContextMut<'_, State>, value: &Val) -> wasmtime::Result<()> {
    match value {
        Val::Resource(resource) => resource.resource_drop(store),
        Val::List(values) | Val::Tuple(values) => values.iter().try_for_each(|value| let_go(store, value)),
        Val::Record(fields) => fields.iter().try_for_each(|(_, value)| let_go(store, value)),
        Val::Option(Some(value)) | Val::Variant(_, Some(value)) => let_go(store, value),
        Val::Result(Ok(Some(value)) | Err(Some(value))) => let_go(store, value),
        _ => Ok(()),
    }
}

/// The value of this type that denies. `parts` is how many it may still have: types can be nested to any size.
fn denial(ty: &Type, parts: &mut usize) -> Option<Val> {
    *parts = parts.checked_sub(1)?;
    match ty {
        Type::Result(result) => Some(Val::Result(Err(match result.err() {
            Some(error) => Some(Box::new(refusal(&error, parts)?)),
            None => None,
        }))),
        Type::Option(_) => Some(Val::Option(None)),
        Type::List(_) => Some(Val::List(Vec::new())),
        Type::String => Some(Val::String(String::new())),
        Type::Bool => Some(Val::Bool(false)),
        Type::U8 => Some(Val::U8(0)),
        Type::S8 => Some(Val::S8(0)),
        Type::U16 => Some(Val::U16(0)),
        Type::S16 => Some(Val::S16(0)),
        Type::U32 => Some(Val::U32(0)),
        Type::S32 => Some(Val::S32(0)),
        Type::U64 => Some(Val::U64(0)),
        Type::S64 => Some(Val::S64(0)),
        Type::Record(record) => record
            .fields()
            .map(|field| Some((field.name.to_owned(), denial(&field.ty, parts)?)))
            .collect::<Option<_>>()
            .map(Val::Record),
        Type::Tuple(tuple) => tuple.types().map(|ty| denial(&ty, parts)).collect::<Option<_>>().map(Val::Tuple),
        Type::Flags(_) => Some(Val::Flags(Vec::new())),
        // Resources, and types that WASI 0.2 does not use.
        _ => None,
    }
}

/// The error of this type that fits best.
fn refusal(ty: &Type, parts: &mut usize) -> Option<Val> {
    match ty {
        Type::Enum(cases) => {
            let named = |name: &&str| cases.names().any(|case| case == *name);
            let name = ERRORS.iter().copied().find(named).or_else(|| cases.names().next())?;
            Some(Val::Enum(name.to_owned()))
        }
        Type::Variant(variant) => {
            let bare = |case: &Case<'_>| case.ty.is_none();
            let named = |name: &&str| variant.cases().any(|case| case.name == *name && bare(&case));
            let name = ERRORS.iter().copied().find(named);
            let name = name.or_else(|| variant.cases().find(bare).map(|case| case.name))?;
            Some(Val::Variant(name.to_owned(), None))
        }
        other => denial(other, parts),
    }
}
