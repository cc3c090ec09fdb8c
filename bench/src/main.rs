//! Load generator and comparisons: what the gateway does per second and per CPU second, next to what a plain
//! reverse proxy does on the same machine in the same run. How to read the result: `README.md`.

mod call;
mod cast;
mod compare;
mod console;
mod fanout;
mod http1;
mod load;
mod order;
mod process;
mod replay;
mod report;
mod servers;
mod stored;
mod stub;
mod tally;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(name = "bench", about = "Load generator and comparisons for ScanGate", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Orders per second through the gateway and, interleaved, through nginx to the same upstream
    Orders(compare::OrdersArgs),
    /// The latency the gateway adds to its upstream's own, at a fixed rate
    Latency(compare::LatencyArgs),
    /// Deliveries per second from notices in at the callback to events out at the shops
    Fanout(fanout::FanoutArgs),
    /// A replay of everything, paused, killed, resumed and cancelled, while fresh events go by
    Replay(replay::ReplayArgs),
    /// What a million stored orders cost: a restart, its memory, and the pages of a console
    Stored(stored::StoredArgs),
    /// A console in a terminal while everything changes: its drawings, its keys, its memory
    Console(console::ConsoleArgs),
    /// The upstream both are measured against, alone: answers every order with a signed success
    Stub {
        /// Port 0 takes a free one; the address taken is the first line printed
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
}

/// One thread: the machine's cores belong to the servers that are measured.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Box::pin(run(CommandLine::parse().command)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    let work = async {
        match command {
            Command::Orders(args) => compare::orders(args).await,
            Command::Latency(args) => compare::latency(args).await,
            Command::Fanout(args) => fanout::fanout(args).await,
            Command::Replay(args) => replay::replay(args).await,
            Command::Stored(args) => stored::stored(args).await,
            Command::Console(args) => console::console(args).await,
            Command::Stub { listen } => stub::serve(listen).await,
        }
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let tasks = tokio::task::LocalSet::new();
    // What is dropped here ends the servers it started.
    tokio::select! {
        done = tasks.run_until(work) => done,
        interrupted = tokio::signal::ctrl_c() => { interrupted?; anyhow::bail!("interrupted") }
        _ = terminate.recv() => anyhow::bail!("terminated"),
    }
}

#[expect(clippy::disallowed_methods, reason = "orders carry the real time, which the gateway checks")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
