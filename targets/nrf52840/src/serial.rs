//! The serial port of an Embassy task.

use core::fmt::Write;

use acorn_firmware::{Error, Line};
use defmt::Display2Format;
use embassy_nrf::buffered_uarte::{BufferedUarte, InterruptHandler};
use embassy_nrf::peripherals::{P0_06, P0_08, PPI_CH0, PPI_CH1, PPI_GROUP0, TIMER0, UARTE0};
use embassy_nrf::{Peri, bind_interrupts, uarte};
use static_cell::ConstStaticCell;

bind_interrupts!(struct Interrupts { UARTE0 => InterruptHandler<UARTE0>; });

/// UARTE 0, buffered both ways.
pub(crate) type Port = BufferedUarte<'static>;

/// Text on its way to the port.
pub(crate) type Text = heapless::String<256>;

/// What arrives while the engine computes, and what is to be sent.
static BUFFERS: ConstStaticCell<[[u8; 256]; 2]> = ConstStaticCell::new([[0; 256]; 2]);

/// The peripherals that the port takes: it counts what arrives by a timer, and is wired to the development
/// kit's debug probe.
pub(crate) struct Parts {
    pub(crate) uarte: Peri<'static, UARTE0>,
    pub(crate) timer: Peri<'static, TIMER0>,
    pub(crate) events: (Peri<'static, PPI_CH0>, Peri<'static, PPI_CH1>, Peri<'static, PPI_GROUP0>),
    pub(crate) rx: Peri<'static, P0_08>,
    pub(crate) tx: Peri<'static, P0_06>,
}

/// 115200 baud, 8 bits, no parity.
pub(crate) fn open(parts: Parts) -> Port {
    let [rx_buffer, tx_buffer] = BUFFERS.take();
    let (channel_0, channel_1, group) = parts.events;
    BufferedUarte::new(
        parts.uarte,
        parts.timer,
        channel_0,
        channel_1,
        group,
        parts.rx,
        parts.tx,
        Interrupts,
        uarte::Config::default(),
        rx_buffer,
        tx_buffer,
    )
}

/// Waits for a line that is not empty.
///
/// # Errors
/// It is too long, or not UTF-8, or bytes were lost. The next one may be fine.
pub(crate) async fn read_line<'a>(port: &mut Port, line: &'a mut Line) -> Result<&'a str, Error> {
    let mut byte = [0];
    loop {
        match port.read(&mut byte).await {
            Ok(_) if line.push(byte[0]) => return line.text(),
            Ok(_) => {}
            Err(_) => {
                line.clear();
                return Err(Error::Serial);
            }
        }
    }
}

/// Sends text, and waits until it is out.
pub(crate) async fn print(port: &mut Port, text: &str) {
    let mut bytes = text.as_bytes();
    while !bytes.is_empty() {
        let Ok(sent) = port.write(bytes).await else { return defmt::warn!("cannot send") };
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    if port.flush().await.is_err() {
        defmt::warn!("cannot send");
    }
}

/// Adds a part to a text, and says so in the log if there is no room.
pub(crate) fn append(text: &mut Text, part: &str) {
    if text.push_str(part).is_err() {
        defmt::warn!("a token's text of more than {} bytes is cut", text.capacity());
    }
}

/// Says what is wrong, to the port and the log.
pub(crate) async fn report(port: &mut Port, error: Error) {
    defmt::error!("{}", Display2Format(&error));
    let mut text = Text::new();
    if write!(text, "error: {error}").is_err() {
        defmt::warn!("the error's text is cut");
    }
    print(port, &text).await;
    print(port, "\r\n").await;
}
