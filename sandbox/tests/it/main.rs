//! The sandbox over real sockets: what a partner, a payer's browser and a script see of it.

mod amounts;
mod client;
mod control_calls;
mod faulty;
mod kept;
mod notices;
mod operations;
mod pages;
mod products;
mod refunds;
mod shops;
