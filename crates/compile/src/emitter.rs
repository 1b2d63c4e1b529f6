//! `Emitter`: what a tier does when the walk tells it to.
//!
//! An emitter makes no decision that another tier would have to make again: checks, places and
//! call kinds arrive as plans. Values are opaque handles. An emitter in static single assignment
//! form gives each its own; a single-pass emitter that mirrors the operand stack can make them
//! empty: operands always arrive in stack order, results are pushed in order, and
//! [`Emitter::drop`] tells of a value nobody will use.

use crate::memory_ops::{Atomic, Load, Store};
use crate::ops::Numeric;
use crate::plan::{
    BytesAccess, CastPlan, ElementAccess, FieldAccess, GlobalAccess, MemoryAccess, MemoryPlan,
    TableAccess, TagAccess,
};
use selkie_module::builtins::{Builtin, StackSwitch};
use selkie_module::fuel::Bulk;
use selkie_module::heap::Slot;
use selkie_module::{
    DefinedFuncIndex, FuncRefIndex, FuncType, IndexType, TrapCode, TypeIndex, ValType,
};

/// A constant; floats by their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Const {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    /// The null reference.
    Null,
}

/// 128-bit arithmetic on pairs of i64, low half first (wide-arithmetic proposal).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum WideOp {
    Add128,
    Sub128,
    MulWideS,
    MulWideU,
}

/// The shape of a vector's lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Lanes {
    I8x16,
    I16x8,
    I32x4,
    I64x2,
    F32x4,
    F64x2,
}

/// What a call goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee<V> {
    /// A function of the same module: same context, known address.
    Direct(DefinedFuncIndex),
    /// An imported function: the `VMFuncImport` at this offset of the context.
    Import(u32),
    /// `call_indirect`.
    Indirect {
        /// The table.
        table: TableAccess,
        /// The type the slot must have.
        type_index: TypeIndex,
        /// Whether other types can be subtypes of it.
        may_have_subtypes: bool,
        /// The index, as the table's index type has it.
        index: V,
    },
    /// `call_ref`: a pointer to a `VMFuncRef`, possibly null.
    Ref(V),
}

/// Emits code for one function. See the module's head.
pub trait Emitter {
    /// A value.
    type Value: Copy;
    /// A place that branches go to.
    type Label: Copy;
    /// A local variable.
    type Local: Copy;

    /// Begins the function; pushes its parameters to `params`.
    fn begin(&mut self, ty: &FuncType, params: &mut Vec<Self::Value>);
    /// All code that follows comes from this place (see `translate::Positions`).
    fn at(&mut self, position: u32);

    /// A new local, with its value or with the type's default.
    fn local(&mut self, ty: ValType, value: Option<Self::Value>) -> Self::Local;
    /// Reads a local.
    fn local_get(&mut self, local: Self::Local) -> Self::Value;
    /// Writes a local.
    fn local_set(&mut self, local: Self::Local, value: Self::Value);

    /// Whether the function has become more than this emitter can take: what locals are where
    /// branches meet can be the square of what a module says. Asked after each operator.
    fn is_exhausted(&self) -> bool {
        false
    }

    /// A label that only forward branches will reach, carrying values of `types`.
    fn label(&mut self, types: &[ValType]) -> Self::Label;
    /// Continues at a label; pushes what its branches carry. No branch to it follows.
    fn bind(&mut self, label: Self::Label, out: &mut Vec<Self::Value>);
    /// Enters a loop with `args`; pushes what stands for them inside.
    fn begin_loop(
        &mut self,
        types: &[ValType],
        args: &[Self::Value],
        out: &mut Vec<Self::Value>,
    ) -> Self::Label;
    /// No branch to the loop follows.
    fn end_loop(&mut self, label: Self::Label);
    /// Branches.
    fn jump(&mut self, to: Self::Label, args: &[Self::Value]);
    /// Branches when `condition` is not zero; `hint` says whether that is likely.
    fn branch_if(
        &mut self,
        condition: Self::Value,
        to: Self::Label,
        args: &[Self::Value],
        hint: Option<bool>,
    );
    /// Branches when `condition` is zero, carrying nothing; `hint` is about the fall-through.
    fn branch_unless(&mut self, condition: Self::Value, to: Self::Label, hint: Option<bool>);
    /// `br_table`; every target carries `args`.
    fn br_table(
        &mut self,
        index: Self::Value,
        targets: &[Self::Label],
        default: Self::Label,
        args: &[Self::Value],
    );
    /// Returns from the function.
    fn ret(&mut self, results: &[Self::Value]);
    /// Traps; what follows is unreachable.
    fn trap(&mut self, code: TrapCode);

