//! What many live instances of one process cost: resident memory, page tables and mappings.
//!
//! Invariant: each figure is that of a process of its own, so that nothing of another engine, or
//! of a try before, is in it.

use std::process::Command;

use selkie_benches::Outcome;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::guests::{ARGUMENT, Guest, small};
use crate::instances::{Maker, ours, wasmi, wasmtime as peer};

/// An engine as it is configured for many live instances.
pub struct Housing {
    /// What it is called in tables, and by the parent to the child.
    pub name: &'static str,
    /// How many instances are tried.
    pub counts: &'static [usize],
    fill: fn(&Guest, usize) -> Outcome<Filled>,
}

/// All that are tried.
pub const HOUSINGS: &[Housing] = &[
    Housing {
        name: "selkie",
        counts: &[10_000, 100_000],
        fill: |guest, count| fill(&ours::Maker::new(guest)?, count),
    },
    Housing {
        name: "wasmtime on demand",
        counts: &[10_000],
        fill: |guest, count| fill(&peer::Maker::new(guest, &Config::new())?, count),
    },
    Housing {
        name: "wasmtime on demand, 64 KiB",
        counts: &[10_000, 100_000],
        fill: |guest, count| fill(&peer::Maker::new(guest, &on_demand(64 << 10))?, count),
    },
    Housing {
        name: "wasmtime pool",
        counts: &[10_000],
        fill: |guest, count| fill(&peer::Maker::new(guest, &pool(count, 4 << 30, true))?, count),
    },
    Housing {
        name: "wasmtime pool, copies data",
        counts: &[10_000],
        fill: |guest, count| fill(&peer::Maker::new(guest, &pool(count, 4 << 30, false))?, count),
    },
    Housing {
        name: "wasmtime pool, slots of 64 KiB",
        counts: &[10_000, 100_000],
        fill: |guest, count| fill(&peer::Maker::new(guest, &pool(count, 64 << 10, false))?, count),
    },
    Housing {
        name: "wasmi",
        counts: &[10_000, 100_000],
        fill: |guest, count| fill(&wasmi::Maker::new(guest)?, count),
    },
];

/// Memories that are mapped when they are made, with so much room to grow in place.
fn on_demand(reservation_bytes: u64) -> Config {
    let mut config = Config::new();
    config.memory_init_cow(false).memory_reservation(reservation_bytes);
    config.memory_guard_size(0).memory_reservation_for_growth(0);
    config
}

