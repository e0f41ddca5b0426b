//! One token, one text: strict base64url, strict UTF-8, strict JSON (threats ENC-01 to ENC-06, JSN-01 to JSN-07).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod common;

use bearergate::{
    AccessToken, AuthErrorKind,
    AuthErrorKind::{InvalidSignature, MalformedToken, TokenTooLong},
    Check, CheckOutcome, Presented, ResourceServer, UnixTime,
    testing::TokenBuilder,
};
use common::{
    Api, ISSUER, NOW, RESOURCE, at_once, decode, encode, es256, over_octets, over_segments, segments,
    trusted, with_signature,
};
use serde_json::{Value, json};

/// The token with other octets as its payload.
fn with_payload(token: &TokenBuilder, payload: impl AsRef<[u8]>) -> String {
    over_octets(token.header_json(), payload, |input| token.sign(input))
}

/// The token with other octets as its header.
fn with_header(token: &TokenBuilder, header: impl AsRef<[u8]>) -> String {
    over_octets(header, token.payload_json(), |input| token.sign(input))
}

/// The object with more members, given as text.
fn adding(object: &str, members: &str) -> String {
    assert!(object.ends_with('}'));
    format!("{},{members}}}", &object[..object.len() - 1])
}

/// A text of JSON as header and as payload: refused in either place.
#[track_caller]
fn refused_in_both(api: &Api, token: &TokenBuilder, change: impl Fn(&str) -> Vec<u8>, what: &str) {
    let (header, payload) = (change(&token.header_json()), change(&token.payload_json()));
    api.refuses(&with_header(token, header), MalformedToken, format!("header: {what}"));
    api.refuses(&with_payload(token, payload), MalformedToken, format!("payload: {what}"));
}

#[track_caller]
fn accepted_in_both(api: &Api, token: &TokenBuilder, change: impl Fn(&str) -> Vec<u8>, what: &str) {
    let (header, payload) = (change(&token.header_json()), change(&token.payload_json()));
    api.accepts(&with_header(token, header), format!("header: {what}"));
    api.accepts(&with_payload(token, payload), format!("payload: {what}"));
}

/// Every way to spoil the text of a segment without changing what a careless decoder reads.
fn spoiled(segment: &str) -> Vec<String> {
    let middle = segment.len() / 2;
    let (start, end) = segment.split_at(middle);
    let mut all = Vec::new();
    for odd in [
        "=", "==", " ", "\n", "\r\n", "\t", "\0", "!", "%", "%3D", "\"", ",", ":", "~", "é", "\u{feff}", "+",
        "/",
    ] {
        all.extend([format!("{segment}{odd}"), format!("{odd}{segment}"), format!("{start}{odd}{end}")]);
    }
    for other in
        [segment.replace('-', "+"), segment.replace('_', "/"), segment.replace('-', "+").replace('_', "/")]
    {
        if other != segment {
            all.push(other);
        }
    }
    let padded = format!("{segment}{}", "=".repeat((4 - segment.len() % 4) % 4));
    if padded != segment {
        all.push(padded);
    }
    all
}

#[test]
fn enc_01_characters_that_do_not_belong() {
    let (_, api, token) = with_all_characters();
    let minted = token.mint();
    let [header, payload, signature] = segments(&minted);
    for segment in [header, payload] {
        assert!(segment.contains('-') && segment.contains('_'), "{segment}");
    }
    api.accepts(&minted, "untouched");
    let sign = |input: &[u8]| token.sign(input);
    for odd in spoiled(header) {
        api.refuses(&format!("{odd}.{payload}.{signature}"), MalformedToken, format!("{odd:?}"));
        let over_it = over_segments(&odd, payload, sign);
        api.refuses(&over_it, MalformedToken, format!("signed: {odd:?}"));
    }
    for odd in spoiled(payload) {
        api.refuses(&format!("{header}.{odd}.{signature}"), MalformedToken, format!("{odd:?}"));
        let over_it = over_segments(header, &odd, sign);
        api.refuses(&over_it, MalformedToken, format!("signed: {odd:?}"));
    }
    for odd in spoiled(signature) {
        api.refuses(&format!("{header}.{payload}.{odd}"), MalformedToken, format!("{odd:?}"));
    }
}

