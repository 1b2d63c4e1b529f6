//! Evaluates constant expressions (spec: exec/instructions, expressions).
//!
//! The operand stack is `StoreInner::held`, where the collector finds the references in it: an
//! expression may make objects.

use crate::heap::Held;
use crate::raw;
use crate::store::{InstanceId, StoreInner};
use selkie_module::fuel::Bulk;
use selkie_module::heap::I31_TAG;
use selkie_module::{ConstExpr, ConstOp, TrapCode, TypeIndex};

/// The value of an expression in an instance, as machine code holds it.
///
/// # Errors
/// The expression makes an object for which there is no room.
pub(crate) fn eval(
    store: &mut StoreInner,
    id: InstanceId,
    expr: &ConstExpr,
) -> Result<u128, TrapCode> {
    let height = store.held.len();
    let done = expr.0.iter().try_for_each(|op| {
        let value = step(store, id, *op)?;
        store.held.push(value);
        Ok(())
    });
    let value = store.held.get(height..).and_then(<[Held]>::last).map_or(0, |held| held.bits());
    store.held.truncate(height);
    done.map(|()| value)
}

/// The result of one instruction, whose operands it takes.
fn step(store: &mut StoreInner, id: InstanceId, op: ConstOp) -> Result<Held, TrapCode> {
    use ConstOp as O;
    Ok(Held::number(match op {
        O::I32(v) => u128::from(v as u32),
        O::I64(v) => u128::from(v as u64),
        O::F32(v) => u128::from(v),
        O::F64(v) => u128::from(v),
        O::V128(v) => v,
        O::RefNull(_) => 0,
        O::RefFunc(func) => store.func_ref_of(id, func) as usize as u128,
        O::I32Add => binary(store, |a, b| (a as u32).wrapping_add(b as u32).into()),
        O::I32Sub => binary(store, |a, b| (a as u32).wrapping_sub(b as u32).into()),
        O::I32Mul => binary(store, |a, b| (a as u32).wrapping_mul(b as u32).into()),
        O::I64Add => binary(store, |a, b| (a as u64).wrapping_add(b as u64).into()),
        O::I64Sub => binary(store, |a, b| (a as u64).wrapping_sub(b as u64).into()),
        O::I64Mul => binary(store, |a, b| (a as u64).wrapping_mul(b as u64).into()),
        O::GlobalGet(global) => {
            let instance = store.instance(id);
            let value = raw::read_global(instance.global(global));
            let info = &instance.module.info;
            let is_traced = info.is_traced(info.globals[global.index()].content);
            return Ok(Held::new(value, is_traced));
        }
        O::AnyConvertExtern | O::ExternConvertAny => return Ok(pop(store)),
        O::RefI31 => u128::from((pop(store).bits() as u32) << 1 | I31_TAG),
        O::StructNew(_)
        | O::StructNewDefault(_)
        | O::StructNewDesc(_)
        | O::StructNewDefaultDesc(_)
        | O::ArrayNew(_)
        | O::ArrayNewDefault(_)
        | O::ArrayNewFixed(..) => return object(store, id, op).map(Held::reference),
    }))
}

fn pop(store: &mut StoreInner) -> Held {
    // Validation guarantees the operand; a missing one would read as zero.
    store.held.pop().unwrap_or_default()
}

fn binary(store: &mut StoreInner, f: impl FnOnce(u128, u128) -> u128) -> u128 {
    let b = pop(store).bits();
    let a = pop(store).bits();
    f(a, b)
}

fn not_null(descriptor: Option<&Held>) -> Result<(), TrapCode> {
    match descriptor.is_some_and(|held| held.bits() != 0) {
        true => Ok(()),
        false => Err(TrapCode::NullDescriptorReference),
    }
}

/// Makes a struct or an array.
fn object(store: &mut StoreInner, id: InstanceId, op: ConstOp) -> Result<u64, TrapCode> {
    let module = store.instance(id).module.clone();
    let canonical = |ty: TypeIndex| module.type_ids[ty.index()];
    let layout = |ty| module.info.object_layout(ty);
    let pay =
        |store: &mut StoreInner, elements: u64| store.consume_fuel(Bulk::Elements.units(elements));
    match op {
        ConstOp::StructNew(ty) => store.struct_of_held(canonical(ty), &layout(ty)),
        ConstOp::StructNewDefault(ty) => {
            let layout = layout(ty);
            pay(store, layout.fields.len() as u64)?;
            store.held.extend(layout.fields.iter().map(|_| Held::default()));
            store.struct_of_held(canonical(ty), &layout)
        }
        ConstOp::StructNewDesc(ty) => {
            not_null(store.held.last())?;
            store.struct_of_held(canonical(ty), &layout(ty))
        }
        ConstOp::StructNewDefaultDesc(ty) => {
            not_null(store.held.last())?;
            let (layout, descriptor) = (layout(ty), pop(store));
            pay(store, layout.fields.len() as u64)?;
            store.held.extend(layout.fields.iter().map(|_| Held::default()));
            store.held.push(descriptor);
            store.struct_of_held(canonical(ty), &layout)
        }
        ConstOp::ArrayNew(ty) => {
            let length = pop(store).bits() as u32;
            pay(store, length.into())?;
            store.array_filled_with_held(canonical(ty), length)
        }
        ConstOp::ArrayNewDefault(ty) => {
            let length = pop(store).bits() as u32;
            pay(store, length.into())?;
            store.held.push(Held::default());
            store.array_filled_with_held(canonical(ty), length)
        }
        ConstOp::ArrayNewFixed(ty, length) => {
            pay(store, length.into())?;
            store.array_of_held(canonical(ty), length)
        }
        _ => Ok(0),
    }
}
