//! Columns of numbers, in a form that compresses well and that a browser decodes fast.

use serde::Serialize;

/// What a browser needs to decode a column.
#[derive(Debug, Serialize)]
pub(super) struct Shape {
    name: &'static str,
    /// Number of values.
    length: usize,
    /// Number of bytes of each value. The column has the lowest byte of all values, then the next
    /// byte of all values, and so on.
    planes: u32,
    /// Whether the column stores the difference of each value from the value before it, with the
    /// sign in the lowest bit.
    is_delta: bool,
}

/// Columns, one after the other.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) shapes: Vec<Shape>,
    pub(super) bytes: Vec<u8>,
}

impl Columns {
    /// Adds a column whose neighboring values differ much.
    pub(super) fn plain(
        &mut self,
        name: &'static str,
        values: impl ExactSizeIterator<Item = u64> + Clone,
    ) {
        self.add(name, values, false);
    }

    /// Adds a column whose neighboring values are close. Differences must be below 2^52. A
    /// browser's numbers represent such a difference with its sign exactly.
    pub(super) fn delta(
        &mut self,
        name: &'static str,
        values: impl ExactSizeIterator<Item = i64> + Clone,
    ) {
        let mut before = 0;
        let differences = values.map(move |value| {
            let difference = value.wrapping_sub(before);
            before = value;
            // Moves the sign to the lowest bit, like ZigZag in protobuf.
            ((difference << 1) ^ (difference >> 63)).cast_unsigned()
        });
        self.add(name, differences, true);
    }

    fn add(
        &mut self,
        name: &'static str,
        values: impl ExactSizeIterator<Item = u64> + Clone,
        is_delta: bool,
    ) {
        let all = values.clone().fold(0, |all, value| all | value);
        let planes = (u64::BITS - all.leading_zeros()).div_ceil(8);
        self.bytes.reserve(values.len() * planes as usize);
        for plane in 0..planes {
            let byte = |value: u64| value.to_le_bytes().get(plane as usize).copied();
            let plane = values.clone().map(|value| byte(value).unwrap_or(0));
            self.bytes.extend(plane);
        }
        self.shapes.push(Shape {
            name,
            length: values.len(),
            planes,
            is_delta,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_as_many_planes_as_its_values_need() {
        let mut columns = Columns::default();
        columns.plain("a", [1_u64, 0x203].into_iter());
        columns.delta("b", [100_i64, 99, 101].into_iter());
        columns.plain("zeros", [0_u64, 0].into_iter());
        // The values of `b` are stored as the differences 100, -1 and 2.
        assert_eq!(columns.bytes, [1, 3, 0, 2, 200, 1, 4]);
        let shape = serde_json::to_string(&columns.shapes[1]).unwrap();
        assert_eq!(
            shape,
            r#"{"name":"b","length":3,"planes":1,"is_delta":true}"#
        );
        assert_eq!(columns.shapes[2].planes, 0);
    }
}
