//! Reads an answer where the module left it, as bytes that distinguish it from any other. These bytes are compared,
//! never interpreted: only Wasmtime turns a module's answer into a `contract::Decision`.

use arrayvec::ArrayVec;
use wasmtime::component::Type;

/// The bytes of an answer. Two answers have the same key only if they are equal; an answer whose key would be longer
/// has none.
pub type AnswerKey = ArrayVec<u8, 1024>;

/// How values of a type lie in linear memory, by the component model's canonical ABI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    bytes: usize,
    align: usize,
    parts: Vec<Part>,
}

/// A part of a value, and its offset in the value in bytes. Padding belongs to no part.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Bytes that are the value itself.
    Plain { at: usize, bytes: usize },
    /// A list or a string: the address of its elements, and their number.
    List { at: usize, element: Layout },
    /// A discriminant of one byte, and the payload of each case.
    Case { at: usize, payloads: Vec<Vec<Part>> },
}

/// There is no key: it would be too long, or the bytes in memory are not a valid answer.
#[derive(Debug, PartialEq, Eq)]
pub struct NoAnswerKey;

impl Layout {
    /// None: a type that does not occur in answers.
    pub fn of(ty: &Type) -> Option<Layout> {
        match ty {
            Type::Bool | Type::S8 | Type::U8 => Some(Layout::plain(1)),
            Type::S16 | Type::U16 => Some(Layout::plain(2)),
            Type::S32 | Type::U32 => Some(Layout::plain(4)),
            Type::S64 | Type::U64 => Some(Layout::plain(8)),
            // A case that does not exist gives a key that is never known.
            Type::Enum(cases) if cases.names().len() <= 256 => Some(Layout::plain(1)),
            Type::Flags(flags) if flags.names().len() <= 8 => Some(Layout::plain(1)),
            Type::String => Some(Layout::list(Layout::plain(1))),
            Type::List(list) => Some(Layout::list(Layout::of(&list.ty())?)),
            Type::Record(record) => Layout::fields(record.fields().map(|field| field.ty)),
            Type::Tuple(tuple) => Layout::fields(tuple.types()),
            Type::Variant(variant) => Layout::cases(variant.cases().map(|case| case.ty)),
            Type::Option(option) => Layout::cases([None, Some(option.ty())].into_iter()),
            Type::Result(result) => Layout::cases([result.ok(), result.err()].into_iter()),
            _ => None,
        }
    }

    fn nothing() -> Layout {
        Layout { bytes: 0, align: 1, parts: Vec::new() }
    }

    fn plain(bytes: usize) -> Layout {
        Layout { bytes, align: bytes, parts: vec![Part::Plain { at: 0, bytes }] }
    }

    fn list(element: Layout) -> Layout {
        Layout { bytes: 8, align: 4, parts: vec![Part::List { at: 0, element }] }
    }

    fn fields(types: impl Iterator<Item = Type>) -> Option<Layout> {
        let mut record = Layout::nothing();
        for ty in types {
            let field = Layout::of(&ty)?;
            let at = record.bytes.next_multiple_of(field.align);
            record.parts.extend(moved(field.parts, at));
            record.bytes = at.saturating_add(field.bytes);
            record.align = record.align.max(field.align);
        }
        record.bytes = record.bytes.next_multiple_of(record.align);
        // A list of elements without bytes could be of any length.
        (record.bytes > 0).then_some(record)
    }

    fn cases(types: impl Iterator<Item = Option<Type>>) -> Option<Layout> {
        let payload = |ty: Option<Type>| ty.map_or(Some(Layout::nothing()), |ty| Layout::of(&ty));
        let payloads: Vec<Layout> = types.map(payload).collect::<Option<_>>()?;
        if payloads.len() > 256 {
            return None;
        }
        let most = |of: fn(&Layout) -> usize| payloads.iter().map(of).max();
        let align = most(|payload| payload.align)?;
        // The payload follows the discriminant.
        let bytes = align.saturating_add(most(|payload| payload.bytes)?).next_multiple_of(align);
        let payloads = payloads.into_iter().map(|payload| moved(payload.parts, align)).collect();
        Some(Layout { bytes, align, parts: vec![Part::Case { at: 0, payloads }] })
    }

    /// Appends the value at `start` in a memory to a key.
    pub fn read(&self, memory: &[u8], start: usize, record: &mut AnswerKey) -> Result<(), NoAnswerKey> {
        let value = bytes_at(memory, start, self.bytes)?;
        if !start.is_multiple_of(self.align) {
            return Err(NoAnswerKey);
        }
        read(&self.parts, value, memory, record)
    }

