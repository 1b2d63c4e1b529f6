//! What a store does for its strings: makes objects for them, finds them again, charges them, and
//! collects when they have become many.
//!
//! Invariant: whatever charges may collect, and then every reference that no list of the store shows
//! is stale. So functions take strings out of their references first, and make references last.

use super::JsString;
use super::account::{Account, Charge};
use super::rope::{Form, Join, MAX_UNITS};
use super::text::{Buffer, Text, piece_bytes};
use super::units::Units;
use crate::entry::{Guest, Stop};
use crate::store::{HostGlobal, StoreInner};
use selkie_module::TrapCode;
use selkie_module::fuel::Bulk;
use selkie_module::heap::MAX_BYTES;
use selkie_vm::{Collection, VMGlobal};
use std::sync::{Arc, OnceLock};

type Result<T> = std::result::Result<T, TrapCode>;
/// Of what may be interrupted.
type Stopped<T> = std::result::Result<T, Stop>;

/// What the data of a string's object takes, with its place in the list of the store.
const OBJECT_BYTES: u64 = 96;
/// New bytes of strings after which a collection is worthwhile, if there are few of them and little
/// else.
const LEAST_ALLOWANCE_BYTES: u64 = 16 << 20;

/// What a store remembers of its strings.
pub(crate) struct Strings {
    /// Opened by the first string.
    account: OnceLock<Arc<Account>>,
    /// Beyond this much it is time to look for dead ones.
    collect_at_bytes: u64,
}

impl Default for Strings {
    fn default() -> Strings {
        Strings { account: OnceLock::new(), collect_at_bytes: LEAST_ALLOWANCE_BYTES }
    }
}

impl Strings {
    /// Bytes that strings take.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.account.get().map_or(0, |account| account.used_bytes())
    }

    fn account(&self) -> &Arc<Account> {
        self.account.get_or_init(Arc::default)
    }
}

impl Guest<'_> {
    /// A string's units in one piece. A string that has been brought into one remembers that. May
    /// collect.
    pub(super) fn text(&mut self, raw: u64) -> Stopped<Text> {
        let form = match &self.string(raw)?.form {
            Form::Flat(text) => return Ok(text.clone()),
            form => form.clone(),
        };
        let Some(text) = form.flat() else { return self.flat(form) };
        let data = self.host_data_of_mut(raw).and_then(|data| data.downcast_mut::<JsString>());
        if let Some(string) = data {
            string.form = Form::Flat(text.clone());
        }
        Ok(text)
    }

    /// As [`Guest::text`], of a string whose reference may be stale. May collect.
    pub(super) fn flat(&mut self, form: Form) -> Stopped<Text> {
        let units = form.len();
        match (form.flat(), form) {
            (Some(text), _) | (None, Form::Flat(text)) => Ok(text),
            (None, Form::Rope(rope)) => {
                self.pay_for_units(units)?;
                let charge = self.charge(rope.flat_bytes())?;
                rope.flatten(charge, || self.check_interrupt())
            }
        }
    }
}

impl StoreInner {
    /// The string that a reference refers to; [`TrapCode::CastFailure`] for null and anything else
    /// (proposal: `UnwrapString`).
    #[inline]
    pub(super) fn string(&self, raw: u64) -> Result<&JsString> {
        let data = self.host_data_of(raw).and_then(|data| data.downcast_ref());
        data.ok_or(TrapCode::CastFailure)
    }

    /// Its form, to be kept.
    pub(super) fn form(&self, raw: u64) -> Result<Form> {
        Ok(self.string(raw)?.form.clone())
    }

    /// Takes fuel for code units that are about to be looked at or copied.
    pub(super) fn pay_for_units(&mut self, units: usize) -> Result<()> {
        self.consume_fuel(Bulk::Elements.units(units as u64))
    }

    /// Charges memory for a string that is about to be made. May collect.
    pub(super) fn charge(&mut self, bytes: u64) -> Result<Charge> {
        let wanted = self.strings.used_bytes().saturating_add(bytes);
        if wanted > self.strings.collect_at_bytes {
            self.collect_strings(bytes);
        }
        self.limit_strings();
        if let Ok(charge) = self.strings.account().charge(bytes) {
            return Ok(charge);
        }
        self.collect_beside(wanted);
        self.limit_strings();
        self.strings.account().charge(bytes)
    }

