use super::*;

fn scan(text: &str) -> Result<Vec<(String, Kind, String)>, JsonError> {
    let mut members = Vec::new();
    scan_object(text, Nested::Unique, |name, value| {
        members.push((name.unescape().into_owned(), value.kind(), value.text(text).to_owned()));
    })?;
    Ok(members)
}

#[test]
fn members_are_reported_with_their_text() {
    let members = scan(" {\"a\" : 1.5e3 , \"b\":[1, {\"x\":null}], \"c\":\"q\\\"\"}\r\n").unwrap();
    assert_eq!(members[0], ("a".into(), Kind::Number, "1.5e3".into()));
    assert_eq!(members[1], ("b".into(), Kind::Array, "[1, {\"x\":null}]".into()));
    assert_eq!(members[2], ("c".into(), Kind::String { escaped: true }, "\"q\\\"\"".into()));
}

#[test]
fn elements_of_an_array_are_reported() {
    let text = r#"{"a":["x" , 5,[],{"k":1} ],"b":[]}"#;
    let mut values = Vec::new();
    scan_object(text, Nested::Unique, |_, value| values.push(value)).unwrap();
    let kinds: Vec<_> = values[0].elements(text).map(|element| element.text(text).to_owned()).collect();
    assert_eq!(kinds, ["\"x\"", "5", "[]", "{\"k\":1}"]);
    assert_eq!(values[1].elements(text).count(), 0);
}

#[test]
fn jsn_01_duplicate_names_are_refused_at_any_depth() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"\u0061":1}"#,
        r#"{"x":{"a":1,"a":1}}"#,
        r#"{"x":[{"k":0},{"a":1,"b":2,"\u0061":1}]}"#,
        r#"{"\ud83d\ude00":1,"😀":1}"#,
    ] {
        assert_eq!(scan(text), Err(JsonError::DuplicateName), "{text}");
    }
    assert!(scan(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}],"A":0}"#).is_ok());
}

#[test]
fn jsn_01_duplicate_names_are_refused_among_many() {
    let names = |count: usize| (0..count).map(|n| format!("\"n{n}\":{n}")).collect::<Vec<_>>();
    for count in [31, 32, 33, 64, 500] {
        assert!(scan(&format!("{{{}}}", names(count).join(","))).is_ok(), "{count}");
        for duplicate in [0, 15, 30, count - 1] {
            let mut all = names(count);
            all.push(format!("\"n{duplicate}\":true"));
            assert_eq!(
                scan(&format!("{{{}}}", all.join(","))),
                Err(JsonError::DuplicateName),
                "{count} {duplicate}"
            );
        }
        // Nested objects that begin when the inline names are used up.
        let outer = names(count).join(",");
        assert!(scan(&format!("{{{outer},\"o\":{{\"n0\":1,\"n1\":{{\"n0\":2}}}},\"p\":1}}")).is_ok());
        assert_eq!(scan(&format!("{{{outer},\"o\":{{\"n0\":1,\"n0\":2}}}}")), Err(JsonError::DuplicateName));
        assert_eq!(scan(&format!("{{{outer},\"o\":{{\"n0\":1}},\"o\":1}}")), Err(JsonError::DuplicateName));
    }
}

