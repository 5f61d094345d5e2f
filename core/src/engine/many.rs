//! Products of a matrix with several tokens: how the sums that kernels make get where they belong.

use core::ops::Range;

use super::linear::{ABREAST, Input, Output, Projection, Store};
use super::workers::{Workers, halves, share};
use crate::format::encoding::{BAND_ROWS, Band};
use crate::kernel::{Ints, Kernel, Sums, Work, rescale};
use crate::model::Vector;
use crate::plan::{Claim, Strips};

/// Tokens that share one pass over a band's weights; their sums lie on the stack. Kernels that lay out a band's weights
/// anew do so once per pass.
const TILE: usize =
    if cfg!(any(target_arch = "aarch64", target_arch = "x86_64")) { 128 } else { 8 };

/// Computes the rows in `bands` of `projection` for the tokens of `input`, by so many threads or fewer, each of which asks for so many bands
/// at a time.
pub(super) fn many(
    kernel: &Kernel,
    (workers, threads): (&dyn Workers, usize),
    projection: &Projection<'_>,
    (bands, at_a_time): (Range<usize>, usize),
    input: Input<'_>,
    output: Output<'_>,
) {
    let Output { values, stride, store } = output;
    let rows = projection.matrix.rows();
    let mut rest = input;
    let halves = halves(values, stride, input.tokens(), threads, |half, values| {
        let (input, others) = rest.split(half.len());
        rest = others;
        (input, Strips::new(values, stride, rows, BAND_ROWS, bands.clone()))
    });
    share(workers, |end| {
        for (input, strips) in end.first(&halves).filter(|(input, _)| input.tokens() > 0) {
            several(kernel, projection, input, store, || strips.claim(|_| at_a_time));
        }
    });
}

/// The rows of the claimed bands for all tokens.
#[inline(never)] // What it has on the stack should not cost a single token.
fn several<'c>(
    kernel: &Kernel,
    projection: &Projection<'_>,
    input: &Input<'_>,
    store: Store,
    claims: impl Fn() -> Option<Claim<'c>>,
) {
    let matrix = projection.matrix;
    let mut sums = [[Sums::default(); TILE]; ABREAST];
    while let Some(mut claim) = claims() {
        let indices = claim.strips();
        let mut bands = indices.zip(matrix.bands_in(claim.strips()).iter());
        while let Some((index, bytes)) = bands.next() {
            let band = matrix.band_of(bytes);
            let next = match band {
                Band::F32(_) => None,
                _ if ABREAST > 1 => bands.next().map(|(_, bytes)| matrix.band_of(bytes)),
                _ => None,
            };
            let mut rest = *input;
            let mut first = 0;
            while first < input.tokens() {
                let (x, others) = rest.split(TILE.min(rest.tokens()));
                rest = others;
                let mut each = sums.iter_mut().filter_map(|sums| sums.get_mut(..x.tokens()));
                let (Some(sums), more) = (each.next(), each.next()) else { return };
                match (&band, &next, more) {
                    (Band::F32(band), ..) => {
                        let mut sums = [Sums::default(); TILE];
                        (kernel.f32)(band.columns, x.floats, &mut sums);
                        let bias = projection.bias.map(|bias| bias.band(index));
                        let rows = claim.rows_of(index..index + 1, first);
                        for (product, row) in sums.iter().zip(rows).take(x.tokens()) {
                            store.put(product, bias, row);
                        }
                    }
                    (band, Some(next), Some(more)) => {
                        let scales = match (kernel.two, band, next) {
                            (Some(two), Band::Q8(band), Band::Q8(next)) => {
                                let bands = [band.groups, next.groups];
                                (two.q8)(bands, x.ints, [&mut *sums, &mut *more]);
                                [band.scales, next.scales]
                            }
                            (Some(two), Band::Q4(band), Band::Q4(next)) => {
                                let bands = [(band.groups, band.pairs), (next.groups, next.pairs)];
                                (two.q4)(bands, x.ints, [&mut *sums, &mut *more]);
                                [band.scales, next.scales]
                            }
                            _ => [
                                integers(kernel, band, x.ints, sums),
                                integers(kernel, next, x.ints, more),
                            ],
                        };
                        let rows = claim.rows_of(index..index + 2, first);
                        let (sums, scales) = ([&*sums, &*more], (scales, x.scales));
                        kernel.run(Put::new(projection, index, sums, scales, store, rows));
                    }
                    (band, ..) => {
                        let scales = ([integers(kernel, band, x.ints, sums)], x.scales);
                        let rows = claim.rows_of(index..index + 1, first);
                        kernel.run(Put::new(projection, index, [&*sums], scales, store, rows));
                    }
                }
                first += x.tokens();
            }
        }
    }
}

