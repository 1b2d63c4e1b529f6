//! What an instance consists of at run time, and how its function references come to be.

use crate::error::Result;
use crate::instance::create::Import;
use crate::module::ModuleInner;
use crate::raw::{self, ContextBox};
use crate::store::{InstanceId, StoreInner};
use selkie_module::{
    DataIndex, ElemIndex, FuncIndex, GlobalIndex, MemoryIndex, TableIndex, TagIndex,
};
use selkie_vm::{VMFuncImport, VMFuncRef, VMGlobal, VMMemory, VMTag};
use std::sync::Arc;

/// An instance in its store. Lives as long as the store: references to its functions may be
/// anywhere.
pub(crate) struct InstanceState {
    pub(crate) context: ContextBox,
    pub(crate) module: Arc<ModuleInner>,
    /// Whether its code is the one that does without guard pages.
    is_checked: bool,
    /// What it was linked with, where none of that belongs to a store.
    pub(crate) imports: Option<Arc<[Import]>>,
    /// The store's memories, by memory index.
    pub(crate) memories: Box<[u32]>,
    /// The store's tables, by table index.
    pub(crate) tables: Box<[u32]>,
    /// References that were imported; null for functions that come straight from a linker.
    pub(crate) imported_funcs: Box<[FuncRefPtr]>,
    /// The elements of segments whose expressions make objects, by segment: each is evaluated once.
    pub(crate) elem_values: Box<[Option<Box<[u64]>>]>,
    pub(crate) dropped: Dropped,
}

/// Which segments have been dropped.
#[derive(Clone)]
pub(crate) struct Dropped {
    datas: Box<[bool]>,
    elems: Box<[bool]>,
}

impl Dropped {
    /// Makes it what another of the same module is.
    pub(crate) fn copy_from(&mut self, other: &Dropped) {
        self.datas.copy_from_slice(&other.datas);
        self.elems.copy_from_slice(&other.elems);
    }
}

/// The address of a function reference in this store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FuncRefPtr(pub(crate) *const VMFuncRef);

impl InstanceState {
    /// Without memories, tables and imported functions.
    pub(crate) fn new(context: ContextBox, module: Arc<ModuleInner>) -> InstanceState {
        let info = &module.info;
        InstanceState {
            imports: None,
            memories: Box::new([]),
            tables: Box::new([]),
            imported_funcs: Box::new([]),
            elem_values: vec![None; info.elems.len()].into(),
            dropped: Dropped {
                datas: vec![false; info.datas.len()].into(),
                elems: vec![false; info.elems.len()].into(),
            },
            context,
            module,
            is_checked: false,
        }
    }

    /// Lets it run the code that does without guard pages.
    ///
    /// # Errors
    /// There is none and it cannot be made.
    pub(crate) fn do_without_guards(&mut self) -> Result<()> {
        self.module.code(true)?;
        self.is_checked = true;
        Ok(())
    }

    pub(crate) fn memory(&self, index: MemoryIndex) -> u32 {
        self.memories[index.index()]
    }

    pub(crate) fn table(&self, index: TableIndex) -> u32 {
        self.tables[index.index()]
    }

    /// What machine code sees of a memory.
    pub(crate) fn memory_definition(&self, index: MemoryIndex) -> *mut VMMemory {
        self.context.get(self.module.layout.memory_pointer(index))
    }

    /// Where a global is.
    pub(crate) fn global(&self, index: GlobalIndex) -> *mut VMGlobal {
        let layout = &self.module.layout;
        match self.module.info.defined_global(index) {
            Some(defined) => self.context.at(layout.global(defined)),
            None => self.context.get(layout.global_import(index)),
        }
    }

    /// Where a tag is.
    pub(crate) fn tag(&self, index: TagIndex) -> *mut VMTag {
        let layout = &self.module.layout;
        match self.module.info.defined_tag(index) {
            Some(defined) => self.context.at(layout.tag(defined)),
            None => self.context.get(layout.tag_import(index)),
        }
    }

    /// The bytes of a data segment; none once it has been dropped.
    pub(crate) fn data(&self, index: DataIndex) -> &[u8] {
        if self.dropped.datas[index.index()] {
            return &[];
        }
        let range = self.module.info.datas[index.index()].range.clone();
        self.module.data.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    pub(crate) fn drop_data(&mut self, index: DataIndex) {
        self.dropped.datas[index.index()] = true;
    }

    pub(crate) fn is_elem_dropped(&self, index: ElemIndex) -> bool {
        self.dropped.elems[index.index()]
    }

    pub(crate) fn drop_elem(&mut self, index: ElemIndex) {
        self.dropped.elems[index.index()] = true;
        self.elem_values[index.index()] = None;
    }

    /// The code and context of a function of this instance.
    pub(crate) fn callee(&self, func: FuncIndex) -> (*const u8, *mut u8) {
        match self.module.info.defined_func(func) {
            Some(defined) => {
                let code = self.module.code(self.is_checked);
                let code = code.expect("it was made before the instance was");
                (code.of(defined), self.context.as_ptr().cast())
            }
            None => {
                let import: VMFuncImport = self.context.get(self.module.layout.func_import(func));
                (import.code, import.context)
            }
        }
    }
}

impl StoreInner {
    /// The reference of a function of an instance, filled. Functions whose reference cannot be
    /// taken have none: callers name exports, segments and `ref.func` operands only.
    pub(crate) fn func_ref_of(&self, id: InstanceId, func: FuncIndex) -> *const VMFuncRef {
        let instance = self.instance(id);
        if let Some(imported) = instance.imported_funcs.get(func.index())
            && !imported.0.is_null()
        {
            return imported.0;
        }
        let module = &instance.module;
        let place = module.info.func_ref(func).expect("only referenced functions get here");
        let at: *mut VMFuncRef = instance.context.at(module.layout.func_ref(place));
        if raw::read_func_ref(at).code.is_null() {
            let (code, context) = instance.callee(func);
            let type_id = module.type_ids[module.info.funcs[func.index()].index()].0;
            raw::write_func_ref(at, VMFuncRef { code, context, type_id });
        }
        at
    }
}
