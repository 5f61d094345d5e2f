//! Rows of eight blocks and more: eight blocks at a time, then four if there are as many, then the others in pairs.
//!
//! ```text
//! per block: eight rows' Σ n·x, in eight registers → memory                 by one stm
//! per eight blocks: their sub-scales s and zeros z → bytes 4·s, s·z, row by row
//! per row, eight blocks in a register of 16-bit lanes:
//!   d = Σ n·x - 8·Σx, gathered
//!   total += Σ 4·s·d + Σ s·z·Σx
//! ```
//!
//! Of four blocks a register holds d and Σx, as in [`super::fours`].
//!
//! d = Σ (n - 8)·x is within ±32,512, so the low halves of Σ n·x are enough; s·z is in -128..=112.

use core::arch::naked_asm;

use super::walk::Walk;

/// Blocks at a time.
pub(super) const BLOCKS: usize = 8;

/// A row of eight blocks to its total; `$base`: the stack's register for it, `$subs`, `$zeros`: where its bytes lie.
macro_rules! row {
    ($total:literal, $base:literal, $subs:literal, $zeros:literal) => {
        concat!(
            "vldrh.u16 q2, [",
            $base,
            ", q1]\n",
            "vsub.i16 q2, q2, q3\n",
            "vldrb.s16 q5, [r7, #",
            $subs,
            "]\n",
            "vmladava.s16 ",
            $total,
            ", q2, q5\n",
            "vldrb.s16 q5, [r7, #",
            $zeros,
            "]\n",
            "vmladava.s16 ",
            $total,
            ", q5, q4\n",
        )
    };
}

/// A row of the four blocks behind them: to its total.
macro_rules! row_of_four {
    ($total:literal, $base:literal, $at:literal) => {
        concat!(
            "vldrh.u16 q2, [",
            $base,
            ", q1]\n",
            "vadd.i16 q2, q2, q3\n",
            "vldrb.s16 q5, [r7, #",
            $at,
            "]\n",
            "vmladava.s16 ",
            $total,
            ", q2, q5\n",
        )
    };
}

