//! QuickJS as an embedder uses it: a library without `_start` that calls back into its host. The
//! host provides six functions of its own beside WASI, and calls the guest again from within one.

use selkie::preinit::Preinit;
use selkie::wasi::{self, WasiCtx};
use selkie::{
    Caller, Config, Engine, Error, Instance, Linker, Module, Store, WasmParams, WasmResults,
};
use selkie_tests::harness::{Body, Case};
use selkie_tests::packages::{PackagedFile, Registry};
use std::path::Path;

const FILE: PackagedFile = PackagedFile {
    registry: Registry::Npm,
    package: "quickjs-wasi@3.6.2",
    path: "package/quickjs.wasm",
    sha256: "d4c9375f2b1ca4dc95f72c8aa2982a7a9951ac8011490d79c6582df732b4bbd9",
};

/// What the store holds: the guest's view of the world, and what the host saw.
struct Host {
    wasi: WasiCtx,
    calls: Vec<(String, f64)>,
}

pub(crate) fn cases() -> [Case; 3] {
    let case = |name, embed: fn(&Path) -> Result<(), Error>| {
        Case::prepared(name, move || {
            let file = FILE.fetch()?;
            Ok(Box::new(move || embed(&file).map_err(|e| format!("{e:?}"))) as Body)
        })
    };
    [
        case("programs/quickjs", embed),
        case("programs/quickjs_initialised", initialised),
        case("programs/quickjs_deterministic", deterministic),
    ]
}

fn host() -> Host {
    Host { wasi: WasiCtx::builder().build(), calls: Vec::new() }
}

/// The runtime starts and learns a library once; modules made of that go on from there.
fn initialised(file: &Path) -> Result<(), Error> {
    let engine = Engine::default();
    let wasm = std::fs::read(file)?;
    let linker = linker(&engine)?;
    let preinit = Preinit::new();
    let prepared = preinit.prepare(&engine, &wasm)?;
    let mut store = Store::new(&engine, host());
    let instance = prepared.start(&mut store, &linker)?;
    let mut vm = Vm { store, instance };
    vm.start()?;
    vm.eval("globalThis.squares = [...Array(1000).keys()].map(x => x * x); squares.length")?;
    let ready = prepared.finish(&mut vm.store, vm.instance)?;
    let module = Module::new(&engine, &ready)?;
    for round in 0..2 {
        let mut store = Store::new(&engine, host());
        let instance = linker.instantiate(&mut store, &module)?;
        if instance.get_func(&mut store, "_initialize").is_some() {
            return Err(Error::msg("it would be initialised again"));
        }
        let mut vm = Vm { store, instance };
        for (source, expected) in [
            ("squares[999] + double(21)", "998043"),
            ("typeof later", "undefined"),
            ("globalThis.later = 1", "1"),
            ("/b+/.exec('abbc')[0]", "bb"),
        ] {
            let actual = vm.eval(source)?;
            if actual != expected {
                return Err(Error::msg(format!("{round}: {source} gave {actual}")));
            }
        }
    }
    Ok(())
}

fn embed(file: &Path) -> Result<(), Error> {
    let engine = Engine::default();
    let module = Module::from_file(&engine, file)?;
    let mut store = Store::new(&engine, host());
    let instance = linker(&engine)?.instantiate(&mut store, &module)?;
    let mut vm = Vm { store, instance };
    vm.call::<_, ()>("_initialize", ())?;
    vm.start()?;
    vm.call::<_, ()>("qjs_set_module_loader", 1)?;
    for (source, expected) in [
        ("1 + 1", "2"),
        ("[3, 1, 2].sort().map(x => x * x).join()", "1,4,9"),
        ("double(21) + double(0.5)", "43"),
        ("let r = /(\\w+) (\\w+)/.exec('sea seal'); r[2] + r[1]", "sealsea"),
        ("(function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) })(20)", "6765"),
        ("2n ** 100n", "1267650600228229401496703205376"),
        ("try { null.x } catch (e) { e.constructor.name }", "TypeError"),
        ("try { (function f() { f() })() } catch (e) { e.constructor.name }", "RangeError"),
        ("new Date(0).getTimezoneOffset()", "-60"),
    ] {
        let actual = vm.eval(source)?;
        if actual != expected {
            return Err(Error::msg(format!("{source} gave {actual}, not {expected}")));
        }
    }
    let calls = &vm.store.data().calls;
    if *calls != [("double".into(), 21.0), ("double".into(), 0.5)] {
        return Err(Error::msg(format!("the host saw {calls:?}")));
    }
    Ok(())
}

