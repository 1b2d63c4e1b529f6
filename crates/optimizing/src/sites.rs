//! From Cranelift's records to sites: what can trap, where calls return to, what must be patched.

use cranelift_codegen::binemit;
use cranelift_codegen::ir::function::FunctionParameters;
use cranelift_codegen::ir::{self, ExternalName};
use cranelift_codegen::{
    CompiledCode, FinalizedMachExceptionHandler, FinalizedMachReloc, FinalizedRelocTarget,
};
use selkie_compile::CompileError;
use selkie_compile::driver::{Reloc, RelocKind, Site};
use selkie_module::frames::{Landing, StackMap};
use selkie_module::{DefinedFuncIndex, TrapCode};

/// A trap code as Cranelift carries it: our number.
pub(crate) fn code(trap: TrapCode) -> ir::TrapCode {
    ir::TrapCode::unwrap_user(trap as u8)
}

/// The number of our trap code, for codes of ours and for those Cranelift makes itself.
fn number(code: ir::TrapCode) -> u8 {
    let ours = match code {
        ir::TrapCode::STACK_OVERFLOW => TrapCode::StackOverflow,
        ir::TrapCode::HEAP_OUT_OF_BOUNDS => TrapCode::MemoryOutOfBounds,
        ir::TrapCode::INTEGER_OVERFLOW => TrapCode::IntegerOverflow,
        ir::TrapCode::INTEGER_DIVISION_BY_ZERO => TrapCode::IntegerDivideByZero,
        ir::TrapCode::BAD_CONVERSION_TO_INTEGER => TrapCode::InvalidConversionToInteger,
        other => return other.as_raw().get(),
    };
    ours as u8
}

/// The sites of a function, ascending. Where the instruction behind a call traps, both share an
/// offset.
pub(crate) fn sites(compiled: &CompiledCode) -> Vec<Site> {
    let buffer = &compiled.buffer;
    let mut sites = Vec::with_capacity(buffer.traps().len() + buffer.call_sites().count());
    sites.extend(buffer.traps().iter().map(|trap| Site {
        offset: trap.offset,
        trap: number(trap.code),
        position: position_at(compiled, trap.offset),
    }));
    sites.extend(buffer.call_sites().map(|call| Site {
        offset: call.ret_addr,
        trap: 0,
        position: position_at(compiled, call.ret_addr - 1),
    }));
    sites.sort_unstable_by_key(|site| (site.offset, u8::MAX - site.trap));
    sites
}

/// Where frames keep references, ascending by return address.
pub(crate) fn stack_maps(compiled: &CompiledCode) -> Vec<StackMap> {
    let maps = compiled.buffer.user_stack_maps().iter();
    let mut maps: Vec<StackMap> = maps
        .map(|(offset, frame_bytes, map)| {
            let mut slots: Vec<u32> = map.entries().map(|(_, at)| frame_bytes - at).collect();
            slots.sort_unstable();
            StackMap { offset: *offset, slots: slots.into() }
        })
        .filter(|map| !map.slots.is_empty())
        .collect();
    maps.sort_unstable_by_key(|map| map.offset);
    maps
}

/// Where exceptions go on, ascending by return address.
pub(crate) fn landings(compiled: &CompiledCode) -> Vec<Landing> {
    let mut landings: Vec<Landing> = compiled
        .buffer
        .call_sites()
        .filter_map(|call| {
            let pad = call.exception_handlers.iter().find_map(|handler| match handler {
                FinalizedMachExceptionHandler::Default(pad) => Some(*pad),
                _ => None,
            })?;
            Some(Landing { offset: call.ret_addr, pad, stack_bytes: call.frame_offset? })
        })
        .collect();
    landings.sort_unstable_by_key(|landing| landing.offset);
    landings
}

/// The position of the instruction that covers an offset. An instruction that Cranelift made anew
/// has none; it may have taken in a load, and then stands for the place before it. 0 where the
/// walk gave nothing so far.
fn position_at(compiled: &CompiledCode, offset: u32) -> u32 {
    let ranges = compiled.buffer.get_srclocs_sorted();
    let after = ranges.partition_point(|range| range.start <= offset);
    let known = ranges[..after].iter().rev().find(|range| !range.loc.is_default());
    known.map_or(0, |range| range.loc.bits())
}

/// The calls between functions of the module.
pub(crate) fn relocs(
    compiled: &CompiledCode,
    params: &FunctionParameters,
) -> Result<Vec<Reloc>, CompileError> {
    compiled.buffer.relocs().iter().map(|reloc| reloc_of(reloc, params)).collect()
}

fn reloc_of(
    reloc: &FinalizedMachReloc,
    params: &FunctionParameters,
) -> Result<Reloc, CompileError> {
    match (&reloc.target, reloc.kind, reloc.addend) {
        (
            FinalizedRelocTarget::ExternalName(ExternalName::User(name)),
            binemit::Reloc::X86CallPCRel4,
            -4,
        ) => Ok(Reloc {
            offset: reloc.offset,
            kind: RelocKind::Call32,
            target: DefinedFuncIndex(params.user_named_funcs()[*name].index),
        }),
        (FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)), ..) => {
            Err(CompileError::Unsupported(format!("this processor has no instruction for {call}")))
        }
        _ => Err(CompileError::Bug(format!("an unexpected reference in code: {reloc:?}"))),
    }
}
