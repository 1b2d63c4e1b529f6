//! Interruption: ending what runs in a store, or looking after it, at a time of the embedder's
//! choice.
//!
//! With [`Config::epoch_interruption`](crate::Config::epoch_interruption) guests ask whether
//! somebody wants to interrupt them: machine code at the entries of functions and at the heads of
//! loops; whatever works on many bytes or elements after each piece; waits every few milliseconds.
//! So whoever wants it waits for a few milliseconds at most. A collection of garbage, and host
//! functions that do not ask, are waited for.
//!
//! Who may want it: the engine's epoch, a deadline in time, a handle. The signal that all of them
//! raise is in `signal.rs`, who raises it when in `clock.rs`, what follows in `state.rs`.

mod clock;
mod signal;
mod state;

pub(crate) use clock::Clock;
pub(crate) use state::{EpochCallback, Interruption};

use crate::engine::Engine;
use crate::entry::{self, Guest};
use crate::error::{Error, Result};
use crate::func::Caller;
use crate::store::{AsContext, AsContextMut, Store, StoreContext, StoreContextMut};
use signal::{Reason, Signal};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a guest may wait without asking, where somebody could interrupt it at any time.
const PATIENCE: Duration = Duration::from_millis(2);

/// What a callback of [`Store::epoch_deadline_callback`] decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateDeadline {
    /// The guest goes on, until so many ticks of the engine's epoch later.
    Continue(u64),
    /// Others get a chance to run: a call that is a future
    /// ([`Func::call_async`](crate::Func::call_async)) is pending once and has itself woken at once.
    /// Then the guest goes on, until so many ticks later. Any other call goes on right away, and so
    /// does an instruction on many bytes or elements that is in the middle of them.
    Yield(u64),
    /// The guest ends with [`Trap::Interrupt`](crate::Trap::Interrupt).
    Interrupt,
}

/// When [`Store::set_deadline`] ends a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// So long from now.
    In(Duration),
    /// At a point in time.
    At(Instant),
}

impl From<Duration> for Deadline {
    fn from(duration: Duration) -> Deadline {
        Deadline::In(duration)
    }
}

impl From<Instant> for Deadline {
    fn from(time: Instant) -> Deadline {
        Deadline::At(time)
    }
}

impl Deadline {
    /// The point in time; `None` for one that never comes.
    fn time(self) -> Option<Instant> {
        match self {
            Deadline::In(duration) => Instant::now().checked_add(duration),
            Deadline::At(time) => Some(time),
        }
    }
}

/// Ends what runs in a store, from any thread; see [`Store::interrupt_handle`].
#[derive(Clone, Debug)]
pub struct InterruptHandle {
    signal: Arc<Signal>,
}

impl InterruptHandle {
    /// Ends what runs in the store with [`Trap::Interrupt`](crate::Trap::Interrupt), all of it: host
    /// functions between calls cannot keep it alive. If nothing runs, the next call ends as it
    /// begins, since nobody can know from outside whether a call has begun yet. Once the outermost
    /// call has ended with an error, the store can be used again; a request that came too late is
    /// taken back by [`Store::clear_interrupt`].
    pub fn interrupt(&self) {
        self.signal.raise(Reason::Request);
    }
}

/// Whether somebody wants to interrupt the guest that called a host function, for a function that
/// cannot ask its [`Caller`] in between, because it works in the guest's memory; see
/// [`Caller::interrupt_watch`].
#[derive(Clone, Debug)]
pub struct InterruptWatch {
    signal: Arc<Signal>,
    time: Option<Instant>,
    /// Whether somebody may come at any time, besides when it is over.
    at_any_time: bool,
}

impl InterruptWatch {
    /// Whether somebody does: then it is time for [`Caller::check_interrupt`].
    pub fn is_raised(&self) -> bool {
        self.signal.is_raised()
    }

    /// As [`Caller::may_block_for`].
    pub fn may_block_for(&self) -> Option<Duration> {
        let left = self.time.map(|time| time.saturating_duration_since(Instant::now()));
        let at_any_time = self.at_any_time.then_some(PATIENCE);
        left.into_iter().chain(at_any_time).min()
    }
}

