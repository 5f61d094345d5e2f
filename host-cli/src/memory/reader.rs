//! A thread that reads pieces of a file into buffers, one after another, while others work.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use acorn_core::Fault;

use super::order::ALIGNMENT;
use crate::file_source::fill;

/// Its stack: it calls the system and nothing else.
const STACK: usize = 64 << 10;

/// Bytes that start at a multiple of [`ALIGNMENT`], as a disk wants them that is read past the page cache.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    /// Bytes that a buffer of `len` takes.
    pub(super) const fn bytes(len: usize) -> usize {
        len + ALIGNMENT as usize
    }

    /// A buffer of `len` zeros.
    pub(super) fn new(len: usize) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let failed = |_| io::Error::from(io::ErrorKind::OutOfMemory);
        bytes.try_reserve_exact(Self::bytes(len)).map_err(failed)?;
        bytes.resize(Self::bytes(len), 0);
        let start = bytes.as_ptr().align_offset(ALIGNMENT as usize);
        Ok(Self { bytes, start })
    }

    pub(super) fn get(&self, range: Range<usize>) -> Option<&[u8]> {
        self.bytes.get(self.start..)?.get(range)
    }

    fn get_mut(&mut self, len: usize) -> Option<&mut [u8]> {
        self.bytes.get_mut(self.start..)?.get_mut(..len)
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").field("len", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// A file that is read from front to back.
#[derive(Debug)]
pub(super) struct Sequential {
    cached: File,
    /// The same past the page cache, where the file system can do that.
    uncached: Option<File>,
    /// Whether what was read shall not stay in the page cache.
    drop_behind: bool,
    len: u64,
}

impl Sequential {
    /// Opens the file. `keep`: whether it fits the page cache, so that it is read from the disk only once.
    /// Otherwise it would be pushed out of there, and everything else with it, before it is needed again.
    pub(super) fn open(path: &Path, keep: bool) -> io::Result<Self> {
        let cached = File::open(path)?;
        let len = cached.metadata()?.len();
        advise(&cached, Advice::Sequential);
        let uncached = if keep { None } else { open_uncached(path) };
        Ok(Self { cached, uncached, drop_behind: !keep, len })
    }

    /// The file's length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Has the page cache forget the file.
    pub(super) fn forget(&self) {
        advise(&self.cached, Advice::Drop(0..self.len));
    }

    /// Reads the bytes in `range`, which starts and ends at multiples of [`ALIGNMENT`]; behind the file's end
    /// there is nothing to read.
    pub(super) fn read(&mut self, range: &Range<u64>, buffer: &mut Buffer) -> Result<(), Fault> {
        let len = |end: u64| usize::try_from(end.saturating_sub(range.start)).ok();
        let bytes = len(range.end).and_then(|len| buffer.get_mut(len)).ok_or(Fault(-1))?;
        let need = len(range.end.min(self.len)).ok_or(Fault(-1))?;
        if let Some(file) = &self.uncached {
            match fill(file, range.start, bytes, need) {
                Ok(()) => return Ok(()),
                // A file system that opens such files but cannot read them.
                Err(_) => self.uncached = None,
            }
        }
        let result = fill(&self.cached, range.start, bytes, need);
        if self.drop_behind {
            advise(&self.cached, Advice::Drop(range.clone()));
        }
        result
    }
}

/// What the system is told of a file; it may do as it likes.
enum Advice {
    Sequential,
    Drop(Range<u64>),
}

#[cfg(target_os = "linux")]
fn advise(file: &File, advice: Advice) {
    use rustix::fs::{Advice as Os, fadvise};
    _ = match advice {
        Advice::Sequential => fadvise(file, 0, None, Os::Sequential),
        Advice::Drop(Range { start, end }) => {
            fadvise(file, start, std::num::NonZeroU64::new(end - start), Os::DontNeed)
        }
    };
}

#[cfg(not(target_os = "linux"))]
fn advise(_: &File, _: Advice) {}

#[cfg(target_os = "linux")]
fn open_uncached(path: &Path) -> Option<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).ok()?;
    OpenOptions::new().read(true).custom_flags(flags).open(path).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_uncached(_: &Path) -> Option<File> {
    None
}

/// What is to be read, and into what.
struct Job {
    range: Range<u64>,
    buffer: Buffer,
    epoch: u64,
}

/// A job that is over.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) buffer: Buffer,
    pub(super) result: Result<(), Fault>,
}

/// The thread. Jobs come back in the order in which they were given.
#[derive(Debug)]
pub(super) struct Reader {
    jobs: Option<Sender<Job>>,
    done: Receiver<Done>,
    /// Jobs of earlier epochs come back unread.
    epoch: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    pub(super) fn new(mut file: Sequential) -> io::Result<Self> {
        let (jobs, ours) = channel::<Job>();
        let (theirs, done) = channel();
        let epoch = Arc::new(AtomicU64::new(0));
        let now = Arc::clone(&epoch);
        let work = move || {
            for Job { range, mut buffer, epoch } in ours {
                let stale = epoch != now.load(Ordering::Relaxed);
                let result = if stale { Ok(()) } else { file.read(&range, &mut buffer) };
                if theirs.send(Done { buffer, result }).is_err() {
                    return;
                }
            }
        };
        let builder = thread::Builder::new().name("acorn-reader".into()).stack_size(STACK);
        let thread = Some(builder.spawn(work)?);
        Ok(Self { jobs: Some(jobs), done, epoch, thread })
    }

    /// Has the bytes in `range` read.
    pub(super) fn give(&self, range: Range<u64>, buffer: Buffer) {
        let job = Job { range, buffer, epoch: self.epoch.load(Ordering::Relaxed) };
        if let Some(jobs) = &self.jobs {
            // The thread ends only with the jobs.
            _ = jobs.send(job);
        }
    }

    /// Waits for the next job given that is over; `None` where the thread is gone.
    pub(super) fn take(&self) -> Option<Done> {
        self.done.recv().ok()
    }

    /// Makes the jobs given so far worth nothing: they come back at once, what they read is not of use.
    pub(super) fn cancel(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.cancel();
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