/// A token whose header and payload have all characters of base64url.
fn with_all_characters() -> (bearergate::testing::TestIssuer, Api, TokenBuilder) {
    let (issuer, api) = es256();
    let texts = json!(["<<???>>", "a<<???>>", "aa<<???>>"]);
    let token = issuer.token().header("x", &texts).claim("x", &texts);
    (issuer, api, token)
}

#[test]
fn enc_01_the_other_alphabet_also_when_it_is_signed() {
    let (_, api, token) = with_all_characters();
    let standard = |text: String| encode(text).replace('-', "+").replace('_', "/");
    let (header, payload) = (encode(token.header_json()), encode(token.payload_json()));
    let sign = |input: &[u8]| token.sign(input);
    api.accepts(&over_segments(&header, &payload, sign), "base64url");
    api.refuses(&over_segments(&standard(token.header_json()), &payload, sign), MalformedToken, "header");
    api.refuses(&over_segments(&header, &standard(token.payload_json()), sign), MalformedToken, "payload");
}

#[test]
fn enc_02_unused_bits_and_impossible_lengths() {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (issuer, api) = es256();
    // All texts that a decoder which ignores unused bits reads as the same octets.
    let twins = |segment: &str| -> Vec<String> {
        let unused = match segment.len() % 4 {
            2 => 4,
            3 => 2,
            _ => 0,
        };
        let (start, last) = segment.split_at(segment.len() - 1);
        let value = ALPHABET.find(last).unwrap();
        (1..1 << unused).map(|bits| format!("{start}{}", &ALPHABET[value + bits..=value + bits])).collect()
    };
    let mut seen = 0;
    for padding in ["", " ", "  "] {
        // White space behind the object changes the length, and nothing else.
        let token = issuer.token();
        let token = token.clone().header_text(token.header_json() + padding);
        let token = token.clone().payload_text(token.payload_json() + padding);
        let minted = token.mint();
        api.accepts(&minted, "untouched");
        let [header, payload, signature] = segments(&minted);
        let sign = |input: &[u8]| token.sign(input);
        for twin in twins(header) {
            assert_ne!(twin, header);
            api.refuses(&format!("{twin}.{payload}.{signature}"), MalformedToken, &twin);
            api.refuses(&over_segments(&twin, payload, sign), MalformedToken, format!("signed: {twin}"));
            seen += 1;
        }
        for twin in twins(payload) {
            api.refuses(&format!("{header}.{twin}.{signature}"), MalformedToken, &twin);
            api.refuses(&over_segments(header, &twin, sign), MalformedToken, format!("signed: {twin}"));
            seen += 1;
        }
        for twin in twins(signature) {
            api.refuses(&format!("{header}.{payload}.{twin}"), MalformedToken, &twin);
            seen += 1;
        }
        // One character more than whole groups carries six bits: no octet.
        for segment in [header, payload, signature] {
            let odd = format!("{}A", &segment[..segment.len() / 4 * 4]);
            api.refuses(&minted.replacen(segment, &odd, 1), MalformedToken, format!("1 mod 4: {odd}"));
        }
        let whole = |segment: &str| format!("{}A", &segment[..segment.len() / 4 * 4]);
        api.refuses(&over_segments(&whole(header), payload, sign), MalformedToken, "signed: 1 mod 4");
        api.refuses(&over_segments(header, &whole(payload), sign), MalformedToken, "signed: 1 mod 4");
    }
    assert_eq!(seen, 2 * (15 + 3) + 3 * 15, "every remainder occurred");
}

