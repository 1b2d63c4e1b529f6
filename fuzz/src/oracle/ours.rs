//! Selkie, as the oracle drives it.

use super::{Kind, Machine, Seen, State, Trapped, Value};
use crate::campaign::Outcome;
use selkie::preinit::Preinit;
use selkie::{
    Config, Engine, Error, ErrorKind, Extern, ExternType, Features, Instance, Linker, Module,
    Store, Trap, V128, Val, ValType,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(super) struct Ours {
    store: Store<()>,
    instance: Instance,
    /// What names begin with that are not the module's own.
    hidden: Option<&'static str>,
}

/// Engines that must do the same: the defaults, and every check written out.
static ENGINES: LazyLock<[Engine; 2]> = LazyLock::new(|| {
    let mut plain = Config::new();
    plain.compile_threads(1).max_wasm_stack_bytes(1 << 20);
    let mut checked = plain.clone();
    checked.guard_pages(false).inlining(false);
    [plain, checked].map(|config| Engine::new(&config).expect("these settings fit every host"))
});

fn engine_for(module: &[u8]) -> &'static Engine {
    &ENGINES[module.len() % ENGINES.len()]
}

pub(super) fn instantiate(module: &[u8]) -> Result<Result<impl Machine, Trapped>, String> {
    let engine = engine_for(module);
    let module = Module::new(engine, module).map_err(|e| format!("not compiled: {e}"))?;
    let mut store = Store::new(engine, ());
    match Instance::new(&mut store, &module, &[]) {
        Ok(instance) => Ok(Ok(Ours { store, instance, hidden: None })),
        Err(error) => trapped(&error).map(Err),
    }
}

/// A module of the state that `call` leaves behind, the instance itself, and what both export;
/// `None` where there is no state, or one that no module can begin with.
#[expect(clippy::type_complexity, reason = "a name for it would say no more")]
pub(super) fn initialised(
    module: &[u8],
    call: impl FnOnce(&mut dyn Machine, &[(String, Vec<Kind>)]) -> Result<(), String>,
) -> Result<Option<(Vec<u8>, Ours, Vec<(String, Vec<Kind>)>)>, String> {
    let engine = engine_for(module);
    let preinit = Preinit::new();
    let prepared = preinit.prepare(engine, module).map_err(|e| format!("not prepared: {e}"))?;
    let mut store = Store::new(engine, ());
    let Ok(instance) = prepared.start(&mut store, &Linker::new(engine)) else { return Ok(None) };
    let mut ours = Ours { store, instance, hidden: Some("preinit:") };
    let functions = ours.functions();
    call(&mut ours, &functions)?;
    match prepared.finish(&mut ours.store, instance) {
        Ok(ready) => Ok(Some((ready, ours, functions))),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(None),
        Err(error) => Err(format!("not finished: {error}")),
    }
}

impl Ours {
    fn hides(&self, name: &str) -> bool {
        self.hidden.is_some_and(|hidden| name.starts_with(hidden))
    }
}

