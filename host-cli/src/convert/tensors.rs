//! One tensor through the quantizer, in pieces of whole bands, on all cores.

use std::num::NonZero;
use std::thread;

use acorn_core::format::encoding::{self, BAND_ROWS, Encoding};
use acorn_core::format::tensor_table::Entry;

use super::report::Tally;
use super::{Sink, Weighed};
use crate::error::Error;
use crate::hf::{Dtype, Located, Stored};
use crate::progress::Progress;
use crate::quantize::{self, Distance, Quant};

/// Bytes of the source read at a time, about.
const PIECE: u64 = 8 << 20;

/// Fewer bytes of the source than this are not worth a thread.
const WORTH_A_THREAD: usize = 1 << 16;

/// Writes a tensor's bytes, and counts it.
pub(super) fn write(
    sink: &mut Sink<'_>,
    tensor: &Located<'_>,
    entry: &Entry,
    source: &Weighed<'_>,
    tally: &mut Tally,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let prepared = source.prepared.and_then(|prepared| prepared.get(tensor.role, tensor.layer));
    if let Some(prepared) = prepared {
        sink.write(&prepared.bytes)?;
        progress.advance(entry.len);
        let stored = tensor.stored.as_ref();
        let name = stored.map_or(tensor.role.name(), |stored| &stored.name);
        tally.count(tensor.role, name, prepared.encoding, entry, prepared.distance);
        return Ok(());
    }
    let (name, encoding, distance) = match &tensor.stored {
        None => {
            let turns = source.architecture.rotary.iter().flat_map(|turn| turn.to_le_bytes());
            sink.write(&turns.collect::<Vec<u8>>())?;
            progress.advance(entry.len);
            (tensor.role.name(), Encoding::Turns, Distance::default())
        }
        Some(stored) if tensor.role.vector_encoding().is_some() => {
            write_vector(sink, stored, entry)?;
            progress.advance(entry.len);
            (stored.name.as_str(), Encoding::Vector, Distance::default())
        }
        Some(stored) => {
            let distance = write_matrix(sink, stored, entry, source.quant, progress)?;
            (stored.name.as_str(), source.quant.encoding(), distance)
        }
    };
    tally.count(tensor.role, name, encoding, entry, distance);
    Ok(())
}

fn write_vector(sink: &mut Sink<'_>, stored: &Stored<'_>, entry: &Entry) -> Result<(), Error> {
    let cols = entry.cols as usize;
    let mut raw = vec![0; cols * stored.dtype.size() as usize];
    stored.read_vector(&mut raw)?;
    let mut values = vec![0.0; cols];
    stored.dtype.decode(&raw, &mut values);
    refuse_not_finite(&values, 0).map_err(|bad| bad.error(stored, None))?;
    sink.write(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

fn write_matrix(
    sink: &mut Sink<'_>,
    stored: &Stored<'_>,
    entry: &Entry,
    quant: Quant,
    progress: &dyn Progress,
) -> Result<Distance, Error> {
    let shape = Shape::new(stored.dtype, entry, quant);
    let piece_rows = (PIECE as usize / shape.row_len).next_multiple_of(BAND_ROWS);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut raw = Vec::new();
    let mut packed = Vec::new();
    let mut distance = Distance::default();
    for first in (0..entry.rows as usize).step_by(piece_rows) {
        let rows = piece_rows.min(entry.rows as usize - first);
        raw.resize(rows * shape.row_len, 0);
        stored.read_rows(first, shape.cols, &mut raw)?;
        packed.clear();
        packed.resize(rows.div_ceil(BAND_ROWS) * shape.band_len, 0);
        let distances = shape.quantize_all(&raw, &mut packed, cores).map_err(|bad| {
            Bad { index: bad.index + first * shape.cols, ..bad }.error(stored, Some(shape.cols))
        })?;
        // Summed in row order, whoever computed them: the report too is the same everywhere.
        distance = distances.into_iter().fold(distance, Distance::plus);
        sink.write(&packed)?;
        progress.advance(packed.len() as u64);
    }
    Ok(distance)
}

/// A number that cannot be converted, at that index of its tensor.
#[derive(Clone, Copy, Debug)]
struct Bad {
    index: usize,
    value: f32,
}

impl Bad {
    fn error(self, stored: &Stored<'_>, cols: Option<usize>) -> Error {
        let place = match cols {
            Some(cols) => stored.place(self.index / cols, self.index % cols),
            None => stored.vector_place(self.index),
        };
        let problem = format!(
            "holds {} at {place}: only finite numbers can be converted (a damaged download, or training that diverged)",
            self.value
        );
        Error::tensor(stored.path(), &stored.name, problem)
    }
}

fn refuse_not_finite(values: &[f32], first: usize) -> Result<(), Bad> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Bad { index: first + at, value: values[at] }),
    }
}

