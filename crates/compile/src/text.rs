//! An emitter that prints: each line is what the walk told it. Used for snapshots of the walk's
//! decisions, which change only when a decision changes.

use crate::emitter::{Callee, Const, Emitter, Lanes, WideOp};
use crate::memory_ops::{Atomic, Load, Store};
use crate::ops::Numeric;
use crate::plan::{
    Barrier, BoundsCheck, BytesAccess, CastPlan, CastTarget, ElementAccess, FieldAccess,
    GlobalAccess, MemoryAccess, MemoryPlan, NullCheck, Place, TableAccess, TagAccess,
};
use selkie_module::builtins::{Builtin, StackSwitch};
use selkie_module::fuel::Bulk;
use selkie_module::heap::Slot;
use selkie_module::{
    DefinedFuncIndex, FuncRefIndex, FuncType, IndexType, TrapCode, TypeIndex, ValType,
};
use std::fmt::Write;

/// A value, printed `v3`.
#[derive(Clone, Copy, Debug)]
pub struct Value(u32);

/// A label, printed `L3`.
#[derive(Clone, Copy, Debug)]
pub struct Label(u32);

/// A local, printed `x3`.
#[derive(Clone, Copy, Debug)]
pub struct Local(u32);

/// Collects the lines.
#[derive(Default)]
pub struct TextEmitter {
    text: String,
    values: u32,
    labels: u32,
    locals: u32,
    /// Types that each label carries.
    label_arity: Vec<usize>,
}

impl TextEmitter {
    /// The lines so far.
    pub fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "  {line}");
    }

    fn new_value(&mut self) -> Value {
        self.values += 1;
        Value(self.values - 1)
    }

    fn define(&mut self, line: std::fmt::Arguments<'_>) -> Value {
        let value = self.new_value();
        self.line(format_args!("v{} = {line}", value.0));
        value
    }

    fn new_label(&mut self, types: &[ValType]) -> Label {
        self.label_arity.push(types.len());
        self.labels += 1;
        Label(self.labels - 1)
    }
}

fn list(values: &[Value]) -> String {
    values.iter().map(|v| format!("v{}", v.0)).collect::<Vec<_>>().join(", ")
}

fn place(place: Place) -> String {
    match place {
        Place::Inline(at) => format!("ctx+{at}"),
        Place::Pointer(at) => format!("[ctx+{at}]"),
    }
}

fn access(access: &MemoryAccess) -> String {
    let check = match access.check {
        BoundsCheck::Guard => "guard".to_string(),
        BoundsCheck::AlwaysTraps => "traps".to_string(),
        BoundsCheck::Explicit { end_bytes, index_is_wide } => {
            format!("check end={end_bytes}{}", if index_is_wide { " wide" } else { "" })
        }
    };
    let memory = access.plan.memory.0;
    format!("memory {memory} at {} +{} {check}", place(access.plan.place), access.offset)
}

fn callee(callee: &Callee<Value>) -> String {
    match callee {
        Callee::Direct(f) => format!("direct {}", f.0),
        Callee::Import(at) => format!("import ctx+{at}"),
        Callee::Ref(v) => format!("ref v{}", v.0),
        Callee::Indirect { table, type_index, may_have_subtypes, index } => format!(
            "indirect table {} at {} type {}{} index v{}",
            table.table.0,
            place(table.place),
            type_index.0,
            if *may_have_subtypes { " or subtype" } else { "" },
            index.0
        ),
    }
}

fn global(access: &GlobalAccess) -> String {
    match access {
        GlobalAccess::Constant(value) => format!("{value:?}"),
        GlobalAccess::Memory { place: at, ty, is_immutable } => {
            format!("{ty} at {}{}", place(*at), if *is_immutable { " fixed" } else { "" })
        }
    }
}

fn field(access: &FieldAccess) -> String {
    let null = match access.null {
        NullCheck::None => "",
        NullCheck::Faults(_) => " or fault",
        NullCheck::Compare(_) => " unless null",
    };
    format!("{:?} at +{}{null}", access.slot, access.offset)
}

fn told(barrier: Barrier) -> &'static str {
    match barrier {
        Barrier::None => "",
        Barrier::Card => " and mark its card",
    }
}

