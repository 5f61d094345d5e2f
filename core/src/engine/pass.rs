//! The forward pass, in the order of the maths, as a walk that can stop between any two pieces.
//!
//! ```text
//! x = embedding[token]  (+ position_embedding[position])
//! per layer:  x += O · attention(rope(Q·n, K·n), V·n)          n = norm(x)
//!             x += Down · (f(Gate·n) · (Up·n))                 n = norm(x)
//! logits = Head · norm(x)
//! ```
//!
//! What the recipe leaves out is left out: the rotation, the gate (then `f(Up·n)`), the biases that
//! follow each product but the head's. Of tokens whose logits nobody asks for the last layer only does the keys and
//! values.
//!
//! A [`Pass`] knows which stage of which layer is next, and how far into it: matrices advance by
//! bands, attention by heads, the rest by whole stages of O(batch · width).

use core::ops::Range;

use super::heads::{self, Span};
use super::linear::{Input, Output, Projection, Store, linear};
use super::norm::Normalizer;
use super::stage::Stage;
use super::window::Bands;
use super::workers::{Workers, share_tokens};
use super::{feed_forward, rope};
use crate::error::ReadError;
use crate::format::recipe::{Norm, Positions};
use crate::format::tensor_table::Role;
use crate::format::{BAND_ROWS, BLOCK};
use crate::kernel::{self, Kernel};
use crate::model::{Matrix, Model, Vector};
use crate::plan::{Buffers, InputRow, InputRows, Inputs, IntsRow, KeepLogits, Parts, Shape, part};

/// What does not change during a pass, and the window.
pub(super) struct Context<'c> {
    pub(super) model: &'c Model<'c>,
    pub(super) shape: &'c Shape,
    pub(super) kernel: &'c Kernel,
    pub(super) workers: &'c dyn Workers,
    /// `None` where weights are in memory.
    pub(super) window: Option<&'c mut dyn Bands>,
}

/// A forward pass under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    /// Tokens of the pass, and the position of the first.
    pub(super) tokens: usize,
    pub(super) position: usize,
    /// The last tokens of these, which go all the way through the last layer.
    through: usize,
    layer: u32,
    stage: Stage,
    /// Bands or heads of the stage that are done.
    cursor: usize,
}

