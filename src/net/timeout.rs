//! LuaSocket's two timeouts, and how long the next wait may take.

use std::time::Duration;

/// Limits beyond this many seconds are none: about 2^31 milliseconds.
const LONGEST: f64 = 2_147_483.647;

/// The limits set by `settimeout`, in seconds; negative means none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timeouts {
    /// The limit of one operation (mode `"b"`).
    pub block: f64,
    /// The limit since the operation began, whatever it does meanwhile (mode `"t"`).
    pub total: f64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { block: -1.0, total: -1.0 }
    }
}

impl Timeouts {
    /// Whether an operation may wait as long as it takes.
    pub fn are_unlimited(&self) -> bool {
        self.block < 0.0 && self.total < 0.0
    }

    /// Whether an operation must answer at once.
    pub fn forbid_waiting(&self) -> bool {
        self.block == 0.0
    }

    /// How long the next wait of an operation may take that began `elapsed` ago; `None` for ever.
    ///
    /// | block | total | limit |
    /// |---|---|---|
    /// | none | none | none |
    /// | none | set | what is left of total |
    /// | set | none | what is left of block |
    /// | set | set | the smaller of block and what is left of total |
    pub fn next_wait(&self, elapsed: Duration) -> Option<Duration> {
        let elapsed = elapsed.as_secs_f64();
        let limit = match (self.block >= 0.0, self.total >= 0.0) {
            (false, false) => return None,
            (false, true) => self.total - elapsed,
            (true, false) => self.block - elapsed,
            (true, true) => self.block.min(self.total - elapsed),
        };
        // NaN compares as neither and means no limit, as does anything that C's poll cannot count.
        if limit.is_nan() || limit > LONGEST {
            return None;
        }
        let milliseconds = (limit.max(0.0) * 1000.0).floor();
        Some(Duration::from_millis(milliseconds as u64))
    }

    /// How long an operation may go on waiting that waits only once, however often it looks.
    pub fn only_wait(&self, elapsed: Duration) -> Option<Duration> {
        let both = self.block >= 0.0 && self.total >= 0.0;
        let limit = if both { self.block.min(self.total) } else { self.block.max(self.total) };
        Timeouts { block: limit, total: -1.0 }.next_wait(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(block: f64, total: f64, elapsed: u64) -> Option<u128> {
        let timeouts = Timeouts { block, total };
        timeouts.next_wait(Duration::from_millis(elapsed)).map(|wait| wait.as_millis())
    }

    #[test]
    fn negative_is_no_limit() {
        assert_eq!(wait(-1.0, -1.0, 500), None);
    }

    #[test]
    fn either_alone_is_a_deadline_for_the_whole_operation() {
        assert_eq!(wait(1.0, -1.0, 250), Some(750));
        assert_eq!(wait(-1.0, 1.0, 250), Some(750));
        assert_eq!(wait(1.0, -1.0, 1250), Some(0));
    }

    #[test]
    fn with_both_block_limits_each_wait() {
        assert_eq!(wait(1.0, 5.0, 2000), Some(1000));
        assert_eq!(wait(1.0, 5.0, 4500), Some(500));
        assert_eq!(wait(1.0, 5.0, 6000), Some(0));
    }

    #[test]
    fn one_wait_is_bounded_by_both_from_its_beginning() {
        let only = |block, total, elapsed| {
            let wait = Timeouts { block, total }.only_wait(Duration::from_millis(elapsed));
            wait.map(|wait| wait.as_millis())
        };
        assert_eq!(only(-1.0, -1.0, 500), None);
        assert_eq!(only(1.0, -1.0, 250), Some(750));
        assert_eq!(only(-1.0, 1.0, 250), Some(750));
        assert_eq!(only(1.0, 5.0, 250), Some(750));
        assert_eq!(only(5.0, 1.0, 250), Some(750));
        assert_eq!(only(1.0, 5.0, 1250), Some(0));
        assert_eq!(only(0.0, 5.0, 0), Some(0));
    }

    #[test]
    fn waits_are_cut_to_whole_milliseconds_and_huge_ones_to_none() {
        assert_eq!(wait(0.0005, -1.0, 0), Some(0));
        assert_eq!(wait(f64::INFINITY, -1.0, 0), None);
        assert_eq!(wait(1e10, -1.0, 0), None);
        assert_eq!(wait(f64::NAN, -1.0, 0), None);
    }
}
