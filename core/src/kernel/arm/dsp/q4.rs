//! Nibbles.

use core::arch::naked_asm;
use core::slice::from_mut;

#[cfg(acorn_fpu)]
use super::super::fpu::rescale;
use super::super::{PORTABLE, aligned, blocks};
#[cfg(acorn_fpu)]
use super::super::{q4_layout, some};
use super::is_widened;
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Bands, Group, Ints, Sums, Widened, gemv, rows, scalar};

pub(super) fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let blocks = blocks(groups, pairs, x);
    if !aligned(groups) || !aligned(pairs) || !is_widened(x) || blocks.is_empty() {
        if PORTABLE {
            (scalar::KERNEL.q4)(groups, pairs, x, sums);
        }
        return;
    }
    for (x, sums) in rows(x.widened, x.cols / BLOCK).zip(sums) {
        let sums = from_mut(sums).as_mut_ptr_range();
        let walk =
            Walk { blocks: blocks.len(), groups: 4, len: 0, sums: sums.start, end: sums.end };
        // SAFETY: `blocks` are some blocks at a multiple of 4; there is half a pair, at a multiple of 4, and a
        // widened block for each, and one band's sums.
        unsafe { q4_bands(blocks.as_ptr(), x.as_ptr(), pairs.as_ptr(), &walk) }
    }
}

pub(super) fn gemv_q4(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    #[cfg(acorn_fpu)]
    if whole_q4(bands, x, scale, out) {
        return;
    }
    if PORTABLE || cfg!(not(acorn_fpu)) {
        portable_q4(bands, x, scale, out);
    }
}

/// Any bands.
#[inline(never)] // Its buffers are no part of the stack under the others.
fn portable_q4(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    gemv::q4(q4, bands, x, scale, out);
}

/// What [`q4_bands`] goes by.
#[repr(C)]
struct Walk {
    /// Of a band, not none.
    blocks: usize,
    /// Of the last block, those that count: 0 to 4.
    groups: usize,
    /// Bytes from band to band.
    len: usize,
    /// Where the bands' sums go, at least one's.
    sums: *mut Sums<i32>,
    end: *mut Sums<i32>,
}

/// Two rows' words `at` bytes from r0 into two registers, and the rows' products added to two sums.
macro_rules! q4_rows {
    ($at:expr, ($word:literal, $next:literal), ($sum:literal, $next_sum:literal), $x:tt) => {
        concat!(
            "ldrd ", $word, ", ", $next, ", [r0, #", $at, "\n",
            q4_rows!(@row $word, $sum, $x),
            q4_rows!(@row $next, $next_sum, $x),
        )
    };
    (@row $word:literal, $sum:literal, ($a:literal, $b:literal, $c:literal, $d:literal)) => {
        concat!(
            q4_rows!(@pair $word, "lsl #9", $sum, $a),
            q4_rows!(@pair $word, "lsl #1", $sum, $b),
            q4_rows!(@pair $word, "lsl #5", $sum, $c),
            q4_rows!(@pair $word, "lsr #3", $sum, $d),
        )
    };
    (@pair $word:literal, $shift:literal, $sum:literal, $x:literal) => {
        concat!(
            "and r3, r2, ", $word, ", ", $shift, "\n",
            "smlad ", $sum, ", r3, ", $x, ", ", $sum, "\n",
        )
    };
}

/// A group whose first words lie `$at` and whose others lie `$late` bytes from r0, by the 8 activations at r1.
macro_rules! q4_group {
    ($at:expr, $late:expr) => {
        concat!(
            "ldmia r1!, {{r8-r11}}\n",
            q4_rows!($at, ("r12", "lr"), ("r4", "r5"), ("r8", "r9", "r10", "r11")),
            q4_rows!($late, ("r12", "lr"), ("r6", "r7"), ("r8", "r9", "r10", "r11")),
        )
    };
}

