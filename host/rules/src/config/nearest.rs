//! Finds the known key or name that an unknown one was probably meant to be.

/// The known word nearest to an unknown one, if any is near enough to be worth a suggestion.
pub fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    /// Shortest prefix that counts as a match, in bytes. Shorter ones begin too many words.
    const SHORTEST_START: usize = 3;
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let unknown = plain(unknown);
    let near = |known: &&str| {
        let known = plain(known);
        let begins = unknown.len() >= SHORTEST_START && (known.starts_with(&unknown) || unknown.starts_with(&known));
        // Up to one wrong letter in three is a typing error; more is another word.
        let distance = distance(&unknown, &known);
        (begins || distance <= known.len().div_ceil(3)).then_some(distance)
    };
    known.iter().copied().filter_map(|known| Some((near(&known)?, known))).min().map(|(_, known)| known)
}

/// Levenshtein distance: the number of letters to insert, delete or replace.
fn distance(a: &str, b: &str) -> usize {
    // The distances from the part of `a` that was seen so far to each prefix of `b`.
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (seen, letter) in a.chars().enumerate() {
        let mut left = seen.saturating_add(1);
        let mut next = vec![left];
        for (other, above) in b.chars().zip(row.windows(2)) {
            let &[diagonal, above] = above else { continue };
            let replaced = diagonal.saturating_add(usize::from(letter != other));
            left = left.min(above).saturating_add(1).min(replaced);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["name", "hostnames", "certificate", "decision_ms", "keepalive_timeout_ms"];

    #[track_caller]
    fn check(unknown: &str, expected: Option<&str>) {
        assert_eq!(nearest(unknown, &KNOWN), expected);
    }

    #[test]
    fn typing_mistake_is_recognised() {
        check("nmae", Some("name"));
        check("hostname", Some("hostnames"));
        check("keep_alive_timout_ms", Some("keepalive_timeout_ms"));
    }

    #[test]
    fn case_and_hyphens_do_not_count() {
        check("Decision-MS", Some("decision_ms"));
    }

    #[test]
    fn start_of_a_key_is_recognised() {
        check("cert", Some("certificate"));
        check("decision_ms_max", Some("decision_ms"));
    }

    #[test]
    fn different_word_is_not_a_typing_mistake() {
        check("colour", None);
        check("ce", None);
        check("", None);
        check("é", None);
    }

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("bücher", "bucher"), 1);
    }
}