    fn read_list(&self, first: usize, count: usize, memory: &[u8], record: &mut AnswerKey) -> Result<(), NoAnswerKey> {
        let all = bytes_at(memory, first, count.saturating_mul(self.bytes))?;
        if !first.is_multiple_of(self.align) {
            return Err(NoAnswerKey);
        }
        match self.parts.as_slice() {
            [Part::Plain { at: 0, bytes }] if *bytes == self.bytes => append(record, all),
            // Each element adds bytes, so this ends when the key is full.
            parts => all.chunks_exact(self.bytes).try_for_each(|value| read(parts, value, memory, record)),
        }
    }
}

/// Appends the parts of a value to a key.
fn read(parts: &[Part], value: &[u8], memory: &[u8], record: &mut AnswerKey) -> Result<(), NoAnswerKey> {
    for part in parts {
        match part {
            // Copies of a constant size are inlined.
            Part::Plain { at, bytes: 1 } => append(record, array_at::<1>(value, *at)?)?,
            Part::Plain { at, bytes: 4 } => append(record, array_at::<4>(value, *at)?)?,
            Part::Plain { at, bytes } => append(record, bytes_at(value, *at, *bytes)?)?,
            Part::List { at, element } => {
                let first = number(array_at(value, *at)?)?;
                let count = array_at::<4>(value, at.saturating_add(4))?;
                append(record, count)?;
                element.read_list(first, number(count)?, memory, record)?;
            }
            Part::Case { at, payloads } => {
                let case = array_at::<1>(value, *at)?;
                append(record, case)?;
                let [case] = *case;
                read(payloads.get(usize::from(case)).ok_or(NoAnswerKey)?, value, memory, record)?;
            }
        }
    }
    Ok(())
}

/// The same parts, `by` bytes further on.
fn moved(parts: Vec<Part>, by: usize) -> Vec<Part> {
    let moved = |part| match part {
        Part::Plain { at, bytes } => Part::Plain { at: at.saturating_add(by), bytes },
        Part::List { at, element } => Part::List { at: at.saturating_add(by), element },
        Part::Case { at, payloads } => {
            let payloads = payloads.into_iter().map(|parts| self::moved(parts, by)).collect();
            Part::Case { at: at.saturating_add(by), payloads }
        }
    };
    parts.into_iter().map(moved).collect()
}

fn bytes_at(from: &[u8], start: usize, bytes: usize) -> Result<&[u8], NoAnswerKey> {
    from.get(start..start.saturating_add(bytes)).ok_or(NoAnswerKey)
}

fn array_at<const N: usize>(from: &[u8], start: usize) -> Result<&[u8; N], NoAnswerKey> {
    from.get(start..).and_then(|rest| rest.first_chunk()).ok_or(NoAnswerKey)
}

fn number(bytes: &[u8; 4]) -> Result<usize, NoAnswerKey> {
    usize::try_from(u32::from_le_bytes(*bytes)).map_err(|_| NoAnswerKey)
}

