//! Nibbles. One token goes over the blocks of two bands in assembler, four at a time; several take the detour of
//! [`expand`].
//!
//! ```text
//! a block of one token:       instructions   of 46.6, with its fourth of what four blocks share
//!   loads                     5.5            weights 4, sums to begin with 1, activations 1 for two bands
//!   nibbles                   16
//!   sdot                      16
//!   uzp1, smlal               3
//! four blocks:
//!   parameters                15
//!   zeros                     8
//!   digits, loop              3 for two bands
//! ```

use core::arch::aarch64::*;
use core::arch::asm;
use core::array::from_fn;

use super::super::expand::{self, Columns, WORTH_EXPANDING};
use super::super::gemv::rescale;
use super::super::widen::{FOUR, Widths};
use super::super::{blocks_for, neon, store};
use super::several::Sdot;
use crate::format::BLOCK;
use crate::format::encoding::q4::Pair;
use crate::kernel::{Bands, Group, Ints, Sums};

/// See [`crate::kernel::DotQ4`].
#[target_feature(enable = "dotprod")]
pub(super) fn q4(groups: &[Group], pairs: &[Pair], x: Ints<'_>, sums: &mut [Sums<i32>]) {
    let tokens = x.tokens().min(sums.len());
    let blocks = blocks_for(tokens, groups, pairs, x).len();
    let Some(widths) = Widths::of(&x, tokens).filter(|_| blocks == x.cols / BLOCK) else {
        return (neon::KERNEL.q4)(groups, pairs, x, sums);
    };
    if tokens >= WORTH_EXPANDING {
        let digits = Columns { x: widths.digits.cast(), stride: Widths::stride(blocks) };
        // SAFETY: this function's processors have SDOT; `Widths` sees to it that there are digits.
        return unsafe { expand::q4::<Sdot>(groups, pairs, x, digits, sums) };
    }
    let band = Band { groups: groups.as_ptr().cast(), pairs: pairs.as_ptr().cast() };
    for (token, sums) in sums.iter_mut().take(tokens).enumerate() {
        let token = Token { x: x.values.as_ptr(), widths }.skip(token, x.cols);
        // SAFETY: by `blocks_for` and `Widths`.
        store(sums, unsafe { one_band(blocks, band, token) });
    }
}

/// See [`crate::kernel::Gemv`].
#[target_feature(enable = "dotprod")]
pub(super) fn gemv_q4(bands: Bands<'_>, x: &Ints<'_>, scale: f32, out: &mut [Sums<f32>]) {
    let blocks = x.cols / BLOCK;
    let pairs_at = blocks * size_of::<[Group; 4]>();
    let scales_at = pairs_at + blocks.div_ceil(2) * size_of::<Pair>();
    if x.values.len() < blocks * BLOCK || bands.len < scales_at + 16 {
        return; // out of contract: nothing may be read that is not there
    }
    let Some(widths) = Widths::of(x, 1) else {
        return (neon::KERNEL.gemv_q4)(bands, x, scale, out);
    };
    let token = Token { x: x.values.as_ptr(), widths };
    let count = out.len().min(bands.bytes.len() / bands.len);
    let (twos, last) = out[..count].as_chunks_mut::<2>();
    let mut at = bands.bytes.as_ptr();
    let band = |at: *const u8| Band { groups: at, pairs: at.wrapping_add(pairs_at) };
    // SAFETY: a band's bytes are blocks, behind them half as many pairs, and at its end 16 bytes of scales;
    // there are `count` bands.
    unsafe {
        for out in twos {
            let both = [at, at.add(bands.len)];
            let totals = two_bands(blocks, both.map(band), token);
            for ((out, totals), at) in out.iter_mut().zip(totals).zip(both) {
                rescale(totals, &*at.add(bands.len - 16).cast(), scale, out);
            }
            at = at.add(2 * bands.len);
        }
        if let [out] = last {
            rescale(one_band(blocks, band(at), token), &*at.add(bands.len - 16).cast(), scale, out);
        }
    }
}

/// Where a band's blocks begin, and their parameters.
#[derive(Clone, Copy)]
struct Band {
    groups: *const u8,
    pairs: *const u8,
}

/// A token's activations, and what is made of their sums.
#[derive(Clone, Copy)]
struct Token {
    x: *const i8,
    widths: Widths,
}

