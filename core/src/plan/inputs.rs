//! What goes into the next matrix, token by token.

use super::carve::{Carver, Part};
use super::parts::Parts;
use super::{Shape, product};
use crate::format::BLOCK;
use crate::kernel::Widened;

/// The input of the next matrix, and the same as int8: [batch, its padded columns] each.
pub(crate) struct Inputs<'a> {
    pub(crate) floats: &'a mut [f32],
    pub(crate) quants: &'a mut [i8],
    /// Per token.
    pub(crate) scales: &'a mut [f32],
    /// Sums of `quants` over blocks of 32 columns.
    pub(crate) block_sums: &'a mut [i16],
    /// What kernels of some processors read for every band. Planned on every machine, so that a plan made on one
    /// is right for another.
    pub(crate) widened: &'a mut [Widened],
    /// Whether nothing has been made of that, as nobody was going to read it.
    pub(crate) narrow: bool,
}

impl<'a> Inputs<'a> {
    pub(super) fn carve(carver: &mut Carver<'a>, shape: &Shape) -> Option<Self> {
        let &Shape { batch, width, .. } = shape;
        // Floats need no int8.
        let int8 = usize::from(shape.quantized);
        let part = Part::Activations;
        Some(Self {
            floats: carver.slice(part, product(&[batch, width]))?,
            quants: carver.slice(part, product(&[int8, batch, width]))?,
            scales: carver.slice(part, product(&[int8, batch]))?,
            block_sums: carver.slice(part, product(&[int8, batch, width / BLOCK]))?,
            widened: carver.slice(part, product(&[int8, batch, width / BLOCK]))?,
            narrow: false,
        })
    }
}

/// A token's part of [`Inputs`].
pub(crate) struct InputRow<'a> {
    pub(crate) floats: &'a mut [f32],
    /// Of quantized models.
    pub(crate) ints: Option<IntsRow<'a>>,
}

/// A token's part of what is int8 there.
pub(crate) struct IntsRow<'a> {
    pub(crate) quants: &'a mut [i8],
    pub(crate) scale: &'a mut f32,
    pub(crate) block_sums: &'a mut [i16],
    pub(crate) widened: &'a mut [Widened],
}

/// The rows of [`Inputs`], token by token.
pub(crate) struct InputRows<'a> {
    floats: Parts<'a, f32>,
    quants: Parts<'a, i8>,
    scales: Parts<'a, f32>,
    block_sums: Parts<'a, i16>,
    widened: Parts<'a, Widened>,
}

impl Inputs<'_> {
    /// See [`Self::narrow`]; elsewhere than on x86-64 somebody always is.
    pub(crate) fn is_narrow(&self) -> bool {
        cfg!(target_arch = "x86_64") && self.narrow
    }

    /// The rows of so many tokens, of `cols` columns each, a multiple of [`BLOCK`], to be written to: with room to widen them, if
    /// somebody `wants` that.
    pub(crate) fn rows(&mut self, cols: usize, tokens: usize, wants: bool) -> InputRows<'_> {
        // As many of each, so that they belong together from either end.
        fn rows<T>(all: &mut [T], len: usize, tokens: usize) -> Parts<'_, T> {
            Parts::new(all.get_mut(..len.saturating_mul(tokens)).unwrap_or_default(), len)
        }
        if cfg!(target_arch = "x86_64") {
            self.narrow = !wants;
        }
        let narrow = self.is_narrow();
        let blocks = cols.checked_div(BLOCK).unwrap_or(0);
        InputRows {
            floats: rows(self.floats, cols, tokens),
            quants: rows(self.quants, cols, tokens),
            scales: rows(self.scales, 1, tokens),
            block_sums: rows(self.block_sums, blocks, tokens),
            widened: rows(if narrow { &mut [] } else { self.widened }, blocks, tokens),
        }
    }
}

impl<'a> InputRows<'a> {
    fn row(
        floats: &'a mut [f32],
        quants: Option<&'a mut [i8]>,
        scale: Option<&'a mut [f32]>,
        block_sums: Option<&'a mut [i16]>,
        widened: Option<&'a mut [Widened]>,
    ) -> InputRow<'a> {
        let ints = quants.zip(scale.and_then(<[_]>::first_mut)).zip(block_sums);
        let ints = ints.map(|((quants, scale), block_sums)| IntsRow {
            quants,
            scale,
            block_sums,
            widened: widened.unwrap_or_default(),
        });
        InputRow { floats, ints }
    }
}

impl<'a> Iterator for InputRows<'a> {
    type Item = InputRow<'a>;

    fn next(&mut self) -> Option<InputRow<'a>> {
        let floats = self.floats.next()?;
        let (quants, scale) = (self.quants.next(), self.scales.next());
        Some(Self::row(floats, quants, scale, self.block_sums.next(), self.widened.next()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.floats.size_hint()
    }
}

impl DoubleEndedIterator for InputRows<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let floats = self.floats.next_back()?;
        let (quants, scale) = (self.quants.next_back(), self.scales.next_back());
        let (sums, widened) = (self.block_sums.next_back(), self.widened.next_back());
        Some(Self::row(floats, quants, scale, sums, widened))
    }
}

impl ExactSizeIterator for InputRows<'_> {}