/// A pool for so many small instances. With slots of 64 KiB without guards, accesses to memory are
/// checked, and neighbouring slots are one mapping.
fn pool(count: usize, slot_bytes: u64, maps_images: bool) -> Config {
    let slots = u32::try_from(count).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(slots).total_memories(slots).total_tables(slots);
    pool.max_memory_size(64 << 10).table_elements(16).max_core_instance_size(16 << 10);
    pool.linear_memory_keep_resident(64 << 10).table_keep_resident(64 << 10);
    pool.pagemap_scan(Enabled::No);
    let mut config = Config::new();
    config.memory_init_cow(maps_images).memory_reservation(slot_bytes);
    if slot_bytes < 4 << 30 {
        config.memory_guard_size(0);
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// What a process with many live instances has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filled {
    /// Instances that could be made.
    pub live: u64,
    /// Bytes of resident memory that they added (`VmRSS`).
    pub resident: u64,
    /// The same, pages that are mapped many times counted once (`Pss`).
    pub proportional: u64,
    /// Bytes of page tables that they added (`VmPTE`).
    pub page_tables: u64,
    /// Mappings that they added.
    pub mappings: u64,
    /// Why no more could be made; empty when all could.
    pub stopped: String,
}

impl Filled {
    /// Bytes of one instance, with its share of the page tables.
    #[must_use]
    pub fn bytes_each(&self) -> f64 {
        (self.proportional + self.page_tables) as f64 / self.live as f64
    }

    fn to_line(&self) -> String {
        let Filled { live, resident, proportional, page_tables, mappings, stopped } = self;
        format!("{live} {resident} {proportional} {page_tables} {mappings} {stopped}")
    }

    fn from_line(line: &str) -> Option<Filled> {
        let mut parts = line.trim_end().splitn(6, ' ');
        let mut number = || parts.next()?.parse().ok();
        let [live, resident, proportional, page_tables, mappings] =
            [number()?, number()?, number()?, number()?, number()?];
        let stopped = parts.next().unwrap_or_default().to_owned();
        Some(Filled { live, resident, proportional, page_tables, mappings, stopped })
    }
}

/// The argument that makes this program a child.
const CHILD: &str = "--child";

/// Does a child's work, if this process is one: prints its figures.
#[must_use]
pub fn is_child() -> bool {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(CHILD) {
        return false;
    }
    let (name, count) = (arguments.next().unwrap_or_default(), arguments.next());
    let count = count.and_then(|count| count.parse().ok()).unwrap_or(0);
    let filled = HOUSINGS
        .iter()
        .find(|housing| housing.name == name)
        .ok_or_else(|| format!("no {name}"))
        .and_then(|housing| (housing.fill)(&small()?, count));
    match filled {
        Ok(filled) => println!("{}", filled.to_line()),
        Err(error) => println!("{}", Filled { stopped: error, ..Filled::default() }.to_line()),
    }
    true
}

/// Fills a process of its own.
///
/// # Errors
/// When it cannot be started, or dies.
pub fn measure(housing: &Housing, count: usize) -> Outcome<Filled> {
    let program = std::env::current_exe().map_err(|e| format!("where is this program: {e}"))?;
    let output = Command::new(program)
        .args([CHILD, housing.name, &count.to_string()])
        .output()
        .map_err(|e| format!("cannot start a process: {e}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    Filled::from_line(&said).ok_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.trim_end().lines().last().unwrap_or_default().to_owned();
        format!("{} instances: the process ended with {}: {last}", count, output.status)
    })
}

fn fill<M: Maker>(maker: &M, count: usize) -> Outcome<Filled> {
    let run = maker.export("run")?;
    let mut instances = Vec::with_capacity(count);
    let mut stopped = String::new();
    let before = Usage::now()?;
    for i in 0..count {
        let live = maker.instantiate(i as u64).and_then(|mut live| {
            maker.call(&mut live, &run, ARGUMENT)?;
            Ok(live)
        });
        match live {
            Ok(live) => instances.push(live),
            Err(error) => {
                stopped = error.replace('\n', " ");
                break;
            }
        }
    }
    let live = instances.len() as u64;
    if !stopped.is_empty() {
        // Where there is no room left, there is none for looking either.
        instances.truncate(instances.len() - instances.len() / 50);
    }
    let share = live as f64 / instances.len().max(1) as f64;
    let after = Usage::now()?;
    let added = |figure: fn(&Usage) -> u64| {
        (figure(&after).saturating_sub(figure(&before)) as f64 * share) as u64
    };
    let filled = Filled {
        live,
        resident: added(|usage| usage.resident),
        proportional: added(|usage| usage.proportional),
        page_tables: added(|usage| usage.page_tables),
        mappings: added(|usage| usage.mappings),
        stopped,
    };
    // Taking them down one after the other is not what is measured, and the process ends.
    std::mem::forget(instances);
    Ok(filled)
}

struct Usage {
    resident: u64,
    proportional: u64,
    page_tables: u64,
    mappings: u64,
}

impl Usage {
    fn now() -> Outcome<Usage> {
        let read = |file: &str| {
            let path = format!("/proc/self/{file}");
            std::fs::read_to_string(&path).map_err(|e| format!("cannot read {path}: {e}"))
        };
        let (status, rollup) = (read("status")?, read("smaps_rollup")?);
        Ok(Usage {
            resident: bytes(&status, "VmRSS:")?,
            proportional: bytes(&rollup, "Pss:")?,
            page_tables: bytes(&status, "VmPTE:")?,
            mappings: read("maps")?.lines().count() as u64,
        })
    }
}

/// The figure of a line `NAME: 123 kB`.
fn bytes(text: &str, name: &str) -> Outcome<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .map(|kibibytes| kibibytes * 1024)
        .ok_or_else(|| format!("the system does not say {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_all_that_it_was_made_from() {
        let filled = Filled {
            live: 3,
            resident: 4,
            proportional: 5,
            page_tables: 6,
            mappings: 7,
            stopped: "no more room".to_owned(),
        };
        assert_eq!(Filled::from_line(&filled.to_line()), Some(filled));
        let all = Filled { live: 1, ..Filled::default() };
        assert_eq!(Filled::from_line(&all.to_line()), Some(all));
    }
}
