//! A bound on all memory (`--max-memory`), and where a model's weights are under it: in place, or streamed with
//! what is left for a window, for reading ahead, and for keeping part of them.

use acorn_core::error::PlanError;
use acorn_core::plan::Part;
use acorn_core::{Limits, Model, Plan};
use serde::Serialize;

use super::size::Size;
use super::stream;
use super::system;

/// Bytes that the process takes beside a model and its plan: code and libraries (5 MiB, which others share and the
/// system can take back), stacks, text and tokens.
pub const PROCESS: u64 = 8 << 20;

/// Address space that is left alone where that is limited: threads' stacks, which are 2 MiB each, and what the
/// allocator reserves.
const ADDRESSES: u64 = 8 << 20;
const STACK: u64 = 2 << 20;

/// The most window that is of use: it stays in a cache between being filled and being multiplied.
const WINDOW: u64 = 1 << 20;

/// Where a model's weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "weights", rename_all = "snake_case")]
pub enum Placement {
    /// In the mapped file.
    InPlace,
    /// Read in every pass.
    Streamed {
        /// Bytes of the engine's window, in its arena.
        window_bytes: usize,
        /// Bytes of buffers that are read into ahead of it.
        ahead_bytes: u64,
        /// Bytes of weights that stay in memory.
        kept_bytes: u64,
    },
}

impl Placement {
    /// Bytes of memory in all, where the arena has `arena`, the file `file` bytes, and `resident` without its
    /// matrices.
    pub fn total(&self, arena: u64, file: u64, resident: u64) -> u64 {
        let weights = match *self {
            Self::InPlace => file,
            Self::Streamed { ahead_bytes, kept_bytes, .. } => resident + ahead_bytes + kept_bytes,
        };
        PROCESS + arena + weights
    }
}

/// Why a model does not run within a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// The limits are not for this model.
    #[error("{0}")]
    Plan(PlanError),
    /// Not even the least window fits.
    #[error(
        "needs at least {}, but --max-memory allows {}: raise --max-memory or lower --context",
        Size(*need),
        Size(*have)
    )]
    TooSmall {
        /// Bytes, at least.
        need: u64,
        /// Bytes allowed.
        have: u64,
    },
    /// The same where the system limits the process's addresses (RLIMIT_AS).
    #[error(
        "needs {} more than the limit on address space leaves: raise that (ulimit -v) or lower --context",
        Size(*missing)
    )]
    Addresses {
        /// Bytes.
        missing: u64,
    },
}

/// How much memory a model may take.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes of all memory.
    pub most: Size,
    /// Bytes of the file, where it is mapped.
    pub mapped: Option<u64>,
    /// Bytes of the file without its matrices.
    pub resident: u64,
}

impl Budget {
    /// The plan of `model` within the budget, and where the weights are then. Where memory is short, a pass
    /// takes fewer tokens than `limits` allow: more passes, the same bits.
    ///
    /// # Errors
    /// [`BudgetError`]
    pub fn plan(
        &self,
        model: &Model<'_>,
        limits: &Limits,
    ) -> Result<(Plan, Placement), BudgetError> {
        let mut limits = *limits;
        loop {
            let result = self.plan_exactly(model, &limits);
            // Reading ahead is worth more than large passes.
            let short = match &result {
                Ok((_, Placement::Streamed { ahead_bytes, .. })) => *ahead_bytes == 0,
                Ok((_, Placement::InPlace)) | Err(BudgetError::Plan(_)) => false,
                Err(BudgetError::TooSmall { .. } | BudgetError::Addresses { .. }) => true,
            };
            if !short || limits.batch <= 1 {
                return result;
            }
            limits.batch = (limits.batch.min(limits.context) / 2).max(1);
        }
    }

    fn plan_exactly(
        &self,
        model: &Model<'_>,
        limits: &Limits,
    ) -> Result<(Plan, Placement), BudgetError> {
        let plan = |window| Plan::new(model, &Limits { window, ..*limits });
        let least = match plan(Some(0)) {
            Err(PlanError::WindowTooSmall { need, .. }) => need,
            result => result.map(|_| 0).map_err(BudgetError::Plan)?,
        };
        let plan = |window| plan(window).map_err(BudgetError::Plan);
        let smallest = plan(Some(least))?;
        let fixed = (smallest.arena_bytes() - window_of(&smallest)) as u64;
        // Of address space, where that is limited; what is mapped already is not in what is left.
        let spoken_for = fixed + ADDRESSES + u64::from(limits.workers) * STACK;
        let addresses = system::address_space_left();
        let fixed = fixed + PROCESS;
        let fits = self.mapped.is_some_and(|file| file + fixed <= self.most.0);
        if fits && addresses.is_none_or(|addresses| spoken_for <= addresses) {
            return Ok((plan(None)?, Placement::InPlace));
        }

        let fixed = fixed + self.resident;
        let (least, have) = (least as u64, self.most.0);
        if fixed + least > have {
            return Err(BudgetError::TooSmall { need: fixed + least, have });
        }
        let mut left = have - fixed;
        if let Some(addresses) = addresses {
            let missing = (spoken_for + least).saturating_sub(addresses);
            if missing > 0 {
                return Err(BudgetError::Addresses { missing });
            }
            left = left.min(addresses - spoken_for);
        }
        let window = |bytes: u64| plan(Some(usize::try_from(bytes).unwrap_or(usize::MAX)));
        let plan = window((left / 4).min(WINDOW).max(least))?;
        let rest = left - (window_of(&plan) as u64).min(left);
        let ahead_bytes = stream::ahead_bytes(rest);
        // Too little to read ahead with: all of it is window.
        let plan = if ahead_bytes == 0 { window(left)? } else { plan };
        let kept_bytes = if ahead_bytes == 0 { 0 } else { rest - ahead_bytes };
        let kept_bytes = kept_bytes.min(stream::bytes_per_pass(model));
        Ok((plan, Placement::Streamed { window_bytes: window_of(&plan), ahead_bytes, kept_bytes }))
    }
}

/// Bytes of a plan's window.
pub fn window_of(plan: &Plan) -> usize {
    plan.parts().find(|(part, _)| *part == Part::Window).map_or(0, |(_, bytes)| bytes)
}
