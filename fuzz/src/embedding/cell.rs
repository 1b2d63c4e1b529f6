//! A store beside its model, and what can be done to one.

use super::guest::{End, Op, View};
use super::host::{Data, Limiter, Planned};
use super::model::{Caps, Entry, PAGE, Piece, State};
use super::read::{Amount, settle};
use crate::generate::Numbers;
use selkie::{
    Config, Engine, Error, ErrorKind, Func, Instance, InstancePre, Store, StoreLimits, Trap,
    UpdateDeadline, Val,
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A store, what it must hold, and what it may.
pub(super) struct Cell {
    pub(super) store: Store<Data>,
    pub(super) state: State,
    pub(super) handles: Vec<Instance>,
    pub(super) caps: Caps,
    /// Snapshots that were taken during calls.
    pub(super) snapshots: Vec<(InstancePre<Data>, Piece)>,
    is_metered: bool,
    is_interruptible: bool,
}

/// A call: which instance, what, with which numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    at: usize,
    op: &'static Op,
    numbers: [i32; 3],
}

/// How a call is hindered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hindered {
    Not,
    /// It has so much fuel.
    Starved(u64),
    /// It is interrupted before it begins.
    Before,
    /// It is interrupted a little later.
    Later,
    /// Its epoch has come, and it may go on.
    Asked,
}

/// What a finished call answered.
type Answered = std::thread::Result<selkie::Result<i32>>;

const PLENTY: u64 = 1 << 40;

impl Cell {
    pub(super) fn new(engine: &Engine, numbers: &mut Numbers) -> Cell {
        let tuning = engine.config().tuning();
        let (is_metered, is_interruptible) = (tuning.consume_fuel, tuning.epoch_interruption);
        let pending = numbers.below(4);
        let refuses = numbers.below(16) == 0;
        let mut store =
            Store::new(engine, Data { pending, refuses, is_metered, ..Data::default() });
        store.data_mut().handle = store.interrupt_handle().ok();
        let mut caps = Caps { memory_bytes: usize::MAX, elements: 10_000_000 };
        if numbers.below(4) == 0 {
            let memory_bytes = (1 + numbers.below(8)) * PAGE - numbers.below(2);
            caps = Caps { memory_bytes, elements: 3 + numbers.below(50) };
            if numbers.below(2) == 0 {
                store.limiter(Limiter(caps));
            } else {
                let (memory_bytes, table_elements) = (memory_bytes as u64, caps.elements as u64);
                let limits = StoreLimits { memory_bytes, table_elements, ..StoreLimits::default() };
                store.set_limits(limits);
            }
        }
        let (state, handles, snapshots) = Default::default();
        let mut cell =
            Cell { store, state, handles, caps, snapshots, is_metered, is_interruptible };
        cell.unhinder();
        cell
    }

    /// Becomes one of a store without limits.
    pub(super) fn be(&mut self, store: Store<Data>) {
        self.store = store;
        self.caps = Caps { memory_bytes: usize::MAX, elements: 10_000_000 };
    }

    /// Lets nothing hinder what is called next.
    pub(super) fn unhinder(&mut self) {
        if self.is_metered {
            let _ = self.store.set_fuel(PLENTY);
            let _ = self.store.fuel_async_yield_interval(None);
        }
        if self.is_interruptible {
            self.store.clear_interrupt();
            let _ = self.store.set_epoch_deadline(u64::MAX);
            let _ = self.store.set_deadline(None::<Duration>);
            self.store.epoch_deadline_trap();
        }
    }

    /// Compares everything or some of it.
    pub(super) fn check(&mut self, amount: &mut Amount<'_>) -> Result<(), String> {
        self.unhinder();
        let both = [&self.state, &self.state];
        settle(&mut self.store, &self.handles, both, false, amount).map(drop)
    }

    /// Makes an instance; whether there is one.
    pub(super) fn instantiate(
        &mut self,
        pre: &InstancePre<Data>,
        piece: &Piece,
        numbers: &mut Numbers,
    ) -> Result<bool, String> {
        self.unhinder();
        let is_starved = self.is_metered && numbers.below(10) == 0;
        if is_starved {
            let _ = self.store.set_fuel(numbers.below(20_000) as u64);
        }
        let made = match numbers.below(4) {
            0 => now(pre.instantiate_async(&mut self.store)),
            _ => pre.instantiate(&mut self.store),
        };
        let starts = piece.shape.starts && !piece.has_started;
        let is_refused = starts && self.store.data().refuses;
        match made {
            Ok(instance) if piece.fits(self.caps) && !is_refused => {
                self.state.add(piece);
                self.handles.push(instance);
                Ok(true)
            }
            Ok(_) => Err(format!("an instance beyond {:?}, or refused", self.caps)),
            Err(error) if is_starved && error.trap() == Some(Trap::OutOfFuel) => Ok(false),
            Err(error) if !piece.fits(self.caps) && error.kind() == ErrorKind::Limit => Ok(false),
            Err(error) if is_refused && error.kind() == ErrorKind::Host => Ok(false),
            Err(error) => Err(format!("no instance: {error}")),
        }
    }

