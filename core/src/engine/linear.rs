//! y = W·x + b for a range of W's bands: the engine's one door to the kernels.
//!
//! The order: the product, then the bias (once), then what the output holds: `y + (W·x + b)`.

use core::ops::Range;

#[cfg(not(acorn_mcu))]
use super::many::many;
use super::workers::{Workers, share};
use crate::format::encoding::{BAND_ROWS, BLOCK, Band, Bands, Encoding};
use crate::kernel::{Ints, Kernel, Sums};
use crate::model::{Matrix, Vector};
use crate::plan::{Inputs, Strips};

/// Bands whose products are put where they belong together: then whole lines of a cache are written.
pub(super) const ABREAST: usize = if cfg!(target_arch = "x86_64") { 2 } else { 1 };

/// Whether tokens go through some bands one after another: the kernels of microcontrollers gain nothing from
/// several at once.
const ONE_BY_ONE: bool = cfg!(acorn_mcu);

/// Bands whose rows for a single token are on the stack at a time; with several tokens, those that lie in a
/// microcontroller's cache until the last one has come.
const TOGETHER: usize = if cfg!(acorn_mcu) { 4 } else { 8 };

/// Bands that a microcontroller's processors ask for at a time for a single token.
const LONG: usize = 32;

/// Multiply-accumulates that are worth asking for: enough that asking costs nothing beside them, few
/// enough that threads finish together.
const GRAIN: usize = 1 << 16;

/// Of one token's, the most: weights come from memory best in long runs. (Decoding on a Zen 4, two threads, TinyLlama
/// and SmolLM2: by 2¹⁶ always 34 and 279 tokens per second, so 45 and 355.)
const LONGEST: usize = 1 << 19;

/// The part of what is left that a thread asks for, between the two.
const PART: usize = 4;

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
    pub(super) fn new(buffers: &'a Inputs<'_>, cols: usize, tokens: usize) -> Self {
        fn first<T>(all: &[T], len: usize) -> &[T] {
            all.get(..len).unwrap_or(all)
        }
        Self {
            floats: first(buffers.floats, cols * tokens),
            ints: Ints {
                cols,
                values: first(buffers.quants, cols * tokens),
                block_sums: first(buffers.block_sums, cols / BLOCK * tokens),
                widened: if buffers.is_narrow() {
                    &[]
                } else {
                    first(buffers.widened, cols / BLOCK * tokens)
                },
            },
            scales: first(buffers.scales, tokens),
        }
    }

    pub(super) fn tokens(&self) -> usize {
        self.floats.len().checked_div(self.ints.cols).unwrap_or(0)
    }

    /// The first `tokens` tokens, which there are, and the others.
    pub(super) fn split(self, tokens: usize) -> (Self, Self) {
        let (floats, other_floats) =
            self.floats.split_at_checked(self.ints.cols * tokens).unwrap_or_default();
        let (ints, other_ints) = self.ints.split(tokens);
        let (scales, other_scales) = self.scales.split_at_checked(tokens).unwrap_or_default();
        let others = Self { floats: other_floats, ints: other_ints, scales: other_scales };
        (Self { floats, ints, scales }, others)
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
    pub(super) matrix: &'a Matrix<'a>,
    /// A number per row.
    pub(super) bias: Option<Vector<'a>>,
}

