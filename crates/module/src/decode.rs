//! Bytes → [`ParsedModule`]: one pass over the sections, validated as it goes, function bodies
//! left for the walk (which validates each while translating it).
//!
//! The result borrows the bytes. Nothing is allocated in proportion to a number that a module
//! merely claims.

use crate::const_expr::ConstExpr;
use crate::features::{Feature, Features};
use crate::index::*;
use crate::info::*;
use crate::types::*;
use std::ops::Range;
use wasmparser::{
    BinaryReaderError, CompositeInnerType, ElementItems, ElementKind, FuncToValidate, FunctionBody,
    Parser, Payload, UnpackedIndex, ValidPayload, Validator, ValidatorResources,
};

/// A function body with what is needed to validate it.
pub struct FunctionSource<'a> {
    /// Which function.
    pub index: DefinedFuncIndex,
    /// Locals and instructions.
    pub body: FunctionBody<'a>,
    /// The validator's view of the module around it.
    pub to_validate: FuncToValidate<ValidatorResources>,
}

/// Branch hints by function, sorted; for each the sorted offsets of branches from the body's start
/// and whether they are likely taken.
pub type BranchHints = Vec<(FuncIndex, Box<[(u32, bool)]>)>;

/// A decoded module whose function bodies are not validated yet.
pub struct ParsedModule<'a> {
    /// All that is not code.
    pub info: ModuleInfo,
    /// The function bodies, in order.
    pub functions: Vec<FunctionSource<'a>>,
    /// The content of the data section; segments are ranges in it.
    pub data: &'a [u8],
    /// Everything before that, or up to the last section that is not a custom one: together with
    /// `data` it is a module of its own, with all that code is made of, at the same offsets.
    pub front: &'a [u8],
    /// The content of the name section; empty where there is none.
    pub names: &'a [u8],
    /// The custom sections that carry DWARF, by name.
    pub debug_sections: Vec<(&'a str, &'a [u8])>,
    /// All custom sections, by name.
    pub custom_sections: Vec<(&'a str, &'a [u8])>,
    /// `metadata.code.branch_hint`: by function, sorted offsets from the body's start.
    pub branch_hints: BranchHints,
}

/// Why bytes are not a module this configuration accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong, in the validator's words.
    pub message: String,
    /// Where, in bytes from the module's start.
    pub offset: u64,
    /// The proposal that would make this place valid, if it were enabled.
    pub needs: Option<Feature>,
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at offset {:#x})", self.message, self.offset)?;
        if let Some(feature) = self.needs {
            let (about, flag) = (feature.about(), feature.flag());
            write!(f, "; it needs {about}, which `-W {flag}` enables")?;
        }
        Ok(())
    }
}

impl std::error::Error for DecodeError {}

impl DecodeError {
    /// An error of the validator, explained: which disabled proposal, if any, lies behind it.
    pub fn explain(error: &BinaryReaderError, bytes: &[u8], features: Features) -> DecodeError {
        DecodeError {
            message: error.message().to_string(),
            offset: error.offset(),
            needs: missing_feature(error, bytes, features),
        }
    }
}

/// Tries each disabled proposal: the one that lets validation pass the failing place is missing.
fn missing_feature(error: &BinaryReaderError, bytes: &[u8], features: Features) -> Option<Feature> {
    Feature::ALL.iter().copied().filter(|f| !features.has(*f)).find(|feature| {
        let mut with = features;
        with.set(*feature, true);
        match Validator::new_with_features(with.bits()).validate_all(bytes) {
            Ok(_) => true,
            Err(later) => later.offset() > error.offset(),
        }
    })
}

/// Decodes a binary module.
///
/// # Errors
/// The first place that is malformed, invalid, or needs a proposal that is not enabled. Function
/// bodies are not looked at.
pub fn decode(bytes: &[u8], features: Features) -> Result<ParsedModule<'_>, DecodeError> {
    if Parser::is_component(bytes) {
        return Err(DecodeError {
            message: "this is a component, not a core module".into(),
            offset: 4,
            needs: None,
        });
    }
    Decoder::new(features).run(bytes).map_err(|e| DecodeError::explain(&e, bytes, features))
}

/// Where `front` ends at the earliest, now that this has been seen.
fn end_of_front(payload: &Payload<'_>) -> Option<u64> {
    match payload {
        Payload::Version { range, .. } => Some(range.end),
        Payload::DataSection(section) => Some(section.range().start),
        Payload::CustomSection(_) => None,
        other => other.as_section().map(|(_, range)| range.end),
    }
}

struct Decoder<'a> {
    validator: Validator,
    module: ParsedModule<'a>,
    data_start: u64,
}

