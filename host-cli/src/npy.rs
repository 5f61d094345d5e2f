//! The head of a NumPy array file, format version 1.0 (numpy.lib.format).

/// Bytes that end at a multiple of this: the numbers start there.
const ALIGNMENT: usize = 64;

/// The head of a file of float32 [rows, cols], in rows; the numbers follow it, little-endian.
pub(crate) fn header(rows: usize, cols: usize) -> Vec<u8> {
    let mut text =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {cols}), }}");
    let magic = b"\x93NUMPY\x01\x00";
    let before = magic.len() + size_of::<u16>();
    let end = (before + text.len() + 1).next_multiple_of(ALIGNMENT);
    while before + text.len() + 1 < end {
        text.push(' ');
    }
    text.push('\n');
    // At most 117 characters with the largest of numbers.
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [magic, &len.to_le_bytes()[..], text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_its_length_and_ends_aligned() {
        for (rows, cols) in [(0, 0), (3, 512), (1_000_000, 151_936), (usize::MAX, usize::MAX)] {
            let head = header(rows, cols);
            let len = usize::from(u16::from_le_bytes([head[8], head[9]]));
            assert_eq!((head.len() % ALIGNMENT, head.len()), (0, 10 + len));
            assert_eq!(head.last(), Some(&b'\n'));
            let text = String::from_utf8_lossy(&head[10..]);
            assert!(text.contains(&format!("'shape': ({rows}, {cols})")), "{text}");
        }
    }
}
