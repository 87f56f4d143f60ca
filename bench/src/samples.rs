//! Several measurements of one value: their median, and their spread.

use serde::Serialize;

/// Measurements in the order in which they were made.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Samples(pub(crate) Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// The quantile of `share` (0 to 1); `None` without measurements.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let sorted = self.sorted();
        let last = sorted.len().checked_sub(1)?;
        sorted.get((last as f64 * share).round() as usize).copied()
    }

    /// The value in the middle; if there are two, the larger one.
    pub(crate) fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// `median (least–most)` with `digits` decimal places.
    pub(crate) fn shown(&self, digits: usize) -> String {
        match (self.quantile(0.0), self.median(), self.quantile(1.0)) {
            (Some(least), Some(median), Some(most)) if self.0.len() > 1 => {
                format!("{median:.digits$} ({least:.digits$}–{most:.digits$})")
            }
            (_, Some(median), _) => format!("{median:.digits$}"),
            _ => "–".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends_are_shown() {
        let samples = Samples(vec![3.0, 1.0, 2.0]);
        assert_eq!(samples.shown(1), "2.0 (1.0–3.0)");
        assert_eq!(Samples(vec![4.0]).shown(0), "4");
        assert_eq!(Samples::default().shown(0), "–");
    }
}