impl<'a> Decoder<'a> {
    fn new(features: Features) -> Decoder<'a> {
        Decoder {
            validator: Validator::new_with_features(features.bits()),
            module: ParsedModule {
                info: ModuleInfo::default(),
                functions: Vec::new(),
                data: &[],
                front: &[],
                names: &[],
                debug_sections: Vec::new(),
                custom_sections: Vec::new(),
                branch_hints: Vec::new(),
            },
            data_start: 0,
        }
    }

    fn run(mut self, bytes: &'a [u8]) -> Result<ParsedModule<'a>, BinaryReaderError> {
        let mut parser = Parser::new(0);
        parser.set_features(*self.validator.features());
        for payload in parser.parse_all(bytes) {
            let payload = payload?;
            if let Some(end) = end_of_front(&payload) {
                self.module.front = bytes.get(..end as usize).unwrap_or_default();
            }
            match self.validator.payload(&payload)? {
                ValidPayload::Func(to_validate, body) => {
                    let index = DefinedFuncIndex::new(self.module.functions.len());
                    self.module.functions.push(FunctionSource { index, body, to_validate });
                }
                _ => self.section(payload, bytes)?,
            }
        }
        self.collect_func_refs();
        Ok(self.module)
    }

    fn section(&mut self, payload: Payload<'a>, bytes: &'a [u8]) -> wasmparser::Result<()> {
        let info = &mut self.module.info;
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    types_of_group(info, group?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    add_import(info, import?);
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    info.funcs.push(TypeIndex(ty?));
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table?;
                    info.tables.push(table_type(&table.ty));
                    info.table_inits.push(match &table.init {
                        wasmparser::TableInit::RefNull => None,
                        wasmparser::TableInit::Expr(e) => Some(ConstExpr::decode(e)?),
                    });
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    info.memories.push(memory_type(&memory?));
                }
            }
            Payload::TagSection(section) => {
                for tag in section {
                    info.tags.push(TypeIndex(tag?.func_type_idx));
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    info.globals.push(global_type(&global.ty));
                    info.global_inits.push(ConstExpr::decode(&global.init_expr)?);
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    add_export(info, export?);
                }
            }
            Payload::StartSection { func, .. } => info.start = Some(FuncIndex(func)),
            Payload::ElementSection(section) => {
                for element in section {
                    info.elems.push(elem_segment(element?)?);
                }
            }
            Payload::DataSection(section) => self.data_section(section, bytes)?,
            Payload::CodeSectionStart { unchecked_range: range, .. } => {
                info.code_start = range.start as u32;
            }
            Payload::CustomSection(section) => self.custom_section(&section),
            _ => {}
        }
        Ok(())
    }

    fn data_section(
        &mut self,
        section: wasmparser::DataSectionReader<'a>,
        bytes: &'a [u8],
    ) -> wasmparser::Result<()> {
        let Range { start, end } = section.range();
        self.data_start = start;
        self.module.data = bytes.get(start as usize..end as usize).unwrap_or_default();
        for data in section {
            let data = data?;
            let mode = match data.kind {
                wasmparser::DataKind::Passive => DataMode::Passive,
                wasmparser::DataKind::Active { memory_index, offset_expr } => DataMode::Active {
                    memory: MemoryIndex(memory_index),
                    offset: ConstExpr::decode(&offset_expr)?,
                },
            };
            let end = data.range.end - start;
            let range = (end - data.data.len() as u64) as u32..end as u32;
            self.module.info.datas.push(DataSegment { mode, range });
        }
        Ok(())
    }

    fn custom_section(&mut self, section: &wasmparser::CustomSectionReader<'a>) {
        let (name, data) = (section.name(), section.data());
        self.module.custom_sections.push((name, data));
        if name == "name" {
            self.module.names = data;
        } else if name.starts_with(".debug_") {
            self.module.debug_sections.push((name, data));
        } else if name == "metadata.code.branch_hint" {
            // A malformed hint section is ignored as a whole: hints never change meaning.
            self.module.branch_hints = branch_hints(section).unwrap_or_default();
        }
    }

    /// Exports, element segments and initial values are the places a reference can come from;
    /// validation lets `ref.func` in code name only functions that occur there.
    fn collect_func_refs(&mut self) {
        let info = &mut self.module.info;
        let mut refs: Vec<FuncIndex> = Vec::new();
        refs.extend(info.exports.iter().filter_map(|e| match e.index {
            EntityIndex::Func(f) => Some(f),
            _ => None,
        }));
        for elem in &info.elems {
            match &elem.items {
                ElemItems::Funcs(funcs) => refs.extend(funcs.iter().copied()),
                ElemItems::Exprs(exprs) => {
                    refs.extend(exprs.iter().flat_map(ConstExpr::functions));
                }
            }
        }
        refs.extend(info.global_inits.iter().flat_map(ConstExpr::functions));
        refs.extend(info.table_inits.iter().flatten().flat_map(ConstExpr::functions));
        refs.sort_unstable();
        refs.dedup();
        info.func_refs = refs;
    }
}

