//! A progress bar on the terminal, for compiling that takes longer than a second.
//!
//! Any number of threads may report; the first to come after a tenth of a second draws.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(1);
const REDRAW_MS: u64 = 100;
const WIDTH: usize = 32;

/// A bar that appears when compiling takes long, where standard error is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    /// Milliseconds from the start to the last drawing; 0 when nothing was drawn.
    drawn_ms: AtomicU64,
    is_terminal: bool,
}

impl Progress {
    pub(crate) fn start() -> Progress {
        Progress {
            started: Instant::now(),
            drawn_ms: AtomicU64::new(0),
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Tells how many of all functions are compiled.
    pub(crate) fn report(&self, done: usize, all: usize) {
        let elapsed = self.started.elapsed();
        if !self.is_terminal || elapsed < PATIENCE {
            return;
        }
        let now_ms = elapsed.as_millis() as u64;
        let drawn_ms = self.drawn_ms.load(Ordering::Relaxed);
        let is_due = now_ms >= drawn_ms + REDRAW_MS;
        let order = Ordering::Relaxed;
        if is_due && self.drawn_ms.compare_exchange(drawn_ms, now_ms, order, order).is_ok() {
            draw(&format!("\r{}", bar(done, all)));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if *self.drawn_ms.get_mut() > 0 {
            draw("\r\x1b[K");
        }
    }
}

fn draw(text: &str) {
    let mut terminal = std::io::stderr().lock();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}

fn bar(done: usize, all: usize) -> String {
    let all = all.max(1);
    let filled = (done.min(all) * WIDTH) / all;
    format!("compiling [{:<WIDTH$}] {done}/{all} functions", "#".repeat(filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_as_full_as_the_work_is_done() {
        assert!(bar(1, 2).contains(&format!("[{}{}]", "#".repeat(16), " ".repeat(16))));
        assert!(bar(0, 0).contains("0/1"));
    }
}