impl Machine for Ours {
    fn functions(&mut self) -> Vec<(String, Vec<Kind>)> {
        let module = self.instance.module(&self.store);
        let own = module.exports().filter(|export| !self.hides(export.name()));
        let functions = own.filter_map(|export| match export.ty() {
            ExternType::Func(ty) => {
                Some((export.name().to_string(), ty.params().map(|ty| kind(&ty)).collect()))
            }
            _ => None,
        });
        functions.collect()
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Seen, String> {
        let func = self.instance.get_func(&mut self.store, name).ok_or("no such function")?;
        let ty = func.ty(&self.store);
        let arguments: Vec<Val> =
            arguments.iter().zip(ty.params()).map(|(value, ty)| to_val(*value, &ty)).collect();
        let mut results = vec![Val::I32(0); ty.results().len()];
        match func.call(&mut self.store, &arguments, &mut results) {
            Ok(()) => Ok(Seen::Values(results.iter().map(value).collect())),
            Err(error) => trapped(&error).map(Seen::Trap),
        }
    }

    fn state(&mut self) -> State {
        let (mut memories, mut globals) = (BTreeMap::new(), BTreeMap::new());
        for (name, export) in self.instance.exports(&mut self.store) {
            if self.hides(&name) {
                continue;
            }
            match export {
                Extern::Memory(memory) => {
                    memories.insert(name, memory.data(&self.store).to_vec());
                }
                Extern::Global(global) => {
                    globals.insert(name, value(&global.get(&mut self.store)));
                }
                _ => {}
            }
        }
        (memories, globals)
    }
}

fn kind(ty: &ValType) -> Kind {
    match ty {
        ValType::I32 => Kind::I32,
        ValType::I64 => Kind::I64,
        ValType::F32 => Kind::F32,
        ValType::F64 => Kind::F64,
        ValType::V128 => Kind::V128,
        ValType::Ref(_) => Kind::Ref,
    }
}

fn to_val(value: Value, ty: &ValType) -> Val {
    match value {
        Value::I32(bits) => Val::I32(bits as i32),
        Value::I64(bits) => Val::I64(bits as i64),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::V128(bits) => Val::V128(V128(bits)),
        Value::Ref { .. } => match ty {
            ValType::Ref(ty) => Val::null_ref(&ty.heap),
            _ => Val::FuncRef(None),
        },
    }
}

fn value(value: &Val) -> Value {
    match *value {
        Val::I32(v) => Value::I32(v as u32),
        Val::I64(v) => Value::I64(v as u64),
        Val::F32(bits) => Value::F32(bits),
        Val::F64(bits) => Value::F64(bits),
        Val::V128(v) => Value::V128(v.0),
        reference => Value::Ref { is_null: reference.is_null_ref() },
    }
}

fn trapped(error: &Error) -> Result<Trapped, String> {
    let trap = match (error.trap(), error.kind()) {
        (Some(trap), _) => trap,
        (None, ErrorKind::Limit) => return Ok(Trapped::Resources),
        _ => return Err(format!("no trap: {error}")),
    };
    Ok(match trap {
        Trap::Unreachable => Trapped::Unreachable,
        Trap::MemoryOutOfBounds => Trapped::Memory,
        Trap::TableOutOfBounds | Trap::UndefinedElement => Trapped::Table,
        Trap::UninitializedElement => Trapped::NullElement,
        Trap::IndirectCallTypeMismatch => Trapped::Signature,
        Trap::IntegerDivideByZero => Trapped::DivideByZero,
        Trap::IntegerOverflow => Trapped::Overflow,
        Trap::InvalidConversionToInteger => Trapped::Conversion,
        Trap::StackOverflow | Trap::OutOfMemory => Trapped::Resources,
        other => return Err(format!("an unexpected trap: {other}")),
    })
}

/// An engine that knows every proposal.
static OF_EVERYTHING: LazyLock<Engine> = LazyLock::new(|| {
    let mut config = Config::new();
    config.compile_threads(1).set_features(Features::all());
    Engine::new(&config).expect("these settings fit every host")
});

pub(super) fn judge(bytes: &[u8]) -> Outcome {
    let engine = &*OF_EVERYTHING;
    let valid = Module::validate(engine, bytes);
    let compiled = Module::from_binary(engine, bytes);
    let wrong = |how: String| Outcome::Wrong(how, bytes.to_vec());
    match (valid, compiled) {
        (_, Err(error)) if error.kind() == ErrorKind::Bug => wrong(format!("a defect: {error}")),
        (Ok(()), Err(error)) if error.kind() != ErrorKind::Limit => {
            wrong(format!("validated, but then refused: {error}"))
        }
        (Err(error), Ok(_)) => wrong(format!("compiled, but invalid: {error}")),
        (Ok(()), Ok(_)) => Outcome::Right(1),
        (_, Err(_)) => Outcome::Right(1),
    }
}
