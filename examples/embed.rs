//! Embedding: a host that runs untrusted rules for prices. A rule is a module that exports
//! `price`; it may ask the host for the weight of an item, and for nothing else.
//!
//! ```sh
//! cargo run --release -p selkie --example embed
//! ```

use selkie::{Caller, Engine, InstancePre, Linker, Module, Result, Store, Trap};

/// What the host knows and rules may ask about.
struct Shop {
    weights: Vec<i32>,
    questions: usize,
}

/// Three euros and one for each kilogram, in cents.
const BY_WEIGHT: &str = r#"(module
    (import "shop" "weight" (func $weight (param i32) (result i32)))
    (func (export "price") (param $item i32) (result i32)
        (i32.add (i32.const 300) (i32.div_s (call $weight (local.get $item)) (i32.const 10)))))"#;

/// A rule with a mistake: it divides by the item's number.
const BROKEN: &str = r#"(module
    (func (export "price") (param $item i32) (result i32)
        (i32.div_s (i32.const 1000) (local.get $item))))"#;

fn main() -> Result<()> {
    let engine = Engine::default();
    let mut linker = Linker::new(&engine);
    linker.func_wrap("shop", "weight", |mut caller: Caller<'_, Shop>, item: i32| {
        let shop = caller.data_mut();
        shop.questions += 1;
        usize::try_from(item).ok().and_then(|i| shop.weights.get(i).copied()).unwrap_or(0)
    })?;

    // Compiling and linking happen once; a fresh instance for each price costs microseconds.
    let by_weight = linker.instantiate_pre(&Module::new(&engine, BY_WEIGHT)?)?;
    for item in 0..3 {
        println!("item {item} costs {} cents", price(&engine, &by_weight, item)?);
    }

    // A guest that fails is an error of its own; the host goes on.
    let broken = linker.instantiate_pre(&Module::new(&engine, BROKEN)?)?;
    match price(&engine, &broken, 0) {
        Err(error) if error.trap() == Some(Trap::IntegerDivideByZero) => {
            println!("the other rule is refused: {error}");
        }
        other => println!("the other rule says {:?}", other?),
    }
    Ok(())
}

fn price(engine: &Engine, rule: &InstancePre<Shop>, item: i32) -> Result<i32> {
    let shop = Shop { weights: vec![250, 1200, 40], questions: 0 };
    let mut store = Store::new(engine, shop);
    let instance = rule.instantiate(&mut store)?;
    instance.get_typed_func::<i32, i32>(&mut store, "price")?.call(&mut store, item)
}
