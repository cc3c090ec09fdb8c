//! Markdown to HTML: headings get addresses, links between files become links between pages, wide tables scroll in a
//! box of their own, and a line `<!-- words -->` is where the caller may insert something.

use pulldown_cmark::{Alignment, Event, Options, Parser, Tag, TagEnd, html};

/// A text as HTML.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The text of the first heading.
    pub title: String,
    pub body: String,
    /// The headings of the second level: address within the page, and text.
    pub sections: Vec<(String, String)>,
}

/// What a text cannot say by itself.
pub trait Surroundings {
    /// Where a link of the text leads on this page; `None`: nowhere, only its words are shown.
    fn link(&self, target: &str) -> Option<String>;
    /// The HTML to stand in the place of a comment with these words.
    fn insert(&mut self, words: &str) -> Option<String>;
}

pub fn render(text: &str, around: &mut impl Surroundings) -> Rendered {
    let events: Vec<Event> =
        Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS).collect();
    let mut rendered = Rendered::default();
    let mut out = Vec::with_capacity(events.len());
    let mut linked = Vec::new(); // whether the links that are open lead somewhere
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let words = words(&events[at + 1..]);
                let id = address(&words);
                match *level as usize {
                    1 if rendered.title.is_empty() => rendered.title = words,
                    2 => rendered.sections.push((id.clone(), words)),
                    _ => {}
                }
                let (classes, attrs) = (Vec::new(), Vec::new());
                out.push(Event::Start(Tag::Heading { level: *level, id: Some(id.into()), classes, attrs }));
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                let target = around.link(dest_url);
                linked.push(target.is_some());
                if let Some(target) = target {
                    let (link_type, title, id) = (*link_type, title.clone(), id.clone());
                    out.push(Event::Start(Tag::Link { link_type, dest_url: target.into(), title, id }));
                }
            }
            Event::End(TagEnd::Link) => {
                if linked.pop() == Some(true) {
                    out.push(event.clone());
                }
            }
            // Alignments would become style attributes, which no page of ours may have.
            Event::Start(Tag::Table(columns)) => out.extend([
                Event::Html(r#"<div class="wide" tabindex="0">"#.into()),
                Event::Start(Tag::Table(vec![Alignment::None; columns.len()])),
            ]),
            Event::End(TagEnd::Table) => out.extend([event.clone(), Event::Html("</div>".into())]),
            Event::Html(markup) => out.extend(inserted(markup, around).map(|html| Event::Html(html.into()))),
            // Texts are ours; markup in them would be a slip, and is shown as it stands.
            Event::InlineHtml(markup) => out.push(Event::Text(markup.clone())),
            _ => out.push(event.clone()),
        }
    }
    html::push_html(&mut rendered.body, out.into_iter());
    rendered
}

fn inserted(markup: &str, around: &mut impl Surroundings) -> Option<String> {
    let words = markup.trim().strip_prefix("<!--")?.strip_suffix("-->")?;
    around.insert(words.trim())
}

/// The words up to the end of the heading that has just begun.
fn words(events: &[Event]) -> String {
    let inside = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let texts = inside.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    texts.collect()
}

/// A heading's address, as code hosts make it: lower case, blanks as hyphens, punctuation dropped.
fn address(words: &str) -> String {
    let letters = words.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || matches!(letter, '-' | '_') => Some(letter),
        _ => None,
    });
    letters.flat_map(char::to_lowercase).collect()
}

/// Text for element content and for attributes in double quotes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known;

    impl Surroundings for Known {
        fn link(&self, target: &str) -> Option<String> {
            target.strip_suffix(".md").map(|page| format!("docs/{page}"))
        }

        fn insert(&mut self, words: &str) -> Option<String> {
            (words == "here").then(|| "<hr>".to_owned())
        }
    }

    fn body(text: &str) -> String {
        render(text, &mut Known).body
    }

    #[test]
    fn headings_get_the_addresses_that_code_hosts_give_them() {
        let rendered = render("# One & `two`\n\n## What's signed, exactly?\n\n### Deeper\n", &mut Known);
        assert_eq!(rendered.title, "One & two");
        assert_eq!(
            rendered.sections,
            [("whats-signed-exactly".to_owned(), "What's signed, exactly?".to_owned())]
        );
        assert!(rendered.body.contains(r#"<h2 id="whats-signed-exactly">"#), "{}", rendered.body);
        assert!(rendered.body.contains(r#"<h3 id="deeper">"#), "{}", rendered.body);
    }

    #[test]
    fn links_lead_where_the_page_says_and_only_their_words_stay_where_it_knows_no_way() {
        assert_eq!(body("[a `b`](x.md)"), "<p><a href=\"docs/x\">a <code>b</code></a></p>\n");
        assert_eq!(body("[a `b`](x.txt) [c](y.md)"), "<p>a <code>b</code> <a href=\"docs/y\">c</a></p>\n");
    }

    #[test]
    fn a_comment_is_a_place_and_every_other_markup_is_dropped_or_shown() {
        assert_eq!(body("<!-- here -->\n"), "<hr>");
        assert_eq!(body("<!-- elsewhere -->\n"), "");
        assert_eq!(body("<div>\n"), "");
        assert_eq!(body("a <b>"), "<p>a &lt;b&gt;</p>\n");
    }

    #[test]
    fn a_checklist_has_boxes() {
        assert!(
            body("- [ ] a\n").contains(r#"<input disabled="" type="checkbox"/>"#),
            "{}",
            body("- [ ] a\n")
        );
    }

    #[test]
    fn a_table_has_a_box_to_scroll_in() {
        let table = body("| a |\n| ---: |\n| b |\n");
        assert!(table.starts_with(r#"<div class="wide" tabindex="0"><table>"#), "{table}");
        assert!(table.trim_end().ends_with("</table>\n</div>"), "{table}");
        assert!(!table.contains("style"), "{table}");
    }
}