    /// A constant.
    fn constant(&mut self, value: Const) -> Self::Value;
    /// A value that is not used.
    fn drop(&mut self, value: Self::Value);
    /// An instruction of the numeric table.
    fn numeric(&mut self, op: Numeric, args: &[Self::Value]) -> Self::Value;
    /// `select`.
    fn select(
        &mut self,
        ty: ValType,
        condition: Self::Value,
        if_true: Self::Value,
        if_false: Self::Value,
    ) -> Self::Value;
    /// 128-bit arithmetic.
    fn wide(&mut self, op: WideOp, args: &[Self::Value]) -> (Self::Value, Self::Value);
    /// Takes a lane; `signed` says how lanes below 32 bits extend.
    fn extract_lane(
        &mut self,
        lanes: Lanes,
        lane: u8,
        signed: bool,
        vector: Self::Value,
    ) -> Self::Value;
    /// Puts a lane.
    fn replace_lane(
        &mut self,
        lanes: Lanes,
        lane: u8,
        vector: Self::Value,
        value: Self::Value,
    ) -> Self::Value;
    /// `i8x16.shuffle`.
    fn shuffle(&mut self, lanes: [u8; 16], a: Self::Value, b: Self::Value) -> Self::Value;
    /// A vector with the scalar of type `ty` in lane 0 and zeros elsewhere.
    fn scalar_to_vector(&mut self, ty: ValType, value: Self::Value) -> Self::Value;

    /// Whether a reference is null, as i32.
    fn ref_is_null(&mut self, value: Self::Value) -> Self::Value;
    /// Traps when a reference is null.
    fn trap_if_null(&mut self, value: Self::Value, code: TrapCode);

    /// The reference of a function whose `VMFuncRef` lies at this offset of the context; the runtime
    /// fills it at first use, told its place.
    fn ref_func(&mut self, offset: u32, place: FuncRefIndex) -> Self::Value;

    /// Reads a global.
    fn global_get(&mut self, access: &GlobalAccess) -> Self::Value;
    /// Writes a global.
    fn global_set(&mut self, access: &GlobalAccess, value: Self::Value);

    /// Loads.
    fn load(&mut self, op: Load, access: &MemoryAccess, index: Self::Value) -> Self::Value;
    /// Stores.
    fn store(&mut self, op: Store, access: &MemoryAccess, index: Self::Value, value: Self::Value);
    /// An atomic access, checked for alignment; `args` are the operands behind the address. The
    /// result is `None` for stores.
    fn atomic(
        &mut self,
        op: Atomic,
        access: &MemoryAccess,
        index: Self::Value,
        args: &[Self::Value],
    ) -> Option<Self::Value>;
    /// Copies the bytes of one access to another of the same width, both checked in full before
    /// the first byte is written; they may overlap.
    fn copy_bytes(
        &mut self,
        to: &MemoryAccess,
        dst: Self::Value,
        from: &MemoryAccess,
        src: Self::Value,
    );
    /// Writes the low byte of `value` to all bytes of an access, checked before the first.
    fn fill_bytes(&mut self, access: &MemoryAccess, dst: Self::Value, value: Self::Value);
    /// The address of a memory's `VMMemory`, for runtime entries.
    fn memory_definition(&mut self, plan: &MemoryPlan) -> Self::Value;
    /// A sequentially consistent fence.
    fn fence(&mut self);
    /// The guest address of an access as i64, checked for bounds and alignment.
    fn checked_address(&mut self, access: &MemoryAccess, index: Self::Value) -> Self::Value;
    /// The size of a memory in pages, in its index type.
    fn memory_size(&mut self, plan: &MemoryPlan) -> Self::Value;

    /// `table.get` on a table that does not hold functions.
    fn table_get(&mut self, access: &TableAccess, index: Self::Value) -> Self::Value;
    /// `table.set` on a table that does not hold functions.
    fn table_set(&mut self, access: &TableAccess, index: Self::Value, value: Self::Value);
    /// The size of a table in its index type.
    fn table_size(&mut self, access: &TableAccess) -> Self::Value;

