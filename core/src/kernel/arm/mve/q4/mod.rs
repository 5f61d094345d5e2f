//! Nibbles.
//!
//! ```text
//! per block and row:  gather 4 words: k0|k4 … k3|k7 k8|k12 …
//!   x in two registers: k0-3 k8-11 k16-19 k24-27, and the others       by vld2
//!   vand, vshr                             → nibbles of each; vmladav each → Σ n·x
//! per block, four rows in a register of 32-bit lanes:
//!   total += s · (4 · Σ n·x + (z - 32) · Σx)
//! ```
//!
//! The sub-scales and zeros of a pair of blocks become bytes s and z - 32 on the stack, from where loads widen them.
//!
//! That is for one band, for rows of one block or three, and for the last blocks of longer ones. Before these, lanes
//! are a row's blocks instead: [`fours`], [`eights`]. Rows of two blocks are much the same: [`twos`].

use core::arch::naked_asm;

use super::super::fpu::SCALES;
use super::super::{Q4Layout, aligned, blocks, q4_layout};
use super::{positive, some};
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Bands, Group, Ints, Sums, gemv, rows, scalar};

pub(super) fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
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

/// [`gemv_q4`] where bands lie as they seldom do: its own function, so that its stack is not the others'.
#[cold]
#[inline(never)]
fn one_by_one(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    gemv::q4(q4, bands, x, scale, out);
}

pub(super) fn gemv_q4(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    let there = |layout: &Q4Layout| {
        let blocks = x.block_sums.len().min(x.values.len() / BLOCK);
        blocks >= layout.blocks && aligned(x.values) && positive(scale)
    };
    let layout = q4_layout(bands, x).filter(there);
    let (Some(layout), Some(out)) = (layout, some(&bands, out)) else {
        return one_by_one(bands, x, scale, out);
    };
    if layout.blocks >= fours::BLOCKS {
        return walk::gemv(bands, &layout, x, scale, out);
    }
    let range = out.as_mut_ptr_range();
    let walk = Q4Walk {
        x: x.values.as_ptr(),
        block_sums: x.block_sums.as_ptr(),
        blocks: layout.blocks,
        step: layout.scales - layout.pairs + SCALES,
        next_pairs: SCALES + layout.pairs,
        out: range.start,
        end: range.end,
        scale,
    };
    let band = bands.bytes.as_ptr();
    // SAFETY: some bands at a multiple of 4 with this layout, one for each of `out`, which `q4_twos` gets only of two
    // blocks; for each block of a band there is one of activations, at a multiple of 4, and its sum.
    unsafe {
        if layout.blocks == twos::BLOCKS {
            twos::q4_twos(band, &walk);
        } else {
            q4_bands(band.cast(), band.add(layout.pairs).cast(), &walk);
        }
    }
}

/// What [`q4_bands`] and [`twos`] go by.
#[repr(C)]
struct Q4Walk {
    x: *const i8,
    block_sums: *const i16,
    /// Of a band, not none.
    blocks: usize,
    /// Bytes from behind these to the next band.
    step: usize,
    /// Bytes from behind a band's pairs to the next one's.
    next_pairs: usize,
    out: *mut Sums<f32>,
    end: *mut Sums<f32>,
    scale: f32,
}

