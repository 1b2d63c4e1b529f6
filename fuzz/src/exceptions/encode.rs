//! A program as a module.
//!
//! Every piece is a block without parameters and results of its own; what a piece with a label
//! leaves is an `i32` that goes into number 1's place and back, so that labels carry something.

use super::{Clause, IMPORTED_TAGS, NUMBERS, Node, Payload, Program, TAGS, Tag, Way};
use wasm_encoder::{
    AbstractHeapType, BlockType, Catch, CodeSection, ConstExpr, ElementSection, Elements,
    EntityType, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType,
    HeapType, ImportSection, Instruction as I, Module, RefType, TableSection, TableType, TagKind,
    TagSection, TagType, TypeSection, ValType,
};

const EXNREF: RefType = RefType {
    nullable: true,
    heap_type: HeapType::Abstract { shared: false, ty: AbstractHeapType::Exn },
};

/// Type indices: of program functions, of tags by payload, of handler blocks by payload with an
/// exception behind, of imports.
const PROGRAM: u32 = 0;
const HOST_CALL: u32 = 1;
const HOST_THROW: u32 = 2;
const FIRST_TAG: u32 = 3;
const FIRST_KEPT: u32 = FIRST_TAG + 4;
const FIRST_CAUGHT: u32 = FIRST_KEPT + 4;

/// Locals: the numbers, the exception, then counters of repetitions.
const EXCEPTION: u32 = NUMBERS as u32;
const FIRST_COUNTER: u32 = EXCEPTION + 1;

fn payload_types(payload: Payload) -> Vec<ValType> {
    match payload {
        Payload::Nothing => vec![],
        Payload::I32 => vec![ValType::I32],
        Payload::Wide => vec![ValType::I64, ValType::F64],
        Payload::Nested => vec![ValType::I32, ValType::V128, ValType::Ref(EXNREF)],
    }
}

const PAYLOADS: [Payload; 4] = [Payload::Nothing, Payload::I32, Payload::Wide, Payload::Nested];

fn payload_index(payload: Payload) -> u32 {
    PAYLOADS.iter().position(|p| *p == payload).unwrap_or(0) as u32
}

/// The module of a program. Its imports: `host` `call` and `throw`, the tags, and from `other`
/// each function of the other instance.
pub(super) fn module(program: &Program) -> Vec<u8> {
    let count = program.functions.len() as u32;
    let mut module = Module::new();
    module.section(&types());
    module.section(&imports(count));
    let mut functions = FunctionSection::new();
    for _ in &program.functions {
        functions.function(PROGRAM);
    }
    module.section(&functions);
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: u64::from(count),
        maximum: Some(u64::from(count)),
        shared: false,
    });
    module.section(&tables);
    let mut tags = TagSection::new();
    for payload in &TAGS[IMPORTED_TAGS..] {
        tags.tag(tag_type(*payload));
    }
    module.section(&tags);
    let mut globals = GlobalSection::new();
    let trace = GlobalType { val_type: ValType::I64, mutable: true, shared: false };
    globals.global(trace, &ConstExpr::i64_const(0));
    module.section(&globals);
    let first = first_function(count);
    let mut exports = ExportSection::new();
    exports.export("trace", ExportKind::Global, 0);
    for at in 0..count {
        exports.export(&format!("f{at}"), ExportKind::Func, first + at);
    }
    for at in IMPORTED_TAGS..TAGS.len() {
        exports.export(&format!("t{at}"), ExportKind::Tag, at as u32);
    }
    module.section(&exports);
    let mut elements = ElementSection::new();
    let all: Vec<u32> = (first..first + count).collect();
    elements.active(None, &ConstExpr::i32_const(0), Elements::Functions(all.into()));
    module.section(&elements);
    let mut code = CodeSection::new();
    for body in &program.functions {
        code.function(&function(body, first));
    }
    module.section(&code);
    module.finish()
}

/// Function imports: `call`, `throw`, one for each function of the other instance.
fn first_function(count: u32) -> u32 {
    2 + count
}

fn tag_type(payload: Payload) -> TagType {
    TagType { kind: TagKind::Exception, func_type_idx: FIRST_TAG + payload_index(payload) }
}

fn types() -> TypeSection {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32, ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32, ValType::I32], []);
    for payload in PAYLOADS {
        types.ty().function(payload_types(payload), []);
    }
    for payload in PAYLOADS {
        let mut results = payload_types(payload);
        results.push(ValType::Ref(EXNREF));
        types.ty().function([], results);
    }
    for payload in PAYLOADS {
        types.ty().function([], payload_types(payload));
    }
    types
}

fn imports(count: u32) -> ImportSection {
    let mut imports = ImportSection::new();
    imports.import("host", "call", EntityType::Function(HOST_CALL));
    imports.import("host", "throw", EntityType::Function(HOST_THROW));
    for at in 0..count {
        imports.import("other", &format!("f{at}"), EntityType::Function(PROGRAM));
    }
    for (at, payload) in TAGS[..IMPORTED_TAGS].iter().enumerate() {
        imports.import("host", &format!("t{at}"), EntityType::Tag(tag_type(*payload)));
    }
    imports
}

