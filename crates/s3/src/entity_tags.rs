//! Entity tags that a condition to read names: one, several, or `*` for any.

/// The tags of a header, without quotes and whether they are weak; `None` if it is no list of such. As S3 does, what has no
/// quotes is taken, too.
pub(crate) fn named(header: &str) -> Option<Vec<String>> {
    let mut tags = Vec::new();
    let mut rest = header.trim();
    while !rest.is_empty() {
        let (tag, after) = first(rest)?;
        if !tag.bytes().all(is_tag_byte) {
            return None;
        }
        tags.push(tag.to_owned());
        rest = match after.trim_start().strip_prefix(',') {
            Some(further) => further.trim_start(),
            None if after.trim().is_empty() => "",
            None => return None,
        };
    }
    (!tags.is_empty()).then_some(tags)
}

/// The first of them, and what follows it.
fn first(list: &str) -> Option<(&str, &str)> {
    let strong = list.strip_prefix("W/").filter(|strong| strong.starts_with('"'));
    let strong = strong.unwrap_or(list);
    if let Some(quoted) = strong.strip_prefix('"') {
        return quoted.split_once('"');
    }
    let end = strong.find(',').unwrap_or(strong.len());
    let (tag, after) = strong.split_at_checked(end)?;
    let tag = tag.trim();
    (!tag.is_empty()).then_some((tag, after))
}

/// What a tag may consist of, as RFC 9110 has it, but for bytes that are no ASCII.
fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tag_or_several_are_read_in_every_writing() {
        for (header, tags) in [
            (r#""a""#, &["a"][..]),
            ("a", &["a"]),
            ("*", &["*"]),
            (r#"W/"a""#, &["a"]),
            (r#""a","b""#, &["a", "b"]),
            (r#" "a" , W/"b"  ,c-2 "#, &["a", "b", "c-2"]),
            (r#""a,b", "c""#, &["a,b", "c"]),
            (r#""a","#, &["a"]),
            (r#""""#, &[""]),
        ] {
            assert_eq!(named(header).unwrap(), tags, "{header}");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_none() {
        for header in [
            "",
            " ",
            ",",
            ",a",
            r#""a"#,
            r#""a" "b""#,
            r#""a"b"#,
            r#"a"b"#,
            "\"\u{7f}\"",
            "a b",
        ] {
            assert_eq!(named(header), None, "{header}");
        }
    }
}
