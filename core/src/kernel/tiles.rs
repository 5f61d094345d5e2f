//! What the kernels of all architectures share: matrices cut into tiles of some tokens.

use super::{Group, Ints};
use crate::format::BLOCK;

/// The blocks of nibbles for which `x` has columns.
pub(super) fn blocks<'a>(groups: &'a [Group], x: Ints<'_>) -> &'a [[Group; 4]] {
    let blocks = groups.as_chunks::<4>().0;
    blocks.get(..x.cols / BLOCK).unwrap_or(blocks)
}

/// Calls `$tile::<T, …>` for as many of the `$x`'s tokens at a time as one of the lists says (its first
/// number), the largest first; the last one says 1.
macro_rules! tiles {
    ($x:expr, $sums:expr, $([$size:literal $(, $more:literal)*])+ $tile:ident($weights:expr)) => {{
        let (mut x, mut sums) = ($x, $sums);
        loop {
            let tokens = x.tokens();
            $(if tokens >= $size && sums.len() >= $size {
                let (now, later) = x.split($size);
                let (sums_now, sums_later) = sums.split_at_mut($size);
                $tile::<$size $(, $more)*>($weights, now, sums_now);
                (x, sums) = (later, sums_later);
                continue;
            })+
            break;
        }
    }};
}
pub(super) use tiles;

/// The same for several bands of [`Wide`](super::Wide) weights: `$tile::<T>(groups, x, sums)` per band,
/// where `x` and `sums` are those of the T tokens and of the ones after them.
#[cfg(not(target_arch = "x86_64"))]
macro_rules! wide_tiles {
    ($weights:expr, $x:expr, $tokens:expr, $sums:expr, $([$size:literal $(, $more:literal)*])+ $tile:ident) => {{
        let (tokens, cols) = ($tokens, $weights.per_band * 4);
        if cols == 0 || tokens == 0 || $x.len() < tokens * cols {
            return;
        }
        for (groups, sums) in $weights.bands().zip($sums.chunks_exact_mut(tokens)) {
            let (mut x, mut sums) = ($x, sums);
            loop {
                $(if sums.len() >= $size {
                    $tile::<$size $(, $more)*>(groups, x, sums);
                    (x, sums) = (x.get($size * cols..).unwrap_or_default(), &mut sums[$size..]);
                    continue;
                })+
                break;
            }
        }
    }};
}
#[cfg(not(target_arch = "x86_64"))]
pub(super) use wide_tiles;
