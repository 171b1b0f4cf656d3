//! The times of day of a schedule: three bit sets, searched without branches on their size.

use super::plain::Bits;

/// Seconds, minutes and hours; none of them is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Times {
    seconds: u64,
    minutes: u64,
    hours: u32,
}

const HOURS_ALL: u32 = (1 << 24) - 1;

impl Times {
    pub(super) const fn new(seconds: &Bits, minutes: &Bits, hours: &Bits) -> Self {
        Self { seconds: seconds[0], minutes: minutes[0], hours: hours[0] as u32 }
    }

    /// Runs in every hour of its days, and so is tied to none.
    pub(super) const fn every_hour(&self) -> bool {
        self.hours == HOURS_ALL
    }

    /// The first time of a day.
    pub(super) const fn first(&self) -> u32 {
        second_of(self.hours.trailing_zeros(), self.minutes.trailing_zeros(), self.seconds.trailing_zeros())
    }

    /// The last time of a day.
    pub(super) const fn last(&self) -> u32 {
        second_of(top(self.hours as u64), top(self.minutes), top(self.seconds))
    }

    /// The first time at or after a second of the day.
    pub(super) const fn from(&self, second: u32) -> Option<u32> {
        let (h, m, s) = clock_of(second);
        if self.hours >> h & 1 == 1 {
            if self.minutes >> m & 1 == 1 {
                let rest = self.seconds >> s;
                if rest != 0 {
                    return Some(second + rest.trailing_zeros());
                }
            }
            let rest = self.minutes & above(m);
            if rest != 0 {
                return Some(second_of(h, rest.trailing_zeros(), self.seconds.trailing_zeros()));
            }
        }
        let rest = self.hours as u64 & above(h);
        if rest == 0 {
            return None;
        }
        Some(second_of(rest.trailing_zeros(), self.minutes.trailing_zeros(), self.seconds.trailing_zeros()))
    }

    /// The last time at or before a second of the day.
    pub(super) const fn until(&self, second: u32) -> Option<u32> {
        let (h, m, s) = clock_of(second);
        if self.hours >> h & 1 == 1 {
            if self.minutes >> m & 1 == 1 {
                let rest = self.seconds & !above(s);
                if rest != 0 {
                    return Some(second_of(h, m, top(rest)));
                }
            }
            let rest = self.minutes & below(m);
            if rest != 0 {
                return Some(second_of(h, top(rest), top(self.seconds)));
            }
        }
        let rest = self.hours as u64 & below(h);
        if rest == 0 {
            return None;
        }
        Some(second_of(top(rest), top(self.minutes), top(self.seconds)))
    }

    /// How many times a day has.
    pub(super) fn count(&self) -> u64 {
        self.count_in_hour() * u64::from(self.hours.count_ones())
    }

    /// How many times a day has before a second of it, which may be the day's end.
    pub(super) fn count_before(&self, second: u32) -> u64 {
        let (h, m, s) = clock_of(second);
        let mut count = self.count_in_hour() * ones(u64::from(self.hours) & below(h));
        if h < 24 && self.hours >> h & 1 == 1 {
            count += ones(self.minutes & below(m)) * ones(self.seconds);
            count += (self.minutes >> m & 1) * ones(self.seconds & below(s));
        }
        count
    }

    fn count_in_hour(&self) -> u64 {
        ones(self.minutes) * ones(self.seconds)
    }
}

const fn clock_of(second: u32) -> (u32, u32, u32) {
    (second / 3600, second / 60 % 60, second % 60)
}

const fn second_of(h: u32, m: u32, s: u32) -> u32 {
    h * 3600 + m * 60 + s
}

/// The bits above one; shifted twice, because a shift by 64 is none.
const fn above(bit: u32) -> u64 {
    u64::MAX << bit << 1
}

const fn below(bit: u32) -> u64 {
    (1 << bit) - 1
}

const fn top(bits: u64) -> u32 {
    63 - bits.leading_zeros()
}

const fn ones(bits: u64) -> u64 {
    bits.count_ones() as u64
}