fn branch_hints(section: &wasmparser::CustomSectionReader<'_>) -> Option<BranchHints> {
    let wasmparser::KnownCustom::BranchHints(reader) = section.as_known() else { return None };
    let mut all = Vec::new();
    for function in reader {
        let function = function.ok()?;
        let mut hints = Vec::new();
        for hint in function.hints {
            let hint = hint.ok()?;
            hints.push((hint.func_offset, hint.taken));
        }
        all.push((FuncIndex(function.func), hints.into()));
    }
    Some(all)
}

fn types_of_group(info: &mut ModuleInfo, group: wasmparser::RecGroup) {
    let start = info.types.len() as u32;
    info.types.extend(group.types().map(|ty| sub_type(ty, start)));
    info.rec_groups.push(start..info.types.len() as u32);
}

fn sub_type(ty: &wasmparser::SubType, group_start: u32) -> SubType {
    let field = |f: &wasmparser::FieldType| FieldType {
        storage: match f.element_type {
            wasmparser::StorageType::I8 => StorageType::I8,
            wasmparser::StorageType::I16 => StorageType::I16,
            wasmparser::StorageType::Val(v) => StorageType::Val(val_type(v)),
        },
        mutable: f.mutable,
    };
    let name = |index: &wasmparser::PackedIndex| type_ref(index.unpack(), group_start);
    let composite = match &ty.composite_type.inner {
        CompositeInnerType::Func(f) => CompositeType::Func(FuncType {
            params: f.params().iter().map(|v| val_type(*v)).collect(),
            results: f.results().iter().map(|v| val_type(*v)).collect(),
        }),
        CompositeInnerType::Array(a) => CompositeType::Array(field(&a.0)),
        CompositeInnerType::Struct(s) => {
            CompositeType::Struct(s.fields.iter().map(field).collect())
        }
        CompositeInnerType::Cont(c) => CompositeType::Cont(name(&c.0)),
    };
    SubType {
        is_final: ty.is_final,
        is_shared: ty.composite_type.shared,
        supertype: ty.supertype_idxs.first().map(name),
        descriptor: ty.composite_type.descriptor_idx.as_ref().map(name),
        describes: ty.composite_type.describes_idx.as_ref().map(name),
        composite,
    }
}

/// Names in a module's sections are module indices; the other spaces exist inside the validator.
fn type_ref(index: UnpackedIndex, group_start: u32) -> TypeRef {
    match index {
        UnpackedIndex::Module(i) => TypeRef::Module(TypeIndex(i)),
        UnpackedIndex::RecGroup(i) => TypeRef::Module(TypeIndex(group_start + i)),
        UnpackedIndex::Id(_) => unreachable!("decoded types carry no validator ids"),
    }
}

/// Converts a heap type.
pub fn heap_type(ty: wasmparser::HeapType) -> HeapType {
    match ty {
        wasmparser::HeapType::Concrete(i) => HeapType::Concrete(type_ref(i, 0)),
        wasmparser::HeapType::Exact(i) => HeapType::Exact(type_ref(i, 0)),
        wasmparser::HeapType::Abstract { shared: true, ty } => {
            HeapType::Shared(abstract_heap_type(ty))
        }
        wasmparser::HeapType::Abstract { shared: false, ty } => abstract_heap_type(ty).into(),
    }
}

fn abstract_heap_type(ty: wasmparser::AbstractHeapType) -> AbstractHeapType {
    use wasmparser::AbstractHeapType as A;
    match ty {
        A::Func => AbstractHeapType::Func,
        A::Extern => AbstractHeapType::Extern,
        A::Any => AbstractHeapType::Any,
        A::None => AbstractHeapType::None,
        A::NoExtern => AbstractHeapType::NoExtern,
        A::NoFunc => AbstractHeapType::NoFunc,
        A::Eq => AbstractHeapType::Eq,
        A::Struct => AbstractHeapType::Struct,
        A::Array => AbstractHeapType::Array,
        A::I31 => AbstractHeapType::I31,
        A::Exn => AbstractHeapType::Exn,
        A::NoExn => AbstractHeapType::NoExn,
        A::Cont => AbstractHeapType::Cont,
        A::NoCont => AbstractHeapType::NoCont,
    }
}