impl Pass {
    pub(super) fn new(tokens: usize, position: usize, through: usize) -> Self {
        Self { tokens, position, through, layer: 0, stage: Stage::Embedding, cursor: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// The matrix that is multiplied next and its input's columns, if none of its bands is done.
    pub(super) fn pending(&self, shape: &Shape) -> Option<(Role, usize)> {
        let (role, cols) = self.stage.product(shape)?;
        (self.cursor == 0).then_some((role, cols.next_multiple_of(BLOCK)))
    }

    /// The rows of the input that go into this layer's matrix of that role.
    pub(super) fn rows(&self, shape: &Shape, role: Role) -> Range<usize> {
        match role {
            Role::Head => 0..self.logit_rows(shape),
            Role::Key | Role::Value => 0..self.tokens,
            // They were there with the others for keys and values.
            Role::Query => self.tokens - self.through(shape)..self.tokens,
            _ => 0..self.through(shape),
        }
    }

    /// How many of the tokens, the last ones, go all the way through the layer under way. (On microcontrollers all do, if any: they
    /// have room for one or a few.)
    fn through(&self, shape: &Shape) -> usize {
        if !cfg!(acorn_mcu) && self.is_last(shape) { self.through } else { self.tokens }
    }

    /// Whether nothing is wanted of the layer under way but its keys and values.
    fn is_cut(&self, shape: &Shape) -> bool {
        self.through == 0 && self.is_last(shape)
    }

    /// Whether the layer under way is the last one.
    fn is_last(&self, shape: &Shape) -> bool {
        self.layer + 1 >= shape.recipe.layers
    }

    /// The layer under way; the number of layers behind the last.
    pub(super) fn layer(&self) -> u32 {
        self.layer
    }

    /// Tokens that get logits.
    pub(super) fn logit_rows(&self, shape: &Shape) -> usize {
        match shape.logits {
            KeepLogits::All => self.through,
            _ => self.through.min(1),
        }
    }

    /// Does the next piece of work, of about `budget` multiply-accumulates (at least one band, head
    /// or stage). Returns about how many it did. After an error it goes on where it stopped.
    pub(super) fn step(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut Buffers<'_>,
        budget: u64,
    ) -> Result<u64, ReadError> {
        let shape = cx.shape;
        let (tokens, through) = (self.tokens, self.through(shape));
        let first = tokens - through;
        let (query, kv) = (shape.query_dim, shape.kv_dim);
        let done = match self.stage {
            Stage::Embedding => {
                self.embed(cx, buffers)?;
                self.next(Stage::AttentionNorm)
            }
            Stage::AttentionNorm => {
                self.norm_rows(cx, buffers, Role::AttentionNorm, tokens);
                self.next(if self.is_cut(shape) { Stage::Key } else { Stage::Query })
            }
            Stage::Query => {
                self.multiply(cx, buffers, Role::Query, (0, query), budget, Stage::Key)?
            }
            Stage::Key => {
                let out = (query * shape.batch, kv);
                self.multiply(cx, buffers, Role::Key, out, budget, Stage::Value)?
            }
            Stage::Value => {
                let out = ((query + kv) * shape.batch, kv);
                self.multiply(cx, buffers, Role::Value, out, budget, Stage::Positions)?
            }
            Stage::Positions => {
                heads::store(cx, buffers, self.span(0), first);
                self.next(if self.is_cut(shape) { Stage::Done } else { Stage::Attention })
            }
            Stage::Attention => self.attention(cx, buffers, budget),
            Stage::AttentionInput => {
                let then = [Role::AttentionOutput];
                let rows = self.input_rows(cx, &mut buffers.input, (through, query), &then);
                share_tokens(cx.workers, through * query, rows, |mut row| {
                    quantize(cx.kernel, &mut row);
                });
                self.next(Stage::AttentionOutput)
            }
            Stage::AttentionOutput => {
                let next = Stage::FeedForwardNorm;
                self.multiply_add(cx, buffers, Role::AttentionOutput, budget, next)?
            }
            Stage::FeedForwardNorm => {
                self.norm_rows(cx, buffers, Role::FeedForwardNorm, through);
                self.next(if shape.recipe.ungated { Stage::Up } else { Stage::Gate })
            }
            Stage::Gate => {
                self.multiply(cx, buffers, Role::Gate, (0, shape.ffn), budget, Stage::Up)?
            }
            Stage::Up => {
                let behind_gate = if shape.recipe.ungated { 0 } else { shape.ffn * shape.batch };
                let out = (behind_gate, shape.ffn);
                self.multiply(cx, buffers, Role::Up, out, budget, Stage::Activation)?
            }
            Stage::Activation => {
                self.activation(cx, buffers);
                self.next(Stage::Down)
            }
            Stage::Down => {
                let last = self.is_last(shape);
                let next = if last { Stage::FinalNorm } else { Stage::AttentionNorm };
                let done = self.multiply_add(cx, buffers, Role::Down, budget, next);
                self.layer += u32::from(self.stage != Stage::Down);
                done?
            }
            Stage::FinalNorm => {
                self.norm_rows(cx, buffers, Role::FinalNorm, self.logit_rows(shape));
                self.next(Stage::Head)
            }
            Stage::Head => self.head(cx, buffers, budget)?,
            Stage::Done => 0,
        };
        Ok(done)
    }

    /// Goes on to `stage`; what was done counts as little.
    fn next(&mut self, stage: Stage) -> u64 {
        (self.stage, self.cursor) = (stage, 0);
        1
    }

    fn embed(&self, cx: &mut Context<'_>, buffers: &mut Buffers<'_>) -> Result<(), ReadError> {
        let Shape { hidden, rotary_dims, .. } = *cx.shape;
        let embedding = cx.model.embedding();
        let rows = Parts::new(buffers.residual, hidden).take(self.tokens);
        let tokens = &*buffers.tokens;
        let index = |token: u32| usize::try_from(token).unwrap_or(usize::MAX);
        match &mut cx.window {
            None => {
                let rows = rows.enumerate();
                share_tokens(cx.workers, self.tokens * hidden, rows, |(place, row)| {
                    let token = tokens.get(place).copied().unwrap_or(u32::MAX);
                    embedding.row(index(token), row);
                });
            }
            Some(window) => {
                for (&token, row) in tokens.iter().zip(rows) {
                    window.row(&embedding, index(token), row)?;
                }
            }
        }
        match cx.shape.recipe.positions {
            Positions::Rotary => {
                let rotations = buffers.rotary.chunks_exact_mut(rotary_dims.max(1));
                for (position, out) in (self.position..).zip(rotations).take(self.tokens) {
                    let position = u32::try_from(position).unwrap_or(u32::MAX);
                    rope::rotations(cx.model.rotary(), position, out);
                }
            }
            Positions::Learned => {
                let positions = cx.model.position_embedding();
                let scratch = buffers.input.floats.get_mut(..hidden).unwrap_or_default();
                let rows = buffers.residual.chunks_exact_mut(hidden.max(1));
                for (position, row) in (self.position..).zip(rows).take(self.tokens) {
                    match &mut cx.window {
                        None => positions.row(position, scratch),
                        Some(window) => window.row(&positions, position, scratch)?,
                    }
                    row.iter_mut().zip(&*scratch).for_each(|(x, p)| *x += p);
                }
            }
        }
        Ok(())
    }

    /// Normalizes the last `count` tokens into the input of the next matrix. `role` is the norm's gain.
    fn norm_rows(&self, cx: &Context<'_>, buffers: &mut Buffers<'_>, role: Role, count: usize) {
        let first = self.tokens - count;
        let hidden = cx.shape.hidden;
        let norm = Normalizer {
            gain: cx.model.vector(role, self.layer),
            bias: match cx.shape.recipe.norm {
                Norm::Layer => cx.model.bias(role, self.layer),
                Norm::Rms => None,
            },
            epsilon: cx.shape.recipe.norm_epsilon,
        };
        let then: &[Role] = match role {
            Role::AttentionNorm => &[Role::Query, Role::Key, Role::Value],
            Role::FeedForwardNorm => &[Role::Gate, Role::Up],
            _ => &[Role::Head],
        };
        let residual = &*buffers.residual;
        let rows = self.input_rows(cx, &mut buffers.input, (count, hidden), then).enumerate();
        share_tokens(cx.workers, count * hidden, rows, |(index, mut row)| {
            norm.apply(cx.kernel, part(residual, first + index, hidden), row.floats);
            quantize(cx.kernel, &mut row);
        });
    }

    /// Multiplies the input of the matrix's tokens with some of its bands, into [tokens, cols] of the
    /// output from `offset` on.
    fn multiply(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut Buffers<'_>,
        role: Role,
        (offset, cols): (usize, usize),
        budget: u64,
        next: Stage,
    ) -> Result<u64, ReadError> {
        let (matrix, bias) = self.projection(cx, role);
        let rows = self.rows(cx.shape, role);
        let input = Input::new(&buffers.input, matrix.padded_cols(), rows.end);
        let input = if rows.start > 0 { input.split(rows.start).1 } else { input };
        let values = buffers.output.get_mut(offset..offset + cols * rows.len());
        let output = Output { values: values.unwrap_or_default(), stride: cols, store: Store::Set };
        self.bands(cx, (&matrix, bias), input, output, budget, next)
    }

    /// The same with the input of the tokens that go through the layer, added to the residual stream.
    fn multiply_add(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut Buffers<'_>,
        role: Role,
        budget: u64,
        next: Stage,
    ) -> Result<u64, ReadError> {
        let (matrix, bias) = self.projection(cx, role);
        let stride = cx.shape.hidden;
        let through = self.through(cx.shape);
        let input = Input::new(&buffers.input, matrix.padded_cols(), through);
        let values =
            buffers.residual.get_mut(stride * (self.tokens - through)..stride * self.tokens);
        let output = Output { values: values.unwrap_or_default(), stride, store: Store::Add };
        self.bands(cx, (&matrix, bias), input, output, budget, next)
    }

    fn head(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &mut Buffers<'_>,
        budget: u64,
    ) -> Result<u64, ReadError> {
        let (matrix, rows) = (cx.model.head(), self.logit_rows(cx.shape));
        let stride = cx.shape.vocab_size;
        let input = Input::new(&buffers.input, matrix.padded_cols(), rows);
        let values = buffers.logits.get_mut(..stride * rows);
        let output = Output { values: values.unwrap_or_default(), stride, store: Store::Set };
        self.bands(cx, (&matrix, None), input, output, budget, Stage::Done)
    }

    /// The matrix of that role in this layer, and its bias.
    fn projection<'m>(&self, cx: &Context<'m>, role: Role) -> (Matrix<'m>, Option<Vector<'m>>) {
        (cx.model.matrix(role, self.layer), cx.model.bias(role, self.layer))
    }

    /// The bands of `matrix` that the budget (and the window) allows; when they are all done, on to
    /// `next`.
    fn bands(
        &mut self,
        cx: &mut Context<'_>,
        (matrix, bias): (&Matrix<'_>, Option<Vector<'_>>),
        input: Input<'_>,
        output: Output<'_>,
        budget: u64,
        next: Stage,
    ) -> Result<u64, ReadError> {
        let bands = matrix.bands();
        let per_band = (input.floats.len() * BAND_ROWS) as u64;
        let start = self.cursor;
        let allowed = start.saturating_add(pieces(budget, per_band)).min(bands);
        let (kernel, workers) = (cx.kernel, cx.workers);
        let threads = if cfg!(acorn_mcu) { 1 } else { cx.shape.workers };
        let (mut work, mut end) = (Some((input, output)), start);
        let mut multiply = |matrix: &Matrix<'_>, held: usize| {
            // Once, whatever a source makes of it.
            if let Some((input, output)) = work.take() {
                end = allowed.min(held);
                let projection = Projection { matrix, bias };
                linear(kernel, workers, threads, &projection, start..end, input, output);
            }
        };
        let read = match &mut cx.window {
            None => {
                multiply(matrix, bands);
                Ok(())
            }
            Some(window) => window.bands(matrix, start, self.following(cx.model), &mut multiply),
        };
        self.cursor = end;
        if end == bands {
            self.next(next);
        }
        read.map(|()| per_band * (end - start) as u64)
    }

