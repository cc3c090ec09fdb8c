//! What comes from outside this process: time and environment. The one place that reads them.

use std::path::PathBuf;

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the console's clock; everything else is told the time"
)]
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A variable that is set to something.
#[expect(clippy::disallowed_methods, reason = "the console has no settings but its command line and these")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether colours are unwanted: `NO_COLOR`.
pub fn no_colour() -> bool {
    variable("NO_COLOR").is_some()
}

/// The user's folder for what programs keep between runs. Absent: the user has no home.
pub fn state_folder() -> Option<PathBuf> {
    let state = variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")));
    Some(state?.join("scangate-admin"))
}