/// What zeros, in r7, come to: the sums of four rows before their products. `$even`, `$odd`: shifts to where the
/// zeros of rows 0 and 2, and of rows 1 and 3, are wanted.
macro_rules! q4_zeros {
    ($even:literal, $odd:literal) => {
        concat!(
            "and r3, r2, r7, ",
            $even,
            "\n",
            "smlawb r4, r9, r3, r8\n",
            "smlawt r6, r9, r3, r8\n",
            "and r3, r2, r7, ",
            $odd,
            "\n",
            "smlawb r5, r9, r3, r8\n",
            "smlawt r7, r9, r3, r8\n",
        )
    };
}

/// A block with whole groups; `$at`: of each where its words lie.
macro_rules! q4_block {
    ($even:literal, $odd:literal, ($($at:literal, $late:literal),*), $first:literal, $late_first:literal) => {
        concat!(
            "ldr r7, [r12, #8]\n",
            "ldmia r1!, {{r8-r12, lr}}\n",
            q4_zeros!($even, $odd),
            q4_rows!($first, ("r8", "r9"), ("r4", "r5"), ("r10", "r11", "r12", "lr")),
            q4_rows!($late_first, ("r8", "r9"), ("r6", "r7"), ("r10", "r11", "r12", "lr")),
            $(q4_group!($at, $late),)*
        )
    };
}

/// A block's sums by its sub-scales, in lr, added to what was so far.
macro_rules! q4_scale {
    ($even:literal, $odd:literal) => {
        concat!(
            "and r3, r2, lr, ",
            $even,
            "\n",
            "add r3, #0x02000200\n",
            "smlawb r8, r4, r3, r8\n",
            "smlawt r10, r6, r3, r10\n",
            "and r3, r2, lr, ",
            $odd,
            "\n",
            "add r3, #0x02000200\n",
            "smlawb r9, r5, r3, r9\n",
            "smlawt r11, r7, r3, r11\n",
        )
    };
}

