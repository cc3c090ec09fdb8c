//! The payer's way in a real browser: from the payment page through the gateway back to the shop, with scripts and
//! without, on a desk and on a phone.

mod harness;

#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/docs.rs"]
mod docs;
#[path = "browser/tab.rs"]
mod tab;

use chromium::Chromium;
use harness::{Backend, Stage};
use serde_json::{Value, json};
use tab::{Mark, Tab};

const DESK: u32 = 1280;
const PHONE: u32 = 390;

/// The usual order, changed in some fields (`null` leaves one out); returns its payUrl.
async fn place(stage: &Stage, number: &str, changes: Value) -> String {
    let mut order = stage.order(number);
    for (field, value) in changes.as_object().expect("fields by name") {
        order.body[field] = value.clone();
    }
    let answer = stage.create(&order).await;
    assert_eq!(answer.code, 1, "{}", answer.document);
    answer.pay_url().to_owned()
}

/// Wait until the shop's page, which looks again by itself, says this.
async fn shop_says(stage: &Stage, tab: &Tab, mut mark: Mark, words: &str) {
    loop {
        mark = tab.arrives(mark, &stage.shop().return_url()).await;
        if tab.text().await.contains(words) {
            return;
        }
    }
}

/// On the way the tab was on the gateway's page, and the shop got the merchant's own number by a form.
fn assert_way_back(stage: &Stage, tab: &Tab, from: Mark, return_url: &str, number: &str) {
    let gateway = stage.node().url("/callback/return/");
    assert!(tab.been(from).iter().any(|url| url.starts_with(&gateway)), "{:?}", tab.been(from));
    let to_shop: Vec<_> =
        tab.posted(from).into_iter().filter(|(url, _)| url.starts_with(&stage.shop().base_url())).collect();
    assert_eq!(to_shop, [(return_url.to_owned(), format!("partnerOrderNo={number}"))]);
    assert_eq!(tab.troubles(), [""; 0]);
}

on_both!(a_payer_pays_and_comes_back_to_the_shop_by_himself, async |stage: &mut Stage| {
    let chromium = Chromium::start();
    for (width, number) in [(DESK, "desk-1"), (PHONE, "phone-1")] {
        let tab = chromium.open_tab().await;
        tab.set_width(width).await;
        // A query string of the shop's own, in a spelling that no parser would choose.
        let return_url = format!("{}?session=a%20b&lang=zh-HK&next=%2Fthanks", stage.shop().return_url());
        let pay_url =
            place(stage, number, json!({ "orderTitle": "拉麵 & café", "returnUrl": return_url })).await;
        let start = tab.visit(&pay_url).await;
        let shown = tab.text().await;
        assert!(shown.contains("21.00 HKD") && shown.contains("拉麵 & café"), "{shown}");
        assert!(!shown.contains(number), "the upstream knows our number only: {shown}");
        assert!(
            tab.evaluate("document.querySelector('.code svg').getBoundingClientRect().width > 150").await
                == true
        );
        tab.assert_fits_hands().await;

        let clicked = tab.click("button[value=pay]").await;
        let mark = tab.arrives(clicked, &return_url).await;
        let shown = tab.text().await;
        assert!(shown.contains(number) && shown.contains("We are checking your payment"), "{shown}");
        tab.assert_fits_hands().await;
        assert_way_back(stage, &tab, start, &return_url, number);

        // No notice has come, and yet the shop's query finds the truth: the gateway asked when the payer came by.
        assert_eq!(stage.row(number).await.status, "paid");
        assert_eq!(stage.query(number).await.body["status"], 1);
        assert_eq!(stage.deliver_due().await, 1);
        shop_says(stage, &tab, mark, "Your payment has arrived").await;
        assert_eq!(tab.troubles(), [""; 0]);
    }
});