fn cast(plan: &CastPlan) -> String {
    let answer = |what: &str, fits: Option<bool>| match fits {
        None => String::new(),
        Some(true) => format!("{what} or "),
        Some(false) => format!("not {what} and "),
    };
    let (null, i31) = (answer("null", plan.null), answer("i31", plan.i31));
    let target = match plan.target {
        CastTarget::Always => "anything".to_string(),
        CastTarget::Never => "nothing".to_string(),
        CastTarget::Kind(kind) => format!("{kind:?}"),
        CastTarget::StructOrArray => "Struct or Array".to_string(),
        CastTarget::Exactly { ty, .. } => format!("type {}", ty.0),
        CastTarget::Below { ty, depth, .. } => format!("type {} or below (depth {depth})", ty.0),
    };
    format!("{null}{i31}{target}")
}

fn part(access: &BytesAccess) -> String {
    let element = 1 << access.element_bytes_log2;
    let (offset, length) = (access.offset, field(&access.length));
    format!("bytes of array +{offset}, length {length} times {element}")
}

/// The descriptor that a cast asks for.
fn described(plan: &CastPlan, descriptor: Option<Value>) -> String {
    match (plan.descriptor, descriptor) {
        (Some(access), Some(wanted)) => format!(" with v{} as {}", wanted.0, field(&access)),
        _ => String::new(),
    }
}

impl Emitter for TextEmitter {
    type Value = Value;
    type Label = Label;
    type Local = Local;

    fn begin(&mut self, ty: &FuncType, params: &mut Vec<Value>) {
        params.extend(ty.params.iter().map(|_| self.new_value()));
        self.text.push_str(&format!("func {ty}\n"));
    }

    fn at(&mut self, _position: u32) {}

    fn local(&mut self, ty: ValType, value: Option<Value>) -> Local {
        self.locals += 1;
        let local = Local(self.locals - 1);
        match value {
            Some(value) => self.line(format_args!("local x{}: {ty} = v{}", local.0, value.0)),
            None => self.line(format_args!("local x{}: {ty}", local.0)),
        }
        local
    }

    fn local_get(&mut self, local: Local) -> Value {
        self.define(format_args!("x{}", local.0))
    }

    fn local_set(&mut self, local: Local, value: Value) {
        self.line(format_args!("x{} = v{}", local.0, value.0));
    }

    fn label(&mut self, types: &[ValType]) -> Label {
        self.new_label(types)
    }

    fn bind(&mut self, label: Label, out: &mut Vec<Value>) {
        let first = out.len();
        for _ in 0..self.label_arity[label.0 as usize] {
            let value = self.new_value();
            out.push(value);
        }
        let line = format!("L{}({}):\n", label.0, list(&out[first..]));
        self.text.push_str(&line);
    }

    fn begin_loop(&mut self, types: &[ValType], args: &[Value], out: &mut Vec<Value>) -> Label {
        let label = self.new_label(types);
        self.line(format_args!("enter L{} ({})", label.0, list(args)));
        self.bind(label, out);
        label
    }

    fn end_loop(&mut self, label: Label) {
        self.line(format_args!("end of L{}", label.0));
    }

    fn jump(&mut self, to: Label, args: &[Value]) {
        self.line(format_args!("jump L{} ({})", to.0, list(args)));
    }

    fn branch_if(&mut self, condition: Value, to: Label, args: &[Value], hint: Option<bool>) {
        let hint = hint.map_or(String::new(), |likely| format!(" likely={likely}"));
        self.line(format_args!("if v{} jump L{} ({}){hint}", condition.0, to.0, list(args)));
    }

    fn branch_unless(&mut self, condition: Value, to: Label, hint: Option<bool>) {
        let hint = hint.map_or(String::new(), |likely| format!(" likely={likely}"));
        self.line(format_args!("unless v{} jump L{}{hint}", condition.0, to.0));
    }

    fn br_table(&mut self, index: Value, targets: &[Label], default: Label, args: &[Value]) {
        let targets = targets.iter().map(|l| format!("L{}", l.0)).collect::<Vec<_>>().join(" ");
        let (index, default) = (index.0, default.0);
        self.line(format_args!("switch v{index} [{targets}] else L{default} ({})", list(args)));
    }

    fn ret(&mut self, results: &[Value]) {
        self.line(format_args!("return ({})", list(results)));
    }

    fn trap(&mut self, code: TrapCode) {
        self.line(format_args!("trap {code:?}"));
    }

    fn constant(&mut self, value: Const) -> Value {
        self.define(format_args!("{value:?}"))
    }

    fn drop(&mut self, _value: Value) {}

    fn numeric(&mut self, op: Numeric, args: &[Value]) -> Value {
        self.define(format_args!("{} {}", op.name(), list(args)))
    }

