//! NUCLEO-H743ZI2: a prompt comes in over the ST-LINK's serial port (115200 baud), the answer streams out.
#![no_std]
#![no_main]

mod clocks;

use core::convert::Infallible;

use acorn_board::{model, print, read_line, report};
use acorn_core::{Arena, Engine, Plan};
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, Line, answer};
use cortex_m::Peripherals;
use cortex_m_rt::entry;
use embassy_stm32::bind_interrupts;
use embassy_stm32::peripherals::USART3;
use embassy_stm32::usart::{BufferedInterruptHandler, BufferedUart, Config};
use static_cell::ConstStaticCell;

bind_interrupts!(struct Interrupts { USART3 => BufferedInterruptHandler<USART3>; });

/// All the memory that the engine ever uses, of exactly the planned size.
static ARENA: ConstStaticCell<Arena<ARENA_BYTES>> = ConstStaticCell::new(Arena::new());

/// What arrives while the engine computes, and what is to be sent.
static BUFFERS: ConstStaticCell<[[u8; 256]; 2]> = ConstStaticCell::new([[0; 256]; 2]);

#[entry]
fn main() -> ! {
    if let Some(mut core) = Peripherals::take() {
        core.SCB.enable_icache();
        core.SCB.enable_dcache(&mut core.CPUID); // the weights are read from flash
    }
    let chip = embassy_stm32::init(clocks::fastest());
    let [tx, rx] = BUFFERS.take();
    let (pin_rx, pin_tx, config) = (chip.PD9, chip.PD8, Config::default());
    match BufferedUart::new(chip.USART3, pin_rx, pin_tx, tx, rx, Interrupts, config) {
        Ok(mut port) => acorn_board::run(&mut port, serve),
        Err(_) => defmt::panic!("USART3 cannot do 115200 baud with these clocks"),
    }
}

/// Answers every line.
fn serve(port: &mut BufferedUart<'static>) -> Result<Infallible, Error> {
    let model = model()?; // the first slot in flash whose checksums are right
    let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
    let plan = Plan::new(&model, &LIMITS)?;
    let mut engine = Engine::new(&model, &plan, ARENA.take())?;
    defmt::info!("kernel {}, arena {} bytes", engine.kernel(), ARENA_BYTES);

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
