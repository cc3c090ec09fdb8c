//! The terminal, taken and given back: at the end, on an error, on a panic, on a signal, and around a suspension.

use std::fmt;
use std::io::{self, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{Command, cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

pub type Screen = Terminal<CrosstermBackend<Stdout>>;

/// Whether the terminal is ours. The panic hook has to know, too.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Clicks and the wheel, in coordinates without a limit; not motion, which is an event per cell and dear over SSH.
struct Mouse(bool);

impl Command for Mouse {
    fn write_ansi(&self, f: &mut impl fmt::Write) -> fmt::Result {
        f.write_str(if self.0 { "\x1b[?1000h\x1b[?1006h" } else { "\x1b[?1006l\x1b[?1000l" })
    }
}

/// Given back when it goes.
pub struct Taken {
    pub screen: Screen,
    has_mouse: bool,
}

impl Taken {
    pub fn take(has_mouse: bool) -> io::Result<Self> {
        Ok(Self { screen: enter(has_mouse)?, has_mouse })
    }

    /// Stop as Ctrl-Z stops a program, and take the terminal again when the shell has brought us back.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore();
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        self.screen = enter(self.has_mouse)?;
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        restore();
    }
}

fn enter(has_mouse: bool) -> io::Result<Screen> {
    IS_TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide, Clear(ClearType::All))?;
    if has_mouse {
        execute!(io::stdout(), Mouse(true))?;
    }
    // A new one knows nothing of what was on the screen; asking the terminal to clear would wait for its answer.
    Terminal::new(CrosstermBackend::new(io::stdout()))
}

/// As it was. Does nothing the second time.
pub fn restore() {
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // Whoever has closed the terminal cannot be given it back.
    let _ = execute!(io::stdout(), Mouse(false), DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
    let _ = io::stdout().flush();
}

/// A panic is told on the terminal as it was.
pub fn restore_on_panic(first: impl Fn() + Send + Sync + 'static) {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        first();
        usual(panic);
    }));
}
