//! After a fault or a panic: a line that names it, and off. The board stays off: a fault that the same memory led to
//! would come again, and a board that starts for ever answers nobody.
#![allow(unsafe_code)]

use core::arch::asm;
use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::uart::Uart;
use crate::{cores, power};

/// The core that is saying something, counted from 1; 0 if none is.
static SAYING: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" {
    /// Where the stacks begin, by `memory.x`: per core 2 MiB that are not mapped, then as many of stack.
    static __stacks: u8;
}

/// A core's block of stack, or the one below it that is not mapped.
const BLOCK: usize = 2 << 20;

/// What `start.s` leads every exception to: entry 0 to 15 of the table.
#[unsafe(no_mangle)]
extern "C" fn fault(entry: usize) -> ! {
    let (syndrome, address, at): (usize, usize, usize);
    // SAFETY: reads three registers.
    unsafe {
        asm!(
            "mrs {}, esr_el1", "mrs {}, far_el1", "mrs {}, elr_el1",
            out(reg) syndrome, out(reg) address, out(reg) at,
            options(nomem, nostack, preserves_flags),
        );
    }
    end(|port| {
        _ = write!(port, "error: core {}: {}", cores::this(), name(entry, syndrome, address));
        _ = writeln!(port, " (address {address:#x}, code {at:#x}, ESR {syndrome:#x})");
    })
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    end(|port| {
        _ = write!(port, "error: core {}: panic", cores::this());
        if let Some(place) = info.location() {
            _ = write!(port, " at {place}");
        }
        _ = writeln!(port, ": {}", info.message());
    })
}

/// Says it and switches off. A core that is not the first sleeps meanwhile; if saying it was a fault, that is that.
fn end(say: impl FnOnce(&mut Uart)) -> ! {
    let (this, mut port) = (cores::this() + 1, Uart::after_fault());
    match SAYING.compare_exchange(0, this, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => say(&mut port),
        Err(saying) if saying == this => {}
        Err(_) => power::sleep_for_good(),
    }
    power::off(&mut port)
}

/// What an exception is called (Arm Architecture Reference Manual, ESR_EL1).
fn name(entry: usize, syndrome: usize, address: usize) -> &'static str {
    const WRITE: usize = 1 << 6;
    match entry % 4 {
        0 => {}
        3 => return "system error: a device or memory did not answer",
        _ => return "interrupt, but none is switched on",
    }
    let class = syndrome >> 26 & 0x3F;
    let status = syndrome & 0x3F;
    let place = address.wrapping_sub((&raw const __stacks).addr());
    let below_a_stack = place < 2 * BLOCK * cores::COUNT && (place / BLOCK).is_multiple_of(2);
    match (class, status >> 2) {
        (0x00, _) => "undefined instruction",
        (0x07, _) => "vector instruction, but they are switched off",
        (0x0E, _) => "illegal state",
        (0x15, _) => "system call, but there is no system",
        (0x20 | 0x21, 1) => "jump to memory that is not mapped",
        (0x20 | 0x21, 3) => "jump to data",
        (0x20 | 0x21, _) => "instruction cannot be read",
        (0x22, _) => "jump to an address that is not a multiple of 4",
        (0x24 | 0x25, 1) if below_a_stack => "the stack is too deep",
        (0x24 | 0x25, 1) => "access to memory that is not mapped",
        (0x24 | 0x25, 3) if syndrome & WRITE != 0 => "write to read-only memory",
        (0x24 | 0x25, _) if status == 0x21 => "misaligned access",
        (0x24 | 0x25, _) => "memory did not answer",
        (0x26, _) => "misaligned stack",
        (0x3C, _) => "breakpoint",
        _ => "exception",
    }
}