impl Token {
    /// The one so many tokens later.
    fn skip(self, tokens: usize, cols: usize) -> Self {
        let stride = tokens * Widths::stride(cols / BLOCK);
        let Widths { digits, starts } = self.widths;
        let [digits, starts] = [digits, starts].map(|at| at.wrapping_add(stride));
        Self { x: self.x.wrapping_add(tokens * cols), widths: Widths { digits, starts } }
    }
}

/// Of a band's rows, 0 to 3 and 4 to 7: Σ s·Σ (n - 8)·x; Σ s·z·l and Σ s·z·h of the digits of Σx.
type Parts = [[int32x4_t; 2]; 3];

/// The sums of a band's rows.
#[inline]
#[target_feature(enable = "dotprod")]
fn add_up([blocks, low, high]: Parts) -> [int32x4_t; 2] {
    from_fn(|half| {
        let fourth = vaddq_s32(blocks[half], vshlq_n_s32::<5>(high[half]));
        vaddq_s32(low[half], vshlq_n_s32::<2>(fourth))
    })
}

/// Parameters of four blocks, whose pairs are in v16 and v17: `$steps` become s, in i16; and to `$low` and `$high` is
/// added what the zeros are worth, by the digits in v20. A byte of v17 and v19 is z, then s·z.
#[rustfmt::skip]
macro_rules! parameters {
    ([$a:literal, $b:literal, $c:literal, $d:literal], [$low:literal, $low2:literal], [$high:literal, $high2:literal]) => {
        concat!(
            "trn1 v18.2d, v16.2d, v17.2d\n",
            "trn2 v19.2d, v16.2d, v17.2d\n",
            "and v16.16b, v18.16b, v12.16b\n",
            "and v17.16b, v19.16b, v12.16b\n",
            "ushr v18.16b, v18.16b, #4\n",
            "ushr v19.16b, v19.16b, #4\n",
            "sub v17.16b, v17.16b, v14.16b\n",
            "sub v19.16b, v19.16b, v14.16b\n",
            "uaddl v", $a, ".8h, v16.8b, v13.8b\n",
            "uaddl v", $b, ".8h, v18.8b, v13.8b\n",
            "uaddl2 v", $c, ".8h, v16.16b, v13.16b\n",
            "uaddl2 v", $d, ".8h, v18.16b, v13.16b\n",
            "mla v17.16b, v16.16b, v17.16b\n",
            "mla v19.16b, v18.16b, v19.16b\n",
            "zip1 v16.16b, v17.16b, v19.16b\n",
            "zip2 v18.16b, v17.16b, v19.16b\n",
            "zip1 v17.8h, v16.8h, v18.8h\n",
            "zip2 v19.8h, v16.8h, v18.8h\n",
            "sdot v", $low, ".4s, v17.16b, v20.4b[0]\n",
            "sdot v", $low2, ".4s, v19.16b, v20.4b[0]\n",
            "sdot v", $high, ".4s, v17.16b, v20.4b[1]\n",
            "sdot v", $high2, ".4s, v19.16b, v20.4b[1]\n",
        )
    };
}

/// The same of one pair of blocks, which is in v16. What v18 has beside them is multiplied with digits of 0.
#[rustfmt::skip]
macro_rules! parameters_of_two {
    ([$a:literal, $b:literal], [$low:literal, $low2:literal], [$high:literal, $high2:literal]) => {
        concat!(
            "ushr v18.16b, v16.16b, #4\n",
            "and v16.16b, v16.16b, v12.16b\n",
            "uaddl v", $a, ".8h, v16.8b, v13.8b\n",
            "uaddl v", $b, ".8h, v18.8b, v13.8b\n",
            "trn1 v17.2d, v16.2d, v18.2d\n",
            "trn2 v19.2d, v16.2d, v18.2d\n",
            "sub v19.16b, v19.16b, v14.16b\n",
            "mla v19.16b, v17.16b, v19.16b\n",
            "ext v17.16b, v19.16b, v19.16b, #8\n",
            "zip1 v18.16b, v19.16b, v17.16b\n",
            "zip1 v17.8h, v18.8h, v18.8h\n",
            "zip2 v19.8h, v18.8h, v18.8h\n",
            "sdot v", $low, ".4s, v17.16b, v20.4b[0]\n",
            "sdot v", $low2, ".4s, v19.16b, v20.4b[0]\n",
            "sdot v", $high, ".4s, v17.16b, v20.4b[1]\n",
            "sdot v", $high2, ".4s, v19.16b, v20.4b[1]\n",
        )
    };
}

