//! What is linked only if something can panic.

use core::hint::black_box;
use core::panic::PanicInfo;

/// Linked only if something can panic: the check looks for this name.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn probe_can_panic() -> ! {
    loop {
        black_box(());
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    probe_can_panic()
}
