use proptest::prelude::*;

use super::*;

fn wrong(text: &str) -> (usize, usize, String) {
    let error = Filter::parse(text).expect_err(text);
    (error.start, error.end, error.expected)
}

#[test]
fn the_example_is_read() {
    let text = r#"status:unknown merchant:10001 wallet:alipay amount>=100000 since:2h "iced coffee""#;
    let filter = Filter::parse(text).expect("it is read");
    assert_eq!(
        filter.terms,
        [
            Term::Status(OrderStatus::Unknown),
            Term::Merchant("10001".to_owned()),
            Term::Wallet(Wallet::Alipay),
            Term::Amount(Comparison::AtLeast, 100_000),
            Term::Since(Span { count: 2, unit: 'h' }),
            Term::Text("iced coffee".to_owned()),
        ]
    );
    assert_eq!(filter.to_string(), text);
    assert_eq!(Filter::parse("  ").expect("nothing is all"), Filter::default());
}

#[test]
fn a_number_that_is_pasted_needs_no_quotes() {
    assert_eq!(Filter::parse("A-17").expect("it is read").terms, [Term::Text("A-17".to_owned())]);
}

#[test]
fn an_error_says_where_and_what_is_expected() {
    assert_eq!(wrong("wallet:alipay status:payed").0, 21);
    assert!(wrong("status:payed").2.contains("partially_refunded"));
    assert_eq!(wrong("status"), (6, 6, "`:` behind it".to_owned()));
    assert_eq!(wrong("amount:5"), (6, 8, "`>=`, `<=`, `>`, `<` or `=`".to_owned()));
    assert_eq!(wrong("amount>=5x").0, 8);
    assert_eq!(wrong("amount>=-5").0, 8);
    assert_eq!(wrong("amount>=9007199254740993").0, 8);
    assert_eq!(wrong("colour:red").0, 0);
    assert_eq!(wrong("since:2w"), (6, 8, parse::spans()));
    assert_eq!(wrong("a \"b"), (2, 4, "a closing quote".to_owned()));
    assert_eq!(wrong("\"\"").2, "a text between the quotes");
    assert_eq!(wrong("merchant:"), (9, 9, "a merchant's partner number".to_owned()));
    let error = Filter::parse("status:x").expect_err("no status");
    assert!(error.to_string().starts_with("at 8: expected one of submitting"), "{error}");
}

#[test]
fn a_filter_ends_at_its_limit() {
    assert!(Filter::parse(&"x".repeat(MAX_LENGTH)).is_ok());
    assert_eq!(wrong(&"x".repeat(MAX_LENGTH + 1)).0, MAX_LENGTH);
    assert_eq!(wrong(&"咖".repeat(200)).0, 498, "at the start of a character");
}

#[test]
fn words_are_completed_from_their_first_letters() {
    let words = |text: &str| complete(text, text.len()).words;
    assert_eq!(words("st"), ["status:", "store:"]);
    assert_eq!(words("amount>=1 wallet:ALI"), ["wallet:alipay", "wallet:alipayhk"]);
    assert_eq!(words("status:par"), ["status:partially_refunded"]);
    assert_eq!(complete("a status:u", 10).start, 2);
    assert!(words("\"st").is_empty(), "a text is nobody's to guess");
}

#[test]
fn comparisons_hold_at_their_bounds() {
    let holding = |left, right| Comparison::ALL.map(|(_, one)| one.holds(left, right));
    assert_eq!(holding(4, 5), [false, true, false, true, false]);
    assert_eq!(holding(5, 5), [true, true, false, false, true]);
    assert_eq!(holding(6, 5), [true, false, true, false, false]);
}

fn terms() -> impl Strategy<Value = Term> {
    let span = || (0u32..1_000_000, prop::sample::select(vec!['s', 'm', 'h', 'd']));
    let comparisons: Vec<Comparison> = Comparison::ALL.into_iter().map(|(_, one)| one).collect();
    prop_oneof![
        prop::sample::select(OrderStatus::ALL.to_vec()).prop_map(Term::Status),
        prop::sample::select(Wallet::ALL.to_vec()).prop_map(Term::Wallet),
        "[A-Z]{3}".prop_map(|code| Term::Currency(Currency::parse(&code).expect("three capitals"))),
        "[a-z0-9-]{1,12}".prop_map(Term::Platform),
        "[0-9]{1,12}".prop_map(Term::Merchant),
        "[0-9]{1,15}".prop_map(Term::Store),
        (prop::sample::select(comparisons), 0..=crate::money::MAX_AMOUNT)
            .prop_map(|(comparison, minor)| Term::Amount(comparison, minor)),
        span().prop_map(|(count, unit)| Term::Since(Span { count, unit })),
        span().prop_map(|(count, unit)| Term::Before(Span { count, unit })),
        "[a-z咖啡\"\\\\: ]{0,8}x".prop_map(Term::Text),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(terms in prop::collection::vec(terms(), 0..6)) {
        let filter = Filter { terms };
        let text = filter.to_string();
        prop_assert_eq!(Filter::parse(&text), Ok(filter), "{}", text);
    }

    #[test]
    fn an_error_points_into_the_text(text in "(status|amount|[a-z])?[:<>=\"\\\\ a-z0-9咖]{0,40}") {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(text.get(error.start..error.end).is_some(), "{:?} of {:?}", error, text);
        }
    }

    #[test]
    fn what_is_proposed_begins_as_what_is_there(text in "[a-z:\" 咖]{0,20}", cursor in 0usize..40) {
        let completions = complete(&text, cursor);
        let before = text.get(..cursor).unwrap_or(&text);
        let word = before.get(completions.start..).expect("a place in the text");
        for proposed in completions.words {
            prop_assert!(proposed.to_lowercase().starts_with(&word.to_lowercase()), "{} for {}", proposed, word);
        }
    }
}