    fn select(&mut self, _ty: ValType, condition: Value, a: Value, b: Value) -> Value {
        self.define(format_args!("select v{} ? v{} : v{}", condition.0, a.0, b.0))
    }

    fn wide(&mut self, op: WideOp, args: &[Value]) -> (Value, Value) {
        let (low, high) = (self.new_value(), self.new_value());
        self.line(format_args!("v{}, v{} = {op:?} {}", low.0, high.0, list(args)));
        (low, high)
    }

    fn extract_lane(&mut self, lanes: Lanes, lane: u8, signed: bool, vector: Value) -> Value {
        let sign = if signed { " signed" } else { "" };
        self.define(format_args!("extract {lanes:?} {lane}{sign} v{}", vector.0))
    }

    fn replace_lane(&mut self, lanes: Lanes, lane: u8, vector: Value, value: Value) -> Value {
        self.define(format_args!("replace {lanes:?} {lane} v{} v{}", vector.0, value.0))
    }

    fn shuffle(&mut self, lanes: [u8; 16], a: Value, b: Value) -> Value {
        self.define(format_args!("shuffle {lanes:?} v{} v{}", a.0, b.0))
    }

    fn scalar_to_vector(&mut self, ty: ValType, value: Value) -> Value {
        self.define(format_args!("vector of {ty} v{}", value.0))
    }

    fn ref_is_null(&mut self, value: Value) -> Value {
        self.define(format_args!("is null v{}", value.0))
    }

    fn trap_if_null(&mut self, value: Value, code: TrapCode) {
        self.line(format_args!("trap {code:?} if null v{}", value.0));
    }

    fn ref_func(&mut self, offset: u32, place: FuncRefIndex) -> Value {
        self.define(format_args!("function reference {} at ctx+{offset}", place.0))
    }

    fn global_get(&mut self, access: &GlobalAccess) -> Value {
        self.define(format_args!("global {}", global(access)))
    }

    fn global_set(&mut self, access: &GlobalAccess, value: Value) {
        self.line(format_args!("global {} = v{}", global(access), value.0));
    }

    fn load(&mut self, op: Load, at: &MemoryAccess, index: Value) -> Value {
        let (bytes, extend) = (op.bytes, op.extend);
        self.define(format_args!("load {} {bytes} {extend:?} v{} {}", op.ty, index.0, access(at)))
    }

    fn store(&mut self, op: Store, at: &MemoryAccess, index: Value, value: Value) {
        let (ty, bytes) = (op.ty, op.bytes);
        self.line(format_args!("store {ty} {bytes} v{} v{} {}", index.0, value.0, access(at)));
    }

    fn atomic(
        &mut self,
        op: Atomic,
        at: &MemoryAccess,
        index: Value,
        args: &[Value],
    ) -> Option<Value> {
        let line = format!(
            "atomic {:?} {} v{} ({}) {}",
            op.kind,
            op.bytes,
            index.0,
            list(args),
            access(at)
        );
        if op.kind == crate::memory_ops::AtomicKind::Store {
            self.line(format_args!("{line}"));
            return None;
        }
        Some(self.define(format_args!("{line}")))
    }

    fn copy_bytes(&mut self, to: &MemoryAccess, dst: Value, from: &MemoryAccess, src: Value) {
        let (bytes, to, from) = (to.width, access(to), access(from));
        self.line(format_args!("copy {bytes} to v{} {to} from v{} {from}", dst.0, src.0));
    }

    fn fill_bytes(&mut self, at: &MemoryAccess, dst: Value, value: Value) {
        let bytes = at.width;
        self.line(format_args!("fill {bytes} at v{} {} with v{}", dst.0, access(at), value.0));
    }

    fn memory_definition(&mut self, plan: &MemoryPlan) -> Value {
        self.define(format_args!("memory {} at {}", plan.memory.0, place(plan.place)))
    }

    fn fence(&mut self) {
        self.line(format_args!("fence"));
    }

    fn checked_address(&mut self, at: &MemoryAccess, index: Value) -> Value {
        self.define(format_args!("address v{} {}", index.0, access(at)))
    }

    fn memory_size(&mut self, plan: &MemoryPlan) -> Value {
        self.define(format_args!("size of memory {}", plan.memory.0))
    }

    fn table_get(&mut self, access: &TableAccess, index: Value) -> Value {
        let at = place(access.place);
        self.define(format_args!("table {} at {at} [v{}]", access.table.0, index.0))
    }

