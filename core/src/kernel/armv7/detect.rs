//! Whether this processor has NEON. A 32-bit Arm processor lets only the operating system ask, and the
//! standard library's question is not stable there, so the C library below it is asked.

/// Whether NEON can be used.
#[cfg(any(
    target_os = "android",
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl"))
))]
pub(super) fn neon() -> bool {
    // What links the C library.
    extern crate std;
    // SAFETY: that is its signature, and any number may be asked for.
    unsafe extern "C" {
        /// A value that the kernel gave this program at its start; 0 if it gave none of that kind
        /// (getauxval(3)). Numbers are `unsigned long`, 32 bits here.
        safe fn getauxval(kind: usize) -> usize;
    }
    /// What the processor has (Linux's include/uapi/linux/auxvec.h).
    const AT_HWCAP: usize = 16;
    /// Of it, NEON (Linux's arch/arm/include/uapi/asm/hwcap.h).
    const HWCAP_NEON: usize = 1 << 12;
    getauxval(AT_HWCAP) & HWCAP_NEON != 0
}

/// Nobody to ask.
#[cfg(not(any(
    target_os = "android",
    all(target_os = "linux", any(target_env = "gnu", target_env = "musl"))
)))]
pub(super) fn neon() -> bool {
    false
}
