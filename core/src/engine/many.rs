//! Products of a matrix with several tokens: how the sums that kernels make get where they belong.

use core::ops::Range;

use super::linear::{ABREAST, Input, Output, Projection, Store};
use super::workers::{Workers, halves, share};
use crate::format::encoding::{BAND_ROWS, Band};
use crate::kernel::{Ints, Kernel, Sums, rescale};
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
                        let products = sums.into_iter().take(x.tokens()).map(|sums| [sums]);
                        let rows = claim.rows_of(index..index + 1, first);
                        Places::new(projection, index, store).put(products, rows);
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
                        let each = sums.iter().zip(more.iter()).zip(x.scales);
                        let products = each.map(|((sums, more), scale)| {
                            [rescale(sums, &scales[0], *scale), rescale(more, &scales[1], *scale)]
                        });
                        Places::new(projection, index, store).put(products, rows);
                    }
                    (band, ..) => {
                        let scales = integers(kernel, band, x.ints, sums);
                        let each = sums.iter().zip(x.scales);
                        let products = each.map(|(sums, scale)| [rescale(sums, &scales, *scale)]);
                        let rows = claim.rows_of(index..index + 1, first);
                        Places::new(projection, index, store).put(products, rows);
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

/// How the products with N bands' rows are put where they belong.
struct Places<const N: usize> {
    store: Store,
    bias: Option<[Sums<f32>; N]>,
    /// Whether all of the bands' rows are there.
    whole: bool,
}

impl<const N: usize> Places<N> {
    /// Of bands from `index` on.
    fn new(projection: &Projection<'_>, index: usize, store: Store) -> Self {
        let bias = |bias: Vector<'_>| core::array::from_fn(|n| bias.band(index + n));
        Self {
            store,
            bias: projection.bias.map(bias),
            whole: projection.matrix.rows() / BAND_ROWS >= index + N,
        }
    }

    /// Puts the products of some tokens there, a row each.
    #[inline(always)]
    fn put<'r>(
        &self,
        products: impl Iterator<Item = [Sums<f32>; N]>,
        rows: impl Iterator<Item = &'r mut [f32]>,
    ) {
        let Self { store, bias, whole } = self;
        let each = products.zip(rows);
        if bias.is_some() || !whole {
            for (products, row) in each {
                let bias = bias.iter().flatten().map(Some).chain(core::iter::repeat(None));
                let each = products.iter().zip(bias).zip(row.chunks_mut(BAND_ROWS));
                each.for_each(|((products, bias), out)| store.put(products, bias.copied(), out));
            }
            return;
        }
        // Most bands, many tokens: loops that ask little more.
        let each =
            each.map(|(products, row)| (products, row.as_chunks_mut().0.first_chunk_mut::<N>()));
        match store {
            Store::Set => each.for_each(|(products, row)| {
                if let Some(row) = row {
                    *row = products;
                }
            }),
            Store::Add => each.for_each(|(products, row)| {
                let Some(row) = row else { return };
                for (out, products) in row.iter_mut().zip(&products) {
                    let out: &mut Sums<f32> = out;
                    out.iter_mut().zip(products).for_each(|(out, product)| *out += product);
                }
            }),
        }
    }
}
