//! Rows of two blocks: half their activations stay in registers, and eight rows' Σ n·x of a block go to memory by one
//! store.

use core::arch::naked_asm;

use super::Q4Walk;

/// Blocks of a row.
pub(super) const BLOCKS: usize = 2;

/// A block: eight rows' Σ n·x. The addresses are `$ahead` bytes back.
macro_rules! block {
    ($ahead:literal, $x:literal, $late_x:literal) => {
        concat!(
            q4_row!($ahead, "r0", $x, $late_x),
            q4_row!("4]", "r2", $x, $late_x),
            q4_row!("8]", "r4", $x, $late_x),
            q4_row!("12]", "r6", $x, $late_x),
            q4_row!("16]", "r8", $x, $late_x),
            q4_row!("20]", "r10", $x, $late_x),
            q4_row!("24]", "r12", $x, $late_x),
            q4_row!("28]", "lr", $x, $late_x),
        )
    };
}

/// Four rows of a block: s·(4·Σ n·x + (z - 32)·Σx), where these lie: Σ n·x, s, z - 32; `$x`: Σx.
macro_rules! scaled {
    ($total:literal, $sums:literal, $sub:literal, $zero:literal, $x:literal) => {
        concat!(
            "vldrw.u32 ",
            $total,
            ", [sp, #",
            $sums,
            "]\n",
            "vldrb.s32 q2, [r7, #",
            $zero,
            "]\n",
            "vshl.i32 ",
            $total,
            ", ",
            $total,
            ", #2\n",
            "vmla.s32 ",
            $total,
            ", q2, ",
            $x,
            "\n",
            "vldrb.s32 q2, [r7, #",
            $sub,
            "]\n",
            "vmul.i32 ",
            $total,
            ", ",
            $total,
            ", q2\n",
        )
    };
}

/// Writes the sums of some bands of nibbles, by the same activations and scaled.
///
/// # Safety
/// What `walk` says is there: from `band` on, at multiples of 4, some bands of two blocks, a pair and scales, one
/// behind the other; activations at a multiple of 4 and their blocks' sums; a positive normal scale. The routine saves
/// what a function must: r4 to r11 and d8 to d15.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn q4_twos(band: *const u8, walk: &Q4Walk) {
    // sp: 0 Σ n·x of the first block, 32 of the second; 64 s, 72 z - 32 of the first, 80 of the second; 96 what makes
    // them of nibbles; 112 x of the second block; 144 two blocks' Σx, token's scale, end
    // even registers: Σ n·x, then what lies at 144; r1 pairs, then scales; r3 sp + 32; r5 the smallest result yet, or
    // the scale; r7 sp; r9 sp + 144; r11 out
    // q0 addresses, 160 bytes back; q1, q2 x of the second block; q3, q4 totals; q5, q6 x of the first; q7 the mask
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "sub sp, #160",
        "mov r7, sp",
        "add r3, sp, #32",
        "add r9, sp, #144",
        "ldrd r2, r4, [r1]",
        "ldrd r11, r6, [r1, #20]",
        "ldr r5, [r1, #28]",
        "vld20.32 {{q5, q6}}, [r2]",
        "vld21.32 {{q5, q6}}, [r2]!",
        "vld20.32 {{q1, q2}}, [r2]",
        "vld21.32 {{q1, q2}}, [r2]",
        "vstrw.32 q1, [sp, #112]",
        "vstrw.32 q2, [sp, #128]",
        "ldrsh r8, [r4]",
        "ldrsh r10, [r4, #2]",
        "strd r8, r10, [r9]",
        "strd r5, r6, [r9, #8]",
        "mov r2, #0x01010101",
        "mov r4, #0xD8D8D8D8",
        "vmov q1[2], q1[0], r2, r4",
        "vmov q1[3], q1[1], r2, r4",
        "vstrw.32 q1, [sp, #96]",
        "mov r4, #0",
        "vidup.u32 q0, r4, #8",
        "vshl.i32 q0, q0, #2",
        "add r1, r0, #256",
        "sub r0, #160",
        "vadd.i32 q0, q0, r0",
        "vmov.i8 q7, #0x0F",
        "1:",
        block!("160]!", "q5", "q6"),
        "stm r7, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "vldrw.u32 q1, [sp, #112]",
        "vldrw.u32 q2, [sp, #128]",
        block!("128]!", "q1", "q2"),
        "stm r3, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "ldm r9, {{r0, r2, r4, r6}}",
        "vldrb.u8 q1, [r1], #16",
        "vldrw.u32 q3, [sp, #96]",
        "vand q2, q1, q7",
        "vshr.u8 q1, q1, #4",
        "vadd.i8 q2, q2, q3",
        "vadd.i8 q1, q1, q3",
        "vstrb.8 q2, [r7, #64]",
        "vstrb.8 q1, [r7, #80]",
        scaled!("q3", 0, 64, 72, "r0"),
        scaled!("q1", 32, 80, 88, "r2"),
        "vadd.i32 q3, q3, q1",
        rescale_lanes!("[r1]", "q3", "q2", "r4"),
        "vstrw.32 q2, [r11], #16",
        "vminnmav.f32 r5, q2",
        scaled!("q4", 16, 68, 76, "r0"),
        scaled!("q1", 48, 84, 92, "r2"),
        "vadd.i32 q4, q4, q1",
        rescale_lanes!("[r1, #8]", "q4", "q2", "r4"),
        "vstrw.32 q2, [r11], #16",
        "vminnmav.f32 r5, q2",
        "cbz r5, 8f",
        "7:",
        "add r1, #272",
        "cmp r11, r6",
        "bne 1b",
        "add sp, #160",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
        "8:",
        "mov r5, r4",
        "vmov s8, r4",
        rescale_slowly!("[r1]", "q3", ("s12", "s13", "s14", "s15"), "s8"),
        rescale_slowly!("[r1, #8]", "q4", ("s16", "s17", "s18", "s19"), "s8"),
        "vstrw.32 q3, [r11, #-32]",
        "vstrw.32 q4, [r11, #-16]",
        "b 7b",
    )
}
