//! int8 weights, by one token or by four. In assembler, lest a compiler that knows the halves of broadcast
//! activations to be equal makes only one of them, and then moves weights to where that one is.
//!
//! Four groups by one token take 32 instructions, 0.25 per multiply-accumulate; by four tokens 107, 0.21.

use core::arch::aarch64::*;
use core::arch::asm;

use super::super::expand::{Columns, Totals};
use super::super::store;
use crate::kernel::{Group, Ints, Sums};

/// See [`crate::kernel::DotQ8`].
pub(super) fn q8(groups: &[Group], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let groups = groups.get(..x.cols / 4).unwrap_or(groups);
    let (fours, rest) = groups.as_chunks::<4>();
    let tokens = x.tokens().min(sums.len());
    let (tiles, singles) = sums[..tokens].as_chunks_mut::<4>();
    let mut x = x;
    for sums in tiles {
        let columns = Columns { x: x.values.as_ptr(), stride: x.cols };
        // SAFETY: four tokens, each of x.cols ≥ 16 · `fours` columns.
        let mut totals = unsafe { by_four(fours, columns) };
        for ((sums, totals), x) in sums.iter_mut().zip(&mut totals).zip(x.values.chunks(x.cols)) {
            add_rest(totals, rest, x.get(16 * fours.len()..).unwrap_or_default());
            store(sums, *totals);
        }
        x = x.split(4).1;
    }
    for sums in singles {
        store(sums, one_token(groups, x));
        x = x.split(1).1;
    }
}

/// The sums of one token.
#[inline]
pub(super) fn one_token(groups: &[Group], x: Ints<'_>) -> [int32x4_t; 2] {
    let groups = groups.get(..x.values.len() / 4).unwrap_or(groups);
    let (fours, rest) = groups.as_chunks::<4>();
    // SAFETY: there are 16 activations per four groups.
    let mut totals = unsafe { by_one(fours, x.values.as_ptr()) };
    add_rest(&mut totals, rest, x.values.get(16 * fours.len()..).unwrap_or_default());
    totals
}

/// Products of a group, in two registers, and 4 activations: two rows each.
macro_rules! multiply {
    ($how:literal, $a:literal, $b:literal, $x:literal, [$p:literal, $q:literal, $r:literal, $s:literal]) => {
        concat!(
            $how, " v", $p, ".8h, v", $a, ".8b, v", $x, ".8b\n", $how, "2 v", $q, ".8h, v", $a,
            ".16b, v", $x, ".16b\n", $how, " v", $r, ".8h, v", $b, ".8b, v", $x, ".8b\n", $how,
            "2 v", $s, ".8h, v", $b, ".16b, v", $x, ".16b\n",
        )
    };
}

/// Adds products to totals.
macro_rules! add {
    ([$($total:literal),+], [$($products:literal),+]) => {
        concat!($("sadalp v", $total, ".4s, v", $products, ".8h\n",)+)
    };
}

/// Four groups by the 16 activations at `$x`, which goes on to the next ones.
#[rustfmt::skip]
macro_rules! four_groups {
    ($x:literal, [$a:literal, $b:literal, $c:literal, $d:literal]) => {
        concat!(
            "ld4r {{v24.4s-v27.4s}}, [{", $x, "}], #16\n",
            multiply!("smull", "16", "17", "24", ["28", "29", "30", "31"]),
            multiply!("smlal", "18", "19", "25", ["28", "29", "30", "31"]),
            add!([$a, $b, $c, $d], ["28", "29", "30", "31"]),
            multiply!("smull", "20", "21", "26", ["28", "29", "30", "31"]),
            multiply!("smlal", "22", "23", "27", ["28", "29", "30", "31"]),
            add!([$a, $b, $c, $d], ["28", "29", "30", "31"]),
        )
    };
}

