//! Fuel: how much WebAssembly may still do in a store, and how much it did.
//!
//! Machine code counts down a number in the store's context. Below zero, the next check of the code
//! asks here for more; where more was consumed than there was, that is a trap, and nothing goes on
//! beyond the border between WebAssembly and host, which looks at the number too. Where calls shall
//! give way now and then, machine code is given no more than an interval at a time. The border asks
//! for nothing: what machine code counted below zero is made up for at its next check, so that no
//! interval is passed over. What is left is always the sum of both numbers, so that what a run
//! consumed does not depend on where it was interrupted.

use crate::entry::Stop;
use crate::error::{Error, ErrorKind, Result};
use crate::func::Caller;
use crate::store::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut, StoreInner};
use selkie_module::TrapCode;
use std::num::NonZeroU64;

/// As far as machine code counts.
const MAX_COUNTED: u64 = i64::MAX as u64;

impl StoreInner {
    fn is_metered(&self) -> bool {
        self.engine.config().tuning().consume_fuel
    }

    fn must_be_metered(&self) -> Result<()> {
        if self.is_metered() {
            return Ok(());
        }
        let message = "the engine does not count fuel; make one with `Config::consume_fuel`";
        Err(Error::new(ErrorKind::Invalid, message))
    }

    fn set_fuel(&mut self, units: u64) -> Result<()> {
        self.must_be_metered()?;
        self.count_from(units);
        Ok(())
    }

    /// Lets machine code count down from a part of this; the rest waits.
    fn count_from(&mut self, units: u64) {
        let most = self.fuel_interval.map_or(MAX_COUNTED, NonZeroU64::get);
        let counted = units.min(most).min(MAX_COUNTED);
        self.runtime.vm.fuel = counted as i64;
        self.uncounted_fuel = units - counted;
    }

    /// What is left of all fuel; `None` where more was consumed than there was.
    fn fuel_left(&self) -> Option<u64> {
        self.uncounted_fuel.checked_add_signed(self.runtime.vm.fuel)
    }

    fn fuel(&self) -> Result<u64> {
        self.must_be_metered()?;
        Ok(self.fuel_left().unwrap_or(0))
    }

    fn set_fuel_interval(&mut self, units: Option<u64>) -> Result<()> {
        self.must_be_metered()?;
        let nothing = || Error::new(ErrorKind::Invalid, "an interval of no fuel");
        self.fuel_interval =
            units.map(|units| NonZeroU64::new(units).ok_or_else(nothing)).transpose()?;
        if let Some(left) = self.fuel_left() {
            self.count_from(left);
        }
        Ok(())
    }

    /// Machine code has counted below zero.
    ///
    /// # Errors
    /// There is no fuel that it did not count yet, or others shall run now.
    pub(crate) fn count_on(&mut self) -> Result<(), Stop> {
        let left = self.fuel_left().ok_or(TrapCode::OutOfFuel)?;
        self.count_from(left);
        if self.fuel_interval.is_some() && self.leave_to_yield() {
            Err(Stop::Yield)
        } else {
            Ok(())
        }
    }

    /// Takes fuel for what the engine does in a guest's place, before it is done.
    ///
    /// # Errors
    /// There is not enough.
    pub(crate) fn consume_fuel(&mut self, units: u64) -> Result<(), TrapCode> {
        if !self.is_metered() {
            return Ok(());
        }
        let units = units.min(MAX_COUNTED) as i64;
        self.runtime.vm.fuel = self.runtime.vm.fuel.saturating_sub(units);
        self.check_fuel()
    }

    /// Whether what was consumed so far was there.
    ///
    /// # Errors
    /// It was not.
    #[inline]
    pub(crate) fn check_fuel(&self) -> Result<(), TrapCode> {
        // What machine code did not count yet it will count itself, and let others run first.
        let is_gone = self.runtime.vm.fuel < 0 && self.fuel_left().is_none();
        if is_gone { Err(TrapCode::OutOfFuel) } else { Ok(()) }
    }
}

