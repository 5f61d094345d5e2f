//! How deep the stack was, by painting: its unused part is filled with a pattern, and what is left of
//! the pattern later was never used.
#![allow(unsafe_code)]

/// What unused stack is filled with.
const PAINT: u32 = 0xACAC_ACAC;

/// The deepest that is measured, in bytes.
const MOST: usize = 128 * 1024;

/// Below this address of the painting function's own frame nothing is painted, in bytes.
const MARGIN: usize = 256;

unsafe extern "C" {
    /// Where static memory ends, by the linker scripts of cortex-m-rt and riscv-rt. The stack grows
    /// towards it.
    static __sheap: u32;
}

/// A painted stack.
#[derive(Debug)]
pub struct Painted {
    low: *const u32,
    high: *const u32,
}

impl Painted {
    /// Paints what lies between the caller's frame and static memory, at most 128 KiB.
    #[inline(never)]
    pub fn new() -> Self {
        let here = 0u32;
        let high = ((&raw const here).addr() - MARGIN) & !3;
        let low = high.saturating_sub(MOST).max((&raw const __sheap).addr()).next_multiple_of(4);
        let mut at = core::ptr::with_exposed_provenance_mut::<u32>(low);
        let high = core::ptr::with_exposed_provenance_mut::<u32>(high);
        let low = at.cast_const();
        while at < high {
            // SAFETY: aligned, and between the end of static memory and the deepest frame there is
            // (less a margin for this function's own): memory that nobody owns. One core, and an
            // interrupt that comes meanwhile leaves nothing behind below the stack pointer.
            unsafe { at.write_volatile(PAINT) };
            at = at.wrapping_add(1);
        }
        Self { low, high }
    }

    /// Bytes of stack that were used at the deepest, from the frame that painted on.
    pub fn used(&self) -> usize {
        let mut at = self.low;
        while at < self.high {
            // SAFETY: within what `new` painted: memory that is there, aligned.
            if unsafe { at.read_volatile() } != PAINT {
                break;
            }
            at = at.wrapping_add(1);
        }
        self.high.addr() - at.addr() + MARGIN
    }
}

impl Default for Painted {
    fn default() -> Self {
        Self::new()
    }
}
