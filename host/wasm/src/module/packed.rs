//! Keeps the file of a loaded module compressed in memory: another configuration may need another build of it, but
//! rarely.

use zstd::bulk::{compress, decompress};

/// zstd's fastest level: compressing a small module takes a tenth of a millisecond and leaves a third of its size.
const LEVEL: i32 = 1;

/// The file of a module in memory, compressed if possible.
pub struct CompressedModule {
    kept: Vec<u8>,
    is_packed: bool,
    size: usize,
}

impl CompressedModule {
    pub fn of(file: &[u8]) -> CompressedModule {
        let (kept, is_packed) = match compress(file, LEVEL) {
            Ok(mut packed) => {
                packed.shrink_to_fit();
                (packed, true)
            }
            // There is no memory to compress it.
            Err(_) => (file.to_owned(), false),
        };
        CompressedModule { kept, is_packed, size: file.len() }
    }

    /// The original file. Fails if there is no memory for it.
    pub fn file(&self) -> std::io::Result<Vec<u8>> {
        if self.is_packed { decompress(&self.kept, self.size) } else { Ok(self.kept.clone()) }
    }

    /// Size of the original file, in bytes.
    pub fn size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_keeps_the_file_unchanged() {
        let noise: Vec<u8> =
            (0..100_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for file in [b"".as_slice(), b"\0asm", &[7; 100_000], &noise] {
            let packed = CompressedModule::of(file);
            assert_eq!((packed.file().unwrap(), packed.size()), (file.to_owned(), file.len()));
        }
        assert!(CompressedModule::of(&[7; 100_000]).kept.capacity() < 100);
        let plain = CompressedModule { kept: b"\0asm".to_vec(), is_packed: false, size: 4 };
        assert_eq!(plain.file().unwrap(), b"\0asm");
    }
}
