//! nRF52840-DK: a prompt comes in over the debug probe's serial port (115200 baud), the answer streams out.
//! The engine runs in an Embassy task, a bounded piece of work at a time, and feeds a watchdog in between.
#![no_std]
#![no_main]

mod answer;
mod serial;

use core::convert::Infallible;

use acorn_board::{model, stop};
use acorn_core::{Arena, Engine, Plan};
use acorn_firmware::{ARENA_BYTES, Error, LIMITS, Line};
use answer::answer;
use embassy_executor::Spawner;
use embassy_nrf::wdt::{self, SleepConfig, Watchdog, WatchdogHandle};
use serial::Port;
use static_cell::ConstStaticCell;

/// All the memory that the engine ever uses, of exactly the planned size.
static ARENA: ConstStaticCell<Arena<ARENA_BYTES>> = ConstStaticCell::new(Arena::new());

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let chip = embassy_nrf::init(Default::default());
    let mut config = wdt::Config::default(); // bites after a second
    config.action_during_sleep = SleepConfig::Pause; // waiting for a prompt is no fault
    let Ok((_, [mut watchdog])) = Watchdog::try_new(chip.WDT, config) else {
        defmt::panic!("the watchdog runs already, with another configuration");
    };
    let mut port = serial::open(serial::Parts {
        uarte: chip.UARTE0,
        timer: chip.TIMER0,
        events: (chip.PPI_CH0, chip.PPI_CH1, chip.PPI_GROUP0),
        rx: chip.P0_08,
        tx: chip.P0_06,
    });
    let Err(error) = serve(&mut port, &mut watchdog).await;
    serial::report(&mut port, error).await;
    stop()
}

/// Answers every line.
async fn serve(port: &mut Port, watchdog: &mut WatchdogHandle) -> Result<Infallible, Error> {
    let model = model()?; // the first slot in flash whose checksums are right
    let tokenizer = model.tokenizer().ok_or(Error::NoTokenizer)?;
    let plan = Plan::new(&model, &LIMITS)?;
    let mut engine = Engine::new(&model, &plan, ARENA.take())?;
    let mut line = Line::new();
    loop {
        serial::print(port, "> ").await;
        let prompt = serial::read_line(port, &mut line).await;
        let result = match prompt {
            Ok(prompt) => answer(&mut engine, tokenizer, prompt, port, watchdog).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => serial::print(port, "\r\n").await,
            Err(error) => serial::report(port, error).await, // the next prompt may be fine
        }
    }
}
