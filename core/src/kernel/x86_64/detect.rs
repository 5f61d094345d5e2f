//! What this processor and its operating system have, by CPUID and XGETBV (Intel SDM vol. 2A; AMD
//! APM vol. 3, appendix E): no standard library is needed to ask.

use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

/// XCR0's bits for the registers xmm and ymm.
const YMM: u64 = 0b110;

/// And for opmask, the upper halves of zmm0–15, and zmm16–31.
const ZMM: u64 = 0b1110_0110;

/// Whether AVX2 can be used.
pub(super) fn avx2() -> bool {
    saved(YMM) && extended().is_some_and(|(ebx, _)| ebx & (1 << 5) != 0)
}

/// Whether AVX-VNNI can be used.
pub(super) fn avxvnni() -> bool {
    let has = || __cpuid_count(7, 0).eax >= 1 && __cpuid_count(7, 1).eax & (1 << 4) != 0;
    avx2() && has()
}

/// Whether AVX-512 VNNI, VL, BW and F can be used.
pub(super) fn avx512vnni() -> bool {
    let has = |(ebx, ecx): (u32, u32)| {
        let needed = (1 << 16) | (1 << 30) | (1 << 31);
        ebx & needed == needed && ecx & (1 << 11) != 0
    };
    avx2() && saved(ZMM) && extended().is_some_and(has)
}

/// EBX and ECX of leaf 7.
fn extended() -> Option<(u32, u32)> {
    (__cpuid(0).eax >= 7).then(|| {
        let leaf = __cpuid_count(7, 0);
        (leaf.ebx, leaf.ecx)
    })
}

/// Whether the operating system saves these registers.
fn saved(registers: u64) -> bool {
    let osxsave = __cpuid(1).ecx & (1 << 27) != 0;
    // SAFETY: OSXSAVE says that XGETBV exists.
    osxsave && unsafe { xcr0() } & registers == registers
}

/// # Safety
/// The processor must have XGETBV.
#[target_feature(enable = "xsave")]
unsafe fn xcr0() -> u64 {
    // SAFETY: by this function's contract.
    unsafe { _xgetbv(0) }
}
