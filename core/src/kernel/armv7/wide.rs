//! int8 weights by activations of 16 bits: keys and values of the cache.
//!
//! ```text
//! per group: w widened to i16, x4 = the token's 4 activations
//!   vmlal.s16(w, x4)   → i32, four per row; added up
//! ```

use core::arch::naked_asm;

use crate::kernel::{Group, Sums, Wide};

/// See [`crate::kernel::DotQ8Wide`].
pub(super) fn q8_wide(weights: Wide<'_>, x: &[i16], tokens: usize, sums: &mut [Sums<i32>]) {
    let cols = 4 * weights.per_band;
    if cols == 0 {
        return sums.fill(Sums::default());
    }
    for (groups, sums) in weights.bands().zip(sums.chunks_exact_mut(tokens.max(1))) {
        for (x, sums) in x.chunks_exact(cols).zip(sums) {
            // SAFETY: there is NEON where this is handed out; `per_band` groups, not none, and four times as many
            // activations.
            unsafe { one_token(groups.as_ptr(), x.as_ptr(), weights.per_band, sums) }
        }
    }
}

/// Writes the sums of one token.
///
/// # Safety
/// The processor has NEON. `count` groups, not none, and four times as many activations are there. The routine
/// saves what a function must, d8 to d15.
#[unsafe(naked)]
unsafe extern "C" fn one_token(
    groups: *const Group,
    x: *const i16,
    count: usize,
    sums: &mut Sums<i32>,
) {
    // r0 groups, r1 activations, r2 groups to come, r3 where the sums go
    // q0 activations, q2-q7 weights, q8-q15 totals
    naked_asm!(
        processor!(),
        "vpush {{d8-d15}}",
        "vmov.i32 q8, #0",
        "vmov.i32 q9, #0",
        "vmov.i32 q10, #0",
        "vmov.i32 q11, #0",
        "vmov.i32 q12, #0",
        "vmov.i32 q13, #0",
        "vmov.i32 q14, #0",
        "vmov.i32 q15, #0",
        "2:",
        "vld1.8 {{d4-d7}}, [r0]!",
        "vld1.16 {{d0}}, [r1]!",
        "vmovl.s8 q4, d4",
        "vmovl.s8 q5, d5",
        "vmovl.s8 q6, d6",
        "vmovl.s8 q7, d7",
        "subs r2, r2, #1",
        "vmlal.s16 q8, d8, d0",
        "vmlal.s16 q9, d9, d0",
        "vmlal.s16 q10, d10, d0",
        "vmlal.s16 q11, d11, d0",
        "vmlal.s16 q12, d12, d0",
        "vmlal.s16 q13, d13, d0",
        "vmlal.s16 q14, d14, d0",
        "vmlal.s16 q15, d15, d0",
        "bne 2b",
        "vpadd.i32 d16, d16, d17",
        "vpadd.i32 d18, d18, d19",
        "vpadd.i32 d20, d20, d21",
        "vpadd.i32 d22, d22, d23",
        "vpadd.i32 d24, d24, d25",
        "vpadd.i32 d26, d26, d27",
        "vpadd.i32 d28, d28, d29",
        "vpadd.i32 d30, d30, d31",
        "vpadd.i32 d16, d16, d18",
        "vpadd.i32 d17, d20, d22",
        "vpadd.i32 d18, d24, d26",
        "vpadd.i32 d19, d28, d30",
        "vst1.32 {{d16-d19}}, [r3]",
        "vpop {{d8-d15}}",
        "bx lr",
    )
}
