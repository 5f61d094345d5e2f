//! Bytes. Per 16 columns and row: gather 4 words; vmladava(w, x) → a sum per row.

use core::arch::naked_asm;

use super::super::aligned;
use super::super::fpu::SCALES;
use super::{positive, some};
use crate::kernel::{Bands, Group, Ints, Sums, gemv, rows, scalar};

pub(super) fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
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

/// [`gemv_q8`] where bands lie as they seldom do: its own function, so that its stack is not the others'.
#[cold]
#[inline(never)]
fn one_by_one(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    gemv::q8(q8, bands, x, scale, out);
}

pub(super) fn gemv_q8(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    let count = bands.len.saturating_sub(SCALES) / size_of::<Group>();
    let whole = bands.len == count * size_of::<Group>() + SCALES;
    let there = x.values.len() >= x.cols && (4..=x.cols / 4).contains(&count);
    let whole = whole && there && aligned(bands.bytes) && positive(scale);
    let Some(out) = some(&bands, out).filter(|_| whole) else {
        return one_by_one(bands, x, scale, out);
    };
    let range = out.as_mut_ptr_range();
    let tail = count % 4;
    let walk = Q8Walk {
        x: x.values.as_ptr(),
        quads: count / 4,
        step: tail * size_of::<Group>() + SCALES,
        stride: bands.len,
        tail,
        scales: count * size_of::<Group>(),
        out: range.start,
        end: range.end,
        scale,
    };
    let bands = bands.bytes.as_ptr();
    // SAFETY: some bands of `count` groups, at least 4, and scales, at multiples of 4, one for each of `out`; x has
    // 4 columns for each group, and ends with a whole block.
    unsafe { if count == 16 { q8_bands_of_16(bands, &walk) } else { q8_bands(bands, &walk) } }
}

/// What [`q8_bands`] goes by.
#[repr(C)]
struct Q8Walk {
    x: *const i8,
    /// Four groups each, of a band.
    quads: usize,
    /// Bytes from behind these to the next band.
    step: usize,
    /// Bytes from band to band.
    stride: usize,
    /// Groups behind the quads.
    tail: usize,
    /// Bytes from a band's start.
    scales: usize,
    out: *mut Sums<f32>,
    end: *mut Sums<f32>,
    scale: f32,
}

/// The words of a row of four groups, by 16 activations; the groups lie `$at` less 4 · row bytes from q0's addresses.
macro_rules! q8_row {
    ($dot:literal, $at:literal, $sum:literal, $x:literal) => {
        concat!("vldrw.u32 q2, [q0, #", $at, "\n", $dot, " ", $sum, ", q2, ", $x, "\n",)
    };
}

/// The next four groups, `$ahead` bytes on, by 16 activations; `$dot`: whether it adds to the sums or begins them.
macro_rules! q8_quad {
    ($dot:literal, $ahead:literal, $x:literal) => {
        concat!(
            q8_row!($dot, $ahead, "r0", $x),
            q8_row!($dot, "4]", "r2", $x),
            q8_row!($dot, "8]", "r4", $x),
            q8_row!($dot, "12]", "r6", $x),
            q8_row!($dot, "16]", "r8", $x),
            q8_row!($dot, "20]", "r10", $x),
            q8_row!($dot, "24]", "r12", $x),
            q8_row!($dot, "28]", "lr", $x),
        )
    };
    // By the next activations.
    ($dot:literal) => {
        concat!("vldrb.u8 q1, [r1], #16\n", q8_quad!($dot, "128]!", "q1"))
    };
}