struct Writer {
    code: Vec<I<'static>>,
    /// Open blocks; the function's own is not among them.
    depth: u32,
    /// At which depth the block of each label of the program lies.
    labels: Vec<u32>,
    counters: u32,
    first_function: u32,
}

fn function(body: &[Node], first_function: u32) -> Function {
    let mut writer =
        Writer { code: Vec::new(), depth: 0, labels: Vec::new(), counters: 0, first_function };
    writer.add([I::I32Const(1), I::LocalSet(1), I::I32Const(2), I::LocalSet(2)]);
    writer.body(body);
    writer.add([I::LocalGet(1), I::End]);
    let mut function = Function::new([
        (NUMBERS as u32 - 1, ValType::I32),
        (1, ValType::Ref(EXNREF)),
        (writer.counters, ValType::I32),
    ]);
    for instruction in &writer.code {
        function.instruction(instruction);
    }
    function
}

impl Writer {
    fn add<const N: usize>(&mut self, code: [I<'static>; N]) {
        self.code.extend(code);
    }

    fn open(&mut self, block: I<'static>) {
        self.code.push(block);
        self.depth += 1;
    }

    fn close(&mut self) {
        self.code.push(I::End);
        self.depth -= 1;
    }

    fn body(&mut self, nodes: &[Node]) {
        nodes.iter().for_each(|node| self.node(node));
    }

    /// A block with a label, which gives a number.
    fn open_label(&mut self, block: impl Fn(BlockType) -> I<'static>) {
        self.open(block(BlockType::Result(ValType::I32)));
        self.labels.push(self.depth);
    }

    fn close_label(&mut self) {
        self.code.push(I::LocalGet(1));
        self.close();
        self.labels.pop();
        self.code.push(I::LocalSet(1));
    }

    /// How far outside the block of a label is.
    fn distance(&self, label: usize) -> u32 {
        self.depth - self.labels[self.labels.len() - 1 - label]
    }

    /// Mixes a number into the trace.
    fn mix(&mut self, number: I<'static>) {
        self.add([I::GlobalGet(0), I::I64Const(31), I::I64Mul]);
        self.add([number, I::I64ExtendI32U, I::I64Add, I::GlobalSet(0)]);
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Trace(value) => self.mix(I::I32Const(*value as i32)),
            Node::Add(number, value) => self.add([
                I::LocalGet(*number as u32),
                I::I32Const(*value as i32),
                I::I32Add,
                I::LocalSet(*number as u32),
            ]),
            Node::Throw(tag) => self.throw(*tag),
            Node::HostThrow(tag) => {
                self.add([I::I32Const(*tag as i32), I::LocalGet(0), I::Call(1)]);
            }
            Node::ThrowRef => self.add([I::LocalGet(EXCEPTION), I::ThrowRef]),
            Node::Call(way, callee) => self.call(*way, *callee as u32),
            Node::TryTable { body, clauses } => self.try_table(body, clauses),
            Node::Try { body, clauses } => self.try_(body, clauses),
            Node::Delegate { body, target } => self.delegate(body, *target),
            Node::Rethrow(label) => self.code.push(I::Rethrow(self.distance(*label))),
            Node::If(number, yes, no) => {
                self.add([I::LocalGet(*number as u32), I::I32Const(1), I::I32And]);
                self.open(I::If(BlockType::Empty));
                self.body(yes);
                self.code.push(I::Else);
                self.body(no);
                self.close();
            }
            Node::Block(body) => {
                self.open_label(I::Block);
                self.body(body);
                self.close_label();
            }
            Node::Repeat(times, body) => self.repeat(*times, body),
            Node::Under(number, body) => {
                self.code.push(I::LocalGet(*number as u32));
                // What follows a throw must leave the operand where it is.
                self.open(I::Block(BlockType::Empty));
                self.body(body);
                self.close();
                self.code.push(I::I64ExtendI32U);
                self.add([I::GlobalGet(0), I::I64Const(31), I::I64Mul, I::I64Add]);
                self.code.push(I::GlobalSet(0));
            }
            Node::Branch(label) => {
                self.add([I::LocalGet(1), I::Br(self.distance(*label))]);
            }
            Node::Return => self.add([I::LocalGet(1), I::Return]),
            Node::Unreachable => self.code.push(I::Unreachable),
        }
    }

    fn throw(&mut self, tag: Tag) {
        match TAGS[tag] {
            Payload::Nothing => {}
            Payload::I32 => self.code.push(I::LocalGet(0)),
            Payload::Wide => {
                self.add([I::LocalGet(1), I::I64ExtendI32U, I::LocalGet(2), I::F64ConvertI32U])
            }
            Payload::Nested => {
                self.add([I::LocalGet(0), I::LocalGet(1), I::I32x4Splat, I::LocalGet(EXCEPTION)])
            }
        }
        self.code.push(I::Throw(tag as u32));
    }

