//! The same module written differently: empty blocks between its instructions.
//!
//! A block that nothing enters or leaves but in order means nothing, yet a compiler that keeps
//! track of what is on the stack meets other borders. Only code changes; everything else is
//! encoded as it was.

use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{BlockType, CodeSection, Instruction, Module};

struct EmptyBlocks;

impl Reencode for EmptyBlocks {
    type Error = std::convert::Infallible;

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: wasmparser::FunctionBody<'_>,
    ) -> Result<(), Error<Self::Error>> {
        let mut function = self.new_function_with_parsed_locals(&body)?;
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            // The last `end` closes the function: nothing may follow it.
            function.instruction(&Instruction::Block(BlockType::Empty));
            function.instruction(&Instruction::End);
            function.instruction(&utils::parse_instruction(self, &mut operators)?);
        }
        code.function(&function);
        Ok(())
    }
}

/// The module with empty blocks; `None` where it cannot be read.
pub(super) fn with_empty_blocks(module: &[u8]) -> Option<Vec<u8>> {
    let mut rewritten = Module::new();
    let parser = wasmparser::Parser::new(0);
    EmptyBlocks.parse_core_module(&mut rewritten, parser, module).ok()?;
    Some(rewritten.finish())
}
