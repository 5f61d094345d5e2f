//! What this processor has. AArch64 lets only the operating system ask, so here (as for 32-bit Arm)
//! the core uses the standard library, and only with the feature `std`; without it the target's own
//! features count.

#[cfg(feature = "std")]
extern crate std;

/// Whether the processor has a feature of this name.
macro_rules! detected {
    ($feature:tt) => {{
        #[cfg(feature = "std")]
        let found = std::arch::is_aarch64_feature_detected!($feature);
        #[cfg(not(feature = "std"))]
        let found = cfg!(target_feature = $feature);
        found
    }};
}

/// Whether SDOT can be used.
pub(super) fn dotprod() -> bool {
    detected!("dotprod")
}

/// Whether SMMLA can be used.
pub(super) fn i8mm() -> bool {
    detected!("i8mm")
}