    /// The canonical id of a type, as i32.
    fn type_id(&mut self, ty: TypeIndex) -> Self::Value;
    /// A new object of this many bytes, whose contents the walk stores next, with nothing between
    /// that could collect.
    fn new_object(&mut self, bytes: u32) -> Self::Value;
    /// A new array of a type, every element `value`. The slot's size is at most 8 bytes.
    fn new_array(
        &mut self,
        ty: TypeIndex,
        slot: Slot,
        length: Self::Value,
        value: Self::Value,
    ) -> Self::Value;
    /// Loads a part of an object; `signed` says how packed ones extend.
    fn load_field(
        &mut self,
        access: &FieldAccess,
        signed: bool,
        object: Self::Value,
    ) -> Self::Value;
    /// Stores a part of an object.
    fn store_field(&mut self, access: &FieldAccess, object: Self::Value, value: Self::Value);
    /// Loads an element of an array.
    fn load_element(
        &mut self,
        access: &ElementAccess,
        signed: bool,
        array: Self::Value,
        index: Self::Value,
    ) -> Self::Value;
    /// Stores an element of an array.
    fn store_element(
        &mut self,
        access: &ElementAccess,
        array: Self::Value,
        index: Self::Value,
        value: Self::Value,
    );
    /// Copies elements that are no traced references between two arrays, or within one.
    fn copy_elements(
        &mut self,
        to: &ElementAccess,
        dst: (Self::Value, Self::Value),
        from: &ElementAccess,
        src: (Self::Value, Self::Value),
        length: Self::Value,
    );
    /// Loads bytes of an array.
    fn load_bytes(
        &mut self,
        op: Load,
        access: &BytesAccess,
        array: Self::Value,
        index: Self::Value,
    ) -> Self::Value;
    /// Stores bytes of an array.
    fn store_bytes(
        &mut self,
        op: Store,
        access: &BytesAccess,
        array: Self::Value,
        index: Self::Value,
        value: Self::Value,
    );
    /// Whether a reference is of a type, as i32.
    fn ref_test(&mut self, plan: &CastPlan, value: Self::Value) -> Self::Value;
    /// Traps unless a reference is of a type. `descriptor` is the one that the plan asks for, if
    /// it asks for one; it is not null.
    fn ref_cast(&mut self, plan: &CastPlan, value: Self::Value, descriptor: Option<Self::Value>);
    /// Branches when a reference is of a type, or when it is not; `descriptor` as in
    /// [`Emitter::ref_cast`].
    fn branch_on_cast(
        &mut self,
        plan: &CastPlan,
        value: Self::Value,
        descriptor: Option<Self::Value>,
        when: bool,
        to: Self::Label,
        args: &[Self::Value],
    );

    /// Takes units from the store's fuel. Where there are not enough, that is found out later.
    fn consume_fuel(&mut self, units: u64);
    /// Takes units for an index's worth of bytes or elements, as [`Bulk::units`] says, and traps
    /// when there are not enough. The index is used again.
    fn consume_bulk_fuel(&mut self, bulk: Bulk, count: Self::Value);
    /// Asks the runtime for more when more fuel was taken than there was: it traps where there is none.
    fn check_fuel(&mut self);

    /// Asks whether somebody wants to interrupt the guest, and calls `interrupted` if so.
    fn check_interrupt(&mut self);

    /// The continuation at a place (i32) of the store's list: an address.
    fn continuation(&mut self, place: Self::Value) -> Self::Value;
    /// Lets a new object stand for the continuation at a place.
    fn stand_for(&mut self, object: Self::Value, place: Self::Value);
    /// Where the next argument of a continuation goes: an address.
    fn argument_place(&mut self, continuation: Self::Value) -> Self::Value;
    /// Room for so many values on their way in this function's frame: an address. All uses share
    /// it.
    fn value_place(&mut self, count: usize) -> Self::Value;
    /// Writes values to a place, for another stack.
    fn put_values(&mut self, place: Self::Value, values: &[Self::Value]);
    /// Reads values of these types, which another stack wrote.
    fn take_values(&mut self, place: Self::Value, types: &[ValType], out: &mut Vec<Self::Value>);
    /// The event of a tag, as i64: what `suspend` and `switch` look for among clauses.
    fn event(&mut self, tag: &TagAccess, is_switch: bool) -> Self::Value;
    /// A `resume` with clauses for these events, in this function's frame: an address. All uses
    /// share it.
    fn resume_place(&mut self, events: &[Self::Value]) -> Self::Value;
    /// How a `resume` ended, as i32: 0 when the continuation returned, otherwise 1 more than the
    /// clause that applies.
    fn resume_outcome(&mut self, resume: Self::Value) -> Self::Value;
    /// What a clause is given: the continuation's new object, and the place of the payload.
    fn clause_values(&mut self, resume: Self::Value) -> (Self::Value, Self::Value);
    /// Goes on in another stack; pushes what comes back. `on_throw` as for [`Emitter::call`].
    fn switch_stacks(
        &mut self,
        way: StackSwitch,
        args: &[Self::Value],
        results: &[ValType],
        on_throw: Option<Self::Label>,
        out: &mut Vec<Self::Value>,
    );

    /// An index as i64, zero-extended where it is narrower.
    fn widen(&mut self, value: Self::Value, index: IndexType) -> Self::Value;
    /// An i64 as an index: the reverse of [`Emitter::widen`], dropping high bits.
    fn narrow(&mut self, value: Self::Value, index: IndexType) -> Self::Value;
    /// The id of a tag, as i32.
    fn tag_id(&mut self, tag: &TagAccess) -> Self::Value;

    /// Calls a runtime entry.
    fn builtin(&mut self, entry: Builtin, args: &[Self::Value]) -> Option<Self::Value>;
    /// Calls; pushes the results. A call that throws goes on at `on_throw` with the exception, or
    /// in the caller where there is no such label.
    fn call(
        &mut self,
        callee: &Callee<Self::Value>,
        ty: &FuncType,
        args: &[Self::Value],
        on_throw: Option<Self::Label>,
        results: &mut Vec<Self::Value>,
    );
    /// Calls in place of this function's frame.
    fn return_call(&mut self, callee: &Callee<Self::Value>, ty: &FuncType, args: &[Self::Value]);
}
