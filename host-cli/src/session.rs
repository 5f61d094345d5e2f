//! A model at work on this machine: plan, memory and threads, for the commands that run it.

use std::path::Path;
use std::sync::Arc;

use acorn_core::kernel::{self, Kernel};
use acorn_core::plan::ALIGNMENT;
use acorn_core::{Engine, Inline, KeepLogits, KvKind, Limits, Model, Plan, Workers};

use crate::error::Error;
use crate::memory::budget::Placement;
use crate::memory::size::Size;
use crate::memory::stream::Stream;
use crate::memory::system;
use crate::opened::Opened;
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
    /// Tokens per pass; fewer where memory is short.
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
    placement: Placement,
    memory: Vec<u8>,
    stream: Option<Stream>,
    threads: Option<Arc<Threads>>,
    kernel: &'static Kernel,
}

impl<'m> Session<'m> {
    /// Plans, and takes the memory and the threads.
    ///
    /// # Errors
    /// The model does not allow the options, the memory or the threads cannot be had, the weights cannot be
    /// read, or the environment names a kernel that this machine cannot run.
    pub fn new(file: &'m Opened, model: Model<'m>, options: &Options) -> Result<Self, Error> {
        let &Options { context, batch, kv, threads, logits } = options;
        let limits = Limits { context, batch, kv, workers: threads, logits, window: None };
        let path = file.path();
        let kernel = kernel_wanted()?;
        let (plan, placement) = file.plan(&model, &limits)?;
        // Memory before threads: what the allocator reserves for each of them must not be in its way.
        let memory = arena(path, plan.arena_bytes())?;
        let stream = match placement {
            Placement::InPlace => None,
            Placement::Streamed { ahead_bytes, kept_bytes, .. } => {
                let cache = system::available();
                let cached = cache.is_none_or(|bytes| bytes > file.len() + ahead_bytes);
                let stream = Stream::open(path, &model, ahead_bytes, kept_bytes, cached);
                Some(stream.map_err(Error::io(path, "read its weights"))?)
            }
        };
        let threads = match threads {
            1 => None,
            _ => {
                let threads = Threads::new(threads as usize);
                Some(Arc::new(threads.map_err(Error::io(path, "start threads for it"))?))
            }
        };
        Ok(Self { path, model, plan, placement, memory, stream, threads, kernel })
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

    /// Where the weights are.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// The threads that the engine shares its work with, if there are any.
    pub fn threads(&self) -> Option<Arc<Threads>> {
        self.threads.clone()
    }

    /// The engine, with an empty context.
    ///
    /// # Errors
    /// None but a fault of the tool.
    pub fn engine(&mut self) -> Result<Engine<'_>, Error> {
        let bytes = self.plan.arena_bytes();
        let start = self.memory.as_ptr().align_offset(ALIGNMENT);
        let arena = &mut self.memory[start..start + bytes];
        let engine = match &mut self.stream {
            None => Engine::new(&self.model, &self.plan, arena),
            Some(stream) => Engine::streaming(&self.model, &self.plan, arena, stream),
        };
        let workers: &dyn Workers = match &self.threads {
            Some(threads) => &**threads,
            None => &Inline,
        };
        engine
            .map(|engine| engine.with_workers(workers).with_kernel(self.kernel))
            .map_err(|error| Error::internal(self.path, error.to_string()))
    }
}

/// Memory for an arena of `bytes`: it starts at a cache line, a vector only where the allocator likes.
fn arena(path: &Path, bytes: usize) -> Result<Vec<u8>, Error> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(bytes + ALIGNMENT).map_err(|_| {
        let size = Size(bytes as u64);
        let problem = format!("no memory for the arena of {size}: ask for a smaller --context");
        Error::input(path, problem)
    })?;
    memory.resize(bytes + ALIGNMENT, 0);
    Ok(memory)
}