/// Two nibbles' registers and eight SDOTs: a group, the activations for its low nibbles, those for its high ones.
#[rustfmt::skip]
macro_rules! group {
    ($w:literal, $x:literal, $low:literal, $high:literal) => {
        concat!(
            "ldp q16, q17, [{", $w, "}], #32\n",
            "and v18.16b, v16.16b, v12.16b\n",
            "and v19.16b, v17.16b, v12.16b\n",
            "ushr v16.16b, v16.16b, #4\n",
            "ushr v17.16b, v17.16b, #4\n",
            "sdot v22.4s, v18.16b, v", $x, ".4b[", $low, "]\n",
            "sdot v23.4s, v19.16b, v", $x, ".4b[", $low, "]\n",
            "sdot v22.4s, v16.16b, v", $x, ".4b[", $high, "]\n",
            "sdot v23.4s, v17.16b, v", $x, ".4b[", $high, "]\n",
        )
    };
}

/// A block of a band by the activations in v20 and v21; `$starts` is where its sums begin, `$step` its s.
#[rustfmt::skip]
macro_rules! block {
    ($w:literal, $starts:literal, $step:literal, [$low:literal, $high:literal]) => {
        concat!(
            "ldp q22, q23, ", $starts, "\n",
            group!($w, "20", "0", "1"),
            group!($w, "20", "2", "3"),
            group!($w, "21", "0", "1"),
            group!($w, "21", "2", "3"),
            "uzp1 v22.8h, v22.8h, v23.8h\n",
            "smlal v", $low, ".4s, v22.4h, v", $step, ".4h\n",
            "smlal2 v", $high, ".4s, v22.8h, v", $step, ".8h\n",
        )
    };
}

/// Blocks of as many bands as there are lines, all by the same activations. The last line's `$starts` go on to the
/// next block.
macro_rules! blocks {
    ($($w:literal $starts:literal $step:literal $totals:tt)+) => {
        concat!("ldp q20, q21, [{x}], #32\n", $(block!($w, $starts, $step, $totals),)+)
    };
}

/// All blocks: `$fours` loads pairs and makes parameters of four, `$two` of one or two, and `$a` to `$d` are these.
macro_rules! run {
    ([$($fours:expr),+], [$($two:expr),+], [$a:expr, $b:expr, $c:expr, $d:expr]) => {
        concat!(
            "movi v12.16b, #15\n",
            "movi v13.16b, #1\n",
            "movi v14.16b, #8\n",
            "cbz {fours}, 3f\n",
            "2:\n",
            "ldr d20, [{digits}], #8\n",
            $($fours,)+ $a, $b, $c, $d,
            "subs {fours}, {fours}, #1\n",
            "b.ne 2b\n",
            "3:\n",
            "cbz {rest}, 6f\n",
            "ldr d20, [{digits}]\n",
            "cmp {rest}, #2\n",
            "b.ls 4f\n",
            $($fours,)+
            "b 5f\n",
            "4:\n",
            $($two,)+
            "5:\n",
            $a,
            "cmp {rest}, #2\n",
            "b.lo 6f\n",
            $b,
            "b.eq 6f\n",
            $c,
            "6:\n",
        )
    };
}