#[test]
fn enc_03_not_three_segments() {
    let (issuer, api) = es256();
    let minted = issuer.token().mint();
    api.accepts(&minted, "untouched");
    let [header, payload, signature] = segments(&minted);
    for (what, token) in [
        ("nothing", String::new()),
        ("one segment", header.to_owned()),
        ("an opaque token", "dGhpcyBpcyBvcGFxdWU".to_owned()),
        ("two segments", format!("{header}.{payload}")),
        ("two segments, the last two", format!("{payload}.{signature}")),
        ("four segments", format!("{minted}.{signature}")),
        ("a dot behind", format!("{minted}.")),
        ("a dot in front", format!(".{minted}")),
        ("two dots inside", format!("{header}..{payload}.{signature}")),
        ("two dots inside, later", format!("{header}.{payload}..{signature}")),
        ("six segments", format!("{minted}.{minted}")),
        ("one dot", ".".to_owned()),
        ("two dots", "..".to_owned()),
        ("three dots", "...".to_owned()),
        ("four dots", "....".to_owned()),
        ("thousands of dots", ".".repeat(10_000)),
        ("thousands of segments", format!("{header}{}", ".a".repeat(5_000))),
        ("empty header", format!(".{payload}.{signature}")),
        ("empty payload", format!("{header}..{signature}")),
        ("signature alone", format!("..{signature}")),
        ("header alone", format!("{header}..")),
        ("payload alone", format!(".{payload}.")),
        ("other separators", minted.replace('.', ",")),
        ("other dots", minted.replace('.', "\u{3002}")),
    ] {
        api.refuses(&token, MalformedToken, what);
    }
    let empty = with_signature(&minted, |_| Vec::new());
    api.refuses(&empty, InvalidSignature, "three segments, the last of them empty");
}

#[test]
fn enc_03_dots_cost_no_memory() {
    let (issuer, api) = es256();
    let header = encode(issuer.token().header_json());
    let dots = ".".repeat(16_000);
    let segments = format!("{header}{}", ".a".repeat(7_000));
    let judge = |token: &str| {
        let verdict: Result<AccessToken, _> = at_once(api.server.validate(&Presented::bearer(token)));
        assert_eq!(verdict.unwrap_err().kind(), MalformedToken);
    };
    // The first look at the list of issuers on a thread sets that thread up.
    judge(&dots);
    for token in [&dots, &segments] {
        let cost = allocation_counter::measure(|| judge(token));
        assert_eq!(cost.count_total, 0, "{cost:?}");
    }
}

/// Where a token stopped.
fn failed_at(api: &Api, token: &str) -> (Check, AuthErrorKind) {
    let explanation = api.server.explain(&Presented::bearer(token));
    let failure = explanation.steps().iter().find_map(|(check, outcome)| match outcome {
        CheckOutcome::Failed(kind) => Some((*check, *kind)),
        _ => None,
    });
    failure.expect("the token is refused")
}

