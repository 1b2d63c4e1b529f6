//! Signatures: WebAssembly function types and runtime entries as Cranelift sees them.
//!
//! `selkie_module::abi` states where each value lives; Cranelift's `tail` convention places them
//! so. This file only spells the types out.

use cranelift_codegen::ir::{AbiParam, ArgumentPurpose, Signature, Type, types};
use cranelift_codegen::isa::CallConv;
use selkie_module::abi::uses_result_area;
use selkie_module::builtins::{Builtin, BuiltinType, StackSwitch};
use selkie_module::{FuncType, ValType};

/// Pointers and references.
pub(crate) const POINTER: Type = types::I64;

/// The type that all vectors have at block borders, in locals and in calls.
pub(crate) const VECTOR: Type = types::I8X16;

/// The machine type of a value.
pub(crate) fn value_type(ty: ValType) -> Type {
    match ty {
        ValType::I32 => types::I32,
        ValType::I64 => types::I64,
        ValType::F32 => types::F32,
        ValType::F64 => types::F64,
        ValType::V128 => VECTOR,
        ValType::Ref(_) => POINTER,
    }
}

/// The signature of a function: the context, the result area where there is one, the parameters.
pub(crate) fn signature(ty: &FuncType) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    let has_area = uses_result_area(&ty.results);
    signature.params.reserve_exact(1 + usize::from(has_area) + ty.params.len());
    signature.params.push(AbiParam::special(POINTER, ArgumentPurpose::VMContext));
    if has_area {
        signature.params.push(AbiParam::new(POINTER));
    }
    signature.params.extend(ty.params.iter().map(|ty| AbiParam::new(value_type(*ty))));
    if !has_area {
        signature.returns.extend(ty.results.iter().map(|ty| AbiParam::new(value_type(*ty))));
    }
    signature
}

/// The signature of a way between stacks: all arguments are addresses, references or 64-bit
/// numbers.
pub(crate) fn switch_signature(way: StackSwitch, results: &[ValType]) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params.push(AbiParam::special(POINTER, ArgumentPurpose::VMContext));
    signature.params.extend((0..way.params()).map(|_| AbiParam::new(POINTER)));
    if uses_result_area(results) {
        signature.returns.push(AbiParam::new(POINTER));
    } else {
        signature.returns.extend(results.iter().map(|ty| AbiParam::new(value_type(*ty))));
    }
    signature
}

/// The signature of a runtime entry's stub.
pub(crate) fn builtin_signature(entry: Builtin) -> Signature {
    let machine = |ty: &BuiltinType| match ty {
        BuiltinType::I32 => AbiParam::new(types::I32),
        BuiltinType::I64 => AbiParam::new(types::I64),
        BuiltinType::Ptr | BuiltinType::Ref => AbiParam::new(POINTER),
    };
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.push(AbiParam::special(POINTER, ArgumentPurpose::VMContext));
    signature.params.extend(entry.params().iter().map(machine));
    signature.returns.extend(entry.result().iter().map(machine));
    signature
}

/// The signature of the stub of `interrupted`, which keeps every register: the context and the
/// store's.
pub(crate) fn interrupted_signature() -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params.push(AbiParam::special(POINTER, ArgumentPurpose::VMContext));
    signature.params.push(AbiParam::new(POINTER));
    signature
}