impl<T> Store<T> {
    /// Sets how much WebAssembly may do in this store from now on, in units of fuel. A new store
    /// has none. What is consumed when none is left ends with
    /// [`Trap::OutOfFuel`](crate::Trap::OutOfFuel); the store can be used again once it has fuel.
    ///
    /// Each executed instruction costs one unit, except those that only give structure: `nop`,
    /// `drop`, `block`, `loop`, `try_table`, `else`, `end`. Instructions on many bytes or elements
    /// cost one more for every 64 bytes of linear memory, and for every 8 elements of a table or
    /// an array, that are begun; `suspend` and `switch` cost one more for every 8 that they pass of
    /// `resume` instructions and their clauses, on the way to who handles them. Instantiation costs
    /// as much as its constant expressions and segments. What the host does costs nothing.
    ///
    /// Equal runs consume equal amounts, whatever code was made of the instructions; a run that is
    /// given exactly what it consumes ends as if it had more. What a run that ends with a trap has
    /// consumed is exact up to the last branch, call or loop before it.
    ///
    /// ```
    /// use selkie_engine::{Config, Engine, Instance, Module, Store, Trap};
    /// let engine = Engine::new(Config::new().consume_fuel(true))?;
    /// let module = Module::new(&engine, r#"(module
    ///     (func (export "count") (param i32)
    ///         (loop $again
    ///             (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
    ///             (br_if $again (local.get 0)))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let count = instance.get_typed_func::<i32, ()>(&mut store, "count")?;
    ///
    /// store.set_fuel(1000)?;
    /// count.call(&mut store, 100)?;
    /// assert_eq!(store.get_fuel()?, 400); // six instructions a hundred times
    ///
    /// let error = count.call(&mut store, 100).unwrap_err();
    /// assert_eq!(error.trap(), Some(Trap::OutOfFuel));
    /// assert_eq!(store.get_fuel()?, 0);
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// The engine does not count fuel (see
    /// [`Config::consume_fuel`](crate::Config::consume_fuel)).
    pub fn set_fuel(&mut self, units: u64) -> Result<()> {
        self.as_context_mut().set_fuel(units)
    }

    /// Units of fuel that are left.
    ///
    /// # Errors
    /// As [`Store::set_fuel`].
    pub fn get_fuel(&self) -> Result<u64> {
        self.as_context().get_fuel()
    }
}

impl<T> Store<T> {
    /// Lets calls that may wait ([`Func::call_async`](crate::Func::call_async)) give way each time
    /// that WebAssembly has consumed so many units of fuel: they wake themselves and are pending
    /// once. `None`, as in a new store: they do not. In other calls it has no effect.
    ///
    /// An interval ends at the first check of the code behind it: at the entry of a function, the
    /// head of a loop or before an instruction on many elements.
    ///
    /// ```
    /// use selkie_engine::{Config, Engine, Instance, Module, Store};
    /// use std::task::{Context, Waker};
    /// let engine = Engine::new(Config::new().consume_fuel(true))?;
    /// let module = Module::new(&engine, r#"(module (func (export "run") (loop (br 0))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// store.set_fuel(u64::MAX)?;
    /// store.fuel_async_yield_interval(Some(10_000))?;
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
    /// let mut call = Box::pin(run.call_async(&mut store, ()));
    /// for _ in 0..3 {
    ///     assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    /// }
    /// drop(call);
    /// assert!(u64::MAX - store.get_fuel()? >= 30_000);
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// The engine does not count fuel; the interval is zero.
    pub fn fuel_async_yield_interval(&mut self, units: Option<u64>) -> Result<()> {
        self.as_context_mut().fuel_async_yield_interval(units)
    }
}

impl<T> StoreContext<'_, T> {
    /// As [`Store::get_fuel`].
    ///
    /// # Errors
    /// As [`Store::set_fuel`].
    pub fn get_fuel(&self) -> Result<u64> {
        self.inner().fuel()
    }
}

impl<T> StoreContextMut<'_, T> {
    /// As [`Store::set_fuel`].
    ///
    /// # Errors
    /// As [`Store::set_fuel`].
    pub fn set_fuel(&mut self, units: u64) -> Result<()> {
        self.inner().set_fuel(units)
    }

    /// As [`Store::get_fuel`].
    ///
    /// # Errors
    /// As [`Store::set_fuel`].
    pub fn get_fuel(&self) -> Result<u64> {
        self.contents.inner.fuel()
    }

    /// As [`Store::fuel_async_yield_interval`].
    ///
    /// # Errors
    /// As there.
    pub fn fuel_async_yield_interval(&mut self, units: Option<u64>) -> Result<()> {
        self.inner().set_fuel_interval(units)
    }
}

impl<T> Caller<'_, T> {
    /// As [`Store::set_fuel`]: what the call that this function is part of may consume from now
    /// on.
    ///
    /// # Errors
    /// As [`Store::set_fuel`].
    pub fn set_fuel(&mut self, units: u64) -> Result<()> {
        self.store.set_fuel(units)
    }

    /// As [`Store::get_fuel`]: what was consumed up to the call of this function is gone.
    ///
    /// # Errors
    /// As [`Store::set_fuel`].
    pub fn get_fuel(&self) -> Result<u64> {
        self.store.get_fuel()
    }
}
