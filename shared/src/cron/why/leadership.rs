//! Who led when, and when nobody did.

use serde::Serialize;

use crate::clock::Timestamp;

/// One leadership, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leadership {
    /// Who led.
    pub instance: String,
    /// Since when.
    pub since: Timestamp,
    /// When it last gave a sign of life: every third of the leader ttl.
    pub seen_at: Timestamp,
    /// When it stepped down; `None` when it leads, or when it was not heard of again.
    pub until: Option<Timestamp>,
    /// Whether it leads now.
    pub leads: bool,
}

/// The latest leaderships, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Leaderships(pub Vec<Leadership>);

/// A time without a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Vacancy {
    /// When the leader before it stepped down, or was last heard of.
    pub from: Timestamp,
    /// When somebody led again; `None` if nobody does.
    pub to: Option<Timestamp>,
    /// Whether the leader before it stepped down; otherwise it fell silent.
    pub stepped_down: bool,
}

impl Leaderships {
    /// Who leads now.
    #[must_use]
    pub fn leader(&self) -> Option<&Leadership> {
        self.0.first().filter(|term| term.leads)
    }

    /// Who led at an instant, as far as is remembered.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Option<&Leadership> {
        self.0.iter().find(|term| term.since <= at && (term.leads || at <= term.end()))
    }

    /// The last time without a leader that touches the span from one instant to another.
    #[must_use]
    pub fn vacancy_between(&self, from: Timestamp, to: Timestamp) -> Option<Vacancy> {
        self.vacancies().find(|gap| gap.from <= to && gap.to.is_none_or(|end| end >= from))
    }

    /// The times without a leader, the newest first; what was before the oldest leadership is not known.
    fn vacancies(&self) -> impl Iterator<Item = Vacancy> + '_ {
        let until = |i: usize| i.checked_sub(1).and_then(|newer| self.0.get(newer)).map(|newer| newer.since);
        let ended = self.0.iter().enumerate().filter(|(_, term)| !term.leads);
        ended.map(move |(i, term)| Vacancy { from: term.end(), to: until(i), stepped_down: term.until.is_some() })
    }
}

impl Leadership {
    fn end(&self) -> Timestamp {
        self.until.unwrap_or(self.seen_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(instance: &str, since: i64, seen_at: i64, until: Option<i64>) -> Leadership {
        Leadership {
            instance: instance.to_owned(),
            since: Timestamp::from_ms(since),
            seen_at: Timestamp::from_ms(seen_at),
            until: until.map(Timestamp::from_ms),
            leads: false,
        }
    }

    fn vacancy(from: i64, to: Option<i64>, stepped_down: bool) -> Option<Vacancy> {
        Some(Vacancy { from: Timestamp::from_ms(from), to: to.map(Timestamp::from_ms), stepped_down })
    }

    #[test]
    fn the_time_between_two_leaders_is_a_vacancy_and_so_is_that_after_the_last() {
        let mut terms =
            Leaderships(vec![term("c", 300, 350, None), term("b", 200, 250, None), term("a", 100, 150, Some(160))]);
        let between =
            |terms: &Leaderships, from, to| terms.vacancy_between(Timestamp::from_ms(from), Timestamp::from_ms(to));
        assert_eq!(between(&terms, 170, 180), vacancy(160, Some(200), true));
        assert_eq!(between(&terms, 260, 310), vacancy(250, Some(300), false));
        assert_eq!(between(&terms, 400, 500), vacancy(350, None, false));
        assert_eq!(between(&terms, 110, 120), None, "somebody led");
        assert_eq!(between(&terms, 10, 20), None, "not known");
        terms.0[0].leads = true;
        assert_eq!(between(&terms, 400, 500), None);
        assert_eq!(terms.leader().map(|term| term.instance.as_str()), Some("c"));
        let at = |ms| terms.at(Timestamp::from_ms(ms)).map(|term| term.instance.as_str());
        assert_eq!((at(120), at(180), at(200), at(999)), (Some("a"), None, Some("b"), Some("c")));
    }
}
