//! `selkie inspect`: what a module or an artifact has and wants, for people or as JSON.

use crate::imports;
use crate::input::{self, Content, Input};
use crate::load;
use crate::options::Loading;
use crate::output;
use crate::report::Failure;
use crate::sections::{Section, features_used, sections};
use crate::text::{harmless, shown};
use clap::{Args, ValueHint};
use selkie::{Engine, Feature, Module};
use selkie_module::decode::decode;
use selkie_module::{EntityType, ModuleInfo, TypeRef};
use serde::Serialize;
use std::ffi::OsString;
use std::fmt::Write;

/// Everything that is shown.
#[derive(Debug, Default, Serialize)]
struct Report {
    kind: &'static str,
    /// Bytes of the module in the binary format; of the machine code for an artifact.
    bytes: usize,
    imports: Vec<Item>,
    exports: Vec<Item>,
    functions: Count,
    /// Types of all memories, imported ones first.
    memories: Vec<String>,
    tables: Vec<String>,
    features: Vec<&'static str>,
    sections: Vec<Section>,
    code_bytes: Option<usize>,
    grants: Vec<Grant>,
}

#[derive(Debug, Serialize)]
struct Item {
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

#[derive(Debug, Default, Serialize)]
struct Count {
    imported: usize,
    defined: usize,
}

#[derive(Debug, Serialize)]
struct Grant {
    what: &'static str,
    flag: &'static str,
}

/// Show imports, exports, features, sizes and needed grants
#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the bytes of machine code and nothing else
    #[arg(long)]
    code_size: bool,
    #[command(flatten)]
    loading: Loading,
    /// A module, binary or text, or an artifact; `-` for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    file: OsString,
}

impl Inspect {
    pub(crate) fn main(&self) -> Result<u8, Failure> {
        let settings = self.loading.settings()?;
        let input = input::read(&self.file)?;
        let engine = load::engine(&settings)?;
        if self.code_size {
            let module = load::module(&engine, input, &settings)?;
            output::line(&module.code_bytes().to_string())?;
            return Ok(0);
        }
        let label = input.shown.clone();
        let report = match &input.content {
            Content::Artifact(_) => of_artifact(&load::module(&engine, input, &settings)?),
            Content::Module(_) | Content::Text(_) => of_module(&engine, input)?,
        };
        if self.json {
            let json = serde_json::to_string_pretty(&report);
            let json =
                json.map_err(|error| Failure::error(format!("cannot make JSON: {error}")))?;
            output::line(&json)?;
        } else {
            output::text(&format!("{label}: {}", for_people(&report)))?;
        }
        Ok(0)
    }
}

fn of_module(engine: &Engine, input: Input) -> Result<Report, Failure> {
    let label = input.shown.clone();
    let bytes = input.into_binary()?;
    Module::validate(engine, &bytes).map_err(|error| Failure::engine(&error, &label))?;
    let module = decode(&bytes, engine.config().features())
        .map_err(|error| Failure::error(format!("{label}: {error}")))?;
    let info = &module.info;
    let imports = info.imports.iter().map(|import| Item {
        module: Some(import.module.clone()),
        name: import.name.clone(),
        ty: describe(info, import.ty),
    });
    let exports = info.exports.iter().map(|export| Item {
        module: None,
        name: export.name.clone(),
        ty: describe(info, info.entity_type(export.index)),
    });
    let mut features = features_used(&bytes);
    // What is linked, not validated, shows in the imports alone.
    if info.imports.iter().any(|import| import.module == "wasm:js-string") {
        features.push(Feature::js_string_builtins);
    }
    Ok(Report {
        kind: "module",
        bytes: bytes.len(),
        exports: exports.collect(),
        functions: Count { imported: info.num_imported_funcs, defined: module.functions.len() },
        memories: info.memories.iter().map(|m| describe(info, EntityType::Memory(*m))).collect(),
        tables: info.tables.iter().map(|t| describe(info, EntityType::Table(*t))).collect(),
        features: features.iter().map(|feature| feature.flag()).collect(),
        sections: sections(&bytes),
        code_bytes: None,
        grants: Vec::new(),
        imports: imports.collect(),
    }
    .with_grants())
}

