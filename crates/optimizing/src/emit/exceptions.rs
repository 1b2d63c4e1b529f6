//! Calls that may throw into this function, and the identity of tags.

use super::CraneliftEmitter;
use super::call::Target;
use cranelift_codegen::ir::{
    Block, BlockArg, BlockCall, ExceptionTable, ExceptionTableData, ExceptionTableItem,
    InstBuilder, SigRef, Value, types,
};
use selkie_compile::plan::TagAccess;

impl CraneliftEmitter<'_> {
    /// The lower half of a tag's identity: a store has no more tags than that tells apart.
    pub(super) fn load_tag_id(&mut self, tag: &TagAccess) -> Value {
        let (at, offset) = self.place(tag.place);
        let fixed = self.regions.fixed;
        self.ins().load(types::I32, fixed, at, offset)
    }

    /// A call that ends its block: it goes on in a block of its own, or at `landing`, where there
    /// is one, with what was thrown. No register is kept over it.
    pub(super) fn call_in_try(
        &mut self,
        target: Target,
        signature: SigRef,
        args: &[Value],
        landing: Option<Block>,
        results: &mut Vec<Value>,
    ) {
        let from = self.builder.current_block();
        let next = self.builder.create_block();
        let returns = self.builder.func.dfg.signatures[signature].returns.len();
        for place in 0..returns {
            let ty = self.builder.func.dfg.signatures[signature].returns[place].value_type;
            results.push(self.builder.append_block_param(next, ty));
        }
        let landing = landing.map(|landing| self.way_to(landing));
        let table = self.exception_table(signature, next, returns, landing);
        match target {
            Target::Known(func) => self.ins().try_call(func, args, table),
            Target::Address(code) => self.ins().try_call_indirect(code, args, table),
        };
        if let Some(landing) = landing {
            self.builder.set_cold_block(landing);
        }
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
        self.addresses.follow(from, next);
    }

    fn exception_table(
        &mut self,
        signature: SigRef,
        next: Block,
        returns: usize,
        landing: Option<Block>,
    ) -> ExceptionTable {
        let dfg = &mut self.builder.func.dfg;
        let pool = &mut dfg.value_lists;
        let returned = (0..returns as u32).map(BlockArg::TryCallRet);
        let next = BlockCall::new(next, returned, pool);
        let landing = landing.map(|landing| {
            let landing = BlockCall::new(landing, [BlockArg::TryCallExn(0)], pool);
            ExceptionTableItem::Default(landing)
        });
        let data = ExceptionTableData::new(signature, next, landing);
        dfg.exception_tables.push(data)
    }
}
