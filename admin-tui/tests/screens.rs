//! The console without a terminal: screens as they are drawn, and what events do to the state.

#[path = "screens/drawn.rs"]
mod drawn;
#[path = "screens/entries.rs"]
mod entries;
#[path = "screens/habits.rs"]
mod habits;
#[path = "screens/kit.rs"]
mod kit;
#[path = "screens/rotation.rs"]
mod rotation;
#[path = "screens/stream.rs"]
mod stream;
#[path = "screens/told.rs"]
mod told;
#[path = "screens/traffic.rs"]
mod traffic;
