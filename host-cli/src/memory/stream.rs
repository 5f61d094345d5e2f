//! A file's weights, streamed: a thread reads ahead what passes need next, round and round, and what there is
//! memory for is kept.
//!
//! ```text
//! of each pass   | layers …………………………………………… | head |
//! kept           |■■■■■■■■■|
//! streamed                 |─ buffer ─|─ buffer ─|─ being read ─|…
//!                               └→ the engine's window
//! ```
//!
//! The disk is busy from one token to the next: also while the engine attends, and while a token is chosen.
//! What is out of order (rows of an embedding) is read where it lies.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::Path;

use acorn_core::{Fault, Model, Source};

use super::order::{Cursor, Order};
use super::reader::{Buffer, Done, Reader, Sequential};
use crate::file_source::FileSource;

/// Bytes of one read where there is memory for them: as many as make a disk's own time per read not count.
const LARGE: usize = 1 << 20;

/// The same where memory is short.
const SMALL: usize = 64 << 10;

/// The most buffers: some milliseconds of a fast disk, which is how long an engine may be busy with other
/// things.
const MOST: usize = 8;

/// The least: one is read while another is used.
const LEAST: usize = 2;

/// Weights that are read ahead.
#[derive(Debug)]
pub struct Stream {
    file: FileSource,
    kept: Vec<Kept>,
    ahead: Option<Ahead>,
}

/// A piece of the file in memory.
#[derive(Debug)]
struct Kept {
    start: u64,
    bytes: Buffer,
    len: usize,
}

/// What is read ahead.
#[derive(Debug)]
struct Ahead {
    reader: Reader,
    order: Order,
    /// What is asked for next.
    next: Cursor,
    /// Bytes of one buffer.
    size: usize,
    /// What was asked for, in order; of these `front` is the first.
    asked: VecDeque<Range<u64>>,
    front: Option<Buffer>,
    /// Where the last read out of order ended.
    strayed_to: u64,
}

/// Bytes that are of use to read ahead with at most `most`: the memory of some buffers, or 0.
pub(super) fn ahead_bytes(most: u64) -> u64 {
    buffers(most).map_or(0, |(count, size)| (count * Buffer::bytes(size)) as u64)
}

/// How many buffers to read ahead into, and how large each is, where `most` bytes are enough for any.
fn buffers(most: u64) -> Option<(usize, usize)> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let count = |size| (most / Buffer::bytes(size)).min(MOST);
    let sizes = std::iter::successors(Some(LARGE), |size| Some(size / 2));
    let mut sizes = sizes.take_while(|&size| size >= SMALL);
    // Four small ones are better than two large ones: less is waited for at the first.
    let size = sizes.find(|&size| count(size) >= 2 * LEAST || size == SMALL)?;
    (count(size) >= LEAST).then(|| (count(size), size))
}

/// Bytes that each pass of `model` reads, whole pages.
pub fn bytes_per_pass(model: &Model<'_>) -> u64 {
    Order::of(model).bytes()
}

impl Stream {
    /// Opens the file of `model`, reads the first `kept` bytes of a pass, and starts to read what follows
    /// them with `ahead` bytes of buffers. `cached`: whether the file fits the page cache.
    ///
    /// # Errors
    /// The operating system's.
    pub fn open(
        path: &Path,
        model: &Model<'_>,
        ahead: u64,
        kept: u64,
        cached: bool,
    ) -> io::Result<Self> {
        let file = FileSource::open(path)?;
        let mut sequential = Sequential::open(path, cached)?;
        let (first, rest) = Order::of(model).split(kept);
        let mut pieces = Vec::new();
        for range in first.stretches() {
            let len = usize::try_from(range.end - range.start)
                .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            let mut bytes = Buffer::new(len)?;
            sequential.read(range, &mut bytes).map_err(|fault| match fault.0 {
                -1 => io::ErrorKind::UnexpectedEof.into(),
                code => io::Error::from_raw_os_error(code),
            })?;
            pieces.push(Kept { start: range.start, bytes, len });
        }
        let ahead = match buffers(ahead) {
            Some((count, size)) if !rest.stretches().is_empty() => {
                Some(Ahead::start(sequential, rest, count, size)?)
            }
            _ => None,
        };
        Ok(Self { file, kept: pieces, ahead })
    }

