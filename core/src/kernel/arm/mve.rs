//! Helium, the vectors of Cortex-M55 and M85: eight registers of 16 bytes.
//!
//! VMLADAV adds all 16 products of two registers of bytes to one general register, so it wants 16 columns of
//! one row. A row's words are 32 bytes apart: one load gathers four of them, from four addresses in a
//! register and an offset that says which row.
//!
//! ```text
//! q8, per 16 columns and row:  gather 4 words; vmladava(w, x)          → a sum per row
//! q4, per block and row:       gather 4 words: k0|k4 … k3|k7 k8|k12 …
//!   x in two registers: k0-3 k8-11 k16-19 k24-27, and the others       by vld2
//!   vand, vshr                             → nibbles of each; vmladava each → Σ n·x
//! q4, per block, four rows in a register of 32-bit lanes:
//!   total += s · (4 · Σ n·x + (z - 32) · Σx)
//! ```
//!
//! VMLADAV takes even registers only. The sub-scales and zeros of a pair of blocks become bytes s and z - 32
//! on the stack, from where loads widen them.

use core::arch::naked_asm;

use super::fpu::{SCALES, rescale};
use super::{Q4Layout, aligned, blocks, float, q4_layout, wide};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Bands, Group, Ints, Kernel, Sums, gemv, rows, scalar};

/// The kernel.
pub(super) static KERNEL: Kernel = Kernel {
    name: "arm-mve",
    f32: scalar::KERNEL.f32,
    q8,
    q4,
    gemv_q8,
    gemv_q4,
    q8_wide: wide::q8_wide,
    elementwise: float::ELEMENTWISE,
};

fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    if !aligned(groups) {
        return (scalar::KERNEL.q8)(groups, x, sums);
    }
    let groups = groups.get(..x.cols / 4).unwrap_or(groups);
    for (x, sums) in rows(x.values, x.cols).zip(sums) {
        // SAFETY: `groups` are `groups.len()` groups at a multiple of 4; x has 4 columns for each, and ends
        // with a whole block.
        unsafe { q8_band(groups.as_ptr(), x.as_ptr(), groups.len(), sums) }
    }
}

fn gemv_q8(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    let count = bands.len.saturating_sub(SCALES) / size_of::<Group>();
    let whole = bands.len == count * size_of::<Group>() + SCALES;
    if !whole || count > x.cols / 4 || x.values.len() < x.cols || !aligned(bands.bytes) {
        return gemv::q8(q8, bands, x, scale, out);
    }
    for (band, out) in bands.iter().zip(out) {
        let mut sums = Sums::default();
        // SAFETY: a band of `count` groups and scales at a multiple of 4; x has 4 columns for each group, and
        // ends with a whole block.
        unsafe {
            q8_band(band.as_ptr().cast(), x.values.as_ptr(), count, &mut sums);
            rescale(&sums, band, count * size_of::<Group>(), scale, out);
        }
    }
}

/// The words of a row of four groups, by 16 activations in q1; the groups lie `$at` less 4 · row bytes from
/// q0's addresses.
macro_rules! q8_row {
    ($at:literal, $sum:literal) => {
        concat!("vldrw.u32 q2, [q0, #", $at, "]\n", "vmladava.s8 ", $sum, ", q2, q1\n",)
    };
}

/// Two such rows where not all four groups are there.
macro_rules! q8_last_rows {
    ($at:literal, $next:literal, $sum:literal, $next_sum:literal) => {
        concat!(
            "vpstt\n",
            "vldrwt.u32 q2, [q0, #",
            $at,
            "]\n",
            "vldrwt.u32 q3, [q0, #",
            $next,
            "]\n",
            "vmladava.s8 ",
            $sum,
            ", q2, q1\n",
            "vmladava.s8 ",
            $next_sum,
            ", q3, q1\n",
        )
    };
}

