//! `Linker`: names for what modules import.

use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::func::host::HostFunc;
use crate::func::{Caller, IntoFunc, WasmParams, WasmRet};
use crate::global::{Extern, Global};
use crate::instance::Instance;
use crate::instance::create::Import;
use crate::instance::pre::InstancePre;
use crate::module::Module;
use crate::store::{AsContextMut, StoreInner};
use crate::strings;
use crate::types::{ExternType, FuncType};
use crate::values::Val;
use selkie_module::features::Feature;
use selkie_module::registry::canonical;
use selkie_module::{EntityType, Limits, TypeId, TypeRef};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

/// Names for what modules import. Functions defined here are shared by all stores; other items
/// belong to one store each.
///
/// ```
/// use selkie_engine::{Engine, Linker, Module, Store};
/// let engine = Engine::default();
/// let mut linker = Linker::new(&engine);
/// linker.func_wrap("host", "next", |x: i32| x + 1)?;
/// let module = Module::new(&engine, r#"(module
///     (import "host" "next" (func $next (param i32) (result i32)))
///     (func (export "run") (result i32) i32.const 1 call $next))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = linker.instantiate(&mut store, &module)?;
/// assert_eq!(instance.get_typed_func::<(), i32>(&mut store, "run")?.call(&mut store, ())?, 2);
/// # Ok::<(), selkie_engine::Error>(())
/// ```
///
/// A linker is for stores with exactly its kind of data, which its functions are given:
///
/// ```compile_fail
/// fn other(linker: selkie_engine::Linker<fn(&'static str)>) -> selkie_engine::Linker<fn(&str)> {
///     linker
/// }
/// ```
pub struct Linker<T: 'static> {
    engine: Engine,
    items: HashMap<String, HashMap<String, Import>>,
    allow_shadowing: bool,
    /// The module name of string constants.
    string_constants: Option<Arc<str>>,
    /// Functions take the data and stores give it: `T` stands on both sides, so it is invariant.
    data: PhantomData<fn(T) -> T>,
}

impl<T> Clone for Linker<T> {
    fn clone(&self) -> Self {
        Linker {
            engine: self.engine.clone(),
            items: self.items.clone(),
            allow_shadowing: self.allow_shadowing,
            string_constants: self.string_constants.clone(),
            data: PhantomData,
        }
    }
}

impl<T> std::fmt::Debug for Linker<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linker").finish_non_exhaustive()
    }
}

impl<T> Linker<T> {
    /// An empty linker.
    pub fn new(engine: &Engine) -> Linker<T> {
        Linker {
            engine: engine.clone(),
            items: HashMap::new(),
            allow_shadowing: false,
            string_constants: Some(strings::CONSTANTS.into()),
            data: PhantomData,
        }
    }

