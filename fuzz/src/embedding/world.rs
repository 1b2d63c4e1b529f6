//! An engine with several stores, and what happens between them.

use super::cell::{Cell, config};
use super::guest::Shape;
use super::host::{Data, linker};
use super::model::Piece;
use super::read::Amount;
use crate::campaign::Outcome;
use crate::generate::Numbers;
use selkie::{Engine, ErrorKind, Instance, InstancePre, Linker, Module, Store};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

/// Things that are done with one engine.
const STEPS: usize = 120;
/// Stores that there are at once.
const CELLS: usize = 8;
/// Modules and snapshots that instances are made of.
const PRES: usize = 6;
/// Memories that leave no room for others with guards: more than half of the mappings that a process
/// has where nobody says.
const CROWD: usize = 2100;

struct World {
    engine: Engine,
    linker: Linker<Data>,
    module: Module,
    shape: Arc<Shape>,
    /// A guest that has the memory and the table of another instance.
    beside: (Module, Arc<Shape>),
    pres: Vec<(InstancePre<Data>, Piece)>,
    cells: Vec<Cell>,
    /// Drops what it is sent.
    dropper: Sender<Store<Data>>,
    /// Takes all the room for memories with guards.
    crowd: Option<Store<()>>,
    done: u64,
    depth: usize,
}

/// Does things at random, and compares what instances hold with a model.
pub fn holds_what_its_model_says(numbers: &mut Numbers) -> Outcome {
    let shape = Arc::new(Shape::new(numbers));
    let text = shape.text();
    match std::thread::scope(|scope| {
        let (dropper, stores) = channel::<Store<Data>>();
        scope.spawn(move || stores.into_iter().for_each(drop));
        World::new(shape, dropper, numbers)?.run(numbers)
    }) {
        Ok(done) => Outcome::Right(done),
        Err(how) => Outcome::Wrong(how, text.into_bytes()),
    }
}

fn failed(error: selkie::Error) -> String {
    format!("{error:?}")
}

impl World {
    fn new(
        shape: Arc<Shape>,
        dropper: Sender<Store<Data>>,
        numbers: &mut Numbers,
    ) -> Result<World, String> {
        let engine = Engine::new(&config(numbers)).map_err(failed)?;
        let module = Module::new(&engine, shape.text()).map_err(failed)?;
        let importing = Arc::new(shape.importing());
        let beside = Module::new(&engine, importing.text()).map_err(failed)?;
        let linker = linker(&engine).map_err(failed)?;
        let (pres, cells) = Default::default();
        let (beside, crowd) = ((beside, importing), None);
        let (done, depth) = (0, 0);
        Ok(World {
            engine,
            linker,
            module,
            shape,
            beside,
            pres,
            cells,
            dropper,
            crowd,
            done,
            depth,
        })
    }

    fn run(mut self, numbers: &mut Numbers) -> Result<u64, String> {
        let crowded = numbers.below(50) == 0;
        for step in 0..STEPS {
            if crowded && step % 40 == 20 {
                self.crowd =
                    self.crowd.take().is_none().then(|| crowd(&self.engine)).transpose()?;
            }
            self.step(numbers).map_err(|how| format!("step {step}: {how}"))?;
        }
        for cell in &mut self.cells {
            cell.check(&mut Amount::All).map_err(|how| format!("in the end: {how}"))?;
        }
        let World { engine, linker, module, beside, mut pres, mut cells, done, .. } = self;
        drop(linker);
        // In any order, the last of them beyond the engine's handle.
        let mut names = vec![engine.clone()];
        while !(pres.is_empty() && cells.is_empty() && names.is_empty()) {
            match numbers.below(8) {
                0 => drop(names.pop()),
                1..=3 if !pres.is_empty() => drop(pres.swap_remove(numbers.below(pres.len()))),
                _ if !cells.is_empty() => drop(cells.swap_remove(numbers.below(cells.len()))),
                _ => {}
            }
        }
        drop((module, beside));
        Ok(done)
    }

