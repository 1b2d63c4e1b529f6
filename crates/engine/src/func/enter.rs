//! The jump into machine code, and the reading and writing of its arguments and results.
//!
//! One of six files of this crate that may use `unsafe`. Where a value lives is told by
//! `selkie_module::abi` alone; this file only follows it.

#![allow(unsafe_code)]

use super::{WasmParams, WasmResults};
use crate::backtrace::WasmBacktrace;
use crate::error::{Error, Result};
use crate::exceptions::ThrownException;
use crate::store::{StoreBox, StoreContextMut, StoreInner};
use crate::types::FuncType;
use crate::values::Val;
use selkie_module::ValType;
use selkie_module::abi::{
    ArgCursor, FLOAT_ARGS, INT_ARGS, Loc, RESULT_SLOT_BYTES, RegClass, uses_result_area,
};
use selkie_vm::{Activation, CallRegs, Ready, RegSet, Unwind, VMFuncRef};
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Stack arguments of a typed call at most: all parameters of the longest tuple, as vectors.
const STACK_SLOTS: usize = 18;

/// Writes the arguments of a call.
pub struct ArgWriter<'c> {
    cursor: ArgCursor,
    regs: &'c mut MaybeUninit<CallRegs>,
    stack: &'c mut [MaybeUninit<u128>; STACK_SLOTS],
}

impl ArgWriter<'_> {
    /// Writes the next argument.
    #[inline(always)]
    pub fn put(&mut self, ty: ValType, raw: u128) {
        let loc = self.cursor.next(RegClass::of(ty), matches!(ty, ValType::V128));
        // SAFETY: the cursor hands out register numbers below the arrays' lengths, and memory
        // places inside `STACK_SLOTS` slots, as no tuple is longer.
        unsafe {
            let regs = self.regs.as_mut_ptr();
            match loc {
                Loc::Int(i) => (*regs).ints[i as usize] = raw as u64,
                Loc::Float(i) => (*regs).floats[i as usize] = raw,
                Loc::Memory(at) => write_memory(self.stack.as_mut_ptr().cast(), at, ty, raw),
            }
        }
    }
}

/// Reads the results of a call.
pub struct ResultReader<'c> {
    regs: &'c MaybeUninit<CallRegs>,
    area: Option<&'c [u128]>,
    ints: usize,
    floats: usize,
    index: usize,
}

impl<'c> ResultReader<'c> {
    /// Of a call that has returned. Results are in the area where there is one.
    pub(super) fn new(regs: &'c MaybeUninit<CallRegs>, area: Option<&'c [u128]>) -> Self {
        ResultReader { regs, area, ints: 0, floats: 0, index: 0 }
    }

    /// Reads all results of a type.
    pub(super) fn take_all(&mut self, ty: &FuncType, to: &mut [Val], store: &mut StoreInner) {
        for (result, ty) in to.iter_mut().zip(&ty.raw().results) {
            *result = Val::from_raw(self.take(*ty), *ty, store);
        }
    }

    /// Reads the next result.
    #[inline(always)]
    pub fn take(&mut self, ty: ValType) -> u128 {
        self.index += 1;
        if let Some(area) = self.area {
            return narrow(area[self.index - 1], ty);
        }
        let regs = self.regs.as_ptr();
        match RegClass::of(ty) {
            RegClass::Int => {
                self.ints += 1;
                // SAFETY: the call wrote the registers that its type's results travel in.
                u128::from(unsafe { (*regs).ints[self.ints - 1] })
            }
            RegClass::Float => {
                self.floats += 1;
                // SAFETY: as above.
                narrow(unsafe { (*regs).floats[self.floats - 1] }, ty)
            }
        }
    }
}

/// Reads the arguments that WebAssembly passed to a host function.
pub struct ArgReader<'c> {
    cursor: ArgCursor,
    regs: &'c CallRegs,
    stack: *const u8,
}

impl<'c> ArgReader<'c> {
    /// # Safety
    /// `stack` points to the stack arguments of a call of the type that will be read.
    pub(crate) unsafe fn new(has_area: bool, regs: &'c CallRegs, stack: *const u8) -> Self {
        ArgReader { cursor: ArgCursor::new(has_area), regs, stack }
    }

