//! A bounded table that forgets what was not asked for lately.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// At most as many entries as it was made for. Two halves: what is used moves into the young one, and when that is
/// full, the old one is dropped whole. So an entry in use stays, without a clock or a list.
pub(super) struct Memory<K, V> {
    half: usize,
    halves: Mutex<Halves<K, V>>,
}

struct Halves<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> Memory<K, V> {
    /// Room for `most` entries, at least 2.
    pub(super) fn new(most: usize) -> Self {
        let halves = Halves { young: HashMap::new(), old: HashMap::new() };
        Self { half: (most / 2).max(1), halves: Mutex::new(halves) }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = halves.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = halves.old.remove_entry(key)?;
        self.insert(&mut halves, key, value.clone());
        Some(value)
    }

    pub(super) fn put(&self, key: K, value: V) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.old.remove(&key);
        self.insert(&mut halves, key, value);
    }

    fn insert(&self, halves: &mut Halves<K, V>, key: K, value: V) {
        if halves.young.len() >= self.half && !halves.young.contains_key(&key) {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_grows_beyond_its_bound_and_keeps_what_is_used() {
        let memory = Memory::new(100);
        memory.put(u32::MAX, 7);
        for number in 0..10_000 {
            memory.put(number, 0);
            assert_eq!(memory.get(&u32::MAX), Some(7), "used all the time");
            let halves = memory.halves.lock().unwrap();
            assert!(halves.young.len() + halves.old.len() <= 100);
        }
        assert_eq!(memory.get(&0), None);
        assert_eq!(memory.get(&9_999), Some(0));
    }

    #[test]
    fn the_last_value_counts() {
        let memory = Memory::new(4);
        for round in 0..10 {
            memory.put("same", round);
            memory.put(["a", "b", "c"][round % 3], round);
            assert_eq!(memory.get(&"same"), Some(round));
        }
    }
}
