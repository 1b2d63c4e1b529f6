//! Instructions that read or write linear memory, as tables.
//!
//! Each table maps wasmparser's operator to a small description, from which the walk derives the
//! access plan and the emitter the machine access. Grammar: `Name(value type, bytes, rest);`.

use selkie_module::ValType;
use wasmparser::{MemArg, Operator};

/// How loaded bytes become a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extend {
    /// The bytes are the value.
    Whole,
    /// Sign extension.
    Signed,
    /// Zero extension.
    Unsigned,
}

/// A plain load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Load {
    /// Type of the result.
    pub ty: ValType,
    /// Bytes read.
    pub bytes: u8,
    /// How they become the result.
    pub extend: Extend,
}

/// A plain store of the low bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    /// Type of the value.
    pub ty: ValType,
    /// Bytes written.
    pub bytes: u8,
}

/// The arithmetic of an atomic read-modify-write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum RmwOp {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Xchg,
}

/// An atomic access; narrow ones zero-extend. Those that ask for less order (acquire-release
/// atomics) get all of it: what is allowed then is allowed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Atomic {
    /// Type of the operands and the result.
    pub ty: ValType,
    /// Bytes accessed.
    pub bytes: u8,
    /// What happens.
    pub kind: AtomicKind,
}

/// Kinds of atomic access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AtomicKind {
    Load,
    Store,
    Rmw(RmwOp),
    Cmpxchg,
}

macro_rules! load_table {
    ($($name:ident($ty:ident, $bytes:literal $(, $rest:ident)?);)*) => {
        /// The load an operator is, where it is one.
        #[inline]
        pub fn load(op: &Operator<'_>) -> Option<(Load, MemArg)> {
            match op {
                $(Operator::$name { memarg } => Some((Load { ty: ValType::$ty, bytes: $bytes, $(extend: Extend::$rest)? }, *memarg)),)*
                _ => None,
            }
        }
    };
}

load_table! {
    I32Load(I32, 4, Whole);
    I64Load(I64, 8, Whole);
    F32Load(F32, 4, Whole);
    F64Load(F64, 8, Whole);
    I32Load8S(I32, 1, Signed);
    I32Load8U(I32, 1, Unsigned);
    I32Load16S(I32, 2, Signed);
    I32Load16U(I32, 2, Unsigned);
    I64Load8S(I64, 1, Signed);
    I64Load8U(I64, 1, Unsigned);
    I64Load16S(I64, 2, Signed);
    I64Load16U(I64, 2, Unsigned);
    I64Load32S(I64, 4, Signed);
    I64Load32U(I64, 4, Unsigned);
    V128Load(V128, 16, Whole);
}

macro_rules! store_table {
    ($($name:ident($ty:ident, $bytes:literal $(, $rest:ident)?);)*) => {
        /// The store an operator is, where it is one.
        #[inline]
        pub fn store(op: &Operator<'_>) -> Option<(Store, MemArg)> {
            match op {
                $(Operator::$name { memarg } => Some((Store { ty: ValType::$ty, bytes: $bytes }, *memarg)),)*
                _ => None,
            }
        }
    };
}

store_table! {
    I32Store(I32, 4);
    I64Store(I64, 8);
    F32Store(F32, 4);
    F64Store(F64, 8);
    I32Store8(I32, 1);
    I32Store16(I32, 2);
    I64Store8(I64, 1);
    I64Store16(I64, 2);
    I64Store32(I64, 4);
    V128Store(V128, 16);
}

macro_rules! atomic_load_table {
    ($($name:ident($ty:ident, $bytes:literal $(, $rest:ident)?);)*) => {
        /// The atomic load an operator is, where it is one.
        #[inline]
        pub fn atomic_load(op: &Operator<'_>) -> Option<(Atomic, MemArg)> {
            match op {
                $(Operator::$name { memarg } => Some((Atomic { ty: ValType::$ty, bytes: $bytes, kind: AtomicKind::Load }, *memarg)),)*
                _ => None,
            }
        }
    };
}

atomic_load_table! {
    I32AtomicLoad(I32, 4);
    I32AtomicLoad8U(I32, 1);
    I32AtomicLoad16U(I32, 2);
    I64AtomicLoad(I64, 8);
    I64AtomicLoad8U(I64, 1);
    I64AtomicLoad16U(I64, 2);
    I64AtomicLoad32U(I64, 4);
}

macro_rules! atomic_store_table {
    ($($name:ident($ty:ident, $bytes:literal $(, $rest:ident)?);)*) => {
        /// The atomic store an operator is, where it is one.
        #[inline]
        pub fn atomic_store(op: &Operator<'_>) -> Option<(Atomic, MemArg)> {
            match op {
                $(Operator::$name { memarg } => Some((Atomic { ty: ValType::$ty, bytes: $bytes, kind: AtomicKind::Store }, *memarg)),)*
                _ => None,
            }
        }
    };
}

