//! The log: where it goes, in which form, and what is in it. Set up once, by `main`.

use std::io::{self, IsTerminal};
use std::panic;

use tracing::level_filters::LevelFilter;
use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Log, LogFormat};

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("log.level {0}")]
    Level(String),
    #[error("the log is set up already")]
    Twice(#[from] SetGlobalDefaultError),
}

/// Sends the log to standard error from now on, panics included. Standard output stays free for what commands print.
pub fn start(log: &Log) -> Result<(), TelemetryError> {
    let subscriber = subscriber(log, io::stderr, io::stderr().is_terminal())?;
    tracing::dispatcher::set_global_default(subscriber)?;
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let text = panic.payload_as_str().unwrap_or("not a text");
        tracing::error!(place, text, "panic");
    }));
    Ok(())
}

fn subscriber<W>(log: &Log, writer: W, coloured: bool) -> Result<tracing::Dispatch, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter(&log.level).map_err(TelemetryError::Level)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(coloured);
    Ok(match log.format {
        LogFormat::Text => lines.compact().finish().into(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).finish().into(),
    })
}

/// Reads a level or directives; an error says what is wrong with the text.
pub fn filter(text: &str) -> Result<EnvFilter, String> {
    // To tracing a bare word that is no level is a module at its most talkative, and an empty text is 'errors only'.
    for part in text.split(',').map(str::trim) {
        let is_level = !part.is_empty() && part.parse::<LevelFilter>().is_ok();
        if !is_level && !part.contains(['=', '[']) {
            return Err(format!("holds \"{part}\", which is not a level"));
        }
    }
    EnvFilter::builder().parse(text).map_err(|error| format!("is not understood: {error}"))
}

/// The log of one test, on its own thread.
#[cfg(test)]
pub mod capture {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::DefaultGuard;

    use crate::config::{Log, LogFormat};

    #[derive(Clone, Default)]
    pub struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        /// Captures until the guard is dropped.
        pub fn start(format: LogFormat, level: &str) -> (Self, DefaultGuard) {
            let captured = Self::default();
            let sink = captured.clone();
            let log = Log { format, level: level.to_owned() };
            let subscriber =
                super::subscriber(&log, move || sink.clone(), false).expect("the level is right");
            (captured, tracing::dispatcher::set_default(&subscriber))
        }

        pub fn text(&self) -> String {
            let bytes = self.0.lock().expect("no writer panics").clone();
            String::from_utf8(bytes).expect("log lines are text")
        }

        /// The lines of a JSON log.
        pub fn lines(&self) -> Vec<serde_json::Value> {
            self.text().lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
        }
    }

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::capture::Captured;
    use super::*;

    #[test]
    fn a_json_line_is_one_object_with_its_fields_at_the_top() {
        let (log, _guard) = Captured::start(LogFormat::Json, "info");
        let _request = tracing::info_span!("request", id = "01J").entered();
        tracing::info!(status = 200, "answered");
        let line = log.lines().remove(0);
        assert_eq!((&line["status"], &line["message"]), (&200.into(), &"answered".into()));
        assert_eq!(line["span"]["id"], "01J");
    }

    #[test]
    fn what_is_below_the_level_is_left_out_and_modules_can_differ() {
        let (log, _guard) = Captured::start(LogFormat::Text, "info,loud=debug");
        tracing::info!("heard");
        tracing::debug!("missed");
        tracing::debug!(target: "loud", "heard too");
        let text = log.text();
        assert!(text.contains("heard") && text.contains("heard too") && !text.contains("missed"), "{text}");
    }

    #[test]
    fn a_word_that_is_not_a_level_is_refused_instead_of_taken_for_a_module() {
        assert_eq!(filter("inof").expect_err("a typing mistake"), "holds \"inof\", which is not a level");
        assert!(filter("").is_err() && filter("info,").is_err() && filter("gateway=loud").is_err());
        assert!(filter("info").is_ok() && filter("WARN,gateway::deliveries=debug").is_ok());
    }
}