    /// The linker's engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether a name may be defined twice, the later definition winning. Default no.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Linker<T> {
        self.allow_shadowing = allow;
        self
    }

    /// The module name by which modules import strings as constants: each such import is an
    /// immutable global whose value is its own name, a [`JsString`](crate::JsString). Default `'`,
    /// as compilers that know the proposal have it; `None` for no constants.
    pub fn imported_string_constants(&mut self, module: Option<&str>) -> &mut Linker<T> {
        self.string_constants = module.map(Arc::from);
        self
    }

    /// Defines a host function by a closure.
    ///
    /// # Errors
    /// The name is defined already.
    pub fn func_wrap<Params, Results>(
        &mut self,
        module: &str,
        name: &str,
        func: impl IntoFunc<T, Params, Results>,
    ) -> Result<&mut Linker<T>> {
        let func = Arc::new(func.into_host_func(&self.engine));
        self.insert(module, name, Import::Host(func))
    }

    /// Defines a host function of a type known only at run time.
    ///
    /// # Errors
    /// The name is defined already; the type belongs to another engine.
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl Fn(Caller<'_, T>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Linker<T>> {
        let func = Arc::new(HostFunc::untyped(&self.engine, &ty, func)?);
        self.insert(module, name, Import::Host(func))
    }

    /// Defines a host function by a closure that answers a future of its results. The closure takes
    /// its parameters as a tuple. What calls the function must have been begun with
    /// [`Func::call_async`](crate::Func::call_async) or its kin, and waits where the future is
    /// pending; a synchronous call that comes to it fails.
    ///
    /// ```
    /// use selkie_engine::{Caller, Engine, Linker};
    /// let mut linker: Linker<u64> = Linker::new(&Engine::default());
    /// linker.func_wrap_async("host", "wait", |caller: Caller<'_, u64>, (ms,): (u32,)| {
    ///     Box::new(async move {
    ///         // some_timer(ms).await
    ///         *caller.data() + u64::from(ms)
    ///     })
    /// })?;
    /// # Ok::<(), selkie_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// The name is defined already.
    pub fn func_wrap_async<P, R>(
        &mut self,
        module: &str,
        name: &str,
        func: impl for<'a> Fn(Caller<'a, T>, P) -> Box<dyn Future<Output = R> + Send + 'a>
        + Send
        + Sync
        + 'static,
    ) -> Result<&mut Linker<T>>
    where
        P: WasmParams + 'static,
        R: WasmRet + 'static,
    {
        let func = Arc::new(HostFunc::wrap_async(&self.engine, func));
        self.insert(module, name, Import::Host(func))
    }

    /// As [`Linker::func_new`], for a function that answers a future; see
    /// [`Linker::func_wrap_async`].
    ///
    /// # Errors
    /// As [`Linker::func_new`].
    pub fn func_new_async(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        func: impl for<'a> Fn(
            Caller<'a, T>,
            &'a [Val],
            &'a mut [Val],
        ) -> Box<dyn Future<Output = Result<()>> + Send + 'a>
        + Send
        + Sync
        + 'static,
    ) -> Result<&mut Linker<T>> {
        let func = Arc::new(HostFunc::untyped_async(&self.engine, &ty, func)?);
        self.insert(module, name, Import::Host(func))
    }

    /// Defines an item of a store.
    ///
    /// # Errors
    /// The name is defined already; the item belongs to another store.
    pub fn define(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Linker<T>> {
        let item = item.into();
        store.as_context_mut().inner().check(item.store())?;
        self.insert(module, name, Import::Extern(item))
    }

    /// Defines all exports of an instance under a module name.
    ///
    /// # Errors
    /// A name is defined already; the instance belongs to another store.
    pub fn instance(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        instance: Instance,
    ) -> Result<&mut Linker<T>> {
        store.as_context_mut().inner().check(instance.store())?;
        for (name, item) in instance.exports(&mut store) {
            self.insert(module, &name, Import::Extern(item))?;
        }
        Ok(self)
    }

    /// Makes a second name for an item.
    ///
    /// # Errors
    /// The item does not exist; the new name is defined already.
    pub fn alias(
        &mut self,
        module: &str,
        name: &str,
        as_module: &str,
        as_name: &str,
    ) -> Result<&mut Linker<T>> {
        let item = self.find(module, name)?.ok_or_else(|| {
            Error::new(ErrorKind::Link, format!("`{module}` `{name}` is not defined"))
        })?;
        self.insert(as_module, as_name, item)
    }

    /// Makes second names for all items of a module.
    ///
    /// # Errors
    /// The module does not exist; a new name is defined already.
    pub fn alias_module(&mut self, module: &str, as_module: &str) -> Result<&mut Linker<T>> {
        let items = self.items.get(module).cloned().ok_or_else(|| {
            Error::new(ErrorKind::Link, format!("no module `{module}` is defined"))
        })?;
        for (name, item) in items {
            self.insert(as_module, &name, item)?;
        }
        Ok(self)
    }

    /// Defines every function that a module imports and nobody defined, so that calling it fails
    /// with an error of [`ErrorKind::Trap`] that names it.
    ///
    /// # Errors
    /// None while names are checked as here.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<()> {
        for import in module.imports() {
            let ExternType::Func(ty) = import.ty() else { continue };
            if self.contains(import.module(), import.name()) {
                continue;
            }
            let what =
                format!("unknown import `{}` `{}` was called", import.module(), import.name());
            self.func_new(import.module(), import.name(), ty.clone(), move |_, _, _| {
                Err(Error::new(ErrorKind::Trap, what.clone()))
            })?;
        }
        Ok(())
    }

    /// An item, as a handle of a store.
    pub fn get(
        &self,
        mut store: impl AsContextMut<Data = T>,
        module: &str,
        name: &str,
    ) -> Option<Extern> {
        let mut context = store.as_context_mut();
        Some(match self.find(module, name).ok()?? {
            Import::Extern(item) => item,
            Import::Host(func) => {
                Extern::Func(crate::func::host::into_func(context.inner(), &func))
            }
            Import::StringConstant(text) => {
                let inner = context.inner();
                let address = inner.string_constant(&text).ok()? as usize;
                Extern::Global(Global { store: inner.id, address, ty: strings::CONSTANT_TYPE })
            }
        })
    }

    /// Whether a name is defined.
    pub fn contains(&self, module: &str, name: &str) -> bool {
        self.defined(module, name).is_some()
            || self.is_string_function(module, name)
            || self.is_string_constant(module)
    }

    /// Resolves a module's imports, and checks them against the store's items later.
    ///
    /// # Errors
    /// An import is not defined, or a function has another type.
    pub fn instantiate_pre(&self, module: &Module) -> Result<InstancePre<T>> {
        if !Engine::same(&self.engine, module.engine()) {
            let message = "the module and the linker belong to different engines";
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let info = &module.inner.info;
        let mut imports = Vec::with_capacity(info.imports.len());
        for import in &info.imports {
            let item = self.find(&import.module, &import.name)?;
            imports.push(item.ok_or_else(|| unknown(&import.module, &import.name))?);
        }
        for (import, item) in info.imports.iter().zip(&imports) {
            match item {
                Import::Host(func) => check_host(module, import, func)?,
                Import::StringConstant(_) => check_string_constant(module, import)?,
                Import::Extern(_) => {} // of a store, which is not known yet
            }
        }
        Ok(InstancePre::new(module, imports.into(), None))
    }

    /// Instantiates a module and runs its start function.
    ///
    /// # Errors
    /// As [`Linker::instantiate_pre`] and [`Instance::new`].
    pub fn instantiate(
        &self,
        store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        self.instantiate_pre(module)?.instantiate_once(store)
    }

    /// As [`Linker::instantiate`], waiting for what the start function waits for.
    ///
    /// # Errors
    /// As [`Linker::instantiate`].
    pub async fn instantiate_async(
        &self,
        store: impl AsContextMut<Data = T>,
        module: &Module,
    ) -> Result<Instance> {
        self.instantiate_pre(module)?.instantiate_once_async(store).await
    }

    /// What a name stands for: what was defined, or else what every module may import.
    ///
    /// # Errors
    /// The engine knows too many types to know that of a function too.
    fn find(&self, module: &str, name: &str) -> Result<Option<Import>> {
        if let Some(item) = self.defined(module, name) {
            return Ok(Some(item.clone()));
        }
        if self.is_string_function(module, name) {
            let func = strings::host_func::<T>(&self.engine, name)?;
            return Ok(func.map(|func| Import::Host(Arc::new(func))));
        }
        Ok(self.is_string_constant(module).then(|| Import::StringConstant(name.into())))
    }

    fn defined(&self, module: &str, name: &str) -> Option<&Import> {
        self.items.get(module)?.get(name)
    }

    fn is_string_function(&self, module: &str, name: &str) -> bool {
        module == strings::MODULE && strings::is_known(name) && self.knows_strings()
    }

    fn is_string_constant(&self, module: &str) -> bool {
        self.string_constants.as_deref() == Some(module) && self.knows_strings()
    }

    fn knows_strings(&self) -> bool {
        self.engine.config().features.has(Feature::js_string_builtins)
    }

    fn insert(&mut self, module: &str, name: &str, item: Import) -> Result<&mut Linker<T>> {
        let names = self.items.entry(module.to_string()).or_default();
        if !self.allow_shadowing && names.contains_key(name) {
            let message = format!("`{module}` `{name}` is defined twice");
            return Err(Error::new(ErrorKind::Link, message));
        }
        names.insert(name.to_string(), item);
        Ok(self)
    }
}

