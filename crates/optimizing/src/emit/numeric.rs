//! The numeric table: each row is emitted by the file of its kind.

use super::CraneliftEmitter;
use cranelift_codegen::ir::Value;
use selkie_compile::Numeric;

impl CraneliftEmitter<'_> {
    /// Emits one row. Every row belongs to exactly one kind; a test compiles them all.
    pub(super) fn emit_numeric(&mut self, op: Numeric, args: &[Value]) -> Value {
        let value = match *args {
            [a] => self.integer_unary(op, a).or_else(|| self.float_unary(op, a)),
            [a, b] => self.integer_binary(op, a, b).or_else(|| self.float_binary(op, a, b)),
            _ => None,
        };
        let value = value.or_else(|| match *args {
            [a] => self.convert(op, a).or_else(|| self.vector_unary(op, a)),
            [a, b] => self.vector_binary(op, a, b),
            [a, b, c] => self.vector_ternary(op, a, b, c),
            _ => None,
        });
        let value = value.or_else(|| match *args {
            [a] => self.relaxed_unary(op, a),
            [a, b] => self.relaxed_binary(op, a, b),
            [a, b, c] => self.relaxed_ternary(op, a, b, c),
            _ => None,
        });
        value.unwrap_or_else(|| unreachable!("{} has no code", op.name()))
    }
}