fn of_artifact(module: &Module) -> Report {
    let imports = module.imports().map(|import| Item {
        module: Some(import.module().to_string()),
        name: import.name().to_string(),
        ty: import.ty().to_string(),
    });
    let exports = module.exports().map(|export| Item {
        module: None,
        name: export.name().to_string(),
        ty: export.ty().to_string(),
    });
    let (imports, exports): (Vec<_>, Vec<_>) = (imports.collect(), exports.collect());
    let imported = imports.iter().filter(|import| import.ty.starts_with("func")).count();
    let of_kind = |kind: &str| -> Vec<String> {
        let all = imports.iter().chain(&exports);
        all.filter(|item| item.ty.starts_with(kind)).map(|item| item.ty.clone()).collect()
    };
    Report {
        kind: "artifact",
        bytes: module.code_bytes(),
        functions: Count { imported, defined: module.function_count() },
        memories: of_kind("memory"),
        tables: of_kind("table"),
        code_bytes: Some(module.code_bytes()),
        imports,
        exports,
        ..Report::default()
    }
    .with_grants()
}

impl Report {
    fn with_grants(mut self) -> Report {
        let names = self.imports.iter().filter_map(|i| Some((i.module.as_deref()?, &*i.name)));
        let needs = imports::needs(names);
        self.grants = needs.iter().map(|n| Grant { what: n.what, flag: n.flag }).collect();
        self
    }
}

/// A type in the words of the text format.
fn describe(info: &ModuleInfo, ty: EntityType) -> String {
    let func = |r: TypeRef| match r {
        TypeRef::Module(index) => info.func_type_at(index).map_or(String::new(), |t| t.to_string()),
        _ => String::new(),
    };
    let max = |max: Option<u64>| max.map_or(String::new(), |max| format!(" {max}"));
    match ty {
        EntityType::Func(r) => format!("func {}", func(r)),
        EntityType::ExactFunc(r) => format!("func exact {}", func(r)),
        EntityType::Tag(r) => format!("tag {}", func(r)),
        EntityType::Table(t) => {
            let index = if t.index == selkie::IndexType::I64 { "i64 " } else { "" };
            let shared = if t.shared { "shared " } else { "" };
            format!("table {shared}{index}{}{} {}", t.limits.min, max(t.limits.max), t.element)
        }
        EntityType::Memory(m) => {
            let index = if m.index == selkie::IndexType::I64 { "i64 " } else { "" };
            let shared = if m.shared { " shared" } else { "" };
            let size = m.page_size();
            let page = if size == 65536 { String::new() } else { format!(" (pagesize {size})") };
            format!("memory {index}{}{}{shared}{page}", m.limits.min, max(m.limits.max))
        }
        EntityType::Global(g) => match (g.shared, g.mutable) {
            (false, false) => format!("global {}", g.content),
            (false, true) => format!("global (mut {})", g.content),
            (true, false) => format!("global (shared {})", g.content),
            (true, true) => format!("global (shared mut {})", g.content),
        },
    }
}

fn for_people(report: &Report) -> String {
    let mut text = match report.kind {
        "module" => format!("module, {} bytes\n", report.bytes),
        kind => format!("{kind}, {} bytes of machine code\n", report.bytes),
    };
    let Count { imported, defined } = report.functions;
    let _ = writeln!(text, "functions: {defined} defined, {imported} imported");
    list(
        &mut text,
        "imports",
        report.imports.iter().map(|item| {
            let module = item.module.as_deref().unwrap_or_default();
            format!("{} {}: {}", shown(module), shown(&item.name), item.ty)
        }),
    );
    list(
        &mut text,
        "exports",
        report.exports.iter().map(|i| format!("{}: {}", shown(&i.name), i.ty)),
    );
    list(&mut text, "memories", report.memories.iter().cloned());
    list(&mut text, "tables", report.tables.iter().cloned());
    if report.kind == "module" {
        let sections = report.sections.iter();
        list(
            &mut text,
            "sections",
            sections.map(|s| format!("{:>10}  {}", s.bytes, harmless(&s.name))),
        );
        list(&mut text, "features", report.features.iter().map(|flag| flag.to_string()));
    }
    list(
        &mut text,
        "it may want",
        report.grants.iter().map(|grant| match grant.flag {
            "" => format!("{}, which it has", grant.what),
            flag => format!("{}: {flag}", grant.what),
        }),
    );
    text
}

fn list(text: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>) {
    if lines.len() == 0 {
        let _ = writeln!(text, "{title}: none");
        return;
    }
    let _ = writeln!(text, "{title}:");
    for line in lines {
        let _ = writeln!(text, "  {}", line.replace('\n', "\\u{a}"));
    }
}
