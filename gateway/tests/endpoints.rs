//! Registered endpoints: how they are made, proven and changed, and what is sent to them.

mod harness;

mod endpoints {
    mod ends;
    mod kit;
    mod manage;
    mod secrets;
    mod sending;
}