on_both!(without_scripts_every_step_has_a_button, async |stage: &mut Stage| {
    let chromium = Chromium::start();
    for (width, number) in [(DESK, "desk-1"), (PHONE, "phone-1")] {
        let tab = chromium.open_tab().await;
        tab.set_width(width).await;
        tab.switch_scripts_off().await;
        let return_url = format!("{}?session=17", stage.shop().return_url());
        let pay_url = place(stage, number, json!({ "returnUrl": return_url })).await;
        let start = tab.visit(&pay_url).await;

        let clicked = tab.click("button[value=pay]").await;
        tab.arrives(clicked, &pay_url).await;
        assert!(tab.text().await.contains("Paid. Thank you."));
        tab.assert_fits_hands().await;
        let clicked = tab.click("#back button").await;
        tab.arrives(clicked, &stage.node().url("/callback/return/")).await;
        assert!(tab.text().await.contains("Continue to the shop"));
        tab.assert_fits_hands().await;
        let clicked = tab.click("#back button").await;
        tab.arrives(clicked, &return_url).await;
        assert!(tab.text().await.contains(number));
        assert_way_back(stage, &tab, start, &return_url, number);
    }
});

on_both!(a_payment_on_another_device_moves_the_open_page_on, async |stage: &mut Stage| {
    let chromium = Chromium::start();
    let (with, without) = (chromium.open_tab().await, chromium.open_tab().await);
    without.switch_scripts_off().await;
    let return_url = stage.shop().return_url();
    let pay_url = place(stage, "p1", json!({})).await;
    let at = with.visit(&pay_url).await;
    let other_url = place(stage, "p2", json!({})).await;
    let other_at = without.visit(&other_url).await;

    stage.pay(&stage.submission_no("p1").await);
    stage.pay(&stage.submission_no("p2").await);
    with.arrives(at, &return_url).await;
    assert!(with.text().await.contains("p1"));
    assert_way_back(stage, &with, at, &return_url, "p1");
    // Without scripts the page asks again by itself, and the way on is a button.
    let mut mark = other_at;
    while !without.text().await.contains("Paid. Thank you.") {
        mark = without.arrives(mark, &other_url).await;
    }
    assert_eq!(without.troubles(), [""; 0]);
});

on_both!(
    a_payment_that_fails_or_is_called_off_leads_back_to_the_shop_too,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        let chromium = Chromium::start();
        let tab = chromium.open_tab().await;
        let return_url = stage.shop().return_url();

        let start = tab.visit(&place(stage, "p1", json!({})).await).await;
        let clicked = tab.click("button[value=cancel]").await;
        tab.arrives(clicked, &return_url).await;
        assert_way_back(stage, &tab, start, &return_url, "p1");
        assert_eq!(
            (stage.row("p1").await.status, stage.query("p1").await.body["status"].clone()),
            ("closed".to_owned(), 2.into())
        );

        let pay_url = place(stage, "p2", json!({})).await;
        let start = tab.visit(&pay_url).await;
        let clicked = tab.click("button[value=fail]").await;
        tab.arrives(clicked, &pay_url).await;
        assert!(tab.text().await.contains("The payment failed"));
        let clicked = tab.click("#back button").await;
        tab.arrives(clicked, &return_url).await;
        assert_way_back(stage, &tab, start, &return_url, "p2");
        assert_eq!(
            (stage.row("p2").await.status, stage.query("p2").await.body["status"].clone()),
            ("failed".to_owned(), 2.into())
        );
        assert_eq!(stage.deliver_due().await, 0, "only payments are told");
    }
);

