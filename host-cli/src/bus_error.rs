//! Mapped files that cannot be read any more: the system's signal, told in words.
//!
//! A program that touches a page of a mapped file which another has cut short, or which its disk does not give,
//! gets SIGBUS and is ended without a word. There is no way to go on: a kernel is in the middle of a band.

/// Has SIGBUS say what happened, and end the process with the exit status of failed reading.
#[cfg(unix)]
#[allow(unsafe_code)]
pub fn explain() {
    /// Only what may be called at any point of a program: write and _exit.
    extern "C" fn handler(_: libc::c_int) {
        const WHY: &[u8] =
            b"\nacorn: the model file was cut short, or its disk failed, while it was mapped \
            (SIGBUS): copy or convert it again, and replace files in use by renaming\n";
        // SAFETY: both calls are async-signal-safe; the pointer and the length are those of a static.
        unsafe {
            libc::write(libc::STDERR_FILENO, WHY.as_ptr().cast(), WHY.len());
            libc::_exit(4);
        }
    }
    let handler: extern "C" fn(libc::c_int) = handler;
    // SAFETY: the handler keeps to what signal handlers may do, and does not return.
    unsafe { libc::signal(libc::SIGBUS, handler as libc::sighandler_t) };
}

/// Does nothing: other systems have no such signal.
#[cfg(not(unix))]
pub fn explain() {}
