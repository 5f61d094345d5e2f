//! A Hugging Face folder becomes one `.acorn` file.
//!
//! All sizes are known before the first byte is written (`layout`); the tensors stream through in
//! pieces (`tensors`), so the memory needed does not grow with the model, unless matrices are fitted
//! to a text before (`calibrated`). The same folder gives
//! the same bytes on every machine: no time, no path, no number of threads goes into the file.

mod calibrated;
pub(crate) mod layout;
mod report;
mod tensors;

use std::path::Path;

use acorn_core::error::FormatErrorKind;
use acorn_core::format::crc32c::{Crc32c, crc32c};
use acorn_core::format::directory::Kind;

pub use crate::quantize::Quant;
pub use crate::quantize::calibrate::Calibration;
pub use calibrated::Quality;
pub use report::{EncodingReport, Report};

use crate::error::Error;
use crate::hf::{self, Architecture, Located, Weights};
use crate::model_file::ModelFile;
use crate::output::Output;
use crate::progress::Progress;
use calibrated::Prepared;
use layout::Layout;
use report::Tally;

/// How a model is to be converted.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How matrices are stored.
    pub quant: Quant,
    /// Bits per weight that the whole may have: as many matrices as that allows, the most telling
    /// ones, are stored as [`Quant::Q8`].
    pub budget: Option<f64>,
    /// What matrices are fitted to.
    pub calibration: Calibration,
    /// Whether to measure the result.
    pub quality: bool,
}

impl Options {
    /// Each weight rounded by itself.
    pub fn rounded(quant: Quant) -> Self {
        Self { quant, budget: None, calibration: Calibration::None, quality: false }
    }

    /// The name that options, files and tables use.
    pub fn name(&self) -> String {
        match self.budget {
            Some(most) => format!("mixed:{most}"),
            None => self.quant.name().to_owned(),
        }
    }
}

/// Converts the Hugging Face folder `dir` to the file `out`, matrices rounded to `quant`: the same as
/// [`convert_with`] without calibration. Memory: a few MiB beyond the tokenizer.
///
/// # Errors
/// As [`convert_with`].
pub fn convert(
    dir: &Path,
    out: &Path,
    quant: Quant,
    progress: &dyn Progress,
) -> Result<Report, Error> {
    convert_with(dir, out, &Options::rounded(quant), progress)
}

/// Converts the Hugging Face folder `dir` to the file `out`.
///
/// The file appears whole and verified, or not at all; an old one stays until then. Memory with
/// calibration: the packed model, two layers in floats, and 12 bytes per calibration token and column
/// of the widest matrix; without, a few MiB beyond the tokenizer.
///
/// # Errors
/// The folder cannot be converted or the calibration text not used (exit code 3, the error names what
/// is in the way), the options do not go together (2), or reading or writing fails (4).
pub fn convert_with(
    dir: &Path,
    out: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Report, Error> {
    let prepared = calibrated::prepare(dir, out, options, progress)?;
    let mut report = write_file(dir, out, options.quant, prepared.as_ref(), progress)?;
    report.quantization = options.name();
    report.quality = prepared.and_then(|prepared| prepared.quality);
    Ok(report)
}

/// Writes one file: matrices as `prepared`, where they are, else rounded to `quant`.
fn write_file(
    dir: &Path,
    out: &Path,
    quant: Quant,
    prepared: Option<&Prepared>,
    progress: &dyn Progress,
) -> Result<Report, Error> {
    let mut architecture = Architecture::read(dir)?;
    architecture.recipe.key_centers |= prepared.is_some();
    let weights = Weights::open(dir)?;
    let located = weights.locate(&architecture)?;
    let (tokenizer, self_test) = hf::tokenizer::read(dir, architecture.recipe.vocab_size)
        .map_err(|source| Error::Tokenizer { path: dir.to_owned(), source })?
        .unzip();
    let chat_template = hf::chat_template(dir)?;
    let metadata = metadata(&architecture, &located, quant, prepared, hf::sampling(dir)?);

    let small = Small {
        tokenizer: tokenizer.as_deref(),
        chat_template: chat_template.as_deref(),
        metadata: &metadata,
    };
    let ours = |kind: FormatErrorKind| Error::internal(out, kind.to_string());
    let encoding = |role, layer| {
        let prepared = prepared.and_then(|prepared| prepared.encoding(role, layer));
        prepared.unwrap_or(quant.encoding())
    };
    let layout = Layout::new(&architecture.recipe, encoding, &small.sizes()).map_err(ours)?;
    let mut output = Output::create(out, layout.file_len())?;
    let source = Weighed { architecture: &architecture, located: &located, quant, prepared };
    let tally = write(&mut output, &source, &layout, &small, progress)?;

    check(&output, out, progress)?;
    output.commit()?;
    Ok(tally.report(out, quant, layout.file_len(), layout.weight_bytes(), self_test))
}

/// Where the weights come from.
struct Weighed<'a> {
    architecture: &'a Architecture,
    located: &'a [Located<'a>],
    quant: Quant,
    prepared: Option<&'a Prepared>,
}