fn unknown(module: &str, name: &str) -> Error {
    Error::new(ErrorKind::Link, format!("unknown import: `{module}` `{name}` has not been defined"))
}

pub(crate) fn other_engine() -> Error {
    Error::new(ErrorKind::Invalid, "the module and the store belong to different engines")
}

/// Checks imports given by place (spec: exec/modules, external typing).
pub(crate) fn check_imports(store: &StoreInner, module: &Module, imports: &[Import]) -> Result<()> {
    if !Engine::same(&store.engine, module.engine()) {
        return Err(other_engine());
    }
    let wanted = &module.inner.info.imports;
    if wanted.len() != imports.len() {
        let message =
            format!("the module has {} imports, {} were given", wanted.len(), imports.len());
        return Err(Error::new(ErrorKind::Link, message));
    }
    for (import, item) in wanted.iter().zip(imports) {
        match item {
            Import::Extern(item) => check_extern(store, module, import, *item)?,
            Import::Host(func) => check_host(module, import, func)?,
            Import::StringConstant(_) => check_string_constant(module, import)?,
        }
    }
    Ok(())
}

fn incompatible(module: &Module, import: &selkie_module::Import, have: &str) -> Error {
    let want = module.inner.extern_type(import.ty);
    let (from, name) = (&import.module, &import.name);
    let message =
        format!("incompatible import type: `{from}` `{name}` must be {want}, but is {have}");
    Error::new(ErrorKind::Link, message)
}

