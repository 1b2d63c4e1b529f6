//! `-W deterministic`: two runs give the same bytes, whatever the host does in between.

// What a test builds on must be there.
#![allow(clippy::unwrap_used)]

#[path = "place/scratch.rs"]
mod place;
use place::Place;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Writes clocks, random numbers, what it reads, a listing and attributes of files as they are.
const LOOK: &str = r#"(module
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_readdir"
        (func $list (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_filestat_get"
        (func $stat (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 3000) "name-7")
    (func $out (param i32 i32)
        (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func (export "_start") (local $cookie i64)
        (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 16)))
        (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 24)))
        (drop (call $random (i32.const 32) (i32.const 40)))
        ;; An hour passes: relative time of the monotonic clock.
        (i32.store8 (i32.const 208) (i32.const 0)) (i32.store (i32.const 216) (i32.const 1))
        (i64.store (i32.const 224) (i64.const 3600000000000))
        ;; And standard input may have something.
        (i32.store8 (i32.const 256) (i32.const 1))
        (drop (call $poll (i32.const 200) (i32.const 400) (i32.const 1) (i32.const 80)))
        (drop (call $poll (i32.const 200) (i32.const 432) (i32.const 2) (i32.const 84)))
        (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 72)))
        (call $out (i32.const 16) (i32.const 72))
        (call $out (i32.const 400) (i32.const 96))
        (drop (call $stat (i32.const 3) (i32.const 0) (i32.const 3000) (i32.const 6)
            (i32.const 500)))
        (call $out (i32.const 500) (i32.const 64))
        ;; Twelve bytes at once, however they come.
        (i32.store (i32.const 600) (i32.const 620)) (i32.store (i32.const 604) (i32.const 12))
        (drop (call $read (i32.const 0) (i32.const 600) (i32.const 1) (i32.const 608)))
        (call $out (i32.const 608) (i32.const 30))
        ;; In pieces that cut entries.
        (loop $more
            (drop (call $list (i32.const 3) (i32.const 4000) (i32.const 100) (local.get $cookie)
                (i32.const 3900)))
            (call $out (i32.const 3900) (i32.const 4))
            (call $out (i32.const 4000) (i32.load (i32.const 3900)))
            (local.set $cookie (i64.add (local.get $cookie) (i64.const 2)))
            (br_if $more (i32.eq (i32.load (i32.const 3900)) (i32.const 100))))))"#;

