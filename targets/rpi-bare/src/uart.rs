//! The serial port at pins 8 (sends) and 10 (receives) of the header, GPIO 14 and 15: 115200 baud, 8 bits, no
//! parity. It is the chip's PL011 (Arm DDI 0183), not its mini UART, whose speed changes with the core's.
#![allow(unsafe_code)]

use core::fmt;
use core::hint::spin_loop;
use core::ptr::with_exposed_provenance_mut;

use crate::clock::wait;

/// The pins' registers, as words: function, pull-up or -down.
const GPIO: *mut u32 = with_exposed_provenance_mut(0x3F20_0000);
const GPFSEL1: usize = 1;
const GPPUD: usize = 37;
const GPPUDCLK0: usize = 38;

/// The port's registers, as words.
const PL011: *mut u32 = with_exposed_provenance_mut(0x3F20_1000);
const DR: usize = 0;
const FR: usize = 6;
const IBRD: usize = 9;
const FBRD: usize = 10;
const LCRH: usize = 11;
const CR: usize = 12;
const IMSC: usize = 14;
const ICR: usize = 17;

/// In DR: the byte has an error of framing, parity, a break, or one before it was lost.
const WRONG: u32 = 0xF00;

/// In FR: it is sending; nothing was received; there is no room to send.
const BUSY: u32 = 1 << 3;
const EMPTY: u32 = 1 << 4;
const FULL: u32 = 1 << 5;

/// What the firmware sets the port's clock to (`init_uart_clock`), and the speed in 64ths of its divisor.
const HZ: u32 = 48_000_000;
const DIVISOR: u32 = (HZ * 4 + 115_200 / 2) / 115_200;

/// The port.
#[derive(Debug)]
pub struct Uart(());

/// What came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    /// A byte.
    Right(u8),
    /// A byte that is wrong, or that others were lost before.
    Lost,
}

impl Uart {
    /// Sets the pins and the port up.
    pub fn start() -> Self {
        let function = (read(GPIO, GPFSEL1) & !(0o77 << 12)) | 0o44 << 12; // both are the PL011's
        write(GPIO, GPFSEL1, function);
        write(GPIO, GPPUD, 0); // no pull: BCM2835 ARM Peripherals, page 101, says how
        wait(1);
        write(GPIO, GPPUDCLK0, 0b11 << 14);
        wait(1);
        write(GPIO, GPPUDCLK0, 0);

        write(PL011, CR, 0);
        write(PL011, IMSC, 0); // no interrupts
        write(PL011, ICR, 0x7FF);
        write(PL011, IBRD, DIVISOR / 64);
        write(PL011, FBRD, DIVISOR % 64);
        write(PL011, LCRH, 0b111 << 4); // 8 bits, queues
        write(PL011, CR, 0b11 << 8 | 1);
        Self(())
    }

    /// The port as it is, for what has to be said after a fault.
    pub(crate) fn after_fault() -> Self {
        Self(())
    }

    /// Waits for what comes in. The queue holds 16 bytes: what comes in beyond that while nobody waits is lost.
    pub fn read(&mut self) -> Byte {
        while read(PL011, FR) & EMPTY != 0 {
            spin_loop();
        }
        let data = read(PL011, DR);
        if data & WRONG == 0 { Byte::Right(data as u8) } else { Byte::Lost }
    }

    /// Sends text, each end of a line as carriage return and line feed.
    pub fn print(&mut self, text: &str) {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.send(b'\r');
            }
            self.send(byte);
        }
    }

    /// Waits until all is sent.
    pub fn flush(&mut self) {
        while read(PL011, FR) & BUSY != 0 {
            spin_loop();
        }
    }

    fn send(&mut self, byte: u8) {
        while read(PL011, FR) & FULL != 0 {
            spin_loop();
        }
        write(PL011, DR, byte.into());
    }
}

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.print(text);
        Ok(())
    }
}

fn read(device: *mut u32, register: usize) -> u32 {
    // SAFETY: a register of a device that this board has, which the map has as such.
    unsafe { device.wrapping_add(register).read_volatile() }
}

fn write(device: *mut u32, register: usize, value: u32) {
    // SAFETY: as above; it changes no memory.
    unsafe { device.wrapping_add(register).write_volatile(value) }
}
