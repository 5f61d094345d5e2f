//! How fast this machine reads its memory and a file: a fraction of a second each, for predictions.

use std::hint::black_box;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::order::ALIGNMENT;
use super::reader::{Buffer, Sequential};
use super::system;

/// How long each measurement takes.
const TIME: Duration = Duration::from_millis(200);

/// Bytes read in memory: more than caches hold.
const MEMORY: u64 = 128 << 20;

/// Bytes of one read of a file.
const READ: usize = 1 << 20;

/// Bytes per second that `threads` threads together read from memory.
///
/// # Errors
/// No memory to read, or no threads.
pub fn memory(threads: u32) -> io::Result<f64> {
    let most = system::available().map_or(MEMORY, |available| available / 4);
    let len = usize::try_from(MEMORY.min(most) / 8).unwrap_or(0);
    let mut words: Vec<u64> = Vec::new();
    words.try_reserve_exact(len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    // Not zeros, which a system may have one page of for all.
    words.extend(1..=len as u64);
    let total = AtomicU64::new(0);
    let share = len.div_ceil(threads.max(1) as usize).max(1);
    let start = Instant::now();
    thread::scope(|scope| {
        for words in words.chunks(share) {
            let total = &total;
            thread::Builder::new().spawn_scoped(scope, move || {
                let mut done = 0;
                while start.elapsed() < TIME {
                    black_box(sum(words));
                    done += size_of_val(words) as u64;
                }
                total.fetch_add(done, Ordering::Relaxed);
            })?;
        }
        Ok::<_, io::Error>(())
    })?;
    Ok(total.into_inner() as f64 / start.elapsed().as_secs_f64())
}

/// Adds up all words, in four places at once: a processor that fetches ahead stops at the end of a page, and one
/// place alone gives half of what memory can, less than kernels get, which ask for what they need in time.
fn sum(words: &[u64]) -> u64 {
    const LINE: usize = 8;
    let (lines, rest) = words.as_chunks::<LINE>();
    let mut sums = [0u64; LINE];
    let mut add = |line: &[u64; LINE]| {
        sums.iter_mut().zip(line).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
    };
    let quarter = lines.len() / 4;
    let (places, more) = lines.split_at(4 * quarter);
    for index in 0..quarter {
        for place in 0..4 {
            add(&places[place * quarter + index]);
        }
    }
    more.iter().for_each(&mut add);
    rest.iter().chain(&sums).fold(0, |sum, word| sum.wrapping_add(*word))
}

/// Bytes per second that the file gives when read from front to back, not from the page cache.
///
/// # Errors
/// It cannot be read.
pub fn file(path: &Path) -> io::Result<f64> {
    let mut file = Sequential::open(path, false)?;
    file.forget();
    let mut buffer = Buffer::new(READ)?;
    let end = file.len().next_multiple_of(ALIGNMENT);
    let (mut offset, mut done) = (0, 0);
    let start = Instant::now();
    while start.elapsed() < TIME && end > 0 {
        let range = offset..end.min(offset + READ as u64);
        done += range.end - range.start;
        offset = range.end % end;
        let read = file.read(&range, &mut buffer);
        read.map_err(|fault| io::Error::from_raw_os_error(fault.0.max(0)))?;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_are_added_up() {
        for len in [0, 1, 7, 8, 31, 32, 33, 100, 1000] {
            let words: Vec<u64> = (1..=len).collect();
            assert_eq!(sum(&words), len * (len + 1) / 2, "{len}");
        }
    }

    #[test]
    fn rates_are_positive_and_finite() -> io::Result<()> {
        let rate = memory(2)?;
        assert!(rate > 1e6 && rate < 1e13, "{rate}");
        let file_of_tests = tempfile::NamedTempFile::new()?;
        std::fs::write(file_of_tests.path(), vec![7; 3 * READ + 5])?;
        let rate = file(file_of_tests.path())?;
        assert!(rate > 1e3 && rate.is_finite(), "{rate}");
        assert!(file(Path::new("no such file")).is_err());
        Ok(())
    }
}
