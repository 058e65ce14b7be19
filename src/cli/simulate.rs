//! `partita simulate`: run the simulator from a seed.

use std::io::Write;

use clap::Args;

use super::exit::{Exit, Failure};
use crate::sim::world::{SimulationOptions, current_seed, simulate_many};

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The first seed.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Seeds to run from there on.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seeds: u64,
    /// Requests that the clients of one seed send.
    #[arg(long, value_name = "N", default_value_t = SimulationOptions::default().steps)]
    pub steps: u32,
    /// Threads to run seeds on [default: one for each core].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Go on after a seed that fails.
    #[arg(long)]
    pub keep_going: bool,
    /// Print a line for each seed; with a single seed, everything that happens.
    #[arg(short, long)]
    pub verbose: bool,
}

/// Runs the command.
pub(crate) fn run(args: &SimulateArgs, out: &mut dyn Write) -> Result<Exit, Failure> {
    name_the_seed_of_a_panic();
    let trace = args.verbose && args.seeds == 1;
    let options = SimulationOptions { steps: args.steps, trace };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let seeds = args.seed..args.seed.saturating_add(args.seeds);
    let many = simulate_many(seeds, options, args.threads.unwrap_or(cores), args.keep_going);
    if args.verbose {
        for seed in &many.passed {
            writeln!(out, "seed {seed}: passed")?;
        }
    }
    for failure in &many.failures {
        for line in &failure.trace {
            writeln!(out, "{line}")?;
        }
        writeln!(out, "{failure}")?;
        writeln!(
            out,
            "  again: partita simulate --seed {} --steps {} -v",
            failure.seed, args.steps
        )?;
    }
    write!(out, "{}", many.report)?;
    let (passed, failed) = (many.passed.len(), many.failures.len());
    writeln!(out, "{} seeds, {failed} failed", passed + failed)?;
    Ok(if failed == 0 { Exit::Ok } else { Exit::Failed })
}

/// Where a panic ends the process at once, this is the only place that can say which seed it was.
fn name_the_seed_of_a_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        super::say(&format!("seed {} panics", current_seed()));
        before(panic);
    }));
}
