//! What a symbol's name says: the heap, a panic, arithmetic in double precision.

use rustc_demangle::demangle;

/// Why a symbol is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    /// It allocates or frees memory.
    Heap,
    /// It is on the way of a panic.
    Panic,
    /// It computes in f64 by software.
    Double,
}

/// C's allocator, and what it stands on.
const C_HEAP: [&str; 9] = [
    "malloc",
    "calloc",
    "realloc",
    "free",
    "aligned_alloc",
    "memalign",
    "posix_memalign",
    "sbrk",
    "_sbrk",
];

/// The name that people know a symbol by.
pub(crate) fn readable(symbol: &str) -> String {
    format!("{:#}", demangle(symbol))
}

/// What to make of a symbol, if anything.
pub(crate) fn concern(symbol: &str) -> Option<Concern> {
    let name = readable(symbol);
    let last = name.rsplit("::").next().unwrap_or(&name);
    let rust_heap = last.starts_with("__rust_")
        && ["alloc", "realloc", "dealloc"].iter().any(|word| last.contains(word));
    let of_alloc = name.starts_with("alloc::") || name.contains("<alloc::");
    if rust_heap || of_alloc || C_HEAP.contains(&symbol) {
        return Some(Concern::Heap);
    }
    let of_core = name.starts_with("core::") || name.contains("<core::");
    let fails = name.contains("panic") || last.ends_with("_fail") || last.ends_with("_failed");
    if of_core && fails || last == "rust_begin_unwind" || symbol == "probe_can_panic" {
        return Some(Concern::Panic);
    }
    // Run-time ABI for the Arm architecture, §4.1.1: `__aeabi_d…`, and conversions into double;
    // libgcc's names for the same end in df2 or df3, or go from one type into df.
    let aeabi = symbol.strip_prefix("__aeabi_");
    let double = aeabi.is_some_and(|name| name.starts_with('d') || name.ends_with("2d"));
    let libgcc = symbol.starts_with("__")
        && (symbol.ends_with("df2") || symbol.ends_with("df3") || symbol.ends_with("idf"));
    (double || libgcc).then_some(Concern::Double)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for (symbol, expected) in [
            ("malloc", Some(Concern::Heap)),
            ("__rust_alloc", Some(Concern::Heap)),
            ("_RNvCsgvRPjKvzgkp_7___rustc12___rust_alloc", Some(Concern::Heap)),
            ("_ZN5alloc7raw_vec11finish_grow17h0123456789abcdefE", Some(Concern::Heap)),
            ("_ZN4core9panicking9panic_fmt17h0123456789abcdefE", Some(Concern::Panic)),
            ("_ZN4core6option13unwrap_failed17h0123456789abcdefE", Some(Concern::Panic)),
            ("rust_begin_unwind", Some(Concern::Panic)),
            ("probe_can_panic", Some(Concern::Panic)),
            ("__aeabi_dmul", Some(Concern::Double)),
            ("__aeabi_f2d", Some(Concern::Double)),
            ("__adddf3", Some(Concern::Double)),
            ("__floatsidf", Some(Concern::Double)),
            ("__aeabi_fmul", None),
            ("__aeabi_uidiv", None),
            ("__aeabi_memcpy", None),
            ("memcpy", None),
            ("_ZN10acorn_core5model5Model5parse17h0123456789abcdefE", None),
        ] {
            assert_eq!(concern(symbol), expected, "{symbol}");
        }
    }
}