    /// Strings and the heap obey one limit: what the heap has, strings cannot have.
    fn limit_strings(&mut self) {
        let limit = self.limits.gc_heap_bytes.min(MAX_BYTES);
        let heap = self.heap.as_ref().map_or(0, |heap| heap.committed_bytes());
        self.strings.account().set_limit(limit.saturating_sub(heap));
    }

    /// Looks for strings that nobody can reach: among young objects first, and everywhere when that
    /// frees too little to be worth doing again soon.
    #[cold]
    fn collect_strings(&mut self, bytes: u64) {
        self.collect(Collection::Minor);
        let limit = self.strings.collect_at_bytes;
        if self.strings.used_bytes().saturating_add(bytes) <= limit / 4 * 3 {
            return;
        }
        self.collect(Collection::Full);
        let used = self.strings.used_bytes().saturating_add(bytes);
        // The cost of a full collection grows with the heap, so it must be paid less often.
        let heap = self.heap.as_ref().map_or(0, |heap| heap.committed_bytes());
        let allowance = LEAST_ALLOWANCE_BYTES.max(used).max(heap / 2);
        self.strings.collect_at_bytes = used.saturating_add(allowance);
    }

    /// A reference to a new string. May collect.
    pub(super) fn new_string(&mut self, form: Form) -> Result<u64> {
        self.ensure_heap().map_err(|_| TrapCode::AllocationTooLarge)?;
        let object = self.charge(OBJECT_BYTES)?;
        let string = JsString { form, _object: Some(object) };
        self.new_host_object(Box::new(string))
    }

    /// A string of units that nobody else has yet. They must not lie in the heap, as this may
    /// collect.
    pub(super) fn string_of_units(&mut self, units: Units<'_>) -> Result<u64> {
        let text = match Text::fixed(units) {
            Some(text) => text,
            None => {
                let is_wide = !units.fits_latin1();
                let charge = self.charge_piece(units.len(), is_wide)?;
                Text::copied(units, is_wide, charge)?
            }
        };
        self.new_string(Form::Flat(text))
    }

    /// A string of characters.
    pub(super) fn string_of_str(&mut self, text: &str) -> Result<u64> {
        if text.is_ascii() {
            return self.string_of_units(Units::Latin1(text.as_bytes()));
        }
        let is_wide = text.chars().any(|c| u32::from(c) > 0xff);
        let len = if is_wide { text.encode_utf16().count() } else { text.chars().count() };
        let charge = self.charge_piece(len, is_wide)?;
        let mut buffer = Buffer::with_capacity(len, is_wide)?;
        match &mut buffer {
            Buffer::Latin1(units) => units.extend(text.chars().map(|c| c as u8)),
            Buffer::Wide(units) => units.extend(text.encode_utf16()),
        }
        self.new_string(Form::Flat(Text::new(buffer, charge)))
    }

    /// A global that holds a string of characters, and lives as long as the store.
    ///
    /// # Errors
    /// As [`JsString::new`].
    pub(crate) fn string_constant(&mut self, text: &str) -> crate::Result<*const VMGlobal> {
        let raw = self.make_object(|store| store.string_of_str(text))?;
        let value = Box::new(VMGlobal { bytes: u128::from(raw).to_le_bytes() });
        let address = &raw const *value;
        self.host.globals.push(HostGlobal { value, is_traced: true });
        Ok(address)
    }

    /// Charges a piece of so many units; [`TrapCode::AllocationTooLarge`] also where no string may
    /// be as long. May collect.
    pub(super) fn charge_piece(&mut self, len: usize, is_wide: bool) -> Result<Charge> {
        if len > MAX_UNITS {
            return Err(TrapCode::AllocationTooLarge);
        }
        self.charge(piece_bytes(len, is_wide))
    }

    /// Two strings, neither of them empty, one behind the other. May collect.
    pub(super) fn joined(&mut self, first: &Form, second: &Form) -> Result<Form> {
        let join = Join::new(first, second)?;
        let charge = self.charge(join.bytes())?;
        join.make(charge)
    }

    /// A part of a string; the range lies inside. May collect.
    pub(super) fn part(&mut self, text: &Text, start: usize, end: usize) -> Result<Text> {
        if let Some(part) = text.part(start, end) {
            return Ok(part);
        }
        let units = text.units().slice(start..end);
        let is_wide = !units.fits_latin1();
        let charge = self.charge_piece(units.len(), is_wide)?;
        Text::copied(units, is_wide, charge)
    }
}
