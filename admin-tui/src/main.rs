//! `scangate-admin`: the full-screen console, or, with a command, one answer for a script.

use std::io::IsTerminal;
use std::process::ExitCode;

use admin_tui::args::Args;
use admin_tui::{plain, run};
use clap::Parser;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("the system lets us have two threads");
    let ended = if args.command.is_some() {
        runtime.block_on(plain::run(&args))
    } else if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        Err(plain::Ended::usage(
            "the full-screen console needs a terminal; for scripts: scangate-admin attention --json, \
             see scangate-admin --help",
        ))
    } else {
        runtime.block_on(run::run(&args)).map_err(|error| plain::Ended::failed(&error))
    };
    // A request that hangs must not keep the program.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(ended) if ended.code == 0 => ExitCode::SUCCESS,
        Err(ended) => {
            eprintln!("scangate-admin: {}", ended.said);
            ExitCode::from(ended.code)
        }
    }
}