#[test]
fn nested_duplicates_can_be_left_to_the_reader() {
    assert!(scan_object(r#"{"x":{"a":1,"a":1}}"#, Nested::Any, |_, _| ()).is_ok());
    assert!(scan_object(r#"{"a":1,"a":1}"#, Nested::Any, |_, _| ()).is_err());
}

#[test]
fn jsn_02_what_is_not_one_object_is_refused() {
    for text in [
        "",
        " ",
        "[]",
        "1",
        "null",
        "\"a\"",
        "{",
        "}",
        "{}{}",
        "{} x",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":NaN}",
        "{\"a\":+1}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":-}",
        "{\"a\":tru}",
        "{\"a\":/**/1}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\"}",
        "{\"a\":\"\\ud800\\u0041\"}",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "\u{feff}{}",
        "{\"a\":\"",
        "{\"a\":\"\\",
        "{\"a\":\"\\u00",
    ] {
        assert!(scan(text).is_err(), "{text:?}");
    }
}

#[test]
fn jsn_02_names_that_serde_json_takes_for_other_values_are_refused() {
    // With the feature `raw_value`, serde_json reads the first as {"admin":true}, which nobody has scanned.
    for text in [
        r#"{"$serde_json::private::RawValue":"{\"admin\":true}"}"#,
        r#"{"x":[{"$serde_json::private::RawValue":1}]}"#,
        r#"{"x":{"$serde_json::private::Number":"1"}}"#,
        r#"{"x":{"\u0024serde_json::private::Number":"1"}}"#,
    ] {
        assert_eq!(scan(text), Err(JsonError::ReservedName), "{text}");
        assert!(scan_object(text, Nested::Any, |_, _| ()).is_err(), "{text}");
    }
    assert!(scan(r#"{"$serde_json":1,"$ref":2,"x":"$serde_json::private::RawValue"}"#).is_ok());
}

#[test]
fn jsn_05_depth_is_capped() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert!(scan(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(scan(&nested(MAX_DEPTH + 1)), Err(JsonError::TooDeep));
    assert_eq!(scan(&format!("{{\"a\":{}", "[".repeat(500_000))), Err(JsonError::TooDeep));
}

#[test]
fn strings_are_compared_after_unescaping() {
    let controls = scan_object(r#"{"\b\f\n\r\t\"\\":0}"#, Nested::Unique, |name, _| {
        assert_eq!(name.unescape(), "\u{8}\u{c}\n\r\t\"\\");
    });
    assert_eq!(controls, Ok(()));
    let text = r#"{"k":"a\u00e9\n\ud83d\ude00\/"}"#;
    let mut seen = None;
    scan_object(text, Nested::Unique, |_, value| seen = value.raw_str(text)).unwrap();
    let value = seen.unwrap();
    assert!(value.is("aé\n😀/"));
    assert!(!value.is("aé\n😀"));
    assert_eq!(value.unescape(), "aé\n😀/");
}

#[test]
fn long_strings_end_where_they_end() {
    for length in 0..40 {
        for stop in ['"', '\\', '\u{1}'] {
            let text = "x".repeat(length) + &stop.to_string() + "tail…";
            assert_eq!(plain_length(text.as_bytes()), length);
        }
        let accented = "é".repeat(length);
        assert_eq!(plain_length(accented.as_bytes()), accented.len());
    }
}

proptest::proptest! {
    #[test]
    fn what_the_scan_accepts_serde_json_accepts(text in "[\\{\\}\\[\\]\",:\\\\a0-9eE.+\\-u \u{e9}]{0,40}") {
        let text = format!("{{\"k\":{text}}}");
        if scan(&text).is_ok() {
            let parsed: Result<Box<serde_json::value::RawValue>, _> = serde_json::from_str(&text);
            proptest::prop_assert!(parsed.is_ok(), "{}", text);
        }
    }

    #[test]
    fn what_serde_json_writes_the_scan_accepts(pairs in proptest::collection::btree_map(".{0,12}", ".{0,20}", 0..50)) {
        let text = serde_json::to_string(&pairs).unwrap();
        let members = scan(&text).unwrap();
        proptest::prop_assert_eq!(members.len(), pairs.len());
    }
}

/// A JSON object of these names, some of which stand for the same text, at one of two depths.
#[expect(clippy::arithmetic_side_effects, reason = "small numbers")]
fn object_of(names: &[(u8, bool)], nested: bool) -> (String, bool) {
    let mut seen = std::collections::HashSet::new();
    let mut twice = false;
    let members: Vec<_> = names
        .iter()
        .map(|(name, escaped)| {
            twice |= !seen.insert(name);
            let letter = format!("{:02x}", b'A' + name % 26);
            let plain = char::from(b'A' + name % 26);
            let head = if *escaped { format!("\\u00{letter}") } else { plain.to_string() };
            format!("\"{head}{}\":0", name / 26)
        })
        .collect();
    let object = format!("{{{}}}", members.join(","));
    (if nested { format!("{{\"outer\":[{object}],\"\\u0041\":1,\"B\":2}}") } else { object }, twice)
}

proptest::proptest! {
    #[test]
    fn jsn_01_duplicates_are_found_whatever_their_spelling_and_number(
        names in proptest::collection::vec((0_u8..200, proptest::bool::weighted(0.2)), 0..60),
        nested in proptest::bool::ANY,
    ) {
        let (text, twice) = object_of(&names, nested);
        let expected = if twice { Err(JsonError::DuplicateName) } else { Ok(()) };
        proptest::prop_assert_eq!(scan(&text).map(drop), expected, "{}", text);
    }
}