/// Computes the rows in `bands` of `projection` for all tokens of `input`, by so many `threads` or fewer.
#[cfg_attr(acorn_mcu, expect(unused_variables, reason = "threads share nothing but bands"))]
pub(super) fn linear(
    kernel: &Kernel,
    workers: &dyn Workers,
    threads: usize,
    projection: &Projection<'_>,
    bands: Range<usize>,
    input: Input<'_>,
    output: Output<'_>,
) {
    let Output { values, stride, store } = output;
    let rows = projection.matrix.rows();
    let tokens = input.tokens();
    let worth = |products: usize| {
        let per_band = input.floats.len().max(1).saturating_mul(BAND_ROWS);
        products.checked_div(per_band).unwrap_or(1).max(ABREAST)
    };
    #[cfg(not(acorn_mcu))]
    if tokens > 1 {
        let output = Output { values, stride, store };
        return many(kernel, (workers, threads), projection, (bands, worth(GRAIN)), input, output);
    }
    let strips = Strips::new(values, stride, rows, BAND_ROWS, bands);
    let (least, most) = match tokens {
        1 if ONE_BY_ONE => (LONG, LONG),
        1 => (worth(GRAIN), worth(LONGEST)),
        _ => (TOGETHER, TOGETHER),
    };
    let count = |left: usize| (left / PART).max(least).min(most);
    share(workers, |_| {
        while let Some(mut claim) = strips.claim(count) {
            let indices = claim.strips();
            if tokens == 1 {
                one(kernel, projection, indices, &input, store, claim.whole_row(0));
                continue;
            }
            let mut rest = input;
            for token in 0..tokens {
                let (input, others) = rest.split(1);
                rest = others;
                let rows = claim.whole_row(token);
                one(kernel, projection, indices.clone(), &input, store, rows);
            }
        }
    });
}

impl Store {
    /// Puts a token's products with a band's rows, or with as many as there are, where they belong.
    #[cfg_attr(acorn_mcu, inline(never))]
    #[cfg_attr(not(acorn_mcu), inline(always))]
    pub(super) fn put(self, values: &Sums<f32>, bias: Option<Sums<f32>>, out: &mut [f32]) {
        let mut values = *values;
        if let Some(bias) = bias {
            values.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
        }
        // All bands but perhaps the last: no loop, where many come here.
        if !ONE_BY_ONE && let Ok(out) = <&mut Sums<f32>>::try_from(&mut *out) {
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

/// The rows of the bands with these `indices` for one token.
fn one(
    kernel: &Kernel,
    projection: &Projection<'_>,
    mut indices: Range<usize>,
    input: &Input<'_>,
    store: Store,
    mut rows: &mut [f32],
) {
    let Projection { matrix, bias } = projection;
    let mut bands = matrix.bands_in(indices.clone());
    if bias.is_none() {
        // Whole bands need no detour.
        let (whole, rest) = rows.as_chunks_mut();
        match store {
            Store::Set => products(kernel, matrix, bands, input, whole),
            Store::Add => {
                let mut bands = bands;
                let mut values = [Sums::default(); TOGETHER];
                for out in whole.chunks_mut(TOGETHER) {
                    let values = values.get_mut(..out.len()).unwrap_or_default();
                    products(kernel, matrix, bands, input, values);
                    let values = values.as_flattened();
                    out.as_flattened_mut().iter_mut().zip(values).for_each(|(out, y)| *out += y);
                    bands = bands.skip(TOGETHER);
                }
            }
        }
        bands = bands.skip(whole.len());
        if rest.is_empty() {
            return;
        }
        indices.start += whole.len();
        rows = rest;
    }
    let mut values = [Sums::default(); TOGETHER];
    let parts = bands.bytes.chunks(bands.len.saturating_mul(TOGETHER).max(1));
    let rows = rows.chunks_mut(BAND_ROWS * TOGETHER);
    for ((bytes, rows), first) in parts.zip(rows).zip(indices.step_by(TOGETHER)) {
        products(kernel, matrix, Bands { bytes, ..bands }, input, &mut values);
        let rows = rows.chunks_mut(BAND_ROWS);
        for ((index, values), out) in (first..).zip(&values).zip(rows) {
            store.put(values, bias.map(|bias| bias.band(index)), out);
        }
    }
}

/// The products of some bands of `matrix` and one token.
fn products(
    kernel: &Kernel,
    matrix: &Matrix<'_>,
    bands: Bands<'_>,
    input: &Input<'_>,
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