/// Time and random numbers are the same in every run, also where code is made otherwise.
fn deterministic(file: &Path) -> Result<(), Error> {
    let run = |inlining| {
        let engine = Engine::new(Config::new().deterministic(true).inlining(inlining))?;
        let module = Module::from_file(&engine, file)?;
        let mut store = Store::new(&engine, host());
        let instance = linker(&engine)?.instantiate(&mut store, &module)?;
        let mut vm = Vm { store, instance };
        vm.call::<_, ()>("_initialize", ())?;
        vm.start()?;
        vm.eval("[Math.random(), Math.random(), Date.now(), new Date().toISOString(), 0/0].join()")
    };
    let (first, second) = (run(true)?, run(false)?);
    if first != second || !first.contains("2020-01-01T") {
        return Err(Error::msg(format!("{first} and {second}")));
    }
    Ok(())
}

fn linker(engine: &Engine) -> Result<Linker<Host>, Error> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker, |host: &mut Host| &mut host.wasi)?;
    linker
        .func_wrap("env", "host_get_timezone_offset", |_high: i32, _low: i32| 3600)?
        .func_wrap("env", "host_interrupt", || 0)?
        .func_wrap("env", "host_promise_rejection", |_: i32, _: i32, _: i32| {})?
        .func_wrap("env", "host_module_normalize", |_base: i32, _name: i32| 0)?
        .func_wrap("env", "host_module_load", |_name: i32, _length: i32| 0)?
        .func_wrap("env", "host_call", host_call)?;
    Ok(linker)
}

/// What a script's call of a host function becomes: the argument is read and the result made by
/// calling the guest again.
fn host_call(
    mut caller: Caller<'_, Host>,
    name: i32,
    name_length: i32,
    _this: i32,
    argument_count: i32,
    arguments: i32,
) -> Result<i32, Error> {
    let memory = caller.memory().ok_or_else(|| Error::msg("no memory"))?;
    let mut bytes = vec![0; name_length as usize];
    memory.read(&caller, name as usize, &mut bytes)?;
    let name = String::from_utf8_lossy(&bytes).into_owned();
    if argument_count != 1 {
        return Err(Error::msg(format!("{argument_count} arguments")));
    }
    let mut pointer = [0; 4];
    memory.read(&caller, arguments as usize, &mut pointer)?;
    let instance = caller.instance().ok_or_else(|| Error::msg("no instance"))?;
    let number = instance
        .get_typed_func::<i32, f64>(&mut caller, "qjs_get_float64")?
        .call(&mut caller, i32::from_le_bytes(pointer))?;
    caller.data_mut().calls.push((name, number));
    instance
        .get_typed_func::<f64, i32>(&mut caller, "qjs_new_number")?
        .call(&mut caller, number * 2.0)
}

struct Vm {
    store: Store<Host>,
    instance: Instance,
}

impl Vm {
    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> Result<R, Error> {
        let func = self.instance.get_typed_func::<P, R>(&mut self.store, name)?;
        func.call(&mut self.store, params)
    }

    /// Makes the runtime ready for scripts.
    fn start(&mut self) -> Result<(), Error> {
        if self.call::<_, i32>("qjs_init", ())? != 0 {
            return Err(Error::msg("the runtime did not start"));
        }
        // Its own stack lies in its memory; without a limit it would run out of bounds there.
        self.call::<_, ()>("qjs_set_max_stack_size", 256 << 10)?;
        self.define_host_function("double")
    }

    /// Puts text into the guest's memory, with a NUL behind it.
    fn text(&mut self, text: &str) -> Result<i32, Error> {
        let bytes = [text.as_bytes(), &[0]].concat();
        let pointer: i32 = self.call("wasm_malloc", bytes.len() as i32)?;
        let memory = self.instance.get_memory(&mut self.store, "memory");
        let memory = memory.ok_or_else(|| Error::msg("no memory"))?;
        memory.write(&mut self.store, pointer as usize, &bytes)?;
        Ok(pointer)
    }

    fn define_host_function(&mut self, name: &str) -> Result<(), Error> {
        let pointer = self.text(name)?;
        let function: i32 = self.call("qjs_new_host_function", (pointer, name.len() as i32, 0))?;
        let global: i32 = self.call("qjs_get_global", ())?;
        self.call::<_, i32>("qjs_set_prop_string", (global, pointer, function)).map(drop)
    }

    /// The value of a script as text.
    fn eval(&mut self, source: &str) -> Result<String, Error> {
        let (code, name) = (self.text(source)?, self.text("test.js")?);
        let value: i32 = self.call("qjs_eval", (code, source.len() as i32, name, 0))?;
        if self.call::<_, i32>("qjs_is_exception", value)? != 0 {
            return Err(Error::msg(format!("{source} threw")));
        }
        let text: i32 = self.call("qjs_get_string", value)?;
        let memory = self.instance.get_memory(&mut self.store, "memory");
        let memory = memory.ok_or_else(|| Error::msg("no memory"))?;
        let bytes = memory.data(&self.store).get(text as usize..).unwrap_or_default();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }
}
