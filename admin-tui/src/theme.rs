//! Colours by what they mean, never by place. Whatever a colour says, words or marks say, too.

use clap::ValueEnum;
use ratatui::style::{Color, Modifier, Style};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colours {
    Dark,
    Light,
    HighContrast,
    /// What `NO_COLOR` asks for.
    None,
}

/// What a piece of text means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Meaning {
    #[default]
    Plain,
    Dim,
    Title,
    /// A key to press.
    Key,
    Good,
    Warning,
    Bad,
}

impl Colours {
    pub fn style(self, meaning: Meaning) -> Style {
        let colour = |dark, light, high| match self {
            Self::Dark => Some(dark),
            Self::Light => Some(light),
            Self::HighContrast => Some(high),
            Self::None => None,
        };
        let (colour, modifier) = match meaning {
            Meaning::Plain => (None, Modifier::empty()),
            Meaning::Dim => (colour(Color::Gray, Color::DarkGray, Color::White), Modifier::empty()),
            Meaning::Title => (colour(Color::Cyan, Color::Blue, Color::White), Modifier::BOLD),
            Meaning::Key => (colour(Color::Cyan, Color::Blue, Color::LightCyan), Modifier::BOLD),
            Meaning::Good => (colour(Color::Green, Color::Green, Color::LightGreen), Modifier::empty()),
            Meaning::Warning => {
                (colour(Color::Yellow, Color::Magenta, Color::LightYellow), Modifier::empty())
            }
            Meaning::Bad => (colour(Color::LightRed, Color::Red, Color::LightRed), Modifier::BOLD),
        };
        let style = Style::new().add_modifier(modifier);
        colour.map_or(style, |colour| style.fg(colour))
    }

    /// The row or tab that commands are about.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