    /// The matrix that is multiplied after the present one.
    fn following<'m>(&self, model: &Model<'m>) -> Option<Matrix<'m>> {
        let recipe = model.recipe();
        let (role, layer) = match self.stage {
            // What is not asked for is not read, either.
            Stage::Value if self.through == 0 && self.layer + 1 >= recipe.layers => return None,
            Stage::Down if self.through == 0 && self.layer + 2 >= recipe.layers => {
                (Role::Key, self.layer + 1)
            }
            Stage::Query => (Role::Key, self.layer),
            Stage::Key => (Role::Value, self.layer),
            Stage::Value => (Role::AttentionOutput, self.layer),
            Stage::AttentionOutput if recipe.ungated => (Role::Up, self.layer),
            Stage::AttentionOutput => (Role::Gate, self.layer),
            Stage::Gate => (Role::Up, self.layer),
            Stage::Up => (Role::Down, self.layer),
            Stage::Down if self.layer + 1 < recipe.layers => (Role::Query, self.layer + 1),
            Stage::Down => return Some(model.head()),
            _ => return None,
        };
        Some(model.matrix(role, layer))
    }

    /// The rows of so many tokens that matrices of the roles `then` read, of `cols` columns before padding.
    #[inline(always)] // Where all rows are widened the roles take no code.
    fn input_rows<'b>(
        &self,
        cx: &Context<'_>,
        input: &'b mut Inputs<'_>,
        (count, cols): (usize, usize),
        then: &[Role],
    ) -> InputRows<'b> {
        let matrix = |role: &Role| match role {
            Role::Head => cx.model.head(),
            _ => cx.model.matrix(*role, self.layer),
        };
        let tokens = |role: &Role| self.rows(cx.shape, *role).end;
        let wanted = |role| kernel::wants_widened(cx.kernel, matrix(role).encoding(), tokens(role));
        let wants = !cfg!(target_arch = "x86_64") || then.iter().any(wanted);
        input.rows(cols.next_multiple_of(BLOCK), count, wants)
    }

    /// Where in the model and in the context the pass is, from its token `first` on.
    fn span(&self, first: usize) -> Span {
        let (position, tokens) = (self.position + first, self.tokens - first);
        Span { layer: self.layer, position, tokens }
    }

    /// Attention of some strips of heads, all tokens each, into the input of the output projection.
    fn attention(&mut self, cx: &Context<'_>, buffers: &mut Buffers<'_>, budget: u64) -> u64 {
        let (strips, heads) = heads::strips(cx.shape);
        let (positions, tokens) = (self.position + self.tokens, self.through(cx.shape));
        let per_strip = (2 * cx.shape.head_dim * heads * positions * tokens) as u64;
        let start = self.cursor;
        let end = start.saturating_add(pieces(budget, per_strip)).min(strips);
        heads::attend_strips(cx, buffers, self.span(self.tokens - tokens), start..end);
        self.cursor = end;
        if end == strips {
            self.next(Stage::AttentionInput);
        }
        per_strip * (end - start) as u64
    }

    #[inline(never)] // As above.
    fn activation(&self, cx: &Context<'_>, buffers: &mut Buffers<'_>) {
        let shape = cx.shape;
        let (ffn, recipe) = (shape.ffn, &shape.recipe);
        let (gate, up) = match recipe.ungated {
            true => (None, &*buffers.output),
            false => {
                let both = buffers.output.split_at_checked(ffn * shape.batch);
                let (gate, up) = both.unwrap_or_default();
                (Some(gate), up)
            }
        };
        let tokens = self.through(shape);
        let rows =
            self.input_rows(cx, &mut buffers.input, (tokens, ffn), &[Role::Down]).enumerate();
        share_tokens(cx.workers, tokens * ffn, rows, |(token, mut row)| {
            let [gate, up] = [gate, Some(up)].map(|all| all.map(|all| part(all, token, ffn)));
            let up = up.unwrap_or_default();
            feed_forward::activate(cx.kernel, recipe.activation, gate, up, row.floats);
            quantize(cx.kernel, &mut row);
        });
    }
}

/// Makes a token's int8 form from its floats.
fn quantize(kernel: &Kernel, row: &mut InputRow<'_>) {
    if let Some(IntsRow { quants, scale, block_sums, widened }) = &mut row.ints {
        **scale = (kernel.elementwise.quantize)(row.floats, quants, block_sums);
        kernel::widen(quants, block_sums, widened);
    }
}

/// How many pieces of that cost a budget allows: at least one.
fn pieces(budget: u64, cost: u64) -> usize {
    // In the processor's own width: dividing 64 bits takes a routine and its time where there are 32.
    let native = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    (native(budget) / native(cost).max(1)).max(1)
}