/// The words of a row of a block: Σ n·x.
macro_rules! q4_row {
    ($load:literal, $sum:literal) => {
        q4_row!($load, $sum, "q1", "q2")
    };
    // By activations that lie elsewhere.
    ($load:literal, $sum:literal, $x:literal, $late_x:literal) => {
        concat!(
            "vldrw.u32 q3, [q0, #",
            $load,
            "\n",
            "vand q4, q3, q7\n",
            "vshr.u8 q3, q3, #4\n",
            "vmladav.s8 ",
            $sum,
            ", q4, ",
            $x,
            "\n",
            "vmladava.s8 ",
            $sum,
            ", q3, ",
            $late_x,
            "\n",
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
            "vmla.s32 q3, q4, r12\n",
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
            "ldrsh r12, [r5], #2\n",
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

/// Blocks to totals; lr: pairs; `$units`: where what is added to the nibbles lies.
macro_rules! q4_blocks {
    ($units:literal) => {
        concat!(
            "1:\n",
            "vldrb.u8 q1, [r3], #16\n",
            "vldrb.u8 q4, [r7, #",
            $units,
            "]\n",
            "vand q2, q1, q7\n",
            "vshr.u8 q1, q1, #4\n",
            "vadd.i8 q2, q2, q4\n",
            "vadd.i8 q1, q1, q4\n",
            "vstrb.8 q2, [r7]\n",
            "vstrb.8 q1, [r7, #16]\n",
            q4_block!(0, 4, 8, 12),
            "cmp r1, r10\n",
            "beq 2f\n",
            q4_block!(16, 20, 24, 28),
            "le lr, 1b\n",
            "2:\n",
        )
    };
}

/// Totals to results, at r8, by the scales at r3 and the token's in r0; to `8:` where one of them is zero.
macro_rules! q4_results {
    () => {
        concat!(
            rescale_lanes!("[r3]", "q5", "q3", "r0"),
            rescale_lanes!("[r3, #8]", "q6", "q4", "r0"),
            "vstrw.32 q3, [r8], #16\n",
            "vstrw.32 q4, [r8], #16\n",
            zero_among!("q3", "q4", "r0"),
        )
    };
}

/// That place, and back to `7:`; the token's scale lies `$at` bytes from `$base`.
macro_rules! q4_results_slowly {
    ($base:literal, $at:literal) => {
        concat!(
            "8:\n",
            "vldr s8, [",
            $base,
            ", #",
            $at,
            "]\n",
            rescale_slowly!("[r3]", "q5", ("s20", "s21", "s22", "s23"), "s8"),
            rescale_slowly!("[r3, #8]", "q6", ("s24", "s25", "s26", "s27"), "s8"),
            "vstrw.32 q5, [r8, #-32]\n",
            "vstrw.32 q6, [r8, #-16]\n",
            "b 7b\n",
        )
    };
}

#[macro_use]
mod walk;
mod eights;
mod fours;
mod twos;

/// Registers and 48 bytes at r7, the stack's, for [`q4_blocks`], from r0, the blocks.
macro_rules! q4_start {
    () => {
        concat!(
            "vpush {{d8-d15}}\n",
            "sub sp, #48\n",
            "mov r7, sp\n",
            "mov r4, #0\n",
            "vidup.u32 q0, r4, #8\n",
            "vshl.i32 q0, q0, #2\n",
            "sub r0, #128\n",
            "vadd.i32 q0, q0, r0\n",
            "vmov.i8 q7, #0x0F\n",
            // What is added to the nibbles: 1 and -40.
            "mov r0, #0x01010101\n",
            "mov r2, #0xD8D8D8D8\n",
            "vmov q1[2], q1[0], r0, r2\n",
            "vmov q1[3], q1[1], r0, r2\n",
            "vstrb.8 q1, [r7, #32]\n",
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
    // r0, r2, r4, r6: four rows' Σ n·x; r1 x, r3 pairs, r5 sums of blocks, r12 such a sum, r10 the end
    // r7: 0 s, 8 z - 32 of a pair's first block, 16 of its second, 32 what makes them of nibbles
    // q0 addresses, 128 bytes back; q1, q2 x; q5, q6 totals; q7 the mask
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldr r10, [sp, #36]",
        "mov r5, r2",
        "sub lr, r10, r1",
        "add lr, #63",
        "lsr lr, #6",
        q4_start!(),
        "vmov.i32 q5, #0",
        "vmov.i32 q6, #0",
        q4_blocks!(32),
        "ldr r0, [sp, #152]",
        "vstrw.32 q5, [r0]",
        "vstrw.32 q6, [r0, #16]",
        "add sp, #48",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
    )
}

/// Writes the sums of some bands of nibbles, of few blocks, by the same activations and scaled.
///
/// # Safety
/// What `walk` says is there: from `blocks` on, at multiples of 4, some bands of a block at least, and from `pairs`
/// on, in each of them, half as many pairs, rounded up, and scales; activations at a multiple of 4; a positive normal
/// scale. The routine saves what a function must: r4 to r11 and d8 to d15.
#[unsafe(naked)]
unsafe extern "C" fn q4_bands(blocks: *const [Group; 4], pairs: *const Pair, walk: &Q4Walk) {
    // Registers as above; r8 out, r9 walk, r11 pairs of a band
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "mov r3, r1",
        "mov r9, r2",
        "ldm r9, {{r1, r5, r10}}",
        "add r11, r10, #1",
        "lsr r11, #1",
        "add r10, r1, r10, lsl #5",
        "ldr r8, [r9, #20]",
        q4_start!(),
        "3:",
        "ldrd r1, r5, [r9]",
        "mov lr, r11",
        "vmov.i32 q5, #0",
        "vmov.i32 q6, #0",
        q4_blocks!(32),
        "ldr r0, [r9, #28]",
        q4_results!(),
        "7:",
        "ldrd r0, r2, [r9, #12]",
        "ldr r4, [r9, #24]",
        "add r3, r2",
        "vadd.i32 q0, q0, r0",
        "cmp r8, r4",
        "bne 3b",
        "add sp, #48",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
        q4_results_slowly!("r9", 28),
    )
}
