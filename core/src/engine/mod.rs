//! The forward pass over a plan's buffers: tokens in, logits out, nothing allocated.
//!
//! Reading order: `stage`, `pass` (the maths, stage by stage) → `heads`, `attention`, `feed_forward` → `linear` (the one
//! door to the kernels) → `quantize`; `norm`, `rope`, `cache` beside them; `window` brings weights that are not
//! in memory, `workers` lends threads.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attention;
mod cache;
mod feed_forward;
mod heads;
mod linear;
#[cfg(not(acorn_mcu))]
mod many;
mod norm;
mod pass;
mod quantize;
mod rope;
mod stage;
mod window;
mod workers;

pub use workers::{Inline, Workers};

use crate::error::EngineError;
use crate::format::tensor_table::Role;
use crate::kernel::{self, Kernel};
use crate::model::{Model, Source};
use crate::plan::{Buffers, KeepLogits, Plan, Shape};
use pass::{Context, Pass};
use window::Window;

/// Whether a pass has more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Call [`Engine::poll`] again.
    Pending,
    /// The logits are there.
    Done,
}

/// A pass that stands right before a matrix product: what goes into it.
#[derive(Clone, Copy, Debug)]
pub struct PendingProduct<'a> {
    /// The matrix; [`Role::Head`] also where the head is tied.
    pub role: Role,
    /// Its layer; the number of layers for the head.
    pub layer: u32,
    /// Columns of a token's input, padded to a multiple of [`crate::format::BLOCK`] with zeros.
    pub cols: usize,
    /// The input before it is rounded to int8 [tokens, cols]; for the head only of the tokens that
    /// get logits, and so for the last layer, but for its keys and values, unless [`KeepLogits::LastOfAll`].
    pub input: &'a [f32],
    /// The residual stream [tokens, hidden].
    pub residual: &'a [f32],
}

/// A model at work: its KV cache, and the pass under way.
///
/// [`Engine::prefill`] and [`Engine::decode`] run a pass to its end. A caller that must not be
/// away for long (a watchdog, an async task) uses [`Engine::begin`] and [`Engine::poll`] instead;
/// both ways give the same bits.
pub struct Engine<'a> {
    model: Model<'a>,
    shape: Shape,
    buffers: Buffers<'a>,
    kernel: &'static Kernel,
    workers: &'a dyn Workers,
    /// Where weights come from that are not in memory.
    window: Option<Window<'a>>,
    position: usize,
    pass: Option<Pass>,
    /// Rows of logits that the last pass left.
    rows: usize,
}

impl<'a> Engine<'a> {
    /// An engine for `model` in `arena`, which must have at least [`Plan::arena_bytes`] and start at
    /// a multiple of [`crate::plan::ALIGNMENT`]. Nothing beyond the plan's bytes is touched.
    ///
    /// # Errors
    /// The arena is too small or misaligned, the plan is for another model, or the model's matrices are not
    /// in memory, or (without the feature `full`) do not lie at multiples of 4.
    pub fn new(model: &Model<'a>, plan: &Plan, arena: &'a mut [u8]) -> Result<Self, EngineError> {
        let need = size_of::<u32>();
        if !model.is_in_place() {
            return Err(EngineError::NoSource);
        }
        if cfg!(not(feature = "full")) && !model.is_at_multiple_of(need) {
            return Err(EngineError::ModelMisaligned { need });
        }
        Self::build(model, plan, arena)
    }

    /// The same for a model whose matrices are read from `source` as they are needed, each byte once per pass
    /// (of the embedding, the bands of the tokens' rows). The plan must have a window; its size never changes
    /// a bit of the result.
    ///
    /// # Errors
    /// As [`Engine::new`], or the plan has no window.
    pub fn streaming(
        model: &Model<'a>,
        plan: &Plan,
        arena: &'a mut [u8],
        source: &'a mut dyn Source,
    ) -> Result<Self, EngineError> {
        let mut engine = Self::build(model, plan, arena)?;
        let halves = core::mem::take(&mut engine.buffers.window);
        if halves.iter().all(|half| half.is_empty()) {
            return Err(EngineError::NoWindow);
        }
        engine.window = Some(Window::new(source, halves));
        Ok(engine)
    }

    /// The engine without a window.
    #[inline(never)]
    fn build(model: &Model<'a>, plan: &Plan, arena: &'a mut [u8]) -> Result<Self, EngineError> {
        let (shape, buffers) = plan.carve(model, arena)?;
        Ok(Self {
            model: *model,
            shape,
            buffers,
            kernel: kernel::best(),
            workers: &Inline,
            window: None,
            position: 0,
            pass: None,
            rows: 0,
        })
    }

    /// The same engine with threads to share its work; as many as the plan's limits say are of use.
    /// Their number never changes a bit of the result.
    #[must_use]
    pub fn with_workers(mut self, workers: &'a dyn Workers) -> Self {
        self.workers = workers;
        self
    }

    /// The same engine with another of the [`kernel::available`] kernels than the best. None changes a
    /// bit of the result.
    #[must_use]
    pub fn with_kernel(mut self, kernel: &'static Kernel) -> Self {
        self.kernel = kernel;
        self
    }

