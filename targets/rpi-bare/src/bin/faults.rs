//! A line that comes in names a fault, and that is done: what must be said of it is checked by `cargo xtask boards`.
#![no_std]
#![no_main]
#![allow(unsafe_code)]

use core::arch::asm;

use acorn_core::Workers;
use acorn_firmware::{Error, Line};
use acorn_rpi_bare::cores::{self, Cores};
use acorn_rpi_bare::read_line;
use acorn_rpi_bare::uart::Uart;

acorn_rpi_bare::entry!(main);

static CONSTANT: [u32; 2] = [0xD503_201F, 0xD65F_03C0]; // nop, ret

fn main(port: &mut Uart) -> Result<(), Error> {
    let cores = Cores::start();
    let mut line = Line::new();
    port.print("> ");
    match read_line(port, &mut line)?.unwrap_or_default() {
        "undefined" => undefined(),
        "unmapped" => read(0x3000_0000),
        "far" => read(0x8000_0000),
        "constant" => write((&raw const CONSTANT).addr()),
        "data" => jump((&raw const line).addr() & !3),
        "deep" => _ = deep(1),
        "panic" => panic!("on purpose"),
        "core" => loop {
            cores.run(&|_| {
                if cores::this() == cores::COUNT - 1 {
                    undefined();
                }
            });
        },
        "all" => loop {
            cores.run(&|_| undefined());
        },
        _ => {}
    }
    port.print("no fault\n");
    Ok(())
}

fn undefined() {
    // SAFETY: ends the program.
    unsafe { asm!("udf #0") }
}

fn read(address: usize) {
    // SAFETY: in the program that was asked for it this ends the program.
    unsafe { asm!("ldr {0:w}, [{0}]", inout(reg) address => _) }
}

fn write(address: usize) {
    // SAFETY: as above.
    unsafe { asm!("str wzr, [{}]", in(reg) address) }
}

fn jump(address: usize) {
    // SAFETY: as above.
    unsafe { asm!("blr {}", in(reg) address, clobber_abi("C")) }
}

/// Calls itself until the stack ends.
#[allow(unconditional_recursion)] // what it is for
#[inline(never)]
fn deep(depth: u64) -> u64 {
    let frame = core::hint::black_box([depth; 64]);
    deep(depth + 1) + frame[0]
}
