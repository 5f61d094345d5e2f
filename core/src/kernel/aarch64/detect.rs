//! What this processor has. AArch64 lets only the operating system ask, so this is the one place where
//! the core uses the standard library, and only with the feature `std`; without it the target's own
//! features count.

#[cfg(feature = "std")]
extern crate std;

/// Whether SDOT can be used.
pub(super) fn dotprod() -> bool {
    #[cfg(feature = "std")]
    let found = std::arch::is_aarch64_feature_detected!("dotprod");
    #[cfg(not(feature = "std"))]
    let found = cfg!(target_feature = "dotprod");
    found
}
