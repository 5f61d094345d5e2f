//! Where the programs run: how they start, print and end.

#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv32", path = "riscv32.rs")]
#[cfg_attr(not(any(target_arch = "arm", target_arch = "riscv32")), path = "host.rs")]
mod machine;

pub use machine::{exit, instructions, write};

/// Printing.
pub struct Console;

impl core::fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        write(text);
        Ok(())
    }
}

/// Prints a line.
#[macro_export]
macro_rules! say {
    ($($arguments:tt)*) => {{
        use core::fmt::Write;
        let _ = writeln!($crate::board::Console, $($arguments)*);
    }};
}

/// Makes `$main`, a `fn() -> bool`, the program: the emulator's exit status says what it returned.
#[macro_export]
macro_rules! program {
    ($main:ident) => {
        #[cfg(any(target_arch = "arm", target_arch = "riscv32"))]
        #[unsafe(no_mangle)]
        extern "C" fn program() -> ! {
            $crate::board::exit($main())
        }

        #[cfg(not(any(target_arch = "arm", target_arch = "riscv32")))]
        fn main() {
            $crate::board::exit($main())
        }
    };
}

#[cfg(any(target_arch = "arm", target_arch = "riscv32"))]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    say!("{info}");
    exit(false)
}
