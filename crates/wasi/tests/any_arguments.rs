//! Whatever a guest passes: every function, through its binding, with arguments that
//! are valid, at the edge or nonsense, in any combination and order. Nothing panics,
//! nothing hangs, and every outcome is an error number of the specification.
//!
//! How often is set by `SELKIE_ARGUMENT_ROUNDS`; the default takes a few seconds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/ground.rs"]
mod support;

use selkie_engine::{Engine, Func, Linker, Module, Store, Val};
use selkie_wasi::{
    Capture, ClockId, Clocks, DirPerms, Errno, Exit, FilePerms, FunctionInfo, Output, PREVIEW1,
    PathWalk, Stdin, UNSTABLE, WasiCtx, add_to_linker,
};
use support::TempDir;

/// A time that passes only by sleeping, so that no wait takes long.
struct Virtual(u64);

impl Clocks for Virtual {
    fn now(&mut self, _clock: ClockId) -> Result<u64, Errno> {
        self.0 = self.0.saturating_add(1);
        Ok(self.0)
    }

    fn resolution(&mut self, _clock: ClockId) -> Result<u64, Errno> {
        Ok(1)
    }

    fn sleep(&mut self, duration_ns: u64) -> Result<(), Errno> {
        self.0 = self.0.saturating_add(duration_ns);
        Ok(())
    }
}

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.next() as usize % of.len()]
    }
}

const PATHS: [&str; 12] =
    ["file", "dir", "dir/file", "link", "out", "..", ".", "", "dir/", "dir/../file", "new", "/"];

/// Where in memory the paths lie: address and length.
fn layout_paths() -> (Vec<u8>, Vec<(u32, u32)>) {
    let mut bytes = vec![0; 4096];
    let mut places = Vec::new();
    for path in PATHS {
        places.push((bytes.len() as u32, path.len() as u32));
        bytes.extend_from_slice(path.as_bytes());
    }
    // An array of buffers, and subscriptions to a clock and to standard input.
    for (index, (at, len)) in [(20_000_u32, 100_u32), (30_000, 7), (20_050, 100)].iter().enumerate()
    {
        bytes[index * 8..][..4].copy_from_slice(&at.to_le_bytes());
        bytes[index * 8 + 4..][..4].copy_from_slice(&len.to_le_bytes());
    }
    bytes[256 + 16] = 1;
    bytes[256 + 48 + 8] = 1;
    (bytes, places)
}

fn argument(numbers: &mut Numbers, paths: &[(u32, u32)], name: &str, previous: u32) -> u64 {
    if numbers.next().is_multiple_of(16) {
        let edges = [0, 1, u64::MAX, u64::from(u32::MAX), 65_535, 65_536, 1 << 31, 1 << 62];
        return numbers.pick(&edges);
    }
    let place = paths.iter().find(|place| place.0 == previous);
    match name {
        "fd" | "old_fd" | "new_fd" | "to" => numbers.pick(&[0, 1, 2, 3, 3, 3, 4, 5, 6, 9]),
        "path" | "old_path" | "new_path" => u64::from(numbers.pick(paths).0),
        "path_len" | "old_path_len" | "new_path_len" => place.map_or(4, |place| place.1.into()),
        "iovs" | "ri_data" | "si_data" => 0,
        "iovs_len" | "ri_data_len" | "si_data_len" => numbers.next() % 4,
        "subscriptions" => 256,
        "nsubscriptions" => numbers.next() % 4,
        "base" | "inheriting" => numbers.pick(&[(1 << 30) - 1, 2, 0x42, 0, (1 << 30) - 1]),
        "oflags" | "fdflags" | "flags" | "advice" | "whence" | "how" | "fst_flags" | "id" => {
            numbers.next() % 9
        }
        "buf_len" | "len" | "size" | "offset" | "cookie" => {
            numbers.pick(&[0, 1, 5, 100, 4096, i64::MAX as u64])
        }
        _ => 40_000 + numbers.next() % 1000,
    }
}

struct World {
    store: Store<WasiCtx>,
    functions: Vec<(FunctionInfo, Func)>,
}

