//! A model at work on this machine: plan, memory and threads, for the commands that run it.

use std::path::Path;

use acorn_core::kernel::{self, Kernel};
use acorn_core::plan::ALIGNMENT;
use acorn_core::{Engine, Inline, KeepLogits, KvKind, Limits, Model, Plan, Workers};

use crate::error::Error;
use crate::model_file::ModelFile;
use crate::threads::Threads;

/// Tokens per pass of prefill: enough that what a pass reads from memory is little for each.
pub const BATCH: u32 = 128;

/// The same where every token's logits are kept, which take more memory than all else.
pub const BATCH_OF_LOGITS: u32 = 32;

/// The variable that names a kernel to use instead of the best one.
pub const KERNEL_VARIABLE: &str = "ACORN_KERNEL";

/// The kernel of that name, among those that this machine can run.
///
/// # Errors
/// There is none; the message lists those that there are.
pub fn kernel_named(name: &str) -> Result<&'static Kernel, Error> {
    kernel::available().find(|kernel| kernel.name == name).ok_or_else(|| {
        let names: Vec<_> = kernel::available().map(|kernel| kernel.name).collect();
        let problem =
            format!("kernel \"{name}\" is not available here (available: {})", names.join(", "));
        Error::Usage { problem }
    })
}

/// The kernel that the environment names, else the best one.
fn kernel_wanted() -> Result<&'static Kernel, Error> {
    match std::env::var_os(KERNEL_VARIABLE) {
        Some(name) => kernel_named(&name.to_string_lossy()),
        None => Ok(kernel::best()),
    }
}

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
    kernel: &'static Kernel,
}

impl<'m> Session<'m> {
    /// Plans, and takes the memory and the threads.
    ///
    /// # Errors
    /// The model does not allow the options, the threads cannot be had, or the environment names a
    /// kernel that this machine cannot run.
    pub fn new(file: &'m ModelFile, model: Model<'m>, options: &Options) -> Result<Self, Error> {
        let &Options { context, batch, kv, threads, logits } = options;
        let limits = Limits { context, batch, kv, workers: threads, logits, window: None };
        let path = file.path();
        let kernel = kernel_wanted()?;
        let plan =
            Plan::new(&model, &limits).map_err(|error| Error::input(path, error.to_string()))?;
        let threads = match threads {
            1 => None,
            _ => Some(
                Threads::new(threads as usize).map_err(Error::io(path, "start threads for it"))?,
            ),
        };
        Ok(Self { path, model, plan, memory: Vec::new(), threads, kernel })
    }

    /// The same session with that kernel.
    #[must_use]
    pub fn with_kernel(self, kernel: &'static Kernel) -> Self {
        Self { kernel, ..self }
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
            .map(|engine| engine.with_workers(workers).with_kernel(self.kernel))
            .map_err(|error| Error::internal(self.path, error.to_string()))
    }
}