impl Engine {
    /// Moves the engine's epoch on by one tick. Stores whose deadline that is are interrupted; see
    /// [`Store::set_epoch_deadline`]. Any thread may do it at any time, but not a signal handler.
    pub fn increment_epoch(&self) {
        self.clock().increment();
    }
}

impl<T> Store<T> {
    /// Lets what runs in this store be interrupted after so many ticks of the engine's epoch, from
    /// now on: then it ends with [`Trap::Interrupt`](crate::Trap::Interrupt), or a callback decides
    /// ([`Store::epoch_deadline_callback`]). 0 is at once, and [`u64::MAX`] never, as in a new
    /// store. Once the epoch has come, every call ends until another deadline is set.
    ///
    /// ```
    /// use selkie_engine::{Config, Engine, Instance, Module, Store, Trap};
    /// let engine = Engine::new(Config::new().epoch_interruption(true))?;
    /// let module = Module::new(&engine, r#"(module
    ///     (func (export "spin") (loop $again (br $again))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let spin = Instance::new(&mut store, &module, &[])?
    ///     .get_typed_func::<(), ()>(&mut store, "spin")?;
    ///
    /// store.set_epoch_deadline(1)?;
    /// let ticker = std::thread::spawn(move || {
    ///     std::thread::sleep(std::time::Duration::from_millis(10));
    ///     engine.increment_epoch();
    /// });
    /// let error = spin.call(&mut store, ()).unwrap_err();
    /// assert_eq!(error.trap(), Some(Trap::Interrupt));
    /// # ticker.join().expect("it does not panic");
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// The engine does not interrupt its guests (see
    /// [`Config::epoch_interruption`](crate::Config::epoch_interruption)).
    pub fn set_epoch_deadline(&mut self, ticks_beyond_current: u64) -> Result<()> {
        self.as_context_mut().set_epoch_deadline(ticks_beyond_current)
    }

    /// When the epoch has come, what runs ends with [`Trap::Interrupt`](crate::Trap::Interrupt); so
    /// it is in a new store.
    pub fn epoch_deadline_trap(&mut self) {
        self.as_context_mut().epoch_deadline_trap();
    }