    fn step(&mut self, numbers: &mut Numbers) -> Result<(), String> {
        self.done += 1;
        if self.pres.is_empty() {
            let pre = self.linker.instantiate_pre(&self.module).map_err(failed)?;
            self.pres.push((pre, self.shape.piece()));
        }
        match numbers.below(32) {
            0..=4 => self.make(numbers),
            5 => self.make_within(numbers),
            6 => self.make_beside(numbers),
            7 | 8 => self.take_snapshot(numbers),
            9..=11 => self.drop_store(numbers),
            12 if self.pres.len() > 1 => {
                self.pres.swap_remove(numbers.below(self.pres.len()));
                Ok(())
            }
            13 if numbers.below(3) == 0 => self.trim(),
            14..=16 => self.with_cell(numbers, |_, cell, numbers| cell.write(numbers)),
            17 => self.with_cell(numbers, |_, cell, _| cell.check(&mut Amount::All)),
            18 => self.give_spare(numbers),
            19 => self.elsewhere(numbers),
            _ => self.call(numbers),
        }
    }

    /// Takes a store out of the world, so that others can be used beside it.
    fn with_cell(
        &mut self,
        numbers: &mut Numbers,
        use_it: impl FnOnce(&mut World, &mut Cell, &mut Numbers) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.cells.is_empty() {
            return Ok(());
        }
        let mut cell = self.cells.swap_remove(numbers.below(self.cells.len()));
        use_it(self, &mut cell, numbers)?;
        self.pres.extend(cell.snapshots.drain(..).take(PRES.saturating_sub(self.pres.len())));
        cell.check(&mut Amount::Some(numbers))?;
        self.cells.push(cell);
        Ok(())
    }

    /// Makes the first instance of a store.
    fn make(&mut self, numbers: &mut Numbers) -> Result<(), String> {
        if self.cells.len() >= CELLS {
            return self.drop_store(numbers);
        }
        let mut cell = Cell::new(&self.engine, numbers);
        let (pre, piece) = &self.pres[numbers.below(self.pres.len())];
        if cell.instantiate(pre, piece, numbers)? {
            let all = numbers.below(2) == 0;
            let amount = if all { Amount::All } else { Amount::Some(numbers) };
            cell.check(&mut { amount }).map_err(|how| format!("a new instance: {how}"))?;
            self.cells.push(cell);
        }
        Ok(())
    }

    /// Makes another instance in a store.
    fn make_within(&mut self, numbers: &mut Numbers) -> Result<(), String> {
        self.with_cell(numbers, |world, cell, numbers| {
            if cell.handles.len() < 4 {
                let (pre, piece) = &world.pres[numbers.below(world.pres.len())];
                cell.instantiate(pre, piece, numbers)?;
            }
            Ok(())
        })
    }

    /// Makes an instance that has the memory and the table of another.
    fn make_beside(&mut self, numbers: &mut Numbers) -> Result<(), String> {
        self.with_cell(numbers, |world, cell, numbers| {
            let at = numbers.below(cell.handles.len());
            let (module, shape) = &world.beside;
            if cell.handles.len() >= 4 || !shape.piece().fits(cell.caps) {
                return Ok(());
            }
            cell.unhinder();
            let handle = cell.handles[at];
            let items = ["memory", "table"].map(|name| handle.get_export(&mut cell.store, name));
            let [Some(memory), Some(table)] = items else { return Err("no exports".into()) };
            let made = Instance::new(&mut cell.store, module, &[memory, table]).map_err(failed)?;
            cell.state.add_beside(at, shape);
            cell.handles.push(made);
            Ok(())
        })
    }

