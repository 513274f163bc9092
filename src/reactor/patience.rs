//! Whether to look again before going to sleep.
//!
//! To be put to sleep and woken takes the system about as long as a peer on the same machine, or in the same rack, needs
//! for its answer; and a part of that is paid by the peer. So who has seen its last waits end that soon looks a few times
//! more before it sleeps. That costs no more than the sleep would have, and happens only while it mostly succeeds.

use std::time::Duration;

/// For how long to look again and again before sleeping: about what a sleep costs.
const LOOKING: Duration = Duration::from_micros(20);
/// A wait that took no longer, the time for being woken included, might have ended while looking.
const SHORT: Duration = Duration::from_micros(30);

/// What a short wait adds to the score, and what any other takes away.
const GAIN: u8 = 1;
const LOSS: u8 = 4;
/// The score from which on it is worth to look again, and the highest.
const WORTH: u8 = 8;
const MOST: u8 = 16;

/// What the last waits were like.
#[derive(Debug, Default)]
pub(super) struct Patience {
    score: u8,
}

impl Patience {
    /// For how long to look again and again before sleeping.
    pub(super) fn looking(&self) -> Duration {
        if self.score >= WORTH { LOOKING } else { Duration::ZERO }
    }

    /// Notes how long a wait took.
    pub(super) fn note(&mut self, waited: Duration) {
        self.score =
            if waited <= SHORT { (self.score + GAIN).min(MOST) } else { self.score.saturating_sub(LOSS) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_millis(1);

    fn looks_again_after(waits: impl IntoIterator<Item = Duration>) -> bool {
        let mut patience = Patience::default();
        waits.into_iter().for_each(|wait| patience.note(wait));
        !patience.looking().is_zero()
    }

    #[test]
    fn only_after_several_short_waits_it_looks_again() {
        assert!(!looks_again_after([]));
        assert!(!looks_again_after([SHORT; WORTH as usize - 1]));
        assert!(looks_again_after([SHORT; WORTH as usize]));
        assert!(looks_again_after([SHORT; 1000]));
    }

    #[test]
    fn a_few_long_waits_end_it() {
        assert!(!looks_again_after([[SHORT; 1000].as_slice(), &[LONG; 3]].concat()));
        assert!(!looks_again_after([SHORT, LONG].repeat(1000)));
    }

    #[test]
    fn a_long_wait_now_and_then_does_not() {
        let mostly_short = [[SHORT; 8].as_slice(), &[LONG, SHORT, SHORT, SHORT]].concat();
        assert!(looks_again_after(mostly_short.repeat(100)));
    }
}