    /// Reads the next argument.
    #[inline(always)]
    pub fn take(&mut self, ty: ValType) -> u128 {
        let loc = self.cursor.next(RegClass::of(ty), matches!(ty, ValType::V128));
        let raw = match loc {
            Loc::Int(i) => u128::from(self.regs.ints[i as usize]),
            Loc::Float(i) => self.regs.floats[i as usize],
            // SAFETY: by the contract of `new`.
            Loc::Memory(at) => unsafe { read_memory(self.stack, at, ty) },
        };
        narrow(raw, ty)
    }

    /// Bytes of stack arguments read so far.
    pub(crate) fn stack_bytes(&self) -> u32 {
        self.cursor.stack_bytes()
    }
}

/// Writes the results of a host function.
pub struct ResultWriter<'c> {
    regs: &'c mut CallRegs,
    area: Option<*mut u8>,
    ints: usize,
    floats: usize,
    index: usize,
}

impl<'c> ResultWriter<'c> {
    /// # Safety
    /// Where results go to memory, the second integer argument in `regs` is still the address of
    /// an area that is large enough.
    pub(crate) unsafe fn new(in_area: bool, regs: &'c mut CallRegs) -> Self {
        let area = in_area.then(|| regs.ints[1] as *mut u8);
        // SAFETY: by contract.
        unsafe { ResultWriter::to(area, regs) }
    }

    /// # Safety
    /// Where results go to memory, `area` is writable, and large enough.
    pub(crate) unsafe fn to(area: Option<*mut u8>, regs: &'c mut CallRegs) -> Self {
        ResultWriter { regs, area, ints: 0, floats: 0, index: 0 }
    }

    /// Writes all results of a type.
    ///
    /// # Errors
    /// One is of another type or of another store.
    pub(crate) fn put_all(
        &mut self,
        results: &[Val],
        ty: &FuncType,
        store: &StoreInner,
    ) -> Result<()> {
        for (value, expected) in results.iter().zip(&ty.raw().results) {
            if !value.matches(store, *expected)? {
                let message = format!("a host function returned a value not of type {expected}");
                return Err(Error::msg(message));
            }
            self.put(*expected, value.to_raw(store)?);
        }
        Ok(())
    }

    /// Writes the next result.
    #[inline(always)]
    pub fn put(&mut self, ty: ValType, raw: u128) {
        self.index += 1;
        if let Some(area) = self.area {
            let at = (self.index - 1) as u32 * RESULT_SLOT_BYTES;
            // SAFETY: by the contract of `new`.
            return unsafe { write_memory(area, at, ty, raw) };
        }
        match RegClass::of(ty) {
            RegClass::Int => {
                self.regs.ints[self.ints] = raw as u64;
                self.ints += 1;
            }
            RegClass::Float => {
                self.regs.floats[self.floats] = raw;
                self.floats += 1;
            }
        }
    }
}

/// Keeps the bytes of the type; machine code leaves the others undefined.
#[inline(always)]
fn narrow(raw: u128, ty: ValType) -> u128 {
    match ty {
        ValType::I32 | ValType::F32 => u128::from(raw as u32),
        ValType::I64 | ValType::F64 | ValType::Ref(_) => u128::from(raw as u64),
        ValType::V128 => raw,
    }
}

/// # Safety
/// The place lies in writable memory.
#[inline(always)]
unsafe fn write_memory(base: *mut u8, at: u32, ty: ValType, raw: u128) {
    // SAFETY: by contract; unaligned writes have no further condition.
    unsafe {
        let place = base.add(at as usize);
        if matches!(ty, ValType::V128) {
            place.cast::<u128>().write_unaligned(raw);
        } else {
            place.cast::<u64>().write_unaligned(raw as u64);
        }
    }
}

/// # Safety
/// The place lies in readable memory.
#[inline(always)]
unsafe fn read_memory(base: *const u8, at: u32, ty: ValType) -> u128 {
    // SAFETY: by contract; unaligned reads have no further condition.
    unsafe {
        let place = base.add(at as usize);
        if matches!(ty, ValType::V128) {
            place.cast::<u128>().read_unaligned()
        } else {
            u128::from(place.cast::<u64>().read_unaligned())
        }
    }
}

/// The bytes of stack arguments; between them lies padding that nobody wrote.
#[inline(always)]
fn first_bytes(slots: &[MaybeUninit<u128>], count: usize) -> &[MaybeUninit<u8>] {
    assert!(count <= size_of_val(slots));
    // SAFETY: the slots are this long, and a `MaybeUninit` byte may hold anything.
    unsafe { std::slice::from_raw_parts(slots.as_ptr().cast(), count) }
}

