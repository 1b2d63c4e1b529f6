//! Host functions that machine code calls with arguments and result in registers.
//!
//! One of six files of this crate that may use `unsafe`. For each closure whose types allow it the
//! compiler makes an `extern "C"` function of those types: what the closure takes is where it comes
//! from, and nothing is read from or written to memory in between.

#![allow(unsafe_code)]

use super::{Direct, closure_of, host_call};
use crate::error::Result;
use crate::func::wasm_ty::Machine;
use crate::func::{Caller, WasmParams, WasmResults, WasmRet, WasmTy};
use crate::store::{StoreContextMut, StoreInner};
use selkie_module::ValType;
use selkie_module::abi::{FLOAT_ARGS, INT_ARGS, RegClass};
use selkie_vm::VMHostContext;

/// The direct entry of host functions from closures of type `Fn(Caller<T>, P) -> R`; `None` where
/// arguments or results do not fit registers.
pub(crate) fn entry<T, P, R, F>() -> Option<*const u8>
where
    T: 'static,
    P: WasmParams + 'static,
    R: WasmRet + 'static,
    F: Fn(Caller<'_, T>, P) -> R + Send + Sync + 'static,
{
    if const { are_direct(P::TYPES, <R::Ok as WasmResults>::TYPES) } {
        P::entry::<T, R, F>()
    } else {
        None
    }
}

/// Whether arguments and result travel in registers, none of which is a vector's, as they do in
/// System V.
const fn are_direct(params: &[ValType], results: &[ValType]) -> bool {
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
    let is_one = results.len() <= 1 && !matches!(results, [ValType::V128]);
    is_one && ints <= INT_ARGS && floats <= FLOAT_ARGS
}

/// Parameters that have direct entries.
pub trait DirectParams: Sized {
    /// The entry; `None` for what is no tuple, or has more than registers can take.
    #[doc(hidden)]
    fn entry<T, R, F>() -> Option<*const u8>
    where
        T: 'static,
        R: WasmRet + 'static,
        F: Fn(Caller<'_, T>, Self) -> R + Send + Sync + 'static,
    {
        None
    }
}

/// Results that direct entries answer, where there is one at most.
pub trait DirectResult: Sized {
    #[doc(hidden)]
    type Machine: Machine;
    #[doc(hidden)]
    fn to_machine(self, store: &StoreInner) -> Result<Self::Machine>;
}

impl<A: WasmTy> DirectParams for A {}

impl<A: WasmTy> DirectResult for A {
    type Machine = A::Machine;
    #[inline(always)]
    fn to_machine(self, store: &StoreInner) -> Result<A::Machine> {
        Ok(A::Machine::from_bits(self.to_raw(store)?))
    }
}

impl<A: WasmTy> DirectResult for (A,) {
    type Machine = A::Machine;
    #[inline(always)]
    fn to_machine(self, store: &StoreInner) -> Result<A::Machine> {
        self.0.to_machine(store)
    }
}

macro_rules! entries {
    ($($name:ident($($param:ident),*);)*) => {$(
        /// # Safety
        /// Called by the direct host call stub only, with the context of a function made by
        /// [`typed`](super::typed) of the same types, in a store whose data is a `T`.
        #[allow(non_snake_case, clippy::too_many_arguments)]
        unsafe extern "C" fn $name<T, R, F, $($param),*>(
            context: *mut VMHostContext,
            $($param: $param::Machine),*
        ) -> <R::Ok as DirectResult>::Machine
        where
            T: 'static,
            R: WasmRet + 'static,
            F: Fn(Caller<'_, T>, ($($param,)*)) -> R + Send + Sync + 'static,
            $($param: WasmTy,)*
        {
            // SAFETY: by contract, which is also that of `closure_of`.
            unsafe {
                host_call::<T, _>(context, |func, caller, _| {
                    let closure = closure_of::<F>(func);
                    #[allow(unused)]
                    let inner = &mut caller.store.contents.inner;
                    let params = ($($param::from_raw($param.to_bits(), inner),)*);
                    let store = StoreContextMut { contents: caller.store.contents };
                    let again = Caller { store, instance: caller.instance };
                    let results = closure(again, params).into_result()?;
                    Ok(Direct(results.to_machine(&caller.store.contents.inner)?))
                })
                .0
            }
        }

        impl<$($param: WasmTy),*> DirectParams for ($($param,)*) {
            fn entry<T, R, F>() -> Option<*const u8>
            where
                T: 'static,
                R: WasmRet + 'static,
                F: Fn(Caller<'_, T>, Self) -> R + Send + Sync + 'static,
            {
                Some($name::<T, R, F, $($param),*> as *const u8)
            }
        }
    )*};
}

entries! {
    call0();
    call1(A1);
    call2(A1, A2);
    call3(A1, A2, A3);
    call4(A1, A2, A3, A4);
    call5(A1, A2, A3, A4, A5);
    call6(A1, A2, A3, A4, A5, A6);
    call7(A1, A2, A3, A4, A5, A6, A7);
    call8(A1, A2, A3, A4, A5, A6, A7, A8);
    call9(A1, A2, A3, A4, A5, A6, A7, A8, A9);
    call10(A1, A2, A3, A4, A5, A6, A7, A8, A9, A10);
    call11(A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11);
    call12(A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12);
    call13(A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13);
}

/// Tuples that do not fit registers, whatever their types are.
macro_rules! too_many {
    ($($($param:ident),*;)*) => {$(
        impl<$($param: WasmTy),*> DirectParams for ($($param,)*) {}
    )*};
}

too_many! {
    A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14;
    A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15;
    A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16;
    A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17;
}

/// Tuples that are no single result; no entry answers them but that of `()`.
macro_rules! not_one {
    ($(($($param:ident),*);)*) => {$(
        impl<$($param: WasmTy),*> DirectResult for ($($param,)*) {
            type Machine = ();
            #[inline(always)]
            fn to_machine(self, _: &StoreInner) -> Result<()> {
                Ok(())
            }
        }
    )*};
}

not_one! {
    ();
    (A1, A2);
    (A1, A2, A3);
    (A1, A2, A3, A4);
    (A1, A2, A3, A4, A5);
    (A1, A2, A3, A4, A5, A6);
    (A1, A2, A3, A4, A5, A6, A7);
    (A1, A2, A3, A4, A5, A6, A7, A8);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16);
    (A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17);
}