/// Writes the sums of bands of nibbles.
///
/// # Safety
/// What `walk` says is there, at multiples of 4: from `blocks` and `pairs` on the blocks of bands, and half as many
/// pairs; from `x` on the widened blocks for those of a band; room for sums. The routine saves what a function must,
/// r4 to r11, and stays within them.
#[unsafe(naked)]
unsafe extern "C" fn q4_bands(
    blocks: *const [Group; 4],
    x: *const Widened,
    pairs: *const Pair,
    walk: &Walk,
) {
    // r0 a pair of blocks (before the loop, 256 bytes back), r1 x, r2 the mask, r4-r7 a block's sums, r8-r11
    // activations or the sums so far, r12 and lr weights or r12 a pair and lr its sub-scales, r3 what the mask leaves
    // sp: 0 the sums so far, 16 the pair, 20 a limit, then what four rows start with: 24 x, 28 and 32 the ways of r0
    //     and r12 from behind rows 0 to 3 to rows 4 to 7, 36 and 40 those from there to the next band, 44 four zeros,
    //     60 the limit; 64 where sums go, 68 their end, 72 the groups of a short last block, negative
    // flags: x, before a pair of blocks, against the limit: less where there is a next pair, equal where this is the
    //     last and not whole
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "ldm r3, {{r3-r7}}",
        "adds r3, #1",
        "lsrs r3, #1",
        "mov r9, #144",
        "mla r10, r3, r9, r1",
        "lsl r11, r3, #8",
        "sub lr, r10, #144",
        "mov r8, #0",
        "bcc 1f",
        "cbz r4, 1f",
        "cmp r4, #4",
        "bne 11f",
        "sub lr, r10, #4",
        "1:",
        "push {{r6-r8}}",
        "rsb r4, r11, #16",
        "adds r6, r5, r4",
        "subs r6, #32",
        "lsls r3, #4",
        "subs r7, r5, r3",
        "subs r7, #4",
        "rsb r5, r3, #4",
        "mov r8, #0",
        "mov r9, #0",
        "mov r10, #0",
        "mov r11, #0",
        "push {{r1, r4-r11, lr}}",
        "push {{r2, lr}}",
        "sub sp, #16",
        "mov r12, r2",
        "sub r0, #256",
        "mov r2, #0x1E001E00",
        "b 4f",
        // Rows 4 to 7 are done.
        "2:",
        "cbnz r3, 3f",
        "add sp, #76",
        "pop {{r4-r11, pc}}",
        "3:",
        "add r0, r6",
        "add r12, r7",
        "4:",
        "cmp r1, lr",
        "5:",
        "stm sp, {{r8-r12}}",
        q4_block!("lsl #9", "lsl #1", ("32]", "40]", "64]", "72]", "96]", "104]"), "256]!", "8]"),
        "ldm sp, {{r8-r12}}",
        "ldr lr, [r12]",
        q4_scale!("lsl #9", "lsl #1"),
        "stm sp, {{r8-r11}}",
        "beq 8f",
        q4_block!(
            "lsl #5",
            "lsr #3",
            ("160]", "168]", "192]", "200]", "224]", "232]"),
            "128]",
            "136]"
        ),
        "6:",
        "ldm sp, {{r8-r12, lr}}",
        "cmp r1, lr",
        "ldr lr, [r12], #16",
        q4_scale!("lsl #5", "lsr #3"),
        "bls 5b",
        "7:",
        "ldrd r3, lr, [sp, #64]",
        "stmia r3!, {{r8-r11}}",
        "str r3, [sp, #64]",
        // Carry: sixteen bytes more than whole sums are to come, those of rows 4 to 7.
        "subs r3, lr, r3",
        "lsls lr, r3, #28",
        "add r11, sp, #24",
        "ldm r11, {{r1, r4-r11, lr}}",
        "bcc 2b",
        "add r0, r4",
        "add r12, r5",
        "b 4b",
        // The last pair: its second block has a few groups, which are done as the last ones, or is not there.
        "8:",
        "ldr r3, [sp, #72]",
        "cbz r3, 10f",
        "ldr r7, [r12, #8]",
        "ldmia r1!, {{r8, r9}}",
        q4_zeros!("lsl #5", "lsr #3"),
        "ldr r3, [sp, #72]",
        // A group's instructions are 140 bytes: so far before the end those of the last groups begin.
        "mov r12, #140",
        "adr lr, 6b",
        "subs r0, #128",
        "sub r0, r0, r3, lsl #5",
        "mla r3, r3, r12, lr",
        "mov pc, r3",
        "10:",
        "add r12, #16",
        "b 7b",
        // The last block is short.
        "11:",
        "rsbs r8, r4, #0",
        "subs r4, #4",
        "add r11, r11, r4, lsl #5",
        "b 1b",
    )
}

/// [`gemv_q4`] where there is a floating-point unit; false where that is for the portable loop to do.
#[cfg(acorn_fpu)]
fn whole_q4(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) -> bool {
    let layout = q4_layout(bands, x).filter(|layout| x.widened.len() == layout.blocks);
    let (Some(layout), Some(out)) = (layout, some(&bands, out)) else { return false };
    // Of the last block, the groups that are not padding.
    let values = x.values.get(..x.cols).and_then(<[_]>::last_chunk::<BLOCK>);
    let groups = values.map_or(4, |x| {
        let last = x.as_chunks::<8>().0.iter().rposition(|x| *x != [0; 8]);
        last.map_or(0, |last| last + 1)
    });
    let first = bands.bytes.as_ptr();
    let sums = out.as_mut_ptr_range();
    let walk = Walk {
        blocks: layout.blocks,
        groups,
        len: bands.len,
        sums: sums.start.cast(),
        end: sums.end.cast(),
    };
    // SAFETY: bands at a multiple of 4 with this layout, one for each of `out`, and a widened block for each of
    // a band's. Integers are written where floats were, and floats again in their place.
    unsafe {
        q4_bands(first.cast(), x.widened.as_ptr(), first.add(layout.pairs).cast(), &walk);
        rescale(out, first.add(layout.scales), bands.len, scale);
    }
    true
}
