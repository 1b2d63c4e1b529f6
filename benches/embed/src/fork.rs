//! Requests to a CPython that has imported its libraries: what `fork` measures.
//!
//! A request is a text that runs in an instance of its own, which ends with it. It is timed from
//! when it is there, with nothing made for it: a store, what the guest is given, an instance, the
//! text in its memory, the call. The guest's first act is to ask for the time, which its host notes:
//! bytecode has been running before that.
//!
//! Invariant: what every request prints is compared with what it must print, and each looks for what
//! the ones before it left.

pub mod cpython;
pub mod ours;
pub mod wasmtime;

use std::cell::Cell;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use selkie_benches::Outcome;

use crate::cores;

thread_local! {
    /// When the guest of this thread asked for the time first.
    static ASKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A guest asks for the time; the answer is in nanoseconds.
pub(crate) fn time_for_guest() -> u64 {
    if ASKED.get().is_none() {
        ASKED.set(Some(Instant::now()));
    }
    // Its own sense of time is of no use to these programs.
    1
}

/// What runs and what it must print.
pub struct Request {
    /// The row's name.
    pub name: &'static str,
    /// Python.
    pub text: &'static str,
    /// Its output.
    pub prints: &'static str,
}

/// All requests. Each leaves a mark, and prints it if it is there already.
pub const REQUESTS: &[Request] = &[
    Request {
        name: "print",
        text: "print(globals().get('mark', 1)); mark = 'seen'",
        prints: "1\n",
    },
    Request {
        name: "json and re",
        text: "print(json.loads('[1,2,3]')[2] + len(re.findall('a', 'banana')), \
               json.dumps({'mark': sys.__dict__.get('mark')})); sys.mark = 'seen'",
        prints: "6 {\"mark\": null}\n",
    },
    Request {
        name: "a class and a sort",
        text: "class Pair:\n  def __init__(self, a): self.a = a\n\
               pairs = sorted((Pair(i * 7919 % 1000) for i in range(1000)), key=lambda p: p.a)\n\
               print(sum(p.a * i for i, p in enumerate(pairs)), hasattr(json, 'mark'))\n\
               json.mark = pairs",
        prints: "332833500 False\n",
    },
];

/// How long after a request was there something happened.
#[derive(Debug, Clone, Copy)]
pub struct Served {
    /// The guest called its host for the first time.
    pub first: Duration,
    /// Its output was there.
    pub end: Duration,
    /// Its instance and its store were gone.
    pub gone: Duration,
}

/// Who serves requests.
pub trait Server: Send + Sync {
    /// Runs a text in an instance of its own; what it printed comes last.
    ///
    /// # Errors
    /// When it does not run to its end.
    fn serve(&self, text: &str) -> Outcome<(Served, Vec<u8>)>;
}

/// Measures one request; `begin` is told when the clock runs, and the answer says when each thing
/// happened.
pub(crate) fn timed<L>(
    begin: impl FnOnce() -> Outcome<(L, Vec<u8>)>,
) -> Outcome<(Served, Vec<u8>)> {
    ASKED.set(None);
    let start = Instant::now();
    let (live, output) = begin()?;
    let end = start.elapsed();
    drop(live);
    let gone = start.elapsed();
    let asked = ASKED.get().ok_or("the guest never asked for the time")?;
    Ok((Served { first: asked - start, end, gone }, output))
}

/// Serves a request `count` times on each of the processors at once.
///
/// # Errors
/// The first failure, or wrong output.
pub fn serve(
    server: &dyn Server,
    request: &Request,
    count: usize,
    pinned_to: &[usize],
) -> Outcome<Vec<Served>> {
    let start = &Barrier::new(pinned_to.len());
    std::thread::scope(|scope| {
        let threads: Vec<_> = pinned_to
            .iter()
            .map(|&core| scope.spawn(move || one_thread(server, request, count, core, start)))
            .collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(all)
    })
}

fn one_thread(
    server: &dyn Server,
    request: &Request,
    count: usize,
    core: usize,
    start: &Barrier,
) -> Outcome<Vec<Served>> {
    let pinned = cores::pin(core);
    start.wait();
    pinned?;
    (0..count)
        .map(|_| {
            let (served, output) = server.serve(request.text)?;
            if output != request.prints.as_bytes() {
                let output = String::from_utf8_lossy(&output);
                return Err(format!("it prints {output:?} instead of {:?}", request.prints));
            }
            Ok(served)
        })
        .collect()
}

/// Microseconds that this part of the requests did not exceed.
#[must_use]
pub fn quantile(served: &[Served], part: f64, figure: fn(&Served) -> Duration) -> f64 {
    let mut all: Vec<Duration> = served.iter().map(figure).collect();
    all.sort_unstable();
    let place = (all.len() as f64 * part) as usize;
    all.get(place.min(all.len().saturating_sub(1))).map_or(f64::NAN, |d| d.as_secs_f64() * 1e6)
}
