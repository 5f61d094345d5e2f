//! Raspberry Pi Pico 2: a prompt comes in over UART 0 (GP0 sends, GP1 receives, 115200 baud), the answer
//! streams out. Both cores share the rows.
#![no_std]
#![no_main]

use core::convert::Infallible;

use acorn_board::{model, print, read_line, report};
use acorn_core::{Arena, Engine, Limits, Plan};
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, Line, Pool, SECOND_CORE_BYTES, answer};
use cortex_m::asm;
use cortex_m_rt::entry;
use embassy_rp::bind_interrupts;
use embassy_rp::multicore::{Stack, spawn_core1};
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{BufferedInterruptHandler, BufferedUart, Config};
use static_cell::ConstStaticCell;

bind_interrupts!(struct Interrupts { UART0_IRQ => BufferedInterruptHandler<UART0>; });

/// All the memory that the engine ever uses, of exactly the planned size.
static ARENA: ConstStaticCell<Arena<ARENA_FOR_TWO>> = ConstStaticCell::new(Arena::new());
const ARENA_FOR_TWO: usize = ARENA_BYTES + SECOND_CORE_BYTES;
/// What arrives while the engine computes, and what is to be sent.
static BUFFERS: ConstStaticCell<[[u8; 256]; 2]> = ConstStaticCell::new([[0; 256]; 2]);
/// Where core 1 finds work; it sleeps when there is none.
static CORES: Pool = Pool::new(|| {
    asm::dsb(); // so that core 1 sees what it is woken for
    asm::sev();
});
static CORE_1: ConstStaticCell<Stack<8192>> = ConstStaticCell::new(Stack::new());

#[entry]
fn main() -> ! {
    let chip = embassy_rp::init(Default::default()); // 150 MHz
    spawn_core1(chip.CORE1, CORE_1.take(), || CORES.help_for_good(asm::wfe));
    let ([tx, rx], pins) = (BUFFERS.take(), (chip.PIN_0, chip.PIN_1));
    let config = Config::default();
    let mut port = BufferedUart::new(chip.UART0, pins.0, pins.1, Interrupts, tx, rx, config);
    acorn_board::run(&mut port, serve)
}

/// Answers every line.
fn serve(port: &mut BufferedUart) -> Result<Infallible, Error> {
    let model = model()?; // the first slot in flash whose checksums are right
    let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
    let plan = Plan::new(&model, &Limits { workers: 2, ..LIMITS })?;
    let mut engine = Engine::new(&model, &plan, ARENA.take())?.with_workers(&CORES);
    defmt::info!("kernel {}, arena {} bytes", engine.kernel(), ARENA_FOR_TWO);

    let mut line = Line::new();
    loop {
        print(port, "> ");
        let result = read_line(port, &mut line).and_then(|prompt| {
            answer(&mut engine, tokenizer, prompt, &mut |text| print(port, text))
        });
        match result {
            Ok(()) => print(port, "\r\n"),
            Err(error) => report(port, error), // the next prompt may be fine
        }
    }
}
