//! Instructions per multiply-accumulate of products of a matrix and a vector, with the scales of rows and
//! activations, as the engine's `linear` does them.
#![cfg_attr(any(target_arch = "arm", target_arch = "riscv32"), no_std, no_main)]

use core::hint::black_box;

use acorn_core::format::encoding::Encoding;
use acorn_core::kernel::{self, Bands, Ints, Sums, Widened};
use acorn_kernel_firmware::{board, program, say};

program!(run);

/// Columns; 172 and 288 are no multiples of 64.
const COLUMNS: [usize; 8] = [64, 128, 172, 256, 288, 384, 512, 768];
const MOST: usize = 768;

/// Bands of the matrix.
const BANDS: usize = 16;

#[repr(align(16))]
struct Bytes([u8; BANDS * (8 * MOST + 16)]);

/// The largest matrix, in flash.
static BYTES: Bytes = Bytes([0x11; BANDS * (8 * MOST + 16)]);

/// A vector, and what the engine makes of it for all rows of a matrix.
struct Vector {
    values: [i8; MOST],
    block_sums: [i16; MOST / 32],
    widened: [Widened; MOST / 32],
}

fn run() -> bool {
    let mut vector =
        Vector { values: [1; MOST], block_sums: [32; MOST / 32], widened: [[0; 18]; MOST / 32] };
    let kernel = acorn_core::kernel::best();
    for encoding in [Encoding::Q8, Encoding::Q4] {
        for cols in COLUMNS {
            let Some(len) = encoding.band_len(cols as u32) else { return false };
            let len = len as usize;
            let bands = black_box(Bands { bytes: &BYTES.0[..BANDS * len], len });
            let padded = cols.next_multiple_of(32);
            vector.values[..cols].fill(1);
            vector.values[cols..padded].fill(0);
            let vector = black_box(&mut vector);
            let mut out = [Sums::default(); BANDS];
            let out = black_box(&mut out[..]);
            let gemv = if encoding == Encoding::Q8 { kernel.gemv_q8 } else { kernel.gemv_q4 };
            let count = board::instructions(|| {
                let (values, block_sums) =
                    (&vector.values[..padded], &vector.block_sums[..padded / 32]);
                let widened = &mut vector.widened[..padded / 32];
                kernel::widen(values, block_sums, widened);
                gemv(bands, &Ints { cols: padded, values, block_sums, widened }, 0.5, out);
            });
            let Some(count) = count else { return false };
            let per_product = count as f32 / (BANDS * 8 * cols) as f32;
            say!("{} {} {cols} {per_product:.3}", kernel.name, encoding.name());
        }
    }
    true
}
