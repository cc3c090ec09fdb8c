//! Deliveries made again: previews, their pace, pauses and ends; lists of deliveries; and recovering.

mod harness;

#[path = "endpoints/kit.rs"]
mod kit;

mod replay {
    mod jobs;
    mod lists;
    mod whose;
}
