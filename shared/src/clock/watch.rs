//! Telling when Redis's clock jumps: it must go as the monotonic clock of this process does.

use super::Timestamp;

/// A step of Redis's clock that nobody has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// By how much, in milliseconds; below zero when it was set back.
    pub by_ms: i64,
    /// When it was noticed, by Redis's clock after the jump.
    pub noticed_at: Timestamp,
}

/// Slower changes are corrections; a larger one at once is a mistake until somebody says otherwise.
const JUMP_MS_MIN: i64 = 30_000;

/// The distance between both clocks as it was while it was steady, and the jump away from it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    steady_ms: Option<i64>,
    jump: Option<Jump>,
}

impl Watch {
    /// Takes a measure of the distance.
    pub(super) fn look(&mut self, distance_ms: i64, now: Timestamp) {
        let by_ms = distance_ms - *self.steady_ms.get_or_insert(distance_ms);
        if by_ms.abs() <= JUMP_MS_MIN {
            (self.steady_ms, self.jump) = (Some(distance_ms), None);
        } else {
            let noticed_at = self.jump.map_or(now, |jump| jump.noticed_at);
            self.jump = Some(Jump { by_ms, noticed_at });
        }
    }

    /// The jump, while it lasts.
    pub(super) const fn jump(&self) -> Option<Jump> {
        self.jump
    }

    /// Takes the distance to be the right one from now on.
    pub(super) fn accept(&mut self, distance_ms: i64) {
        (self.steady_ms, self.jump) = (Some(distance_ms), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jumps(distances_ms: &[i64]) -> Vec<Option<i64>> {
        let mut watch = Watch::default();
        let look = |distance_ms: &i64| {
            watch.look(*distance_ms, Timestamp::from_ms(*distance_ms));
            watch.jump().map(|jump| jump.by_ms)
        };
        distances_ms.iter().map(look).collect()
    }

    #[test]
    fn a_jump_is_told_until_the_clock_is_back() {
        assert_eq!(jumps(&[5000, 5100, 65_100, 65_200, 5150]), [None, None, Some(60_000), Some(60_100), None]);
        assert_eq!(jumps(&[5000, -3_600_000]), [None, Some(-3_605_000)]);
    }

    #[test]
    fn a_clock_that_is_corrected_slowly_does_not_jump() {
        let slowly: Vec<i64> = (0..1000).map(|i| i * 20_000).collect();
        assert!(jumps(&slowly).iter().all(Option::is_none));
    }

    #[test]
    fn a_jump_that_is_accepted_is_the_right_time() {
        let mut watch = Watch::default();
        for distance_ms in [0, 60_000] {
            watch.look(distance_ms, Timestamp::from_ms(distance_ms));
        }
        assert_eq!(watch.jump().map(|jump| jump.noticed_at), Some(Timestamp::from_ms(60_000)));
        watch.accept(60_000);
        watch.look(60_100, Timestamp::from_ms(60_100));
        assert_eq!(watch.jump(), None);
    }
}
