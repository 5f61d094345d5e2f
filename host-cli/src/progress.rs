//! How long work tells how far it is.

use indicatif::{ProgressBar, ProgressStyle};

/// Told of the advance of some work, measured in bytes.
pub trait Progress: Sync {
    /// A new stretch of work begins: `total` bytes.
    fn start(&self, what: &'static str, total: u64);

    /// `bytes` more are done.
    fn advance(&self, bytes: u64);

    /// The stretch is done.
    fn finish(&self);
}

/// Says nothing.
impl Progress for () {
    fn start(&self, _: &'static str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
}

/// A bar on standard error, if that is a terminal.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Default for Bar {
    fn default() -> Self {
        let style = ProgressStyle::with_template(
            "{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {eta}",
        );
        let bar = ProgressBar::new(0);
        Self(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())))
    }
}

impl Progress for Bar {
    fn start(&self, what: &'static str, total: u64) {
        self.0.reset();
        self.0.set_length(total);
        self.0.set_message(what);
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}