    fn call(&mut self, way: Way, callee: u32) {
        let index = self.first_function + callee;
        match way {
            Way::Host => self.add([I::I32Const(callee as i32), I::LocalGet(0), I::Call(0)]),
            Way::Other => self.add([I::LocalGet(0), I::Call(2 + callee)]),
            Way::Direct => self.add([I::LocalGet(0), I::Call(index)]),
            Way::Indirect => self.add([
                I::LocalGet(0),
                I::I32Const(callee as i32),
                I::CallIndirect { type_index: PROGRAM, table_index: 0 },
            ]),
            Way::Reference => self.add([I::LocalGet(0), I::RefFunc(index), I::CallRef(PROGRAM)]),
            Way::Tail => return self.add([I::LocalGet(0), I::ReturnCall(index)]),
            Way::TailIndirect => {
                return self.add([
                    I::LocalGet(0),
                    I::I32Const(callee as i32),
                    I::ReturnCallIndirect { type_index: PROGRAM, table_index: 0 },
                ]);
            }
        }
        self.code.push(I::LocalSet(1));
    }

    fn repeat(&mut self, times: u32, body: &[Node]) {
        let counter = FIRST_COUNTER + self.counters;
        self.counters += 1;
        self.add([I::I32Const(times as i32), I::LocalSet(counter)]);
        self.open_label(I::Block);
        self.open(I::Loop(BlockType::Empty));
        self.body(body);
        self.add([I::LocalGet(counter), I::I32Const(1), I::I32Sub, I::LocalTee(counter)]);
        self.code.push(I::BrIf(0));
        self.close();
        self.close_label();
    }

    /// A block around everything; in it one for each clause, around the `try_table`. Behind the
    /// end of each stands what its clause does.
    fn try_table(&mut self, body: &[Node], clauses: &[Clause]) {
        self.open_label(I::Block);
        for clause in clauses.iter().rev() {
            self.open(I::Block(clause_type(clause)));
        }
        let catches: Vec<Catch> =
            clauses.iter().zip(0..).map(|(clause, label)| catch(clause, label)).collect();
        self.open(I::TryTable(BlockType::Empty, catches.into()));
        self.body(body);
        self.close();
        for clause in clauses {
            self.add([I::LocalGet(1), I::Br(self.distance(0))]);
            self.close();
            if clause.keeps {
                self.code.push(I::LocalSet(EXCEPTION));
            }
            self.absorb(clause);
            self.body(&clause.body);
        }
        self.close_label();
    }

    fn try_(&mut self, body: &[Node], clauses: &[Clause]) {
        self.open_label(I::Try);
        self.body(body);
        for clause in clauses {
            self.code.push(I::LocalGet(1));
            self.code.push(clause.tag.map_or(I::CatchAll, |tag| I::Catch(tag as u32)));
            self.absorb(clause);
            self.body(&clause.body);
        }
        self.close_label();
    }

    fn delegate(&mut self, body: &[Node], target: usize) {
        self.open_label(I::Try);
        self.body(body);
        self.code.push(I::LocalGet(1));
        self.labels.pop();
        self.depth -= 1;
        // Seen from outside; behind the last label comes the function's own.
        let outside = match self.labels.len().checked_sub(1 + target) {
            Some(label) => self.depth - self.labels[label],
            None => self.depth,
        };
        self.add([I::Delegate(outside), I::LocalSet(1)]);
    }

    /// Takes over the parameters that a clause was given.
    fn absorb(&mut self, clause: &Clause) {
        match clause.tag.map_or(Payload::Nothing, |tag| TAGS[tag]) {
            Payload::Nothing => {}
            Payload::I32 => self.code.push(I::LocalSet(2)),
            Payload::Wide => self.add([
                I::I64ReinterpretF64,
                I::I64Const(32),
                I::I64ShrU,
                I::I32WrapI64,
                I::LocalSet(2),
                I::I32WrapI64,
                I::LocalSet(1),
            ]),
            Payload::Nested => self.add([
                I::LocalSet(EXCEPTION),
                I::I32x4ExtractLane(3),
                I::LocalSet(2),
                I::LocalSet(1),
            ]),
        }
    }
}

fn clause_type(clause: &Clause) -> BlockType {
    let first = if clause.keeps { FIRST_KEPT } else { FIRST_CAUGHT };
    BlockType::FunctionType(first + clause.tag.map_or(0, |tag| payload_index(TAGS[tag])))
}

fn catch(clause: &Clause, label: u32) -> Catch {
    match (clause.tag, clause.keeps) {
        (Some(tag), false) => Catch::One { tag: tag as u32, label },
        (Some(tag), true) => Catch::OneRef { tag: tag as u32, label },
        (None, false) => Catch::All { label },
        (None, true) => Catch::AllRef { label },
    }
}
