//! Guest programs that try each function of WASI on real folders and sockets, through the public
//! API, with each way of walking paths, and behind the second wall of the command line: it must deny
//! nothing that WASI lets a guest do.

use selkie::wasi::{self, Capture, DirPerms, FilePerms, Output, PathWalk, Stdin, WasiCtx};
use selkie::{Engine, Error, Linker, Module, Store};
use selkie_cli::wall;
use selkie_tests::guest::Guest;
use selkie_tests::harness::{self, Body, Case, Missing};
use selkie_tests::scratch::Scratch;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::JoinHandle;

const WALKS: &[(&str, PathWalk)] = &[("openat2", PathWalk::Openat2), ("manual", PathWalk::Manual)];

/// Most that a guest writes.
const OUTPUT_BYTES: usize = 1 << 20;

fn main() -> ExitCode {
    harness::run("wasi", cases())
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wasi-guests");
    let mut programs: Vec<PathBuf> = match std::fs::read_dir(&folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) => {
            return vec![Case::new("wasi", move || Err(format!("{}: {error}", folder.display())))];
        }
    };
    programs.retain(|path| path.extension().is_some_and(|ending| ending == "wat"));
    programs.sort();
    let case = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let each = WALKS.iter().map(move |(walk, kind)| {
            let (program, kind) = (path.clone(), *kind);
            Case::new(format!("wasi/{name} [{walk}]"), move || trial(&program, kind, Wall::None))
                .within_seconds(60)
        });
        each.collect::<Vec<_>>()
    };
    let behind_wall = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let path = path.clone();
        let preparation = move || {
            wall::probe().map_err(|absent| Missing::Here(absent.to_string()))?;
            Ok(Box::new(move || trial(&path, PathWalk::Auto, Wall::Raised)) as Body)
        };
        Case::prepared(format!("wasi/{name} [wall]"), preparation).within_seconds(60)
    };
    programs.iter().flat_map(case).chain(programs.iter().map(behind_wall)).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wall {
    None,
    Raised,
}

fn trial(program: &Path, walk: PathWalk, wall: Wall) -> Result<(), String> {
    let text = std::fs::read_to_string(program).map_err(|e| e.to_string())?;
    let guest = Guest::parse(&text)?;
    let scratch = Scratch::new().map_err(|e| e.to_string())?;
    guest.prepare(scratch.path())?;
    let (stdout, stderr) = (Capture::new(OUTPUT_BYTES), Capture::new(OUTPUT_BYTES));
    let name = program.file_name().unwrap_or_default().to_string_lossy();

    let mut builder = WasiCtx::builder();
    builder
        .path_walk(walk)
        .arg(&*name)
        .args(&guest.args)
        .stdin(Stdin::Bytes(guest.stdin.clone().into_bytes()))
        .stdout(Output::Capture(stdout.clone()))
        .stderr(Output::Capture(stderr.clone()));
    for variable in &guest.env {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        builder.env(name, value);
    }
    let peer = guest.listener.clone().map(|sends| connect(&mut builder, sends)).transpose()?;
    if let Some((guest_path, read_only)) = &guest.dir {
        let (dir, file) = match read_only {
            true => (DirPerms::READ, FilePerms::READ),
            false => (DirPerms::all(), FilePerms::all()),
        };
        builder
            .preopened_dir(scratch.path(), guest_path, dir, file)
            .map_err(|e| format!("{}: {e}", scratch.path().display()))?;
    }
    let exit = run(&text, builder.build(), wall)?;
    let received = peer.map(|peer| peer.join().map_err(|_| "the peer panicked")?).transpose()?;

    let (stdout, stderr) = (stdout.contents(), stderr.contents());
    let seen = (exit, String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if seen != (guest.exit, guest.stdout.as_str().into(), guest.stderr.as_str().into()) {
        return Err(format!(
            "(exit, stdout, stderr) = {seen:?}, but should be {:?}",
            (guest.exit, &guest.stdout, &guest.stderr)
        ));
    }
    match (guest.reply, received) {
        (Some(wanted), Some(got)) if wanted.as_bytes() != got => {
            Err(format!("the connection got {:?}", String::from_utf8_lossy(&got)))
        }
        _ => Ok(()),
    }
}

type Peer = JoinHandle<Result<Vec<u8>, String>>;

/// Grants a listening socket, and lets somebody connect to it.
fn connect(builder: &mut wasi::WasiCtxBuilder, sends: String) -> Result<Peer, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| format!("no socket: {e}"))?;
    let address = listener.local_addr().map_err(|e| format!("no socket: {e}"))?;
    builder.preopened_socket(listener).map_err(|e| format!("no socket: {e}"))?;
    Ok(std::thread::spawn(move || {
        let talk = || {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(sends.as_bytes())?;
            // The guest may close before it has read all; what it answered counts.
            drop(stream.shutdown(Shutdown::Write));
            let mut received = Vec::new();
            match stream.read_to_end(&mut received) {
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
                other => drop(other?),
            }
            Ok(received)
        };
        talk().map_err(|e: std::io::Error| format!("the peer: {e}"))
    }))
}

/// Runs a guest as the command line would, and gives its exit code.
fn run(text: &str, ctx: WasiCtx, wall: Wall) -> Result<u32, String> {
    // A thread takes its wall with it when it ends; folders are removed without one.
    std::thread::scope(|scope| {
        let guest = scope.spawn(move || {
            if wall == Wall::Raised {
                wall::raise(&ctx).map_err(|absent| format!("no wall: {absent}"))?;
            }
            start(text, ctx).map_err(|e| format!("{e:?}"))
        });
        guest.join().map_err(|_| "the guest's thread panicked")?
    })
}

fn start(text: &str, ctx: WasiCtx) -> Result<u32, Error> {
    let engine = Engine::default();
    let module = Module::new(&engine, text)?;
    let mut linker = Linker::new(&engine);
    wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
    let mut store = Store::new(&engine, ctx);
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    match start.call(&mut store, ()) {
        Ok(()) => Ok(0),
        Err(error) => match (error.downcast_ref::<wasi::Exit>(), error.trap()) {
            (Some(exit), _) => Ok(exit.0),
            (None, Some(_)) => Ok(134),
            (None, None) => Err(error),
        },
    }
}