/// The last r5 groups, fewer than four.
macro_rules! q8_tail {
    () => {
        concat!(
            "vctp.32 r5\n",
            "vldrb.u8 q1, [r1]\n",
            q8_last_rows!(128, 132, "r0", "r2"),
            q8_last_rows!(136, 140, "r4", "r6"),
            q8_last_rows!(144, 148, "r8", "r10"),
            q8_last_rows!(152, 156, "r12", "lr"),
        )
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

/// Sums to results at r11, by the scales at r7 and the token's in r3; to `8:` where one of them is zero, by
/// `$least`.
macro_rules! q8_finish {
    ($least:literal) => {
        concat!(
            "stm r11, {{r0, r2, r4, r6, r8, r10, r12, lr}}\n",
            "vldrw.32 q2, [r11]\n",
            "vldrw.32 q3, [r11, #16]\n",
            rescale_lanes!("[r7]", "q2", "q2", "r3"),
            rescale_lanes!("[r7, #8]", "q3", "q3", "r3"),
            "vstrw.32 q2, [r11], #16\n",
            "vstrw.32 q3, [r11], #16\n",
            zero_among!("q2", "q3", $least),
        )
    };
}

/// That place, and back to `7:`. The sums are still there. `$scale` is done first, so that the token's is in r3.
macro_rules! q8_finish_slowly {
    ($scale:literal) => {
        concat!(
            "8:\n",
            $scale,
            "\n",
            "sub r11, #32\n",
            "stm r11, {{r0, r2, r4, r6, r8, r10, r12, lr}}\n",
            "vldrw.32 q2, [r11]\n",
            "vldrw.32 q3, [r11, #16]\n",
            "vpush {{d8}}\n",
            "vmov s16, r3\n",
            rescale_slowly!("[r7]", "q2", ("s8", "s9", "s10", "s11"), "s16"),
            rescale_slowly!("[r7, #8]", "q3", ("s12", "s13", "s14", "s15"), "s16"),
            "vpop {{d8}}\n",
            "vstrw.32 q2, [r11], #16\n",
            "vstrw.32 q3, [r11], #16\n",
            "b 7b\n",
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
        q8_quad!("vmladava.s8"),
        "subs r3, #1",
        "bne 1b",
        "2:",
        "cbz r5, 3f",
        q8_tail!(),
        "3:",
        "pop {{r3}}",
        "stm r3, {{r0, r2, r4, r6, r8, r10, r12, lr}}",
        "pop {{r4-r11, pc}}",
    )
}

/// Writes the sums of some bands, by the same activations and scaled.
///
/// # Safety
/// What `walk` says is there: from `bands` on, at multiples of 4, some bands of a quad at least, and their scales;
/// activations, which may be read up to the next 16; a positive normal scale. The routine saves what a function must,
/// r4 to r11 (and d8), uses q0 to q3, which it need not save, and loads no lane beyond a band's last group.
#[unsafe(naked)]
unsafe extern "C" fn q8_bands(bands: *const u8, walk: &Q8Walk) {
    // even registers: sums; r1 x, r3 twice as many quads to come, r5 the tail, r7 scales, r9 walk, r11 out
    // q0 addresses, 128 bytes back
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "mov r9, r1",
        "ldrd r5, r7, [r9, #16]",
        "ldr r11, [r9, #24]",
        "add r7, r0",
        "mov r4, #0",
        "vidup.u32 q0, r4, #8",
        "vshl.i32 q0, q0, #2",
        "sub r0, #128",
        "vadd.i32 q0, q0, r0",
        "1:",
        "ldrd r1, r3, [r9]",
        q8_quad!("vmladav.s8"),
        // An even number of quads: the loop's second one is next.
        "lsrs r3, #1",
        "bcc 3f",
        "beq 4f",
        "2:",
        q8_quad!("vmladava.s8"),
        "3:",
        q8_quad!("vmladava.s8"),
        "subs r3, #1",
        "bne 2b",
        "4:",
        "cbz r5, 5f",
        q8_tail!(),
        "5:",
        "ldr r3, [r9, #32]",
        q8_finish!("r3"),
        "7:",
        "ldrd r0, r2, [r9, #8]",
        "ldr r4, [r9, #28]",
        "add r7, r2",
        "vadd.i32 q0, q0, r0",
        "cmp r11, r4",
        "bne 1b",
        "pop {{r4-r11, pc}}",
        q8_finish_slowly!("ldr r3, [r9, #32]"),
    )
}

/// The same for bands of 16 groups, whose activations stay in registers.
///
/// # Safety
/// As there. The routine saves d8 to d15, too.
#[unsafe(naked)]
unsafe extern "C" fn q8_bands_of_16(bands: *const u8, walk: &Q8Walk) {
    // even registers: sums; r1 the smallest result yet, or the scale; r3 scale, r5 the end, r7 scales, r11 out
    // q4 to q7 x
    // q0 addresses, 144 bytes back: behind a band's groups there are 16 bytes of scales
    naked_asm!(
        processor!(),
        "push {{r4-r11, lr}}",
        "vpush {{d8-d15}}",
        "ldrd r11, r5, [r1, #24]",
        "ldr r3, [r1, #32]",
        "ldr r1, [r1]",
        "vldrb.u8 q4, [r1], #16",
        "vldrb.u8 q5, [r1], #16",
        "vldrb.u8 q6, [r1], #16",
        "vldrb.u8 q7, [r1]",
        "mov r1, r3",
        "add r7, r0, #512",
        "mov r4, #0",
        "vidup.u32 q0, r4, #8",
        "vshl.i32 q0, q0, #2",
        "sub r0, #144",
        "vadd.i32 q0, q0, r0",
        "1:",
        q8_quad!("vmladav.s8", "144]!", "q4"),
        q8_quad!("vmladava.s8", "128]!", "q5"),
        q8_quad!("vmladava.s8", "128]!", "q6"),
        q8_quad!("vmladava.s8", "128]!", "q7"),
        q8_finish!("r1"),
        "7:",
        "add r7, #528",
        "cmp r11, r5",
        "bne 1b",
        "vpop {{d8-d15}}",
        "pop {{r4-r11, pc}}",
        q8_finish_slowly!("mov r1, r3"),
    )
}
