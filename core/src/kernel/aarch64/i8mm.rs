//! SMMLA (Neoverse V1 and N2, Cortex-A710, Apple M2 and later): multiplies 2 rows × 8 columns of int8
//! with 8 columns × 2 tokens into 2 × 2 sums of i32, twice the products of an SDOT.
//!
//! ```text
//! q8, per two groups and two tokens, for each two rows:
//!   zip of the groups' registers  → r0: k0 … k7, r1: k0 … k7
//!   zip of the tokens' registers  → t0: x0 … x7, t1: x0 … x7
//!   smmla                         → r0·t0, r0·t1, r1·t0, r1·t1; added up
//! ```
//!
//! Fewer than four tokens do not bring in what the zips cost, and nibbles would gain little, since what
//! scales a block stays. All that is SDOT's.

use core::arch::aarch64::*;
use core::arch::asm;

use super::{dotprod, load, store, tiles};
use crate::kernel::{Group, Ints, Kernel, Sums};

static KERNEL: Kernel = Kernel {
    name: "aarch64-i8mm",
    q8: |groups, x, sums| {
        // SAFETY: the table is handed out by `kernel()`, which has seen the feature.
        unsafe { q8(groups, x, sums) }
    },
    ..dotprod::KERNEL
};

/// The kernel, on machines that have SMMLA and SDOT.
pub(super) fn kernel() -> Option<&'static Kernel> {
    (super::detect::i8mm() && super::detect::dotprod()).then_some(&KERNEL)
}

/// Adds the products of 2 rows and 2 tokens. (The intrinsic is not stable.)
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn smmla(mut sums: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: registers only.
    unsafe {
        asm!(
            "smmla {:v}.4s, {:v}.16b, {:v}.16b", inout(vreg) sums, in(vreg) w, in(vreg) x,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

#[target_feature(enable = "neon,i8mm")]
fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let fours = groups.get(..x.cols / 4).unwrap_or(groups).as_chunks::<4>();
    let tokens = x.tokens().min(sums.len());
    let many = if let (fours, []) = fours {
        let many = tokens / 4 * 4;
        tiles!(x.split(many).0, &mut sums[..many], [8, 4] [4, 2] q8_tile(fours));
        many
    } else {
        0
    };
    (dotprod::KERNEL.q8)(groups, x.split(many).1, &mut sums[many..]);
}

/// T tokens, in P pairs.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn q8_tile<const T: usize, const P: usize>(
    fours: &[[Group; 4]],
    x: Ints<'_>,
    sums: &mut [Sums<i32>],
) {
    const { assert!(T == 2 * P) };
    debug_assert!(x.tokens() == T && sums.len() == T);
    let mut totals = [[vdupq_n_s32(0); 4]; P];
    for (i, groups) in fours.iter().enumerate() {
        let [a, b, c, d] = groups.each_ref().map(load);
        let (first, second) = (row_pairs(a, b), row_pairs(c, d));
        for (p, totals) in totals.iter_mut().enumerate() {
            // SAFETY: tokens 2·p and 2·p + 1 < T of x.cols ≥ 16·i + 16 columns.
            let (x, y) = unsafe {
                let at = x.values.as_ptr().add(2 * p * x.cols + 16 * i);
                (vld1q_s64(at.cast()), vld1q_s64(at.add(x.cols).cast()))
            };
            let low = vreinterpretq_s8_s64(vzip1q_s64(x, y));
            let high = vreinterpretq_s8_s64(vzip2q_s64(x, y));
            for ((total, first), second) in totals.iter_mut().zip(first).zip(second) {
                *total = smmla(smmla(*total, first, low), second, high);
            }
        }
    }
    for (sums, [a, b, c, d]) in sums.as_chunks_mut::<2>().0.iter_mut().zip(totals) {
        store(&mut sums[0], [vuzp1q_s32(a, b), vuzp1q_s32(c, d)]);
        store(&mut sums[1], [vuzp2q_s32(a, b), vuzp2q_s32(c, d)]);
    }
}

/// Two rows × 8 columns each, of two groups.
#[inline]
#[target_feature(enable = "neon")]
fn row_pairs(first: [int8x16_t; 2], second: [int8x16_t; 2]) -> [int8x16_t; 4] {
    let [a, b] = first.map(|w| vreinterpretq_s32_s8(w));
    let [c, d] = second.map(|w| vreinterpretq_s32_s8(w));
    [vzip1q_s32(a, c), vzip2q_s32(a, c), vzip1q_s32(b, d), vzip2q_s32(b, d)]
        .map(|w| vreinterpretq_s8_s32(w))
}
