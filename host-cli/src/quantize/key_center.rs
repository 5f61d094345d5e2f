//! The mean key of each head, which an int8 cache takes away before it rounds: a constant in all keys
//! moves all scores of a query alike, so that attention does not see it, and the keys of a head have
//! much in common, since the slow pairs of a rotation hardly turn (SageAttention, arXiv 2410.02367,
//! §4.2, has the same for one batch at run time).

use std::ops::Range;

use acorn_core::Model;
use acorn_core::format::tensor_table::Role;

use super::layer::Rows;

/// The mean rotated key of `layer` [kv_heads · head_dim], as a vector's bytes, for `inputs` of the
/// key projection that stand in those windows.
pub(super) fn mean(
    source: &Model<'_>,
    layer: u32,
    inputs: &Rows,
    windows: &[Range<usize>],
) -> Vec<u8> {
    let recipe = source.recipe();
    let (head_dim, dims) = (recipe.head_dim as usize, recipe.rotary_dims as usize);
    let matrix = source.matrix(Role::Key, layer);
    let bias: Vec<f32> = match source.bias(Role::Key, layer) {
        Some(bias) => bias.floats().collect(),
        None => vec![0.0; matrix.rows()],
    };
    let turns: Vec<f64> =
        source.rotary().turns().map(|turn| f64::from(turn) / 4_294_967_296.0).collect();
    // The rotation is linear: per position, the mean of the inputs is as good as the inputs.
    let longest = windows.iter().map(Range::len).max().unwrap_or(0);
    let mut sums = vec![0.0; matrix.rows()];
    let mut row = vec![0.0; inputs.stride];
    let weights: Vec<Vec<f32>> = (0..matrix.rows())
        .map(|r| {
            matrix.row(r, &mut row);
            row.clone()
        })
        .collect();
    for position in 0..longest {
        let mut input = vec![0.0; inputs.stride];
        let mut count = 0.0;
        for window in windows.iter().filter(|window| window.len() > position) {
            let first = (window.start + position) * inputs.stride;
            let values = &inputs.values[first..first + inputs.stride];
            input.iter_mut().zip(values).for_each(|(sum, x)| *sum += f64::from(*x));
            count += 1.0;
        }
        let key: Vec<f64> = weights
            .iter()
            .zip(&bias)
            .map(|(weights, bias)| {
                let products = weights.iter().zip(&input).map(|(w, x)| f64::from(*w) * x);
                products.sum::<f64>() + f64::from(*bias) * count
            })
            .collect();
        for (key, sums) in key.chunks(head_dim).zip(sums.chunks_mut(head_dim)) {
            for (sum, x) in sums.iter_mut().zip(key).skip(dims) {
                *sum += x;
            }
            for i in 0..dims / 2 {
                let angle = std::f64::consts::TAU * (position as f64 * turns[i]).fract();
                let (sin, cos) = (libm::sin(angle), libm::cos(angle));
                let (a, b) = (key[i], key[i + dims / 2]);
                sums[i] += a * cos - b * sin;
                sums[i + dims / 2] += b * cos + a * sin;
            }
        }
    }
    let tokens: usize = windows.iter().map(Range::len).sum();
    sums.iter().flat_map(|sum| ((sum / tokens.max(1) as f64) as f32).to_le_bytes()).collect()
}
