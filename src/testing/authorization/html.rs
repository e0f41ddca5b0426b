//! How does somebody else's text come into the page?

/// As text to be read: nothing of it is markup, it is no longer than this, and what would turn the text around it or hide in it is
/// shown as U+FFFD.
pub(super) fn shown(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (place, character) in text.chars().enumerate() {
        if place == most {
            shown.push('…');
            break;
        }
        push(&mut shown, if is_invisible(character) { char::REPLACEMENT_CHARACTER } else { character });
    }
    shown
}

/// As a value between double quotes, which comes back as it was.
pub(super) fn value(text: &str) -> String {
    let mut value = String::new();
    text.chars().for_each(|character| push(&mut value, character));
    value
}

fn push(html: &mut String, character: char) {
    match character {
        '&' => html.push_str("&amp;"),
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '"' => html.push_str("&quot;"),
        '\'' => html.push_str("&#39;"),
        other => html.push(other),
    }
}

/// Controls, marks of direction, and what has no width: a name made of them looks like another one.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{115f}'..='\u{1160}'
                | '\u{180b}'..='\u{180f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{ffa0}'
                | '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_is_markup() {
        assert_eq!(shown("<b title=\"a\" id='b'>&", 99), "&lt;b title=&quot;a&quot; id=&#39;b&#39;&gt;&amp;");
        assert_eq!(value("\"><script>&"), "&quot;&gt;&lt;script&gt;&amp;");
    }

    #[test]
    fn it_is_cut_between_characters() {
        assert_eq!(shown("äöü", 3), "äöü");
        assert_eq!(shown("äöüß", 3), "äöü…");
        assert_eq!(shown("<<<<", 2), "&lt;&lt;…");
    }

    #[test]
    fn it_turns_nothing_around() {
        assert_eq!(shown("a\u{202e}b\u{200b}c\n\u{0}d", 99), "a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}d");
    }
}
