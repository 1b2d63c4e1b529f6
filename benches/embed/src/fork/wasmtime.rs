//! Wasmtime: instances of the module that begins with the state, in its configurations.
//!
//! Its host functions are those that requests call, written here; all others trap.

use std::path::Path;

use selkie_benches::Outcome;
use wasmtime::{Caller, Config, Engine, Error, InstancePre, Linker, Memory, Store};

use super::cpython::{self, Places, TABLE, TP_CALL_OFFSET};
use super::{Served, timed};
use crate::artifact;

/// Makes instances.
pub struct Server {
    engine: Engine,
    pre: InstancePre<Data>,
    places: Places,
}

/// What host functions need.
#[derive(Default)]
struct Data {
    memory: Option<Memory>,
    output: Vec<u8>,
}

/// Numbers of WASI's errors.
const BADF: i32 = 8;
const FAULT: i32 = 21;

impl Server {
    /// Instances of a module that begins with a state.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn of_module(config: &Config, ready: &Path, places: Places) -> Outcome<Server> {
        let engine = Engine::new(config).map_err(said)?;
        let module = artifact::wasmtimes(&engine, ready)?;
        let mut linker = Linker::new(&engine);
        let wasi = "wasi_snapshot_preview1";
        linker.func_wrap(wasi, "fd_write", fd_write).map_err(said)?;
        linker.func_wrap(wasi, "clock_time_get", clock_time_get).map_err(said)?;
        linker.func_wrap(wasi, "environ_sizes_get", environ_sizes_get).map_err(said)?;
        linker.define_unknown_imports_as_traps(&module).map_err(said)?;
        let pre = linker.instantiate_pre(&module).map_err(said)?;
        Ok(Server { engine, pre, places })
    }
}

fn parts<'a>(caller: &'a mut Caller<'_, Data>) -> Option<(&'a mut [u8], &'a mut Data)> {
    let memory = caller.data().memory?;
    Some(memory.data_and_store_mut(caller))
}

fn fd_write(mut caller: Caller<'_, Data>, fd: i32, list: u32, count: u32, written: u32) -> i32 {
    if fd != 1 {
        return BADF;
    }
    let mut write = || -> Option<()> {
        let (memory, data) = parts(&mut caller)?;
        let word = |at: usize| Some(u32::from_le_bytes(*memory.get(at..)?.first_chunk()?) as usize);
        let mut total = 0;
        for i in 0..count as usize {
            let at = list as usize + 8 * i;
            let (start, len) = (word(at)?, word(at + 4)?);
            data.output.extend_from_slice(memory.get(start..start + len)?);
            total += len as u32;
        }
        let place = memory.get_mut(written as usize..)?.first_chunk_mut()?;
        *place = total.to_le_bytes();
        Some(())
    };
    write().map_or(FAULT, |()| 0)
}

fn clock_time_get(mut caller: Caller<'_, Data>, _: i32, _: i64, at: u32) -> i32 {
    let now = super::time_for_guest();
    put(&mut caller, at, &now.to_le_bytes())
}

/// There is none.
fn environ_sizes_get(mut caller: Caller<'_, Data>, count_at: u32, bytes_at: u32) -> i32 {
    put(&mut caller, count_at, &[0; 4]).max(put(&mut caller, bytes_at, &[0; 4]))
}

fn put(caller: &mut Caller<'_, Data>, at: u32, bytes: &[u8]) -> i32 {
    let end = at as usize + bytes.len();
    let place = parts(caller).and_then(|(memory, _)| memory.get_mut(at as usize..end));
    place.map_or(FAULT, |place| {
        place.copy_from_slice(bytes);
        0
    })
}

impl super::Server for Server {
    fn serve(&self, text: &str) -> Outcome<(Served, Vec<u8>)> {
        timed(|| {
            let Places { serve, nothing, type_of_serve, room } = self.places;
            let mut store = Store::new(&self.engine, Data::default());
            let instance = self.pre.instantiate(&mut store).map_err(said)?;
            let memory = instance.get_memory(&mut store, "memory").ok_or("no memory")?;
            store.data_mut().memory = Some(memory);
            let text = cpython::in_room(text);
            memory.write(&mut store, room as usize, &text).map_err(|e| e.to_string())?;
            let mut slot = [0; 4];
            memory
                .read(&store, (type_of_serve + TP_CALL_OFFSET) as usize, &mut slot)
                .map_err(|e| e.to_string())?;
            let table = instance.get_table(&mut store, TABLE).ok_or("no table")?;
            let slot = u64::from(u32::from_le_bytes(slot));
            let call = table.get(&mut store, slot);
            let call = call.as_ref().and_then(|r| r.as_func().flatten());
            let call = call.ok_or("the type has no way to call")?;
            let call = call.typed::<(u32, u32, u32), u32>(&store).map_err(said)?;
            if call.call(&mut store, (serve, nothing, 0)).map_err(said)? == 0 {
                return Err("the request raised an exception".to_owned());
            }
            let output = std::mem::take(&mut store.data_mut().output);
            Ok((store, output))
        })
    }
}

fn said(error: Error) -> String {
    format!("wasmtime: {error:#}")
}
