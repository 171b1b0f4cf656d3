//! What a server says of itself, and what is to be thought of it.

use std::collections::HashMap;

use super::{Finding, Grade};

const VERSION_MIN: (u64, u64) = (7, 0);

/// The fields of `INFO`.
pub(super) struct Server<'a>(HashMap<&'a str, &'a str>);

impl<'a> Server<'a> {
    pub(super) fn read(info: &'a str) -> Self {
        Self(info.lines().filter_map(|line| line.trim().split_once(':')).collect())
    }

    fn field(&self, name: &str) -> &'a str {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Scripts with flags, which the store relies on, came with 7.0.
    pub(super) fn version(&self) -> Finding {
        let version = self.field("redis_version");
        let mut numbers = version.split('.').map(|number| number.parse::<u64>().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(major), Some(minor)) if (major, minor) >= VERSION_MIN => {
                Finding::new("version", Grade::Fine, version)
            }
            (Some(_), _) => {
                Finding::new("version", Grade::Refused, format!("Redis {version} is too old: 7.0 is needed"))
            }
            _ => Finding::new("version", Grade::Unknown, "INFO does not name it"),
        }
    }

    /// What happens when memory is full.
    pub(super) fn memory(&self) -> Finding {
        let policy = self.field("maxmemory_policy");
        let unlimited = self.field("maxmemory") == "0";
        match policy {
            "" => Finding::new("memory", Grade::Unknown, "INFO does not name the eviction policy"),
            "noeviction" if unlimited => Finding::new("memory", Grade::Fine, "noeviction, without a limit"),
            "noeviction" => {
                Finding::new("memory", Grade::Fine, "noeviction: when memory is full, new jobs are refused")
            }
            policy if unlimited => {
                let told = format!("{policy} would evict jobs as soon as maxmemory is set: set noeviction before");
                Finding::new("memory", Grade::Risky, told)
            }
            policy if policy.starts_with("volatile") => Finding::new(
                "memory",
                Grade::Refused,
                format!(
                    "maxmemory-policy {policy} evicts the leader lock and unique jobs when memory is full: set noeviction"
                ),
            ),
            policy => Finding::new(
                "memory",
                Grade::Refused,
                format!("maxmemory-policy {policy} evicts jobs and cron entries when memory is full: set noeviction"),
            ),
        }
    }

    /// What a crash forgets. `saves` is the setting `save`, if it may be known.
    pub(super) fn persistence(&self, saves: Option<&str>) -> Finding {
        if self.field("aof_enabled") == "1" {
            return Finding::new("persistence", Grade::Fine, "append-only file");
        }
        let (grade, told) = match saves {
            Some("") => (Grade::Risky, "none: a restart of Redis forgets every job; set appendonly yes"),
            Some(_) => (Grade::Risky, "snapshots only: a crash forgets what came after the last; set appendonly yes"),
            None if self.field("aof_enabled").is_empty() => (Grade::Unknown, "INFO does not name it"),
            None => (Grade::Risky, "no append-only file, and whether snapshots are taken could not be checked"),
        };
        Finding::new("persistence", grade, told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grades(info: &str, saves: Option<&str>) -> [Grade; 3] {
        let server = Server::read(info);
        [server.version(), server.memory(), server.persistence(saves)].map(|finding| finding.grade)
    }

    #[test]
    fn each_state_of_a_server_has_its_grade() {
        use Grade::{Fine, Refused, Risky, Unknown};
        let cases = [
            (
                "redis_version:7.0.15\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n",
                Some(""),
                [Fine, Fine, Fine],
            ),
            (
                "redis_version:8.2.1\r\nmaxmemory:9\r\nmaxmemory_policy:noeviction\r\naof_enabled:0\r\n",
                Some(""),
                [Fine, Fine, Risky],
            ),
            (
                "redis_version:6.2.14\r\nmaxmemory:9\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:0\r\n",
                None,
                [Refused, Refused, Risky],
            ),
            (
                "redis_version:7.2.4\r\nmaxmemory:9\r\nmaxmemory_policy:volatile-ttl\r\naof_enabled:0\r\n",
                Some("3600 1"),
                [Fine, Refused, Risky],
            ),
            (
                "redis_version:7.2.4\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:1\r\n",
                None,
                [Fine, Risky, Fine],
            ),
            ("", None, [Unknown, Unknown, Unknown]),
        ];
        for (info, saves, expected) in cases {
            assert_eq!(grades(info, saves), expected, "{info}");
        }
    }
}
