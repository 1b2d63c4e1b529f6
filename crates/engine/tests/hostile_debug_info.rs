//! Debug information is the guest's word: however it is made, a trap and its backtrace come soon.

use selkie_engine::{Engine, Instance, Module, Result, Store, Trap};

/// A module that traps, with these two DWARF sections.
fn module(abbreviations: &[u8], info: &[u8]) -> Result<Vec<u8>> {
    let text = r#"(module (func (export "run") unreachable))"#;
    let mut bytes = wat::parse_str(text).map_err(|e| selkie_engine::Error::msg(e.to_string()))?;
    for (name, content) in [(".debug_abbrev", abbreviations), (".debug_info", info)] {
        let mut section = Vec::new();
        leb(&mut section, name.len());
        section.extend(name.as_bytes());
        section.extend(content);
        bytes.push(0);
        leb(&mut bytes, section.len());
        bytes.extend(section);
    }
    Ok(bytes)
}

fn leb(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A unit and a function that cover all code, and in it `depth` inlined calls, each in the last.
fn nested(depth: usize) -> (Vec<u8>, Vec<u8>) {
    // low_pc as an address, high_pc as four bytes of length.
    let place = [0x11, 0x01, 0x12, 0x06, 0, 0];
    let mut abbreviations = Vec::new();
    for (code, tag) in [(1, 0x11), (2, 0x2e), (3, 0x1d)] {
        abbreviations.extend([code, tag, 1]);
        abbreviations.extend(place);
    }
    abbreviations.push(0);
    let mut entries = Vec::new();
    for code in [1, 2].into_iter().chain(std::iter::repeat_n(3, depth)) {
        entries.push(code);
        entries.extend([0, 0, 0, 0]);
        entries.extend(0x00ff_ffffu32.to_le_bytes());
    }
    entries.extend(vec![0; depth + 2]);
    let mut info = Vec::new();
    info.extend((entries.len() as u32 + 7).to_le_bytes());
    info.extend([4, 0, 0, 0, 0, 0, 4]);
    info.extend(entries);
    (abbreviations, info)
}

fn frames_of_trap(bytes: &[u8]) -> Result<usize> {
    let engine = Engine::default();
    let module = Module::new(&engine, bytes)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
    let error = run.call(&mut store, ()).expect_err("it is unreachable");
    assert_eq!(error.trap(), Some(Trap::Unreachable));
    Ok(error.backtrace().expect("one frame at least").frames().len())
}

#[test]
fn inlined_calls_in_proportion_are_shown() -> Result<()> {
    let (abbreviations, info) = nested(3);
    assert_eq!(frames_of_trap(&module(&abbreviations, &info)?)?, 4);
    Ok(())
}

#[test]
fn a_million_nested_entries_are_not_read() -> Result<()> {
    let (abbreviations, info) = nested(1_000_000);
    assert_eq!(frames_of_trap(&module(&abbreviations, &info)?)?, 1);
    Ok(())
}

#[test]
fn every_truncation_of_debug_information_is_survived() -> Result<()> {
    let (abbreviations, info) = nested(3);
    for len in 0..info.len() {
        assert!(frames_of_trap(&module(&abbreviations, &info[..len])?)? >= 1);
    }
    for len in 0..abbreviations.len() {
        assert!(frames_of_trap(&module(&abbreviations[..len], &info)?)? >= 1);
    }
    Ok(())
}
