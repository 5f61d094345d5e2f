//! Results: medians, a table, JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use serde::{Serialize, Serializer};

use super::files::{Contestant, Engine};
use super::{Quant, bandwidth};
use crate::command::Result;
use crate::shapes::Shape;

/// Speeds of a machine that does nothing else differ by less, as a part of their median.
const STEADY: f64 = 0.1;

/// All results.
#[derive(Serialize)]
pub(super) struct Report {
    /// Bytes per second that memory gives, by threads.
    memory: BTreeMap<u32, f64>,
    pub(super) records: Vec<Record>,
    #[serde(skip)]
    prompts: Vec<u32>,
}

/// One contestant with so many threads.
#[derive(Serialize)]
pub(super) struct Record {
    shape: String,
    threads: u32,
    /// What it compares with.
    quant: Quant,
    #[serde(serialize_with = "engine_name")]
    engine: Engine,
    pub(super) version: String,
    kind: &'static str,
    bytes_per_token: u64,
    /// By the prompt's length.
    pub(super) prefill: BTreeMap<u32, Speed>,
    pub(super) decode: Speed,
}

fn engine_name<S: Serializer>(
    engine: &Engine,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(engine.name())
}

/// Tokens per second, over the runs.
#[derive(Default, Serialize)]
pub(super) struct Speed {
    median: f64,
    min: f64,
    max: f64,
    /// In the order of measuring.
    runs: Vec<f64>,
}

impl Speed {
    pub(super) fn add(&mut self, tokens_per_second: f64) {
        self.runs.push(tokens_per_second);
        let mut sorted = self.runs.clone();
        sorted.sort_by(f64::total_cmp);
        let (last, middle) = (sorted.len() - 1, sorted.len() / 2);
        self.min = sorted[0];
        self.max = sorted[last];
        self.median = f64::midpoint(sorted[last / 2], sorted[middle]);
    }

    /// How many times as fast as another: the median of the rounds, in each of which both run within the same minute, so that
    /// what else the machine does counts for both.
    fn over(&self, other: &Self) -> f64 {
        let mut ratios = Self::default();
        self.runs.iter().zip(&other.runs).for_each(|(run, other)| ratios.add(run / other));
        ratios.median
    }
}

impl Record {
    pub(super) fn new(shape: Shape, threads: u32, contestant: &Contestant) -> Self {
        Self {
            shape: shape.name(),
            threads,
            quant: contestant.quant,
            engine: contestant.engine,
            version: String::new(),
            kind: contestant.kind,
            bytes_per_token: contestant.bytes_per_token,
            prefill: BTreeMap::new(),
            decode: Speed::default(),
        }
    }

    /// The widest spread of its speeds, as a part of their median.
    fn spread(&self) -> f64 {
        let speeds = self.prefill.values().chain([&self.decode]);
        speeds.map(|speed| (speed.max - speed.min) / speed.median).fold(0.0, f64::max)
    }

    /// Whether both ran side by side.
    fn compares_with(&self, other: &Self) -> bool {
        (&self.shape, self.threads, self.quant) == (&other.shape, other.threads, other.quant)
    }
}

impl Report {
    pub(super) fn new(prompts: &[u32]) -> Self {
        Self { memory: BTreeMap::new(), records: Vec::new(), prompts: prompts.to_vec() }
    }

    pub(super) fn measure_bandwidth(&mut self, threads: u32) {
        self.memory.insert(threads, bandwidth::measure(threads));
    }