    fn take_snapshot(&mut self, numbers: &mut Numbers) -> Result<(), String> {
        self.with_cell(numbers, |world, cell, numbers| {
            let at = numbers.below(cell.handles.len());
            let piece = cell.state.piece(at);
            if world.cells.len() < CELLS && numbers.below(2) == 0 {
                let mut fork = Cell::new(&world.engine, numbers);
                // Its limits are not those of a store that forks make.
                let data = std::mem::take(fork.store.data_mut());
                match (cell.handles[at].fork(&mut cell.store, data), piece) {
                    (Ok((mut store, instance)), Some(piece)) => {
                        store.data_mut().handle = store.interrupt_handle().ok();
                        fork.be(store);
                        fork.state.add(&piece);
                        fork.handles.push(instance);
                        fork.check(&mut Amount::All).map_err(|how| format!("a fork: {how}"))?;
                        world.cells.push(fork);
                    }
                    (Err(error), None) if error.kind() == ErrorKind::Unsupported => {}
                    (Err(error), _) => return Err(format!("no fork: {error}")),
                    (Ok(_), None) => return Err("a fork of what refers to others".into()),
                }
                return Ok(());
            }
            match (cell.handles[at].snapshot(&mut cell.store), piece) {
                (Ok(pre), Some(piece)) if world.pres.len() < PRES => world.pres.push((pre, piece)),
                (Ok(_), Some(_)) => {}
                (Err(error), None) if error.kind() == ErrorKind::Unsupported => {}
                (Err(error), _) => return Err(format!("no snapshot: {error}")),
                (Ok(_), None) => return Err("a snapshot of what refers to others".into()),
            }
            Ok(())
        })
    }

    fn drop_store(&mut self, numbers: &mut Numbers) -> Result<(), String> {
        if self.cells.is_empty() {
            return Ok(());
        }
        let cell = self.cells.swap_remove(numbers.below(self.cells.len()));
        if numbers.below(3) == 0 {
            return self.dropper.send(cell.store).map_err(|error| error.to_string());
        }
        Ok(())
    }

    /// Lets a store be dropped during a call of another one.
    fn give_spare(&mut self, numbers: &mut Numbers) -> Result<(), String> {
        if self.cells.len() < 3 {
            return Ok(());
        }
        let spare = self.cells.swap_remove(numbers.below(self.cells.len()));
        self.with_cell(numbers, |_, cell, _| {
            cell.store.data_mut().spare.push(spare.store);
            Ok(())
        })
    }

    fn trim(&mut self) -> Result<(), String> {
        // Others may be dropping stores at the same time: nothing can be said about what is idle.
        self.engine.trim_idle_instances();
        let _ = self.engine.idle_instances();
        Ok(())
    }

    /// Does several things on another thread.
    fn elsewhere(&mut self, numbers: &mut Numbers) -> Result<(), String> {
        if self.depth > 1 {
            return Ok(());
        }
        self.depth += 1;
        let steps = || (0..5).try_for_each(|_| self.step(numbers));
        let done = std::thread::scope(|scope| scope.spawn(steps).join());
        self.depth -= 1;
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn call(&mut self, numbers: &mut Numbers) -> Result<(), String> {
        self.with_cell(numbers, |world, cell, numbers| {
            let Some(call) = cell.any_call(numbers) else { return Ok(()) };
            let mut meanwhile = |numbers: &mut Numbers| {
                if world.depth > 1 || numbers.below(3) > 0 {
                    return Ok(());
                }
                world.depth += 1;
                let done = world.step(numbers);
                world.depth -= 1;
                done
            };
            let called = cell.call(call, numbers, &mut meanwhile);
            called.map_err(|how| format!("{call:?}: {how}"))
        })
    }
}

/// A store with so many memories that no others with guards are to be had.
fn crowd(engine: &Engine) -> Result<Store<()>, String> {
    let module = format!("(module {})", "(memory 1)".repeat(100));
    let module = Module::new(engine, module).map_err(failed)?;
    let mut store = Store::new(engine, ());
    if engine.config().tuning().consume_fuel {
        store.set_fuel(1 << 40).map_err(failed)?;
    }
    for _ in 0..CROWD / 100 {
        Instance::new(&mut store, &module, &[]).map_err(failed)?;
    }
    Ok(store)
}
