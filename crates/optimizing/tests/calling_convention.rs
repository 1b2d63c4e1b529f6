//! Cranelift places parameters and results where `selkie_module::abi` says: read off the machine
//! code of functions that return one parameter, or only constants.

#[path = "compiled/build.rs"]
mod compiled;

use compiled::{bytes, compile};
use selkie_compile::Tuning;
use selkie_module::abi::{FuncAbi, Loc};
use selkie_module::{Features, FuncIndex, decode};

/// Encodings of the integer argument registers: rdi, rsi, rdx, rcx, r8, r9.
const INT_ARGS: [u8; 6] = [7, 6, 2, 1, 8, 9];
/// Encodings of the integer result registers: rax, rcx, rdx, rsi, rdi, r8, r9, r10.
const INT_RESULTS: [u8; 8] = [0, 1, 2, 6, 7, 8, 9, 10];

fn abi_of(text: &str) -> FuncAbi {
    let bytes = bytes(text);
    let module = decode::decode(&bytes, Features::all()).expect("the text is valid");
    FuncAbi::new(module.info.func_type(FuncIndex(0)))
}

fn contains(code: &[u8], wanted: &[u8]) -> bool {
    code.windows(wanted.len()).any(|window| window == wanted)
}

/// `mov rax, [rbp + distance]`: stack arguments begin above the frame pointer and return address.
fn loads_from_frame(code: &[u8], offset: u32) -> bool {
    let distance = offset + 16;
    let short = u8::try_from(distance).ok().filter(|d| *d < 0x80);
    let near = short.is_some_and(|d| contains(code, &[0x8b, 0x45, d]));
    let far = [&[0x8b, 0x85][..], &distance.to_le_bytes()].concat();
    near || contains(code, &far)
}

/// A function of these parameters that returns the bits of one.
fn returning(params: &[&str], at: usize) -> String {
    let bits = match params[at] {
        "i64" => "",
        "i32" => "i64.extend_i32_s",
        "f32" => "i32.reinterpret_f32 i64.extend_i32_u",
        "f64" => "i64.reinterpret_f64",
        _ => "i64x2.extract_lane 0",
    };
    let list = params.join(" ");
    format!("(module (func (param {list}) (result i64) local.get {at} {bits}))")
}

#[test]
fn parameters_are_where_the_table_says() {
    let lists: &[&[&str]] = &[
        &["i64"; 9],
        &["f64"; 11],
        &["v128"; 10],
        &["i64", "f64", "i64", "v128", "i64", "f64", "i64", "f64", "i64", "i64", "v128", "i64"],
        &["f64", "v128", "f64", "f64", "f64", "f64", "f64", "f64", "f64", "v128", "i64", "f64"],
        &["i64"; 40],
    ];
    for params in lists {
        for at in 0..params.len() {
            let text = returning(params, at);
            let code = compile(&text, Tuning::default()).remove(0).code;
            let is_there = match abi_of(&text).params[at] {
                // mov rax, register
                Loc::Int(n) => {
                    let register = INT_ARGS[n as usize];
                    let mov = [0x48 | (register >> 3) << 2, 0x89, 0xc0 | (register & 7) << 3];
                    contains(&code, &mov)
                }
                // movq rax, register, or pextrq
                Loc::Float(n) => {
                    [0x7e, 0x16].iter().any(|op| contains(&code, &[*op, 0xc0 | (n as u8) << 3]))
                }
                Loc::Memory(offset) if params[at] == "i64" => loads_from_frame(&code, offset),
                // Loaded through a vector register.
                Loc::Memory(offset) => {
                    let distance = (offset + 16) as u8;
                    contains(&code, &[0x45, distance]) || loads_from_frame(&code, offset)
                }
            };
            assert!(is_there, "{text}: {code:02x?}");
        }
    }
}

#[test]
fn integer_results_are_where_the_table_says() {
    for count in 1..=8u32 {
        let types = "i32 ".repeat(count as usize);
        let constants: String =
            (0..count).map(|n| format!(" i32.const {}", 0x1234_0000 + n)).collect();
        let text = format!("(module (func (result {types}){constants}))");
        let code = compile(&text, Tuning::default()).remove(0).code;
        for (at, place) in abi_of(&text).results.iter().enumerate() {
            let Loc::Int(n) = place else { panic!("{text}: {place:?}") };
            let register = INT_RESULTS[*n as usize];
            let constant = (0x1234_0000 + at as u32).to_le_bytes();
            // mov register, constant
            let mov = [&[0xb8 | register & 7][..], &constant].concat();
            assert!(contains(&code, &mov), "{text}: {code:02x?}");
        }
    }
}

#[test]
fn results_that_do_not_fit_are_stored_behind_the_second_argument() {
    let types = "i32 ".repeat(9);
    let constants: String = (0..9).map(|n| format!(" i32.const {}", 0x1234_0000 + n)).collect();
    let text = format!("(module (func (result {types}){constants}))");
    let abi = abi_of(&text);
    let code = compile(&text, Tuning::default()).remove(0).code;
    for (at, place) in abi.results.iter().enumerate() {
        let Loc::Memory(offset) = place else { panic!("{text}: {place:?}") };
        // mov dword [rsi + offset], constant
        let constant = (0x1234_0000 + at as u32).to_le_bytes();
        let at_once = match offset {
            0 => [&[0xc7, 0x06][..], &constant].concat(),
            1..0x80 => [&[0xc7, 0x46, *offset as u8][..], &constant].concat(),
            _ => [&[0xc7, 0x86][..], &offset.to_le_bytes(), &constant].concat(),
        };
        assert!(contains(&code, &at_once), "{text}: {code:02x?}");
    }
}
