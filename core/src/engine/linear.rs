//! y = W·x + b for a range of W's bands: the engine's one door to the kernels.
//!
//! The order: the product, then the bias (once), then what the output holds: `y + (W·x + b)`.

use core::ops::Range;

use super::workers::Workers;
use crate::format::encoding::{BAND_ROWS, BLOCK, Band};
use crate::kernel::{Kernel, Sums};
use crate::model::{Matrix, Vector};
use crate::plan::{Cutter, Inputs, Strip, Strips};

/// Tokens that share one pass over a band's weights: their sums lie on the stack.
const TILE: usize = 8;

/// Activations of some tokens: floats, and (for quantized matrices) the same as int8.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    /// Columns per token, padded.
    pub(super) cols: usize,
    /// [tokens, cols]
    pub(super) floats: &'a [f32],
    /// [tokens, cols]
    pub(super) quants: &'a [i8],
    /// Per token, what its int8 values are multiplied with.
    pub(super) scales: &'a [f32],
    /// [tokens, cols / 32]: sums of the int8 values.
    pub(super) block_sums: &'a [i16],
}

impl<'a> Input<'a> {
    /// The first `tokens` tokens of the input buffers, of `cols` padded columns.
    pub(super) fn new(buffers: &'a Inputs<Cutter<'_>>, cols: usize, tokens: usize) -> Self {
        fn first<T>(all: &[T], len: usize) -> &[T] {
            all.get(..len).unwrap_or(all)
        }
        Self {
            cols,
            floats: first(buffers.floats, cols * tokens),
            quants: first(buffers.quants, cols * tokens),
            scales: first(buffers.scales, tokens),
            block_sums: first(buffers.block_sums, cols / BLOCK * tokens),
        }
    }
}

/// Where products go: [tokens, stride].
pub(super) struct Output<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) stride: usize,
    pub(super) store: Store,
}

/// What becomes of a product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// It replaces the output.
    Set,
    /// It is added to the output.
    Add,
}

/// A matrix, and the bias beside it.
#[derive(Clone, Copy)]
pub(super) struct Projection<'a> {
    pub(super) matrix: Matrix<'a>,
    /// A number per row.
    pub(super) bias: Option<Vector<'a>>,
}

/// Computes the rows in `bands` of `projection` for all tokens of `input`.
pub(super) fn linear(
    kernel: &Kernel,
    workers: &dyn Workers,
    projection: &Projection<'_>,
    bands: Range<usize>,
    input: Input<'_>,
    output: Output<'_>,
) {
    let Output { values, stride, store } = output;
    let Projection { matrix, bias } = projection;
    let strips = Strips::new(values, stride, matrix.rows(), BAND_ROWS, bands);
    workers.run(&|| {
        while let Some(mut strip) = strips.claim() {
            let bias = bias.map(|bias| bias.band(strip.index));
            band(kernel, &matrix.band(strip.index), bias, input, &mut strip, store);
        }
    });
}

fn band(
    kernel: &Kernel,
    band: &Band<'_>,
    bias: Option<Sums<f32>>,
    input: Input<'_>,
    strip: &mut Strip<'_>,
    store: Store,
) {
    let cols = input.cols.max(1);
    let tile_cols = (cols * TILE).max(1);
    let mut put = |token: usize, mut values: Sums<f32>| {
        for (value, bias) in values.iter_mut().zip(bias.iter().flatten()) {
            *value += bias;
        }
        for (out, value) in strip.row(token).iter_mut().zip(values) {
            match store {
                Store::Set => *out = value,
                Store::Add => *out += value,
            }
        }
    };
    match band {
        Band::F32(band) => {
            for (tile, x) in input.floats.chunks(tile_cols).enumerate() {
                let mut sums = [Sums::default(); TILE];
                (kernel.f32)(band.columns, x, &mut sums);
                for (t, sums) in sums.into_iter().take(x.len() / cols).enumerate() {
                    put(tile * TILE + t, sums);
                }
            }
        }
        Band::Q8(band) => {
            let tiles = input.quants.chunks(tile_cols).zip(input.scales.chunks(TILE));
            for (tile, (x, scales)) in tiles.enumerate() {
                let mut sums = [Sums::default(); TILE];
                (kernel.q8)(band.groups, x, &mut sums);
                for (t, (sums, scale)) in sums.into_iter().zip(scales).enumerate() {
                    put(tile * TILE + t, rescale(sums, &band.scales, *scale));
                }
            }
        }
        Band::Q4(band) => {
            let block_sums = input.block_sums.chunks((band.sub_scales.len() * TILE).max(1));
            let tiles = input.quants.chunks(tile_cols).zip(input.scales.chunks(TILE));
            for (tile, ((x, scales), block_sums)) in tiles.zip(block_sums).enumerate() {
                let mut sums = [Sums::default(); TILE];
                (kernel.q4)(band.groups, band.sub_scales, x, block_sums, &mut sums);
                for (t, (sums, scale)) in sums.into_iter().zip(scales).enumerate() {
                    put(tile * TILE + t, rescale(sums, &band.scales, *scale));
                }
            }
        }
    }
}

/// The float edge of an integer dot product: one multiply per row.
fn rescale(sums: Sums<i32>, rows: &Sums<f32>, token: f32) -> Sums<f32> {
    let mut values = [0.0; BAND_ROWS];
    for ((value, sum), row) in values.iter_mut().zip(sums).zip(rows) {
        *value = sum as f32 * (row * token);
    }
    values
}
