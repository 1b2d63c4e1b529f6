//! The host that guests ask for things.

use selkie::{
    AsContextMut, Caller, Engine, Error, InstancePre, InterruptHandle, Linker, ResourceLimiter,
    Result, Store, Val,
};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Data of a store.
#[derive(Debug, Default)]
pub(super) struct Data {
    pub(super) handle: Option<InterruptHandle>,
    /// Stores that are dropped during a call of another one.
    pub(super) spare: Vec<Store<Data>>,
    /// Snapshots taken during a call; an error where that was refused.
    pub(super) taken: Vec<Result<InstancePre<Data>>>,
    /// Whether instances may not start.
    pub(super) refuses: bool,
    /// How often a function that waits is pending.
    pub(super) pending: usize,
    pub(super) is_metered: bool,
}

/// What a host function of ours panics with.
pub(super) struct Planned;

/// A linker with `host` `poke`, which does what its parameter says, and `later`, which waits.
pub(super) fn linker(engine: &Engine) -> Result<Linker<Data>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "poke", poke)?;
    linker.func_wrap_async("host", "later", |caller: Caller<'_, Data>, (kind,): (i32,)| {
        Box::new(async move {
            Later(caller.data().pending).await;
            if kind == 1 { Err(Error::msg("refused")) } else { Ok(kind) }
        })
    })?;
    Ok(linker)
}

fn poke(mut caller: Caller<'_, Data>, kind: i32) -> Result<i32> {
    match kind {
        1 => return Err(Error::msg("refused")),
        2 => caller.data().handle.iter().for_each(InterruptHandle::interrupt),
        3 => {
            let memory = caller.get_export("memory").and_then(selkie::Extern::into_memory);
            memory.ok_or_else(|| Error::msg("no memory"))?.write(&mut caller, 5, &[0x77])?;
        }
        4 => {
            let instance = caller.instance().ok_or_else(|| Error::msg("no instance"))?;
            let number = instance.get_typed_func::<(i32, i32, i32), i32>(&mut caller, "number")?;
            number.call(&mut caller, (1234, 0, 0))?;
        }
        5 => caller.data_mut().spare.clear(),
        6 => {
            let instance = caller.instance().ok_or_else(|| Error::msg("no instance"))?;
            let taken = instance.snapshot(&mut caller);
            caller.data_mut().taken.push(taken);
        }
        7 => std::panic::resume_unwind(Box::new(Planned)),
        8 if caller.data().is_metered => caller.set_fuel(0)?,
        9 => {
            let memory = caller.get_export("memory").and_then(selkie::Extern::into_memory);
            // Whether it can is for the model to say.
            drop(memory.ok_or_else(|| Error::msg("no memory"))?.grow(&mut caller, 1));
        }
        10 => {
            let table = caller.get_export("table").and_then(selkie::Extern::into_table);
            let table = table.ok_or_else(|| Error::msg("no table"))?;
            drop(table.grow(&mut caller, 1, Val::FuncRef(None)));
        }
        11 => caller.as_context_mut().gc(),
        12 if caller.data().refuses => return Err(Error::msg("refused")),
        _ => {}
    }
    Ok(kind)
}

/// Pending so many times; wakes itself each time.
struct Later(usize);

impl Future for Later {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Refuses what is larger.
pub(super) struct Limiter(pub(super) super::model::Caps);

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: u64, desired: u64, _: Option<u64>) -> bool {
        desired <= self.0.memory_bytes as u64
    }

    fn table_growing(&mut self, _: u64, desired: u64, _: Option<u64>) -> bool {
        desired <= self.0.elements as u64
    }
}