    /// Chooses a call.
    pub(super) fn any_call(&self, numbers: &mut Numbers) -> Option<Call> {
        let at = numbers.below(self.handles.len());
        let shape = &self.state.instances.get(at)?.shape;
        let ops: Vec<_> = shape.ops().collect();
        let op = ops[numbers.below(ops.len())];
        let bytes = self.state.memories[self.state.instances[at].memories[0]].bytes.len();
        let place = |numbers: &mut Numbers| match numbers.below(6) {
            0 => bytes.wrapping_sub(numbers.below(12)),
            1 => numbers.below(bytes / 4096) * 4096 + numbers.below(20),
            2 => shape.data.first().map_or(0, |(at, _)| *at),
            3 => numbers.edge_u64() as usize,
            _ => numbers.below(bytes),
        } as i32;
        let numbers = match op.name {
            "fill" | "fill2" | "copy" | "across" => {
                let len = [1, 8, 4096, 70_000, 300_000][numbers.below(5)];
                [place(numbers), place(numbers), numbers.below(len) as i32]
            }
            "grow" | "grow2" | "wider" => {
                let delta = if numbers.below(8) == 0 { 1 << 30 } else { numbers.below(4) };
                [delta as i32, numbers.below(3) as i32, 0]
            }
            "init" | "spare" => {
                let place =
                    if op.name == "init" { place(numbers) } else { numbers.below(24) as i32 };
                [place, numbers.below(8) as i32, numbers.below(6) as i32]
            }
            "set" | "slots" | "call" | "keep" | "move" => {
                [numbers.below(40), numbers.below(4), numbers.below(12)].map(|number| number as i32)
            }
            _ => [place(numbers), numbers.below(256) as i32, numbers.below(12) as i32],
        };
        Some(Call { at, op, numbers })
    }

