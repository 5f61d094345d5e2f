//! x · sigmoid(x), in the steps of [`crate::math::silu`], for four registers at a time: processors look some dozens of
//! instructions ahead, and one register's steps wait for each other.

use core::arch::x86_64::*;

use crate::format::recipe::Activation;
use crate::kernel::elementwise;
use crate::math::{EXP_NEAR, LN_2, POWER_OF_E, ROUND};

/// Numbers of four registers.
const FOUR: usize = 32;

/// See [`elementwise::Elementwise::activate`]; only for tables that are handed out where AVX2 has been seen.
pub(super) fn activate(f: Activation, gate: Option<&[f32]>, up: &[f32], out: &mut [f32]) {
    // SAFETY: by this function's contract.
    unsafe { activate_avx2(f, gate, up, out) }
}

#[target_feature(enable = "avx2")]
fn activate_avx2(f: Activation, gate: Option<&[f32]>, up: &[f32], out: &mut [f32]) {
    let (Activation::Silu, Some(gate)) = (f, gate) else {
        return elementwise::activate(f, gate, up, out);
    };
    for ((out, gate), up) in out.chunks_mut(FOUR).zip(gate.chunks(FOUR)).zip(up.chunks(FOUR)) {
        match (gate.as_array(), up.as_array(), out.as_mut_array()) {
            (Some(gate), Some(up), Some(out)) if are_near(gate) => four(gate, up, out),
            _ => elementwise::activate(f, Some(gate), up, out),
        }
    }
}

/// The same where they [`are_near`].
#[inline]
#[target_feature(enable = "avx2")]
fn four(gate: &[f32; FOUR], up: &[f32; FOUR], out: &mut [f32; FOUR]) {
    let [most, less] = LN_2.map(|part| _mm256_set1_ps(part));
    let (gate, up) = (load(gate), load(up));
    // e to the power of -x = 2ⁿ · y, as in `exp_near`.
    let minus = gate.map(|x| _mm256_xor_ps(x, _mm256_set1_ps(-0.0)));
    let mut rounded = [_mm256_setzero_ps(); 4];
    for (rounded, x) in rounded.iter_mut().zip(minus) {
        let x = _mm256_mul_ps(x, _mm256_set1_ps(core::f32::consts::LOG2_E));
        *rounded = _mm256_add_ps(x, _mm256_set1_ps(ROUND));
    }
    let mut r = minus;
    for (r, rounded) in r.iter_mut().zip(rounded) {
        let n = _mm256_sub_ps(rounded, _mm256_set1_ps(ROUND));
        *r = _mm256_sub_ps(*r, _mm256_mul_ps(n, most));
        *r = _mm256_sub_ps(*r, _mm256_mul_ps(n, less));
    }
    let [first, others @ ..] = POWER_OF_E;
    let mut y = [_mm256_set1_ps(first); 4];
    for coefficient in others {
        for (y, r) in y.iter_mut().zip(r) {
            *y = _mm256_add_ps(_mm256_mul_ps(*y, r), _mm256_set1_ps(coefficient));
        }
    }
    for (y, r) in y.iter_mut().zip(r) {
        *y = _mm256_add_ps(_mm256_mul_ps(*y, _mm256_mul_ps(r, r)), r);
        *y = _mm256_add_ps(*y, _mm256_set1_ps(1.0));
    }
    for (y, rounded) in y.iter_mut().zip(rounded) {
        // Of the constant's bits, whose last one counts 1, nothing is left after the shift.
        let n = _mm256_slli_epi32::<23>(_mm256_castps_si256(rounded));
        *y = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(*y), n));
    }
    let (outs, _) = out.as_chunks_mut::<8>();
    for (((y, gate), up), out) in y.into_iter().zip(gate).zip(up).zip(outs) {
        let silu = _mm256_div_ps(gate, _mm256_add_ps(_mm256_set1_ps(1.0), y));
        // SAFETY: 8 numbers.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), _mm256_mul_ps(silu, up)) }
    }
}

/// Whether all are less than [`EXP_NEAR`] in magnitude.
#[inline]
#[target_feature(enable = "avx2")]
fn are_near(x: &[f32; FOUR]) -> bool {
    let mut near = _mm256_castsi256_ps(_mm256_set1_epi8(-1));
    for x in load(x) {
        let magnitude = _mm256_andnot_ps(_mm256_set1_ps(-0.0), x);
        let less = _mm256_cmp_ps::<_CMP_LT_OQ>(magnitude, _mm256_set1_ps(EXP_NEAR));
        near = _mm256_and_ps(near, less);
    }
    _mm256_movemask_ps(near) == 0xFF
}

/// Its four registers.
#[inline]
#[target_feature(enable = "avx2")]
fn load(x: &[f32; FOUR]) -> [__m256; 4] {
    // SAFETY: four times 8 numbers.
    core::array::from_fn(|i| unsafe { _mm256_loadu_ps(x.as_ptr().add(8 * i)) })
}
