//! `I31`: integers that are references.

/// An integer of 31 bits, which a reference can hold in itself (spec: exec/values, unboxed scalars).
///
/// ```
/// use selkie_engine::I31;
/// assert_eq!(I31::new_i32(-1).map(I31::get_u32), Some(0x7fff_ffff));
/// assert_eq!(I31::new_i32(1 << 30), None);
/// assert_eq!(I31::wrapping_u32(u32::MAX).get_i32(), -1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct I31(u32);

impl I31 {
    /// The unsigned integer, below 2³¹.
    pub fn new_u32(value: u32) -> Option<I31> {
        let wrapped = I31::wrapping_u32(value);
        (wrapped.get_u32() == value).then_some(wrapped)
    }

    /// The signed integer, from -2³⁰ up to and without 2³⁰.
    pub fn new_i32(value: i32) -> Option<I31> {
        let wrapped = I31::wrapping_i32(value);
        (wrapped.get_i32() == value).then_some(wrapped)
    }

    /// The low 31 bits of an unsigned integer.
    pub fn wrapping_u32(value: u32) -> I31 {
        I31(value & (u32::MAX >> 1))
    }

    /// The low 31 bits of a signed integer.
    pub fn wrapping_i32(value: i32) -> I31 {
        I31::wrapping_u32(value as u32)
    }

    /// Its value as an unsigned integer.
    pub fn get_u32(self) -> u32 {
        self.0
    }

    /// Its value as a signed integer.
    pub fn get_i32(self) -> i32 {
        (self.0 << 1) as i32 >> 1
    }

    /// As a reference holds it.
    pub(crate) fn to_raw(self) -> u64 {
        u64::from(self.0 << 1 | selkie_module::heap::I31_TAG)
    }

    /// From a reference that is one.
    pub(crate) fn from_raw(raw: u64) -> I31 {
        I31(raw as u32 >> 1)
    }
}

impl std::fmt::Debug for I31 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "I31({})", self.get_i32())
    }
}
