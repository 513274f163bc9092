//! Whether to look again before going to sleep.
//!
//! To be put to sleep and woken takes the system about as long as a peer on the same machine needs for its answer, and
//! a part of that is paid by the peer. So who has seen its last waits end soon looks again and again for as long as a
//! sleep would take. That is in vain when the peer needs longer, and worse when somebody else needs the processor; then
//! it is not done again for a while, which is longer each time.

use std::time::Duration;

/// For how long to look before sleeping. A peer that has to be woken first can answer in that time; once both look, it
/// takes a fraction.
const LOOKING: Duration = Duration::from_micros(20);
/// For how long not to look when a stream comes: what comes meanwhile is received together, and whoever sends is not held up
/// by telling of each piece. To encrypt a record of TLS takes a little longer.
pub(super) const GATHERING: Duration = Duration::from_micros(5);
/// What has been found by then was worth it: a sleep takes the processor as long.
const CHEAP: Duration = Duration::from_micros(12);
/// A sleep that took no longer, being woken included, might have been spent looking. What was found later by looking was
/// there before: somebody else had the processor.
const SHORT: Duration = Duration::from_micros(40);

/// How many short sleeps in a row make it worth to look.
const WORTH: u32 = 8;
/// What looking may cost in vain before it ends. It gains one point when it was cheap.
const CREDIT: u32 = 8;
const DEAR: u32 = 1;
const VAIN: u32 = 3;

/// For how many waits nobody looks when that has ended: at first, and at most.
const LEAST: u32 = 16;
const MOST: u32 = 16 * 1024;

/// What the last waits were like.
#[derive(Debug)]
pub(super) struct Patience {
    /// How many short sleeps there were in a row.
    short: u32,
    /// What is left of the credit.
    credit: u32,
    /// For how many waits there is no looking.
    rest: u32,
    /// For how many there will be none when it ends the next time.
    penalty: u32,
    /// How often it was cheap since it ended the last time.
    cheap: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { short: 0, credit: CREDIT, rest: 0, penalty: LEAST, cheap: 0 }
    }
}

impl Patience {
    /// For how long to look before sleeping.
    pub(super) fn looking(&self) -> Duration {
        if self.short >= WORTH && self.rest == 0 { LOOKING } else { Duration::ZERO }
    }

    /// Notes a sleep before which nobody looked.
    pub(super) fn slept(&mut self, time: Duration) {
        self.rest = self.rest.saturating_sub(1);
        self.short = if time <= SHORT { self.short.saturating_add(1) } else { 0 };
    }

    /// Notes that what was waited for has been found by looking, in this time.
    pub(super) fn found(&mut self, time: Duration) {
        if time > SHORT {
            self.pay(CREDIT);
        } else if time > CHEAP {
            self.pay(DEAR);
        } else {
            self.credit = (self.credit + 1).min(CREDIT);
            self.cheap += 1;
            if self.cheap >= self.penalty {
                self.cheap = 0;
                self.penalty = (self.penalty / 2).max(LEAST);
            }
        }
    }

    /// Notes that it has not been found.
    pub(super) fn looked_in_vain(&mut self) {
        self.pay(VAIN);
    }

    /// Takes from the credit, and ends looking when that is used up.
    fn pay(&mut self, price: u32) {
        self.credit = self.credit.saturating_sub(price);
        if self.credit == 0 {
            let penalty = (self.penalty * 2).min(MOST);
            *self = Patience { rest: self.penalty, penalty, ..Patience::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONG: Duration = Duration::from_millis(1);

    fn looks(patience: &Patience) -> bool {
        !patience.looking().is_zero()
    }

    /// Sleeps briefly until it is worth to look. Returns how often that was.
    fn sleep_until_it_looks(patience: &mut Patience) -> u32 {
        let mut sleeps = 0;
        while !looks(patience) {
            patience.slept(SHORT);
            sleeps += 1;
        }
        sleeps
    }

    /// Looks until that is no longer worth it. Returns how often that was.
    fn look_in_vain(patience: &mut Patience) -> u32 {
        let mut looked = 0;
        while looks(patience) {
            patience.looked_in_vain();
            looked += 1;
        }
        looked
    }

    #[test]
    fn short_sleeps_in_a_row_make_it_look() {
        let mut patience = Patience::default();
        assert_eq!(sleep_until_it_looks(&mut patience), WORTH);
        let mut patience = Patience::default();
        patience.slept(SHORT);
        patience.slept(LONG);
        assert_eq!(sleep_until_it_looks(&mut patience), WORTH);
    }

    #[test]
    fn as_long_as_it_finds_something_soon_it_goes_on() {
        let mut patience = Patience::default();
        sleep_until_it_looks(&mut patience);
        for _ in 0..1000 {
            patience.found(CHEAP);
            patience.found(LOOKING);
            assert!(looks(&patience));
        }
        patience.found(CHEAP);
        for _ in 0..CREDIT {
            assert!(looks(&patience));
            patience.found(LOOKING);
        }
        assert!(!looks(&patience));
    }

    #[test]
    fn what_is_in_vain_is_done_less_and_less() {
        let mut patience = Patience::default();
        let mut last = sleep_until_it_looks(&mut patience);
        for _ in 0..5 {
            assert_eq!(look_in_vain(&mut patience), CREDIT.div_ceil(VAIN));
            let sleeps = sleep_until_it_looks(&mut patience);
            assert!(sleeps > last);
            last = sleeps;
        }
        // It ends at once when somebody else needs the processor.
        patience.found(LONG);
        assert!(sleep_until_it_looks(&mut patience) > last);
    }

    #[test]
    fn success_makes_up_for_it() {
        let mut patience = Patience::default();
        for _ in 0..20 {
            sleep_until_it_looks(&mut patience);
            look_in_vain(&mut patience);
        }
        assert_eq!(sleep_until_it_looks(&mut patience), MOST);
        for _ in 0..10 * MOST {
            patience.found(CHEAP);
        }
        look_in_vain(&mut patience);
        assert_eq!(sleep_until_it_looks(&mut patience), LEAST);
    }

    proptest! {
        /// Whatever happens, of many waits with nothing to be found few are spent looking.
        #[test]
        fn the_price_is_bounded(sleeps in proptest::collection::vec(0u64..60, 1..200)) {
            let mut patience = Patience::default();
            let mut vain = 0;
            for &microseconds in sleeps.iter().cycle().take(10_000) {
                if looks(&patience) {
                    patience.looked_in_vain();
                    vain += 1;
                } else {
                    patience.slept(Duration::from_micros(microseconds));
                }
            }
            prop_assert!(vain <= 40, "{vain}");
        }
    }
}
