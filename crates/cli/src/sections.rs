//! What the bytes of a module tell without being compiled: sections with their sizes, names of
//! functions, proposals that are used.

use selkie::{DecodeError, Feature, Features};
use selkie_module::decode::decode;
use serde::Serialize;
use wasmparser::{
    BinaryReader, FuncValidatorAllocations, Name, NameSectionReader, Parser, Payload,
};

/// A section of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) bytes: usize,
}

/// The sections of a valid module, in its order.
pub(crate) fn sections(bytes: &[u8]) -> Vec<Section> {
    const CODE: u8 = 10;
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(bytes).flatten() {
        let name = match &payload {
            Payload::CustomSection(custom) => format!("custom {}", custom.name()),
            other => match other.as_section() {
                Some((CODE, _)) => "code".into(),
                Some((id, _)) => known_name(id).into(),
                None => continue,
            },
        };
        if let Some((_, range)) = payload.as_section() {
            sections.push(Section { name, bytes: (range.end - range.start) as usize });
        }
    }
    sections
}

/// spec: binary/modules, sections.
fn known_name(id: u8) -> &'static str {
    const NAMES: [&str; 14] = [
        "custom",
        "type",
        "import",
        "function",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "element",
        "code",
        "data",
        "data count",
        "tag",
    ];
    NAMES.get(usize::from(id)).copied().unwrap_or("unknown")
}

/// The proposals without which a module is not valid. The search begins with none and adds the
/// one that the validator misses, as long as it misses one.
pub(crate) fn features_used(bytes: &[u8]) -> Vec<Feature> {
    let mut features = Features::default();
    Feature::ALL.iter().for_each(|feature| features.set(*feature, false));
    let mut used = Vec::new();
    while let Err(error) = validate(bytes, features) {
        let Some(feature) = error.needs.filter(|feature| !features.has(*feature)) else {
            return used_by_removal(bytes);
        };
        features.set(feature, true);
        used.push(feature);
    }
    used.sort_by_key(|feature| Feature::ALL.iter().position(|other| other == feature));
    used
}

/// Where several proposals are needed at one place, each is tried by leaving it out.
fn used_by_removal(bytes: &[u8]) -> Vec<Feature> {
    let is_needed = |feature: &&Feature| {
        let mut without = Features::all();
        without.set(**feature, false);
        validate(bytes, without).is_err()
    };
    Feature::ALL.iter().filter(is_needed).copied().collect()
}

fn validate(bytes: &[u8], features: Features) -> Result<(), DecodeError> {
    let module = decode(bytes, features)?;
    let mut allocations = FuncValidatorAllocations::default();
    for function in module.functions {
        let mut validator = function.to_validate.into_validator(allocations);
        let checked = validator.validate(&function.body);
        checked.map_err(|error| DecodeError::explain(&error, bytes, features))?;
        allocations = validator.into_allocations();
    }
    Ok(())
}

/// Function names of a name section, as many as can be read.
pub(crate) fn function_names(names: &[u8]) -> Vec<(u32, String)> {
    let reader = NameSectionReader::new(BinaryReader::new(names, 0));
    let mut found = Vec::new();
    for part in reader.into_iter().flatten() {
        if let Name::Function(map) = part {
            found.extend(map.into_iter().flatten().map(|n| (n.index, n.name.to_string())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_listed_with_their_sizes() {
        let bytes = wat::parse_str("(module (func) (@custom \"x\" \"12345\"))").unwrap();
        let names: Vec<_> = sections(&bytes).into_iter().map(|s| s.name).collect();
        assert_eq!(names, ["type", "function", "code", "custom x"]);
        assert_eq!(sections(&bytes)[3].bytes, 7);
    }

    #[test]
    fn only_what_is_used_is_named() {
        let used = |text| features_used(&wat::parse_str(text).unwrap());
        assert_eq!(used("(module (func nop))"), []);
        assert_eq!(used("(module (func (result v128) v128.const i32x4 0 0 0 0))"), [Feature::simd]);
        let two = used("(module (memory i64 1) (func (result i32 i32) i32.const 1 i32.const 2))");
        assert_eq!(two, [Feature::multi_value, Feature::memory64]);
    }
}
