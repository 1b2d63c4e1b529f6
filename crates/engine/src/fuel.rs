//! Fuel: how much WebAssembly may still do in a store, and how much it did.
//!
//! Machine code counts down a number in the store's context. Below zero, more was consumed than
//! there was: the next check of the code traps, and nothing goes on beyond the border between
//! WebAssembly and host, which looks at the number too.

use crate::error::{Error, ErrorKind, Result};
use crate::func::Caller;
use crate::store::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut, StoreInner};
use selkie_module::TrapCode;

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
        let counted = units.min(MAX_COUNTED);
        self.runtime.vm.fuel = counted as i64;
        self.uncounted_fuel = units - counted;
        Ok(())
    }

    fn fuel(&self) -> Result<u64> {
        self.must_be_metered()?;
        let counted = u64::try_from(self.runtime.vm.fuel).unwrap_or(0);
        Ok(counted + self.uncounted_fuel)
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
        if self.runtime.vm.fuel < 0 { Err(TrapCode::OutOfFuel) } else { Ok(()) }
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