    fn table_set(&mut self, access: &TableAccess, index: Value, value: Value) {
        let at = place(access.place);
        self.line(format_args!("table {} at {at} [v{}] = v{}", access.table.0, index.0, value.0));
    }

    fn table_size(&mut self, access: &TableAccess) -> Value {
        self.define(format_args!("size of table {}", access.table.0))
    }

    fn type_id(&mut self, ty: TypeIndex) -> Value {
        self.define(format_args!("id of type {}", ty.0))
    }

    fn new_object(&mut self, bytes: u32) -> Value {
        self.define(format_args!("new object of {bytes} bytes"))
    }

    fn new_array(&mut self, ty: TypeIndex, slot: Slot, length: Value, value: Value) -> Value {
        let (length, value) = (length.0, value.0);
        self.define(format_args!("new array of type {} {slot:?} v{length} times v{value}", ty.0))
    }

    fn load_field(&mut self, access: &FieldAccess, signed: bool, object: Value) -> Value {
        let sign = if signed { " signed" } else { "" };
        self.define(format_args!("field v{} {}{sign}", object.0, field(access)))
    }

    fn store_field(&mut self, access: &FieldAccess, object: Value, value: Value) {
        let (place, told) = (field(access), told(access.barrier));
        self.line(format_args!("field v{} {place} = v{}{told}", object.0, value.0));
    }

    fn load_element(
        &mut self,
        access: &ElementAccess,
        signed: bool,
        array: Value,
        index: Value,
    ) -> Value {
        let sign = if signed { " signed" } else { "" };
        let (slot, length) = (access.slot, field(&access.length));
        self.define(format_args!(
            "element v{} [v{}] {slot:?}{sign}, length {length}",
            array.0, index.0
        ))
    }

    fn store_element(&mut self, access: &ElementAccess, array: Value, index: Value, value: Value) {
        let (slot, length, told) = (access.slot, field(&access.length), told(access.barrier));
        let (array, index, value) = (array.0, index.0, value.0);
        self.line(format_args!(
            "element v{array} [v{index}] {slot:?} = v{value}, length {length}{told}"
        ));
    }

    fn copy_elements(
        &mut self,
        to: &ElementAccess,
        dst: (Value, Value),
        _from: &ElementAccess,
        src: (Value, Value),
        length: Value,
    ) {
        let (slot, length) = (to.slot, length.0);
        let (to, at, from, start) = (dst.0.0, dst.1.0, src.0.0, src.1.0);
        self.line(format_args!(
            "elements v{to} [v{at}..] {slot:?} = v{from} [v{start}..] times v{length}"
        ));
    }

    fn load_bytes(&mut self, op: Load, at: &BytesAccess, array: Value, index: Value) -> Value {
        let (ty, bytes, extend) = (op.ty, op.bytes, op.extend);
        let (array, index) = (array.0, index.0);
        self.define(format_args!("load {ty} {bytes} {extend:?} v{array} v{index} {}", part(at)))
    }

    fn store_bytes(
        &mut self,
        op: Store,
        at: &BytesAccess,
        array: Value,
        index: Value,
        value: Value,
    ) {
        let (ty, bytes, array, index, value) = (op.ty, op.bytes, array.0, index.0, value.0);
        self.line(format_args!("store {ty} {bytes} v{array} v{index} v{value} {}", part(at)));
    }

    fn continuation(&mut self, place: Value) -> Value {
        self.define(format_args!("continuation [v{}]", place.0))
    }

    fn stand_for(&mut self, object: Value, place: Value) {
        self.line(format_args!("v{} stands for continuation [v{}]", object.0, place.0));
    }

    fn argument_place(&mut self, continuation: Value) -> Value {
        self.define(format_args!("arguments of v{}", continuation.0))
    }

    fn value_place(&mut self, count: usize) -> Value {
        self.define(format_args!("place for {count} values"))
    }

    fn put_values(&mut self, place: Value, values: &[Value]) {
        self.line(format_args!("put v{} ({})", place.0, list(values)));
    }

    fn take_values(&mut self, place: Value, types: &[ValType], out: &mut Vec<Value>) {
        let first = out.len();
        out.extend(types.iter().map(|_| self.new_value()));
        let values = list(&out[first..]);
        self.line(format_args!("({values}) = take v{}", place.0));
    }

    fn event(&mut self, tag: &TagAccess, is_switch: bool) -> Value {
        let kind = if is_switch { "switch" } else { "suspend" };
        self.define(format_args!("{kind} tag {} at {}", tag.tag.0, place(tag.place)))
    }

