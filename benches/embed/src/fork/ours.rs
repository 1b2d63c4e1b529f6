//! Ours: forks of a live instance, and instances of a module that begins with the same state.

use std::path::Path;
use std::time::{Duration, Instant};

use selkie::preinit::Preinit;
use selkie::wasi::{Capture, ClockId, Clocks, Errno, Exit, Output, WasiCtx, add_to_linker};
use selkie::{Config, Engine, Instance, InstancePre, Linker, Module, Store, Val};
use selkie_benches::Outcome;

use super::cpython::{self, BOOT, Places, TABLE, TP_CALL_OFFSET};
use super::{Served, timed};
use crate::artifact;

/// Makes instances that are ready.
pub struct Server {
    engine: Engine,
    pre: InstancePre<WasiCtx>,
    places: Places,
}

/// A guest that got ready, in its store, and how long it took from cold.
struct Booted {
    store: Store<WasiCtx>,
    instance: Instance,
    places: Places,
    took: Duration,
}

fn linker(engine: &Engine) -> Outcome<Linker<WasiCtx>> {
    let mut linker = Linker::new(engine);
    add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).map_err(said)?;
    Ok(linker)
}

/// Lets the command boot: what `instantiate` makes gets what a command gets.
fn boot(
    engine: &Engine,
    instantiate: impl FnOnce(&mut Store<WasiCtx>) -> selkie::Result<Instance>,
) -> Outcome<Booted> {
    let start = Instant::now();
    let says = Capture::new(1 << 16);
    let ctx = WasiCtx::builder()
        .args(&["python", "-c", BOOT])
        .stdout(Output::Capture(says.clone()))
        .stderr(Output::Capture(says.clone()))
        // So that the same state, to the byte, is compiled once only.
        .deterministic(true)
        .build();
    let mut store = Store::try_new(engine, ctx).map_err(said)?;
    let instance = instantiate(&mut store).map_err(said)?;
    let command = instance.get_typed_func::<(), ()>(&mut store, "_start").map_err(said)?;
    match command.call(&mut store, ()) {
        Err(error) if error.downcast_ref::<Exit>() == Some(&Exit(0)) => {}
        Err(error) => return Err(said(error)),
        Ok(()) => return Err("the guest did not leave by os._exit".to_owned()),
    }
    let places = Places::parse(&says.contents())?;
    Ok(Booted { store, instance, places, took: start.elapsed() })
}

impl Server {
    /// Boots the command and takes a snapshot. Answers also how long booting took, from an
    /// instance on, and how long the snapshot.
    ///
    /// # Errors
    /// When the guest does not get ready.
    pub fn of_snapshot(config: &Config, command: &Path) -> Outcome<(Server, [Duration; 2])> {
        let engine = Engine::new(config).map_err(said)?;
        let module = artifact::ours(&engine, command)?;
        let pre = linker(&engine)?.instantiate_pre(&module).map_err(said)?;
        let Booted { mut store, instance, places, took } =
            boot(&engine, |store| pre.instantiate(store))?;
        let start = Instant::now();
        let pre = instance.snapshot(&mut store).map_err(said)?;
        let taken = start.elapsed();
        Ok((Server { engine, pre, places }, [took, taken]))
    }

    /// Instances of a module that begins as [`ready`] says.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn of_module(ready: &Path, places: Places) -> Outcome<Server> {
        let engine = Engine::default();
        let module = artifact::ours(&engine, ready)?;
        let pre = linker(&engine)?.instantiate_pre(&module).map_err(said)?;
        Ok(Server { engine, pre, places })
    }
}

/// How long it takes to boot.
///
/// # Errors
/// When the guest does not get ready.
pub fn cold(engine: &Engine, module: &Module) -> Outcome<Duration> {
    let linker = linker(engine)?;
    boot(engine, |store| linker.instantiate(store, module)).map(|booted| booted.took)
}

/// A module that begins as the command is when it is ready.
///
/// # Errors
/// When the guest does not get ready, or its state is none for a module.
pub fn ready(command: &[u8]) -> Outcome<(Vec<u8>, Places)> {
    let engine = Engine::default();
    let prepared = Preinit::new().prepare(&engine, command).map_err(said)?;
    let linker = linker(&engine)?;
    let Booted { mut store, instance, places, .. } =
        boot(&engine, |store| prepared.start(store, &linker))?;
    let module = prepared.finish(&mut store, instance).map_err(said)?;
    Ok((module, places))
}

impl super::Server for Server {
    fn serve(&self, text: &str) -> Outcome<(Served, Vec<u8>)> {
        timed(|| {
            let Places { serve, nothing, type_of_serve, room } = self.places;
            let says = Capture::new(1 << 16);
            let ctx =
                WasiCtx::builder().stdout(Output::Capture(says.clone())).clocks(Noted).build();
            let mut store = Store::try_new(&self.engine, ctx).map_err(said)?;
            let instance = self.pre.instantiate(&mut store).map_err(said)?;
            let memory = instance.get_memory(&mut store, "memory").ok_or("no memory")?;
            memory.write(&mut store, room as usize, &cpython::in_room(text)).map_err(said)?;
            let mut slot = [0; 4];
            memory
                .read(&store, (type_of_serve + TP_CALL_OFFSET) as usize, &mut slot)
                .map_err(said)?;
            let table = instance.get_table(&mut store, TABLE).ok_or("no table")?;
            let slot = u64::from(u32::from_le_bytes(slot));
            let Some(Val::FuncRef(Some(call))) = table.get(&mut store, slot) else {
                return Err("the type has no way to call".to_owned());
            };
            let call = call.typed::<(u32, u32, u32), u32>(&store).map_err(said)?;
            if call.call(&mut store, (serve, nothing, 0)).map_err(said)? == 0 {
                return Err("the request raised an exception".to_owned());
            }
            let output = says.contents();
            Ok((store, output))
        })
    }
}

/// A clock that notes that it was asked.
struct Noted;

impl Clocks for Noted {
    fn now(&mut self, _: ClockId) -> Result<u64, Errno> {
        Ok(super::time_for_guest())
    }

    fn resolution(&mut self, _: ClockId) -> Result<u64, Errno> {
        Ok(1)
    }

    fn sleep(&mut self, _: u64) -> Result<(), Errno> {
        Ok(())
    }
}

fn said(error: selkie::Error) -> String {
    format!("selkie: {error:#}")
}
