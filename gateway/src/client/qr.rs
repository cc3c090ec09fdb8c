//! A QR code in a terminal. Two modules share a character cell; both colours are set, because a code drawn in
//! the terminal's own colours is inverted on a light background and phones then do not read it.

use std::io::{self, IsTerminal};

use qrcode::types::{Color, QrError};
use qrcode::{EcLevel, QrCode};

/// The light border a reader needs, in modules.
const QUIET: usize = 4;
/// Light is white 231, dark is black 16: the two entries of the 256-colour table that themes leave alone.
const COLOURS: &str = "\x1b[38;5;231;48;5;16m";
const RESET: &str = "\x1b[0m";

/// The size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Screen {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Screen {
    /// The terminal that stdout is, if it is one.
    pub(super) fn of_stdout() -> Option<Self> {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return None;
        }
        let size = rustix::termios::tcgetwinsize(&stdout).ok()?;
        (size.ws_col > 0 && size.ws_row > 0)
            .then(|| Self { columns: usize::from(size.ws_col), rows: usize::from(size.ws_row) })
    }

    /// Whether all of a code can be seen at once, with a line left for the prompt.
    fn holds(self, picture: &Picture) -> bool {
        picture.columns <= self.columns && picture.lines.len() < self.rows
    }
}

/// A code ready to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) columns: usize,
    pub(super) lines: Vec<String>,
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoPicture {
    #[error("the text is too long for a QR code")]
    TooLong,
    #[error("the QR code needs {columns} columns and {rows} rows; the terminal has {} and {}", screen.columns, screen.rows)]
    TooLarge { columns: usize, rows: usize, screen: Screen },
}

/// The code for `text` that fits the screen; level M, and L (less redundant and smaller) where M does not fit.
pub(super) fn picture(text: &str, screen: Screen) -> Result<Picture, NoPicture> {
    let mut smallest = None;
    for level in [EcLevel::M, EcLevel::L] {
        let picture = match draw(text, level) {
            Ok(picture) => picture,
            Err(QrError::DataTooLong) if level == EcLevel::M => continue,
            Err(_) => return Err(NoPicture::TooLong),
        };
        if screen.holds(&picture) {
            return Ok(picture);
        }
        smallest = Some(picture);
    }
    let needed = smallest.ok_or(NoPicture::TooLong)?;
    Err(NoPicture::TooLarge { columns: needed.columns, rows: needed.lines.len() + 1, screen })
}

fn draw(text: &str, level: EcLevel) -> Result<Picture, QrError> {
    let code = QrCode::with_error_correction_level(text, level)?;
    let side = code.width();
    let modules = code.to_colors();
    let columns = side + 2 * QUIET;
    let light = |x: usize, y: usize| {
        let inside = (QUIET..QUIET + side).contains(&x) && (QUIET..QUIET + side).contains(&y);
        !inside || modules[(y - QUIET) * side + (x - QUIET)] == Color::Light
    };
    let lines = (0..columns)
        .step_by(2)
        .map(|y| {
            let cells = (0..columns).map(|x| match (light(x, y), light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
            format!("{COLOURS}{}{RESET}", cells.collect::<String>())
        })
        .collect();
    Ok(Picture { columns, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Screen = Screen { columns: 500, rows: 500 };

    fn address(length: usize) -> String {
        let start = "https://pay.scanforpay.com/api/online/pay/";
        format!("{start}{}", "5a421395def7ffdsa610f2".repeat(10))[..length].to_owned()
    }

    fn size(picture: &Picture) -> (usize, usize) {
        (picture.columns, picture.lines.len())
    }

    #[test]
    fn an_address_of_60_characters_takes_41_columns_and_21_lines() {
        let picture = picture(&address(60), WIDE).expect("it fits");
        assert_eq!(size(&picture), (41, 21));
        for line in &picture.lines {
            let cells = line.strip_prefix(COLOURS).and_then(|line| line.strip_suffix(RESET));
            assert_eq!(cells.expect("both colours are set on every line").chars().count(), 41);
        }
    }

    #[test]
    fn an_address_of_200_characters_falls_back_to_the_smaller_level_where_the_larger_does_not_fit() {
        let roomy = picture(&address(200), WIDE).expect("it fits");
        let tight = picture(&address(200), Screen { columns: 61, rows: 32 }).expect("it fits");
        assert_eq!(size(&tight), (61, 31));
        assert!(roomy.columns > tight.columns);
    }

    #[test]
    fn a_code_that_would_wrap_or_scroll_is_not_drawn() {
        let needed = |screen| picture(&address(200), screen);
        for screen in [Screen { columns: 60, rows: 99 }, Screen { columns: 99, rows: 31 }] {
            assert_eq!(needed(screen), Err(NoPicture::TooLarge { columns: 61, rows: 32, screen }));
        }
    }

    #[test]
    fn a_text_too_long_for_any_code_is_an_error_and_no_panic() {
        assert_eq!(picture(&"x".repeat(5000), WIDE), Err(NoPicture::TooLong));
    }

    #[test]
    fn the_drawing_shows_the_codes_own_modules_inside_a_light_border() {
        let text = address(60);
        let code = QrCode::with_error_correction_level(&text, EcLevel::M).expect("short enough");
        let picture = draw(&text, EcLevel::M).expect("short enough");
        let rows: Vec<Vec<bool>> = picture
            .lines
            .iter()
            .flat_map(|line| {
                let cells = line.trim_start_matches(COLOURS).trim_end_matches(RESET);
                let half = |lit: [char; 2]| cells.chars().map(|cell| lit.contains(&cell)).collect();
                [half(['█', '▀']), half(['█', '▄'])]
            })
            .collect();
        for (y, row) in rows.iter().enumerate() {
            for (x, light) in row.iter().enumerate() {
                let inside =
                    (QUIET..QUIET + code.width()).contains(&x) && (QUIET..QUIET + code.width()).contains(&y);
                let expected = !inside || code[(x - QUIET, y - QUIET)] == Color::Light;
                assert_eq!(*light, expected, "column {x}, row {y}");
            }
        }
    }
}