/// Converts a reference type.
pub fn ref_type(ty: wasmparser::RefType) -> RefType {
    RefType { nullable: ty.is_nullable(), heap: heap_type(ty.heap_type()) }
}

/// Converts a value type.
pub fn val_type(ty: wasmparser::ValType) -> ValType {
    match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(r) => ValType::Ref(ref_type(r)),
    }
}

fn index_type(is_64: bool) -> IndexType {
    if is_64 { IndexType::I64 } else { IndexType::I32 }
}

fn table_type(ty: &wasmparser::TableType) -> TableType {
    TableType {
        element: ref_type(ty.element_type),
        limits: Limits { min: ty.initial, max: ty.maximum },
        index: index_type(ty.table64),
        shared: ty.shared,
    }
}

fn memory_type(ty: &wasmparser::MemoryType) -> MemoryType {
    MemoryType {
        limits: Limits { min: ty.initial, max: ty.maximum },
        shared: ty.shared,
        index: index_type(ty.memory64),
        page_size_log2: ty.page_size_log2.unwrap_or(16) as u8,
    }
}

fn global_type(ty: &wasmparser::GlobalType) -> GlobalType {
    GlobalType { content: val_type(ty.content_type), mutable: ty.mutable, shared: ty.shared }
}

fn add_import(info: &mut ModuleInfo, import: wasmparser::Import<'_>) {
    let ty = match import.ty {
        wasmparser::TypeRef::Func(i) => EntityType::Func(imported_func(info, i)),
        wasmparser::TypeRef::FuncExact(i) => EntityType::ExactFunc(imported_func(info, i)),
        wasmparser::TypeRef::Table(t) => {
            info.tables.push(table_type(&t));
            info.num_imported_tables += 1;
            EntityType::Table(table_type(&t))
        }
        wasmparser::TypeRef::Memory(m) => {
            info.memories.push(memory_type(&m));
            info.num_imported_memories += 1;
            EntityType::Memory(memory_type(&m))
        }
        wasmparser::TypeRef::Global(g) => {
            info.globals.push(global_type(&g));
            info.num_imported_globals += 1;
            EntityType::Global(global_type(&g))
        }
        wasmparser::TypeRef::Tag(t) => {
            info.tags.push(TypeIndex(t.func_type_idx));
            info.num_imported_tags += 1;
            EntityType::Tag(TypeRef::Module(TypeIndex(t.func_type_idx)))
        }
    };
    let (module, name) = (import.module.to_string(), import.name.to_string());
    info.imports.push(Import { module, name, ty });
}

fn imported_func(info: &mut ModuleInfo, ty: u32) -> TypeRef {
    info.funcs.push(TypeIndex(ty));
    info.num_imported_funcs += 1;
    TypeRef::Module(TypeIndex(ty))
}

fn add_export(info: &mut ModuleInfo, export: wasmparser::Export<'_>) {
    use wasmparser::ExternalKind as K;
    let i = export.index;
    let index = match export.kind {
        K::Func | K::FuncExact => EntityIndex::Func(FuncIndex(i)),
        K::Table => EntityIndex::Table(TableIndex(i)),
        K::Memory => EntityIndex::Memory(MemoryIndex(i)),
        K::Global => EntityIndex::Global(GlobalIndex(i)),
        K::Tag => EntityIndex::Tag(TagIndex(i)),
    };
    info.exports.push(Export { name: export.name.to_string(), index });
}

fn elem_segment(element: wasmparser::Element<'_>) -> wasmparser::Result<ElemSegment> {
    let (ty, items) = match element.items {
        ElementItems::Functions(section) => {
            let funcs = section.into_iter().map(|f| Ok(FuncIndex(f?)));
            let funcs = funcs.collect::<wasmparser::Result<Box<[_]>>>()?;
            let ty = RefType { nullable: false, heap: HeapType::Func };
            (ty, ElemItems::Funcs(funcs))
        }
        ElementItems::Expressions(ty, section) => {
            let exprs = section.into_iter().map(|e| ConstExpr::decode(&e?));
            let exprs = exprs.collect::<wasmparser::Result<Box<[_]>>>()?;
            (ref_type(ty), ElemItems::Exprs(exprs))
        }
    };
    let mode = match element.kind {
        ElementKind::Passive => ElemMode::Passive,
        ElementKind::Declared => ElemMode::Declared,
        ElementKind::Active { table_index, offset_expr } => ElemMode::Active {
            table: TableIndex(table_index.unwrap_or(0)),
            offset: ConstExpr::decode(&offset_expr)?,
        },
    };
    Ok(ElemSegment { mode, ty, items })
}