    fn resume_place(&mut self, events: &[Value]) -> Value {
        self.define(format_args!("clauses ({})", list(events)))
    }

    fn resume_outcome(&mut self, resume: Value) -> Value {
        self.define(format_args!("outcome of v{}", resume.0))
    }

    fn clause_values(&mut self, resume: Value) -> (Value, Value) {
        let (object, payload) = (self.new_value(), self.new_value());
        self.line(format_args!("v{}, v{} = given by v{}", object.0, payload.0, resume.0));
        (object, payload)
    }

    fn switch_stacks(
        &mut self,
        way: StackSwitch,
        args: &[Value],
        results: &[ValType],
        on_throw: Option<Label>,
        out: &mut Vec<Value>,
    ) {
        let first = out.len();
        out.extend(results.iter().map(|_| self.new_value()));
        let results = list(&out[first..]);
        let throws = on_throw.map_or(String::new(), |label| format!(" throws to L{}", label.0));
        self.line(format_args!("({results}) = {way:?} ({}){throws}", list(args)));
    }

    fn ref_test(&mut self, plan: &CastPlan, value: Value) -> Value {
        self.define(format_args!("is v{} {}", value.0, cast(plan)))
    }

    fn ref_cast(&mut self, plan: &CastPlan, value: Value, descriptor: Option<Value>) {
        let (plan, described) = (cast(plan), described(plan, descriptor));
        self.line(format_args!("trap unless v{} is {plan}{described}", value.0));
    }

    fn branch_on_cast(
        &mut self,
        plan: &CastPlan,
        value: Value,
        descriptor: Option<Value>,
        when: bool,
        to: Label,
        args: &[Value],
    ) {
        let word = if when { "if" } else { "unless" };
        let (plan, described, args) = (cast(plan), described(plan, descriptor), list(args));
        let (value, to) = (value.0, to.0);
        self.line(format_args!("{word} v{value} is {plan}{described} jump L{to} ({args})"));
    }

    fn consume_fuel(&mut self, units: u64) {
        self.line(format_args!("fuel {units}"));
    }

    fn consume_bulk_fuel(&mut self, bulk: Bulk, count: Value) {
        self.line(format_args!("fuel for v{} {bulk:?}, trap if there is none", count.0));
    }

    fn check_fuel(&mut self) {
        self.line(format_args!("trap if there is no fuel"));
    }

    fn check_interrupt(&mut self) {
        self.line(format_args!("call interrupted if somebody wants it"));
    }

    fn widen(&mut self, value: Value, index: IndexType) -> Value {
        match index {
            IndexType::I64 => value,
            IndexType::I32 => self.define(format_args!("widen v{}", value.0)),
        }
    }

    fn narrow(&mut self, value: Value, index: IndexType) -> Value {
        match index {
            IndexType::I64 => value,
            IndexType::I32 => self.define(format_args!("narrow v{}", value.0)),
        }
    }

    fn builtin(&mut self, entry: Builtin, args: &[Value]) -> Option<Value> {
        let line = format!("entry {} ({})", entry.name(), list(args));
        if entry.result().is_none() {
            self.line(format_args!("{line}"));
            return None;
        }
        Some(self.define(format_args!("{line}")))
    }

    fn tag_id(&mut self, tag: &TagAccess) -> Value {
        self.define(format_args!("tag {} at {}", tag.tag.0, place(tag.place)))
    }

    fn call(
        &mut self,
        to: &Callee<Value>,
        ty: &FuncType,
        args: &[Value],
        on_throw: Option<Label>,
        out: &mut Vec<Value>,
    ) {
        let first = out.len();
        out.extend(ty.results.iter().map(|_| self.new_value()));
        let results = list(&out[first..]);
        let throws = on_throw.map_or(String::new(), |label| format!(" throws to L{}", label.0));
        self.line(format_args!("({results}) = call {} ({}){throws}", callee(to), list(args)));
    }

    fn return_call(&mut self, to: &Callee<Value>, _ty: &FuncType, args: &[Value]) {
        self.line(format_args!("return call {} ({})", callee(to), list(args)));
    }
}

/// The walk of one function as text.
///
/// # Errors
/// As the walk.
pub fn print_function(
    unit: &crate::CompileUnit<'_>,
    func: DefinedFuncIndex,
) -> Result<String, crate::CompileError> {
    let mut emitter = TextEmitter::default();
    let mut scratch = crate::translate::TranslatorScratch::default();
    crate::Translator::new(unit, &mut emitter).function(func, &mut scratch)?;
    Ok(emitter.into_text())
}
