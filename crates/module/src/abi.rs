//! The calling convention of WebAssembly code: where each argument and result lives.
//!
//! One fact, used by three: the optimizing tier reaches it through Cranelift's `tail` convention
//! (whose placement this file mirrors; tests compare them), a single-pass tier emits it itself,
//! and the runtime reads and writes it at the border to the host.
//!
//! Every function takes its context pointer as the first integer argument. Results that do not
//! fit into registers are *all* written to an area that the caller provides, 16 bytes each, whose
//! address is then the second integer argument. The callee pops the stack arguments.

use crate::types::{FuncType, ValType};

/// Register classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegClass {
    /// Integers, pointers and references.
    Int,
    /// Floats and vectors.
    Float,
}

impl RegClass {
    /// The class a value travels in.
    #[inline]
    pub const fn of(ty: ValType) -> RegClass {
        match ty {
            ValType::F32 | ValType::F64 | ValType::V128 => RegClass::Float,
            ValType::I32 | ValType::I64 | ValType::Ref(_) => RegClass::Int,
        }
    }
}

/// Integer argument registers: x86-64 rdi, rsi, rdx, rcx, r8, r9.
pub const INT_ARGS: u32 = 6;
/// Float argument registers: x86-64 xmm0–xmm7.
pub const FLOAT_ARGS: u32 = 8;
/// Integer result registers: x86-64 rax, rcx, rdx, rsi, rdi, r8, r9, r10.
pub const INT_RESULTS: u32 = 8;
/// Float result registers: x86-64 xmm0–xmm7.
pub const FLOAT_RESULTS: u32 = 8;
/// Bytes of a slot in the result area.
pub const RESULT_SLOT_BYTES: u32 = 16;

/// Where a value lives at the moment of the call, or of the return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loc {
    /// The n-th integer register of its list.
    Int(u32),
    /// The n-th float register of its list.
    Float(u32),
    /// Bytes above the stack arguments' start (arguments), or into the result area (results).
    Memory(u32),
}

/// Hands out argument places in order. Used step by step by typed host calls, whose types are
/// known to the Rust compiler, and by [`FuncAbi`] for all others.
#[derive(Clone, Copy, Debug)]
pub struct ArgCursor {
    int: u32,
    float: u32,
    stack_bytes: u32,
}

impl ArgCursor {
    /// The first wasm argument comes after the context, and after the result area's address
    /// where there is one.
    pub const fn new(has_result_area: bool) -> ArgCursor {
        ArgCursor { int: 1 + has_result_area as u32, float: 0, stack_bytes: 0 }
    }

    /// The place of the next argument.
    #[inline]
    pub fn next(&mut self, class: RegClass, is_v128: bool) -> Loc {
        match class {
            RegClass::Int if self.int < INT_ARGS => {
                self.int += 1;
                Loc::Int(self.int - 1)
            }
            RegClass::Float if self.float < FLOAT_ARGS => {
                self.float += 1;
                Loc::Float(self.float - 1)
            }
            _ => {
                let size = if is_v128 { 16 } else { 8 };
                let at = self.stack_bytes.next_multiple_of(size);
                self.stack_bytes = at + size;
                Loc::Memory(at)
            }
        }
    }

    /// Bytes of stack arguments so far, with the convention's alignment.
    #[inline]
    pub fn stack_bytes(&self) -> u32 {
        self.stack_bytes.next_multiple_of(16)
    }
}

/// Whether these results travel through memory instead of registers.
pub fn uses_result_area(results: &[ValType]) -> bool {
    let ints = results.iter().filter(|t| RegClass::of(**t) == RegClass::Int).count();
    ints > INT_RESULTS as usize || results.len() - ints > FLOAT_RESULTS as usize
}

/// All places of one function type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuncAbi {
    /// One place for each parameter.
    pub params: Box<[Loc]>,
    /// One place for each result.
    pub results: Box<[Loc]>,
    /// Bytes of stack arguments, a multiple of 16.
    pub stack_bytes: u32,
    /// Bytes of the result area; 0 when results are in registers.
    pub result_area_bytes: u32,
}

impl FuncAbi {
    /// The places for a function type.
    pub fn new(ty: &FuncType) -> FuncAbi {
        let in_area = uses_result_area(&ty.results);
        let mut cursor = ArgCursor::new(in_area);
        let params =
            ty.params.iter().map(|t| cursor.next(RegClass::of(*t), *t == ValType::V128)).collect();
        let (mut int, mut float) = (0, 0);
        let results = ty.results.iter().enumerate().map(|(i, t)| {
            if in_area {
                return Loc::Memory(i as u32 * RESULT_SLOT_BYTES);
            }
            match RegClass::of(*t) {
                RegClass::Int => {
                    int += 1;
                    Loc::Int(int - 1)
                }
                RegClass::Float => {
                    float += 1;
                    Loc::Float(float - 1)
                }
            }
        });
        FuncAbi {
            params,
            results: results.collect(),
            stack_bytes: cursor.stack_bytes(),
            result_area_bytes: if in_area {
                ty.results.len() as u32 * RESULT_SLOT_BYTES
            } else {
                0
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_integer_argument_goes_to_the_stack() {
        let ty = FuncType { params: [ValType::I64; 6].into(), results: [].into() };
        let abi = FuncAbi::new(&ty);
        assert_eq!(abi.params[0], Loc::Int(1));
        assert_eq!(abi.params[5], Loc::Memory(0));
        assert_eq!(abi.stack_bytes, 16);
    }

    #[test]
    fn vectors_on_the_stack_are_aligned() {
        let mut params = vec![ValType::F64; 9];
        params.push(ValType::V128);
        let abi = FuncAbi::new(&FuncType { params: params.into(), results: [].into() });
        assert_eq!(abi.params[8], Loc::Memory(0));
        assert_eq!(abi.params[9], Loc::Memory(16));
        assert_eq!(abi.stack_bytes, 32);
    }

    #[test]
    fn nine_integer_results_use_the_area_and_shift_the_arguments() {
        let ty = FuncType { params: [ValType::I32].into(), results: [ValType::I32; 9].into() };
        let abi = FuncAbi::new(&ty);
        assert_eq!(abi.params[0], Loc::Int(2));
        assert_eq!(abi.results[8], Loc::Memory(128));
        assert_eq!(abi.result_area_bytes, 144);
    }
}
