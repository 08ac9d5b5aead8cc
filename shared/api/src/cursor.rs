//! Where a page of the table starts, as text for a query.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::schema::Key;

/// The longest cursor that is looked at, in characters: a key with the longest customer id has half
/// of it.
pub const CURSOR_LEN_MAX: usize = 1_024;

/// Writes the key behind which a page starts, both its parts, so that no character is special.
#[must_use]
pub fn write(key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}\n{}", key.pk, key.sk))
}

/// Reads what [`write`] wrote; `None` if it cannot be that.
#[must_use]
pub fn read(text: &str) -> Option<Key> {
    if text.len() > CURSOR_LEN_MAX {
        return None;
    }
    let key = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    // A sort key has no line's end; a customer id, which stands in the other part, may have one.
    let (pk, sk) = key.rsplit_once('\n')?;
    let is_key = !pk.is_empty() && !sk.is_empty();
    is_key.then(|| Key { pk: pk.to_owned(), sk: sk.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_one() {
        for (pk, sk) in [("booking#0a", "summary"), ("customer#a\nb", "booking#1#2")] {
            let key = Key { pk: pk.to_owned(), sk: sk.to_owned() };
            assert_eq!(read(&write(&key)), Some(key));
        }
        for other in ["", "a b", "\nsummary", "pk\n", "pk"] {
            assert_eq!(read(&URL_SAFE_NO_PAD.encode(other)), None, "{other:?}");
        }
        assert_eq!(read("*"), None);
        let full = |extra: usize| {
            let part = "k".repeat(CURSOR_LEN_MAX * 3 / 4 - 2 + extra);
            write(&Key { pk: part, sk: "s".to_owned() })
        };
        assert_eq!((full(0).len(), full(1).len()), (CURSOR_LEN_MAX, CURSOR_LEN_MAX + 2));
        assert!(read(&full(0)).is_some() && read(&full(1)).is_none());
    }
}
