//! What AWS bills for reading and writing items, in whole numbers.
//!
//! Sources, read 2026-11-23: Amazon DynamoDB Developer Guide, "DynamoDB read and write
//! operations", "DynamoDB Item sizes and formats" and "Using Global Secondary Indexes"; and Amazon
//! DynamoDB pricing, "Data storage".

use std::collections::HashSet;

use dynoxide::Item;

use crate::{PARTITION_KEY, SORT_KEY};

const READ_UNIT_BYTES: u64 = 4096;
const WRITE_UNIT_BYTES: u64 = 1024;
/// What is billed as stored for each item, and for each entry of an index, beyond its own bytes.
const STORED_BESIDES_BYTES: u64 = 100;

/// How a read is guaranteed, which is what its price follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Half a read unit for each 4 KB.
    Eventual,
    /// One read unit for each 4 KB.
    Strong,
    /// Two read units for each 4 KB.
    Transactional,
}

impl Consistency {
    const fn half_units(self) -> u64 {
        match self {
            Self::Eventual => 1,
            Self::Strong => 2,
            Self::Transactional => 4,
        }
    }
}

/// The keys of a global secondary index. An item without both is not in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexKeys {
    /// The attribute that is the index's partition key.
    pub hash: String,
    /// The attribute that is the index's sort key.
    pub range: String,
    /// What the index copies.
    pub projection: Projection,
}

/// Which attributes an index copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    /// The keys of the index and of the table.
    KeysOnly,
    /// The whole item.
    All,
}

/// An item before and after a write; `None` where there is none.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// The item before the write.
    pub old: Option<&'a Item>,
    /// The item after the write.
    pub new: Option<&'a Item>,
}

/// The size of an item: the UTF-8 bytes of its attribute names, and its values.
#[must_use]
pub fn item_bytes(item: &Item) -> u64 {
    u64::try_from(dynoxide::types::item_size(item)).unwrap_or(u64::MAX)
}

/// The bytes that are billed as stored for an item in the table.
#[must_use]
pub fn stored_bytes(item: &Item) -> u64 {
    item_bytes(item).saturating_add(STORED_BESIDES_BYTES)
}

/// The bytes that are billed as stored for an item in one index; zero if it is not in it.
#[must_use]
pub fn stored_index_bytes(item: &Item, index: &IndexKeys) -> u64 {
    index.entry(item).as_ref().map_or(0, stored_bytes)
}

/// What reading `bytes` costs, in halves of a read unit. Nothing costs as much as 4 KB.
#[must_use]
pub fn read_half_units(bytes: u64, consistency: Consistency) -> u64 {
    bytes.div_ceil(READ_UNIT_BYTES).max(1).saturating_mul(consistency.half_units())
}

/// What writing `bytes` costs, in write units. Nothing costs as much as 1 KB.
#[must_use]
pub fn write_units(bytes: u64) -> u64 {
    bytes.div_ceil(WRITE_UNIT_BYTES).max(1)
}

/// What a change costs in the table alone: the larger of the two images counts.
#[must_use]
pub fn table_write_units(change: Change<'_>) -> u64 {
    let old = change.old.map_or(0, item_bytes);
    let new = change.new.map_or(0, item_bytes);
    write_units(old.max(new))
}

/// What a change costs in one index, which a transaction does not double.
#[must_use]
pub fn index_write_units(change: Change<'_>, index: &IndexKeys) -> u64 {
    let old = change.old.and_then(|item| index.entry(item));
    let new = change.new.and_then(|item| index.entry(item));
    match (old, new) {
        (None, None) => 0,
        (Some(entry), None) | (None, Some(entry)) => write_units(item_bytes(&entry)),
        (Some(old), Some(new)) if old == new => 0,
        (Some(old), Some(new)) if index.moves(&old, &new) => {
            write_units(item_bytes(&old)).saturating_add(write_units(item_bytes(&new)))
        }
        (Some(old), Some(new)) => write_units(item_bytes(&old).max(item_bytes(&new))),
    }
}

impl IndexKeys {
    /// What the index holds for `item`, if the item is in it.
    fn entry(&self, item: &Item) -> Option<Item> {
        if !item.contains_key(&self.hash) || !item.contains_key(&self.range) {
            return None;
        }
        let mut entry = item.clone();
        match self.projection {
            Projection::All => {}
            Projection::KeysOnly => {
                let kept = HashSet::from([PARTITION_KEY, SORT_KEY, &self.hash, &self.range]);
                entry.retain(|name, _| kept.contains(name.as_str()));
            }
        }
        Some(entry)
    }