fn check_host(module: &Module, import: &selkie_module::Import, func: &HostFunc) -> Result<()> {
    let want = canonical(&import.ty, &module.inner.type_ids);
    let types = module.engine().types();
    let have = func.ty().id();
    let fits = match want {
        EntityType::Func(TypeRef::Engine(want)) => types.is_subtype(have, want),
        EntityType::ExactFunc(TypeRef::Engine(want)) => have == want,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    drop(types);
    Err(incompatible(module, import, &format!("func {}", func.ty())))
}

fn check_string_constant(module: &Module, import: &selkie_module::Import) -> Result<()> {
    let want = canonical(&import.ty, &module.inner.type_ids);
    let types = module.engine().types();
    if let EntityType::Global(want) = want
        && !want.mutable
        && types.val_matches(strings::CONSTANT_TYPE.content, want.content)
    {
        return Ok(());
    }
    drop(types);
    Err(incompatible(module, import, "a string constant, global (ref extern)"))
}

pub(crate) fn check_extern(
    store: &StoreInner,
    module: &Module,
    import: &selkie_module::Import,
    item: Extern,
) -> Result<()> {
    store.check(item.store())?;
    let want = canonical(&import.ty, &module.inner.type_ids);
    if extern_matches(store, want, item)? {
        return Ok(());
    }
    Err(incompatible(module, import, &describe(store, item)))
}

fn describe(store: &StoreInner, item: Extern) -> String {
    let name = |id| TypeRef::Engine(id);
    let ty = match item {
        Extern::Func(func) => {
            EntityType::Func(name(TypeId(store.func_ref(func).map_or(0, |f| f.type_id))))
        }
        Extern::Table(t) => EntityType::Table(store.tables[t.index as usize].ty),
        Extern::Memory(m) => EntityType::Memory(store.memories[m.index as usize].ty),
        Extern::Global(g) => EntityType::Global(g.ty),
        Extern::Tag(t) => EntityType::Tag(name(t.type_id)),
    };
    ExternType::from_entity(&store.engine, ty).to_string()
}

fn extern_matches(store: &StoreInner, want: EntityType, item: Extern) -> Result<bool> {
    let types = store.engine.types();
    Ok(match (want, item) {
        (EntityType::Func(TypeRef::Engine(want)), Extern::Func(func)) => {
            types.is_subtype(TypeId(store.func_ref(func)?.type_id), want)
        }
        (EntityType::ExactFunc(TypeRef::Engine(want)), Extern::Func(func)) => {
            TypeId(store.func_ref(func)?.type_id) == want
        }
        (EntityType::Table(want), Extern::Table(table)) => {
            let entry = &store.tables[table.index as usize];
            let same = types.ref_matches(want.element, entry.ty.element)
                && types.ref_matches(entry.ty.element, want.element);
            same && want.index == entry.ty.index
                && want.shared == entry.ty.shared
                && limits_match(want.limits, entry.storage.len(), entry.ty.limits.max)
        }
        (EntityType::Memory(want), Extern::Memory(memory)) => {
            let entry = &store.memories[memory.index as usize];
            want.shared == entry.ty.shared
                && want.index == entry.ty.index
                && want.page_size_log2 == entry.ty.page_size_log2
                && limits_match(want.limits, entry.pages(), entry.ty.limits.max)
        }
        (EntityType::Global(want), Extern::Global(global)) => {
            let have = global.ty;
            have.mutable == want.mutable
                && have.shared == want.shared
                && types.val_matches(have.content, want.content)
                && (!want.mutable || types.val_matches(want.content, have.content))
        }
        (EntityType::Tag(TypeRef::Engine(want)), Extern::Tag(tag)) => tag.type_id == want,
        _ => false,
    })
}

/// spec: valid/matching, limits; the current size stands for the minimum.
fn limits_match(want: Limits, size: u64, max: Option<u64>) -> bool {
    size >= want.min && want.max.is_none_or(|want| max.is_some_and(|max| max <= want))
}
