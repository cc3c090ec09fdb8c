use super::*;

#[test]
fn duplicate_keys_are_refused_at_every_depth_however_they_are_spelled() {
    for text in [
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"x":{"a":1,"b":2,"a":3}}"#,
        r#"{"x":[{"y":[{"a":1,"a":1}]}]}"#,
    ] {
        assert!(matches!(Object::parse(text.as_bytes()), Err(JsonError::DuplicateKey(_))), "{text}");
    }
    let many: Vec<String> = (0..100).chain([70]).map(|n| format!("\"k{n}\":{n}")).collect();
    assert!(matches!(
        Object::parse(format!("{{{}}}", many.join(",")).as_bytes()),
        Err(JsonError::DuplicateKey(_))
    ));
}

#[test]
fn nesting_ends_at_the_limit() {
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(Object::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert!(matches!(Object::parse(nested(MAX_DEPTH + 1).as_bytes()), Err(JsonError::TooDeep(_))));
    assert!(matches!(
        Object::parse(format!("{{\"a\":{}", "[".repeat(100_000)).as_bytes()),
        Err(JsonError::TooDeep(_))
    ));
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for (text, error) in [
        ("", JsonError::Truncated(0)),
        ("  ", JsonError::Truncated(2)),
        ("[1]", JsonError::NotAnObject),
        ("\u{feff}{}", JsonError::NotAnObject),
        ("{", JsonError::Truncated(1)),
        ("{\"a\"", JsonError::Truncated(4)),
        ("{\"a\":}", JsonError::Syntax(5)),
        ("{\"a\":01}", JsonError::Syntax(6)),
        ("{\"a\":1,}", JsonError::Syntax(7)),
        ("{\"a\":1}x", JsonError::Syntax(7)),
        ("{\"a\":\"\\ud800\"}", JsonError::Syntax(5)),
        ("{\"a\":\"\n\"}", JsonError::Syntax(6)),
        ("{\"a\":\"\\x\"}", JsonError::Syntax(7)),
        ("{\"a\":nul}", JsonError::Syntax(8)),
        ("{'a':1}", JsonError::Syntax(1)),
    ] {
        assert_eq!(Object::parse(text.as_bytes()).map(drop), Err(error), "{text}");
    }
    assert_eq!(Object::parse(b"{\"a\":\"\xff\"}").map(drop), Err(JsonError::NotUtf8(6)));
}

#[test]
fn values_keep_their_text_and_the_blanks_around_them() {
    let object = Object::parse(b" {\"a\" : \t[1, 2] ,\"\\u0062\":\n{\"c\":\"\\/\"}\n} \n").expect("is JSON");
    let a = object.get("a").expect("is there");
    assert_eq!((a.value, a.padded), ("[1, 2]", " \t[1, 2] "));
    let b = object.get("b").expect("is there");
    assert_eq!((b.value, b.padded), ("{\"c\":\"\\/\"}", "\n{\"c\":\"\\/\"}\n"));
    assert_eq!(b.object().expect("is an object").get("c").expect("is there").string().as_deref(), Some("/"));
}
