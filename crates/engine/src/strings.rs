//! Strings of JavaScript for modules that import them (proposal js-string-builtins).
//!
//! Compilers to WebAssembly that know such strings import functions on them from `wasm:js-string`
//! and their literals as global constants. A string is data of the host's behind an external
//! reference: immutable, a sequence of 16-bit code units, of which any sequence is one. How it is
//! kept is nobody's business: narrow or wide (`units.rs`), in one piece that others may share
//! (`text.rs`) or as what it was put together from (`rope.rs`). All of it counts against the limit
//! of the store (`account.rs`, `store.rs`). `functions.rs` is the table of what can be imported.
//!
//! What the proposal leaves to a host that has JavaScript is left out: `wasm:text-encoder` and
//! `wasm:text-decoder` wait for a proposal of their own.

mod account;
mod functions;
mod rope;
mod store;
mod text;
mod units;

use crate::error::Result;
use crate::refs::ExternRef;
use crate::roots::{Rooted, RootedGcRef};
use crate::store::{AsContextMut, StoreContext};
use account::Charge;
pub(crate) use functions::{MODULE, host_func, is_known};
use rope::Form;
use selkie_module::{GlobalType, HeapType, RefType, ValType};
pub(crate) use store::Strings;
use units::Units;

/// The module name of string constants, unless a linker is told another.
pub(crate) const CONSTANTS: &str = "'";
/// The type of string constants.
pub(crate) const CONSTANT_TYPE: GlobalType = GlobalType {
    content: ValType::Ref(RefType { nullable: false, heap: HeapType::Extern }),
    mutable: false,
    shared: false,
};

/// A string of JavaScript (WTF-16), as modules that import `wasm:js-string` know it.
///
/// The host makes strings for them and reads theirs:
///
/// ```
/// use selkie_engine::{Engine, ExternRef, JsString, Linker, Module, Rooted, Store};
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (import "wasm:js-string" "concat"
///         (func $concat (param externref externref) (result (ref extern))))
///     (import "'" "Hello, " (global $hello externref))
///     (func (export "greet") (param externref) (result externref)
///         (call $concat (global.get $hello) (local.get 0))))"#)?;
/// let mut store = Store::new(&engine, ());
/// let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
/// type Text = Option<Rooted<ExternRef>>;
/// let greet = instance.get_typed_func::<Text, Text>(&mut store, "greet")?;
/// let name = JsString::new(&mut store, "Åse")?;
/// let greeting = greet.call(&mut store, Some(name))?.expect("strings are not null");
/// let greeting = JsString::of(&store, &greeting)?.expect("it is one");
/// assert_eq!(greeting.to_string_lossy(), "Hello, Åse");
/// # Ok::<(), selkie_engine::Error>(())
/// ```
///
/// It is the data of its external reference, so that [`ExternRef::data`] shows a `JsString` too.
/// What strings take counts against [`StoreLimits::gc_heap_bytes`](crate::StoreLimits), and a clone
/// that is kept goes on counting.
pub struct JsString {
    form: Form,
    /// For the object that it is the data of; clones have none.
    _object: Option<Charge>,
}

impl JsString {
    /// Code units of a string at most.
    pub const MAX_LEN: usize = rope::MAX_UNITS;

    /// A string with the characters of `text`.
    ///
    /// # Errors
    /// It is too long, or the store's limit or the system has no room: an error of
    /// [`ErrorKind::Limit`](crate::ErrorKind::Limit).
    #[allow(clippy::new_ret_no_self)] // strings live behind references
    pub fn new(mut store: impl AsContextMut, text: &str) -> Result<Rooted<ExternRef>> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let raw = inner.make_object(|store| store.string_of_str(text))?;
        Ok(inner.root(raw))
    }

    /// A string of code units, lone surrogates among them or not.
    ///
    /// # Errors
    /// As [`JsString::new`].
    pub fn from_utf16(mut store: impl AsContextMut, units: &[u16]) -> Result<Rooted<ExternRef>> {
        let mut context = store.as_context_mut();
        let inner = context.inner();
        let raw = inner.make_object(|store| store.string_of_units(Units::Wide(units)))?;
        Ok(inner.root(raw))
    }

    /// The string behind a reference; `None` if it refers to something else.
    ///
    /// # Errors
    /// The reference's scope has ended, or it belongs to another store.
    pub fn of<'a, T: 'static>(
        store: impl Into<StoreContext<'a, T>>,
        reference: &impl RootedGcRef<ExternRef>,
    ) -> Result<Option<&'a JsString>> {
        let inner = store.into().inner();
        let raw = inner.raw_of(reference.root())?;
        Ok(inner.host_data_of(raw).and_then(|data| data.downcast_ref()))
    }

    /// The number of code units.
    pub fn len(&self) -> usize {
        self.form.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its code units.
    pub fn units(&self) -> Vec<u16> {
        let mut all = vec![0; self.len()];
        let mut end = all.len();
        let seen = self.form.each_piece_from_end(|piece| {
            let start = end - piece.len();
            piece.copy_to(&mut all[start..end]);
            end = start;
        });
        debug_assert_eq!((seen, end), (Ok(()), 0));
        all
    }

    /// Its characters, with U+FFFD for each lone surrogate.
    pub fn to_string_lossy(&self) -> String {
        match self.form.flat().as_ref().map(|text| text.units()) {
            Some(Units::Latin1(units)) => units.iter().map(|unit| char::from(*unit)).collect(),
            _ => String::from_utf16_lossy(&self.units()),
        }
    }
}

impl Clone for JsString {
    fn clone(&self) -> JsString {
        JsString { form: self.form.clone(), _object: None }
    }
}

/// Shows the beginning.
impl std::fmt::Debug for JsString {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 64;
        let units = self.units();
        let start = String::from_utf16_lossy(&units[..units.len().min(SHOWN)]);
        let rest = if units.len() > SHOWN { "…" } else { "" };
        write!(f, "JsString({start:?}{rest}, {} units)", units.len())
    }
}
