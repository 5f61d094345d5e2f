//! x86-64: AVX2, AVX-VNNI, and AVX-512 VNNI.
#![allow(unsafe_code)]

mod ahead;
mod avx2;
mod avx512vnni;
mod avxvnni;
mod detect;
mod quantize;
mod registers;
mod silu;
mod softmax;

pub(super) use avx2::widen;

use super::tiles::{blocks, tiles};
use super::{Group, Ints, Kernel, Nibbles, Sums, Work};
use crate::format::BLOCK;

/// Tokens from which on it is cheaper to lay out weights once for all of them.
pub(super) const WORTH_EXPANDING: usize = 16;

/// The kernels of this folder that this machine can run, the best one first.
pub(super) fn available() -> impl Iterator<Item = &'static Kernel> {
    [avx512vnni::kernel(), avxvnni::kernel(), avx2::kernel()].into_iter().flatten()
}

/// See [`Kernel::run`], for kernels of this folder.
#[inline(always)]
pub(super) fn run(work: impl Work) {
    #[target_feature(enable = "avx2")]
    fn run(work: impl Work) {
        work.run();
    }
    // SAFETY: a kernel of this folder has seen AVX2, or it would not have been handed out.
    unsafe { run(work) }
}

/// Whether tokens have whole blocks and a sum for each: what loops may read without asking. Out of contract nothing
/// may be read that is not there.
fn in_contract(x: &Ints<'_>) -> bool {
    x.cols.is_multiple_of(BLOCK) && x.block_sums.len() >= x.tokens() * (x.cols / BLOCK)
}

/// Whether it is cheaper to lay out weights for tokens that are in contract, with as many sums of each of two bands.
fn are_many(x: &Ints<'_>, sums: &[&mut [Sums<i32>]; 2]) -> bool {
    let tokens = x.tokens();
    tokens >= WORTH_EXPANDING && in_contract(x) && sums.iter().all(|sums| sums.len() == tokens)
}

/// Groups that all bands have, and tokens columns for.
fn groups_of_all(bands: &[&[Group]], x: &Ints<'_>) -> usize {
    bands.iter().map(|groups| groups.len()).fold(x.cols / 4, usize::min)
}

/// Blocks of nibbles, with parameters, that all bands have, and tokens columns for.
fn blocks_of_all(bands: &[Nibbles<'_>], x: Ints<'_>) -> usize {
    let each = bands.iter().map(|(groups, pairs)| blocks(groups, x).len().min(2 * pairs.len()));
    each.min().unwrap_or(0)
}

/// Token `t`'s sums of the blocks 2·p and 2·p + 1 in the halves of an i32; 0 for a block that is not
/// there.
fn pair_sums(x: Ints<'_>, t: usize, p: usize) -> i32 {
    let blocks = x.cols / BLOCK;
    let sum = |block: usize| match x.block_sums.get(t * blocks + block) {
        Some(&sum) if block < blocks => u32::from(sum.cast_unsigned()),
        _ => 0,
    };
    (sum(2 * p) | sum(2 * p + 1) << 16).cast_signed()
}

/// A function of `elementwise` compiled for a target feature, as a safe one.
macro_rules! compiled {
    ($feature:literal, $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?) => {{
        #[target_feature(enable = $feature)]
        fn compiled($($argument: $type),*) $(-> $result)? {
            crate::kernel::elementwise::$name($($argument),*)
        }
        fn call($($argument: $type),*) $(-> $result)? {
            // SAFETY: the table that this function is in is handed out by a `kernel()` that has seen
            // the feature.
            unsafe { compiled($($argument),*) }
        }
        call
    }};
}
use compiled;

/// The elementwise loops compiled for target features. The table must only be handed out where the
/// features have been seen.
macro_rules! elementwise_for {
    ($feature:literal) => {{
        use crate::kernel::Sums;
        use crate::kernel::elementwise::{Elementwise, Floats, Strided};
        use crate::kernel::x86_64::compiled;
        Elementwise {
            quantize: crate::kernel::x86_64::quantize::quantize,
            quantize_wide: compiled!($feature, quantize_wide(x: &[f32], limit: f32, q: &mut [i16]) -> f32),
            rms_norm: compiled!($feature, rms_norm(x: &[f32], gain: Floats<'_>, epsilon: f32, out: &mut [f32])),
            layer_norm: compiled!(
                $feature,
                layer_norm(x: &[f32], gain: Floats<'_>, bias: Floats<'_>, epsilon: f32, out: &mut [f32])
            ),
            activate: crate::kernel::x86_64::silu::activate,
            exp_sum: compiled!($feature, exp_sum(x: &mut [Sums<f32>], max: f32) -> (f32, f32)),
            softmax: crate::kernel::x86_64::softmax::softmax,
            accumulate: compiled!(
                $feature,
                accumulate(out: &mut [f32], shrink: f32, sums: Strided<'_>, scale: f32)
            ),
        }
    }};
}
use elementwise_for;