    /// Calls. `meanwhile` happens while the call waits.
    pub(super) fn call(
        &mut self,
        call: Call,
        numbers: &mut Numbers,
        meanwhile: &mut dyn FnMut(&mut Numbers) -> Result<(), String>,
    ) -> Result<(), String> {
        self.unhinder();
        let Some(hindered) = self.hinder(call, numbers) else { return Ok(()) };
        let is_async = numbers.below(3) == 0;
        let mut after = self.state.clone();
        let (at, caps, taken) = (call.at, self.caps, Vec::new());
        let state = &mut after;
        let mut view = View { state, at, caps, is_async, taken, may_stop: false, spins: false };
        let [a, b, c] = call.numbers;
        let expected = (call.op.model)(&mut view, a, b, c);
        let View { taken, may_stop, spins, .. } = view;

        let interrupter = self.store.data().handle.clone().filter(|_| hindered == Hindered::Later);
        let interrupter = interrupter.map(|handle| {
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_micros(300));
                handle.interrupt();
            })
        });
        let answered = match is_async {
            true => self.poll(call, numbers, meanwhile)?,
            false => {
                let func = self.handles[at].get_func(&mut self.store, call.op.name);
                let mut results = [Val::I32(0)];
                let params = call.numbers.map(Val::I32);
                let func = func.ok_or("no function")?;
                let store = AssertUnwindSafe(|| func.call(&mut self.store, &params, &mut results));
                let answered = catch_unwind(store);
                Some(answered.map(|result| result.and_then(|()| number(&results))))
            }
        };
        if let Some(interrupter) = interrupter {
            let _ = interrupter.join();
        }
        let found = std::mem::take(&mut self.store.data_mut().taken);
        let may_stop = may_stop
            || matches!(hindered, Hindered::Later | Hindered::Starved(_))
            || answered.is_none();
        let is_cut = match answered {
            None => true,
            Some(answered) => judge(answered, expected, may_stop, hindered, self.is_metered)?,
        };
        self.unhinder();
        if hindered == Hindered::Before {
            return self.check(&mut Amount::All);
        }
        if !is_cut {
            self.state = after;
            return self.keep_snapshots(found, taken);
        }
        let both = [&self.state, &after];
        self.state = settle(&mut self.store, &self.handles, both, spins, &mut Amount::All)?;
        if call.op.name != "drop" {
            return Ok(());
        }
        // Whether segments are there cannot be read.
        let func = self.handles[at].get_func(&mut self.store, "drop").ok_or("no function")?;
        let dropped = func.call(&mut self.store, &[Val::I32(0); 3], &mut [Val::I32(0)]);
        dropped.map_err(|error| format!("segments are not dropped: {error}"))
    }

    /// Notes the snapshots that the host took during a call.
    fn keep_snapshots(
        &mut self,
        found: Vec<selkie::Result<InstancePre<Data>>>,
        taken: Vec<Option<Piece>>,
    ) -> Result<(), String> {
        if found.len() != taken.len() {
            return Err(format!("{} snapshots instead of {}", found.len(), taken.len()));
        }
        for pair in found.into_iter().zip(taken) {
            match pair {
                (Ok(pre), Some(piece)) => self.snapshots.push((pre, piece)),
                (Err(error), None) if error.kind() == ErrorKind::Unsupported => {}
                (found, _) => return Err(format!("a snapshot inside a call: {found:?}")),
            }
        }
        Ok(())
    }

    /// Chooses what hinders a call; `None` where nothing would end it.
    fn hinder(&mut self, call: Call, numbers: &mut Numbers) -> Option<Hindered> {
        let is_endless = call.op.name == "forever";
        let kind = match (is_endless, numbers.below(24)) {
            (true, number) => number % 2,
            (false, number) => number,
        };
        let hindered = match kind {
            0 if self.is_metered => Hindered::Starved(numbers.below(3000) as u64),
            1 if self.is_interruptible => Hindered::Later,
            2 | 3 if self.is_interruptible => Hindered::Before,
            4 if self.is_interruptible => Hindered::Asked,
            _ => Hindered::Not,
        };
        match hindered {
            Hindered::Not if is_endless => return None,
            Hindered::Not | Hindered::Later => {}
            Hindered::Starved(units) => self.store.set_fuel(units).ok()?,
            Hindered::Before => match numbers.below(2) {
                0 => self.store.data().handle.iter().for_each(|handle| handle.interrupt()),
                _ => self.store.set_epoch_deadline(0).ok()?,
            },
            Hindered::Asked => {
                self.store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1 << 20)));
                self.store.set_epoch_deadline(0).ok()?;
            }
        }
        Some(hindered)
    }

    /// Calls and waits, or drops the call while it is pending (`None`).
    fn poll(
        &mut self,
        call: Call,
        numbers: &mut Numbers,
        meanwhile: &mut dyn FnMut(&mut Numbers) -> Result<(), String>,
    ) -> Result<Option<Answered>, String> {
        if self.is_metered && numbers.below(2) == 0 {
            let _ = self.store.fuel_async_yield_interval(Some(1 + numbers.below(500) as u64));
        }
        let func: Func =
            self.handles[call.at].get_func(&mut self.store, call.op.name).ok_or("no function")?;
        let mut results = [Val::I32(0)];
        let params = call.numbers.map(Val::I32);
        let mut future = Box::pin(func.call_async(&mut self.store, &params, &mut results));
        let mut left = match numbers.below(4) {
            0 => numbers.below(5),
            _ => 100,
        };
        let ended = loop {
            if left == 0 {
                if numbers.below(40) == 0 {
                    // What nobody drops must not matter.
                    std::mem::forget(future);
                }
                return Ok(None);
            }
            left -= 1;
            let polled = match numbers.below(6) {
                0 => std::thread::scope(|scope| scope.spawn(|| poll_once(future.as_mut())).join())
                    .unwrap_or_else(|panic| resume_unwind(panic)),
                _ => poll_once(future.as_mut()),
            };
            match polled {
                Ok(Poll::Ready(result)) => break Ok(result),
                Ok(Poll::Pending) => meanwhile(numbers)?,
                Err(panic) => break Err(panic),
            }
        };
        drop(future);
        Ok(Some(ended.map(|result| result.and_then(|()| number(&results)))))
    }

    /// Writes as a host.
    pub(super) fn write(&mut self, numbers: &mut Numbers) -> Result<(), String> {
        if self.handles.is_empty() {
            return Ok(());
        }
        self.unhinder();
        let at = numbers.below(self.handles.len());
        let handle = self.handles[at];
        let instance = self.state.instances[at].clone();
        let which = numbers.below(2);
        let memory = handle.get_memory(&mut self.store, ["memory", "second"][which]);
        let memory = memory.ok_or("no memory")?;
        let bytes = &mut self.state.memories[instance.memories[which]].bytes;
        let len = 1 + numbers.below(300);
        let new = numbers.bytes(len);
        let place = numbers.below(bytes.len() - len);
        let range = place..place + len;
        let failed = |error: Error| format!("the host cannot write: {error}");
        match numbers.below(6) {
            0 => {
                memory.data_mut(&mut self.store)[range.clone()].copy_from_slice(&new);
                bytes[range].copy_from_slice(&new);
            }
            1 => {
                let (there, _) =
                    memory.range_mut(&mut self.store, range.clone()).map_err(failed)?;
                there.copy_from_slice(&new);
                bytes[range].copy_from_slice(&new);
            }
            2 => {
                memory.write(&mut self.store, place, &new).map_err(failed)?;
                bytes[range].copy_from_slice(&new);
            }
            3 => {
                let id = numbers.below(100_000) as i32;
                let global = handle.get_global(&mut self.store, "g.id").ok_or("no global")?;
                global.set(&mut self.store, Val::I32(id)).map_err(failed)?;
                self.state.instances[at].own.id = id;
            }
            4 => {
                let table = handle.get_table(&mut self.store, "table").ok_or("no table")?;
                let func = Func::wrap(&mut self.store, || Entry::HOST);
                let slots = &mut self.state.tables[instance.table].slots;
                let place = numbers.below(slots.len());
                let value = Val::FuncRef(Some(func));
                table.set(&mut self.store, place as u64, value).map_err(failed)?;
                slots[place] = Some(Entry::Host);
            }
            _ => {
                let (state, caps) = (&mut self.state, self.caps);
                let taken = Vec::new();
                let mut view =
                    View { state, at, caps, is_async: false, taken, may_stop: false, spins: false };
                let delta = numbers.below(3) as u32;
                let expected = view.grow(which, delta);
                let grown = memory.grow(&mut self.store, delta.into());
                if grown.as_ref().map_or(-1, |old| *old as i32) != expected {
                    return Err(format!("growth by {delta}: {grown:?} instead of {expected}"));
                }
            }
        }
        Ok(())
    }
}

