//! A host that runs plugins which it does not trust. Each gets a store of its own, with a deadline,
//! fuel and limits; a limiter sees to what all of them may take together. Whatever a plugin does, it
//! comes back as an error, and the next one is served.
//!
//! ```sh
//! cargo run --release -p selkie --example plugin_host
//! ```

use selkie::{
    Caller, Config, Engine, ErrorKind, InstancePre, Linker, Module, ResourceLimiter, Result, Store,
    StoreLimits, Trap,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a plugin may use. Fuel is the same on every machine; the deadline is for its time.
const FUEL: u64 = 500_000_000;
const DEADLINE: Duration = Duration::from_millis(50);
const MEMORY_BYTES: u64 = 16 << 20;
const TENANT_BYTES: u64 = 64 << 20;

/// Bytes that the tenant's plugins may still take, and what one of them has taken.
struct Tenant {
    left: Arc<AtomicU64>,
    taken: u64,
}

impl ResourceLimiter for Tenant {
    fn memory_growing(&mut self, current: u64, desired: u64, _: Option<u64>) -> bool {
        let more = desired - current;
        let take = |left: u64| left.checked_sub(more);
        let is_there = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok();
        self.taken += if is_there { more } else { 0 };
        is_there
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.left.fetch_add(self.taken, Ordering::Relaxed);
    }
}

/// Plugins by name. Each exports `run`, and may import `host.say`.
const PLUGINS: [(&str, &str); 8] = [
    (
        "polite",
        r#"(module
        (import "host" "say" (func $say (param i32)))
        (func (export "run") (call $say (i32.const 42))))"#,
    ),
    ("endless", r#"(module (func (export "run") (loop $again (br $again))))"#),
    (
        "hog",
        r#"(module
        (import "host" "say" (func $say (param i32)))
        (memory 1)
        (func (export "run")
            (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
            (call $say (memory.size))))"#,
    ),
    ("giant", r#"(module (memory 1024) (func (export "run")))"#),
    ("diver", r#"(module (func $run (export "run") (call $run)))"#),
    (
        "divider",
        r#"(module
        (func (export "run") (drop (i32.div_u (i32.const 1) (i32.const 0)))))"#,
    ),
    (
        "explorer",
        r#"(module
        (memory 1)
        (func (export "run") (drop (i32.load (i32.const -4)))))"#,
    ),
    (
        "burglar",
        r#"(module
        (import "host" "open_the_safe" (func $open))
        (func (export "run") (call $open)))"#,
    ),
];

/// Compiles a plugin and looks up what it imports. Fails for what the host does not offer.
fn load(linker: &Linker<Vec<i32>>, text: &str) -> Result<InstancePre<Vec<i32>>> {
    linker.instantiate_pre(&Module::new(linker.engine(), text)?)
}

/// Runs a plugin; what it said.
fn run(plugin: &InstancePre<Vec<i32>>, left: &Arc<AtomicU64>) -> Result<Vec<i32>> {
    let mut store = Store::new(plugin.module().engine(), Vec::new());
    store.set_limits(StoreLimits { memory_bytes: MEMORY_BYTES, ..StoreLimits::default() });
    store.limiter(Tenant { left: left.clone(), taken: 0 });
    store.set_fuel(FUEL)?;
    store.set_deadline(Some(DEADLINE))?;
    let instance = plugin.instantiate(&mut store)?;
    instance.get_typed_func::<(), ()>(&mut store, "run")?.call(&mut store, ())?;
    Ok(store.into_data())
}

/// What became of each plugin.
fn report() -> Result<Vec<(&'static str, String)>> {
    let engine = Engine::new(Config::new().consume_fuel(true).epoch_interruption(true))?;
    let mut linker: Linker<Vec<i32>> = Linker::new(&engine);
    linker.func_wrap("host", "say", |mut caller: Caller<'_, Vec<i32>>, number: i32| {
        caller.data_mut().push(number);
    })?;
    let left = Arc::new(AtomicU64::new(TENANT_BYTES));
    let told = PLUGINS.map(|(name, text)| {
        let what = match load(&linker, text).and_then(|plugin| run(&plugin, &left)) {
            Ok(said) => format!("said {said:?}"),
            Err(error) => match (error.trap(), error.kind()) {
                (Some(Trap::Interrupt | Trap::OutOfFuel), _) => "took too long".to_owned(),
                (Some(trap), _) => format!("trapped: {trap}"),
                (None, ErrorKind::Limit) => "wants too much".to_owned(),
                (None, ErrorKind::Link) => format!("is not for this host: {error}"),
                (None, _) => format!("failed: {error}"),
            },
        };
        (name, what)
    });
    assert_eq!(left.load(Ordering::Relaxed), TENANT_BYTES, "all of it has been given back");
    Ok(told.into())
}

fn main() -> Result<()> {
    for (name, what) in report()? {
        println!("{name:<10} {what}");
    }
    Ok(())
}

#[test]
fn every_plugin_comes_to_the_end_that_it_deserves() {
    let told = report().expect("the host goes on");
    let of = |name: &str| told.iter().find(|(n, _)| *n == name).map(|(_, what)| what.as_str());
    assert_eq!(of("polite"), Some("said [42]"));
    assert_eq!(of("endless"), Some("took too long"));
    assert_eq!(of("hog"), Some("said [241]"));
    assert_eq!(of("giant"), Some("wants too much"));
    for name in ["diver", "divider", "explorer"] {
        assert!(of(name).is_some_and(|what| what.starts_with("trapped: ")), "{name}");
    }
    assert!(of("burglar").is_some_and(|what| what.starts_with("is not for this host")));
}
