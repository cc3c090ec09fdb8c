//! What the guide says is so, and where it leads there is something.

use std::collections::{BTreeMap, BTreeSet};

use shared::signature;

use super::*;
use crate::config::Config;

fn site() -> BTreeMap<String, String> {
    pages("ScanGate").into_iter().collect()
}

/// The values of an attribute in a page.
fn all(page: &str, attribute: &str) -> Vec<String> {
    let opening = format!(" {attribute}=\"");
    page.split(&opening).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
}

/// The path a relative address leads to from a page.
fn resolve(from: &str, address: &str) -> String {
    let base = url::Url::parse("http://guide.example").and_then(|host| host.join(from)).expect("a path");
    base.join(address).expect("an address").path().to_owned()
}

#[test]
fn every_link_leads_to_a_page_a_file_or_a_section_that_exists() {
    let site = site();
    let mut known: BTreeSet<String> = site.keys().cloned().collect();
    known.extend(["/docs/guide.css", "/docs/guide.js", "/docs/reference", "/openapi.yaml"].map(String::from));
    known.extend(LANGUAGES.iter().map(|language| format!("/docs/{}", language.address())));
    for (path, page) in &site {
        for address in [all(page, "href"), all(page, "src")].concat() {
            if address.starts_with("data:") || address.starts_with("http") {
                continue;
            }
            let to = resolve(path, &address);
            assert!(known.contains(&to), "{path} leads to {address}, which is nowhere");
            if let Some((_, section)) = address.split_once('#') {
                let there = &site[&to];
                assert!(all(there, "id").iter().any(|id| id == section), "{path} leads to {address}");
            }
        }
    }
}

#[test]
fn every_chapter_has_a_title_and_no_link_of_its_text_is_lost() {
    for chapter in chapters() {
        let rendered = markdown::render(chapter.text, &mut Within { chapter, groups: 0 });
        assert!(!rendered.title.is_empty(), "{}", chapter.file);
        // The operators' page stands by itself in the repository and may name its other files.
        if chapter.file != "OPERATIONS.md" {
            let links = chapter.text.matches("](").count();
            assert_eq!(
                all(&rendered.body, "href").len() - inserted_links(chapter),
                links,
                "{}",
                chapter.file
            );
        }
    }
}

/// Each group of tabs leads to each program.
fn inserted_links(chapter: &Chapter) -> usize {
    chapter.text.matches("<!-- samples: ").count() * LANGUAGES.len()
}

#[test]
fn everything_to_be_inserted_is() {
    for chapter in chapters() {
        let mut within = Within { chapter, groups: 0 };
        for comment in chapter.text.split("<!--").skip(1) {
            let words = comment.split_once("-->").expect("a comment ends").0.trim();
            assert!(within.insert(words).is_some(), "{}: {words}", chapter.file);
        }
    }
}

#[test]
fn pages_load_nothing_but_their_own_style_and_script() {
    for (path, page) in site() {
        assert!(!page.contains("<style") && !page.contains(" style="), "{path}");
        assert_eq!(page.matches("<script").count(), 1, "{path}");
        assert!(!page.contains("src=\"http") && !page.contains("//fonts"), "{path}");
    }
}

fn text_of(file: &str) -> &'static str {
    chapters().find(|chapter| chapter.file == file).expect("there is such a chapter").text
}

#[test]
fn the_worked_example_is_right() {
    let signing = text_of("signing.md");
    let text = signing.lines().find(|line| line.starts_with("{\"header\"")).expect("the text is there");
    assert!(signing.contains(&signature::sign(text, "123456")), "its signature, too");
}

#[test]
fn the_schedule_of_notices_is_the_one_in_force() {
    let words = |wait: &std::time::Duration| match wait.as_secs() {
        seconds if seconds < 60 => format!("{seconds} s"),
        seconds if seconds < 3600 => format!("{} min", seconds / 60),
        3600 => "60 min".to_owned(),
        seconds => format!("{} h", seconds / 3600),
    };
    let schedule: Vec<String> = Config::default().deliveries.schedule.iter().map(words).collect();
    assert!(text_of("notices.md").contains(&schedule.join(", ")), "{schedule:?}");
}