on_both!(markup_in_numbers_titles_and_addresses_stays_text, async |stage: &mut Stage| {
    const NUMBER: &str = r#""><img src=x onerror=hit=1>"#;
    const TITLE: &str = r#"</p><script>hit=1</script><a href="javascript:hit=1">'"&lt;"#;
    let chromium = Chromium::start();
    let return_url =
        format!("{}?a=\"><script>hit=1</script>&b='onfocus=hit=1 autofocus='", stage.shop().return_url());
    // What a browser makes of that address when it is typed.
    let spelled = url::Url::parse(&return_url).expect("an address").to_string();
    let pay_url = place(stage, NUMBER, json!({ "orderTitle": TITLE, "returnUrl": return_url })).await;
    for with_scripts in [true, false] {
        let tab = chromium.open_tab().await;
        if !with_scripts {
            tab.switch_scripts_off().await;
        }
        let start = tab.visit(&pay_url).await;
        if with_scripts {
            assert!(tab.text().await.contains(TITLE), "the title is shown as it is");
            tab.click("button[value=pay]").await;
        } else {
            for place in [pay_url.as_str(), &stage.node().url("/callback/return/")] {
                assert_untouched(&tab).await;
                let clicked = tab.click("#back button").await;
                let next =
                    if place == pay_url { stage.node().url("/callback/return/") } else { spelled.clone() };
                tab.arrives(clicked, &next).await;
            }
        }
        tab.arrives(start, &spelled).await;
        assert_untouched(&tab).await;
        assert!(tab.text().await.contains(NUMBER), "the number is shown as it is");
        let sent = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("partnerOrderNo", NUMBER)
            .finish();
        let number = sent.trim_start_matches("partnerOrderNo=");
        assert_way_back(stage, &tab, start, &spelled, number);
    }

    // The page of the gateway's own, which shows the number.
    let tab = chromium.open_tab().await;
    let other = "'><svg onload=hit=1>";
    let pay_url = place(stage, other, json!({ "returnUrl": null })).await;
    tab.visit(&pay_url).await;
    let clicked = tab.click("button[value=pay]").await;
    tab.arrives(clicked, &stage.node().url("/callback/return/")).await;
    assert_untouched(&tab).await;
    assert!(tab.text().await.contains(other), "{}", tab.text().await);
    assert_eq!(tab.troubles(), [""; 0]);

    for wrong in [
        "javascript:hit=1",
        "data:text/html,<script>hit=1</script>",
        "http://user:pass@shop.example/",
        "//shop.example/",
    ] {
        let mut order = stage.order("wrong");
        order.body["returnUrl"] = wrong.into();
        let answer = stage.create(&order).await;
        assert!(answer.code == 5 && answer.msg().starts_with("returnUrl"), "{}", answer.document);
    }
});

/// No script of a stranger's ran, and nothing of his became part of the page.
async fn assert_untouched(tab: &Tab) {
    let found = tab.evaluate("[typeof hit, document.querySelectorAll('img, a, [onerror], [onload], [onfocus], [autofocus]').length]").await;
    assert_eq!(found, json!(["undefined", 0]));
}

on_both!(
    an_order_without_a_returnurl_shows_its_result,
    [("orders.return_query_interval", "0s")],
    async |stage: &mut Stage| {
        let chromium = Chromium::start();
        let tab = chromium.open_tab().await;
        for (width, number) in
            [(DESK, "desk-0123456789-0123456789-01234"), (PHONE, "phone-0123456789-0123456789-0123")]
        {
            tab.set_width(width).await;
            let result = stage.node().url("/callback/return/");
            let pay_url = place(stage, number, json!({ "returnUrl": null })).await;
            let submission_no = stage.submission_no(number).await;
            let order = stage.upstream().order(&submission_no).expect("it arrived upstream");
            let back = order.content.return_url.expect("the gateway gives its own");
            tab.visit(&back).await;
            assert!(tab.text().await.contains("Waiting for the payment"));
            tab.assert_fits_hands().await;

            tab.visit(&pay_url).await;
            let clicked = tab.click("button[value=pay]").await;
            tab.arrives(clicked, &result).await;
            let shown = tab.text().await;
            for words in ["Payment received", number, "21.00 HKD"] {
                assert!(shown.contains(words), "{words} in {shown}");
            }
            tab.assert_fits_hands().await;
        }
        tab.visit(&stage.node().url("/callback/return/nobody")).await;
        assert!(tab.text().await.contains("Unknown payment"));
        tab.assert_fits_hands().await;
        let statuses = tab.troubles();
        assert!(
            statuses.len() == 1 && statuses[0].contains("404"),
            "only the page that does not exist: {statuses:?}"
        );
    }
);

/// The other tests find nothing wrong; here is something wrong to be found.
#[tokio::test]
async fn a_breach_of_a_pages_policy_would_be_seen() {
    let stage = Stage::set(Backend::Sqlite).await;
    let chromium = Chromium::start();
    let tab = chromium.open_tab().await;
    tab.visit(&place(&stage, "p1", json!({})).await).await;
    assert_eq!(tab.troubles(), [""; 0]);
    tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:1/\" onerror=\"hit=1\">')").await;
    assert!(tab.complains().await.contains("Content Security Policy"));
    assert_ne!(tab.troubles(), [""; 0]);
    stage.strike().await;
}