    /// What is kept of the file from `offset` on.
    fn kept(&self, offset: u64) -> Option<&[u8]> {
        self.kept.iter().find_map(|piece| {
            let start = usize::try_from(offset.checked_sub(piece.start)?).ok()?;
            piece.bytes.get(start..piece.len).filter(|bytes| !bytes.is_empty())
        })
    }
}

impl Source for Stream {
    fn read(&mut self, mut offset: u64, mut into: &mut [u8]) -> Result<(), Fault> {
        while !into.is_empty() {
            let kept = self.kept(offset).map(|bytes| copy(bytes, into));
            let ahead = || self.ahead.as_mut().and_then(|ahead| ahead.copy(offset, into));
            let copied = match kept.or_else(ahead) {
                Some(copied) => copied,
                None => {
                    self.file.read(offset, into)?;
                    if let Some(ahead) = &mut self.ahead {
                        ahead.stray(offset, offset + into.len() as u64);
                    }
                    into.len()
                }
            };
            offset += copied as u64;
            into = into.get_mut(copied..).unwrap_or_default();
        }
        Ok(())
    }
}

/// Copies as many bytes as there are on both sides.
fn copy(from: &[u8], into: &mut [u8]) -> usize {
    let len = from.len().min(into.len());
    into[..len].copy_from_slice(&from[..len]);
    len
}

impl Ahead {
    fn start(file: Sequential, order: Order, count: usize, size: usize) -> io::Result<Self> {
        let buffers: io::Result<Vec<_>> = (0..count).map(|_| Buffer::new(size)).collect();
        let (reader, next) = (Reader::new(file)?, order.start());
        let asked = VecDeque::with_capacity(count);
        let mut ahead = Self { reader, order, next, size, asked, front: None, strayed_to: 0 };
        buffers?.into_iter().for_each(|buffer| ahead.ask(buffer));
        Ok(ahead)
    }

    /// Has the next bytes read into `buffer`.
    fn ask(&mut self, buffer: Buffer) {
        let range = self.order.next(&mut self.next, self.size as u64);
        self.asked.push_back(range.clone());
        self.reader.give(range, buffer);
    }

    /// Copies bytes from `offset` on, if that was asked for: to the end of `into` or of a buffer. Gives up what
    /// comes before. What could not be read is asked for again.
    fn copy(&mut self, offset: u64, into: &mut [u8]) -> Option<usize> {
        let place = self.asked.iter().position(|range| range.contains(&offset))?;
        for _ in 0..place {
            let (_, buffer, _) = self.first()?;
            self.ask(buffer);
        }
        let (range, buffer, result) = self.first()?;
        if result.is_err() {
            self.restart(range.start, Some(buffer));
            return None;
        }
        let within = |offset: u64| usize::try_from(offset - range.start).unwrap_or(usize::MAX);
        let copied = copy(buffer.get(within(offset)..within(range.end))?, into);
        if offset + copied as u64 == range.end {
            self.ask(buffer);
        } else {
            self.front = Some(buffer);
            self.asked.push_front(range);
        }
        Some(copied)
    }

    /// What was asked for first, once it is there.
    fn first(&mut self) -> Option<(Range<u64>, Buffer, Result<(), Fault>)> {
        let range = self.asked.pop_front()?;
        match self.front.take() {
            Some(buffer) => Some((range, buffer, Ok(()))),
            None => self.reader.take().map(|Done { buffer, result }| (range, buffer, result)),
        }
    }

    /// Told that the bytes from `start` to `end` were read out of order. The second read in a row where
    /// nothing was asked for is no exception any more: it is followed.
    fn stray(&mut self, start: u64, end: u64) {
        if std::mem::replace(&mut self.strayed_to, end) == start {
            self.restart(end, None);
        }
    }

    /// Reads on from `offset`, where that is in the order.
    fn restart(&mut self, offset: u64, spare: Option<Buffer>) {
        let Some(next) = self.order.find(offset) else { return };
        self.reader.cancel();
        let under_way = self.asked.len() - usize::from(self.front.is_some());
        let idle = spare.into_iter().chain(self.front.take());
        let taken = (0..under_way).filter_map(|_| self.reader.take()).map(|done| done.buffer);
        let buffers: Vec<_> = idle.chain(taken).collect();
        self.asked.clear();
        self.next = next;
        buffers.into_iter().for_each(|buffer| self.ask(buffer));
    }
}
