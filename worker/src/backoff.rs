//! Delays that grow, have a ceiling, and are spread so that those who fail together do not come back together.

use std::time::Duration;

/// The delay after the `n`-th failure (0-based): `first · 2^n`, at most `ceiling`, then spread over ±25 % by `chance` in
/// `[0, 1)`.
pub(crate) fn delay(first: Duration, ceiling: Duration, n: u32, chance: f64) -> Duration {
    let grown = first.saturating_mul(2_u32.saturating_pow(n.min(31))).min(ceiling);
    spread(grown, chance)
}

/// `duration` spread over ±25 %.
pub(crate) fn spread(duration: Duration, chance: f64) -> Duration {
    duration.mul_f64(0.75 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use carillon_shared::id::chance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn delays_double_up_to_the_ceiling() {
        let delays: Vec<_> =
            [0, 1, 2, 5, 6, 7, 40, u32::MAX].map(|n| delay(SECOND, SECOND * 60, n, 0.5).as_secs()).into();
        assert_eq!(delays, [1, 2, 4, 32, 60, 60, 60, 60]);
    }

    #[test]
    fn delays_are_spread_by_a_quarter() {
        assert_eq!(spread(SECOND, 0.0), Duration::from_millis(750));
        assert!(spread(SECOND, 0.999) < Duration::from_millis(1250));
        assert!((0.0..1.0).contains(&chance()));
    }
}
