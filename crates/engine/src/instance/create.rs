//! Making an instance (spec: exec/modules, instantiation).
//!
//! The order is the specification's: allocate, globals, tables, element segments, data segments,
//! start. What an earlier step wrote into imported memories and tables stays when a later one
//! traps, and the instance stays with its store, because references to it may have escaped.

use super::state::{FuncRefPtr, InstanceState};
use crate::const_eval::eval;
use crate::error::{Error, ErrorKind, Result};
use crate::func::host::HostFunc;
use crate::global::Extern;
use crate::images::MemoryImages;
use crate::instance::snapshot::Snapshot;
use crate::memory::MemoryEntry;
use crate::module::Module;
use crate::raw::{self, ContextBox};
use crate::store::{InstanceId, StoreInner};
use crate::table::{TableEntry, is_func_type};
use selkie_module::fuel::instantiation_units;
use selkie_module::layout::context;
use selkie_module::registry::canonical;
use selkie_module::{
    ConstExpr, ConstOp, DataIndex, DataMode, DefinedGlobalIndex, DefinedTableIndex,
    DefinedTagIndex, ElemIndex, ElemItems, ElemMode, FuncIndex, GlobalIndex, Limits, MemoryIndex,
    MemoryType, ModuleInfo, TableIndex, TableType, TagIndex, TrapCode,
};
use selkie_vm::{VMContext, VMFuncImport, VMGlobal, VMHostContext, VMTag};
use std::sync::Arc;

/// Something that satisfies an import, already checked against its type.
#[derive(Clone)]
pub(crate) enum Import {
    Extern(Extern),
    Host(Arc<HostFunc>),
    /// An immutable global whose value is this string.
    StringConstant(Arc<str>),
}

