//! The float edge of sums in lanes.

/// Four sums in a register, by the bfloat16 scales at `$rows` and the token's in `$token`. These two steps may meet
/// the smallest floats, which vectors flush: so they are not steps of vectors.
macro_rules! rescale_lanes {
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
            rescale_lanes!(@rows $lanes, $token),
        )
    };
    (@rows ($a:literal, $b:literal, $c:literal, $d:literal), $token:literal) => {
        concat!(
            rescale_lanes!(@row "s4", $a, $token),
            rescale_lanes!(@row "s5", $b, $token),
            rescale_lanes!(@row "s6", $c, $token),
            rescale_lanes!(@row "s7", $d, $token),
        )
    };
    (@row $row:literal, $sum:literal, $token:literal) => {
        concat!(
            "vmul.f32 ", $row, ", ", $row, ", ", $token, "\n",
            "vmul.f32 ", $sum, ", ", $sum, ", ", $row, "\n",
        )
    };
}
