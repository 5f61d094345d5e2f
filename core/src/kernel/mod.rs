//! The inner loops. [`scalar`] is the truth; other instruction sets give the same bits.
//!
//! A kernel knows bytes and lengths, never a tensor. Its dot products take the groups of bands
//! ([`crate::format::encoding`]) and the activations of several tokens, and give one sum per token and
//! row. Integer sums are exact in any order; float sums have the one order that the scalar code
//! spells out. The elementwise loops are written once ([`elementwise`]) and compiled per instruction
//! set: each operation is one IEEE operation wherever it runs, so vectors cannot change a bit.

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod aarch64;
#[cfg(any(acorn_dsp, acorn_mve))]
mod arm;
#[cfg(all(target_arch = "arm", target_endian = "little", feature = "std"))]
mod armv7;
pub mod elementwise;
mod gemv;
pub mod scalar;
#[cfg(any(acorn_soft, test))]
mod soft;
#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_endian = "little"),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
mod tiles;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm32;
#[cfg(all(any(target_arch = "arm", target_arch = "riscv32"), not(any(acorn_dsp, acorn_mve))))]
mod word;
#[cfg(any(target_arch = "riscv64", target_arch = "x86_64"))]
mod word64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use crate::format::encoding::Encoding;
pub use crate::format::encoding::{Bands, Group};
use crate::format::{BAND_ROWS, BLOCK};
use elementwise::Elementwise;
#[cfg(not(acorn_mcu))]
pub(crate) use gemv::rescale;

/// Sums of one token: one per row of the band.
pub type Sums<T> = [T; BAND_ROWS];

/// int8 activations of some tokens.
#[derive(Clone, Copy, Debug)]
pub struct Ints<'a> {
    /// Columns per token, padded with zeros to a multiple of [`crate::format::BLOCK`].
    pub cols: usize,
    /// [tokens, cols], each in -127..=127.
    pub values: &'a [i8],
    /// [tokens, cols / 32]: sums over blocks. They carry the zero points.
    pub block_sums: &'a [i16],
    /// [tokens, cols / 32]: the same once more as [`widen`] lays them out, or nothing; then kernels that
    /// want them so are slow.
    pub widened: &'a [Widened],
}

/// Room per block for what kernels read for every band and is therefore made once per token: on microcontrollers
/// the block's activations in words, with what its zeros are multiplied with; on AArch64 only the latter, on x86-64 a
/// token's activations in 16 bits, or of many columns those that are light, and a list of the rest.
pub type Widened = [u32; 2 + BLOCK / 2];

impl<'a> Ints<'a> {
    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.values.len().checked_div(self.cols).unwrap_or(0)
    }

    /// The first `tokens` of them, and the rest.
    pub fn split(self, tokens: usize) -> (Self, Self) {
        let cols = self.cols;
        let split = tokens.saturating_mul(cols);
        if split >= self.values.len() {
            return (self, Self { cols, values: &[], block_sums: &[], widened: &[] });
        }
        let (values, rest) = self.values.split_at_checked(split).unwrap_or((self.values, &[]));
        let (sums, rest_sums) =
            self.block_sums.split_at_checked(split / BLOCK).unwrap_or((self.block_sums, &[]));
        let (widened, rest_widened) =
            self.widened.split_at_checked(split / BLOCK).unwrap_or((self.widened, &[]));
        (
            Self { cols, values, block_sums: sums, widened },
            Self { cols, values: rest, block_sums: rest_sums, widened: rest_widened },
        )
    }
}

/// `sums[t][r] = Σ_k w[r][k] · x[t][k]` for columns of 8 floats; x is tokens × columns.
pub type DotF32 = fn(columns: &[Group], x: &[f32], sums: &mut [Sums<f32>]);

/// The same, exact, for int8 weights in groups of 4 columns, at most `x.cols` of them, and int8
/// activations.
pub type DotQ8 = fn(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]);

/// The same for the nibbles and block parameters of [`crate::format::encoding::q4`], in units of the
/// row's scale.
pub type DotQ4 = fn(groups: &[Group], pairs: &[[u8; 16]], x: Ints<'_>, sums: &mut [Sums<i32>]);

/// [`DotQ8`] for two bands.
pub type DotQ8Two = fn(bands: [&[Group]; 2], x: Ints<'_>, sums: SumsOfTwo<'_>);

/// [`DotQ4`] for two bands.
pub type DotQ4Two = fn(bands: [Nibbles<'_>; 2], x: Ints<'_>, sums: SumsOfTwo<'_>);

/// As many sums of each band as there are tokens.
pub type SumsOfTwo<'a> = [&'a mut [Sums<i32>]; 2];

/// The same for two bands at once.
#[derive(Clone, Copy, Debug)]
pub struct Two {
    /// For q8 bands.
    pub q8: DotQ8Two,
    /// For q4 bands.
    pub q4: DotQ4Two,
}

/// A band's groups of nibbles, and their parameters.
pub type Nibbles<'a> = (&'a [Group], &'a [[u8; 16]]);

/// A matrix times one token's activations: `out[b][r] = sum · (scale of row r of band b · scale)`, the sums
/// as above; as many bands as `out` has.
pub type Gemv = fn(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]);

/// int8 weights in several bands without scales between them: keys and values in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Wide<'a> {
    /// The bands' groups of 4 columns.
    pub groups: &'a [Group],
    /// Groups from the start of one band to the start of the next.
    pub stride: usize,
    /// Groups of a band that count, at most `stride`.
    pub per_band: usize,
    /// Groups from each to the one that will be read in its place the next time: a hint, whatever it is.
    pub ahead: usize,
}

