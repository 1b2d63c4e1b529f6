//! Memories that threads share: every instance sees the same bytes, and `wait` sleeps until
//! `notify` wakes it.

use selkie::{
    Engine, IndexType, Instance, Limits, Memory, MemoryType, Module, SharedMemory, Store, Trap,
};
use std::time::{Duration, Instant};

const TYPE: MemoryType = MemoryType {
    limits: Limits { min: 1, max: Some(10) },
    shared: true,
    index: IndexType::I32,
    page_size_log2: 16,
};

const MODULE: &str = r#"(module (import "h" "m" (memory 1 10 shared))
    (func (export "count") (param i32)
        loop
            i32.const 0  i32.const 1  i32.atomic.rmw.add  drop
            local.get 0  i32.const 1  i32.sub  local.tee 0  br_if 0
        end)
    (func (export "wait") (param i32 i64) (result i32)
        i32.const 64  local.get 0  local.get 1  memory.atomic.wait32)
    (func (export "notify") (param i32) (result i32)
        i32.const 64  local.get 0  memory.atomic.notify)
    (func (export "set") (param i32 i32) local.get 0 local.get 1 i32.atomic.store)
    (func (export "get") (param i32) (result i32) local.get 0 i32.atomic.load)
    (func (export "grow") (result i32) i32.const 1 memory.grow)
    (func (export "size") (result i32) memory.size))"#;

struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    fn new(engine: &Engine, module: &Module, memory: &SharedMemory) -> Guest {
        let mut store = Store::new(engine, ());
        let import = memory.memory(&mut store).unwrap();
        let instance = Instance::new(&mut store, module, &[import.into()]).unwrap();
        Guest { store, instance }
    }

    fn call<P: selkie::WasmParams, R: selkie::WasmResults>(&mut self, name: &str, params: P) -> R {
        let func = self.instance.get_typed_func::<P, R>(&mut self.store, name).unwrap();
        func.call(&mut self.store, params).unwrap()
    }
}

fn shared() -> (Engine, Module, SharedMemory) {
    let engine = Engine::default();
    let module = Module::new(&engine, MODULE).unwrap();
    let memory = SharedMemory::new(&engine, TYPE).unwrap();
    (engine, module, memory)
}

#[test]
fn atomic_additions_of_several_threads_all_count() {
    let (engine, module, memory) = shared();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| Guest::new(&engine, &module, &memory).call::<_, ()>("count", 50_000));
        }
    });
    let mut bytes = [0; 4];
    memory.read(0, &mut bytes).unwrap();
    assert_eq!(u32::from_le_bytes(bytes), 200_000);
}

#[test]
fn wait_answers_why_it_ended() {
    let (engine, module, memory) = shared();
    let mut guest = Guest::new(&engine, &module, &memory);
    assert_eq!(guest.call::<_, i32>("wait", (5, -1_i64)), 1, "not equal");
    let start = Instant::now();
    assert_eq!(guest.call::<_, i32>("wait", (0, 30_000_000_i64)), 2, "timed out");
    assert!(start.elapsed() >= Duration::from_millis(30));
    assert_eq!(guest.call::<_, i32>("notify", -1), 0, "nobody waits");
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let mut guest = Guest::new(&engine, &module, &memory);
                scope.spawn(move || guest.call::<_, i32>("wait", (0, -1_i64)))
            })
            .collect();
        let mut woken = 0;
        while woken < 3 {
            woken += guest.call::<_, i32>("notify", 1);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap() == 0));
    });
}

#[test]
fn growth_by_one_thread_is_seen_by_the_others() {
    let (engine, module, memory) = shared();
    let mut first = Guest::new(&engine, &module, &memory);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut guest = Guest::new(&engine, &module, &memory);
            while guest.call::<_, i32>("size", ()) < 10 {
                let size = guest.call::<_, i32>("size", ());
                assert_eq!(guest.call::<_, i32>("get", size * 65536 - 4), 0);
            }
        });
        for size in 1..10 {
            assert_eq!(first.call::<_, i32>("grow", ()), size);
        }
        reader.join().unwrap();
    });
    assert_eq!(first.call::<_, i32>("grow", ()), -1);
    assert_eq!(memory.data_size(), 10 << 16);
}

#[test]
fn the_host_reads_and_writes_a_shared_memory() {
    let (engine, module, memory) = shared();
    let mut guest = Guest::new(&engine, &module, &memory);
    guest.call::<_, ()>("set", (128, 77));
    let mut bytes = [0; 4];
    memory.read(128, &mut bytes).unwrap();
    assert_eq!(bytes, 77_i32.to_le_bytes());
    memory.write(128, &5_i32.to_le_bytes()).unwrap();
    assert_eq!(guest.call::<_, i32>("get", 128), 5);
    assert!(memory.read(65536, &mut [0]).is_err());
    assert!(memory.write(usize::MAX, &[0]).is_err());
    let item = memory.memory(&mut guest.store).unwrap();
    assert!(item.data(&guest.store).is_empty(), "no plain view of what others may write");
    assert!(item.as_shared(&guest.store).is_some());
}

#[test]
fn a_memory_that_is_not_shared_cannot_be_waited_on_nor_shared() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let plain = MemoryType { shared: false, ..TYPE };
    assert!(SharedMemory::new(&engine, plain).is_err());
    let memory = Memory::new(&mut store, plain).unwrap();
    assert!(memory.as_shared(&store).is_none());
    let module = Module::new(
        &engine,
        r#"(module (memory 1)
            (func (export "wait") (result i32)
                i32.const 0  i32.const 0  i64.const 0  memory.atomic.wait32)
            (func (export "notify") (result i32) i32.const 0 i32.const 1 memory.atomic.notify)
            (func (export "unaligned") (result i32) i32.const 2 i32.atomic.load))"#,
    )
    .unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let mut call = |name: &str| {
        let func = instance.get_typed_func::<(), i32>(&mut store, name).unwrap();
        func.call(&mut store, ()).map_err(|error| error.trap())
    };
    assert_eq!(call("wait"), Err(Some(Trap::ExpectedSharedMemory)));
    assert_eq!(call("notify"), Ok(0));
    assert_eq!(call("unaligned"), Err(Some(Trap::UnalignedAtomic)));
}