/// The sections behind the weights: small enough to be in memory.
struct Small<'a> {
    tokenizer: Option<&'a [u8]>,
    chat_template: Option<&'a str>,
    metadata: &'a str,
}

impl Small<'_> {
    /// Those that there are, in file order.
    fn sections(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        [
            self.tokenizer.map(|bytes| (Kind::Tokenizer, bytes)),
            self.chat_template.map(|text| (Kind::ChatTemplate, text.as_bytes())),
            Some((Kind::Metadata, self.metadata.as_bytes())),
        ]
        .into_iter()
        .flatten()
    }

    fn sizes(&self) -> Vec<(Kind, u64)> {
        self.sections().map(|(kind, bytes)| (kind, bytes.len() as u64)).collect()
    }
}

/// Writes the whole file, the header last: before that it is no valid model.
fn write(
    output: &mut Output,
    source: &Weighed<'_>,
    layout: &Layout,
    small: &Small<'_>,
    progress: &dyn Progress,
) -> Result<Tally, Error> {
    let ours = |path: &Path, kind: FormatErrorKind| Error::internal(path, kind.to_string());
    let mut crcs = Vec::new();
    let mut position = 0;
    let mut tally = Tally::default();
    for section in layout.sections() {
        // The first of these skips the header and the directory, which are patched in last.
        output.write(&vec![0; (section.offset - position) as usize])?;
        let crc = match section.kind {
            Kind::Recipe | Kind::Tensors => {
                let bytes = layout.encode(section.kind, &source.architecture.recipe);
                let bytes = bytes.map_err(|kind| ours(output.temporary(), kind))?;
                output.write(&bytes)?;
                crc32c(&bytes)
            }
            Kind::Weights => {
                let mut sink = Sink { output: &mut *output, crc: Crc32c::default(), position: 0 };
                progress.start("converting", section.len);
                for (tensor, entry) in source.located.iter().zip(layout.entries()) {
                    sink.pad(entry.offset)?;
                    tensors::write(&mut sink, tensor, entry, source, &mut tally, progress)?;
                }
                progress.finish();
                sink.crc.finish()
            }
            kind => {
                let found = small.sections().find(|(other, _)| *other == kind);
                let (_, bytes) = found.unwrap_or((kind, &[]));
                output.write(bytes)?;
                crc32c(bytes)
            }
        };
        position = section.offset + section.len;
        crcs.push(crc);
    }
    let start = layout.header_and_directory(&crcs);
    output.patch_start(&start.map_err(|kind| ours(output.temporary(), kind))?)?;
    Ok(tally)
}

/// Where the weights section goes: to the file, and into its checksum.
struct Sink<'a> {
    output: &'a mut Output,
    crc: Crc32c,
    /// Bytes of the section so far.
    position: u64,
}

impl Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.crc = self.crc.update(bytes);
        self.position += bytes.len() as u64;
        self.output.write(bytes)
    }

    fn pad(&mut self, target: u64) -> Result<(), Error> {
        let zeros = vec![0; (target - self.position) as usize];
        self.write(&zeros)
    }
}

/// Reads the finished file back through all gates: what the converter writes, the core accepts.
fn check(output: &Output, out: &Path, progress: &dyn Progress) -> Result<(), Error> {
    let written = ModelFile::open(output.temporary())?;
    match written.verify(progress) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::internal(out, format!("the new file is not valid: {error}"))),
    }
}

/// Facts for people, without anything that differs between two conversions of one folder.
fn metadata(
    architecture: &Architecture,
    located: &[Located<'_>],
    quant: Quant,
    prepared: Option<&Prepared>,
    sampling: serde_json::Map<String, serde_json::Value>,
) -> String {
    let mut dtypes: Vec<_> =
        located.iter().filter_map(|tensor| Some(tensor.stored.as_ref()?.dtype)).collect();
    dtypes.sort();
    dtypes.dedup();
    let dtypes: Vec<_> = dtypes.iter().map(|dtype| dtype.name()).collect();
    let mut facts = serde_json::json!({
        "architecture": architecture.name,
        "quantization": quant.name(),
        "source_dtype": dtypes.join("+"),
        "converter": concat!("acorn ", env!("CARGO_PKG_VERSION")),
    });
    for (name, fact) in prepared.iter().flat_map(|prepared| &prepared.facts) {
        facts[name] = fact.clone();
    }
    if let Some(theta) = architecture.rope_theta {
        facts["rope_theta"] = theta.into();
    }
    if !sampling.is_empty() {
        facts["sampling"] = sampling.into();
    }
    facts.to_string()
}
