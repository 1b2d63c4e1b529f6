//! A progress bar on the terminal, for compiling that takes longer than a second.
//!
//! Any number of threads may report. Where standard error is no terminal, nothing is drawn.

use indicatif::{ProgressBar, ProgressStyle};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(1);
const TEMPLATE: &str = "compiling [{bar:32}] {pos}/{len} functions";

/// A bar that appears when compiling takes long, and leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Progress {
    started: Instant,
    bar: OnceLock<ProgressBar>,
}

impl Progress {
    pub(crate) fn start() -> Progress {
        Progress { started: Instant::now(), bar: OnceLock::new() }
    }

    /// Tells how many of all functions are compiled.
    pub(crate) fn report(&self, done: usize, all: usize) {
        if self.started.elapsed() >= PATIENCE {
            let bar = self.bar.get_or_init(|| ProgressBar::new(all as u64).with_style(style()));
            bar.set_position(done as u64);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template(TEMPLATE);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("## ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_of_the_bar_can_be_read() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
    }
}
