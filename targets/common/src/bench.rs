//! What a token costs, whole and part by part.
//!
//! For its parts, a pass is polled so that each call does one matrix product or one other stage; a clock read before
//! and after says what it took. What lies between two products is known by the one before.

use acorn_core::engine::Progress;
use acorn_core::format::tensor_table::Role;
use acorn_core::format::{BAND_ROWS, Recipe};
use acorn_core::{Engine, EngineError, greedy};

/// A part of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The products for queries, keys and values.
    QueryKeyValue,
    /// Rotation, storing keys and values, attention.
    Attention,
    /// The product behind attention.
    AttentionOutput,
    /// The products into the feed-forward's middle.
    GateUp,
    /// The product out of it.
    Down,
    /// The product for the logits.
    Head,
    /// The embedding, norms and activation functions, each with the rounding to int8 behind it.
    Elementwise,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 7] = [
        Self::QueryKeyValue,
        Self::Attention,
        Self::AttentionOutput,
        Self::GateUp,
        Self::Down,
        Self::Head,
        Self::Elementwise,
    ];

    /// The name that tables use.
    pub fn name(self) -> &'static str {
        match self {
            Self::QueryKeyValue => "query, key, value",
            Self::Attention => "attention",
            Self::AttentionOutput => "attention output",
            Self::GateUp => "gate, up",
            Self::Down => "down",
            Self::Head => "head",
            Self::Elementwise => "norms, activation",
        }
    }

    fn of_product(role: Role) -> Self {
        match role {
            Role::Query | Role::Key | Role::Value => Self::QueryKeyValue,
            Role::AttentionOutput => Self::AttentionOutput,
            Role::Gate | Role::Up => Self::GateUp,
            Role::Down => Self::Down,
            _ => Self::Head,
        }
    }
}

/// Ticks of the clock by part, in the order of [`Part::ALL`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost([u64; Part::ALL.len()]);

impl Cost {
    /// The parts and their ticks.
    pub fn parts(&self) -> impl Iterator<Item = (Part, u64)> + '_ {
        Part::ALL.into_iter().zip(self.0)
    }

    /// All ticks.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    fn add(&mut self, part: Part, ticks: u64) {
        for (other, sum) in Part::ALL.into_iter().zip(&mut self.0) {
            *sum += if other == part { ticks } else { 0 };
        }
    }
}

/// Decodes `count` tokens after the one given, greedily: what they cost by `clock`, without what it costs to read the
/// clock and to choose tokens.
///
/// # Errors
/// An unknown token, or a full context.
pub fn decode(
    engine: &mut Engine<'_>,
    mut token: u32,
    count: usize,
    mut clock: impl FnMut() -> u64,
) -> Result<u64, EngineError> {
    let reading = reading(&mut clock);
    let mut ticks = 0;
    for _ in 0..count {
        let start = clock();
        let logits = engine.decode(token)?;
        ticks += (clock() - start).saturating_sub(reading);
        token = greedy(logits);
    }
    Ok(ticks)
}

/// What it costs to read the clock.
fn reading(clock: &mut impl FnMut() -> u64) -> u64 {
    let start = clock();
    clock() - start
}

/// The same part by part, in more and smaller polls, which cost more: adds up what they cost by `clock`, without what it costs
/// to read the clock.
///
/// # Errors
/// An unknown token, or a full context.
pub fn parts(
    engine: &mut Engine<'_>,
    recipe: &Recipe,
    mut token: u32,
    count: usize,
    mut clock: impl FnMut() -> u64,
) -> Result<Cost, EngineError> {
    let mut cost = Cost::default();
    let reading = reading(&mut clock);
    for _ in 0..count {
        engine.begin(&[token])?;
        let mut before_products = Part::Elementwise;
        loop {
            let product = engine.pending_product().map(|product| (product.role, product.cols));
            let (part, budget) = match product {
                Some((role, cols)) => (Part::of_product(role), work(recipe, role, cols)),
                None => (before_products, 1),
            };
            let start = clock();
            let progress = engine.poll(budget)?;
            cost.add(part, (clock() - start).saturating_sub(reading));
            before_products = match part {
                Part::QueryKeyValue | Part::Attention => Part::Attention,
                _ => Part::Elementwise,
            };
            if progress == Progress::Done {
                break;
            }
        }
        token = greedy(engine.logits());
    }
    Ok(cost)
}

/// Multiply-accumulates of a whole product for one token: as many as make it one poll.
fn work(recipe: &Recipe, role: Role, cols: usize) -> u64 {
    let rows = match role {
        Role::Query => recipe.query_dim(),
        Role::Key | Role::Value => recipe.kv_dim(),
        Role::Gate | Role::Up => recipe.ffn,
        Role::AttentionOutput | Role::Down => recipe.hidden,
        _ => recipe.vocab_size,
    };
    let rows = u64::from(rows).next_multiple_of(BAND_ROWS as u64);
    rows.saturating_mul(cols as u64)
}