    pub(super) fn json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).map_err(|error| error.to_string())
    }

    pub(super) fn save(&self, path: &Path) -> Result<()> {
        fs::write(path, self.json()? + "\n").map_err(|error| format!("{}: {error}", path.display()))
    }

    /// A row per record; Acorn's speeds with how they compare to the fastest peer's.
    pub(super) fn table(&self) -> String {
        let mut header: Vec<String> =
            ["shape", "threads", "engine", "type", "MiB/token"].map(str::to_owned).into();
        header.extend(self.prompts.iter().map(|prompt| format!("prefill {prompt}")));
        header.extend(["decode".to_owned(), "of memory".to_owned()]);
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_header(header);
        for (index, column) in table.column_iter_mut().enumerate() {
            if index == 1 || index > 3 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for record in &self.records {
            let mut row = vec![
                record.shape.clone(),
                record.threads.to_string(),
                record.engine.name().to_owned(),
                record.kind.to_owned(),
                format!("{:.1}", record.bytes_per_token as f64 / f64::from(1 << 20)),
            ];
            for prompt in &self.prompts {
                row.push(self.cell(record, |record| record.prefill.get(prompt)));
            }
            row.push(self.cell(record, |record| Some(&record.decode)));
            let roof = self.memory.get(&record.threads).copied().unwrap_or(f64::INFINITY);
            let of_roof = record.decode.median * record.bytes_per_token as f64 / roof;
            row.push(format!("{:.0} %", 100.0 * of_roof));
            table.add_row(row);
        }
        format!("{table}\n\n{}", self.notes())
    }

    fn notes(&self) -> String {
        let memory = self.memory.iter().map(|(threads, bytes_per_second)| {
            format!("{:.1} GB/s with {threads} thread(s)", bytes_per_second / 1e9)
        });
        let memory = memory.collect::<Vec<_>>().join(", ");
        let mut notes = format!(
            "Tokens per second, medians; ×: of the fastest peer beside it, median of the rounds. Memory: {memory}.\n"
        );
        let spread = self.records.iter().map(Record::spread).fold(0.0, f64::max);
        if spread > STEADY {
            let percent = 100.0 * spread;
            notes += &format!("Speeds differ by up to {percent:.0} %: is the machine busy?\n");
        }
        let versions: BTreeMap<_, _> =
            self.records.iter().map(|record| (record.engine.name(), &record.version)).collect();
        let versions = versions.iter().map(|(engine, version)| format!("{engine}: {version}"));
        notes + &versions.collect::<Vec<_>>().join("\n")
    }

    /// The median of a speed, and for Acorn how it compares to the fastest peer's.
    fn cell(&self, record: &Record, speed: impl Fn(&Record) -> Option<&Speed>) -> String {
        let Some(own) = speed(record) else { return "–".into() };
        let peers = self.records.iter().filter(|other| {
            record.engine == Engine::Acorn
                && other.engine != Engine::Acorn
                && record.compares_with(other)
        });
        let fastest = peers.filter_map(&speed).max_by(|a, b| a.median.total_cmp(&b.median));
        match fastest {
            Some(fastest) => format!("{:.2}× {:.1}", own.over(fastest), own.median),
            None => format!("{:.1}", own.median),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(runs: &[f64]) -> Speed {
        let mut speed = Speed::default();
        runs.iter().for_each(|&run| speed.add(run));
        speed
    }

    #[test]
    fn the_median_is_the_middle_or_between_both() {
        let odd = speed(&[3.0, 1.0, 2.0]);
        assert_eq!((odd.min, odd.median, odd.max), (1.0, 2.0, 3.0));
        assert_eq!(odd.runs, [3.0, 1.0, 2.0]);
        assert_eq!(speed(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(speed(&[7.0]).median, 7.0);
    }

    #[test]
    fn acorn_is_compared_with_the_fastest_peer_beside_it() {
        let record = |engine, kind, quant, threads, runs: &[f64]| Record {
            shape: "small".into(),
            threads,
            quant,
            engine,
            version: String::new(),
            kind,
            bytes_per_token: 1 << 20,
            prefill: BTreeMap::new(),
            decode: speed(runs),
        };
        let mut report = Report::new(&[128]);
        report.memory.insert(1, 1e9);
        report.records = vec![
            // Something else ran in the second round, and in a part of the last one.
            record(Engine::Acorn, "q4", Quant::Q4, 1, &[60.0, 20.0, 30.0]),
            record(Engine::LlamaCpp, "Q4_0", Quant::Q4, 1, &[120.0, 40.0, 100.0]),
            record(Engine::LlamaCpp, "Q4_K_M", Quant::Q4, 1, &[80.0]),
            record(Engine::LlamaCpp, "Q8_0", Quant::Q8, 1, &[500.0]),
            record(Engine::LlamaCpp, "Q4_0", Quant::Q4, 2, &[900.0]),
        ];
        let table = report.table();
        assert!(table.contains("0.50× 30.0"), "{table}");
        assert_eq!(table.matches('×').count(), 2, "{table}");
        assert!(table.contains('–'), "{table}");
    }
}
