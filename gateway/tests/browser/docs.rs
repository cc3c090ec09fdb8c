//! What readers see: every page of the guide and the reference, on a desk and on a phone, with scripts and without.
//! No store has a part in it.

use crate::chromium::Chromium;
use crate::harness::{Backend, Stage};
use crate::tab::{Mark, Tab};
use crate::{DESK, PHONE};

/// Nothing was asked for from elsewhere, and nothing was complained about.
fn assert_keeps_to_itself(stage: &Stage, tab: &Tab, from: Mark) {
    let elsewhere = tab.requested(from).into_iter().filter(|url| {
        !url.starts_with(&stage.node().url("/")) && !url.starts_with("data:") && !url.starts_with("blob:")
    });
    assert_eq!(elsewhere.collect::<Vec<_>>(), [""; 0]);
    assert_eq!(tab.troubles(), [""; 0]);
}

/// The chapters, as the menu of the first page lists them.
async fn chapters(tab: &Tab) -> Vec<String> {
    let links = tab.evaluate("[...document.querySelectorAll('nav a')].map(link => link.href)").await;
    let links = links.as_array().expect("a list").iter().filter_map(|link| link.as_str().map(str::to_owned));
    links.filter(|link| !["/reference", "/openapi.yaml"].iter().any(|end| link.ends_with(end))).collect()
}

/// What of the group of tabs under this heading can be seen.
async fn shown_under(tab: &Tab, section: &str) -> String {
    let panels =
        format!("[...document.querySelectorAll('#{section} ~ .tabs')][0].querySelectorAll('.panel')");
    let seen =
        format!("[...{panels}].filter(panel => panel.offsetHeight > 0).map(panel => panel.innerText).join()");
    tab.evaluate(&seen).await.as_str().expect("text").to_owned()
}

#[tokio::test]
async fn the_guide_reads_well_everywhere_and_loads_nothing_from_elsewhere() {
    let stage = Stage::set(Backend::Sqlite).await;
    let chromium = Chromium::start();
    for (width, with_scripts) in [(DESK, true), (PHONE, true), (DESK, false), (PHONE, false)] {
        let tab = chromium.open_tab().await;
        tab.set_width(width).await;
        if !with_scripts {
            tab.switch_scripts_off().await;
        }
        let start = tab.visit(&stage.node().url("/docs")).await;
        let chapters = chapters(&tab).await;
        assert!(chapters.len() > 8, "{chapters:?}");
        for chapter in &chapters {
            tab.visit(chapter).await;
            let title = tab.evaluate("document.querySelector('h1').innerText").await;
            assert!(tab.text().await.contains(title.as_str().expect("text")), "{chapter}");
            tab.assert_fits().await;
        }
        assert_keeps_to_itself(&stage, &tab, start);
    }
    stage.strike().await;
}

#[tokio::test]
async fn a_language_is_chosen_without_scripts_and_with_them_for_every_page() {
    let stage = Stage::set(Backend::Sqlite).await;
    let chromium = Chromium::start();
    for with_scripts in [false, true] {
        let tab = chromium.open_tab().await;
        tab.set_width(PHONE).await;
        if !with_scripts {
            tab.switch_scripts_off().await;
        }
        let start = tab.visit(&stage.node().url("/docs/signing")).await;
        assert!(
            shown_under(&tab, "verify-an-answer").await.contains("scangate.sh"),
            "the first one to begin with"
        );
        tab.click("#verify-an-answer ~ .tabs label[for$=php]").await;
        let shown = shown_under(&tab, "verify-an-answer").await;
        assert!(shown.contains("hash_equals") && shown.contains("scangate.php"), "{shown}");
        assert_eq!(shown_under(&tab, "send-it").await.contains("scangate.php"), with_scripts);

        tab.visit(&stage.node().url("/docs/notices")).await;
        let shown = shown_under(&tab, "what-to-do-with-one").await;
        assert_eq!(shown.contains("scangate.php"), with_scripts, "{shown}");
        assert_keeps_to_itself(&stage, &tab, start);
    }
    stage.strike().await;
}

#[tokio::test]
async fn a_phone_has_the_chapters_behind_a_button() {
    let stage = Stage::set(Backend::Sqlite).await;
    let chromium = Chromium::start();
    let tab = chromium.open_tab().await;
    tab.set_width(PHONE).await;
    tab.switch_scripts_off().await;
    tab.visit(&stage.node().url("/docs")).await;
    assert_eq!(tab.evaluate("document.querySelector('nav').offsetHeight").await, 0);
    tab.click("label.menu").await;
    tab.assert_fits().await;
    let clicked = tab.click("nav a[href$=signing]").await;
    tab.arrives(clicked, &stage.node().url("/docs/signing")).await;
    assert_eq!(tab.troubles(), [""; 0]);
    stage.strike().await;
}

#[tokio::test]
async fn the_reference_is_shown_whole_and_loads_nothing_from_elsewhere() {
    let stage = Stage::set(Backend::Sqlite).await;
    let chromium = Chromium::start();
    for width in [DESK, PHONE] {
        let tab = chromium.open_tab().await;
        tab.set_width(width).await;
        let start = tab.mark();
        tab.visit(&stage.node().url("/docs/reference")).await;
        // It is drawn by its script after the page has loaded, and unfolds itself to the last field.
        let last = "/List changes[^]*Sent to the order's[^]*buyerId/.test(document.body.innerText)";
        tab.draws(last).await;
        let text = tab.text().await;
        let fields = [
            "partnerOrderNo",
            "goodsExtraAmount",
            "returnUrl",
            "payUrl",
            "buyerId",
            "respMsgId",
            "Retry-After",
        ];
        for words in ["Create an order: web QR code", "Query an order", "Response codes", "Create a merchant"]
            .into_iter()
            .chain(fields)
        {
            assert!(text.contains(words), "{words}");
        }
        for (words, why) in
            [("Client Libraries", "none of them signs"), ("Auth Type", "nothing would be sent")]
        {
            assert!(!text.contains(words), "{words}: {why}");
        }
        tab.assert_fits().await;
        assert_eq!(tab.evaluate("scrollY").await, 0, "it opens at its top");
        assert_keeps_to_itself(&stage, &tab, start);
    }
    stage.strike().await;
}
