//! Tests that any file gives a configuration or messages, never a panic: broken copies of the golden files, made with
//! a fixed seed.

use super::complaints;
use super::golden::FILES;

/// Values that replace a value of a file: empty, huge, of another type, deeply nested.
const ODD_VALUES: [&str; 16] = [
    "0",
    "-1",
    "9223372036854775807",
    "99999999999999999999999999999999999999999999999999",
    "0xffff_ffff_ffff_ffff_ffff",
    "1e999",
    "-nan",
    "\"\"",
    "\"\\u0000\"",
    "\"é.例え:@/*[\"",
    "[]",
    "{}",
    "[[{}]]",
    "{ a = { b = [ { c = 1 } ] } }",
    "1979-05-27T07:32:00.999999-07:00",
    "true",
];

/// Marsaglia's xorshift: the same sequence in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// Checks that every complaint is one line that names the file, and that they are in line order.
#[track_caller]
fn check(text: &str) {
    let complaints = complaints(text);
    let lines: Vec<usize> = complaints
        .lines()
        .map(|complaint| {
            let line = complaint.strip_prefix("pointsman.toml:").and_then(|rest| rest.split_once(": ")?.0.parse().ok());
            line.unwrap_or_else(|| panic!("`{complaint}` for\n{text}"))
        })
        .collect();
    assert!(lines.is_sorted(), "{complaints}\nfor\n{text}");
    assert!(lines.iter().all(|&line| line <= text.lines().count() + 1), "{complaints}\nfor\n{text}");
    assert!(!complaints.contains('\0'), "{complaints:?}");
}

#[test]
fn file_that_ends_too_early_does_not_panic() {
    for text in FILES {
        for end in text.char_indices().map(|(end, _)| end) {
            check(text.get(..end).unwrap());
        }
    }
}

#[test]
fn flipped_bytes_do_not_panic() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for text in FILES.iter().filter(|text| !text.is_empty()) {
        for _ in 0..300 {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
            check(&String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn odd_values_do_not_panic() {
    for text in FILES {
        for (line, _) in text.lines().enumerate().filter(|(_, line)| line.contains(" = ")) {
            for odd in ODD_VALUES {
                let odd_line = |(index, text): (usize, &str)| match text.split_once(" = ") {
                    Some((key, _)) if index == line => format!("{key} = {odd}\n"),
                    _ => format!("{text}\n"),
                };
                check(&text.lines().enumerate().map(odd_line).collect::<String>());
            }
        }
    }
}

#[test]
fn shuffled_lines_do_not_panic() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let lines: Vec<&str> = FILES.iter().flat_map(|text| text.lines()).collect();
    for _ in 0..2000 {
        let count = random.below(60);
        let text: String = (0..count).map(|_| format!("{}\n", lines[random.below(lines.len())])).collect();
        check(&text);
    }
}

#[test]
fn deep_values_do_not_use_up_the_stack() {
    /// In bytes: the main thread's stack on Linux. The deepest tree that TOML allows in a file needs half of it in an
    /// unoptimised build.
    const STACK: usize = 8 * 1024 * 1024;
    // Dotted keys within inline tables reach 5,600 levels.
    let deep = (0..75).fold("1".to_owned(), |inner, _| format!("{{ {}a = {inner} }}", "a.".repeat(75)));
    let good = FILES.iter().find(|text| complaints(text).is_empty()).unwrap();
    let text = good.replace("config = { percent", &format!("config = {{ abyss = {deep}, percent"));
    let judge = move || {
        let complaints = complaints(&text);
        assert!(
            complaints.ends_with("is nested too deeply: at most 64 tables and arrays within each other"),
            "{complaints}"
        );
        assert_eq!(complaints.lines().count(), 1);
        check(&format!("a{} = 1", ".a".repeat(100_000)));
        check(&format!("a = {}", "[".repeat(100_000)));
    };
    std::thread::Builder::new().stack_size(STACK).spawn(judge).unwrap().join().unwrap();
}
