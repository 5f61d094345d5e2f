//! Rows of four to seven blocks: four blocks, then the others in pairs.
//!
//! As [`super::eights`], but a row's register holds four lanes of d and four of Σx, whose multiplier holds 4·s and
//! s·z. The lanes of Σx are gathered where there are zeros; then -8·Σx and Σx are added, the same for all rows.

use core::arch::naked_asm;

use super::walk::Walk;

/// Blocks at a time.
pub(super) const BLOCKS: usize = 4;

/// A row of four blocks: its total; `$base`: the stack's register for it, `$at`: where its bytes lie.
macro_rules! row {
    ($total:literal, $base:literal, $at:literal) => {
        concat!(
            "vldrh.u16 q2, [",
            $base,
            ", q1]\n",
            "vadd.i16 q2, q2, q3\n",
            "vldrb.s16 q5, [r7, #",
            $at,
            "]\n",
            "vmladav.s16 ",
            $total,
            ", q2, q5\n",
        )
    };
}

/// Writes the sums of some bands of nibbles, by the same activations and scaled.
///
/// # Safety
/// What `walk` says is there: from `blocks` on, at multiples of 4, some bands of four blocks at least, half as many
/// pairs, rounded up, and scales; activations at a multiple of 4 and their blocks' sums; a positive normal scale. The
/// routine saves what a function must: r4 to r11 and d8 to d15.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn q4_fours(blocks: *const u8, walk: &Walk) {
    // sp: 0 eight rows' bytes, 4 times 4·s and 4 times s·z; 64 zeros; 96 constants, the last -8·Σx and Σx;
    // 192 four blocks' Σ n·x; 320 walk
    // even registers: Σ n·x, or totals; r1 x, r3 Σ n·x, then walk; r5 sums of the last blocks; r7, r9, r11: sp + 4, 8,
    // 12
    // q0 addresses, 128 bytes back; q1, q2 x; q6 addresses of pairs, 32 bytes back; q7 the mask
    // Then, for the last blocks, as in q4_band.
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "sub sp, #372",
        "add r2, sp, #320",
        "ldm r1, {{r3-r12, lr}}",
        "stm r2!, {{r3-r12, lr}}",
        "ldrd r4, r5, [r1, #44]",
        "strd r4, r5, [r2]",
        "mov r3, r7",
        "sub r8, r11, #8",
        "adr r1, 9f",
        "vldrw.u32 q1, [r1], #16",
        "vldrw.u32 q2, [r1], #16",
        "vldrw.u32 q3, [r1], #16",
        "vldrw.u32 q4, [r1], #16",
        "vldrw.u32 q5, [r1], #16",
        "vstrw.32 q1, [sp, #96]",
        "vstrw.32 q2, [sp, #112]",
        "vstrw.32 q3, [sp, #128]",
        "vstrw.32 q4, [sp, #144]",
        "vstrw.32 q5, [sp, #160]",
        "vldrw.u32 q1, [r1], #16",
        "vldrw.u32 q2, [r1]",
        "vldrh.u16 q3, [r8, q1]",
        "vmul.i16 q3, q3, q2",
        "vmov.i32 q1, #0",
        "vstrw.32 q3, [sp, #176]",
        "vstrw.32 q1, [sp, #64]",
        "vstrw.32 q1, [sp, #80]",
        q4_addresses!(),
        "3:",
        "vldrw.u32 q6, [sp, #160]",
        "ldrd r1, r5, [sp, #348]",
        "vadd.i32 q6, q6, r3",
        "add r3, sp, #192",
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_eight_rows!(),
        q4_place_two_pairs!(112, "r7"),
        "vldrw.u32 q1, [sp, #128]",
        "vldrw.u32 q3, [sp, #176]",
        row!("r0", "sp", "-4"),
        row!("r2", "r7", "4"),
        row!("r4", "r9", "12"),
        row!("r6", "r11", "20"),
        "vldrw.u32 q1, [sp, #144]",
        row!("r8", "sp", "28"),
        row!("r10", "r7", "36"),
        row!("r12", "r9", "44"),
        row!("lr", "r11", "52"),
        "stm sp, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "ldm r3, {{r0, r3, r8, r10}}",
        "vldrw.u32 q5, [sp]",
        "vldrw.u32 q6, [sp, #16]",
        "wls lr, r0, 2f",
        q4_blocks!(92),
        q4_finish!(356, 364, 336, 372),
        ".p2align 2",
        "9:",
        // What is added to the last blocks' nibbles: 1 and -40.
        ".word 0x01010101, 0x01010101, 0xD8D8D8D8, 0xD8D8D8D8",
        // Where two pairs' bytes go: those of row r and pair p to 8·r + 2·p.
        ".byte 0, 8, 16, 24, 32, 40, 48, 56, 2, 10, 18, 26, 34, 42, 50, 58",
        // Where four blocks' Σ n·x of rows 0 to 3 lie, and of rows 4 to 7, and zeros.
        ".hword 192, 224, 256, 288, 64, 64, 64, 64",
        ".hword 208, 240, 272, 304, 80, 80, 80, 80",
        // From the last blocks' pairs, and 32 bytes back: two pairs' sub-scales.
        ".word -64, -60, -48, -44",
        // Four blocks' sums, twice, and their multipliers.
        ".hword 0, 2, 4, 6, 0, 2, 4, 6",
        ".hword -8, -8, -8, -8, 1, 1, 1, 1",
    )
}
