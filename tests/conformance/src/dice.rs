//! Random numbers that are the same on every machine and in every version: the cases depend on it.

use std::ops::Range;

/// SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.bits() % end as u64) as usize
    }

    pub fn within(&mut self, range: Range<usize>) -> usize {
        range.start + self.below(range.end - range.start)
    }

    /// True once in `many` calls, on average.
    pub fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub fn one_of<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end + 1));
        }
    }

    /// A number, often one at the edge of its range.
    pub fn number(&mut self, largest: u64) -> u64 {
        match self.below(5) {
            0 => self.pick(&[0, 1, largest, largest - 1, largest / 2 + 1]),
            1 => self.bits() % 100,
            _ => self.bits() % largest,
        }
    }

    /// Text with every kind of character.
    pub fn text(&mut self) -> String {
        const PIECES: [&str; 22] = [
            "a",
            "Z",
            "shop.example",
            "-",
            "_",
            " ",
            "%",
            "+",
            "&",
            "=",
            "?",
            "#",
            "/",
            "\"",
            "é",
            "漢",
            "😀",
            "\u{fffd}",
            "\t",
            "\0",
            "%41",
            "%zz",
        ];
        (0..self.below(8)).map(|_| self.pick(&PIECES)).collect()
    }

    /// Text that a log prints unchanged.
    pub fn plain(&mut self) -> String {
        const PIECES: [&str; 10] = ["a", "Z", "shop", "-", " ", "%", "é", "漢", "😀", "="];
        (0..self.within(1..8)).map(|_| self.pick(&PIECES)).collect()
    }

    /// A header's name.
    pub fn name(&mut self) -> String {
        const PIECES: [&str; 6] = ["x", "-a", "-trace", "9", "_", "-id"];
        format!("x{}", (0..self.below(4)).map(|_| self.pick(&PIECES)).collect::<String>())
    }

    /// A header's value: any byte that is allowed.
    pub fn value(&mut self) -> Vec<u8> {
        let ascii_only = self.once_in(2);
        let mut value: Vec<u8> = (0..self.below(12))
            .map(|_| match self.below(if ascii_only { 3 } else { 5 }) {
                0 => b'a' + (self.bits() % 26) as u8,
                1 => self.pick(b" !\"%&+,;=\t"),
                2 => b'0' + (self.bits() % 10) as u8,
                _ => 0x80 | self.bits() as u8,
            })
            .collect();
        if self.once_in(4) {
            value.extend("é漢".as_bytes());
        }
        value
    }

    /// One half of a query parameter, in one of its encodings.
    pub fn encoded(&mut self, text: &str) -> String {
        let mut encoded = String::new();
        for &byte in text.as_bytes() {
            let plain = byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte);
            match self.below(8) {
                _ if byte == b' ' => encoded.push_str(self.pick(&["+", "%20"])),
                0 => encoded.push_str(&format!("%{byte:02x}")),
                1 => encoded.push_str(&format!("%{byte:02X}")),
                _ if plain => encoded.push(char::from(byte)),
                _ => encoded.push_str(&format!("%{byte:02X}")),
            }
        }
        encoded
    }
}
