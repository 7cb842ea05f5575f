//! Tags that an official account gives to its followers.
//!
//! Made and given by the APIs below `/cgi-bin/tags/`. Source: "User tag management" of the official account docs: 100 tags
//! an account, 20 a follower, names of at most 30 bytes.

use std::collections::BTreeMap;

/// Tags of one account at most, without the one that every account has.
const MOST: usize = 100;
/// Longest name, in bytes. The docs say 30 characters in one place and 30 bytes in another.
const LONGEST_NAME: usize = 30;
/// Tags of one follower at most.
pub(crate) const MOST_OF_ONE: usize = 20;
/// The tag that every account has from the start.
const STARRED: (u64, &str) = (2, "星标组");
/// The number of the first tag that an account makes.
const FIRST: u64 = 100;

/// The tags of one account, by number.
#[derive(Debug)]
pub(crate) struct Tags {
    names: BTreeMap<u64, String>,
    next: u64,
}

impl Default for Tags {
    fn default() -> Tags {
        let (id, name) = STARRED;
        Tags { names: BTreeMap::from([(id, name.to_owned())]), next: FIRST }
    }
}

impl Tags {
    /// Makes a tag and gives its number.
    ///
    /// # Errors
    /// The errcode: 45158 too long, 45157 empty or known, 45056 too many.
    pub(crate) fn create(&mut self, name: &str) -> Result<u64, i64> {
        if name.len() > LONGEST_NAME {
            return Err(45158);
        }
        if name.is_empty() || self.names.values().any(|known| known == name) {
            return Err(45157);
        }
        if self.names.len() > MOST {
            return Err(45056);
        }
        let id = self.next;
        self.next += 1;
        self.names.insert(id, name.to_owned());
        Ok(id)
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.names.contains_key(&id)
    }

    /// Numbers and names.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, &str)> {
        self.names.iter().map(|(id, name)| (*id, name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_unique_and_there_are_100() {
        let mut tags = Tags::default();
        assert_eq!(tags.create("广东"), Ok(100));
        assert_eq!(tags.create("广东"), Err(45157));
        assert_eq!(tags.create("星标组"), Err(45157));
        assert_eq!(tags.create(""), Err(45157));
        assert_eq!(tags.create(&"你".repeat(10)), Ok(101));
        assert_eq!(tags.create(&"你".repeat(11)), Err(45158));
        for number in 2..MOST {
            assert!(tags.create(&number.to_string()).is_ok());
        }
        assert_eq!(tags.create("one more"), Err(45056));
        assert!(tags.has(2) && tags.has(199) && !tags.has(200));
    }
}
