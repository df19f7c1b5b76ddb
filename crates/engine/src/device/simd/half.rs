//! Half-precision floats, one at a time: for loading and for processors without the instructions.

/// Widens an IEEE 754 half.
pub(in crate::device) fn widen_half(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let exponent = u32::from(bits >> 10 & 0x1f);
    let fraction = u32::from(bits & 0x3ff);
    match (exponent, fraction) {
        (0, 0) => f32::from_bits(sign),
        (0, _) => {
            // Subnormal: fraction × 2⁻²⁴, exact in f32.
            let magnitude = fraction as f32 * f32::from_bits(0x3380_0000);
            f32::from_bits(magnitude.to_bits() | sign)
        }
        (31, _) => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

/// Rounds to the nearest IEEE 754 half, ties to even; too large becomes infinite.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the halves of the bit patterns are masked or known small"
)]
pub(in crate::device) fn narrow_half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    if magnitude >= 0x4780_0000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // Subnormal: adding 0.5 puts the rounding where the half's last bit is.
        let shifted = f32::from_bits(magnitude) + 0.5;
        return sign | (shifted.to_bits() & 0x7ff) as u16;
    }
    let odd = magnitude >> 13 & 1;
    let rounded = magnitude - (112 << 23) + 0xfff + odd;
    sign | (rounded >> 13) as u16
}

/// Widens a bfloat16.
pub(in crate::device) fn widen_bfloat(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}