/// What an instance begins with.
#[derive(Clone, Copy)]
pub(crate) enum Beginning<'a> {
    /// What the module says, part of which may be in images.
    Module(Option<&'a MemoryImages>),
    /// What another has become.
    Snapshot(&'a Snapshot),
}

/// Makes an instance and runs everything but its start function.
pub(crate) fn create(
    store: &mut StoreInner,
    module: &Module,
    imports: &[Import],
    beginning: Beginning<'_>,
) -> Result<InstanceId> {
    if store.instances.len() >= store.limits.instances {
        let message = format!("the store's limit of {} instances", store.limits.instances);
        return Err(Error::new(ErrorKind::Limit, message));
    }
    if let Beginning::Module(_) = beginning {
        store.consume_fuel(instantiation_units(&module.inner.info))?;
    }
    let tags = store.tags.len();
    let host = &store.host;
    let before = (store.tables.len(), store.memories.len(), host.keep.len(), host.globals.len());
    let id = match allocate(store, module, imports, beginning) {
        Ok(id) => id,
        Err(error) => {
            // Nobody knows what was made so far, and its definitions lie in a context that is gone.
            store.tables.truncate(before.0);
            store.memories.truncate(before.1);
            store.host.keep.truncate(before.2);
            store.host.globals.truncate(before.3);
            store.tags.truncate(tags);
            return Err(error);
        }
    };
    // What slots of tables mean that were never written belongs to the module, whatever comes next.
    lazy_tables(store, id);
    match beginning {
        Beginning::Module(images) => {
            globals(store, id)?;
            elem_values(store, id)?;
            tables(store, id)?;
            elems(store, id)?;
            datas(store, id, images.map_or(0, |images| images.segments))?;
        }
        Beginning::Snapshot(snapshot) => snapshot.write(store, id)?,
    }
    Ok(id)
}

fn allocate(
    store: &mut StoreInner,
    module: &Module,
    imports: &[Import],
    beginning: Beginning<'_>,
) -> Result<InstanceId> {
    let inner = &module.inner;
    if inner.uses_heap {
        store.ensure_heap()?;
    }
    let out_of_memory = || Error::new(ErrorKind::Limit, "no memory for an instance");
    let mut context = ContextBox::new(inner.layout.bytes()).ok_or_else(out_of_memory)?;
    if store.instances.is_empty() {
        reserve_for_one(store, &inner.info);
    }
    let id = InstanceId(store.instances.len() as u32);
    context.put(
        0,
        VMContext {
            magic: context::MAGIC_INSTANCE,
            store: &raw mut store.runtime,
            builtins: selkie_vm::builtin_stubs().as_ptr(),
            type_ids: inner.type_ids.as_ptr().cast(),
            instance: u64::from(id.0),
            heap_base: store.heap_base(),
            interrupt: store.interrupt_address(),
        },
    );
    let mut state = InstanceState::new(context, module.inner.clone());
    let mut filled = Filled::default();
    for import in imports {
        fill_import(store, &mut state, &mut filled, import)?;
    }
    allocate_tables(store, &mut state, &mut filled, id, beginning)?;
    allocate_memories(store, &mut state, &mut filled, beginning)?;
    for i in 0..inner.info.tags.len() - inner.info.num_imported_tags {
        let at = inner.layout.tag(DefinedTagIndex::new(i));
        let id = store.new_tag(state.context.at::<VMTag>(at) as usize)?;
        state.context.put(at, VMTag { id: id.into() });
    }
    if filled.memories.iter().any(|memory| store.memories[*memory as usize].lacks_guard) {
        state.do_without_guards()?;
    }
    state.memories = filled.memories.into();
    state.tables = filled.tables.into();
    state.imported_funcs = filled.funcs.into();
    store.instances.push(state);
    Ok(id)
}

/// Most stores have one instance: room for four of everything would be most of what such a store
/// takes.
fn reserve_for_one(store: &mut StoreInner, info: &ModuleInfo) {
    store.instances.reserve_exact(1);
    store.memories.reserve_exact(info.memories.len());
    store.tables.reserve_exact(info.tables.len());
    store.tags.reserve_exact(info.tags.len());
    store.host.keep.reserve_exact(info.num_imported_funcs);
}

/// How far each index space has been filled.
#[derive(Default)]
struct Filled {
    funcs: Vec<FuncRefPtr>,
    tables: Vec<u32>,
    memories: Vec<u32>,
    globals: u32,
    tags: u32,
}

fn fill_import(
    store: &mut StoreInner,
    state: &mut InstanceState,
    filled: &mut Filled,
    import: &Import,
) -> Result<()> {
    let layout = &state.module.layout;
    match import {
        Import::Host(func) => {
            let at = layout.func_import(FuncIndex::new(filled.funcs.len()));
            let host = VMHostContext {
                magic: context::MAGIC_HOST,
                store: &raw mut store.runtime,
                func: func.vm(),
                caller: state.context.as_ptr(),
            };
            let import = VMFuncImport {
                code: func.stub(),
                context: state.context.at::<VMFuncImport>(at).wrapping_byte_add(16).cast(),
                host,
            };
            state.context.put(at, import);
            filled.funcs.push(FuncRefPtr(std::ptr::null()));
            store.host.keep.push(func.clone());
        }
        Import::Extern(Extern::Func(func)) => {
            let at = layout.func_import(FuncIndex::new(filled.funcs.len()));
            let func_ref = store.func_ref(*func)?;
            let import = host_or_wasm(state, at, &func_ref);
            state.context.put(at, import);
            filled.funcs.push(FuncRefPtr(func.raw() as *const _));
        }
        Import::Extern(Extern::Table(table)) => {
            let at = layout.table_import(TableIndex::new(filled.tables.len()));
            state.context.put(at, store.tables[table.index as usize].definition);
            filled.tables.push(table.index);
        }
        Import::Extern(Extern::Memory(memory)) => {
            let at = layout.memory_pointer(MemoryIndex::new(filled.memories.len()));
            state.context.put(at, store.memories[memory.index as usize].definition);
            filled.memories.push(memory.index);
        }
        Import::Extern(Extern::Global(global)) => {
            let at = layout.global_import(GlobalIndex(filled.globals));
            state.context.put(at, global.address);
            filled.globals += 1;
        }
        Import::StringConstant(text) => {
            let at = layout.global_import(GlobalIndex(filled.globals));
            state.context.put(at, store.string_constant(text)?);
            filled.globals += 1;
        }
        Import::Extern(Extern::Tag(tag)) => {
            let at = layout.tag_import(TagIndex(filled.tags));
            state.context.put(at, store.tag_address(tag.id));
            filled.tags += 1;
        }
    }
    Ok(())
}

/// A host function that belongs to the store gets a context of its own in the importing instance,
/// so that it knows who calls; other functions are called with their own context.
fn host_or_wasm(state: &InstanceState, at: u32, func: &selkie_vm::VMFuncRef) -> VMFuncImport {
    let host = raw::host_context(func.context);
    let caller = state.context.as_ptr();
    match host {
        Some(host) => VMFuncImport {
            code: func.code,
            context: state.context.at::<VMFuncImport>(at).wrapping_byte_add(16).cast(),
            host: VMHostContext { caller, ..host },
        },
        None => VMFuncImport {
            code: func.code,
            context: func.context,
            host: VMHostContext {
                magic: 0,
                store: std::ptr::null_mut(),
                func: std::ptr::null(),
                caller: std::ptr::null_mut(),
            },
        },
    }
}

fn allocate_tables(
    store: &mut StoreInner,
    state: &mut InstanceState,
    filled: &mut Filled,
    id: InstanceId,
    beginning: Beginning<'_>,
) -> Result<()> {
    let module = state.module.clone();
    let first = module.info.num_imported_tables;
    for (i, ty) in module.info.tables[first..].iter().enumerate() {
        if store.tables.len() >= store.limits.tables {
            return Err(Error::new(ErrorKind::Limit, "the store's limit of tables"));
        }
        let defined = DefinedTableIndex::new(i);
        let definition = state.context.at(module.layout.table(defined));
        let ty = match canonical(&selkie_module::EntityType::Table(*ty), &module.type_ids) {
            selkie_module::EntityType::Table(ty) => ty,
            _ => *ty,
        };
        let is_func = is_func_type(store, &ty);
        let len = match beginning {
            Beginning::Module(_) => ty.limits.min,
            Beginning::Snapshot(snapshot) => snapshot.tables[i].len,
        };
        let ty = TableType { limits: Limits { min: len, ..ty.limits }, ..ty };
        store.ask_for_table(len, ty.limits.max)?;
        let entry = TableEntry::new(store, ty, is_func, definition, Some((id, defined)))?;
        filled.tables.push(store.add_table(entry).index);
    }
    Ok(())
}

fn allocate_memories(
    store: &mut StoreInner,
    state: &mut InstanceState,
    filled: &mut Filled,
    beginning: Beginning<'_>,
) -> Result<()> {
    let module = state.module.clone();
    for (i, ty) in module.info.memories.iter().enumerate().skip(filled.memories.len()) {
        if store.memories.len() >= store.limits.memories {
            return Err(Error::new(ErrorKind::Limit, "the store's limit of memories"));
        }
        let index = MemoryIndex::new(i);
        let defined = module.info.defined_memory(index).expect("imports were filled before");
        let definition = state.context.at(module.layout.memory(defined));
        let (ty, image) = match beginning {
            Beginning::Module(images) => (*ty, images.and_then(|images| images.of(defined))),
            Beginning::Snapshot(snapshot) => {
                let (bytes, image) = &snapshot.memories[defined.index()];
                let limits = Limits { min: bytes >> ty.page_size_log2, ..ty.limits };
                (MemoryType { limits, ..*ty }, Some(image.clone()))
            }
        };
        store.ask_for_memory(ty.min_bytes().unwrap_or(u64::MAX), ty.declared_max_bytes())?;
        let entry = MemoryEntry::new(store, ty, definition, image)?;
        state.context.put(module.layout.memory_pointer(index), entry.definition);
        filled.memories.push(store.add_memory(entry).index);
    }
    Ok(())
}

fn globals(store: &mut StoreInner, id: InstanceId) -> Result<()> {
    let module = store.instance(id).module.clone();
    for (i, init) in module.info.global_inits.iter().enumerate() {
        let value = eval(store, id, init)?;
        let at = module.layout.global(DefinedGlobalIndex::new(i));
        let bytes = value.to_le_bytes();
        store.instance_mut(id).context.put(at, VMGlobal { bytes });
    }
    Ok(())
}

/// A function in every slot is what lazy slots are for: nothing is touched.
fn lazy_init(init: &ConstExpr) -> Option<FuncIndex> {
    match init.0[..] {
        [ConstOp::RefFunc(func)] => Some(func),
        _ => None,
    }
}

fn lazy_tables(store: &mut StoreInner, id: InstanceId) {
    let module = store.instance(id).module.clone();
    for (i, init) in module.info.table_inits.iter().enumerate() {
        let table = store.instance(id).tables[module.info.num_imported_tables + i];
        store.tables[table as usize].lazy_default = init.as_ref().and_then(lazy_init);
    }
}

fn tables(store: &mut StoreInner, id: InstanceId) -> Result<()> {
    let module = store.instance(id).module.clone();
    for (i, init) in module.info.table_inits.iter().enumerate() {
        let Some(init) = init else { continue };
        let table = store.instance(id).tables[module.info.num_imported_tables + i];
        if lazy_init(init).is_some() {
            continue;
        }
        let value = eval(store, id, init)? as u64;
        let len = store.tables[table as usize].storage.len();
        store.table_fill_raw(table, 0, value, len)?;
    }
    Ok(())
}

/// Evaluates the segments whose expressions make objects.
fn elem_values(store: &mut StoreInner, id: InstanceId) -> Result<()> {
    let module = store.instance(id).module.clone();
    for (i, elem) in module.info.elems.iter().enumerate() {
        let ElemItems::Exprs(exprs) = &elem.items else { continue };
        if !exprs.iter().any(ConstExpr::needs_gc) {
            continue;
        }
        // All places are there, and null, before the first object is made: each is seen by the
        // collector as soon as it is filled.
        store.instance_mut(id).elem_values[i] = Some(vec![0; exprs.len()].into());
        for (place, expr) in exprs.iter().enumerate() {
            let value = eval(store, id, expr)? as u64;
            if let Some(values) = &mut store.instance_mut(id).elem_values[i] {
                values[place] = value;
            }
        }
    }
    Ok(())
}

fn elems(store: &mut StoreInner, id: InstanceId) -> Result<()> {
    let module = store.instance(id).module.clone();
    for (i, elem) in module.info.elems.iter().enumerate() {
        let index = ElemIndex::new(i);
        match &elem.mode {
            ElemMode::Passive => continue,
            ElemMode::Declared => {}
            ElemMode::Active { .. } if module.elems_in_images[i] => {}
            ElemMode::Active { table, offset } => {
                let start = eval(store, id, offset)? as u64;
                let len = elem.items.len() as u64;
                table_init(store, id, *table, index, start, 0, len)?;
            }
        }
        store.instance_mut(id).drop_elem(index);
    }
    Ok(())
}

/// Writes the active segments, but for the first `in_images`, which are there already.
fn datas(store: &mut StoreInner, id: InstanceId, in_images: usize) -> Result<()> {
    let module = store.instance(id).module.clone();
    for (i, data) in module.info.datas.iter().enumerate() {
        let DataMode::Active { memory, offset } = &data.mode else { continue };
        let index = DataIndex::new(i);
        if i >= in_images {
            let start = eval(store, id, offset)? as u64;
            memory_init(store, id, *memory, index, start, 0, data.range.len() as u64)?;
        }
        store.instance_mut(id).drop_data(index);
    }
    Ok(())
}

/// `memory.init`.
pub(crate) fn memory_init(
    store: &StoreInner,
    id: InstanceId,
    memory: MemoryIndex,
    data: DataIndex,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), TrapCode> {
    let (target, source) = memory_init_ranges(store, id, memory, data, dst, src, len)?;
    target.write(source);
    Ok(())
}

/// Whether `memory.init` is within bounds.
pub(crate) fn check_memory_init(
    store: &StoreInner,
    id: InstanceId,
    memory: MemoryIndex,
    data: DataIndex,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), TrapCode> {
    memory_init_ranges(store, id, memory, data, dst, src, len).map(drop)
}

fn memory_init_ranges(
    store: &StoreInner,
    id: InstanceId,
    memory: MemoryIndex,
    data: DataIndex,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(raw::CheckedRange, &[u8]), TrapCode> {
    let instance = store.instance(id);
    let bytes = instance.data(data);
    let source = src.checked_add(len).and_then(|end| bytes.get(src as usize..end as usize));
    let target = raw::check_range(instance.memory_definition(memory), dst, len)?;
    Ok((target, source.ok_or(TrapCode::MemoryOutOfBounds)?))
}

/// `table.init`.
pub(crate) fn table_init(
    store: &mut StoreInner,
    id: InstanceId,
    table: TableIndex,
    elem: ElemIndex,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), TrapCode> {
    check_table_init(store, id, table, elem, dst, src, len)?;
    let instance = store.instance(id);
    let module = instance.module.clone();
    let items = &module.info.elems[elem.index()].items;
    let table = instance.table(table);
    for i in 0..len {
        let value = match items {
            ElemItems::Funcs(funcs) => store.func_ref_of(id, funcs[(src + i) as usize]) as u64,
            ElemItems::Exprs(exprs) => {
                elem_value(store, id, elem, &exprs[(src + i) as usize], src + i)?
            }
        };
        store.table_set_raw(table, dst + i, value)?;
    }
    Ok(())
}

/// Whether `table.init` is within bounds.
pub(crate) fn check_table_init(
    store: &StoreInner,
    id: InstanceId,
    table: TableIndex,
    elem: ElemIndex,
    dst: u64,
    src: u64,
    len: u64,
) -> Result<(), TrapCode> {
    let instance = store.instance(id);
    let items = &instance.module.info.elems[elem.index()].items;
    let available = if instance.is_elem_dropped(elem) { 0 } else { items.len() as u64 };
    if src.checked_add(len).is_none_or(|end| end > available) {
        return Err(TrapCode::TableOutOfBounds);
    }
    store.check_table_range(instance.table(table), dst, len)
}

/// An element of a segment of expressions.
pub(crate) fn elem_value(
    store: &mut StoreInner,
    id: InstanceId,
    elem: ElemIndex,
    expr: &ConstExpr,
    place: u64,
) -> Result<u64, TrapCode> {
    match &store.instance(id).elem_values[elem.index()] {
        Some(values) => Ok(values.get(place as usize).copied().unwrap_or(0)),
        None => Ok(eval(store, id, expr)? as u64),
    }
}