/// A store that is about to be entered, with the embedder's data: host functions, which know its
/// type, reach both through this one pointer, so it must lead to the whole.
pub(crate) struct Owner<'s> {
    pub(super) store: *mut StoreInner,
    borrow: PhantomData<&'s mut StoreInner>,
}

impl<'s> Owner<'s> {
    #[inline(always)]
    pub(crate) fn new<T>(store: &'s mut StoreContextMut<'_, T>) -> Owner<'s> {
        let contents: *mut StoreBox<T> = store.contents;
        // The store lies at the box's start.
        Owner { store: contents.cast(), borrow: PhantomData }
    }

    #[inline(always)]
    fn store(&mut self) -> &mut StoreInner {
        // SAFETY: the store is exclusively borrowed for as long as `self` lives.
        unsafe { &mut *self.store }
    }
}

/// Calls a function whose type is `P -> R`.
#[inline(always)]
pub(crate) fn call_typed<P: WasmParams, R: WasmResults>(
    owner: Owner<'_>,
    func: &VMFuncRef,
    params: P,
) -> Result<R> {
    if const { all_in_regs(P::TYPES, R::TYPES) } {
        call_in_regs(owner, func.code, func.context, params)
    } else {
        call_in_memory(owner, func.code, func.context, params)
    }
}

/// Whether arguments and result travel in registers alone, none of which is a vector's.
const fn all_in_regs(params: &[ValType], results: &[ValType]) -> bool {
    let (mut ints, mut floats, mut i) = (1, 0, 0);
    while i < params.len() {
        match RegClass::of(params[i]) {
            RegClass::Int => ints += 1,
            RegClass::Float => floats += 1,
        }
        if matches!(params[i], ValType::V128) {
            return false;
        }
        i += 1;
    }
    let is_one = matches!(results, [] | [ValType::I32 | ValType::I64 | ValType::Ref(_)])
        || matches!(results, [ValType::F32 | ValType::F64]);
    is_one && ints <= INT_ARGS && floats <= FLOAT_ARGS
}

#[inline(always)]
fn call_in_regs<P: WasmParams, R: WasmResults>(
    mut owner: Owner<'_>,
    code: *const u8,
    context: *mut u8,
    params: P,
) -> Result<R> {
    let store = owner.store;
    // SAFETY: the store is exclusively borrowed for the whole call.
    let Some(ready) = (unsafe { Ready::new(&raw mut (*store).runtime) }) else {
        return call_unprepared(owner, code, context, params);
    };
    let mut regs = MaybeUninit::<CallRegs>::uninit();
    let mut stack = [const { MaybeUninit::<u128>::uninit() }; STACK_SLOTS];
    let area = std::ptr::null_mut();
    write_typed::<P, R>(&mut owner, context, params, &mut regs, &mut stack, area)?;
    // SAFETY: as in `jump`; the type was found to need nothing but registers, and writing arguments
    // calls nobody.
    let done = unsafe {
        if P::HAS_FLOATS || R::HAS_FLOATS {
            ready.call::<true>(store.cast(), code, &regs)
        } else {
            ready.call::<false>(store.cast(), code, &regs)
        }
    };
    let (int, float) = match done {
        Ok(results) => results,
        Err(unwind) => {
            owner.store().call_has_failed();
            return Err(unwound(owner.store(), unwind));
        }
    };
    owner.store().check_fuel()?;
    let mut results = MaybeUninit::<CallRegs>::uninit();
    // SAFETY: places to write to, as above; the second is 16 bytes long and aligned.
    unsafe {
        let regs = results.as_mut_ptr();
        (&raw mut (*regs).ints[0]).cast::<MaybeUninit<u64>>().write(int);
        (&raw mut (*regs).floats[0]).cast::<[MaybeUninit<f64>; 2]>().write([float, float]);
    }
    Ok(R::read(&mut ResultReader::new(&results, None), owner.store()))
}

/// The first call on a thread, or of a store there, or a nested one.
#[cold]
#[inline(never)]
fn call_unprepared<P: WasmParams, R: WasmResults>(
    owner: Owner<'_>,
    code: *const u8,
    context: *mut u8,
    params: P,
) -> Result<R> {
    call_in_memory(owner, code, context, params)
}

