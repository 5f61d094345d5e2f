//! The one checked arithmetic for sizes: every count of bytes in the crate goes through here.

use super::ALIGNMENT;

/// The product of `factors`, or `None` where it does not fit 64 bits. Such products take many instructions
/// where registers have 32 bits: a program has them once.
#[inline(never)]
pub fn product(factors: &[u64]) -> Option<u64> {
    factors.iter().try_fold(1u64, |p, &f| p.checked_mul(f))
}

/// The sum of `terms`, or `None` where it does not fit 64 bits.
pub fn sum(terms: &[u64]) -> Option<u64> {
    terms.iter().try_fold(0u64, |s, &t| s.checked_add(t))
}

/// `value` rounded up to a multiple of `step` (which must not be 0), or `None` on overflow.
pub fn round_up(value: u64, step: u64) -> Option<u64> {
    value.checked_next_multiple_of(step)
}

/// `offset` rounded up to the file's [`ALIGNMENT`].
pub fn align(offset: u64) -> Option<u64> {
    round_up(offset, ALIGNMENT)
}