impl<'a> Wide<'a> {
    /// The groups that count, band by band.
    pub fn bands(self) -> impl Iterator<Item = &'a [Group]> {
        let bands = self.groups.chunks(self.stride.max(1));
        bands.filter_map(move |band| band.get(..self.per_band))
    }
}

/// The same for several bands and 16-bit activations [tokens, per_band · 4] below 2¹⁴ in magnitude, into
/// sums [bands, tokens]. In contract where no sum of |w·x| exceeds 2³¹ - 1.
pub type DotQ8Wide = fn(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]);

/// The loops of one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Its name, for people and for choosing it.
    pub name: &'static str,
    /// For f32 bands, which a build without the feature `full` has none of.
    pub f32: DotF32,
    /// For q8 bands.
    pub q8: DotQ8,
    /// For q4 bands.
    pub q4: DotQ4,
    /// For two bands at once, where many tokens are faster so.
    pub two: Option<Two>,
    /// Whether it has seen AVX2: for nobody else to say, as [`Self::run`] believes it.
    #[cfg(target_arch = "x86_64")]
    pub(crate) avx2: bool,
    /// Whether on x86-64, where [`Ints::widened`] serves nothing else, many tokens by q8 bands are faster with it.
    pub widens_q8: bool,
    /// For q8 bands and one token.
    pub gemv_q8: Gemv,
    /// For q4 bands and one token.
    pub gemv_q4: Gemv,
    /// For keys and values in the int8 cache.
    pub q8_wide: DotQ8Wide,
    /// What is not a dot product.
    pub elementwise: Elementwise,
}

/// Work of the engine that is to be compiled for a kernel's instruction set, too. (Its loops become vectors of that set where
/// all that they call is inlined: closures in iterators often are not.)
pub(crate) trait Work {
    /// Does it; `#[inline(always)]`.
    fn run(self);
}

impl Kernel {
    /// Does some work with the kernel's instructions.
    #[inline(always)]
    pub(crate) fn run(&self, work: impl Work) {
        #[cfg(target_arch = "x86_64")]
        if self.avx2 {
            return x86_64::run(work);
        }
        work.run();
    }
}

/// All whole rows of `len` numbers. (What [`slice::chunks_exact`] gives, without its division, in which
/// small builds cannot see that it never is by 0.)
pub(crate) fn rows<T>(all: &[T], len: usize) -> impl Iterator<Item = &[T]> {
    let (mut rest, len) = (all, len.max(1));
    core::iter::from_fn(move || {
        let (row, behind) = rest.split_at_checked(len)?;
        rest = behind;
        Some(row)
    })
}

/// Fills `out` for a token's blocks, of `values`, if a kernel of this build wants that.
pub fn widen(values: &[i8], block_sums: &[i16], out: &mut [Widened]) {
    #[cfg(acorn_dsp)]
    arm::widen(values, block_sums, out);
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    aarch64::widen(block_sums, out);
    #[cfg(target_arch = "x86_64")]
    x86_64::widen(values, out);
    #[cfg(all(acorn_mcu, not(any(acorn_dsp, acorn_mve))))]
    word::widen(values, block_sums, out);
    let _ = (values, block_sums, out);
}

/// Whether the kernel reads [`Ints::widened`] when it multiplies so many tokens with such a matrix.
#[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "always, elsewhere"))]
pub fn wants_widened(kernel: &Kernel, encoding: Encoding, tokens: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    return kernel.widens_q8 && encoding == Encoding::Q8 && tokens >= x86_64::WORTH_EXPANDING;
    #[cfg(not(target_arch = "x86_64"))]
    true
}

/// √x, correctly rounded, by an instruction where [`crate::math::sqrt`] has none.
pub fn sqrt(x: f32) -> f32 {
    #[cfg(acorn_fpu)]
    return arm::sqrt(x);
    #[cfg(not(acorn_fpu))]
    crate::math::sqrt(x)
}

/// The kernels that this machine can run, the best one first. The last is [`scalar`].
pub fn available() -> impl Iterator<Item = &'static Kernel> {
    let fast = core::iter::empty();
    #[cfg(target_arch = "x86_64")]
    let fast = fast.chain(x86_64::available());
    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    let fast = fast.chain(aarch64::available());
    #[cfg(any(acorn_dsp, acorn_mve))]
    let fast = fast.chain(arm::available());
    #[cfg(all(target_arch = "arm", target_endian = "little", feature = "std"))]
    let fast = fast.chain(armv7::available());
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    let fast = fast.chain(wasm32::available());
    #[cfg(all(any(target_arch = "arm", target_arch = "riscv32"), not(any(acorn_dsp, acorn_mve))))]
    let fast = fast.chain([&word::KERNEL]);
    #[cfg(any(target_arch = "riscv64", target_arch = "x86_64"))]
    let fast = fast.chain([&word64::KERNEL]);
    fast.chain([&scalar::KERNEL])
}

/// The best kernel for this machine.
pub fn best() -> &'static Kernel {
    available().next().unwrap_or(&scalar::KERNEL)
}
