//! Instructions per multiply-accumulate of products of a matrix and a vector, with the scales of rows and
//! activations, as the engine's `linear` does them.
#![cfg_attr(any(target_arch = "arm", target_arch = "riscv32"), no_std, no_main)]

use core::hint::black_box;

use acorn_core::format::encoding::{Band, Encoding};
use acorn_core::kernel::{self, Ints, Kernel, Sums, Widened};
use acorn_kernel_firmware::{board, program, say};

program!(run);

/// Columns; 172 and 288 are no multiples of 64.
const COLUMNS: [usize; 8] = [64, 128, 172, 256, 288, 384, 512, 768];
const MOST: usize = 768;

#[repr(align(16))]
struct Bytes([u8; 8 * MOST + 16]);

/// A vector, and what the engine makes of it for all rows of a matrix.
struct Vector {
    values: [i8; MOST],
    block_sums: [i16; MOST / 32],
    widened: [Widened; MOST / 32],
}

fn run() -> bool {
    let bytes = Bytes([0x11; 8 * MOST + 16]);
    let mut vector =
        Vector { values: [1; MOST], block_sums: [32; MOST / 32], widened: [[0; 18]; MOST / 32] };
    let kernel = acorn_core::kernel::best();
    for encoding in [Encoding::Q8, Encoding::Q4] {
        for cols in COLUMNS {
            let Some(len) = encoding.band_len(cols as u32) else { return false };
            let band = &bytes.0[..len as usize];
            let padded = cols.next_multiple_of(32);
            let vector = black_box(&mut vector);
            let Some(count) = board::instructions(|| gemv(kernel, encoding, padded, band, vector))
            else {
                return false;
            };
            let per_product = count as f32 / (BANDS * 8 * cols) as f32;
            say!("{} {} {cols} {per_product:.3}", kernel.name, encoding.name());
        }
    }
    true
}

/// Bands of the matrix, all of them the same bytes.
const BANDS: usize = 16;

/// A matrix of [`BANDS`] · 8 rows and `cols` columns times a vector.
#[inline(never)]
fn gemv(kernel: &Kernel, encoding: Encoding, cols: usize, band: &[u8], vector: &mut Vector) {
    let (values, block_sums) = (&vector.values[..cols], &vector.block_sums[..cols / 32]);
    let widened = &mut vector.widened[..cols / 32];
    kernel::widen(values, block_sums, widened);
    let x = Ints { cols, values, block_sums, widened };
    let scale = black_box(0.5);
    for _ in 0..BANDS {
        let mut sums = [Sums::<i32>::default()];
        let rows = match Band::new(encoding, cols, black_box(band)) {
            Band::Q8(band) => {
                (kernel.q8)(band.groups, x, &mut sums);
                band.scales
            }
            Band::Q4(band) => {
                (kernel.q4)(band.groups, band.pairs, x, &mut sums);
                band.scales
            }
            Band::F32(_) => return,
        };
        let mut out = [0.0; 8];
        for ((out, sum), row) in out.iter_mut().zip(sums[0]).zip(rows) {
            *out = sum as f32 * (row * scale);
        }
        black_box(&out);
    }
}
