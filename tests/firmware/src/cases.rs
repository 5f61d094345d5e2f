//! Random and extreme bands for the integer dot products, and what they must give: the formulas of
//! `core/FORMAT.md`, read from the bytes as it says.

use acorn_core::format::encoding::{Band, Encoding, Group, q4::Pair};
use acorn_core::kernel::{self, Bands, Ints, Kernel, Sums, Wide, Widened, available, scalar};

use crate::random::{Hash, Random};

/// The most columns of a case that any board has room for.
const SMALL: usize = 640;

/// The most columns of a case: more than the Cortex-M0's 16 KiB have room for.
const MOST: usize = if cfg!(small) { SMALL } else { 4096 };

/// Random cases per kind.
const RANDOM: u32 = 2000;

/// The most tokens and bands of a case.
const TOKENS: usize = 3;
const BANDS: usize = 4;

/// Bytes of the largest band and its scales, with room to move it by up to 15.
const BAND: usize = 8 * MOST + 32;

/// Activations of the largest case, with the same room.
const ACTIVATIONS: usize = (if MOST > TOKENS * SMALL { MOST } else { TOKENS * SMALL }) + 16;

/// Blocks of widened activations: of one token only where there is not room for more.
const WIDENED: usize = (if cfg!(small) { SMALL } else { ACTIVATIONS }) / 32;

/// What is multiplied.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// int8 weights.
    Q8,
    /// Nibbles.
    Q4,
    /// int8 weights of the cache, 16-bit activations.
    Wide,
}

/// A band and activations.
struct Case {
    kind: Kind,
    cols: usize,
    tokens: usize,
    /// Groups that count: of 4 columns, or of 8 nibbles.
    groups: usize,
    /// Bands of so many groups, and from the start of one to the start of the next; 1 but in the cache.
    bands: usize,
    stride: usize,
    /// Where the band and the activations start in their buffers.
    at: usize,
    x_at: usize,
}

#[repr(align(16))]
struct Buffers {
    band: [u8; BAND],
    pairs: [u8; MOST / 4 + 32],
    x: [i8; ACTIVATIONS],
    block_sums: [i16; ACTIVATIONS / 32],
    widened: [Widened; WIDENED],
    wide: [i16; TOKENS * SMALL + 16],
}

/// Compares all kernels with the formulas, up to the first that differs; prints a hash of what came out.
#[inline(never)]
pub fn run() -> bool {
    let mut buffers = Buffers {
        band: [0; BAND],
        pairs: [0; MOST / 4 + 32],
        x: [0; ACTIVATIONS],
        block_sums: [0; ACTIVATIONS / 32],
        widened: [Widened::default(); WIDENED],
        wide: [0; TOKENS * SMALL + 16],
    };
    for (name, kind) in [("q8", Kind::Q8), ("q4", Kind::Q4), ("q8_wide", Kind::Wide)] {
        let mut hash = Hash::default();
        for seed in 0..RANDOM {
            let case = buffers.random(kind, seed);
            if !buffers.check(&case, &mut hash) {
                return false;
            }
        }
        crate::say!("{name}: {RANDOM} random cases, {:016x}", hash.value());
        for (size, most) in [("small", SMALL), ("large", MOST)] {
            let mut hash = Hash::default();
            let mut count = 0;
            for cols in [32, 64, 96, 160, 640, 992, 2080, 4096] {
                if cols > most
                    || (size == "large") != (cols > SMALL)
                    || (kind == Kind::Wide && cols > SMALL)
                {
                    continue;
                }
                for corner in 0..8 {
                    let case = buffers.extreme(kind, cols, corner);
                    if !buffers.check(&case, &mut hash) {
                        return false;
                    }
                    count += 1;
                }
            }
            if count > 0 {
                crate::say!("{name}: {count} {size} extremes, {:016x}", hash.value());
            }
        }
    }
    true
}

impl Buffers {
    /// A case of random size, numbers and alignment.
    fn random(&mut self, kind: Kind, seed: u32) -> Case {
        let mut random = Random::new(seed);
        let cols = 32 * (1 + random.below(SMALL / 32));
        let tokens = 1 + random.below(TOKENS);
        // A model file may lie anywhere; most lie at multiples of 4.
        let mut place = |most: usize| match random.below(4) {
            0 => random.below(most),
            _ => random.below(most) & !3,
        };
        let (at, x_at) = (place(16), place(16));
        let short = if kind == Kind::Q4 { 0 } else { random.below(8) };
        let groups = match kind {
            Kind::Q4 => cols / 8,
            _ => cols / 4 - short,
        };
        let bands = if kind == Kind::Wide { 1 + random.below(BANDS) } else { 1 };
        let stride = groups.div_ceil(bands);
        let groups = if bands > 1 { 1 + random.below(stride) } else { groups };
        for bytes in self.band[..8 * SMALL + 32].chunks_mut(4) {
            bytes.copy_from_slice(&random.word().to_le_bytes()[..bytes.len()]);
        }
        for bytes in self.pairs[..SMALL / 4 + 16].chunks_mut(4) {
            bytes.copy_from_slice(&random.word().to_le_bytes()[..bytes.len()]);
        }
        // Behind the last group there are zeros; a row of nibbles may be padded with up to a block of them.
        let count = match kind {
            Kind::Q4 => cols - random.below(3) / 2 * random.below(33),
            _ => 4 * groups,
        };
        for k in 0..tokens * cols {
            let x = random.int8();
            self.x[x_at + k] = if k % cols < count { x } else { 0 };
        }
        for wide in &mut self.wide {
            *wide = (random.word() >> 16) as u16 as i16 >> 1;
        }
        self.finish(Case { kind, cols, tokens, groups, bands, stride, at, x_at })
    }