    /// The name of the kernel in use.
    pub fn kernel(&self) -> &'static str {
        self.kernel.name
    }

    /// Positions taken in the context.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Positions that the KV cache has.
    pub fn context(&self) -> usize {
        self.shape.context
    }

    /// Forgets all tokens, and any pass under way.
    pub fn reset(&mut self) {
        self.cancel();
        self.position = 0;
    }

    /// Gives up the pass under way, and the logits: its tokens are as if they had never been fed.
    pub fn cancel(&mut self) {
        (self.pass, self.rows) = (None, 0);
    }

    /// Feeds `tokens`, as many as fit the context, in passes of the plan's batch. Returns the logits
    /// `[vocab_size]` after the last one.
    ///
    /// # Errors
    /// No token, an unknown token, or more than the context has left: nothing is fed then. Or weights that
    /// cannot be read: [`Engine::position`] says how many tokens are fed (whole passes).
    pub fn prefill(&mut self, tokens: &[u32]) -> Result<&mut [f32], EngineError> {
        self.check(tokens)?;
        let mut left = tokens.len();
        for batch in tokens.chunks(self.shape.batch.max(1)) {
            left -= batch.len();
            self.start(batch, left == 0)?;
            if let Err(error) = self.poll(u64::MAX) {
                self.cancel();
                return Err(error);
            }
        }
        Ok(self.logits())
    }

    /// Feeds one token. Returns the logits `[vocab_size]` after it.
    ///
    /// # Errors
    /// An unknown token, a full context, or weights that cannot be read: the token is not fed then.
    pub fn decode(&mut self, token: u32) -> Result<&mut [f32], EngineError> {
        self.prefill(&[token])
    }

    /// Starts a pass over `tokens`, at most the plan's batch.
    ///
    /// # Errors
    /// As [`Engine::prefill`]; or too many tokens, or a pass under way.
    pub fn begin(&mut self, tokens: &[u32]) -> Result<(), EngineError> {
        self.start(tokens, true)
    }

    /// The same for tokens whose logits nobody will ask for, as those of a prompt but its last: what only they need is
    /// left out, the last layer but for its keys and values, and the head. There are no logits after such a pass.
    ///
    /// # Errors
    /// As [`Engine::begin`].
    pub fn begin_without_logits(&mut self, tokens: &[u32]) -> Result<(), EngineError> {
        self.start(tokens, false)
    }

    fn start(&mut self, tokens: &[u32], logits: bool) -> Result<(), EngineError> {
        self.check(tokens)?;
        let batch = self.shape.batch;
        let slots = self.buffers.tokens.get_mut(..tokens.len());
        let slots = slots.ok_or(EngineError::BatchTooLarge { batch, tokens: tokens.len() })?;
        for (slot, token) in slots.iter_mut().zip(tokens) {
            *slot = *token;
        }
        let through = match self.shape.logits {
            _ if !logits => 0,
            KeepLogits::Last if !cfg!(acorn_mcu) => 1,
            _ => tokens.len(),
        };
        self.pass = Some(Pass::new(tokens.len(), self.position, through));
        Ok(())
    }

    /// Works on the pass under way for about `budget` multiply-accumulates: at least one band of a
    /// matrix, one head, or one other stage. Without a pass there is nothing to do.
    ///
    /// # Errors
    /// Weights cannot be read ([`EngineError::Read`], only with [`Engine::streaming`]). The pass stands where it
    /// was: poll again to try again, or [`Engine::cancel`] it.
    pub fn poll(&mut self, budget: u64) -> Result<Progress, EngineError> {
        let Some(pass) = &mut self.pass else { return Ok(Progress::Done) };
        let mut cx = Context {
            model: &self.model,
            shape: &self.shape,
            kernel: self.kernel,
            workers: self.workers,
            window: self.window.as_mut().map(|window| window.open() as _),
        };
        let mut done = 0;
        while done < budget.max(1) && !pass.is_done() {
            let step = pass.step(&mut cx, &mut self.buffers, budget - done.min(budget));
            done += step.map_err(EngineError::Read)?;
        }
        if !pass.is_done() {
            return Ok(Progress::Pending);
        }
        self.position += pass.tokens;
        self.rows = pass.logit_rows(&self.shape);
        self.pass = None;
        Ok(Progress::Done)
    }

    /// What the pass under way is about to multiply, if it stands right before the first band of a
    /// matrix. Polling with a budget of 1 stops before every one.
    pub fn pending_product(&self) -> Option<PendingProduct<'_>> {
        let pass = self.pass.as_ref()?;
        let (role, cols) = pass.pending(&self.shape)?;
        let rows = pass.rows(&self.shape, role);
        Some(PendingProduct {
            role,
            layer: pass.layer(),
            cols,
            input: self.buffers.input.floats.get(rows.start * cols..rows.end * cols)?,
            residual: self.buffers.residual.get(..pass.tokens * self.shape.hidden)?,
        })
    }

    /// The logits `[vocab_size]` of the last token fed; empty before any. A sampler may change them.
    pub fn logits(&mut self) -> &mut [f32] {
        let vocab_size = self.shape.vocab_size;
        let end = self.rows * vocab_size;
        self.buffers.logits.get_mut(end.saturating_sub(vocab_size)..end).unwrap_or_default()
    }

    /// The logits that the last pass left, a row `[vocab_size]` per token: all of the batch's with
    /// [`crate::plan::KeepLogits::All`], else the last one's.
    pub fn batch_logits(&self) -> impl Iterator<Item = &[f32]> {
        self.buffers.logits.chunks_exact(self.shape.vocab_size.max(1)).take(self.rows)
    }

    fn check(&self, tokens: &[u32]) -> Result<(), EngineError> {
        if self.pass.is_some() {
            return Err(EngineError::Busy);
        }
        if tokens.is_empty() {
            return Err(EngineError::NoTokens);
        }
        let (context, position) = (self.shape.context, self.position);
        if tokens.len() > context - position {
            return Err(EngineError::ContextFull { context, position, tokens: tokens.len() });
        }
        let vocab_size = self.shape.recipe.vocab_size;
        match tokens.iter().find(|&&token| token >= vocab_size) {
            Some(&token) => Err(EngineError::TokenOutOfRange { token, vocab_size }),
            None => Ok(()),
        }
    }
}
