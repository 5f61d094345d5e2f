//! The dot products. [`scalar`] is the truth; other instruction sets are to give the same bits.
//!
//! A kernel knows bytes and lengths, never a tensor: it takes the groups of one band
//! ([`crate::format::encoding`]) and the activations of several tokens, and gives one sum per token
//! and row. Integer sums are exact in any order; float sums have the one order that the scalar
//! code spells out.

pub mod scalar;

use crate::format::BAND_ROWS;

/// Sums of one token: one per row of the band.
pub type Sums<T> = [T; BAND_ROWS];

/// 32 bytes of a band: what one vector load takes.
pub type Group = [u8; 32];

/// `sums[t][r] = Σ_k w[r][k] · x[t][k]` for columns of 8 floats; x is tokens × columns.
pub type DotF32 = fn(columns: &[Group], x: &[f32], sums: &mut [Sums<f32>]);

/// The same, exact, for int8 weights in groups of 4 columns and int8 activations.
pub type DotQ8 = fn(groups: &[Group], x: &[i8], sums: &mut [Sums<i32>]);

/// The same for nibbles in groups of 8 columns. `block_sums[t][b]` is the sum of token t's
/// activations over block b: it carries the zero point.
pub type DotQ4 = fn(
    groups: &[Group],
    sub_scales: &[[u8; 4]],
    x: &[i8],
    block_sums: &[i16],
    sums: &mut [Sums<i32>],
);

/// The dot products of one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Its name, for people and for choosing it.
    pub name: &'static str,
    /// For f32 bands.
    pub f32: DotF32,
    /// For q8 bands.
    pub q8: DotQ8,
    /// For q4 bands.
    pub q4: DotQ4,
}

/// The kernel for this machine.
pub fn best() -> &'static Kernel {
    &scalar::KERNEL
}