/// Writes the sums of a band of `count` groups, by four times as many activations, which may be read up to
/// the next 16.
///
/// # Safety
/// `groups` are `count` groups at a multiple of 4. The routine saves what a function must, r4 to r11, uses q0 to
/// q3, which it need not save, and loads no lane beyond the last group.
#[unsafe(naked)]
unsafe extern "C" fn q8_band(
    groups: *const Group,
    x: *const i8,
    count: usize,
    sums: &mut Sums<i32>,
) {
    // even registers: sums; r1 x, r3 four groups each to come, r5 the last ones; q0 addresses 128 bytes back
    naked_asm!(
        processor!(),
        "push {{r3-r11, lr}}",
        "lsr r3, r2, #2",
        "and r5, r2, #3",
        "mov r4, #0",
        "vidup.u32 q0, r4, #8",
        "vshl.i32 q0, q0, #2",
        "sub r0, #128",
        "vadd.i32 q0, q0, r0",
        "mov r0, #0",
        "mov r2, #0",
        "mov r4, #0",
        "mov r6, #0",
        "mov r8, #0",
        "mov r10, #0",
        "mov r12, #0",
        "mov lr, #0",
        "cbz r3, 2f",
        "1:",
        "vldrb.u8 q1, [r1], #16",
        "vldrw.u32 q2, [q0, #128]!",
        "vmladava.s8 r0, q2, q1",
        q8_row!(4, "r2"),
        q8_row!(8, "r4"),
        q8_row!(12, "r6"),
        q8_row!(16, "r8"),
        q8_row!(20, "r10"),
        q8_row!(24, "r12"),
        q8_row!(28, "lr"),
        "subs r3, #1",
        "bne 1b",
        "2:",
        "cbz r5, 3f",
        "vctp.32 r5",
        "vldrb.u8 q1, [r1]",
        q8_last_rows!(128, 132, "r0", "r2"),
        q8_last_rows!(136, 140, "r4", "r6"),
        q8_last_rows!(144, 148, "r8", "r10"),
        q8_last_rows!(152, 156, "r12", "lr"),
        "3:",
        "pop {{r3}}",
        "stm r3, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "pop {{r4-r11, pc}}",
    )
}

fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let blocks = blocks(groups, pairs, x);
    if !aligned(groups) || !aligned(x.values) || blocks.is_empty() {
        return (scalar::KERNEL.q4)(groups, pairs, x, sums);
    }
    let cols = x.cols.max(BLOCK);
    let tokens = rows(x.values, cols).zip(rows(x.block_sums, cols / BLOCK));
    for ((x, block_sums), sums) in tokens.zip(sums) {
        // SAFETY: `blocks` are some blocks at a multiple of 4; for each of them there is half a pair, a block
        // of activations (at a multiple of 4) and its sum.
        unsafe {
            let end = x.as_ptr().add(BLOCK * blocks.len());
            q4_band(blocks.as_ptr(), x.as_ptr(), block_sums.as_ptr(), pairs.as_ptr(), end, sums);
        }
    }
}

fn gemv_q4(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    let there = |layout: &Q4Layout| {
        let blocks = x.block_sums.len().min(x.values.len() / BLOCK);
        blocks >= layout.blocks && aligned(x.values)
    };
    let Some(layout) = q4_layout(bands, x).filter(there) else {
        return gemv::q4(q4, bands, x, scale, out);
    };
    let start = x.values.as_ptr();
    let sums_of_blocks = x.block_sums.as_ptr();
    for (band, out) in bands.iter().zip(out) {
        let mut sums = Sums::default();
        // SAFETY: a band at a multiple of 4 with this layout; for each of its blocks there is one of activations,
        // at a multiple of 4, and its sum.
        unsafe {
            let (blocks, pairs) = (band.as_ptr().cast(), band.as_ptr().add(layout.pairs).cast());
            let end = start.add(BLOCK * layout.blocks);
            q4_band(blocks, start, sums_of_blocks, pairs, end, &mut sums);
            rescale(&sums, band, layout.scales, scale, out);
        }
    }
}

/// The words of a row of a block: Σ n·x.
macro_rules! q4_row {
    ($load:literal, $sum:literal) => {
        concat!(
            "vldrw.u32 q3, [q0, #",
            $load,
            "\n",
            "vand q4, q3, q7\n",
            "vshr.u8 q3, q3, #4\n",
            "vmladav.s8 ",
            $sum,
            ", q4, q1\n",
            "vmladava.s8 ",
            $sum,
            ", q3, q2\n",
        )
    };
}