/// Runs it in a folder of its own whose files are made in some order, with input in pieces.
fn look(place: &Place, folder: &str, order: &[u32], pieces: &[&str], options: &[&str]) -> Vec<u8> {
    let path = place.folder.join(folder);
    std::fs::create_dir(&path).unwrap();
    for i in order {
        std::fs::write(path.join(format!("name-{i}")), "content").unwrap();
    }
    let dir = format!("{folder}::/");
    let args = [&["--dir", &dir], options, &["look.wasm"]].concat();
    let mut command = place.command(&args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for piece in pieces {
        // It may have ended, as it reads a part only.
        let _ = stdin.write_all(piece.as_bytes());
        std::thread::sleep(Duration::from_millis(30));
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn two_runs_write_the_same_bytes() {
    let place = Place::new("deterministic-twice");
    place.module("look.wasm", LOOK);
    let ascending: Vec<u32> = (0..30).collect();
    let descending: Vec<u32> = (0..30).rev().collect();
    let on = ["-W", "deterministic"];
    let begun = Instant::now();
    let first = look(&place, "a", &ascending, &["twelve bytes", " more"], &on);
    let second = look(&place, "b", &descending, &["tw", "elve", " bytes more"], &on);
    assert!(begun.elapsed() < Duration::from_secs(600), "nobody waits for virtual time");
    assert!(first == second, "{first:?}\n{second:?}");
    let text = String::from_utf8_lossy(&first);
    assert!(text.contains("twelve bytes") && text.contains("name-29"), "{text}");
    // The manual walk and another choice of code see the same.
    let other =
        ["-W", "deterministic", "-S", "manual-path-walk", "-O", "guard-pages=off,inlining=off"];
    assert!(look(&place, "c", &ascending, &["twelve bytes"], &other) == first);
    // A seed changes the random numbers and nothing else.
    let seeded = look(
        &place,
        "d",
        &ascending,
        &["twelve bytes"],
        &[&on[..], &["-S", "random-seed=7"]].concat(),
    );
    let differs: Vec<usize> = (0..first.len()).filter(|i| first[*i] != seeded[*i]).collect();
    assert!(!differs.is_empty() && differs.iter().all(|i| (16..56).contains(i)), "{differs:?}");
    let again = look(
        &place,
        "e",
        &descending,
        &["twelve bytes"],
        &[&on[..], &["-S", "random-seed=7"]].concat(),
    );
    assert!(again == seeded);
}

#[test]
fn numbers_that_are_none_have_the_same_bits() {
    let place = Place::new("deterministic-nan");
    place.module(
        "nan.wasm",
        r#"(module (func (export "bits") (param f64 f32) (result i64 i32 i64)
            (i64.reinterpret_f64 (f64.sub (f64.add (local.get 0) (f64.const -nan:0x4000000000123)) (local.get 0)))
            (i32.reinterpret_f32 (f32.div (f32.const -0) (f32.sub (local.get 1) (local.get 1))))
            (i64x2.extract_lane 0 (f64x2.sqrt (f64x2.splat (f64.const -1)))))
        (func (export "relaxed") (param i32) (result i64)
            (i64x2.extract_lane 0 (i32x4.relaxed_trunc_f32x4_s (f32x4.splat (f32.const nan))))))"#,
    );
    let run = |more: &[&str], call: &[&str]| {
        place.run(&[&["-W", "deterministic"], more, &["--invoke"], call].concat()).ok()
    };
    let bits = run(&[], &["bits", "nan.wasm", "1.5", "inf"]);
    assert_eq!(bits, "9221120237041090560\n2143289344\n9221120237041090560\n");
    // It holds whatever else is said.
    let still = run(&["-W", "canonical-nans=off"], &["bits", "nan.wasm", "1.5", "inf"]);
    assert_eq!(still, bits);
    assert_eq!(run(&[], &["relaxed", "nan.wasm", "1"]), "0\n");
}

#[test]
fn what_threads_share_is_refused_by_the_name_of_the_switch() {
    let place = Place::new("deterministic-threads");
    place.module("memory.wasm", "(module (memory 1 2 shared))");
    place.module("import.wasm", r#"(module (import "a" "b" (memory 1 2 shared)))"#);
    place.module(
        "atomic.wasm",
        r#"(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))"#,
    );
    for name in ["memory.wasm", "import.wasm", "atomic.wasm"] {
        for options in ["deterministic", "deterministic,threads", "threads,deterministic"] {
            for command in ["run", "validate", "compile"] {
                let done = place.run(&[command, "-W", options, name]);
                let done = done.fails(1, "(`-W deterministic`)");
                assert!(!done.err.contains("enables"), "{done:?}");
            }
        }
    }
    place.run(&["validate", "-W", "deterministic=off", "atomic.wasm"]).ok();
}

#[test]
fn it_can_be_said_in_the_configuration() {
    let place = Place::new("deterministic-configured");
    place.module("look.wasm", LOOK);
    place.file("c.toml", "[wasm]\ndeterministic = true\n[wasi]\nrandom-seed = 3\n");
    let options = ["--config", "c.toml"];
    let first = look(&place, "a", &[7, 2], &["twelve bytes"], &options);
    assert!(look(&place, "b", &[2, 7], &["twelve ", "bytes"], &options) == first);
    for (words, says) in [(["-W", "help"], "deterministic"), (["-S", "help"], "random-seed")] {
        assert!(place.run(&words).ok().contains(says));
    }
}
