//! wasmi, as the oracle drives it.

use super::{Kind, Machine, Seen, State, Trapped, Value};
use std::collections::BTreeMap;
use wasmi::{
    Config, Engine, Error, Extern, ExternType, Instance, Linker, Module, Store, TrapCode, V128,
    Val, ValType,
};

struct Theirs {
    store: Store<()>,
    instance: Instance,
}

/// `Err` in the outer place: not a module it runs.
pub(super) fn instantiate(module: &[u8]) -> Result<Result<impl Machine, Trapped>, Error> {
    let mut config = Config::default();
    config
        .wasm_multi_memory(true)
        .wasm_memory64(true)
        .wasm_custom_page_sizes(true)
        .wasm_wide_arithmetic(true)
        .wasm_simd(true);
    let engine = Engine::new(&config);
    let module = Module::new(&engine, module)?;
    let mut store = Store::new(&engine, ());
    match Linker::new(&engine).instantiate_and_start(&mut store, &module) {
        Ok(instance) => Ok(Ok(Theirs { store, instance })),
        Err(error) => match trapped(&error) {
            Ok(trap) => Ok(Err(trap)),
            Err(_) => Err(error),
        },
    }
}

impl Machine for Theirs {
    fn functions(&mut self) -> Vec<(String, Vec<Kind>)> {
        let exports = self.instance.exports(&self.store);
        let functions = exports.filter_map(|export| match export.ty(&self.store) {
            ExternType::Func(ty) => {
                Some((export.name().to_string(), ty.params().iter().map(kind).collect()))
            }
            _ => None,
        });
        functions.collect()
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Seen, String> {
        let func = self.instance.get_func(&self.store, name).ok_or("they have no such function")?;
        let ty = func.ty(&self.store);
        let arguments: Vec<Val> =
            arguments.iter().zip(ty.params()).map(|(value, ty)| to_val(*value, *ty)).collect();
        let mut results: Vec<Val> =
            ty.results().iter().map(|ty| Val::default_for_ty(*ty)).collect();
        match func.call(&mut self.store, &arguments, &mut results) {
            Ok(()) => Ok(Seen::Values(results.iter().map(value).collect())),
            Err(error) => trapped(&error).map(Seen::Trap),
        }
    }

    fn state(&mut self) -> State {
        let (mut memories, mut globals) = (BTreeMap::new(), BTreeMap::new());
        for export in self.instance.exports(&self.store) {
            let name = export.name().to_string();
            match export.into_extern() {
                Extern::Memory(memory) => {
                    memories.insert(name, memory.data(&self.store).to_vec());
                }
                Extern::Global(global) => {
                    globals.insert(name, value(&global.get(&self.store)));
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
        ValType::FuncRef | ValType::ExternRef => Kind::Ref,
    }
}

fn to_val(value: Value, ty: ValType) -> Val {
    match value {
        Value::I32(bits) => Val::I32(bits as i32),
        Value::I64(bits) => Val::I64(bits as i64),
        Value::F32(bits) => Val::F32(wasmi::F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(wasmi::F64::from_bits(bits)),
        Value::V128(bits) => Val::V128(V128::from(bits)),
        Value::Ref { .. } => Val::default_for_ty(ty),
    }
}

fn value(value: &Val) -> Value {
    match value {
        Val::I32(v) => Value::I32(*v as u32),
        Val::I64(v) => Value::I64(*v as u64),
        Val::F32(v) => Value::F32(v.to_bits()),
        Val::F64(v) => Value::F64(v.to_bits()),
        Val::V128(v) => Value::V128(v.as_u128()),
        Val::FuncRef(func) => Value::Ref { is_null: func.is_null() },
        Val::ExternRef(data) => Value::Ref { is_null: data.is_null() },
    }
}

fn trapped(error: &Error) -> Result<Trapped, String> {
    let code = error.as_trap_code().ok_or_else(|| format!("they give no trap: {error}"))?;
    Ok(match code {
        TrapCode::UnreachableCodeReached => Trapped::Unreachable,
        TrapCode::MemoryOutOfBounds => Trapped::Memory,
        TrapCode::TableOutOfBounds => Trapped::Table,
        TrapCode::IndirectCallToNull => Trapped::NullElement,
        TrapCode::BadSignature => Trapped::Signature,
        TrapCode::IntegerDivisionByZero => Trapped::DivideByZero,
        TrapCode::IntegerOverflow => Trapped::Overflow,
        TrapCode::BadConversionToInteger => Trapped::Conversion,
        TrapCode::StackOverflow
        | TrapCode::OutOfFuel
        | TrapCode::GrowthOperationLimited
        | TrapCode::OutOfSystemMemory => Trapped::Resources,
    })
}
