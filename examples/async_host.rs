//! Embedding with futures: several guests served at once on one thread. Each guest asks the host to
//! wait, and while it waits the others run. The executor is part of the example: the library needs
//! none in particular. Time is simulated, so that the answers come in the same order every time.
//!
//! ```sh
//! cargo run --release -p selkie --example async_host
//! ```

use selkie::{Caller, Config, Engine, InstancePre, Linker, Module, Result, Store};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A guest that counts down, a pause before each step.
const COUNTDOWN: &str = r#"(module
    (import "host" "pause" (func $pause (param i32)))
    (import "host" "say" (func $say (param i32)))
    (func (export "run") (param $from i32) (param $pause i32)
        (loop $again
            (call $pause (local.get $pause))
            (call $say (local.get $from))
            (br_if $again (local.tee $from (i32.sub (local.get $from) (i32.const 1)))))))"#;

/// A guest that never asks for anything. It gives way because its fuel is rationed.
const BUSY: &str = r#"(module
    (func (export "run") (param i32 i32) (loop $again (br $again))))"#;

thread_local! {
    /// Milliseconds since the start, as the simulation has it.
    static NOW: Cell<u64> = const { Cell::new(0) };
    /// When somebody wants to be polled again.
    static TIMERS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Ready at a time.
struct Timer(u64);

impl Future for Timer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if NOW.get() >= self.0 {
            return Poll::Ready(());
        }
        TIMERS.with_borrow_mut(|timers| timers.push(self.0));
        Poll::Pending
    }
}

type Task<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

/// Runs tasks until all have ended or the time is over: each in turn, then on to the next timer.
/// What is left then is dropped, wherever it is.
fn run_until(end_ms: u64, mut tasks: Vec<(&str, Task<'_>)>) {
    let mut context = Context::from_waker(Waker::noop());
    while !tasks.is_empty() && NOW.get() <= end_ms {
        tasks.retain_mut(|(name, task)| match task.as_mut().poll(&mut context) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                let how = result.map_or_else(|error| error.to_string(), |()| "done".to_string());
                println!("{:>4} ms  {name}: {how}", NOW.get());
                false
            }
        });
        let next = TIMERS.with_borrow_mut(|timers| timers.drain(..).min());
        NOW.set(next.unwrap_or(NOW.get()).max(NOW.get() + 1));
    }
    for (name, _) in &tasks {
        println!("{:>4} ms  {name}: out of time", NOW.get());
    }
}

async fn serve(
    pre: InstancePre<&'static str>,
    name: &'static str,
    from: i32,
    pause: i32,
) -> Result<()> {
    let mut store = Store::new(pre.module().engine(), name);
    store.set_fuel(u64::MAX)?;
    store.fuel_async_yield_interval(Some(10_000))?;
    let instance = pre.instantiate_async(&mut store).await?;
    let run = instance.get_typed_func::<(i32, i32), ()>(&mut store, "run")?;
    run.call_async(&mut store, (from, pause)).await
}

fn main() -> Result<()> {
    let engine = Engine::new(Config::new().consume_fuel(true))?;
    let mut linker: Linker<&'static str> = Linker::new(&engine);
    linker.func_wrap_async("host", "pause", |_: Caller<'_, _>, (ms,): (u32,)| {
        Box::new(Timer(NOW.get() + u64::from(ms)))
    })?;
    linker.func_wrap("host", "say", |caller: Caller<'_, &'static str>, number: i32| {
        println!("{:>4} ms  {}: {number}", NOW.get(), caller.data());
    })?;
    let countdown = linker.instantiate_pre(&Module::new(&engine, COUNTDOWN)?)?;
    let busy = linker.instantiate_pre(&Module::new(&engine, BUSY)?)?;
    run_until(
        300,
        vec![
            ("otter", Box::pin(serve(countdown.clone(), "otter", 3, 50))),
            ("seal", Box::pin(serve(countdown, "seal", 5, 20))),
            ("walrus", Box::pin(serve(busy, "walrus", 0, 0))),
        ],
    );
    Ok(())
}

#[test]
fn it_runs() {
    main().expect("guests that fail are told of, not passed on");
    assert!(NOW.get() >= 300);
}
