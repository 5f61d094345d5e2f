//! What multiplies rows of four blocks and more: eight rows' Σ n·x of a block go to memory by one store, from where
//! loads gather blocks in lanes.

use super::super::super::Q4Layout;
use super::super::super::fpu::SCALES;
use super::{eights, fours};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Bands, Ints, Sums};

/// What the routines go by, and keep on their stack.
#[repr(C)]
pub(super) struct Walk {
    /// Of the activations that go by eight blocks, less 4 bytes where four more follow; of [`fours`] nothing.
    first_end: *const i8,
    /// What sub-scales are more than their nibbles, and zeros less.
    units: [u32; 2],
    /// Of the last blocks: pairs.
    late: usize,
    /// Of the last blocks: parameters in the band.
    late_pairs: *const Pair,
    out: *mut Sums<f32>,
    /// Of the activations.
    end: *const i8,
    x: *const i8,
    /// Of [`eights`] all, of [`fours`] the last blocks'.
    block_sums: *const i16,
    scale: f32,
    out_end: *mut Sums<f32>,
    /// Bytes from behind a band's blocks to the next one's.
    step: usize,
    /// Bytes from behind a band's pairs to the next one's last blocks'.
    next_pairs: usize,
    /// Bytes of a band's pairs before its last blocks'.
    to_late: usize,
    /// Of the four blocks before the last ones.
    four_sums: *const i16,
}

/// Some bands at a multiple of 4, of four blocks at least, by as many activations, at a multiple of 4, and a
/// positive normal scale; `out` has one for each.
pub(super) fn gemv(
    bands: Bands<'_>,
    layout: &Q4Layout,
    x: &Ints<'_>,
    scale: f32,
    out: &mut [Sums<f32>],
) {
    let blocks = layout.blocks;
    let eights = blocks - blocks % eights::BLOCKS;
    let first = blocks - blocks % fours::BLOCKS;
    let early = if first > eights { 4 } else { 0 };
    let sums = if eights == 0 { first } else { 0 };
    let to_late = first / 2 * size_of::<Pair>();
    let (band, values) = (bands.bytes.as_ptr(), x.values.as_ptr());
    let range = out.as_mut_ptr_range();
    let walk = Walk {
        first_end: values.wrapping_add(eights * BLOCK).wrapping_sub(early),
        units: [1, 8],
        late: (blocks - first).div_ceil(2),
        late_pairs: band.wrapping_add(layout.pairs + to_late).cast(),
        out: range.start,
        end: values.wrapping_add(blocks * BLOCK),
        x: values,
        block_sums: x.block_sums.as_ptr().wrapping_add(sums),
        scale,
        out_end: range.end,
        step: layout.scales - layout.pairs + SCALES,
        next_pairs: SCALES + layout.pairs + to_late,
        to_late,
        four_sums: x.block_sums.as_ptr().wrapping_add(first - fours::BLOCKS),
    };
    // SAFETY: some bands at a multiple of 4 with this layout, of as many blocks as the routine wants, one for each of
    // `out`; for each block of a band there is one of activations, at a multiple of 4, and its sum.
    unsafe {
        if eights == 0 { fours::q4_fours(band, &walk) } else { eights::q4_eights(band, &walk) }
    }
}

/// A block: eight rows' Σ n·x, stored.
macro_rules! q4_eight_rows {
    () => {
        concat!(
            "vld20.32 {{q1, q2}}, [r1]\n",
            "vld21.32 {{q1, q2}}, [r1]!\n",
            q4_row!("128]!", "r0"),
            q4_row!("4]", "r2"),
            q4_row!("8]", "r4"),
            q4_row!("12]", "r6"),
            q4_row!("16]", "r8"),
            q4_row!("20]", "r10"),
            q4_row!("24]", "r12"),
            q4_row!("28]", "lr"),
            "stm r3!, {{r0, r2, r4, r6, r8, r10, r12, lr}}\n",
        )
    };
}

/// The two pairs at q6's addresses, which step on to the next: q3 and q4 become 4·s and s·z of their first blocks, q1
/// and q2 of their second ones; r4 is 1, r6 is 8.
macro_rules! q4_two_pairs {
    () => {
        concat!(
            "vldrw.u32 q1, [q6, #32]!\n",
            "vldrw.u32 q2, [q6, #8]\n",
            "vand q3, q1, q7\n",
            "vshr.u8 q1, q1, #4\n",
            "vand q4, q2, q7\n",
            "vshr.u8 q2, q2, #4\n",
            "vadd.i8 q3, q3, r4\n",
            "vadd.i8 q1, q1, r4\n",
            "vsub.i8 q4, q4, r6\n",
            "vsub.i8 q2, q2, r6\n",
            "vmul.i8 q4, q4, q3\n",
            "vmul.i8 q2, q2, q1\n",
            "vshl.i8 q3, q3, #2\n",
            "vshl.i8 q1, q1, #2\n",
        )
    };
}

/// The next two pairs' bytes to their places on the stack: those of 4·s by what lies at `$at`, those of s·z as far from
/// `$late` as these from sp. At r3 lie what becomes r2, then 1 and 8.
macro_rules! q4_place_two_pairs {
    ($at:literal, $late:literal) => {
        concat!(
            "ldm r3!, {{r2, r4, r6}}\n",
            "vldrw.u32 q5, [sp, #",
            $at,
            "]\n",
            q4_two_pairs!(),
            "vstrb.8 q3, [sp, q5]\n",
            "vstrb.8 q4, [",
            $late,
            ", q5]\n",
            "vadd.i8 q5, q5, r4\n",
            "vstrb.8 q1, [sp, q5]\n",
            "vstrb.8 q2, [",
            $late,
            ", q5]\n",
        )
    };
}

/// q0, q7 and the stack's registers, from r0, the blocks.
macro_rules! q4_addresses {
    () => {
        concat!(
            "mov r4, #0\n",
            "vidup.u32 q0, r4, #8\n",
            "vshl.i32 q0, q0, #2\n",
            "sub r0, #128\n",
            "vadd.i32 q0, q0, r0\n",
            "vmov.i8 q7, #0x0F\n",
            "add r7, sp, #4\n",
            "add r9, sp, #8\n",
            "add r11, sp, #12\n",
        )
    };
}

/// Totals to results, at r8; back to `3:` for the next band, else out. `$scale`, `$step`, `$pairs`: where these lie in
/// the `$frame` bytes of the stack.
macro_rules! q4_finish {
    ($scale:literal, $step:literal, $pairs:literal, $frame:literal) => {
        concat!(
            "ldrd r0, r2, [sp, #",
            $scale,
            "]\n",
            q4_results!(),
            "7:\n",
            "ldrd r4, r6, [sp, #",
            $step,
            "]\n",
            "vadd.i32 q0, q0, r4\n",
            "add r3, r6\n",
            "strd r3, r8, [sp, #",
            $pairs,
            "]\n",
            "cmp r8, r2\n",
            "bne 3b\n",
            "add sp, #",
            $frame,
            "\n",
            "vpop {{d8-d15}}\n",
            "pop {{r4-r11, pc}}\n",
            q4_results_slowly!("sp", $scale),
        )
    };
}
