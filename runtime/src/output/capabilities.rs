//! The names of capabilities.

/// The names of the capabilities in `set`, by number (include/uapi/linux/capability.h). A
/// capability that is newer than this program has the name `CAP_` and its number.
pub(super) fn names_of(set: u64) -> impl Iterator<Item = String> {
    let known = caps::all();
    let name = move |number: u8| {
        let capability = known.iter().find(|known| known.index() == number);
        capability.map_or_else(|| format!("CAP_{number}"), ToString::to_string)
    };
    (0..64)
        .filter(move |number| set >> number & 1 != 0)
        .map(name)
}

#[cfg(test)]
mod tests {
    use super::names_of;

    #[test]
    fn each_bit_has_a_name() {
        let names: Vec<_> = names_of(1 << 13 | 1 << 39 | 1 << 63).collect();
        assert_eq!(names, ["CAP_NET_RAW", "CAP_BPF", "CAP_63"]);
    }
}
