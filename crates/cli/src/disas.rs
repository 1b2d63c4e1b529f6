//! `selkie disas`: what the compiler makes of functions, as text.

use crate::input;
use crate::load;
use crate::options::Making;
use crate::output;
use crate::report::Failure;
use crate::sections::function_names;
use crate::text::{harmless, nearest, shown};
use clap::{Args, ValueHint};
use selkie_compile::{CompileError, CompileUnit};
use selkie_module::decode::decode;
use selkie_module::{DefinedFuncIndex, EntityIndex, FuncIndex, ParsedModule};
use selkie_optimizing::OptimizingCompiler;
use std::ffi::OsString;

/// Show the code made of functions
#[derive(Args, Debug)]
pub(crate) struct Disas {
    /// Show one function only
    #[arg(long, value_name = "INDEX|NAME")]
    function: Option<String>,
    /// Show Cranelift's intermediate form instead of machine code
    #[arg(long, conflicts_with = "walk")]
    clif: bool,
    /// Show what the compiler's walk decided instead of machine code
    #[arg(long)]
    walk: bool,
    #[command(flatten)]
    making: Making,
    /// The module, binary or text; `-` for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    file: OsString,
}

impl Disas {
    pub(crate) fn main(&self) -> Result<u8, Failure> {
        let settings = self.making.settings()?;
        let input = input::read(&self.file)?;
        let label = input.shown.clone();
        let bytes = input.into_binary()?;
        let engine = load::engine(&settings)?;
        selkie::Module::validate(&engine, &bytes).map_err(|e| Failure::engine(&e, &label))?;
        let features = settings.config.features();
        let module = decode(&bytes, features)
            .map_err(|error| Failure::error(format!("{label}: {error}")))?;
        let names = Names::of(&module);
        let functions = match &self.function {
            Some(wanted) => vec![names.find(wanted, &module)?],
            None => (0..module.functions.len()).map(DefinedFuncIndex::new).collect(),
        };
        let unit = CompileUnit::new(&module, &bytes, features, settings.config.tuning().clone());
        let printer = self.printer()?;
        for function in functions {
            let index = module.info.func_index(function);
            let name =
                names.of_function(index).map_or(String::new(), |name| format!(" {}", shown(name)));
            let body = printer.print(&unit, function).map_err(|error| {
                Failure::error(format!("{label}: function {}: {error}", index.0))
            })?;
            let body = harmless(body.trim_end());
            output::text(&format!("function {}{name}\n{body}\n\n", index.0))?;
        }
        Ok(0)
    }

    fn printer(&self) -> Result<Printer, Failure> {
        if self.walk {
            return Ok(Printer::Walk);
        }
        let kind = if self.clif { Printer::Clif } else { Printer::Assembly };
        OptimizingCompiler::new().map(kind).map_err(Failure::error)
    }
}

/// What is printed of a function.
enum Printer {
    Walk,
    Clif(OptimizingCompiler),
    Assembly(OptimizingCompiler),
}

impl Printer {
    fn print(
        &self,
        unit: &CompileUnit<'_>,
        function: DefinedFuncIndex,
    ) -> Result<String, CompileError> {
        match self {
            Printer::Walk => selkie_compile::text::print_function(unit, function),
            Printer::Clif(compiler) => compiler.print_clif(unit, function),
            Printer::Assembly(compiler) => compiler.disassemble(unit, function),
        }
    }
}

/// The names that functions have: in the name section, and as exports.
struct Names {
    named: Vec<(u32, String)>,
    exported: Vec<(u32, String)>,
}

impl Names {
    fn of(module: &ParsedModule<'_>) -> Names {
        let exports = module.info.exports.iter().filter_map(|export| match export.index {
            EntityIndex::Func(index) => Some((index.0, export.name.clone())),
            _ => None,
        });
        Names { named: function_names(module.names), exported: exports.collect() }
    }

    fn all(&self) -> impl Iterator<Item = &(u32, String)> {
        self.named.iter().chain(&self.exported)
    }

    fn of_function(&self, function: FuncIndex) -> Option<&str> {
        self.all().find(|(index, _)| *index == function.0).map(|(_, name)| name.as_str())
    }

    /// The function with an index or a name.
    fn find(&self, wanted: &str, module: &ParsedModule<'_>) -> Result<DefinedFuncIndex, Failure> {
        let by_name = || self.all().find(|(_, name)| name == wanted).map(|(index, _)| *index);
        let Some(index) = wanted.parse::<u32>().ok().or_else(by_name) else {
            let near = nearest(wanted, self.all().map(|(_, name)| name.as_str()));
            let near =
                near.map_or(String::new(), |near| format!("; did you mean {}?", shown(near)));
            return Err(Failure::error(format!("there is no function {}{near}", shown(wanted))));
        };
        let (imported, defined) = (module.info.num_imported_funcs, module.functions.len());
        match (index as usize).checked_sub(imported) {
            Some(at) if at < defined => Ok(DefinedFuncIndex::new(at)),
            Some(_) => Err(Failure::error(format!(
                "there is no function {index}; the last is {}",
                (imported + defined).saturating_sub(1)
            ))),
            None => {
                Err(Failure::error(format!("function {index} is imported: it has no code here")))
            }
        }
    }
}
