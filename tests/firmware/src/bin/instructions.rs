//! Instructions per multiply-accumulate of products of a matrix and a vector, with the scales of rows and
//! activations, as the engine's `linear` does them.
#![cfg_attr(any(target_arch = "arm", target_arch = "riscv32"), no_std, no_main)]

use core::hint::black_box;

use acorn_core::format::encoding::{Band, Encoding};
use acorn_core::kernel::{Ints, Kernel, Sums};
use acorn_kernel_firmware::{board, program, say};

program!(run);

/// Columns; 172 and 288 are no multiples of 64.
const COLUMNS: [usize; 8] = [64, 128, 172, 256, 288, 384, 512, 768];
const MOST: usize = 768;

/// Bands of the matrix, all of them the same bytes.
const BANDS: usize = 8;

#[repr(align(16))]
struct Bytes([u8; 8 * MOST + 16]);

fn run() -> bool {
    let bytes = Bytes([0x11; 8 * MOST + 16]);
    for kernel in acorn_core::kernel::available() {
        for encoding in [Encoding::Q8, Encoding::Q4] {
            for cols in COLUMNS {
                let Some(len) = encoding.band_len(cols as u32) else { return false };
                let band = &bytes.0[..len as usize];
                let cols = cols.next_multiple_of(32);
                let Some(count) = board::instructions(|| product(kernel, encoding, cols, band))
                else {
                    return false;
                };
                let products = BANDS * 8 * cols;
                say!(
                    "{} {} {cols} {:.3}",
                    kernel.name,
                    encoding.name(),
                    count as f32 / products as f32
                );
            }
        }
    }
    true
}

/// Float results of [`BANDS`] · 8 rows.
#[inline(never)]
fn product(kernel: &Kernel, encoding: Encoding, cols: usize, band: &[u8]) {
    let (values, block_sums) = ([1; MOST], [32; MOST / 32]);
    let x = Ints { cols, values: &values[..cols], block_sums: &block_sums[..cols / 32] };
    let mut out = [0.0; 8 * BANDS];
    gemv(kernel, encoding, band, black_box(x), black_box(0.5), &mut out);
    black_box(out);
}

#[inline(never)]
fn gemv(
    kernel: &Kernel,
    encoding: Encoding,
    band: &[u8],
    x: Ints<'_>,
    scale: f32,
    out: &mut [f32; 8 * BANDS],
) {
    for out in out.as_chunks_mut::<8>().0 {
        let mut sums = [Sums::<i32>::default()];
        let rows = match Band::new(encoding, x.cols, black_box(band)) {
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
        for ((out, sum), row) in out.iter_mut().zip(sums[0]).zip(rows) {
            *out = sum as f32 * (row * scale);
        }
    }
}