fn call_in_memory<P: WasmParams, R: WasmResults>(
    mut owner: Owner<'_>,
    code: *const u8,
    context: *mut u8,
    params: P,
) -> Result<R> {
    let mut regs = MaybeUninit::<CallRegs>::uninit();
    let mut stack = [const { MaybeUninit::<u128>::uninit() }; STACK_SLOTS];
    let mut area = [0u128; STACK_SLOTS];
    let results = area.as_mut_ptr().cast();
    let stack_args =
        write_typed::<P, R>(&mut owner, context, params, &mut regs, &mut stack, results)?;
    let has_floats = P::HAS_FLOATS || R::HAS_FLOATS;
    let set = if has_floats { RegSet::All } else { RegSet::Int };
    jump(&mut owner, code, &mut regs, stack_args, set)?;
    let mut reader = ResultReader::new(&regs, R::IN_AREA.then_some(&area[..]));
    Ok(R::read(&mut reader, owner.store()))
}

/// Writes the arguments of a function whose type is `P -> R`. Answers those on the stack.
#[inline(always)]
fn write_typed<'c, P: WasmParams, R: WasmResults>(
    owner: &mut Owner<'_>,
    context: *mut u8,
    params: P,
    regs: &mut MaybeUninit<CallRegs>,
    stack: &'c mut [MaybeUninit<u128>; STACK_SLOTS],
    area: *mut u8,
) -> Result<&'c [MaybeUninit<u8>]> {
    // SAFETY: `regs` is a place to write to; the arrays in it are made of plain numbers.
    unsafe {
        (*regs.as_mut_ptr()).ints[0] = context as u64;
        if R::IN_AREA {
            (*regs.as_mut_ptr()).ints[1] = area as u64;
        }
    }
    let mut writer = ArgWriter { cursor: ArgCursor::new(R::IN_AREA), regs, stack };
    params.write(&mut writer, owner.store())?;
    let stack_bytes = writer.cursor.stack_bytes() as usize;
    Ok(first_bytes(stack, stack_bytes))
}

/// Calls a function with values that fit its type.
pub(crate) fn call_untyped(
    mut owner: Owner<'_>,
    func: &VMFuncRef,
    ty: &FuncType,
    params: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let mut area = vec![0u128; area_bytes(ty) / RESULT_SLOT_BYTES as usize];
    let mut regs = MaybeUninit::uninit();
    let mut stack = Vec::new();
    let results_at = area.as_mut_ptr().cast();
    write_untyped(&mut owner, func, ty, params, &mut regs, &mut stack, results_at)?;
    let stack_args = first_bytes(&stack, size_of_val(&stack[..]));
    let is_int = |ty: &ValType| RegClass::of(*ty) == RegClass::Int;
    let ints_only = ty.raw().params.iter().chain(&ty.raw().results).all(is_int);
    let set = match ty.raw().results.len() {
        _ if !ints_only => RegSet::All,
        0 | 1 => RegSet::IntOne,
        _ => RegSet::Int,
    };
    jump(&mut owner, func.code, &mut regs, stack_args, set)?;
    let area = (!area.is_empty()).then_some(&area[..]);
    ResultReader::new(&regs, area).take_all(ty, results, owner.store());
    Ok(())
}

/// Writes values that fit the type of a function; `stack` is empty, and takes those on the stack.
fn write_untyped(
    owner: &mut Owner<'_>,
    func: &VMFuncRef,
    ty: &FuncType,
    params: &[Val],
    regs: &mut MaybeUninit<CallRegs>,
    stack: &mut Vec<MaybeUninit<u128>>,
    area: *mut u8,
) -> Result<()> {
    let in_area = uses_result_area(&ty.raw().results);
    let regs = regs.as_mut_ptr();
    let mut cursor = ArgCursor::new(in_area);
    // SAFETY: `regs` is a place to write to, whose arrays are made of plain numbers and as long as
    // the cursor says; the vector has room for all stack arguments that it has handed out.
    unsafe {
        (*regs).ints[0] = func.context as u64;
        if in_area {
            (*regs).ints[1] = area as u64;
        }
        for (value, ty) in params.iter().zip(&ty.raw().params) {
            let raw = value.to_raw(owner.store())?;
            match cursor.next(RegClass::of(*ty), matches!(ty, ValType::V128)) {
                Loc::Int(i) => (*regs).ints[i as usize] = raw as u64,
                Loc::Float(i) => (*regs).floats[i as usize] = raw,
                Loc::Memory(at) => {
                    stack.resize(cursor.stack_bytes() as usize / 16, MaybeUninit::uninit());
                    write_memory(stack.as_mut_ptr().cast(), at, *ty, raw);
                }
            }
        }
    }
    Ok(())
}

