//! int8 weights.
//!
//! ```text
//! vld4.32 {d0[], …, d3[]}       → 16 activations, 4 in each register, twice
//! per two groups, four times (two rows each):
//!   vmull.s8, vmlal.s8(w, x4)   → i16, four per row    at most 2 · 127 · 127 < 2¹⁵
//!   vpadal.s16                  → i32, two per row; added up
//! ```
//!
//! Four groups take 31 instructions, 0.24 per multiply-accumulate. A second token would save two of them.

use core::arch::naked_asm;

use crate::kernel::{Group, Ints, Sums};

/// See [`crate::kernel::DotQ8`].
pub(super) fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let groups = groups.get(..x.cols / 4).unwrap_or(groups);
    for (x, sums) in x.values.chunks_exact(x.cols.max(1)).zip(sums) {
        // SAFETY: there is NEON where this is handed out; x has 4 activations for each of the groups.
        unsafe { one_token(groups.as_ptr(), x.as_ptr(), groups.len(), sums) }
    }
}

/// Two groups by two registers of activations, added to q10 to q13.
#[rustfmt::skip]
macro_rules! two_groups {
    ($first:literal, $second:literal) => {
        concat!(
            "vld1.8 {{d8-d11}}, [r0]!\n",
            "vld1.8 {{d12-d15}}, [r0]!\n",
            "vmull.s8 q2, d8, ", $first, "\n",
            "vmull.s8 q3, d9, ", $first, "\n",
            "vmull.s8 q8, d10, ", $first, "\n",
            "vmull.s8 q9, d11, ", $first, "\n",
            "vmlal.s8 q2, d12, ", $second, "\n",
            "vmlal.s8 q3, d13, ", $second, "\n",
            "vmlal.s8 q8, d14, ", $second, "\n",
            "vmlal.s8 q9, d15, ", $second, "\n",
            "vpadal.s16 q10, q2\n",
            "vpadal.s16 q11, q3\n",
            "vpadal.s16 q12, q8\n",
            "vpadal.s16 q13, q9\n",
        )
    };
}

/// Writes the sums of one token.
///
/// # Safety
/// The processor has NEON. `count` groups and four times as many activations are there. The routine saves what a
/// function must, d8 to d15.
#[unsafe(naked)]
unsafe extern "C" fn one_token(
    groups: *const Group,
    x: *const i8,
    count: usize,
    sums: &mut Sums<i32>,
) {
    // r0 groups, r1 activations, r2 groups to come, r3 where the sums go
    // q0-q1 activations, q4-q7 weights, q2-q3 and q8-q9 products, q10-q13 totals
    naked_asm!(
        processor!(),
        "vpush {{d8-d15}}",
        "vmov.i32 q10, #0",
        "vmov.i32 q11, #0",
        "vmov.i32 q12, #0",
        "vmov.i32 q13, #0",
        "subs r2, r2, #4",
        "blt 3f",
        "2:",
        "vld4.32 {{d0[], d1[], d2[], d3[]}}, [r1]!",
        "pld [r0, #512]",
        "pld [r0, #576]",
        two_groups!("d0", "d1"),
        two_groups!("d2", "d3"),
        "subs r2, r2, #4",
        "bge 2b",
        "3:",
        "adds r2, r2, #4",
        "beq 5f",
        "4:",
        "vld1.32 {{d0[]}}, [r1]!",
        "vld1.8 {{d8-d11}}, [r0]!",
        "vmull.s8 q2, d8, d0",
        "vmull.s8 q3, d9, d0",
        "vmull.s8 q8, d10, d0",
        "vmull.s8 q9, d11, d0",
        "vpadal.s16 q10, q2",
        "vpadal.s16 q11, q3",
        "vpadal.s16 q12, q8",
        "vpadal.s16 q13, q9",
        "subs r2, r2, #1",
        "bne 4b",
        "5:",
        "vpadd.i32 d20, d20, d21",
        "vpadd.i32 d21, d22, d23",
        "vpadd.i32 d22, d24, d25",
        "vpadd.i32 d23, d26, d27",
        "vst1.32 {{d20-d23}}, [r3]",
        "vpop {{d8-d15}}",
        "bx lr",
    )
}
