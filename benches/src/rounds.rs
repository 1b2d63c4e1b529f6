//! Interleaved rounds: every contender runs once per round, in alternating order.
//!
//! Invariant: A B, then B A, so that neither side always comes after the other, and a machine
//! that slows down during the run slows down both. Medians, never means: one disturbed run
//! moves nothing. All contenders must print the same.

use crate::Outcome;
use crate::child::{Cost, Invocation, run, run_answering, run_self_timed};
use crate::scratch::Scratch;

/// Who measures the time of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// We do, around the whole process.
    Outside,
    /// The program itself, around the part that counts.
    Inside,
    /// The guest, whose answer is what counts.
    Guest,
}

/// One side of a comparison.
#[derive(Debug)]
pub struct Contender {
    /// The name for messages.
    pub name: &'static str,
    /// What is run.
    pub invocation: Invocation,
    /// Who measures its time.
    pub clock: Clock,
}

impl Contender {
    /// A contender that is measured from outside.
    #[must_use]
    pub fn new(name: &'static str, invocation: Invocation) -> Self {
        Self { name, invocation, clock: Clock::Outside }
    }

    /// A contender that measures its own time.
    #[must_use]
    pub fn self_timed(name: &'static str, invocation: Invocation) -> Self {
        Self { name, invocation, clock: Clock::Inside }
    }

    /// A contender whose guest answers with a number of nanoseconds, which counts as wall time.
    #[must_use]
    pub fn answering(name: &'static str, invocation: Invocation) -> Self {
        Self { name, invocation, clock: Clock::Guest }
    }

    fn run(&self, scratch: &Scratch) -> Outcome<(Cost, Vec<u8>)> {
        match self.clock {
            Clock::Outside => run(&self.invocation, scratch),
            Clock::Inside => run_self_timed(&self.invocation, scratch),
            // Answers differ from run to run.
            Clock::Guest => run_answering(&self.invocation, scratch).map(|c| (c, Vec::new())),
        }
    }
}

/// What all rounds of one contender cost.
#[derive(Debug, Default)]
pub struct Series {
    costs: Vec<Cost>,
}

impl Series {
    /// The median of one figure.
    #[must_use]
    pub fn median(&self, figure: impl Fn(&Cost) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.costs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        let middle = figures.len() / 2;
        match figures.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => figures[middle],
            _ => (figures[middle - 1] + figures[middle]) / 2.0,
        }
    }
}

/// Runs all contenders `rounds` times, after one run of each that only warms up.
///
/// # Errors
/// When one fails or prints something else than the others.
pub fn interleave(
    row: &str,
    contenders: &[Contender],
    rounds: usize,
    scratch: &Scratch,
) -> Outcome<Vec<Series>> {
    let mut series: Vec<Series> = contenders.iter().map(|_| Series::default()).collect();
    let mut expected: Option<(&'static str, Vec<u8>)> = None;
    for round in 0..=rounds {
        for place in 0..contenders.len() {
            let index = if round % 2 == 1 { place } else { contenders.len() - 1 - place };
            let contender = &contenders[index];
            let (cost, output) =
                contender.run(scratch).map_err(|e| format!("{row}: {}: {e}", contender.name))?;
            match &expected {
                None => expected = Some((contender.name, output)),
                Some((other, wanted)) if *wanted != output => {
                    return Err(format!(
                        "{row}: {} printed {}, but {other} printed {}",
                        contender.name,
                        excerpt(&output),
                        excerpt(wanted)
                    ));
                }
                Some(_) => {}
            }
            if round > 0 {
                series[index].costs.push(cost);
            }
        }
    }
    Ok(series)
}

fn excerpt(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(&output[..output.len().min(120)]);
    format!("{:?} ({} bytes)", text.trim_end(), output.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &'static str, script: &str) -> Contender {
        Contender::new(name, Invocation::new("/bin/sh").args(["-c", script]))
    }

    #[test]
    fn a_contender_with_a_clock_of_its_own_is_believed() {
        let scratch = Scratch::new(None, "clock-test").unwrap();
        let script = "echo 1; echo 'something else' >&2; echo 'timed 12.5 34.25' >&2";
        let invocation = Invocation::new("/bin/sh").args(["-c", script]);
        let contenders = [Contender::self_timed("a", invocation)];
        let series = interleave("row", &contenders, 1, &scratch).unwrap();
        assert_eq!(series[0].median(|c| c.wall_ms), 12.5);
        assert_eq!(series[0].median(|c| c.cpu_ms), 34.25);
    }

    #[test]
    fn an_answering_contender_counts_by_its_answer() {
        let scratch = Scratch::new(None, "answer-test").unwrap();
        let answering = |script| {
            let invocation = Invocation::new("/bin/sh").args(["-c", script]);
            interleave("row", &[Contender::answering("a", invocation)], 1, &scratch)
        };
        assert_eq!(answering("echo 2500000").unwrap()[0].median(|c| c.wall_ms), 2.5);
        assert!(answering("echo soon").is_err());
    }

    #[test]
    fn a_contender_that_does_not_say_its_time_is_an_error() {
        let scratch = Scratch::new(None, "no-clock-test").unwrap();
        let invocation = Invocation::new("/bin/sh").args(["-c", "echo 1"]);
        let contenders = [Contender::self_timed("a", invocation)];
        assert!(interleave("row", &contenders, 1, &scratch).is_err());
    }

    #[test]
    fn different_outputs_are_an_error_that_names_the_row() {
        let scratch = Scratch::new(None, "rounds-test").unwrap();
        let contenders = [shell("a", "echo 1"), shell("b", "echo 2")];
        let message = interleave("some_row", &contenders, 1, &scratch).unwrap_err();
        assert!(message.starts_with("some_row: "), "{message}");
    }

    #[test]
    fn the_order_alternates_between_rounds() {
        let scratch = Scratch::new(None, "order-test").unwrap();
        let log = scratch.path("log");
        let write = |letter| format!("printf {letter} >> {}", log.display());
        let contenders = [shell("a", &write("a")), shell("b", &write("b"))];
        interleave("row", &contenders, 3, &scratch).unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "baabbaab");
    }

    #[test]
    fn one_disturbed_run_does_not_move_the_median() {
        let cost = |wall_ms| Cost { wall_ms, cpu_ms: 0.0, peak_mib: 0.0 };
        let series = Series { costs: vec![cost(10.0), cost(900.0), cost(11.0)] };
        assert_eq!(series.median(|c| c.wall_ms), 11.0);
    }
}
