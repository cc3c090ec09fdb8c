//! Who may do how much: tiers, budgets, what callers are told, and several nodes that count together.

mod harness;

mod limits {
    mod budget;
    mod kit;
    mod lost;
    mod nodes;
    mod own;
    mod rest;
    mod server;
    mod set;
    mod strangers;
    mod tiers;
    mod together;
}