    /// When the epoch has come, a callback decides what becomes of the guest that was interrupted.
    /// It may use the store as a host function may; what it runs there ends where it is interrupted
    /// itself. An error of its own ends the guest with it. It is not asked about deadlines in time
    /// and requests of handles: they end the guest.
    ///
    /// ```
    /// use selkie_engine::{Config, Engine, Instance, Module, Store, UpdateDeadline};
    /// let engine = Engine::new(Config::new().epoch_interruption(true))?;
    /// let module = Module::new(&engine, r#"(module
    ///     (func (export "count") (param i32)
    ///         (loop $again
    ///             (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
    ///             (br_if $again (local.get 0)))))"#)?;
    /// let mut store = Store::new(&engine, 0); // how often it was asked
    /// store.set_epoch_deadline(1)?;
    /// store.epoch_deadline_callback(|mut store| {
    ///     *store.data_mut() += 1;
    ///     Ok(UpdateDeadline::Continue(1))
    /// });
    /// let count = Instance::new(&mut store, &module, &[])?
    ///     .get_typed_func::<i32, ()>(&mut store, "count")?;
    /// engine.increment_epoch();
    /// count.call(&mut store, 1_000_000)?;
    /// assert_eq!(*store.data(), 1);
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    pub fn epoch_deadline_callback(
        &mut self,
        callback: impl FnMut(StoreContextMut<'_, T>) -> Result<UpdateDeadline> + Send + Sync + 'static,
    ) {
        self.as_context_mut().epoch_deadline_callback(callback);
    }

    /// Lets others run whenever the store's epoch has come, and sets it so many ticks later: as with
    /// a callback that answers [`UpdateDeadline::Yield`].
    ///
    /// ```
    /// use selkie_engine::{Config, Engine, Instance, Module, Store};
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// let engine = Engine::new(Config::new().epoch_interruption(true))?;
    /// let module = Module::new(&engine, r#"(module
    ///     (func (export "spin") (loop $again (br $again))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// store.set_epoch_deadline(1)?;
    /// store.epoch_deadline_async_yield_and_update(1);
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let spin = instance.get_typed_func::<(), ()>(&mut store, "spin")?;
    /// let mut call = pin!(spin.call_async(&mut store, ()));
    /// for _ in 0..3 {
    ///     engine.increment_epoch();
    ///     assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    /// }
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    pub fn epoch_deadline_async_yield_and_update(&mut self, ticks: u64) {
        self.epoch_deadline_callback(move |_| Ok(UpdateDeadline::Yield(ticks)));
    }

    /// Ends what runs in this store at a point in time, given as such or as a [`Duration`] from now,
    /// with [`Trap::Interrupt`](crate::Trap::Interrupt); `None` takes the deadline back. From then
    /// on every call ends until another deadline is set. The engine has one thread for all its
    /// stores, as long as there are deadlines.
    ///
    /// ```
    /// use selkie_engine::{Config, Engine, Instance, Module, Store, Trap};
    /// use std::time::Duration;
    /// let engine = Engine::new(Config::new().epoch_interruption(true))?;
    /// let module = Module::new(&engine, r#"(module
    ///     (func (export "spin") (loop $again (br $again)))
    ///     (func (export "one") (result i32) (i32.const 1)))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let spin = instance.get_typed_func::<(), ()>(&mut store, "spin")?;
    /// let one = instance.get_typed_func::<(), i32>(&mut store, "one")?;
    ///
    /// store.set_deadline(Some(Duration::from_millis(20)))?;
    /// let error = spin.call(&mut store, ()).unwrap_err();
    /// assert_eq!(error.trap(), Some(Trap::Interrupt));
    /// store.set_deadline(None::<Duration>)?;
    /// assert_eq!(one.call(&mut store, ())?, 1); // the store lives on
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::set_epoch_deadline`]; the system has no thread to watch the time.
    pub fn set_deadline(&mut self, deadline: Option<impl Into<Deadline>>) -> Result<()> {
        self.as_context_mut().set_deadline(deadline)
    }

    /// A handle that ends what runs in this store, from any thread.
    ///
    /// ```
    /// use selkie_engine::{Config, Engine, Instance, Module, Store, Trap};
    /// let engine = Engine::new(Config::new().epoch_interruption(true))?;
    /// let module = Module::new(&engine, r#"(module
    ///     (func (export "spin") (loop $again (br $again))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let spin = Instance::new(&mut store, &module, &[])?
    ///     .get_typed_func::<(), ()>(&mut store, "spin")?;
    /// let handle = store.interrupt_handle()?;
    /// let other = std::thread::spawn(move || handle.interrupt());
    /// let error = spin.call(&mut store, ()).unwrap_err();
    /// assert_eq!(error.trap(), Some(Trap::Interrupt));
    /// # other.join().expect("it does not panic");
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::set_epoch_deadline`].
    pub fn interrupt_handle(&mut self) -> Result<InterruptHandle> {
        let signal = self.as_context_mut().inner().interruption()?.handle();
        Ok(InterruptHandle { signal })
    }

    /// Takes back what handles asked for and no call has obeyed yet; whether there was anything.
    pub fn clear_interrupt(&mut self) -> bool {
        let mut context = self.as_context_mut();
        context.inner().interruption().is_ok_and(Interruption::clear_request)
    }
}

impl<T> StoreContext<'_, T> {
    /// Whether somebody wants to interrupt what runs in the store.
    pub fn interrupted(&self) -> bool {
        self.inner().is_interrupted()
    }

    /// The deadline in time.
    pub fn deadline(&self) -> Option<Instant> {
        self.inner().interruption.as_deref().and_then(Interruption::deadline)
    }
}

impl<T> StoreContextMut<'_, T> {
    /// As [`Store::set_epoch_deadline`].
    ///
    /// # Errors
    /// As there.
    pub fn set_epoch_deadline(&mut self, ticks_beyond_current: u64) -> Result<()> {
        self.inner().interruption()?.set_epoch_deadline(ticks_beyond_current);
        Ok(())
    }

    /// As [`Store::epoch_deadline_trap`].
    pub fn epoch_deadline_trap(&mut self) {
        if let Ok(interruption) = self.inner().interruption() {
            interruption.set_callback(None);
        }
    }

    /// As [`Store::epoch_deadline_callback`].
    pub fn epoch_deadline_callback(
        &mut self,
        callback: impl FnMut(StoreContextMut<'_, T>) -> Result<UpdateDeadline> + Send + Sync + 'static,
    ) {
        if let Ok(interruption) = self.inner().interruption() {
            interruption.set_callback(Some(entry::epoch_callback(callback)));
        }
    }

    /// As [`Store::set_deadline`].
    ///
    /// # Errors
    /// As there.
    pub fn set_deadline(&mut self, deadline: Option<impl Into<Deadline>>) -> Result<()> {
        let time = deadline.and_then(|deadline| deadline.into().time());
        self.inner().interruption()?.set_deadline(time)
    }
}

/// Host functions that run for long or wait are interrupted where they ask.
impl<T> Caller<'_, T> {
    /// Whether somebody wants to interrupt the guest that called this function.
    pub fn interrupted(&self) -> bool {
        self.store.as_context().interrupted()
    }

    /// Lets whoever wants to interrupt the guest do so: an epoch's callback runs. What is to be
    /// interrupted ends by returning the error.
    ///
    /// ```
    /// use selkie_engine::{Caller, Config, Engine, Linker, Module, Result, Store, Trap};
    /// use std::time::Duration;
    /// let engine = Engine::new(Config::new().epoch_interruption(true))?;
    /// let mut linker = Linker::new(&engine);
    /// linker.func_wrap("host", "wait", |mut caller: Caller<'_, ()>| -> Result<()> {
    ///     loop { // for something that may never come
    ///         caller.check_interrupt()?;
    ///         let patience = caller.may_block_for().unwrap_or(Duration::MAX);
    ///         std::thread::sleep(patience);
    ///     }
    /// })?;
    /// let module = Module::new(&engine, r#"(module
    ///     (import "host" "wait" (func $wait))
    ///     (func (export "run") (call $wait)))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = linker.instantiate(&mut store, &module)?;
    /// let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
    /// store.set_deadline(Some(Duration::from_millis(20)))?;
    /// let error = run.call(&mut store, ()).unwrap_err();
    /// assert_eq!(error.trap(), Some(Trap::Interrupt));
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Trap::Interrupt`](crate::Trap::Interrupt), or what a callback failed with.
    pub fn check_interrupt(&mut self) -> Result<()> {
        Guest::new(&mut self.store).check_interrupt().map_err(Error::from)
    }

    /// How long this function may wait for anything before it must ask
    /// [`Caller::check_interrupt`] again; `None`: as long as it likes.
    pub fn may_block_for(&self) -> Option<Duration> {
        self.interrupt_watch().and_then(|watch| watch.may_block_for())
    }

    /// What tells a host function that is at work whether somebody wants to interrupt the guest;
    /// `None` where the engine does not interrupt its guests. Good for one call of the function:
    /// what the store waits for may be something else in the next.
    pub fn interrupt_watch(&self) -> Option<InterruptWatch> {
        let context = self.store.as_context();
        context.inner().interruption.as_deref().map(Interruption::watch)
    }

    /// The store's deadline in time.
    pub fn deadline(&self) -> Option<Instant> {
        self.store.as_context().deadline()
    }

    /// As [`Store::set_deadline`].
    ///
    /// # Errors
    /// As there.
    pub fn set_deadline(&mut self, deadline: Option<impl Into<Deadline>>) -> Result<()> {
        self.store.set_deadline(deadline)
    }

    /// As [`Store::set_epoch_deadline`].
    ///
    /// # Errors
    /// As there.
    pub fn set_epoch_deadline(&mut self, ticks_beyond_current: u64) -> Result<()> {
        self.store.set_epoch_deadline(ticks_beyond_current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_thread_of_deadlines_ends_when_there_are_none() {
        let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
        let mut store = Store::new(&engine, ());
        assert!(!engine.clock().has_thread());
        store.set_deadline(Some(Duration::from_secs(1000))).unwrap();
        assert!(engine.clock().has_thread());
        drop(store);
        let start = Instant::now();
        while engine.clock().has_thread() {
            assert!(start.elapsed() < Duration::from_secs(20), "it goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn deadlines_need_an_engine_that_interrupts() {
        let mut store = Store::new(&Engine::default(), ());
        assert!(store.set_epoch_deadline(1).is_err());
        assert!(store.set_deadline(Some(Duration::ZERO)).is_err());
        assert!(store.interrupt_handle().is_err());
        assert!(!store.clear_interrupt());
    }
}
