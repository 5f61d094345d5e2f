//! `model.safetensors` with random weights, written as they are drawn, a row in memory at a time.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use half::f16;
use half::slice::HalfFloatSliceExt;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::shapes::{Dimensions, Role, Tensor};

/// One channel of the residual stream in so many is an outlier, as in trained models ...
const CHANNELS_PER_OUTLIER: usize = 128;
/// ... and the weights that read it are larger by this.
const OUTLIER: f32 = 4.0;
/// How far the factors of norms are from 1.
const NORM_SPREAD: f32 = 0.1;

pub(super) fn write(dimensions: &Dimensions, seed: u64, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    write_to(dimensions, seed, &mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn write_to(dimensions: &Dimensions, seed: u64, out: &mut impl Write) -> io::Result<()> {
    let tensors = dimensions.tensors();
    out.write_all(&header(&tensors)?)?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut row = Row::default();
    for tensor in &tensors {
        let columns = tensor.shape.last().copied().unwrap_or_default();
        let scales = scales(tensor.role, columns, dimensions.layers);
        for _ in 0..tensor.len() / columns {
            out.write_all(row.draw(&mut random, tensor.role, &scales))?;
        }
    }
    Ok(())
}

/// The length of what follows, and which tensor lies where (source: the format's README).
fn header(tensors: &[Tensor]) -> io::Result<Vec<u8>> {
    let mut end = 0;
    let mut info = |tensor: &Tensor| {
        let start = end;
        end += tensor.len() * size_of::<f16>();
        let shape = tensor.shape.clone();
        let info = TensorInfo { dtype: Dtype::F16, shape, data_offsets: (start, end) };
        (tensor.name.clone(), info)
    };
    let infos = tensors.iter().map(&mut info).collect();
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let metadata = Metadata::new(Some(about), infos).map_err(io::Error::other)?;
    let mut json = serde_json::to_vec(&metadata)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut header = (json.len() as u64).to_le_bytes().to_vec();
    header.extend(json);
    Ok(header)
}

/// Standard deviation of the weights of each column: sums of independent products keep the size of
/// what goes in, and all layers together add about as much to the stream as came in.
fn scales(role: Role, columns: usize, layers: usize) -> Vec<f32> {
    let unit = 1.0 / (columns as f32).sqrt();
    match role {
        Role::Norm => vec![NORM_SPREAD; columns],
        Role::Writes => vec![unit / (2.0 * layers as f32).sqrt(); columns],
        Role::Reads => {
            let is_outlier = |column| column % CHANNELS_PER_OUTLIER == CHANNELS_PER_OUTLIER / 2;
            let scale = |column| if is_outlier(column) { OUTLIER * unit } else { unit };
            (0..columns).map(scale).collect()
        }
    }
}

/// Room for one row of a tensor.
#[derive(Default)]
struct Row {
    numbers: Vec<f32>,
    halves: Vec<f16>,
    bytes: Vec<u8>,
}

impl Row {
    /// A row of random numbers, as the file has them.
    fn draw(&mut self, random: &mut Xoshiro256PlusPlus, role: Role, scales: &[f32]) -> &[u8] {
        let mean = if role == Role::Norm { 1.0 } else { 0.0 };
        self.numbers.clear();
        self.numbers.extend(scales.iter().map(|scale| {
            let normal: f32 = StandardNormal.sample(random);
            mean + scale * normal
        }));
        self.halves.resize(scales.len(), f16::ZERO);
        self.halves.convert_from_f32_slice(&self.numbers);
        self.bytes.resize(scales.len() * size_of::<f16>(), 0);
        for (bytes, half) in self.bytes.chunks_exact_mut(2).zip(&self.halves) {
            bytes.copy_from_slice(&half.to_le_bytes());
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;
    use crate::shapes::Shape;

    fn small() -> Dimensions {
        Dimensions { hidden: 256, ffn: 512, layers: 2, vocab: 300, ..Shape::Qwen2_5.dimensions() }
    }

    fn file(seed: u64) -> Vec<u8> {
        let mut file = Vec::new();
        write_to(&Dimensions { heads: 4, tied: false, ..small() }, seed, &mut file).unwrap();
        file
    }

    #[test]
    fn the_file_is_what_the_safetensors_crate_reads() {
        let dimensions = Dimensions { heads: 4, tied: false, ..small() };
        let file = file(0);
        let found = SafeTensors::deserialize(&file).unwrap();
        let expected = dimensions.tensors();
        assert_eq!(found.len(), expected.len());
        for tensor in expected {
            let view = found.tensor(&tensor.name).unwrap();
            assert_eq!((view.dtype(), view.shape()), (Dtype::F16, &tensor.shape[..]));
        }
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(file(1), file(1));
        assert_ne!(file(1), file(2));
    }

    #[test]
    fn spread_and_outliers_are_as_said() {
        let file = file(0);
        let found = SafeTensors::deserialize(&file).unwrap();
        let deviation = |name: &str, column: usize, step: usize| {
            let halves = found.tensor(name).unwrap().data().chunks_exact(2);
            let numbers = halves.map(|half| f16::from_le_bytes([half[0], half[1]]).to_f32());
            let squares: Vec<f32> =
                numbers.skip(column).step_by(step).map(|number| number * number).collect();
            (squares.iter().sum::<f32>() / squares.len() as f32).sqrt()
        };
        let gate = "model.layers.0.mlp.gate_proj.weight";
        assert!((deviation(gate, 0, 256) - 1.0 / 16.0).abs() < 0.01);
        assert!((deviation(gate, 64, 256) - 4.0 / 16.0).abs() < 0.04);
        let output = "model.layers.0.self_attn.o_proj.weight";
        assert!((deviation(output, 0, 1) - 1.0 / 32.0).abs() < 0.001);
    }
}