/// The sums of one band.
///
/// # Safety
/// There are as many blocks and half as many pairs, and activations and their widths for as many.
#[inline]
#[target_feature(enable = "dotprod")]
unsafe fn one_band(blocks: usize, band: Band, token: Token) -> [int32x4_t; 2] {
    let zero = vdupq_n_s32(0);
    let [mut totals, mut low, mut high] = [[zero; 2]; 3];
    // v12 15, v13 1, v14 8; v20 digits, or with v21 activations; v22, v23 a block's sums; v24 to v27 s; v16 to v19 what
    // is at work
    // SAFETY: by this function's contract.
    unsafe {
        asm!(
            run!(
                ["ldp q16, q17, [{pairs}], #32\n", parameters!(["24", "25", "26", "27"], ["2", "3"], ["4", "5"])],
                ["ldr q16, [{pairs}]\n", parameters_of_two!(["24", "25"], ["2", "3"], ["4", "5"])],
                [
                    blocks!("w" "[{starts}], #32" "24" ["0", "1"]),
                    blocks!("w" "[{starts}], #32" "25" ["0", "1"]),
                    blocks!("w" "[{starts}], #32" "26" ["0", "1"]),
                    blocks!("w" "[{starts}], #32" "27" ["0", "1"])
                ]
            ),
            fours = inout(reg) blocks / FOUR => _,
            rest = in(reg) blocks % FOUR,
            w = inout(reg) band.groups => _,
            pairs = inout(reg) band.pairs => _,
            x = inout(reg) token.x => _,
            digits = inout(reg) token.widths.digits => _,
            starts = inout(reg) token.widths.starts => _,
            inout("v0") totals[0], inout("v1") totals[1], inout("v2") low[0], inout("v3") low[1],
            inout("v4") high[0], inout("v5") high[1],
            out("v12") _, out("v13") _, out("v14") _, out("v16") _, out("v17") _, out("v18") _,
            out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _,
            out("v25") _, out("v26") _, out("v27") _,
            options(readonly, nostack),
        );
    }
    add_up([totals, low, high])
}

/// The sums of two bands, which share the activations' loads.
///
/// # Safety
/// As for [`one_band`].
#[inline]
#[target_feature(enable = "dotprod")]
unsafe fn two_bands(blocks: usize, [a, b]: [Band; 2], token: Token) -> [[int32x4_t; 2]; 2] {
    let zero = vdupq_n_s32(0);
    let [mut totals, mut low, mut high] = [[zero; 2]; 3];
    let [mut totals_b, mut low_b, mut high_b] = [[zero; 2]; 3];
    // As above, and for the second band v28 to v31 s.
    // SAFETY: by this function's contract.
    unsafe {
        asm!(
            run!(
                [
                    "ldp q16, q17, [{pairs}], #32\n",
                    parameters!(["24", "25", "26", "27"], ["2", "3"], ["4", "5"]),
                    "ldp q16, q17, [{pairs_b}], #32\n",
                    parameters!(["28", "29", "30", "31"], ["8", "9"], ["10", "11"])
                ],
                [
                    "ldr q16, [{pairs}]\n",
                    parameters_of_two!(["24", "25"], ["2", "3"], ["4", "5"]),
                    "ldr q16, [{pairs_b}]\n",
                    parameters_of_two!(["28", "29"], ["8", "9"], ["10", "11"])
                ],
                [
                    blocks!("w" "[{starts}]" "24" ["0", "1"] "w_b" "[{starts}], #32" "28" ["6", "7"]),
                    blocks!("w" "[{starts}]" "25" ["0", "1"] "w_b" "[{starts}], #32" "29" ["6", "7"]),
                    blocks!("w" "[{starts}]" "26" ["0", "1"] "w_b" "[{starts}], #32" "30" ["6", "7"]),
                    blocks!("w" "[{starts}]" "27" ["0", "1"] "w_b" "[{starts}], #32" "31" ["6", "7"])
                ]
            ),
            fours = inout(reg) blocks / FOUR => _,
            rest = in(reg) blocks % FOUR,
            w = inout(reg) a.groups => _, w_b = inout(reg) b.groups => _,
            pairs = inout(reg) a.pairs => _, pairs_b = inout(reg) b.pairs => _,
            x = inout(reg) token.x => _,
            digits = inout(reg) token.widths.digits => _,
            starts = inout(reg) token.widths.starts => _,
            inout("v0") totals[0], inout("v1") totals[1], inout("v2") low[0], inout("v3") low[1],
            inout("v4") high[0], inout("v5") high[1], inout("v6") totals_b[0], inout("v7") totals_b[1],
            inout("v8") low_b[0], inout("v9") low_b[1], inout("v10") high_b[0], inout("v11") high_b[1],
            out("v12") _, out("v13") _, out("v14") _, out("v16") _, out("v17") _, out("v18") _,
            out("v19") _, out("v20") _, out("v21") _, out("v22") _, out("v23") _, out("v24") _,
            out("v25") _, out("v26") _, out("v27") _, out("v28") _, out("v29") _, out("v30") _,
            out("v31") _,
            options(readonly, nostack),
        );
    }
    [add_up([totals, low, high]), add_up([totals_b, low_b, high_b])]
}
