//! A program in the engine, and whether it does there what the model says.

use super::model::{End, Exception, Model, Parameters, Trap as ModelTrap};
use super::{IMPORTED_TAGS, Program, TAGS, encode, generate};
use crate::campaign::Outcome;
use crate::generate::Numbers;
use selkie::{
    Caller, Config, Engine, Error, ErrorKind, ExnRef, Extern, FuncType, Instance, Linker, Module,
    RootScope, Rooted, Store, Tag, Trap, Val, ValType,
};
use std::sync::LazyLock;

/// Engines that must do the same: the defaults, without inlining, and with a collection at each
/// allocation.
static ENGINES: LazyLock<[Engine; 3]> = LazyLock::new(|| {
    let mut plain = Config::new();
    plain.compile_threads(1);
    let (mut calls, mut stressed) = (plain.clone(), plain.clone());
    calls.inlining(false);
    stressed.gc_stress(true);
    [plain, calls, stressed].map(|config| Engine::new(&config).expect("these settings fit"))
});

/// Calls of each function.
const ROUNDS: u32 = 2;

/// What the host's functions need.
struct Host {
    tags: [Tag; IMPORTED_TAGS],
}

/// Makes a program and runs it; useless where it takes too long.
pub fn behaves_as_its_model(numbers: &mut Numbers) -> Outcome {
    let program = generate::program(numbers);
    let bytes = encode::module(&program);
    let seed = numbers.next_u64() as u32;
    let mut model = Model::new(&program);
    let mut expected = Vec::new();
    for function in 0..program.functions.len() {
        for round in 0..ROUNDS {
            let argument = seed.wrapping_mul(round).wrapping_add(function as u32);
            match model.call(0, function, argument) {
                Some(end) => expected.push((function, argument, end)),
                None => return Outcome::Useless,
            }
        }
    }
    for (which, engine) in ENGINES.iter().enumerate() {
        let done = run(engine, &program, &bytes, &expected, model.traces);
        if let Err(how) = done {
            return Outcome::Wrong(format!("engine {which}: {how}"), bytes);
        }
    }
    Outcome::Right(expected.len() as u64)
}

fn run(
    engine: &Engine,
    program: &Program,
    bytes: &[u8],
    expected: &[(usize, u32, End)],
    traces: [u64; 2],
) -> Result<(), String> {
    let words = |error: Error| error.to_string();
    let module = Module::from_binary(engine, bytes).map_err(words)?;
    let ty = FuncType::new(engine, [ValType::I32], []);
    let mut store = Store::new(engine, None);
    let first = Tag::new(&mut store, &ty).map_err(words)?;
    let second = match program.tags_are_one {
        true => first,
        false => Tag::new(&mut store, &ty).map_err(words)?,
    };
    let tags = [first, second];
    *store.data_mut() = Some(Host { tags });
    let second = instantiate(engine, &mut store, &module, tags, None).map_err(words)?;
    let first = instantiate(engine, &mut store, &module, tags, Some(second)).map_err(words)?;
    let known = [known_tags(&mut store, first, tags), known_tags(&mut store, second, tags)];
    for (function, argument, end) in expected {
        let called = first
            .get_typed_func::<u32, u32>(&mut store, &format!("f{function}"))
            .and_then(|func| func.call(&mut store, *argument));
        compare(&mut store, &known, called, end)
            .map_err(|how| format!("f{function}({argument}): {how}"))?;
    }
    for (instance, trace) in [first, second].into_iter().zip(traces) {
        let found = instance.get_global(&mut store, "trace").map(|it| it.get(&mut store));
        if found.and_then(|value| value.i64()) != Some(trace as i64) {
            return Err(format!("the trace is {found:?}, not {trace}"));
        }
    }
    Ok(())
}

fn instantiate(
    engine: &Engine,
    store: &mut Store<Option<Host>>,
    module: &Module,
    tags: [Tag; IMPORTED_TAGS],
    other: Option<Instance>,
) -> selkie::Result<Instance> {
    let mut linker = Linker::new(engine);
    for (at, tag) in tags.into_iter().enumerate() {
        linker.define(&mut *store, "host", &format!("t{at}"), tag)?;
    }
    linker.func_wrap("host", "call", host_call)?;
    linker.func_wrap("host", "throw", host_throw)?;
    match other {
        Some(other) => {
            linker.instance(&mut *store, "other", other)?;
        }
        None => {
            for import in module.imports().filter(|import| import.module() == "other") {
                linker.func_wrap("other", import.name(), |argument: u32| argument)?;
            }
        }
    }
    linker.instantiate(store, module)
}