/// The four groups at `w`, which goes on to the next ones.
macro_rules! load {
    () => {
        "ldp q16, q17, [{w}]
        ldp q18, q19, [{w}, #32]
        ldp q20, q21, [{w}, #64]
        ldp q22, q23, [{w}, #96]
        add {w}, {w}, #128"
    };
}

/// # Safety
/// There are 16 activations per four groups.
#[inline]
pub(super) unsafe fn by_one(fours: &[[Group; 4]], x: *const i8) -> [int32x4_t; 2] {
    // SAFETY: every AArch64 processor has NEON; by this function's contract.
    unsafe {
        let mut totals = [vdupq_n_s32(0); 4];
        if !fours.is_empty() {
            let [p, q, r, s] = &mut totals;
            asm!(
                "2:",
                load!(),
                "subs {count}, {count}, #1",
                // With registers to spare, no product waits for the one before where all goes in order.
                "ld4r {{v24.4s-v27.4s}}, [{x}], #16",
                multiply!("smull", "16", "17", "24", ["28", "29", "30", "31"]),
                multiply!("smull", "20", "21", "26", ["4", "5", "6", "7"]),
                multiply!("smlal", "18", "19", "25", ["28", "29", "30", "31"]),
                multiply!("smlal", "22", "23", "27", ["4", "5", "6", "7"]),
                add!(["0", "1", "2", "3"], ["28", "29", "30", "31"]),
                add!(["0", "1", "2", "3"], ["4", "5", "6", "7"]),
                "b.ne 2b",
                count = inout(reg) fours.len() => _, w = inout(reg) fours.as_ptr() => _,
                x = inout(reg) x => _,
                inout("v0") *p, inout("v1") *q, inout("v2") *r, inout("v3") *s,
                out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _,
                out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _,
                out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _,
                out("v31") _,
                options(readonly, nostack),
            );
        }
        add_up(totals)
    }
}

/// # Safety
/// See [`Dot::dot`].
#[inline]
pub(super) unsafe fn by_four(fours: &[[Group; 4]], x: Columns) -> Totals<4> {
    // SAFETY: every AArch64 processor has NEON; by this function's contract.
    unsafe {
        let mut totals = [[vdupq_n_s32(0); 4]; 4];
        if !fours.is_empty() {
            let [t, u, v, w] = &mut totals;
            asm!(
                "2:",
                load!(),
                "subs {count}, {count}, #1",
                four_groups!("x0", ["0", "1", "2", "3"]),
                four_groups!("x1", ["4", "5", "6", "7"]),
                four_groups!("x2", ["8", "9", "10", "11"]),
                four_groups!("x3", ["12", "13", "14", "15"]),
                "b.ne 2b",
                count = inout(reg) fours.len() => _, w = inout(reg) fours.as_ptr() => _,
                x0 = inout(reg) x.x => _, x1 = inout(reg) x.skip(1).x => _,
                x2 = inout(reg) x.skip(2).x => _, x3 = inout(reg) x.skip(3).x => _,
                inout("v0") t[0], inout("v1") t[1], inout("v2") t[2], inout("v3") t[3],
                inout("v4") u[0], inout("v5") u[1], inout("v6") u[2], inout("v7") u[3],
                inout("v8") v[0], inout("v9") v[1], inout("v10") v[2], inout("v11") v[3],
                inout("v12") w[0], inout("v13") w[1], inout("v14") w[2], inout("v15") w[3],
                out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _,
                out("v21") _, out("v22") _, out("v23") _, out("v24") _, out("v25") _,
                out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _,
                out("v31") _,
                options(readonly, nostack),
            );
        }
        totals.map(add_up)
    }
}

/// The i32 of each row, of two per row.
#[inline]
fn add_up([a, b, c, d]: [int32x4_t; 4]) -> [int32x4_t; 2] {
    // SAFETY: every AArch64 processor has NEON.
    unsafe { [vpaddq_s32(a, b), vpaddq_s32(c, d)] }
}

/// Adds the products of single groups, fewer than 4, and as many fours of activations.
#[inline]
fn add_rest(totals: &mut [int32x4_t; 2], rest: &[Group], x: &[i8]) {
    if rest.is_empty() {
        return;
    }
    let mut groups = [[0; 32]; 4];
    groups.iter_mut().zip(rest).for_each(|(group, last)| *group = *last);
    let mut last = [0; 16];
    last.iter_mut().zip(x).for_each(|(last, x)| *last = *x);
    // SAFETY: every AArch64 processor has NEON; four groups and 16 activations.
    unsafe {
        let [low, high] = by_one(&[groups], last.as_ptr());
        *totals = [vaddq_s32(totals[0], low), vaddq_s32(totals[1], high)];
    }
}