/// Bytes of the results of a function that do not fit registers.
pub(super) fn area_bytes(ty: &FuncType) -> usize {
    let results = &ty.raw().results;
    if uses_result_area(results) { results.len() * RESULT_SLOT_BYTES as usize } else { 0 }
}

/// As [`area_bytes`].
pub(super) fn area_bytes_of<R: WasmResults>() -> usize {
    if R::IN_AREA { R::TYPES.len() * RESULT_SLOT_BYTES as usize } else { 0 }
}

/// Writes the arguments of a call that has not begun, of a function whose type is `P -> R`.
pub(super) fn prepare_typed<P: WasmParams, R: WasmResults>(
    owner: &mut Owner<'_>,
    func: &VMFuncRef,
    params: P,
    call: &mut Activation,
) -> Result<()> {
    let mut stack = [const { MaybeUninit::<u128>::uninit() }; STACK_SLOTS];
    let area = call.result_area();
    let args = write_typed::<P, R>(owner, func.context, params, regs_of(call), &mut stack, area)?;
    // SAFETY: by contract it has not begun.
    unsafe { call.set_stack_args(args) }.map_err(|unwind| unwound(owner.store(), unwind))
}

/// Writes values that fit the type of a function, whose call has not begun.
pub(super) fn prepare_untyped(
    owner: &mut Owner<'_>,
    func: &VMFuncRef,
    ty: &FuncType,
    params: &[Val],
    call: &mut Activation,
) -> Result<()> {
    let area = call.result_area();
    let mut stack = Vec::new();
    write_untyped(owner, func, ty, params, regs_of(call), &mut stack, area)?;
    let args = first_bytes(&stack, size_of_val(&stack[..]));
    // SAFETY: by contract it has not begun.
    unsafe { call.set_stack_args(args) }.map_err(|unwind| unwound(owner.store(), unwind))
}

/// The block of a call's registers, while it is not under way.
pub(super) fn regs_of(call: &mut Activation) -> &mut MaybeUninit<CallRegs> {
    // SAFETY: the block belongs to the activation, which is borrowed exclusively; it may hold
    // anything.
    unsafe { &mut *call.regs().cast() }
}

/// Calls a start function: no parameters, no results.
pub(crate) fn call_start(mut owner: Owner<'_>, code: *const u8, context: *mut u8) -> Result<()> {
    let mut regs = CallRegs::ZERO;
    regs.ints[0] = context as u64;
    jump(&mut owner, code, &mut MaybeUninit::new(regs), &[], RegSet::Int)
}

#[inline]
fn jump(
    owner: &mut Owner<'_>,
    code: *const u8,
    regs: &mut MaybeUninit<CallRegs>,
    stack_args: &[MaybeUninit<u8>],
    set: RegSet,
) -> Result<()> {
    let store = owner.store;
    // SAFETY: the store is exclusively borrowed for the whole call and is reached during it only
    // through this pointer, from which host code derives its access; code and context come from a
    // reference of this store, with arguments of its type; modules live as long as the store.
    let done = unsafe {
        // An outer call goes on with its own pointer: this one ends with this borrow.
        let outer = std::mem::replace(&mut (*store).runtime.vm.owner, store.cast());
        let runtime = &raw mut (*store).runtime;
        let done = selkie_vm::call(runtime, code, regs.as_mut_ptr(), stack_args, set);
        (*store).runtime.vm.owner = outer;
        done
    };
    match done {
        Ok(()) => Ok(owner.store().check_fuel()?),
        Err(unwind) => {
            owner.store().call_has_failed();
            Err(unwound(owner.store(), unwind))
        }
    }
}

#[cold]
#[inline(never)]
#[allow(clippy::boxed_local)] // so that callers on the short way move nothing
pub(super) fn unwound(store: &mut StoreInner, unwind: Box<Unwind>) -> Error {
    match *unwind {
        Unwind::Trap { code, frames } => {
            Error::from(code).with_backtrace(WasmBacktrace::capture(&frames))
        }
        Unwind::Exception { exception, frames } => {
            let thrown = ThrownException::new(store, exception);
            Error::from(thrown).with_backtrace(WasmBacktrace::capture(&frames))
        }
        Unwind::Resource(error) => Error::from(error),
        Unwind::Payload(payload) => match payload.downcast::<Error>() {
            Ok(error) => *error,
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}
