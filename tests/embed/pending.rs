//! Calls that wait for the host: `call_async`, host functions that answer futures, and what happens
//! when such a call is left, moved or dropped.

mod ends;
mod frames;
mod fuel;
mod inside;
mod instances;
mod many;

use selkie::{Caller, Engine, Instance, Linker, Module, Store};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread.
fn block_on<R>(future: impl Future<Output = R>) -> R {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Polls once, for nobody.
fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
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

/// Counts how many of it live.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(live: &Arc<AtomicUsize>) -> Counted {
        live.fetch_add(1, Ordering::Relaxed);
        Counted(live.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Data of a store: how often a host function is pending, and what it has noted.
#[derive(Default)]
struct Host {
    pending: usize,
    notes: Vec<i64>,
    live: Arc<AtomicUsize>,
}

/// A linker with `host` `later`, which is pending as often as the store says and adds one.
fn linker(engine: &Engine) -> Linker<Host> {
    let mut linker = Linker::new(engine);
    linker
        .func_wrap_async("host", "later", |mut caller: Caller<'_, Host>, (x,): (i64,)| {
            Box::new(async move {
                let _counted = Counted::new(&caller.data().live);
                Later(caller.data().pending).await;
                caller.data_mut().notes.push(x);
                x + 1
            })
        })
        .unwrap();
    linker
}

/// A store that is pending so often, with an instance of a module.
fn instantiate(engine: &Engine, text: &str, pending: usize) -> (Store<Host>, Instance) {
    let module = Module::new(engine, text).unwrap();
    let mut store = Store::new(engine, Host { pending, ..Host::default() });
    let instance = linker(engine).instantiate(&mut store, &module).unwrap();
    (store, instance)
}

/// Calls `later` as often as its parameter says and adds up.
const SUM: &str = r#"(module
    (import "host" "later" (func $later (param i64) (result i64)))
    (func $step (param i64) (result i64) (call $later (local.get 0)))
    (func (export "sum") (param $n i64) (result i64) (local $sum i64)
        (loop $again
            (local.set $sum (i64.add (local.get $sum) (call $step (local.get $n))))
            (br_if $again (i64.ne (i64.const 0)
                (local.tee $n (i64.sub (local.get $n) (i64.const 1))))))
        (local.get $sum)))"#;

#[test]
fn a_call_waits_and_goes_on() {
    for pending in [0, 1, 3] {
        let (mut store, instance) = instantiate(&Engine::default(), SUM, pending);
        let sum = instance.get_typed_func::<i64, i64>(&mut store, "sum").unwrap();
        assert_eq!(block_on(sum.call_async(&mut store, 4)).unwrap(), 14);
        assert_eq!(store.data().notes, [4, 3, 2, 1]);
    }
}

#[test]
fn it_is_polled_as_often_as_the_host_is_pending_and_no_oftener() {
    let (mut store, instance) = instantiate(&Engine::default(), SUM, 2);
    let sum = instance.get_typed_func::<i64, i64>(&mut store, "sum").unwrap();
    let mut call = Box::pin(sum.call_async(&mut store, 3));
    for _ in 0..6 {
        assert!(poll_once(call.as_mut()).is_pending());
    }
    assert!(matches!(poll_once(call.as_mut()), Poll::Ready(Ok(9))));
}

#[test]
fn calls_of_both_kinds_take_turns_in_one_store() {
    let text = r#"(module
        (import "host" "later" (func $later (param i64) (result i64)))
        (func (export "later") (param i64) (result i64) (call $later (local.get 0)))
        (func (export "twice") (param i64) (result i64) (i64.mul (local.get 0) (i64.const 2))))"#;
    let (mut store, instance) = instantiate(&Engine::default(), text, 1);
    let later = instance.get_typed_func::<i64, i64>(&mut store, "later").unwrap();
    let twice = instance.get_typed_func::<i64, i64>(&mut store, "twice").unwrap();
    for x in 0..100 {
        assert_eq!(block_on(later.call_async(&mut store, x)).unwrap(), x + 1);
        assert_eq!(twice.call(&mut store, x).unwrap(), 2 * x);
        assert_eq!(block_on(twice.call_async(&mut store, x)).unwrap(), 2 * x);
    }
}

#[test]
fn a_call_is_send_where_the_data_is() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let (mut store, instance) = instantiate(&Engine::default(), SUM, 1);
    let module = Module::new(&Engine::default(), "(module)").unwrap();
    let func = instance.get_func(&mut store, "sum").unwrap();
    let sum = func.typed::<i64, i64>(&store).unwrap();
    drop(is_send(sum.call_async(&mut store, 1)));
    drop(is_send(func.call_async(&mut store, &[], &mut [])));
    drop(is_send(Instance::new_async(&mut store, &module, &[])));
    let linker = linker(&Engine::default());
    drop(is_send(linker.instantiate_async(&mut store, &module)));
    drop(is_send(linker.instantiate_pre(&module).map(|pre| drop(is_send(pre)))));
}