/// Writes the sums of some bands of nibbles, by the same activations and scaled.
///
/// # Safety
/// What `walk` says is there: from `blocks` on, at multiples of 4, some bands of eight blocks at least, half as many
/// pairs, rounded up, and scales; activations at a multiple of 4 and their blocks' sums; a positive normal scale. The
/// routine saves what a function must: r4 to r11 and d8 to d15.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn q4_eights(blocks: *const u8, walk: &Walk) {
    // sp: 0 eight rows' bytes, 8 times 4·s and 8 times s·z; 128 constants; 208 eight blocks' Σ n·x; 464 walk;
    // 548 what four blocks want: where their Σ n·x lie, of rows 0 to 3 and 4 to 7, then -8·Σx and Σx, then 16 zeros
    // even registers: Σ n·x, or totals; r1 x, r3 Σ n·x, then walk; r5 sums of blocks; r7, r9, r11: sp + 4, 8, 12
    // q0 addresses, 128 bytes back; q1, q2 x; q6 addresses of pairs, 32 bytes back; q7 the mask
    // Then, for the last blocks, as in q4_band.
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "sub sp, #612",
        "add r2, sp, #464",
        "ldm r1!, {{r3-r5}}",
        "stm r2!, {{r3-r5}}",
        "add r2, #32",
        "ldm r1, {{r3-r12}}",
        "stm r2, {{r3-r12}}",
        "ldrd r5, r6, [r1, #40]",
        "adr r1, 9f",
        "vldrw.u32 q1, [r1], #16",
        "vldrw.u32 q2, [r1], #16",
        "vldrw.u32 q3, [r1], #16",
        "vldrw.u32 q4, [r1], #16",
        "vldrw.u32 q5, [r1], #16",
        "vsub.i32 q5, q5, r5",
        "vstrw.32 q1, [sp, #128]",
        "vstrw.32 q2, [sp, #144]",
        "vstrw.32 q3, [sp, #160]",
        "vstrw.32 q4, [sp, #176]",
        "vstrw.32 q5, [sp, #192]",
        // Of an even number of fours there is none behind the eights.
        "tst r5, #32",
        "beq 7f",
        "vldrw.u32 q1, [r1], #16",
        "vldrw.u32 q2, [r1], #16",
        "vldrw.u32 q3, [r1], #16",
        "vldrw.u32 q4, [r1]",
        "vldrh.u16 q5, [r6, q3]",
        "vmul.i16 q3, q5, q4",
        "vmov.i32 q4, #0",
        "vstrw.32 q1, [r2, #40]",
        "vstrw.32 q2, [r2, #56]",
        "vstrw.32 q3, [r2, #72]",
        "vstrw.32 q4, [r2, #88]",
        "7:",
        "mov r3, r4",
        q4_addresses!(),
        "3:",
        "vldrw.u32 q6, [sp, #192]",
        "vmov.i32 q5, #0",
        "vadd.i32 q6, q6, r3",
        "vstrw.32 q5, [sp, #476]",
        "vstrw.32 q5, [sp, #492]",
        "ldrd r1, r5, [sp, #524]",
        "4:",
        "add r3, sp, #208",
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_place_two_pairs!(144, "r9"),
        q4_two_pairs!(),
        "vstrb.8 q1, [r7, q5]",
        "vstrb.8 q2, [r11, q5]",
        "vsub.i8 q5, q5, r4",
        "vstrb.8 q3, [r7, q5]",
        "vstrb.8 q4, [r11, q5]",
        "vldrh.u16 q4, [r5], #16",
        "vldrw.u32 q1, [sp, #160]",
        "vshl.i16 q3, q4, #3",
        "cmp r1, r2",
        "ldm r3, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        row!("r0", "sp", "-4", "4"),
        row!("r2", "r7", "12", "20"),
        row!("r4", "r9", "28", "36"),
        row!("r6", "r11", "44", "52"),
        "vldrw.u32 q1, [sp, #176]",
        row!("r8", "sp", "60", "68"),
        row!("r10", "r7", "76", "84"),
        row!("r12", "r9", "92", "100"),
        row!("lr", "r11", "108", "116"),
        "stm r3, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        // At four more blocks the end is 4 bytes early, else the activations are at it.
        "blo 4b",
        "bhi 6f",
        "5:",
        "vldrw.u32 q5, [r3], #16",
        "vldrw.u32 q6, [r3], #16",
        "ldm r3, {{r0, r3, r8, r10}}",
        "wls lr, r0, 2f",
        q4_blocks!(124),
        q4_finish!(532, 540, 512, 612),
        "6:",
        "sub r3, #140",
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_place_two_pairs!(144, "r7"),
        "vldrw.u32 q1, [r3, #72]",
        "vldrw.u32 q3, [r3, #104]",
        "add r5, #8",
        "ldm r3, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        row_of_four!("r0", "sp", "-4"),
        row_of_four!("r2", "r7", "12"),
        row_of_four!("r4", "r9", "28"),
        row_of_four!("r6", "r11", "44"),
        "vldrw.u32 q1, [r3, #88]",
        row_of_four!("r8", "sp", "60"),
        row_of_four!("r10", "r7", "76"),
        row_of_four!("r12", "r9", "92"),
        row_of_four!("lr", "r11", "108"),
        "stm r3, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "b 5b",
        ".p2align 2",
        "9:",
        // What is added to the last blocks' nibbles: 1 and -40.
        ".word 0x01010101, 0x01010101, 0xD8D8D8D8, 0xD8D8D8D8",
        // Where two pairs' bytes go: those of row r and pair p to 16·r + 2·p.
        ".byte 0, 16, 32, 48, 64, 80, 96, 112, 2, 18, 34, 50, 66, 82, 98, 114",
        // Where eight blocks' Σ n·x of rows 0 to 3 lie, and of rows 4 to 7.
        ".hword 208, 240, 272, 304, 336, 368, 400, 432",
        ".hword 224, 256, 288, 320, 352, 384, 416, 448",
        // 32 bytes back, two pairs' sub-scales.
        ".word -32, -28, -16, -12",
        // Where four blocks' Σ n·x of rows 0 to 3 lie, and of rows 4 to 7, and zeros.
        ".hword 336, 368, 400, 432, 596, 596, 596, 596",
        ".hword 352, 384, 416, 448, 596, 596, 596, 596",
        // Four blocks' sums, twice, and their multipliers.
        ".hword 0, 2, 4, 6, 0, 2, 4, 6",
        ".hword -8, -8, -8, -8, 1, 1, 1, 1",
    )
}