/// Calls back; every other time the error is wrapped on its way.
fn host_call(
    mut caller: Caller<'_, Option<Host>>,
    function: u32,
    argument: u32,
) -> selkie::Result<u32> {
    let instance = caller.instance().ok_or_else(|| Error::msg("nobody called"))?;
    let func = instance.get_typed_func::<u32, u32>(&mut caller, &format!("f{function}"))?;
    let done = func.call(&mut caller, argument);
    if argument.is_multiple_of(2) {
        done.map_err(|error| error.context("calling back"))
    } else {
        done
    }
}

fn host_throw(mut caller: Caller<'_, Option<Host>>, tag: u32, value: u32) -> selkie::Result<()> {
    let tag = caller.data().as_ref().map(|host| host.tags[tag as usize]);
    let tag = tag.ok_or_else(|| Error::msg("no tags yet"))?;
    let exception = ExnRef::new(&mut caller, &tag, &[Val::I32(value as i32)])?;
    caller.throw(exception)
}

/// The tags of an instance, by their places in [`TAGS`].
fn known_tags(
    store: &mut Store<Option<Host>>,
    instance: Instance,
    imported: [Tag; IMPORTED_TAGS],
) -> Vec<Tag> {
    let mut tags = imported.to_vec();
    for at in IMPORTED_TAGS..TAGS.len() {
        let export = instance.get_export(&mut *store, &format!("t{at}"));
        tags.extend(export.and_then(Extern::into_tag));
    }
    tags
}

fn compare(
    store: &mut Store<Option<Host>>,
    tags: &[Vec<Tag>; 2],
    called: selkie::Result<u32>,
    end: &End,
) -> Result<(), String> {
    match (called, end) {
        (Ok(found), End::Value(wanted)) if found == *wanted => Ok(()),
        (Err(error), End::Trap(trap)) => {
            let wanted = match trap {
                ModelTrap::Unreachable => Trap::Unreachable,
                ModelTrap::NullException => Trap::NullExceptionReference,
            };
            if error.trap() == Some(wanted) {
                Ok(())
            } else {
                Err(format!("{error}, not {trap:?}"))
            }
        }
        (Err(error), End::Thrown(wanted)) if error.kind() == ErrorKind::Exception => {
            let found = error.exception().ok_or("no exception in the error")?.clone();
            let mut scope = RootScope::new(store);
            let found = found.to_rooted(&mut scope).map_err(|e| e.to_string())?;
            same_exception(&mut scope, tags, found, wanted)
        }
        (Ok(found), wanted) => Err(format!("{found}, not {wanted:?}")),
        (Err(error), wanted) => Err(format!("{error}, not {wanted:?}")),
    }
}

/// Compares an exception and those that it carries.
fn same_exception(
    scope: &mut RootScope<&mut Store<Option<Host>>>,
    tags: &[Vec<Tag>; 2],
    found: Rooted<ExnRef>,
    wanted: &Exception,
) -> Result<(), String> {
    let (mut found, mut wanted) = (found, wanted);
    loop {
        let words = |error: Error| error.to_string();
        let tag = found.tag(&*scope).map_err(words)?;
        let known = tags[wanted.tag / TAGS.len()].get(wanted.tag % TAGS.len());
        if known != Some(&tag) {
            return Err(format!("{tag:?} is not the tag of {wanted:?}"));
        }
        let fields: Vec<Val> = found.fields(&mut *scope).map_err(words)?.collect();
        let differs = || Err(format!("{fields:?} are not the parameters of {wanted:?}"));
        match (&wanted.parameters, &fields[..]) {
            (Parameters::Nothing, []) => return Ok(()),
            (Parameters::I32(a), [Val::I32(b)]) if *a == *b as u32 => return Ok(()),
            (Parameters::Wide(a, b), [Val::I64(c), Val::F64(d)]) if *a == *c as u64 && b == d => {
                return Ok(());
            }
            (Parameters::Nested(a, b, inner), [Val::I32(c), Val::V128(d), Val::ExnRef(e)])
                if *a == *c as u32 && *b == d.0 =>
            {
                match (inner, e) {
                    (None, None) => return Ok(()),
                    (Some(next), Some(exception)) => (wanted, found) = (&**next, *exception),
                    _ => return differs(),
                }
            }
            _ => return differs(),
        }
    }
}