atomic_store_table! {
    I32AtomicStore(I32, 4);
    I32AtomicStore8(I32, 1);
    I32AtomicStore16(I32, 2);
    I64AtomicStore(I64, 8);
    I64AtomicStore8(I64, 1);
    I64AtomicStore16(I64, 2);
    I64AtomicStore32(I64, 4);
}

macro_rules! atomic_rmw_table {
    ($($name:ident($ty:ident, $bytes:literal $(, $rest:ident)?);)*) => {
        /// The read-modify-write an operator is, where it is one.
        #[inline]
        pub fn atomic_rmw(op: &Operator<'_>) -> Option<(Atomic, MemArg)> {
            match op {
                $(Operator::$name { memarg } => Some((Atomic { ty: ValType::$ty, bytes: $bytes, kind: AtomicKind::Rmw($(RmwOp::$rest)?) }, *memarg)),)*
                _ => None,
            }
        }
    };
}

atomic_rmw_table! {
    I32AtomicRmwAdd(I32, 4, Add);
    I32AtomicRmwSub(I32, 4, Sub);
    I32AtomicRmwAnd(I32, 4, And);
    I32AtomicRmwOr(I32, 4, Or);
    I32AtomicRmwXor(I32, 4, Xor);
    I32AtomicRmwXchg(I32, 4, Xchg);
    I32AtomicRmw8AddU(I32, 1, Add);
    I32AtomicRmw8SubU(I32, 1, Sub);
    I32AtomicRmw8AndU(I32, 1, And);
    I32AtomicRmw8OrU(I32, 1, Or);
    I32AtomicRmw8XorU(I32, 1, Xor);
    I32AtomicRmw8XchgU(I32, 1, Xchg);
    I32AtomicRmw16AddU(I32, 2, Add);
    I32AtomicRmw16SubU(I32, 2, Sub);
    I32AtomicRmw16AndU(I32, 2, And);
    I32AtomicRmw16OrU(I32, 2, Or);
    I32AtomicRmw16XorU(I32, 2, Xor);
    I32AtomicRmw16XchgU(I32, 2, Xchg);
    I64AtomicRmwAdd(I64, 8, Add);
    I64AtomicRmwSub(I64, 8, Sub);
    I64AtomicRmwAnd(I64, 8, And);
    I64AtomicRmwOr(I64, 8, Or);
    I64AtomicRmwXor(I64, 8, Xor);
    I64AtomicRmwXchg(I64, 8, Xchg);
    I64AtomicRmw8AddU(I64, 1, Add);
    I64AtomicRmw8SubU(I64, 1, Sub);
    I64AtomicRmw8AndU(I64, 1, And);
    I64AtomicRmw8OrU(I64, 1, Or);
    I64AtomicRmw8XorU(I64, 1, Xor);
    I64AtomicRmw8XchgU(I64, 1, Xchg);
    I64AtomicRmw16AddU(I64, 2, Add);
    I64AtomicRmw16SubU(I64, 2, Sub);
    I64AtomicRmw16AndU(I64, 2, And);
    I64AtomicRmw16OrU(I64, 2, Or);
    I64AtomicRmw16XorU(I64, 2, Xor);
    I64AtomicRmw16XchgU(I64, 2, Xchg);
    I64AtomicRmw32AddU(I64, 4, Add);
    I64AtomicRmw32SubU(I64, 4, Sub);
    I64AtomicRmw32AndU(I64, 4, And);
    I64AtomicRmw32OrU(I64, 4, Or);
    I64AtomicRmw32XorU(I64, 4, Xor);
    I64AtomicRmw32XchgU(I64, 4, Xchg);
}

macro_rules! atomic_cmpxchg_table {
    ($($name:ident($ty:ident, $bytes:literal $(, $rest:ident)?);)*) => {
        /// The compare-exchange an operator is, where it is one.
        #[inline]
        pub fn atomic_cmpxchg(op: &Operator<'_>) -> Option<(Atomic, MemArg)> {
            match op {
                $(Operator::$name { memarg } => Some((Atomic { ty: ValType::$ty, bytes: $bytes, kind: AtomicKind::Cmpxchg }, *memarg)),)*
                _ => None,
            }
        }
    };
}

atomic_cmpxchg_table! {
    I32AtomicRmwCmpxchg(I32, 4);
    I32AtomicRmw8CmpxchgU(I32, 1);
    I32AtomicRmw16CmpxchgU(I32, 2);
    I64AtomicRmwCmpxchg(I64, 8);
    I64AtomicRmw8CmpxchgU(I64, 1);
    I64AtomicRmw16CmpxchgU(I64, 2);
    I64AtomicRmw32CmpxchgU(I64, 4);
}

/// The atomic access an operator is, where it is one.
#[inline]
pub fn atomic(op: &Operator<'_>) -> Option<(Atomic, MemArg)> {
    atomic_load(op)
        .or_else(|| atomic_store(op))
        .or_else(|| atomic_rmw(op))
        .or_else(|| atomic_cmpxchg(op))
}