    /// A case of one of the 8 corners: largest and smallest weights, sub-scales, zeros and activations.
    fn extreme(&mut self, kind: Kind, cols: usize, corner: usize) -> Case {
        let bit = |index: usize| corner >> index & 1 == 1;
        let weight = match kind {
            Kind::Q4 => {
                if bit(0) {
                    0xFF
                } else {
                    0
                }
            }
            _ => {
                if bit(0) {
                    127
                } else {
                    0x81
                }
            }
        };
        self.band.fill(weight);
        for pair in self.pairs.chunks_mut(16) {
            let (subs, zeros) = pair.split_at_mut(8);
            subs.fill(if bit(1) { 0xFF } else { 0 });
            zeros.fill(if bit(0) == bit(1) { 0xFF } else { 0 });
        }
        self.x.fill(if bit(2) { 127 } else { -127 });
        // The sums must fit: 16383 · 127 over 640 columns does.
        self.wide.fill(if bit(2) { 16383 } else { -16383 });
        let groups = if kind == Kind::Q4 { cols / 8 } else { cols / 4 };
        self.finish(Case {
            kind,
            cols,
            tokens: 1,
            groups,
            bands: 1,
            stride: groups,
            at: 0,
            x_at: 0,
        })
    }

    /// Sums the blocks, and takes out what no file holds.
    fn finish(&mut self, case: Case) -> Case {
        if case.kind != Kind::Q4 {
            self.band.iter_mut().filter(|byte| **byte == 0x80).for_each(|byte| *byte = 0x81);
        }
        let x = &self.x[case.x_at..][..case.tokens * case.cols];
        for (sum, block) in self.block_sums.iter_mut().zip(x.chunks(32)) {
            *sum = block.iter().map(|&x| i16::from(x)).sum();
        }
        // Token by token, where kernels want that.
        let row = if case.kind == Kind::Q4 { case.cols } else { x.len() };
        let rows = x.chunks(row).zip(self.block_sums.chunks(row / 32));
        for ((x, sums), widened) in rows.zip(self.widened.chunks_mut(row / 32)) {
            kernel::widen(x, &sums[..x.len() / 32], widened);
        }
        case
    }

    fn check(&self, case: &Case, hash: &mut Hash) -> bool {
        let results = case.tokens * case.bands;
        let mut expected = [Sums::<i32>::default(); TOKENS * BANDS];
        for (index, sums) in expected.iter_mut().enumerate().take(results) {
            for (row, sum) in sums.iter_mut().enumerate() {
                *sum = self.formula(case, index / case.tokens, index % case.tokens, row);
                hash.add(*sum as u32);
            }
        }
        let expected = &expected[..results];
        for kernel in available() {
            let mut found = [[i32::MIN; 8]; TOKENS * BANDS];
            let found = &mut found[..results];
            self.call(case, kernel, found);
            if found != expected {
                let Case { cols, tokens, groups, bands, at, x_at, .. } = case;
                crate::say!(
                    "FAILED: {}, {cols} columns, {groups} groups, {bands} bands, {tokens} tokens, at {at} \
                     and {x_at}: {found:?} not {expected:?}",
                    kernel.name
                );
                return false;
            }
        }
        self.check_gemv(case, hash)
    }

