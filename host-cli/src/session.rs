//! A model at work on this machine: plan, memory and threads, for the commands that run it.

use std::path::Path;

use acorn_core::plan::ALIGNMENT;
use acorn_core::{Engine, Inline, KeepLogits, KvKind, Limits, Model, Plan, Workers};

use crate::error::Error;
use crate::model_file::ModelFile;
use crate::threads::Threads;

/// Tokens per pass of prefill: enough that a pass over the weights is shared by many.
pub const BATCH: u32 = 32;

/// What a session shall be able to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Positions in the KV cache.
    pub context: u32,
    /// Tokens per pass.
    pub batch: u32,
    /// How keys and values are stored; `None` for the model's default.
    pub kv: Option<KvKind>,
    /// Threads.
    pub threads: u32,
    /// Which logits are kept.
    pub logits: KeepLogits,
}

/// The memory and the threads that an engine borrows.
pub struct Session<'m> {
    path: &'m Path,
    model: Model<'m>,
    plan: Plan,
    memory: Vec<u8>,
    threads: Option<Threads>,
}

impl<'m> Session<'m> {
    /// Plans, and takes the memory and the threads.
    ///
    /// # Errors
    /// The model does not allow the options, or the threads cannot be had.
    pub fn new(file: &'m ModelFile, model: Model<'m>, options: &Options) -> Result<Self, Error> {
        let &Options { context, batch, kv, threads, logits } = options;
        let limits = Limits { context, batch, kv, workers: threads, logits };
        let path = file.path();
        let plan =
            Plan::new(&model, &limits).map_err(|error| Error::input(path, error.to_string()))?;
        let threads = match threads {
            1 => None,
            _ => Some(
                Threads::new(threads as usize).map_err(Error::io(path, "start threads for it"))?,
            ),
        };
        Ok(Self { path, model, plan, memory: Vec::new(), threads })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The engine, with an empty context.
    ///
    /// # Errors
    /// The memory cannot be had.
    pub fn engine(&mut self) -> Result<Engine<'_>, Error> {
        let bytes = self.plan.arena_bytes();
        // An arena starts at a cache line; a vector only where the allocator likes.
        self.memory = Vec::new();
        self.memory.try_reserve_exact(bytes + ALIGNMENT).map_err(|_| {
            let problem =
                format!("no memory for the arena of {bytes} bytes: ask for a smaller --context");
            Error::input(self.path, problem)
        })?;
        self.memory.resize(bytes + ALIGNMENT, 0);
        let start = self.memory.as_ptr().align_offset(ALIGNMENT);
        let workers: &dyn Workers = match &self.threads {
            Some(threads) => threads,
            None => &Inline,
        };
        Engine::new(&self.model, &self.plan, &mut self.memory[start..start + bytes])
            .map(|engine| engine.with_workers(workers))
            .map_err(|error| Error::internal(self.path, error.to_string()))
    }
}
