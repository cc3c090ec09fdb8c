//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::text::Zone;
use crate::theme::Colours;

const AFTER: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not logged in, 4 the gateway cannot be reached, \
    5 the gateway refused.";

/// The console of a ScanGate gateway; with a command, one answer for scripts
#[derive(Debug, Parser)]
#[command(name = "scangate-admin", version, after_help = AFTER)]
pub struct Args {
    #[command(flatten)]
    pub server: Server,
    /// Offer nothing that changes anything
    #[arg(long, global = true)]
    pub read_only: bool,
    /// Colours, by the terminal's background
    #[arg(long, value_enum, default_value_t = Colours::Dark)]
    pub theme: Colours,
    /// Tell times in this zone, such as UTC or +8; `z` changes to the other one
    #[arg(long, global = true, allow_hyphen_values = true)]
    pub zone: Option<Zone>,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub no_mouse: bool,
    /// At the end, write the last events and the last screen to this file
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct Server {
    /// The gateway's operators' listener
    #[arg(long, global = true, default_value = "http://127.0.0.1:8082")]
    pub url: String,
    /// Use address and operator of a running demo, from its demo.json
    #[arg(long, global = true, conflicts_with_all = ["url", "name", "password_file"])]
    pub demo: bool,
    /// The demo's folder
    #[arg(long, global = true, value_name = "FOLDER", default_value = "scangate-data")]
    pub data: PathBuf,
    /// Log in under this name
    #[arg(long, global = true)]
    pub name: Option<String>,
    /// File that holds the password
    #[arg(long, global = true, value_name = "FILE", requires = "name")]
    pub password_file: Option<PathBuf>,
    /// Where the token is kept; by default in the user's state folder
    #[arg(long, global = true, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// How the gateway fares, over an hour or a day
    Overview {
        /// Over 24 hours
        #[arg(long)]
        day: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Orders, newest first
    Orders {
        /// Such as 'status:unknown since:2h'
        #[arg(long, default_value = "")]
        filter: String,
        #[command(flatten)]
        output: Output,
    },
    /// One order with everything that happened to it
    Order {
        /// Any number of it, or its id
        number: String,
        #[command(flatten)]
        output: Output,
    },
    /// Deliveries, newest first
    Deliveries {
        /// Such as 'state:exhausted since:2h'
        #[arg(long, default_value = "")]
        filter: String,
        #[command(flatten)]
        output: Output,
    },
    /// Endpoints, and how events reach them
    Endpoints(Output),
    /// Replays, newest first
    Replays(Output),
    /// Count what would be delivered again; with --start, deliver it again
    Replay(ToReplay),
    /// Merchants
    Merchants {
        /// A part of a name or number
        #[arg(long, default_value = "")]
        filter: String,
        #[command(flatten)]
        output: Output,
    },
    /// A new sign key for a merchant, into a file that is its owner's alone; for admins
    Rotate(ToRotate),
    /// What came with an entry of an order's timeline, which is noted
    Entry {
        /// Any number of the order, or its id
        number: String,
        /// The entry's id, as `order` tells it
        id: String,
        /// As it came, byte for byte, instead of indented
        #[arg(long, conflicts_with = "json")]
        exact: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// What waits for a person, oldest first
    Attention(Output),
    /// Say that a matter has been seen to
    End {
        /// The matter's id
        id: String,
        #[arg(long)]
        reason: String,
    },
    /// One held fact: what was asked beside what came
    Fact {
        /// The fact's id
        id: String,
        #[command(flatten)]
        output: Output,
    },
    /// The platforms in scope
    Platforms(Output),
    /// The operators, for admins
    Operators(Output),
    /// What operators and commands changed, newest first, for admins
    Audit(Output),
    /// How the gateway is
    Health(Output),
}

/// One of them.
#[derive(Debug, Clone, ClapArgs)]
#[group(required = true, multiple = false)]
pub struct WhatToReplay {
    /// These deliveries, by their ids
    #[arg(long, value_name = "ID")]
    pub delivery: Vec<String>,
    /// All deliveries of the order of this number
    #[arg(long, value_name = "NUMBER")]
    pub order: Option<String>,
    /// What this lets through, such as 'state:exhausted since:2h'; acknowledged ones are passed over
    #[arg(long)]
    pub filter: Option<String>,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct ToReplay {
    #[command(flatten)]
    pub what: WhatToReplay,
    #[arg(long)]
    pub reason: String,
    /// Deliveries a second at most
    #[arg(long)]
    pub rate: Option<u32>,
    /// Start it if it is exactly so many
    #[arg(long, value_name = "COUNT")]
    pub start: Option<i64>,
    /// Started, say how far it is every two seconds until it has ended
    #[arg(long, requires = "start")]
    pub watch: bool,
    /// As JSON: a line each time
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, ClapArgs)]
pub struct ToRotate {
    /// The merchant's partner number, or its id
    pub merchant: String,
    #[arg(long)]
    pub reason: String,
    /// How long the version before is good still
    #[arg(long, value_name = "HOURS", default_value_t = 168, value_parser = clap::value_parser!(u32).range(0..=2_160))]
    pub overlap: u32,
    /// A version of an earlier rotation that is good still may end at once
    #[arg(long)]
    pub end_earlier: bool,
    /// A new file for the key; by default beside the token
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct Output {
    /// As JSON: a line for each row
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// As CSV
    #[arg(long)]
    pub csv: bool,
    /// Again every two seconds, until it is stopped
    #[arg(long)]
    pub watch: bool,
    /// Rows at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Csv,
}

impl Output {
    pub fn format(self) -> Format {
        match (self.json, self.csv) {
            (true, _) => Format::Json,
            (_, true) => Format::Csv,
            _ => Format::Text,
        }
    }
}