    /// The first token times as many whole bands as lie there, at most 3: the sums, known to be right, by the
    /// scales of rows and token.
    fn check_gemv(&self, case: &Case, hash: &mut Hash) -> bool {
        let (encoding, len) = match case.kind {
            Kind::Q8 => (Encoding::Q8, 32 * case.groups + 16),
            Kind::Q4 => (Encoding::Q4, 4 * case.cols + 16 * case.cols.div_ceil(64) + 16),
            Kind::Wide => return true,
        };
        // As many on every board, however much it has room for.
        let room = 8 * case.cols.max(SMALL) + 32 - case.at;
        let count = (room / len).min(3);
        let bands = Bands { bytes: &self.band[case.at..][..count * len], len };
        let (mut x, _) = self.activations(case).split(1);
        if case.tokens > 1 {
            x.widened = self.widened.get(..case.cols / 32).unwrap_or_default();
        }
        let mut expected = [[0.0; 8]; 3];
        for (bytes, out) in bands.iter().zip(&mut expected) {
            let mut sums = [Sums::<i32>::default()];
            let rows = match Band::new(encoding, case.cols, bytes) {
                Band::Q8(band) => {
                    (scalar::KERNEL.q8)(band.groups, x, &mut sums);
                    band.scales
                }
                Band::Q4(band) => {
                    (scalar::KERNEL.q4)(band.groups, band.pairs, x, &mut sums);
                    band.scales
                }
                Band::F32(_) => return false,
            };
            for ((out, sum), row) in out.iter_mut().zip(sums[0]).zip(rows) {
                *out = sum as f32 * (row * 0.37);
            }
        }
        // Random scales may be NaN; which one comes out is not in the contract.
        let bits = |x: f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
        let expected = expected.map(|band| band.map(bits));
        expected.as_flattened().iter().for_each(|bits| hash.add(*bits));
        for kernel in available() {
            let mut found = [[0.0; 8]; 3];
            let gemv = if case.kind == Kind::Q8 { kernel.gemv_q8 } else { kernel.gemv_q4 };
            gemv(bands, &x, 0.37, &mut found[..count]);
            if found.map(|band| band.map(bits)) != expected {
                let Case { cols, groups, at, x_at, .. } = case;
                crate::say!(
                    "FAILED: {}, gemv of {count} bands, {cols} columns, {groups} groups, at {at} and {x_at}: \
                     {found:?}",
                    kernel.name
                );
                return false;
            }
        }
        true
    }

    fn activations(&self, case: &Case) -> Ints<'_> {
        let values = &self.x[case.x_at..][..case.tokens * case.cols];
        let block_sums = &self.block_sums[..case.tokens * case.cols / 32];
        // A few cases without them.
        let blocks = if case.groups.is_multiple_of(16) { 0 } else { block_sums.len() };
        let widened = self.widened.get(..blocks).unwrap_or_default();
        Ints { cols: case.cols, values, block_sums, widened }
    }

    fn groups(&self, case: &Case) -> &[Group] {
        let groups = (case.bands - 1) * case.stride + case.groups;
        self.band[case.at..][..32 * groups].as_chunks().0
    }

    fn call(&self, case: &Case, kernel: &Kernel, sums: &mut [Sums<i32>]) {
        let groups = self.groups(case);
        let x = self.activations(case);
        match case.kind {
            Kind::Q8 => (kernel.q8)(groups, x, sums),
            Kind::Q4 => {
                let pairs = &self.pairs[case.at..][..16 * case.cols.div_ceil(64)];
                let pairs: &[Pair] = pairs.as_chunks().0;
                (kernel.q4)(groups, pairs, x, sums);
            }
            Kind::Wide => {
                let wide = Wide { groups, stride: case.stride, per_band: case.groups, ahead: 0 };
                let x = &self.wide[case.x_at / 2..][..case.tokens * 4 * case.groups];
                (kernel.q8_wide)(wide, x, case.tokens, sums);
            }
        }
    }

    /// The sum of a band's row and a token.
    fn formula(&self, case: &Case, band: usize, token: usize, row: usize) -> i32 {
        let band = &self.band[case.at + 32 * case.stride * band..];
        let x = |k: usize| i32::from(self.x[case.x_at + token * case.cols + k]);
        let int8 = |k: usize| i32::from(band[32 * (k / 4) + 4 * row + k % 4] as i8);
        let cols = 4 * case.groups;
        match case.kind {
            Kind::Q8 => (0..cols).map(|k| int8(k) * x(k)).sum(),
            Kind::Wide => {
                let x = |k: usize| i32::from(self.wide[case.x_at / 2 + token * cols + k]);
                (0..cols).map(|k| int8(k) * x(k)).sum()
            }
            Kind::Q4 => {
                let block = |b: usize| {
                    let half = |byte: u8| {
                        i32::from(if b.is_multiple_of(2) { byte & 15 } else { byte >> 4 })
                    };
                    let pair = &self.pairs[case.at + b / 2 * 16..][..16];
                    let (s, z) = (half(pair[row]) + 1, half(pair[row + 8]) - 8);
                    let weight = |k: usize| {
                        let byte = band[32 * (k / 8) + 4 * row + k % 4];
                        let nibble = if k % 8 < 4 { byte & 15 } else { byte >> 4 };
                        s * (4 * (i32::from(nibble) - 8) + z)
                    };
                    (32 * b..32 * b + 32).map(|k| weight(k) * x(k)).sum::<i32>()
                };
                (0..case.cols / 32).map(block).sum()
            }
        }
    }
}
