//! Giving money back, on both stores: `docs/MONEY.md`, Refunds.

mod harness;

mod refunds {
    mod answers;
    mod doubt;
    mod elsewhere;
    mod kit;
    mod late;
    mod operators;
    mod rest;
    mod second;
    mod sums;
}
