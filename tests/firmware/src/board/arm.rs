//! A Cortex-M in QEMU: it starts from the vector table, and prints and ends by semihosting.

use core::arch::{asm, naked_asm};
use core::ptr::{read_volatile, write_volatile};

/// Initial stack pointer, reset, and the exceptions, all of which are failures here.
#[repr(C)]
struct Vectors {
    stack: unsafe extern "C" fn(),
    reset: unsafe extern "C" fn() -> !,
    exceptions: [extern "C" fn() -> !; 14],
}

unsafe extern "C" {
    fn stack_top();
}

#[unsafe(link_section = ".vectors")]
#[used]
static VECTORS: Vectors =
    Vectors { stack: stack_top, reset, exceptions: [exception as extern "C" fn() -> !; 14] };

/// Switches the floating-point unit (and with it the vectors) on where there may be one, then goes on.
#[unsafe(naked)]
#[unsafe(no_mangle)]
unsafe extern "C" fn reset() -> ! {
    // CPACR at E000ED88: coprocessors 10 and 11 for everyone. A Cortex-M0 has no such register.
    #[cfg(not(small))]
    naked_asm!(
        "movw r0, #0xED88",
        "movt r0, #0xE000",
        "ldr r1, [r0]",
        "orr r1, #0xF00000",
        "str r1, [r0]",
        "dsb",
        "isb",
        "bl program",
        "udf #0",
    );
    #[cfg(small)]
    naked_asm!("bl program", "udf #0");
}

extern "C" fn exception() -> ! {
    write("an exception: a fault, or something that nobody asked for\n");
    exit(false)
}

/// A semihosting call.
fn semihosting(operation: usize, argument: usize) {
    // SAFETY: QEMU runs with semihosting; the operations used here read memory at most.
    unsafe {
        asm!("bkpt #0xAB", inout("r0") operation => _, in("r1") argument, options(nostack));
    }
}

/// Prints.
pub fn write(text: &str) {
    const WRITE0: usize = 0x04;
    // It wants text that ends with a zero.
    for part in text.as_bytes().chunks(63) {
        let mut buffer = [0u8; 64];
        buffer.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
        semihosting(WRITE0, buffer.as_ptr().addr());
    }
}

/// Ends the emulator, with the status 0 if `success`.
pub fn exit(success: bool) -> ! {
    const EXIT: usize = 0x18;
    const APPLICATION_EXIT: usize = 0x20026;
    const RUN_TIME_ERROR: usize = 0x20023;
    semihosting(EXIT, if success { APPLICATION_EXIT } else { RUN_TIME_ERROR });
    #[allow(clippy::empty_loop)]
    loop {}
}

/// Instructions that `f` executes, for QEMU with `-icount shift=6`: one takes 64 ns, and SysTick counts
/// the board's clock. Fewer than 4 million.
pub fn instructions(mut f: impl FnMut()) -> Option<u32> {
    const CONTROL: *mut u32 = core::ptr::without_provenance_mut(0xE000_E010);
    const RELOAD: *mut u32 = core::ptr::without_provenance_mut(0xE000_E014);
    const CURRENT: *mut u32 = core::ptr::without_provenance_mut(0xE000_E018);
    // SAFETY: SysTick's registers, at the same addresses in all of these processors.
    let now = || unsafe { read_volatile(CURRENT) };
    // SAFETY: as above.
    unsafe {
        write_volatile(RELOAD, 0x00FF_FFFF);
        write_volatile(CURRENT, 0);
        write_volatile(CONTROL, 0b101);
    }
    let start = now();
    f();
    let ticks = u64::from(start.wrapping_sub(now()) & 0x00FF_FFFF);
    u32::try_from(ticks * u64::from(TICK_PS) / 64_000).ok()
}

/// Picoseconds of a tick.
const TICK_PS: u32 = tick_ps();

const fn tick_ps() -> u32 {
    let Some(text) = option_env!("ACORN_TICK_PS") else { return 40_000 };
    match u32::from_str_radix(text, 10) {
        Ok(ps) => ps,
        Err(_) => panic!("ACORN_TICK_PS is no number of picoseconds"),
    }
}
