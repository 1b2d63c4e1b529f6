//! The bindings: each row of the function table as an import of a linker.
//!
//! A binding finds the memory that the caller exports as `memory`, lends it to the
//! function together with the context, and turns the outcome into what the guest
//! sees: an error number, or the end of the program. A caller without a memory has
//! none to point into: whatever it passes as an address is a `fault`. Where the engine is
//! deterministic, so is each context from its first call on.
//!
//! What this file deliberately does not do: keep anything between two calls, or
//! decide anything; the functions do.

use crate::ctx::WasiCtx;
use crate::errno::{Errno, Exit, Failure};
use crate::functions::preview1;
use crate::{preview1, unstable};
use selkie_engine::{Caller, Error, Linker};
use std::convert::Infallible;

/// The memory of the calling instance and the context in the store.
fn parts<'a, T: 'static>(
    caller: &'a mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx,
    is_deterministic: bool,
) -> (&'a mut [u8], &'a mut WasiCtx) {
    let (mem, cx) = match caller.memory() {
        Some(memory) => {
            let (bytes, data) = memory.lend_to_host(caller);
            (bytes, get(data))
        }
        None => (&mut [][..], get(caller.data_mut())),
    };
    if is_deterministic {
        cx.make_deterministic();
    }
    (mem, cx)
}

/// Calls a function, again after each pause, and answers what one with an error number
/// gives the guest.
fn errno<T: 'static, F: Into<Failure>>(
    caller: &mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Copy,
    is_deterministic: bool,
    mut function: impl FnMut(&mut WasiCtx, &mut [u8]) -> Result<(), F>,
) -> Result<i32, Error> {
    let mut watch = caller.interrupt_watch();
    loop {
        let is_watched = watch.is_some();
        let (mem, cx) = parts(caller, get, is_deterministic);
        cx.watch = watch;
        let outcome = function(cx, mem).map_err(Into::into);
        if is_watched && outcome == Err(Failure::Errno(Errno::PAUSE)) {
            caller.check_interrupt().inspect_err(|_| get(caller.data_mut()).forget_call())?;
            watch = caller.interrupt_watch();
            continue;
        }
        if is_watched {
            cx.forget_call();
        }
        return match outcome {
            Ok(()) => Ok(0),
            Err(Failure::Errno(errno)) => Ok(i32::from(errno.raw())),
            Err(Failure::Exit(exit)) => Err(exit.into()),
        };
    }
}

/// Calls a function that does not return.
fn never<T: 'static>(
    caller: &mut Caller<'_, T>,
    get: impl Fn(&mut T) -> &mut WasiCtx,
    is_deterministic: bool,
    function: impl FnOnce(&mut WasiCtx, &mut [u8]) -> Result<Infallible, Exit>,
) -> Result<(), Error> {
    let (mem, cx) = parts(caller, get, is_deterministic);
    function(cx, mem).map(|never| match never {}).map_err(Error::from)
}

/// The WebAssembly type of a parameter.
macro_rules! wasm {
    (u32) => {
        i32
    };
    (u64) => {
        i64
    };
    (i64) => {
        i64
    };
}

/// Defines one function in one module.
macro_rules! define {
    ($linker:ident, $get:ident, $module:literal, $functions:ident,
     $name:ident($($param:ident: $type:ident),*) -> $result:ident) => {
        let is_deterministic = $linker.engine().config().is_deterministic();
        $linker.func_wrap(
            $module,
            stringify!($name),
            move |mut caller: Caller<'_, T> $(, $param: wasm!($type))*| {
                // The guest's integers have no sign of their own.
                $result(&mut caller, $get, is_deterministic, |cx, mem| {
                    $functions::$name(cx, mem $(, $param as $type)*)
                })
            },
        )?;
    };
}

/// Defines a row where its last word says.
macro_rules! define_row {
    (new $linker:ident $get:ident $($row:tt)*) => {
        define!($linker, $get, "wasi_snapshot_preview1", preview1, $($row)*);
    };
    ($in_both:ident $linker:ident $get:ident $($row:tt)*) => {
        define!($linker, $get, "wasi_snapshot_preview1", preview1, $($row)*);
        define!($linker, $get, "wasi_unstable", unstable, $($row)*);
    };
}

macro_rules! define_all {
    ($(fn $name:ident($($param:ident: $type:ident),*) -> $result:ident in $modules:ident;)*) => {
        /// Gives a linker every function of `wasi_snapshot_preview1` and of
        /// `wasi_unstable`. `get` finds the context in the embedder's data.
        ///
        /// ```
        /// use selkie_engine::{Engine, Linker, Module, Store};
        /// use selkie_wasi::{Exit, WasiCtx, add_to_linker};
        ///
        /// let engine = Engine::default();
        /// let module = Module::new(&engine, r#"(module
        ///     (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        ///     (memory (export "memory") 1)
        ///     (func (export "_start") (call $exit (i32.const 7))))"#)?;
        /// let mut linker = Linker::new(&engine);
        /// add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
        /// let mut store = Store::new(&engine, WasiCtx::builder().inherit_stdio().build());
        /// let instance = linker.instantiate(&mut store, &module)?;
        /// let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        /// let error = start.call(&mut store, ()).unwrap_err();
        /// assert_eq!(error.downcast_ref::<Exit>(), Some(&Exit(7)));
        /// # Ok::<(), selkie_engine::Error>(())
        /// ```
        ///
        /// # Errors
        /// One of the names is defined already.
        pub fn add_to_linker<T: 'static>(
            linker: &mut Linker<T>,
            get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
        ) -> Result<(), Error> {
            $(define_row!($modules linker get $name($($param: $type),*) -> $result);)*
            Ok(())
        }
    };
}

preview1!(define_all);