/// What the bands of a matrix have in common.
#[derive(Clone, Copy, Debug)]
struct Shape {
    dtype: Dtype,
    quant: Quant,
    cols: usize,
    padded_cols: usize,
    /// Bytes of a row in the source.
    row_len: usize,
    /// Bytes of a band in the target.
    band_len: usize,
}

impl Shape {
    fn new(dtype: Dtype, entry: &Entry, quant: Quant) -> Self {
        let cols = entry.cols as usize;
        Self {
            dtype,
            quant,
            cols,
            padded_cols: encoding::padded_cols(entry.cols).unwrap_or(0) as usize,
            row_len: cols * dtype.size() as usize,
            band_len: (entry.len / encoding::bands(entry.rows).max(1)) as usize,
        }
    }

    /// Quantizes the rows in `raw` into the bands in `packed`, on up to `cores` threads. Returns each row's distance.
    fn quantize_all(
        &self,
        raw: &[u8],
        packed: &mut [u8],
        cores: usize,
    ) -> Result<Vec<Distance>, Bad> {
        let bands = packed.len() / self.band_len;
        let threads = cores.min(raw.len() / WORTH_A_THREAD).clamp(1, bands.max(1));
        let share = bands.div_ceil(threads).max(1);
        let raw_share = share * BAND_ROWS * self.row_len;
        let shares = raw.chunks(raw_share).zip(packed.chunks_mut(share * self.band_len));
        if threads == 1 {
            return self.quantize(raw, packed);
        }
        let results: Vec<_> = thread::scope(|scope| {
            let spawn = |(raw, packed)| scope.spawn(move || self.quantize(raw, packed));
            let threads: Vec<_> = shares.map(spawn).collect();
            threads.into_iter().map(|thread| thread.join()).collect()
        });
        let mut all = Vec::new();
        for (index, result) in results.into_iter().enumerate() {
            let result = result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let first = index * share * BAND_ROWS * self.cols;
            all.extend(result.map_err(|bad| Bad { index: bad.index + first, ..bad })?);
        }
        Ok(all)
    }

    /// The same on this thread.
    fn quantize(&self, raw: &[u8], packed: &mut [u8]) -> Result<Vec<Distance>, Bad> {
        let mut all = Vec::new();
        let mut rows = vec![0.0; BAND_ROWS * self.padded_cols];
        let bands = raw.chunks(BAND_ROWS * self.row_len).zip(packed.chunks_mut(self.band_len));
        for (band, (raw, out)) in bands.enumerate() {
            rows.fill(0.0);
            let sources = raw.chunks(self.row_len);
            let count = sources.len();
            for (r, (raw, row)) in sources.zip(rows.chunks_mut(self.padded_cols)).enumerate() {
                let row = &mut row[..self.cols];
                self.dtype.decode(raw, row);
                refuse_not_finite(row, (band * BAND_ROWS + r) * self.cols)?;
            }
            let distances = quantize::band(self.quant, &rows, self.padded_cols, out);
            all.extend(distances.into_iter().take(count));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        dtype: Dtype::F32,
        quant: Quant::Q4,
        cols: 250,
        padded_cols: 256,
        row_len: 1000,
        band_len: 8 * 132 + 32,
    };

    fn rows(count: usize) -> Vec<u8> {
        let value = |i: usize| ((i * 2_654_435_761) % 1_000_003) as f32 / 1e6 - 0.5;
        (0..count * SHAPE.cols).flat_map(|i| value(i).to_le_bytes()).collect()
    }

    #[test]
    fn any_number_of_threads_gives_the_same() {
        let raw = rows(597);
        let run = |cores| {
            let mut packed = vec![0; 75 * SHAPE.band_len];
            let distances = SHAPE.quantize_all(&raw, &mut packed, cores).expect("finite");
            (packed, distances)
        };
        let one = run(1);
        assert_eq!(one.1.len(), 597);
        assert!((2..10).all(|cores| run(cores) == one));
    }

    #[test]
    fn the_first_bad_number_is_named_by_any_number_of_threads() {
        let mut raw = rows(600);
        for index in [77_777, 120_000] {
            raw[index * 4..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
        }
        for cores in 1..10 {
            let mut packed = vec![0; 75 * SHAPE.band_len];
            let bad = SHAPE.quantize_all(&raw, &mut packed, cores).expect_err("not finite");
            assert_eq!(bad.index, 77_777);
        }
    }
}