/// Whether a call was cut short, if it may end like this.
fn judge(
    answered: Answered,
    expected: Result<i32, End>,
    may_stop: bool,
    hindered: Hindered,
    is_metered: bool,
) -> Result<bool, String> {
    let wrong = |how: String| Err(format!("{how} instead of {expected:?} ({hindered:?})"));
    let error = match answered {
        Ok(Ok(_)) if hindered == Hindered::Before => return wrong("a result".into()),
        Ok(Ok(value)) if expected == Ok(value) => return Ok(false),
        Ok(Ok(value)) => return wrong(format!("the result {value}")),
        Ok(Err(error)) => error,
        Err(panic) if panic.is::<Planned>() => {
            return if expected == Err(End::Panic) { Ok(false) } else { wrong("a panic".into()) };
        }
        Err(panic) => resume_unwind(panic),
    };
    let trap = error.trap();
    if trap == Some(Trap::Interrupt) && (may_stop || hindered == Hindered::Before) {
        return Ok(true);
    }
    if trap == Some(Trap::OutOfFuel) && may_stop && is_metered {
        return Ok(true);
    }
    let is_right = match expected {
        _ if hindered == Hindered::Before => false,
        Err(End::Trap(expected)) => trap == Some(expected),
        Err(End::Host) => error.kind() == ErrorKind::Host,
        Err(End::CannotWait) => error.kind() == ErrorKind::Invalid,
        Err(End::Thrown) => error.kind() == ErrorKind::Exception,
        Ok(_) | Err(End::Panic | End::Never) => false,
    };
    if is_right { Ok(false) } else { wrong(format!("{error}")) }
}

fn number(results: &[Val; 1]) -> selkie::Result<i32> {
    results[0].i32().ok_or_else(|| Error::new(ErrorKind::Bug, "the result is no number"))
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> std::thread::Result<Poll<F::Output>> {
    catch_unwind(AssertUnwindSafe(|| future.poll(&mut Context::from_waker(Waker::noop()))))
}

/// The answer of a future that nothing keeps waiting.
fn now<T>(future: impl Future<Output = selkie::Result<T>>) -> selkie::Result<T> {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(Error::new(ErrorKind::Bug, "it waits for nothing")),
    }
}

/// Settings at random.
pub(super) fn config(numbers: &mut Numbers) -> Config {
    let mut config = Config::new();
    config.compile_threads(1).max_wasm_stack_bytes(256 << 10);
    config.guard_pages(numbers.below(4) != 0);
    config.keep_resident_bytes([0, 4096, 70_000, 8 << 20][numbers.below(4)]);
    config.max_idle_instances([0, 1, 64, 64][numbers.below(4)]);
    config.consume_fuel(numbers.below(3) == 0);
    config.epoch_interruption(numbers.below(2) == 0);
    config.inlining(numbers.below(2) == 0);
    config
}