fn context(temp: &TempDir, walk: PathWalk) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder
        .args(&["program"])
        .env("A", "b")
        .clocks(Virtual(0))
        .path_walk(walk)
        .descriptor_limit(12)
        .stdin(Stdin::Bytes(b"input".to_vec()))
        .stdout(Output::Capture(Capture::new(1000)));
    builder
        .preopened_dir(temp.join("inside"), "/", DirPerms::all(), FilePerms::all())
        .unwrap()
        .build()
}

fn world(ctx: WasiCtx, memory: &[u8]) -> World {
    let all: Vec<_> = [("wasi_snapshot_preview1", PREVIEW1), ("wasi_unstable", UNSTABLE)]
        .into_iter()
        .flat_map(|(module, functions)| functions.iter().map(move |f| (module, *f)))
        .collect();
    let (mut imports, mut wrappers) = (String::new(), String::new());
    for (index, (module, function)) in all.iter().enumerate() {
        let type_of = |rust: &str| if rust == "u32" { " i32" } else { " i64" };
        let types: String = function.params.iter().map(|(_, rust)| type_of(rust)).collect();
        let result = if function.returns { "(result i32)" } else { "" };
        let name = function.name;
        imports +=
            &format!("(import \"{module}\" \"{name}\" (func $f{index} (param{types}) {result}))\n");
        // A wrapper, so that there is a calling instance with a memory.
        let gets: String =
            (0..function.params.len()).map(|param| format!("(local.get {param})")).collect();
        wrappers += &format!(
            "(func (export \"{index}\") (param{types}) {result} (call $f{index} {gets}))\n"
        );
    }
    let engine = Engine::default();
    let text = format!("(module {imports} {wrappers} (memory (export \"memory\") 1))");
    let module = Module::new(&engine, text).unwrap();
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).unwrap();
    let mut store = Store::new(&engine, ctx);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let bytes = instance.get_memory(&mut store, "memory").unwrap();
    bytes.write(&mut store, 0, memory).unwrap();
    let functions = all
        .iter()
        .enumerate()
        .map(|(index, (_, f))| (*f, instance.get_func(&mut store, &index.to_string()).unwrap()))
        .collect();
    World { store, functions }
}

fn call_at_random(world: &mut World, numbers: &mut Numbers, paths: &[(u32, u32)]) {
    let (info, func) = numbers.pick(&world.functions);
    let mut previous = 0;
    let params: Vec<_> = info
        .params
        .iter()
        .map(|(name, rust)| {
            let value = argument(numbers, paths, name, previous);
            previous = value as u32;
            if *rust == "u32" { Val::I32(value as i32) } else { Val::I64(value as i64) }
        })
        .collect();
    let mut results = vec![Val::I32(-1); usize::from(info.returns)];
    match func.call(&mut world.store, &params, &mut results) {
        Ok(()) => {
            let Some(Val::I32(errno)) = results.first() else { panic!("{} returned", info.name) };
            assert!((0..=76).contains(errno), "{} gave {errno}", info.name);
        }
        Err(error) => {
            assert!(error.downcast_ref::<Exit>().is_some(), "{}: {error}", info.name);
        }
    }
}

#[test]
fn nothing_that_a_guest_passes_is_too_much() {
    let rounds = std::env::var("SELKIE_ARGUMENT_ROUNDS").ok().and_then(|text| text.parse().ok());
    let (memory, paths) = layout_paths();
    for (seed, walk) in (1..).zip([PathWalk::Openat2, PathWalk::Manual]) {
        let temp = TempDir::new();
        std::fs::create_dir(temp.join("inside")).unwrap();
        std::os::unix::fs::symlink("..", temp.join("inside/out")).unwrap();
        let mut numbers = Numbers(seed);
        let mut made = world(context(&temp, walk), &memory);
        for round in 0..rounds.unwrap_or(100_000_u32) {
            // Descriptors get closed and rights lost: begin anew from time to time.
            if round % 500 == 499 {
                *made.store.data_mut() = context(&temp, walk);
                let names = std::fs::read_dir(temp.path()).unwrap().count();
                assert_eq!(names, 1, "something came to lie beside what was granted");
            }
            call_at_random(&mut made, &mut numbers, &paths);
        }
    }
}