/// The sums of some tokens with a band of integers, whose rows' scales are returned.
fn integers(
    kernel: &Kernel,
    band: &Band<'_>,
    x: Ints<'_>,
    sums: &mut [Sums<i32>],
) -> [f32; BAND_ROWS] {
    match band {
        Band::Q8(band) => {
            (kernel.q8)(band.groups, x, sums);
            band.scales
        }
        Band::Q4(band) => {
            (kernel.q4)(band.groups, band.pairs, x, sums);
            band.scales
        }
        Band::F32(_) => [0.0; BAND_ROWS],
    }
}

/// Sums of some tokens with N bands of integers, on the way to where the products belong.
struct Put<'s, const N: usize, R> {
    sums: [&'s [Sums<i32>]; N],
    /// Of the bands' rows, and of the tokens.
    scales: ([Sums<f32>; N], &'s [f32]),
    bias: Option<[Sums<f32>; N]>,
    /// Whether all of the bands' rows are there.
    whole: bool,
    store: Store,
    /// Where they belong, each token's.
    rows: R,
}

impl<'s, const N: usize, R> Put<'s, N, R> {
    /// With bands from `index` on.
    fn new(
        projection: &Projection<'_>,
        index: usize,
        sums: [&'s [Sums<i32>]; N],
        scales: ([Sums<f32>; N], &'s [f32]),
        store: Store,
        rows: R,
    ) -> Self {
        let bias = |bias: Vector<'_>| core::array::from_fn(|n| bias.band(index + n));
        let whole = projection.matrix.rows() / BAND_ROWS >= index + N;
        Self { sums, scales, bias: projection.bias.map(bias), whole, store, rows }
    }
}

impl<'r, const N: usize, R: Iterator<Item = &'r mut [f32]>> Put<'_, N, R> {
    /// Whole bands without a bias: most, and many tokens.
    #[inline(always)]
    fn whole<const ADD: bool>(mut self) {
        let (of_rows, of_tokens) = self.scales;
        for (token, scale) in of_tokens.iter().enumerate() {
            let Some(row) = self.rows.next() else { return };
            let Some(row) = row.as_chunks_mut().0.first_chunk_mut::<N>() else { return };
            for ((out, sums), rows) in row.iter_mut().zip(&self.sums).zip(&of_rows) {
                let Some(sums) = sums.get(token) else { return };
                let mut product = rescale(sums, rows, *scale);
                if ADD {
                    let before: Sums<f32> = *out;
                    for (product, before) in product.iter_mut().zip(before) {
                        *product += before;
                    }
                }
                *out = product;
            }
        }
    }
}

impl<'r, const N: usize, R: Iterator<Item = &'r mut [f32]>> Work for Put<'_, N, R> {
    #[inline(always)]
    fn run(self) {
        if self.bias.is_none() && self.whole {
            return match self.store {
                Store::Set => self.whole::<false>(),
                Store::Add => self.whole::<true>(),
            };
        }
        let Self { sums, scales: (of_rows, of_tokens), bias, store, .. } = self;
        let bias = |n| bias.and_then(|bias: [Sums<f32>; N]| bias.get(n).copied());
        for ((token, scale), row) in of_tokens.iter().enumerate().zip(self.rows) {
            let each = row.chunks_mut(BAND_ROWS).zip(sums).zip(&of_rows).enumerate();
            for (n, ((out, sums), rows)) in each {
                let Some(sums) = sums.get(token) else { return };
                store.put(&rescale(sums, rows, *scale), bias(n), out);
            }
        }
    }
}