#[inline]
fn append(record: &mut AnswerKey, bytes: &[u8]) -> Result<(), NoAnswerKey> {
    record.try_extend_from_slice(bytes).map_err(|_| NoAnswerKey)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use pointsman_rules::contract::{Decision, Route};
    use pointsman_rules::strategies::decision;
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    use wasmtime::component::types::ComponentItem;
    use wasmtime::component::{Component, Linker, WasmList};
    use wasmtime::{Engine, Store, StoreContextMut};
    use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
    use wit_parser::Resolve;

    use super::*;
    use crate::abi::v0_1::types;

    const WORLD: &str = r"package test:layout;
        world lies {
            use pointsman:router/types@0.1.0.{decision};
            import look: func(memory: list<u8>);
            export lie: func(answer: result<decision, string>) -> u32;
            export show: func();
        }";

    /// Lets Wasmtime put answers into memory that was written before, and shows all of that memory.
    const LIES: &str = r#"(module
        (import "$root" "look" (func $look (param i32 i32)))
        (memory (export "memory") 16)
        (global $free (mut i32) (i32.const 8))
        (func $start (memory.fill (i32.const 0) (i32.const 0xAB) (i32.const 0x80000)))
        (start $start)
        (func (export "cabi_realloc") (param $old i32) (param i32) (param $align i32) (param $bytes i32) (result i32)
          (global.set $free (i32.and (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
                                     (i32.sub (i32.const 0) (local.get $align))))
          (global.get $free)
          (global.set $free (i32.add (global.get $free) (local.get $bytes))))
        (func (export "lie") (param i32) (result i32) (local.get 0))
        (func (export "show") (call $look (i32.const 0) (i32.const 0x100000))))"#;

    struct Lies {
        engine: Engine,
        component: Component,
        linker: Linker<Vec<u8>>,
        layout: Layout,
    }

    type Answer = Result<Decision, String>;
    type Lowered = Result<types::Decision, String>;

    impl Lies {
        fn new() -> Lies {
            let mut resolve = Resolve::default();
            resolve.push_dir("../../wit/0.1").unwrap();
            let package = resolve.push_str("lies.wit", WORLD).unwrap();
            let world = resolve.select_world(&[package], None).unwrap();
            let mut core = wat::parse_str(LIES).unwrap();
            embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8).unwrap();
            let bytes = ComponentEncoder::default().module(&core).unwrap().encode().unwrap();
            let engine = Engine::default();
            let component = Component::new(&engine, bytes).unwrap();
            let Some(ComponentItem::ComponentFunc(lie)) =
                component.component_type().get_export(&engine, "lie").map(|export| export.ty)
            else {
                panic!("it is exported");
            };
            let layout = Layout::of(&lie.params().next().unwrap().1).unwrap();
            let mut linker = Linker::new(&engine);
            let look = |mut store: StoreContextMut<'_, Vec<u8>>, (memory,): (WasmList<u8>,)| {
                let shown = memory.as_le_slice(&store).to_vec();
                *store.data_mut() = shown;
                Ok(())
            };
            linker.root().func_wrap("look", look).unwrap();
            Lies { engine, component, linker, layout }
        }

        /// The keys of answers that are in one memory.
        fn records(&self, answers: &[Answer]) -> Vec<Result<AnswerKey, NoAnswerKey>> {
            let mut store = Store::new(&self.engine, Vec::new());
            let instance = self.linker.instantiate(&mut store, &self.component).unwrap();
            let lie = instance.get_typed_func::<(Lowered,), (u32,)>(&mut store, "lie").unwrap();
            let lowered = |answer: &Answer| answer.clone().map(Into::into);
            let places: Vec<u32> =
                answers.iter().map(|answer| lie.call(&mut store, (lowered(answer),)).unwrap().0).collect();
            instance.get_typed_func::<(), ()>(&mut store, "show").unwrap().call(&mut store, ()).unwrap();
            let record = |place: &u32| {
                let mut record = AnswerKey::new();
                self.layout.read(store.data(), (*place).try_into().unwrap(), &mut record).map(|()| record)
            };
            places.iter().map(record).collect()
        }
    }

    fn config(cases: u32) -> ProptestConfig {
        ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
    }

    /// Copies of `one`, each with one part of `other`; a copy may equal `one`.
    fn near(one: &Decision, other: &Decision) -> Vec<Decision> {
        let (Decision::Connect(one), Decision::Connect(other)) = (one, other) else { return vec![other.clone()] };
        let parts: &[fn(&mut Route, &Route)] = &[
            |one, other| one.peer.address.clone_from(&other.peer.address),
            |one, other| one.peer.tls.clone_from(&other.peer.tls),
            |one, other| one.peer.connect_proxy.clone_from(&other.peer.connect_proxy),
            |one, other| one.peer.bind_to.clone_from(&other.peer.bind_to),
            |one, other| one.peer.timeouts.connect_ms = other.peer.timeouts.connect_ms,
            |one, other| one.peer.timeouts.total_connect_ms = other.peer.timeouts.total_connect_ms,
            |one, other| one.peer.timeouts.read_ms = other.peer.timeouts.read_ms,
            |one, other| one.peer.timeouts.write_ms = other.peer.timeouts.write_ms,
            |one, other| one.peer.timeouts.idle_ms = other.peer.timeouts.idle_ms,
            |one, other| one.peer.tcp_keepalive.clone_from(&other.peer.tcp_keepalive),
            |one, other| one.peer.http.alpn = other.peer.http.alpn,
            |one, other| one.peer.http.max_h2_streams = other.peer.http.max_h2_streams,
            |one, other| one.peer.http.h2_ping_interval_ms = other.peer.http.h2_ping_interval_ms,
            |one, other| one.peer.http.h2_stream_window = other.peer.http.h2_stream_window,
            |one, other| one.peer.http.h2_connection_window = other.peer.http.h2_connection_window,
            |one, other| one.peer.http.upgrade = other.peer.http.upgrade,
            |one, _| one.peer.http.quirks = pointsman_rules::contract::Quirks::ACCEPT_INVALID_CONTENT_LENGTH,
            |one, other| one.peer.socket.dscp = other.peer.socket.dscp,
            |one, other| one.peer.socket.tcp_recv_buf = other.peer.socket.tcp_recv_buf,
            |one, other| one.peer.socket.tcp_fast_open = other.peer.socket.tcp_fast_open,
            |one, other| one.peer.isolation.clone_from(&other.peer.isolation),
            |one, other| one.rewrite.authority.clone_from(&other.rewrite.authority),
            |one, other| one.rewrite.path_and_query.clone_from(&other.rewrite.path_and_query),
            |one, other| one.rewrite.remove_headers.clone_from(&other.rewrite.remove_headers),
            |one, other| one.rewrite.set_headers.clone_from(&other.rewrite.set_headers),
            |one, other| one.rewrite.add_headers.clone_from(&other.rewrite.add_headers),
            |one, other| one.retry.attempts = other.retry.attempts,
            |one, other| one.retry.on_status.clone_from(&other.retry.on_status),
            |one, other| one.note.clone_from(&other.note),
        ];
        let with = |part: &fn(&mut Route, &Route)| {
            let mut route = one.clone();
            part(&mut route, other);
            Decision::Connect(route)
        };
        parts.iter().map(with).collect()
    }

    #[test]
    fn records_are_equal_exactly_where_answers_are() {
        let lies = Lies::new();
        let mut runner = TestRunner::new(config(1000));
        let seen = Cell::new(0_usize);
        runner
            .run(&(decision(), decision()), |(one, other)| {
                let mut answers = vec![Ok(one.clone()), Ok(one.clone()), Err("x".to_owned())];
                answers.extend(near(&one, &other).into_iter().map(Ok));
                let records = lies.records(&answers);
                let Ok(first) = &records[0] else { return Ok(()) };
                seen.set(seen.get() + 1);
                for (answer, record) in answers.iter().zip(&records) {
                    prop_assert_eq!(record.as_ref() == Ok(first), answer == &answers[0], "{:?}", answer);
                }
                Ok(())
            })
            .unwrap();
        assert!(seen.get() > 500, "{} records", seen.get());
    }

    #[test]
    fn long_answer_has_no_record() {
        let lies = Lies::new();
        let noted = |bytes: usize| {
            let route = Route { note: Some("x".repeat(bytes)), ..Route::to("a.test:80") };
            lies.records(&[Ok(Decision::Connect(route))]).remove(0)
        };
        let bytes = noted(0).unwrap().len();
        let most = AnswerKey::new().capacity();
        assert_eq!(noted(most - bytes).unwrap().len(), most);
        assert_eq!(noted(most - bytes + 1), Err(NoAnswerKey));
        assert_eq!(noted(most * 2), Err(NoAnswerKey));
    }

    #[test]
    fn arbitrary_memory_is_read_or_refused_without_a_panic() {
        let layout = Lies::new().layout;
        let small = prop_oneof![4 => 0..4_u8, 1 => any::<u8>()];
        let places = prop_oneof![0..600_usize, any::<usize>()];
        let mut runner = TestRunner::new(config(1000));
        runner
            .run(&(prop::collection::vec(small, 0..600), places), |(memory, start)| {
                let mut record = AnswerKey::new();
                // Either result is fine.
                let _ = layout.read(&memory, start & !3, &mut record);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn invalid_answer_has_no_record() {
        let read = |layout: &Layout, memory: &[u8], start| {
            let mut record = AnswerKey::new();
            layout.read(memory, start, &mut record).map(|()| record.to_vec())
        };
        let text = Layout::list(Layout::plain(1));
        let place = |first: u32, count: u32| [first.to_le_bytes(), count.to_le_bytes(), *b"text"].concat();
        assert_eq!(read(&text, &place(8, 4), 0), Ok(b"\x04\0\0\0text".to_vec()));
        for (first, count) in [(9, 4), (8, 5), (13, 0), (u32::MAX, u32::MAX), (0, u32::MAX)] {
            assert_eq!(read(&text, &place(first, count), 0), Err(NoAnswerKey), "{first} {count}");
        }
        for start in [1, 4, 8, 12, usize::MAX - 3, usize::MAX] {
            assert!(read(&text, &place(8, 4), start).is_err(), "{start}");
        }
        // Elements must be aligned, and within the memory.
        let numbers = Layout::list(Layout::plain(4));
        assert_eq!(read(&numbers, &place(8, 1), 0), Ok(b"\x01\0\0\0text".to_vec()));
        assert_eq!(read(&numbers, &place(7, 1), 0), Err(NoAnswerKey));
        assert_eq!(read(&numbers, &place(0, u32::MAX), 0), Err(NoAnswerKey));
        // There is no third case.
        let payloads = vec![Vec::new(), vec![Part::Plain { at: 1, bytes: 1 }]];
        let option = Layout { parts: vec![Part::Case { at: 0, payloads }], bytes: 2, align: 1 };
        assert_eq!(read(&option, &[0, 7], 0), Ok(vec![0]));
        assert_eq!(read(&option, &[1, 7], 0), Ok(vec![1, 7]));
        assert_eq!(read(&option, &[2, 7], 0), Err(NoAnswerKey));
        assert_eq!(read(&option, &[1], 0), Err(NoAnswerKey));
    }
}
