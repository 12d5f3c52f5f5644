//! What people read while it runs: each step with its time, and a summary.

use std::error::Error;
use std::time::Instant;

/// The report so far.
pub(crate) struct Report {
    began: Instant,
    step: Instant,
    steps: usize,
    proofs: Vec<String>,
}

impl Report {
    /// Begins with a title.
    pub(crate) fn begin() -> Self {
        println!("Sealwire: the main job, end to end");
        let now = Instant::now();
        Self { began: now, step: now, steps: 0, proofs: Vec::new() }
    }

    /// Begins a step.
    pub(crate) fn step(&mut self, title: &str) {
        self.steps += 1;
        self.step = Instant::now();
        println!("\n{:>2}. {title}", self.steps);
    }

    /// Says what just happened, and how long into the step.
    pub(crate) fn line(&self, text: &str) {
        println!("    {:>6} ms  {text}", self.step.elapsed().as_millis());
    }

    /// Says it, and repeats it in the summary.
    pub(crate) fn proof(&mut self, text: &str) {
        self.line(text);
        self.proofs.push(text.to_owned());
    }

    /// The last words of a run in which everything went well.
    pub(crate) fn summary(&self) {
        println!(
            "\nShown in {} steps and {:.1} s:",
            self.steps,
            self.began.elapsed().as_secs_f32()
        );
        for proof in &self.proofs {
            println!("  ✓ {proof}");
        }
    }

    /// The last words of another run.
    pub(crate) fn failure(&self, error: &dyn Error) {
        eprintln!("\n  ✗ step {} failed: {error}", self.steps);
        let mut cause = error.source();
        while let Some(error) = cause {
            eprintln!("      because: {error}");
            cause = error.source();
        }
    }
}
