//! What the console asks the operators' API for: orders found and seen whole, changes listened to, deliveries made again,
//! merchants, and how the gateway is doing.

mod harness;

#[path = "endpoints/kit.rs"]
mod kit;
#[path = "access/operating.rs"]
mod operating;

mod console {
    mod live;
    mod orders;
    mod others;
}