    /// A changed key is a delete and a put.
    fn moves(&self, old: &Item, new: &Item) -> bool {
        [&self.hash, &self.range].into_iter().any(|name| old.get(name) != new.get(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynoxide::AttributeValue::{self, BOOL, L, M, N, NULL, S};

    fn item<const COUNT: usize>(attributes: [(&str, AttributeValue); COUNT]) -> Item {
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn text(bytes: usize) -> AttributeValue {
        S("x".repeat(bytes))
    }

    #[test]
    fn an_item_is_as_large_as_its_names_and_values() {
        for (attributes, bytes) in [
            (item([("pk", text(10))]), 12),
            (item([("名", S("元".into()))]), 6), // UTF-8, three bytes each.
            (item([("n", N("12800".into()))]), 4), // 3 significant digits: 2, and 1.
            (item([("n", N("-42".into()))]), 4), // The sign takes a byte.
            (item([("b", BOOL(true)), ("z", NULL(true))]), 4),
            (item([("l", L(vec![text(5), text(1)]))]), 12), // 3, 1 an element, 6.
            (item([("m", M(item([("k", text(4))])))]), 10), // 3, 1 an entry, 1 for "k", 4.
        ] {
            assert_eq!(item_bytes(&attributes), bytes, "{attributes:?}");
        }
    }

    #[test]
    fn what_is_stored_is_billed_with_a_hundred_bytes_more_in_the_table_and_in_each_index() {
        let task = task("1", 1500);
        assert_eq!(stored_bytes(&task), item_bytes(&task) + 100);
        // pk, sk, lane and due with their values.
        assert_eq!(stored_index_bytes(&task, &index(Projection::KeysOnly)), 6 + 6 + 5 + 4 + 100);
        assert_eq!(stored_index_bytes(&task, &index(Projection::All)), stored_bytes(&task));
        let outside = item([("pk", text(4)), ("sk", text(4)), ("lane", text(1))]);
        assert_eq!(stored_index_bytes(&outside, &index(Projection::All)), 0);
    }

    #[test]
    fn reads_are_rounded_up_to_four_kilobytes() {
        use Consistency::{Eventual, Strong, Transactional};
        for (bytes, eventual, strong, transactional) in
            [(0, 1, 2, 4), (1, 1, 2, 4), (4095, 1, 2, 4), (4096, 1, 2, 4), (4097, 2, 4, 8)]
        {
            assert_eq!(read_half_units(bytes, Eventual), eventual, "{bytes}");
            assert_eq!(read_half_units(bytes, Strong), strong, "{bytes}");
            assert_eq!(read_half_units(bytes, Transactional), transactional, "{bytes}");
        }
    }

    #[test]
    fn writes_are_rounded_up_to_a_kilobyte() {
        for (bytes, units) in [(0, 1), (1023, 1), (1024, 1), (1025, 2), (2048, 2), (2049, 3)] {
            assert_eq!(write_units(bytes), units, "{bytes}");
        }
    }

    #[test]
    fn the_larger_image_of_a_change_counts() {
        let (small, large) = (item([("a", text(100))]), item([("a", text(2000))]));
        let units = |old, new| table_write_units(Change { old, new });
        assert_eq!(units(None, Some(&small)), 1);
        assert_eq!(units(Some(&small), Some(&large)), 2);
        assert_eq!(units(Some(&large), Some(&small)), 2);
        assert_eq!(units(Some(&large), None), 2);
        assert_eq!(units(None, None), 1);
    }

    /// An item in the index at `due`, with `bytes` of text that is no key.
    fn task(due: &str, bytes: usize) -> Item {
        item([
            ("pk", text(4)),
            ("sk", text(4)),
            ("lane", text(1)),
            ("due", S(due.into())),
            ("x", text(bytes)),
        ])
    }

    fn index(projection: Projection) -> IndexKeys {
        IndexKeys { hash: "lane".into(), range: "due".into(), projection }
    }

    #[test]
    fn an_index_costs_what_changes_in_it() {
        let (task, later, other) = (task("1", 1500), task("2", 1500), task("1", 1600));
        let outside = item([("pk", text(4)), ("sk", text(4)), ("lane", text(1))]);
        for (old, new, keys_only, all) in [
            (None, None, 0, 0),
            (None, Some(&outside), 0, 0),
            (None, Some(&task), 1, 2),
            (Some(&outside), Some(&task), 1, 2),
            (Some(&task), Some(&outside), 1, 2),
            (Some(&task), None, 1, 2),
            (Some(&task), Some(&task), 0, 0),
            (Some(&task), Some(&other), 0, 2),
            (Some(&task), Some(&later), 2, 4),
        ] {
            let units = |projection| index_write_units(Change { old, new }, &index(projection));
            assert_eq!(units(Projection::KeysOnly), keys_only, "{old:?} {new:?}");
            assert_eq!(units(Projection::All), all, "{old:?} {new:?}");
        }
    }
}