/// Four rows' Σ n·x to their total; `$sub`, `$zero`: where their bytes lie.
macro_rules! q4_scale {
    ($total:literal, $sub:literal, $zero:literal) => {
        concat!(
            "vmov q3[2], q3[0], r0, r4\n",
            "vmov q3[3], q3[1], r2, r6\n",
            "vldrb.s32 q4, [r7, #",
            $zero,
            "]\n",
            "vshl.i32 q3, q3, #2\n",
            "vmla.s32 q3, q4, r11\n",
            "vldrb.s32 q4, [r7, #",
            $sub,
            "]\n",
            "vmul.i32 q3, q3, q4\n",
            "vadd.i32 ",
            $total,
            ", ",
            $total,
            ", q3\n",
        )
    };
}

/// A block, whose bytes s and z - 32 lie at these offsets.
macro_rules! q4_block {
    ($subs:literal, $late_subs:literal, $zeros:literal, $late_zeros:literal) => {
        concat!(
            "vld20.32 {{q1, q2}}, [r1]\n",
            "vld21.32 {{q1, q2}}, [r1]!\n",
            "ldrsh r11, [r5], #2\n",
            q4_row!("128]!", "r0"),
            q4_row!("4]", "r2"),
            q4_row!("8]", "r4"),
            q4_row!("12]", "r6"),
            q4_scale!("q5", $subs, $zeros),
            q4_row!("16]", "r0"),
            q4_row!("20]", "r2"),
            q4_row!("24]", "r4"),
            q4_row!("28]", "r6"),
            q4_scale!("q6", $late_subs, $late_zeros),
        )
    };
}

/// Writes the sums of a band of nibbles, by the activations from `x` to `end`, at least a block.
///
/// # Safety
/// From `blocks` on there are as many blocks, at a multiple of 4, as from `x` (at a multiple of 4) to `end`, as
/// many block sums, and half as many pairs, rounded up. The routine saves what a function must: r4 to r11 and
/// d8 to d15.
#[unsafe(naked)]
unsafe extern "C" fn q4_band(
    blocks: *const [Group; 4],
    x: *const i8,
    block_sums: *const i16,
    pairs: *const Pair,
    end: *const i8,
    sums: &mut Sums<i32>,
) {
    // r0, r2, r4, r6: four rows' Σ n·x; r1 x, r3 pairs, r5 sums of blocks, r11 such a sum, r8 the end
    // r7: 0 s, 8 z - 32 of a pair's first block, 16 of its second, 32 what makes them of nibbles
    // q0 addresses, 128 bytes back; q1, q2 x; q5, q6 totals; q7 the mask
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldr r8, [sp, #36]",
        "vpush {{d8-d15}}",
        "sub sp, #48",
        "mov r7, sp",
        "mov r5, r2",
        "mov r4, #0",
        "vidup.u32 q0, r4, #8",
        "vshl.i32 q0, q0, #2",
        "sub r0, #128",
        "vadd.i32 q0, q0, r0",
        "vmov.i32 q5, #0",
        "vmov.i32 q6, #0",
        "vmov.i8 q7, #0x0F",
        // What is added to the nibbles: 1 and -40.
        "mov r0, #0x01010101",
        "mov r2, #0xD8D8D8D8",
        "vmov q1[2], q1[0], r0, r2",
        "vmov q1[3], q1[1], r0, r2",
        "vstrb.8 q1, [r7, #32]",
        "1:",
        "vldrb.u8 q1, [r3], #16",
        "vldrb.u8 q4, [r7, #32]",
        "vand q2, q1, q7",
        "vshr.u8 q1, q1, #4",
        "vadd.i8 q2, q2, q4",
        "vadd.i8 q1, q1, q4",
        "vstrb.8 q2, [r7]",
        "vstrb.8 q1, [r7, #16]",
        q4_block!(0, 4, 8, 12),
        "cmp r1, r8",
        "beq 2f",
        q4_block!(16, 20, 24, 28),
        "cmp r1, r8",
        "bne 1b",
        "2:",
        "ldr r0, [sp, #152]",
        "vstrw.32 q5, [r0]",
        "vstrw.32 q6, [r0, #16]",
        "add sp, #48",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    )
}
