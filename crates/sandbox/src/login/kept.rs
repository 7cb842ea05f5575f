//! Named things of which only the latest are kept, so that memory is bounded.

use std::collections::{HashMap, VecDeque};

/// Things of one sort at most; the oldest go first.
const MOST: usize = 20_000;

/// Things by their names.
#[derive(Debug)]
pub(super) struct Kept<T> {
    by_name: HashMap<String, T>,
    /// Oldest first; names of things that were taken stand here until their turn comes.
    order: VecDeque<String>,
}

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept { by_name: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Kept<T> {
    pub(super) fn keep(&mut self, name: String, thing: T) {
        if self.order.len() >= MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_name.remove(&oldest);
        }
        self.order.push_back(name.clone());
        self.by_name.insert(name, thing);
    }

    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.by_name.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.by_name.get_mut(name)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<T> {
        self.by_name.remove(name)
    }

    pub(super) fn retain(&mut self, fits: impl Fn(&T) -> bool) {
        self.by_name.retain(|_, thing| fits(thing));
        self.order.retain(|name| self.by_name.contains_key(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept() {
        let mut kept = Kept::default();
        for number in 0..MOST + 2 {
            kept.keep(number.to_string(), number);
        }
        assert_eq!((kept.get("1"), kept.get("2"), kept.by_name.len()), (None, Some(&2), MOST));
        assert_eq!(kept.take("2"), Some(2));
        assert_eq!(kept.take("2"), None);
        kept.retain(|number| *number == 7);
        assert_eq!((kept.by_name.len(), kept.order.len()), (1, 1));
    }
}
