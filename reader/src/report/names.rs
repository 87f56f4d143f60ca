//! Names that many rows share, kept in limited memory.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Maximum number of different names.
const NAMES: usize = 200_000;
/// Maximum length of a name in bytes. A longer name is cut. The details of an exec have the whole
/// name.
const LONGEST: usize = 300;
/// Stands for all names above the maximum number.
const OTHERS: &str = "(other programs)";

/// Names, and their numbers.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<Box<str>, u32, RandomState>,
    in_order: Vec<Box<str>>,
}

impl Names {
    /// The number of a name.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        if name.len() > LONGEST {
            let end = name.floor_char_boundary(LONGEST - '…'.len_utf8());
            let cut = format!("{}…", name.get(..end).unwrap_or_default());
            return self.number(&cut);
        }
        if self.in_order.len() >= NAMES && name != OTHERS {
            return self.number(OTHERS);
        }
        let number = u32::try_from(self.in_order.len()).unwrap_or(0);
        self.numbers.insert(name.into(), number);
        self.in_order.push(name.into());
        number
    }

    /// The names, in the order of their numbers.
    pub(super) fn in_order(&self) -> &[Box<str>] {
        &self.in_order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_has_the_same_number_and_memory_is_limited() {
        let mut names = Names::default();
        assert_eq!(names.number("/bin/sh"), 0);
        assert_eq!(names.number(&"é".repeat(1_000)), 1);
        assert_eq!(names.number(&"é".repeat(2_000)), 1);
        assert_eq!(names.number("/bin/sh"), 0);
        for number in 0..NAMES + 5 {
            names.number(&format!("/{number}"));
        }
        assert_eq!(names.in_order().len(), NAMES + 1);
        assert_eq!(names.in_order().last().map(|name| &**name), Some(OTHERS));
        assert!(names.in_order().iter().all(|name| name.len() <= LONGEST));
    }
}
