//! y = W·x + b for a range of W's bands: the engine's one door to the kernels.
//!
//! The order: the product, then the bias (once), then what the output holds: `y + (W·x + b)`.

use core::ops::Range;

use super::workers::{Workers, share};
use crate::format::encoding::{BAND_ROWS, BLOCK, Band};
use crate::kernel::{Ints, Kernel, Sums};
use crate::model::{Matrix, Vector};
use crate::plan::{Claim, Cutter, Inputs, Strips};

/// Tokens that share one pass over a band's weights: their sums lie on the stack, and are cleared for every
/// band. The kernels of microcontrollers gain nothing from more than one.
const TILE: usize = if cfg!(any(target_arch = "arm", target_arch = "riscv32")) { 1 } else { 8 };

/// Multiply-accumulates that are worth asking for: enough that asking costs nothing beside them, few
/// enough that threads finish together.
const GRAIN: usize = 1 << 16;

/// Activations of some tokens: floats, and (for quantized matrices) the same as int8.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    /// [tokens, cols], padded columns.
    pub(super) floats: &'a [f32],
    /// The same.
    pub(super) ints: Ints<'a>,
    /// Per token, what its int8 values are multiplied with.
    pub(super) scales: &'a [f32],
}

impl<'a> Input<'a> {
    /// The first `tokens` tokens of the input buffers, of `cols` padded columns.
    pub(super) fn new(buffers: &'a Inputs<Cutter<'_>>, cols: usize, tokens: usize) -> Self {
        fn first<T>(all: &[T], len: usize) -> &[T] {
            all.get(..len).unwrap_or(all)
        }
        Self {
            floats: first(buffers.floats, cols * tokens),
            ints: Ints {
                cols,
                values: first(buffers.quants, cols * tokens),
                block_sums: first(buffers.block_sums, cols / BLOCK * tokens),
                widened: first(buffers.widened, cols / BLOCK * tokens),
            },
            scales: first(buffers.scales, tokens),
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
    let per_band = input.floats.len().max(1).saturating_mul(BAND_ROWS);
    let grain = GRAIN.checked_div(per_band).unwrap_or(1).max(1);
    share(workers, || {
        let mut sums = [Sums::default(); TILE];
        while let Some(mut claim) = strips.claim(grain) {
            for index in claim.strips() {
                let to =
                    Rows { claim: &mut claim, index, bias: bias.map(|b| b.band(index)), store };
                band(kernel, &matrix.band(index), input, &mut sums, to);
            }
        }
    });
}

/// A band's rows of the output.
struct Rows<'r, 'c> {
    claim: &'r mut Claim<'c>,
    index: usize,
    bias: Option<Sums<f32>>,
    store: Store,
}

impl Rows<'_, '_> {
    fn put(&mut self, token: usize, mut values: Sums<f32>) {
        for (value, bias) in values.iter_mut().zip(self.bias.iter().flatten()) {
            *value += bias;
        }
        let out = self.claim.row(self.index, token);
        // All bands but perhaps the last: no loop.
        if let Ok(out) = <&mut Sums<f32>>::try_from(&mut *out) {
            match self.store {
                Store::Set => *out = values,
                Store::Add => out.iter_mut().zip(values).for_each(|(out, value)| *out += value),
            }
            return;
        }
        for (out, value) in out.iter_mut().zip(values) {
            match self.store {
                Store::Set => *out = value,
                Store::Add => *out += value,
            }
        }
    }

    /// Tokens from `first` on: the float edge of an integer dot product, one multiply per row.
    fn rescale(&mut self, first: usize, sums: &[Sums<i32>], rows: &Sums<f32>, tokens: &[f32]) {
        for (token, (sums, scale)) in (first..).zip(sums.iter().zip(tokens)) {
            let mut values = [0.0; BAND_ROWS];
            for ((value, sum), row) in values.iter_mut().zip(sums).zip(rows) {
                *value = *sum as f32 * (row * scale);
            }
            self.put(token, values);
        }
    }
}

/// Computes a band's rows for all tokens; `sums` is scratch.
fn band(
    kernel: &Kernel,
    band: &Band<'_>,
    input: Input<'_>,
    sums: &mut [Sums<i32>; TILE],
    mut to: Rows<'_, '_>,
) {
    let mut ints = input.ints;
    let tiles = input.scales.chunks(TILE).enumerate();
    match band {
        Band::F32(band) => {
            let cols = input.ints.cols.max(1);
            for (tile, x) in input.floats.chunks((cols * TILE).max(1)).enumerate() {
                let mut sums = [Sums::default(); TILE];
                (kernel.f32)(band.columns, x, &mut sums);
                for (t, sums) in sums.into_iter().take(x.len() / cols).enumerate() {
                    to.put(tile * TILE + t, sums);
                }
            }
        }
        Band::Q8(band) => {
            for (tile, scales) in tiles {
                let (x, rest) = ints.split(scales.len());
                (kernel.q8)(band.groups, x, sums);
                to.rescale(tile * TILE, sums, &band.scales, scales);
                ints = rest;
            }
        }
        Band::Q4(band) => {
            for (tile, scales) in tiles {
                let (x, rest) = ints.split(scales.len());
                (kernel.q4)(band.groups, band.pairs, x, sums);
                to.rescale(tile * TILE, sums, &band.scales, scales);
                ints = rest;
            }
        }
    }
}
