//! The file of a module that serves, kept since another configuration may make another module of it: rarely, so small.

use zstd::bulk::{compress, decompress};

/// zstd's fastest: a small module takes a tenth of a millisecond, and a third of its size.
const LEVEL: i32 = 1;

/// A file in memory.
pub struct Packed {
    kept: Vec<u8>,
    is_packed: bool,
    size: usize,
}

impl Packed {
    pub fn of(file: &[u8]) -> Packed {
        let (kept, is_packed) = match compress(file, LEVEL) {
            Ok(mut packed) => {
                packed.shrink_to_fit();
                (packed, true)
            }
            // Without memory to do it in.
            Err(_) => (file.to_owned(), false),
        };
        Packed { kept, is_packed, size: file.len() }
    }

    /// The file as it was. It fails where there is no memory for that.
    pub fn file(&self) -> std::io::Result<Vec<u8>> {
        if self.is_packed { decompress(&self.kept, self.size) } else { Ok(self.kept.clone()) }
    }

    /// Of the file as it was, in bytes.
    pub fn size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_comes_out_as_it_went_in() {
        let noise: Vec<u8> =
            (0..100_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for file in [b"".as_slice(), b"\0asm", &[7; 100_000], &noise] {
            let packed = Packed::of(file);
            assert_eq!((packed.file().unwrap(), packed.size()), (file.to_owned(), file.len()));
        }
        assert!(Packed::of(&[7; 100_000]).kept.capacity() < 100);
        let plain = Packed { kept: b"\0asm".to_vec(), is_packed: false, size: 4 };
        assert_eq!(plain.file().unwrap(), b"\0asm");
    }
}
