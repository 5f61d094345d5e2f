//! y = W·x + b for a range of W's bands: the engine's one door to the kernels.
//!
//! The order: the product, then the bias (once), then what the output holds: `y + (W·x + b)`.

use core::ops::Range;

use super::workers::{Workers, share};
use crate::format::encoding::{BAND_ROWS, BLOCK, Band, Bands, Encoding};
use crate::kernel::{Ints, Kernel, Sums, rescale};
use crate::model::{Matrix, Vector};
use crate::plan::{Cutter, Inputs, Strips};

/// Tokens that share one pass over a band's weights; their sums lie on the stack. AArch64's kernels make int8 of a
/// band's nibbles once per pass; those of microcontrollers gain nothing from more than one.
const TILE: usize = if cfg!(target_arch = "aarch64") {
    64
} else if cfg!(all(any(target_arch = "arm", target_arch = "riscv32"), target_os = "none")) {
    1
} else {
    8
};

/// Bands whose rows for a single token are on the stack at a time.
const TOGETHER: usize = 8;

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

    fn tokens(&self) -> usize {
        self.floats.len().checked_div(self.ints.cols).unwrap_or(0)
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
        while let Some(mut claim) = strips.claim(grain) {
            let mut indices = claim.strips();
            let mut bands = matrix.bands_in(indices.clone());
            if input.tokens() == 1 {
                let mut rows = claim.whole_row(0);
                if bias.is_none() && store == Store::Set {
                    // Whole bands need no detour.
                    let (whole, rest) = rows.as_chunks_mut();
                    one(kernel, matrix, bands, input, whole);
                    bands = bands.skip(whole.len());
                    indices.start += whole.len();
                    rows = rest;
                }
                let parts = bands.bytes.chunks(bands.len.saturating_mul(TOGETHER).max(1));
                let rows = rows.chunks_mut(BAND_ROWS * TOGETHER);
                for ((bytes, rows), first) in parts.zip(rows).zip(indices.step_by(TOGETHER)) {
                    let mut products = [Sums::default(); TOGETHER];
                    one(kernel, matrix, Bands { bytes, ..bands }, input, &mut products);
                    let rows = rows.chunks_mut(BAND_ROWS);
                    for ((index, values), out) in (first..).zip(&products).zip(rows) {
                        store.put(*values, bias.map(|bias| bias.band(index)), out);
                    }
                }
            } else {
                for (index, bytes) in indices.zip(bands.iter()) {
                    let band = matrix.band_of(bytes);
                    let bias = bias.map(|bias| bias.band(index));
                    let mut rows = claim.rows_of(index);
                    many(kernel, &band, input, |values| {
                        if let Some(row) = rows.next() {
                            store.put(values, bias, row);
                        }
                    });
                }
            }
        }
    });
}

impl Store {
    /// Puts a token's products with a band's rows, or with as many as there are, where they belong.
    #[inline(always)]
    fn put(self, mut values: Sums<f32>, bias: Option<Sums<f32>>, out: &mut [f32]) {
        if let Some(bias) = bias {
            values.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
        }
        // All bands but perhaps the last: no loop.
        if let Ok(out) = <&mut Sums<f32>>::try_from(&mut *out) {
            match self {
                Self::Set => *out = values,
                Self::Add => out.iter_mut().zip(values).for_each(|(out, value)| *out += value),
            }
            return;
        }
        for (out, value) in out.iter_mut().zip(values) {
            match self {
                Self::Set => *out = value,
                Self::Add => *out += value,
            }
        }
    }
}

/// The rows of some bands of `matrix` for one token.
fn one(
    kernel: &Kernel,
    matrix: &Matrix<'_>,
    bands: Bands<'_>,
    input: Input<'_>,
    out: &mut [Sums<f32>],
) {
    let scale = input.scales.first().copied().unwrap_or(0.0);
    match matrix.encoding() {
        Encoding::Q8 => (kernel.gemv_q8)(bands, &input.ints, scale, out),
        Encoding::Q4 => (kernel.gemv_q4)(bands, &input.ints, scale, out),
        _ => {
            for (bytes, out) in bands.iter().zip(out) {
                let Band::F32(band) = matrix.band_of(bytes) else { return };
                (kernel.f32)(band.columns, input.floats, core::slice::from_mut(out));
            }
        }
    }
}

/// A band's rows for all tokens, a tile at a time, to `put` token by token.
#[inline(always)]
fn many(kernel: &Kernel, band: &Band<'_>, input: Input<'_>, mut put: impl FnMut(Sums<f32>)) {
    let mut ints = input.ints;
    let rows = match band {
        Band::F32(band) => {
            let cols = input.ints.cols.max(1);
            for x in input.floats.chunks((cols * TILE).max(1)) {
                let mut sums = [Sums::default(); TILE];
                (kernel.f32)(band.columns, x, &mut sums);
                sums.into_iter().take(x.len() / cols).for_each(&mut put);
            }
            return;
        }
        Band::Q8(band) => &band.scales,
        Band::Q4(band) => &band.scales,
    };
    let mut sums = [Sums::default(); TILE];
    for scales in input.scales.chunks(TILE) {
        let (x, rest) = ints.split(scales.len());
        ints = rest;
        match band {
            Band::Q8(band) => (kernel.q8)(band.groups, x, &mut sums),
            Band::Q4(band) => (kernel.q4)(band.groups, band.pairs, x, &mut sums),
            Band::F32(_) => {}
        }
        for (sums, scale) in sums.iter().zip(scales) {
            put(rescale(sums, rows, *scale));
        }
    }
}