#[test]
fn enc_04_five_segments() {
    let (issuer, api) = es256();
    let minted = issuer.token().mint();
    api.accepts(&minted, "untouched");
    let [header, payload, signature] = segments(&minted);
    let jwe_header = encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM","kid":"es256-0"}"#);
    for token in [
        format!("{jwe_header}.AAAA.AAAA.AAAA.AAAA"),
        format!("{jwe_header}..AAAA.AAAA.AAAA"),
        format!("{}..AAAA.AAAA.AAAA", encode(r#"{"alg":"dir","enc":"A256GCM"}"#)),
        format!("{header}.{payload}.{signature}.{payload}.{signature}"),
        format!("{header}.{payload}.{signature}.."),
    ] {
        api.refuses(&token, MalformedToken, &token);
        // Nothing was decoded: the number of dots is enough.
        assert_eq!(failed_at(&api, &token), (Check::Structure, MalformedToken));
    }
}

#[test]
fn enc_05_json_serialization_and_polyglots() {
    let (issuer, api) = es256();
    let minted = issuer.token().mint();
    api.accepts(&minted, "untouched");
    let [header, payload, signature] = segments(&minted);
    let forged = encode(issuer.token().subject("admin").payload_json());
    let flattened = json!({"protected": header, "payload": payload, "signature": signature});
    let general = json!({"payload": payload, "signatures": [{"protected": header, "signature": signature}]});
    for token in [
        flattened.to_string(),
        general.to_string(),
        encode(flattened.to_string()),
        // CVE-2022-39227: compact for one parser, JSON for another.
        format!(
            r#"{{"  {header}.{forged}.":"","protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#
        ),
        format!(
            r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}","x":"{header}.{forged}."}}"#
        ),
        format!(
            r#"{header}.{forged}.{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#
        ),
        format!(r#"{{"{header}.{forged}.{signature}":0}}"#),
        format!("[\"{minted}\"]"),
        format!("\"{minted}\""),
        format!("'{minted}'"),
        format!("{minted}, {minted}"),
        format!("{minted} {minted}"),
        format!("Bearer {minted}"),
    ] {
        api.refuses(&token, MalformedToken, &token);
    }
}

#[test]
fn enc_06_size() {
    const LIMIT: usize = 16 * 1024;
    let (issuer, api) = es256();
    let sized = |header: usize, payload: usize| {
        issuer.token().header("x", "h".repeat(header)).claim("x", "p".repeat(payload)).mint()
    };
    let of_length = |length: usize| {
        let shortest = sized(0, 0).len();
        let guess = (length - shortest) * 3 / 4;
        let mut near =
            (0..4).flat_map(|header| (guess - 8..guess + 8).map(move |payload| sized(header, payload)));
        near.find(|token| token.len() == length).unwrap()
    };
    for length in [12 * 1024, LIMIT - 1, LIMIT] {
        api.accepts(&of_length(length), format!("{length} octets"));
    }
    for token in [of_length(LIMIT + 1), of_length(LIMIT + 2), of_length(5 * LIMIT)] {
        api.refuses(&token, TokenTooLong, format!("{} octets", token.len()));
    }
    // Before any decoding: nothing of these is base64, and dots are not counted.
    for character in ["!", ".", "{", "é", "\0"] {
        let token = character.repeat(LIMIT + 1);
        api.refuses(&token, TokenTooLong, format!("{character:?}"));
        assert_eq!(failed_at(&api, &token), (Check::Structure, TokenTooLong));
    }
}

#[test]
fn enc_06_the_limit_is_a_setting() {
    let (issuer, api) = es256();
    let token = issuer.token().claim("x", "p".repeat(40_000)).mint();
    api.refuses(&token, TokenTooLong, "by default");
    for (limit, expected) in [
        (token.len() - 1, Some(TokenTooLong)),
        (token.len(), None),
        (64 * 1024, None),
        (1, Some(TokenTooLong)),
    ] {
        let server = ResourceServer::builder(RESOURCE)
            .trust(trusted(&issuer))
            .clock(api.clock.clone())
            .max_token_bytes(limit)
            .build()
            .unwrap();
        let verdict: Result<AccessToken, _> = at_once(server.validate(&Presented::bearer(&token)));
        assert_eq!(verdict.err().map(|error| error.kind()), expected, "{limit}");
    }
}

#[test]
fn jsn_01_duplicate_members() {
    let (issuer, api) = es256();
    let token = issuer.token();
    for object in [token.header_json(), token.payload_json()] {
        let parsed: Value = serde_json::from_str(&object).unwrap();
        let mut doubled = Vec::new();
        for (name, value) in parsed.as_object().unwrap() {
            let escaped = format!(r"\u{:04x}{}", name.as_bytes()[0], &name[1..]);
            doubled.push(format!(r#""{name}":{value}"#));
            doubled.push(format!(r#""{name}":null"#));
            doubled.push(format!(r#""{escaped}":{value}"#));
        }
        for members in doubled {
            let behind = adding(&object, &members);
            let in_front = format!("{{{members},{}", &object[1..]);
            for text in [behind, in_front] {
                if object.contains(r#""alg""#) {
                    api.refuses(&with_header(&token, &text), MalformedToken, &text);
                } else {
                    api.refuses(&with_payload(&token, &text), MalformedToken, &text);
                }
            }
        }
    }
    for members in [
        r#""x":1,"x":1"#,
        r#""x":1,"\u0078":2"#,
        r#""\u0078":1,"\u0078":2"#,
        r#""":1,"":2"#,
        r#""é":1,"\u00e9":2"#,
        r#""😀":1,"\ud83d\ude00":2"#,
        r#""/":1,"\/":2"#,
        r#""o":{"x":1,"x":1}"#,
        r#""o":{"x":1,"\u0078":1}"#,
        r#""o":[[{"a":{"b":[{"x":1,"y":2,"x":3}]}}]]"#,
    ] {
        refused_in_both(&api, &token, |object| adding(object, members).into(), members);
    }
    for members in [
        r#""x":1,"X":1"#,
        r#""x":1,"x ":1"#,
        r#""é":1,"e\u0301":2"#,
        r#""o":{"x":1},"p":{"x":1},"x":1"#,
        r#""o":[{"x":1},{"x":1}]"#,
        r#""o":{"o":{"o":{"iss":1,"alg":2}}}"#,
    ] {
        accepted_in_both(&api, &token, |object| adding(object, members).into(), members);
    }
}

#[test]
fn jsn_01_duplicates_among_many() {
    let (issuer, api) = es256();
    let token = issuer.token();
    let members: Vec<_> = (0..300).map(|number| format!(r#""m{number}":{number}"#)).collect();
    let many = members.join(",");
    accepted_in_both(&api, &token, |object| adding(object, &many).into(), "three hundred");
    for number in [0, 17, 33, 150, 299] {
        let doubled = format!(r#"{many},"m{number}":0"#);
        refused_in_both(&api, &token, |object| adding(object, &doubled).into(), &format!("m{number} twice"));
    }
}

#[test]
fn jsn_02_not_one_object() {
    let (issuer, api) = es256();
    let token = issuer.token();
    accepted_in_both(&api, &token, |object| object.into(), "untouched");
    type Change = fn(&str) -> String;
    let changes: [(&str, Change); 24] = [
        ("empty array", |_| "[]".into()),
        ("in an array", |object| format!("[{object}]")),
        ("number", |_| "5".into()),
        ("null", |_| "null".into()),
        ("true", |_| "true".into()),
        ("string", |_| "\"text\"".into()),
        ("as a string", |object| json!(object).to_string()),
        ("white space", |_| " \n".into()),
        ("text", |_| "hello".into()),
        ("two objects", |object| format!("{object}{object}")),
        ("two objects with space", |object| format!("{object} {{}}")),
        ("letter behind", |object| format!("{object}x")),
        ("comma behind", |object| format!("{object},")),
        ("zero octet behind", |object| format!("{object}\0")),
        ("brace behind", |object| format!("{object}}}")),
        ("brace missing", |object| object[..object.len() - 1].into()),
        ("cut in the middle", |object| object[..object.len() / 2].into()),
        ("comma inside", |object| object.replacen('{', "{,", 1)),
        ("comma at the end", |object| format!("{},}}", &object[..object.len() - 1])),
        ("line comment", |object| format!("{object}//")),
        ("comment", |object| object.replacen('{', "{/**/", 1)),
        ("single quotes", |object| object.replace('"', "'")),
        ("names without quotes", |object| {
            object.replacen(r#""iss""#, "iss", 1).replacen(r#""alg""#, "alg", 1)
        }),
        ("no-break space in front", |object| format!("\u{a0}{object}")),
    ];
    for (what, change) in changes {
        refused_in_both(&api, &token, |object| change(object).into(), what);
    }
    for value in [
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "undefined",
        "True",
        "TRUE",
        "nul",
        "01",
        "-01",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "-",
        "0x10",
        "1_000",
        "1 2",
        "'x'",
        "\"x",
        "\"\t\"",
        "\"\n\"",
        "\"\0\"",
        "\"\u{1f}\"",
        r#""\x41""#,
        r#""\u12g4""#,
        r#""\u12""#,
        r#""\ ""#,
        "\"\\",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "{\"a\" 1}",
        "/**/1",
        "1/**/",
        "",
    ] {
        let members = format!(r#""x":{value}"#);
        refused_in_both(&api, &token, |object| adding(object, &members).into(), &members);
    }
    for value in [
        "1",
        "-0",
        "0.5",
        "1e5",
        "1E+05",
        "true",
        "null",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        r#""\u0041\n\/""#,
        "\"\u{7f}\u{2028}\"",
        "[1,\t2\r\n]",
    ] {
        let members = format!(r#""x":{value}"#);
        accepted_in_both(&api, &token, |object| adding(object, &members).into(), &members);
    }
}

/// The object with octets inside of a string that nobody reads.
fn with_octets(object: &str, octets: &[u8]) -> Vec<u8> {
    [&object.as_bytes()[..object.len() - 1], b",\"x\":\"", octets, b"\"}"].concat()
}

#[test]
fn jsn_03_invalid_utf8() {
    let (issuer, api) = es256();
    let token = issuer.token();
    let invalid: [(&str, &[u8]); 16] = [
        ("lone FF", &[0xFF]),
        ("lone FE", &[0xFE]),
        ("lone continuation", &[0x80]),
        ("continuation missing", &[0xC3, 0x28]),
        ("cut short by the quote", &[0xE2, 0x82]),
        ("four octets cut short", &[0xF0, 0x9F, 0x98]),
        ("overlong slash, two octets", &[0xC0, 0xAF]),
        ("overlong zero", &[0xC0, 0x80]),
        ("overlong quote", &[0xC0, 0xA2]),
        ("overlong slash, three octets", &[0xE0, 0x80, 0xAF]),
        ("overlong slash, four octets", &[0xF0, 0x80, 0x80, 0xAF]),
        ("encoded high surrogate", &[0xED, 0xA0, 0x80]),
        ("encoded low surrogate", &[0xED, 0xBF, 0xBF]),
        ("encoded pair", &[0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80]),
        ("above 10FFFF", &[0xF4, 0x90, 0x80, 0x80]),
        ("five octets", &[0xF8, 0x88, 0x80, 0x80, 0x80]),
    ];
    for (what, octets) in invalid {
        refused_in_both(&api, &token, |object| with_octets(object, octets), what);
        let name = |object: &str| [&object.as_bytes()[..object.len() - 1], b",\"", octets, b"\":1}"].concat();
        refused_in_both(&api, &token, name, &format!("{what}, in a name"));
        let behind = |object: &str| [object.as_bytes(), octets].concat();
        refused_in_both(&api, &token, behind, &format!("{what}, behind the object"));
    }
    for text in ["é", "€", "😀", "\u{7ff}\u{800}\u{ffff}\u{10ffff}", "\u{fffd}"] {
        accepted_in_both(&api, &token, |object| with_octets(object, text.as_bytes()), text);
    }
}

#[test]
fn jsn_03_utf16_and_utf32() {
    let (issuer, api) = es256();
    let token = issuer.token();
    let big = |object: &str| -> Vec<u8> { object.encode_utf16().flat_map(u16::to_be_bytes).collect() };
    let little = |object: &str| -> Vec<u8> { object.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let wide =
        |object: &str| -> Vec<u8> { object.chars().flat_map(|char| u32::from(char).to_be_bytes()).collect() };
    refused_in_both(&api, &token, big, "UTF-16BE");
    refused_in_both(&api, &token, little, "UTF-16LE");
    refused_in_both(&api, &token, wide, "UTF-32BE");
    refused_in_both(&api, &token, |object| [&[0xFE, 0xFF], big(object).as_slice()].concat(), "with mark");
    refused_in_both(&api, &token, |object| [&[0xFF, 0xFE], little(object).as_slice()].concat(), "with mark");
    accepted_in_both(&api, &token, |object| object.into(), "UTF-8");
}

#[test]
fn jsn_04_byte_order_mark() {
    let (issuer, api) = es256();
    let token = issuer.token();
    refused_in_both(&api, &token, |object| format!("\u{feff}{object}").into(), "in front");
    refused_in_both(&api, &token, |object| format!("{object}\u{feff}").into(), "behind");
    refused_in_both(&api, &token, |object| format!("\u{feff}\u{feff}{object}").into(), "twice");
    accepted_in_both(&api, &token, |object| with_octets(object, "\u{feff}".as_bytes()), "inside of a string");
}

#[test]
fn jsn_04_lone_surrogates() {
    let (issuer, api) = es256();
    let token = issuer.token();
    for escape in [
        r"\ud800",
        r"\uDBFF",
        r"\udc00",
        r"\uDFFF",
        r"\ud800x",
        r"\ud800\n",
        r"\ud800\u0041",
        r"\ud800\ud800",
        r"\udc00\ud800",
        r"\ud83d\ude00\ude00",
        r"\ud83d\\ude00",
    ] {
        let value = format!(r#""x":"{escape}""#);
        refused_in_both(&api, &token, |object| adding(object, &value).into(), &value);
        let name = format!(r#""{escape}":1"#);
        refused_in_both(&api, &token, |object| adding(object, &name).into(), &name);
    }
    for escape in [r"\ud83d\ude00", r"\uD800\uDC00", r"\udbff\udfff", r"\ud7ff", r"\ue000", r"\\ud800"] {
        let value = format!(r#""x":"{escape}""#);
        accepted_in_both(&api, &token, |object| adding(object, &value).into(), &value);
    }
}

#[test]
fn jsn_05_depth() {
    let (issuer, api) = es256();
    let token = issuer.token();
    // The object itself is the first level.
    let arrays = |depth: usize| format!(r#""x":{}{}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    let objects = |depth: usize| format!(r#""x":{}1{}"#, r#"{"x":"#.repeat(depth - 1), "}".repeat(depth - 1));
    let mixed = |depth: usize| {
        let pairs = (depth - 1) / 2;
        let odd = (depth - 1) % 2;
        format!(
            r#""x":{}{}{}{}"#,
            "[".repeat(odd),
            r#"[{"x":"#.repeat(pairs),
            "1".to_owned() + &"}]".repeat(pairs),
            "]".repeat(odd)
        )
    };
    for depth in [2, 10, 63, 64] {
        for members in [arrays(depth), objects(depth), mixed(depth)] {
            accepted_in_both(&api, &token, |object| adding(object, &members).into(), &members);
        }
    }
    for depth in [65, 66, 100, 127, 128, 129, 1000, 1500] {
        for members in [arrays(depth), objects(depth), mixed(depth)] {
            refused_in_both(
                &api,
                &token,
                |object| adding(object, &members).into(),
                &format!("{depth} levels"),
            );
        }
    }
}

#[test]
fn jsn_05_depth_never_overflows_the_stack() {
    let (issuer, api) = es256();
    let token = issuer.token();
    // All that a token can hold, closed and left open; on a stack that is small.
    let judge = move || {
        let opening = ["[", "{\"x\":", "[{\"x\":"];
        for open in opening {
            for closed in [false, true] {
                let depth = 5_000 / open.len();
                let close: String = if closed { "]".repeat(depth) } else { String::new() };
                let text = format!(r#"{{"x":{}{close}"#, open.repeat(depth));
                api.refuses(&with_header(&token, &text), MalformedToken, format!("{depth} times {open}"));
                api.refuses(&with_payload(&token, &text), MalformedToken, format!("{depth} times {open}"));
            }
            let huge = format!(r#"{{"x":{}"#, open.repeat(500_000));
            api.refuses(&with_payload(&token, huge), TokenTooLong, "hundreds of thousands");
        }
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(judge).unwrap().join().unwrap();
}

#[test]
fn jsn_06_strange_numbers_in_claims_that_nobody_reads() {
    #[derive(Debug, serde::Deserialize)]
    struct OwnClaims {
        sub: String,
    }
    let (issuer, api) = es256();
    let token = issuer.token();
    for number in [
        "0",
        "-0",
        "-0.0",
        "1e400",
        "-1e400",
        "1e-400",
        "1E+0005",
        "0.1e-99999",
        "123456789012345678901234567890",
        "-9223372036854775809",
        "18446744073709551616",
        "0.1000000000000000055511151231257827",
        "9007199254740993",
        &"9".repeat(2000),
        &format!("0.{}", "3".repeat(2000)),
    ] {
        let payload =
            adding(&token.payload_json(), &format!(r#""x":{number},"y":[{number},{{"z":{number}}}]"#));
        let minted = with_payload(&token, payload);
        api.accepts(&minted, number);
        let own: AccessToken<OwnClaims> = at_once(api.server.validate(&Presented::bearer(&minted))).unwrap();
        assert_eq!(own.claims().sub, "test-user", "{number}");
        let header = adding(&token.header_json(), &format!(r#""x":{number}"#));
        api.accepts(&with_header(&token, header), number);
    }
}

#[test]
fn jsn_07_white_space() {
    let (issuer, api) = es256();
    let token = issuer.token();
    let spaced = |object: &str| -> Vec<u8> {
        let object = object.replace(r#"":"#, "\" \t:\r\n ").replace(",\"", " , \n\"");
        format!(" \t\r\n{}\n", object.replacen('{', "{ ", 1).replacen('}', "\r}", 1)).into()
    };
    accepted_in_both(&api, &token, spaced, "spaced");
    accepted_in_both(
        &api,
        &token,
        |object| format!("{object}{}", " ".repeat(1000)).into(),
        "a thousand spaces",
    );
    refused_in_both(&api, &token, |object| format!("\u{b}{object}").into(), "vertical tab");
    refused_in_both(&api, &token, |object| format!("\u{c}{object}").into(), "form feed");
}

#[test]
fn jsn_07_escapes_in_names_and_values() {
    let (issuer, api) = es256();
    let token = issuer.token().scope("read").claim("jti", "id").claim("nbf", NOW);
    let escape =
        |text: &str| -> String { text.chars().map(|char| format!("\\u{:04x}", u32::from(char))).collect() };
    let escaped = |object: &str| -> Vec<u8> {
        let parsed: Value = serde_json::from_str(object).unwrap();
        let members = parsed.as_object().unwrap().iter().map(|(name, value)| {
            let value = value.as_str().map_or(value.to_string(), |text| format!("\"{}\"", escape(text)));
            format!("\"{}\":{value}", escape(name))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into()
    };
    accepted_in_both(&api, &token, escaped, "all escaped");

    let payload = escaped(&token.payload_json());
    let token = api.verdict(&with_payload(&token, payload)).unwrap();
    assert_eq!(token.issuer(), ISSUER);
    assert_eq!(token.subject(), Some("test-user"));
    assert_eq!(token.client_id(), Some("test-client"));
    assert_eq!(token.token_id(), Some("id"));
    assert_eq!(token.audience().collect::<Vec<_>>(), [RESOURCE]);
    assert_eq!(token.scopes().collect::<Vec<_>>(), ["read"]);
    assert_eq!(token.not_before(), Some(UnixTime::from_secs(NOW)));
    assert_eq!(token.claims().get::<String>("sub").unwrap().as_deref(), Some("test-user"));
}

#[test]
fn jsn_07_slashes_may_be_escaped() {
    let (issuer, api) = es256();
    let token = issuer.token();
    let payload = token.payload_json().replace('/', r"\/");
    assert_ne!(payload, token.payload_json());
    api.accepts(&with_payload(&token, payload), "as PHP writes it");
    let other = token.payload_json().replace(r#""sub""#, r#""s\u0075b""#);
    let accepted = api.verdict(&with_payload(&token, other)).unwrap();
    assert_eq!(accepted.subject(), Some("test-user"));
}

#[test]
fn the_helpers_change_what_they_say() {
    let (issuer, _) = es256();
    let token = issuer.token();
    let minted = with_payload(&token, token.payload_json());
    assert_eq!(decode(segments(&minted)[1]), token.payload_json().as_bytes());
    let text = adding(&token.payload_json(), r#""x":1"#);
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["x"], 1);
}
