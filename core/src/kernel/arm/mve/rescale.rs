//! The float edge of sums in lanes.
//!
//! Vectors flush the smallest floats to zero. Where scales and what comes out are no such floats, these are the
//! scalar steps' bits; where they are, a zero comes out, and [`rescale_slowly`] does it again.
//! So the token's scale must be normal: times zero, an infinite one would be no number. It must be positive, too: the
//! search for zeros begins with it.

/// Four sums of `$ints` to `$out`, by the bfloat16 scales at `$rows` and the token's in `$token`.
macro_rules! rescale_lanes {
    ($rows:literal, $ints:literal, $out:literal, $token:literal) => {
        concat!(
            "vldrh.u32 q1, ",
            $rows,
            "\n",
            "vcvt.f32.s32 ",
            $out,
            ", ",
            $ints,
            "\n",
            "vshl.i32 q1, q1, #16\n",
            "vmul.f32 q1, q1, ",
            $token,
            "\n",
            "vmul.f32 ",
            $out,
            ", ",
            $out,
            ", q1\n",
        )
    };
}

/// To `8:` where one of these results, which have been stored, is zero; `$least` is a low register with a positive
/// float, and becomes a smaller one unless all of them are larger.
macro_rules! zero_among {
    ($out:literal, $late_out:literal, $least:literal) => {
        concat!(
            "vminnmav.f32 ",
            $least,
            ", ",
            $out,
            "\n",
            "vminnmav.f32 ",
            $least,
            ", ",
            $late_out,
            "\n",
            "cbz ",
            $least,
            ", 8f\n",
        )
    };
}

/// Four sums in a register, by the scales at `$rows` and the token's in `$token`, with steps that flush nothing.
macro_rules! rescale_slowly {
    ($rows:literal, $sums:literal, $lanes:tt, $token:literal) => {
        concat!(
            "vldrh.u32 q1, ",
            $rows,
            "\n",
            "vcvt.f32.s32 ",
            $sums,
            ", ",
            $sums,
            "\n",
            "vshl.i32 q1, q1, #16\n",
            rescale_slowly!(@rows $lanes, $token),
        )
    };
    (@rows ($a:literal, $b:literal, $c:literal, $d:literal), $token:literal) => {
        concat!(
            rescale_slowly!(@row "s4", $a, $token),
            rescale_slowly!(@row "s5", $b, $token),
            rescale_slowly!(@row "s6", $c, $token),
            rescale_slowly!(@row "s7", $d, $token),
        )
    };
    (@row $row:literal, $sum:literal, $token:literal) => {
        concat!(
            "vmul.f32 ", $row, ", ", $row, ", ", $token, "\n",
            "vmul.f32 ", $sum, ", ", $sum, ", ", $row, "\n",
        )
    };
}
