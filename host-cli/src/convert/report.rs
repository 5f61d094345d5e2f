//! What a conversion did, in figures.

use std::path::Path;

use acorn_core::format::encoding::Encoding;
use acorn_core::format::tensor_table::{Entry, Role};
use serde::Serialize;

use super::Quality;
use crate::hf::tokenizer::SelfTest;
use crate::quantize::{Distance, Quant};
use crate::summary::{bpw, parameters};

/// The figures of a conversion.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The file written.
    pub output: String,
    /// Its length.
    pub file_bytes: u64,
    /// How matrices are stored.
    pub quantization: String,
    /// Tensors in the file.
    pub tensors: u64,
    /// Trained numbers.
    pub parameters: u64,
    /// Bytes of the weights section, padding included.
    pub weight_bytes: u64,
    /// Bits per weight: those of the whole weights section over all parameters.
    pub bpw: f64,
    /// The largest ‖w - ŵ‖ / ‖w‖ of a tensor.
    pub worst_relative_error: f64,
    /// That tensor's name in the folder; empty where all are exact.
    pub worst_tensor: String,
    /// The same per encoding.
    pub encodings: Vec<EncodingReport>,
    /// What the tokenizer's self-test found; absent without a tokenizer.
    pub tokenizer_self_test: Option<SelfTest>,
    /// How good the model still is, if that was asked for.
    pub quality: Option<Quality>,
}

/// The figures of all tensors of one encoding.
#[derive(Clone, Debug, Serialize)]
pub struct EncodingReport {
    /// The encoding.
    pub encoding: &'static str,
    /// How many tensors.
    pub tensors: u64,
    /// Their trained numbers.
    pub parameters: u64,
    /// Their bytes, without padding between them.
    pub bytes: u64,
    /// Bits per weight.
    pub bpw: f64,
    /// The largest ‖w - ŵ‖ / ‖w‖ among them.
    pub worst_relative_error: f64,
    /// That tensor's name in the folder; empty where all are exact.
    pub worst_tensor: String,
}

/// The figures in the making.
#[derive(Debug, Default)]
pub(super) struct Tally(Vec<EncodingReport>);

impl Tally {
    /// Counts a tensor.
    pub(super) fn count(
        &mut self,
        role: Role,
        name: &str,
        encoding: Encoding,
        entry: &Entry,
        distance: Distance,
    ) {
        let known = self.0.iter().position(|line| line.encoding == encoding.name());
        let index = known.unwrap_or_else(|| {
            self.0.push(EncodingReport {
                encoding: encoding.name(),
                tensors: 0,
                parameters: 0,
                bytes: 0,
                bpw: 0.0,
                worst_relative_error: 0.0,
                worst_tensor: String::new(),
            });
            self.0.len() - 1
        });
        let line = &mut self.0[index];
        line.tensors += 1;
        line.parameters += parameters(role, entry.rows, entry.cols);
        line.bytes += entry.len;
        line.bpw = bpw(line.bytes, line.parameters);
        if distance.relative() > line.worst_relative_error {
            line.worst_relative_error = distance.relative();
            line.worst_tensor = name.to_owned();
        }
    }

    /// The finished report.
    pub(super) fn report(
        self,
        out: &Path,
        quant: Quant,
        file_bytes: u64,
        weight_bytes: u64,
        tokenizer_self_test: Option<SelfTest>,
    ) -> Report {
        let parameters = self.0.iter().map(|line| line.parameters).sum();
        let by_error = |a: &&EncodingReport, b: &&EncodingReport| {
            a.worst_relative_error.total_cmp(&b.worst_relative_error)
        };
        let worst = self.0.iter().max_by(by_error);
        Report {
            output: out.display().to_string(),
            file_bytes,
            quantization: quant.name().to_owned(),
            tensors: self.0.iter().map(|line| line.tensors).sum(),
            parameters,
            weight_bytes,
            bpw: bpw(weight_bytes, parameters),
            worst_relative_error: worst.map_or(0.0, |line| line.worst_relative_error),
            worst_tensor: worst.map_or_else(String::new, |line| line.worst_tensor.clone()),
            encodings: self.0,
            tokenizer_self_test,
            quality: None,
        }
    }
}
