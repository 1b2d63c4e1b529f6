//! Wasmtime.

use selkie_benches::Outcome;
use wasmtime::{
    Caller, Engine, Extern, FuncType, Instance, Linker, Memory, Module, Store, Val, ValType,
};

use super::{Case, counted, guest, sum, work};
use crate::contest::Work;

type Data = super::Data<Memory>;

/// The operation of a case.
///
/// # Errors
/// When the guest cannot be instantiated.
pub fn operation(case: Case) -> Outcome<Work> {
    let engine = Engine::default();
    let module = Module::new(&engine, guest()?).map_err(said)?;
    let mut store = Store::new(&engine, Data::default());
    let instance = linker(&engine, case)?.instantiate(&mut store, &module).map_err(said)?;
    store.data_mut().memory = instance.get_memory(&mut store, "memory");
    into_work(case, store, instance)
}

fn linker(engine: &Engine, case: Case) -> Outcome<Linker<Data>> {
    let mut linker = Linker::new(engine);
    match case {
        Case::ImportData => {
            linker.func_wrap("host", "next", |mut caller: Caller<'_, Data>, x: i32| {
                caller.data_mut().calls += 1;
                x + 1
            })
        }
        Case::ImportMemory => {
            linker.func_wrap("host", "next", |caller: Caller<'_, Data>, x: i32| {
                let memory = caller.data().memory.expect("the memory was noted before");
                x + first_word(memory.data(&caller))
            })
        }
        Case::ImportLookUp => {
            linker.func_wrap("host", "next", |mut caller: Caller<'_, Data>, x: i32| {
                let memory = caller.get_export("memory").and_then(Extern::into_memory);
                let memory = memory.expect("the guest exports its memory");
                x + first_word(memory.data(&caller))
            })
        }
        Case::ImportValues => {
            let ty = FuncType::new(engine, [ValType::I32], [ValType::I32]);
            linker.func_new("host", "next", ty, |_, params, results| {
                let Val::I32(x) = params[0] else { unreachable!("the type says so") };
                results[0] = Val::I32(x + 1);
                Ok(())
            })
        }
        _ => linker.func_wrap("host", "next", |x: i32| x + 1),
    }
    .map_err(said)?;
    Ok(linker)
}

fn first_word(memory: &[u8]) -> i32 {
    i32::from_le_bytes([memory[0], memory[1], memory[2], memory[3]])
}

fn into_work(case: Case, mut store: Store<Data>, instance: Instance) -> Outcome<Work> {
    Ok(match case {
        Case::Add => {
            let add =
                instance.get_typed_func::<(i32, i32), i32>(&mut store, "add").map_err(said)?;
            work(store, move |store, count| {
                (0..count as i32)
                    .try_for_each(|i| sum(i, add.call(&mut *store, (i, 1)).map_err(said)?))
            })
        }
        Case::Nothing => {
            let nothing = instance.get_typed_func::<(), ()>(&mut store, "nothing").map_err(said)?;
            work(store, move |store, count| {
                (0..count).try_for_each(|_| nothing.call(&mut *store, ()).map_err(said))
            })
        }
        Case::Floats => {
            let floats = instance
                .get_typed_func::<(f64, f64, f64, f64), f64>(&mut store, "floats")
                .map_err(said)?;
            work(store, move |store, count| {
                (0..count).try_for_each(|i| {
                    let given = (f64::from(i), 1.0, 2.0, 3.0);
                    let answer = floats.call(&mut *store, given).map_err(said)?;
                    if answer == given.0 + 6.0 { Ok(()) } else { Err(format!("{answer}")) }
                })
            })
        }
        Case::AddValues => {
            let add = instance.get_func(&mut store, "add").ok_or("no `add`")?;
            work(store, move |store, count| {
                let mut results = [Val::I32(0)];
                (0..count as i32).try_for_each(|i| {
                    let given = [Val::I32(i), Val::I32(1)];
                    add.call(&mut *store, &given, &mut results).map_err(said)?;
                    let Val::I32(answer) = results[0] else { return Err("no i32".to_owned()) };
                    sum(i, answer)
                })
            })
        }
        _ => {
            let repeat = instance.get_typed_func::<i32, i32>(&mut store, "loop").map_err(said)?;
            work(store, move |store, count| {
                counted(repeat.call(&mut *store, count as i32).map_err(said)?, count)
            })
        }
    })
}

fn said(error: wasmtime::Error) -> String {
    format!("wasmtime: {error:#}")
}
