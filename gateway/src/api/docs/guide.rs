//! The guide: its chapters in the order they are read, grouped by who reads them, each a page of its own that needs
//! no script. Written in `docs/guide`; rendered once, when the server starts.

use std::fmt::Write;

use super::markdown::{self, Rendered, Surroundings, escape};
use super::samples::{self, LANGUAGES};
use crate::api::scanforpay::CODES;
use crate::orders::events;

/// Nothing but this server's own style and script.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub const STYLE: &str = include_str!("guide.css");
pub const SCRIPT: &str = include_str!("guide.js");

/// What the contract's file is to a text, the reference is to the guide's reader.
const CONTRACT: &str = "openapi.yaml";

struct Chapter {
    /// Last part of its address; empty: `/docs` itself.
    slug: &'static str,
    /// Its file's name, by which the others link to it.
    file: &'static str,
    text: &'static str,
}

struct Part {
    reader: &'static str,
    chapters: &'static [Chapter],
}

macro_rules! chapter {
    ($slug:literal, $file:literal) => {
        Chapter { slug: $slug, file: $file, text: include_str!(concat!("../../../../docs/guide/", $file)) }
    };
}

const PARTS: [Part; 4] = [
    Part { reader: "Everybody", chapters: &[chapter!("", "index.md")] },
    Part {
        reader: "Shop developer",
        chapters: &[
            chapter!("start", "start.md"),
            chapter!("authentication", "authentication.md"),
            chapter!("signing", "signing.md"),
            chapter!("orders", "orders.md"),
            chapter!("products", "products.md"),
            chapter!("notices", "notices.md"),
            chapter!("selfcheck", "selfcheck.md"),
            chapter!("events", "events.md"),
            chapter!("webhooks", "webhooks.md"),
            chapter!("refunds", "refunds.md"),
            chapter!("errors", "errors.md"),
            chapter!("sandbox", "sandbox.md"),
            chapter!("limits", "limits.md"),
            chapter!("live", "live.md"),
        ],
    },
    Part {
        reader: "Platform",
        chapters: &[chapter!("platform", "platform.md"), chapter!("moving", "moving.md")],
    },
    Part {
        reader: "Operator",
        chapters: &[Chapter {
            slug: "operations",
            file: "OPERATIONS.md",
            text: include_str!("../../../../docs/OPERATIONS.md"),
        }],
    },
];

fn chapters() -> impl Iterator<Item = &'static Chapter> {
    PARTS.iter().flat_map(|part| part.chapters)
}

impl Chapter {
    fn path(&self) -> String {
        if self.slug.is_empty() { "/docs".to_owned() } else { format!("/docs/{}", self.slug) }
    }

    /// What leads from this chapter's address to those below `/docs/`. Relative, so that the pages also work below a
    /// reverse proxy's path.
    fn base(&self) -> &'static str {
        if self.slug.is_empty() { "docs/" } else { "" }
    }

    /// The address of another chapter, seen from this one.
    fn to(&self, other: &Self) -> String {
        match other.slug {
            "" if self.slug.is_empty() => "docs".to_owned(),
            "" => "../docs".to_owned(),
            slug => format!("{}{slug}", self.base()),
        }
    }
}

/// What a chapter's text needs of the page it is on.
struct Within<'a> {
    chapter: &'a Chapter,
    groups: usize,
}

impl Surroundings for Within<'_> {
    fn link(&self, target: &str) -> Option<String> {
        if target.starts_with('#') || target.starts_with("https://") || target.starts_with("http://") {
            return Some(target.to_owned());
        }
        let (path, section) = target.split_once('#').map_or((target, None), |(path, id)| (path, Some(id)));
        let file = path.rsplit('/').next().unwrap_or(path);
        let base = self.chapter.base();
        let address = if file == CONTRACT {
            format!("{base}reference")
        } else if let Some(language) = LANGUAGES.iter().find(|language| path.ends_with(&language.address())) {
            format!("{base}{}", language.address())
        } else {
            self.chapter.to(chapters().find(|chapter| chapter.file == file)?)
        };
        Some(section.map_or(address.clone(), |id| format!("{address}#{id}")))
    }

    fn insert(&mut self, words: &str) -> Option<String> {
        if words == "codes" {
            return Some(markdown::render(CODES, self).body);
        }
        if words == "events" {
            return Some(markdown::render(&events::table(), self).body);
        }
        let what = words.strip_prefix("samples: ")?;
        self.groups += 1;
        samples::tabs(what, self.groups, self.chapter.base())
    }
}

/// Every page: its path and its HTML.
pub fn pages(product: &str) -> Vec<(String, String)> {
    let rendered: Vec<(&Chapter, Rendered)> = chapters()
        .map(|chapter| (chapter, markdown::render(chapter.text, &mut Within { chapter, groups: 0 })))
        .collect();
    (0..rendered.len()).map(|at| (rendered[at].0.path(), page(product, &rendered, at))).collect()
}

fn page(product: &str, all: &[(&Chapter, Rendered)], at: usize) -> String {
    let (chapter, Rendered { title, body, sections }) = &all[at];
    let (product, title, base) = (escape(product), escape(title), chapter.base());
    let home = all.first().map(|(first, _)| chapter.to(first)).unwrap_or_default();
    let menu = menu(all, at);
    let mut contents = String::new();
    for (id, words) in sections {
        write!(contents, r##"<li><a href="#{id}">{}</a></li>"##, escape(words))
            .expect("a string takes everything");
    }
    let contents = match sections.len() {
        0 | 1 => String::new(),
        _ => format!(
            r#"<details class="contents"><summary>On this page</summary><ul>{contents}</ul></details>"#
        ),
    };
    let next = all.get(at + 1).map_or(String::new(), |(next, rendered)| {
        format!(
            r#"<p class="next"><a href="{}">Next: {} →</a></p>"#,
            chapter.to(next),
            escape(&rendered.title)
        )
    });
    format!(
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{base}guide.css">
<title>{title} · {product}</title>
</head>
<body>
<a class="skip" href="#content">To the text</a>
<header><a class="home" href="{home}">{product} <span>guide</span></a><a href="{base}reference">Reference</a></header>
<input type="checkbox" id="menu" aria-label="Show the chapters"><label class="menu" for="menu">Chapters</label>
<div class="columns">
<nav aria-label="Chapters">{menu}</nav>
<main id="content">
{contents}{body}{next}
</main>
</div>
<script src="{base}guide.js"></script>
</body>
</html>
"##
    )
}

/// The chapters by reader, and the reference behind them.
fn menu(all: &[(&Chapter, Rendered)], at: usize) -> String {
    let here = all[at].0;
    let mut menu = String::new();
    for part in &PARTS {
        write!(menu, "<h2>{}</h2><ul>", part.reader).expect("a string takes everything");
        let rows = all.iter().filter(|(chapter, _)| part.chapters.iter().any(|one| one.slug == chapter.slug));
        for (chapter, rendered) in rows {
            let current = if chapter.slug == here.slug { r#" aria-current="page""# } else { "" };
            let (address, title) = (here.to(chapter), escape(&rendered.title));
            write!(menu, r#"<li><a href="{address}"{current}>{title}</a></li>"#)
                .expect("a string takes everything");
        }
        menu.push_str("</ul>");
    }
    let base = here.base();
    write!(
        menu,
        r#"<h2>Reference</h2><ul><li><a href="{base}reference">Every operation</a></li><li><a href="{0}openapi.yaml">openapi.yaml</a></li></ul>"#,
        if here.slug.is_empty() { "" } else { "../" }
    )
    .expect("a string takes everything");
    menu
}

#[cfg(test)]
mod tests;
