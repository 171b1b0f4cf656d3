//! Where a producer may say something: at the top level of its job, or within `options`, which win where both speak (but for
//! `meta`).

use std::time::Duration;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::retry::RetryPolicy;
use super::{Refusal, UniquePolicy};
use crate::clock::Timestamp;

pub(super) const TAGS_MAX: usize = 50;
pub(super) const TAG_CHARS_MAX: usize = 255;

/// The two places.
pub(super) struct Said<'a> {
    pub(super) top: Fields<'a>,
    pub(super) options: Fields<'a>,
}

/// An object, and where it stands.
type Placed<'a> = (&'a Map<String, Value>, String);

impl<'a> Said<'a> {
    pub(super) fn read<T>(
        &self,
        read: impl Fn(&Fields<'a>) -> Result<Option<T>, Refusal>,
    ) -> Result<Option<T>, Refusal> {
        Ok(read(&self.options)?.or(read(&self.top)?))
    }

    /// A duration in the one or the other unit.
    pub(super) fn duration(&self, name: &str) -> Result<Option<Duration>, Refusal> {
        self.read(|fields| milliseconds(fields, name))
    }

    /// `meta`, with what `options` adds; the top level wins.
    pub(super) fn meta(&self) -> Result<Map<String, Value>, Refusal> {
        let mut meta = self.options.object("metadata")?.cloned().unwrap_or_default();
        meta.extend(self.options.object("meta")?.cloned().unwrap_or_default());
        meta.extend(self.top.object("meta")?.cloned().unwrap_or_default());
        Ok(meta)
    }

    pub(super) fn scheduled_at(&self, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        self.read(|fields| {
            for name in ["scheduled_at", "delay_until", "delay"] {
                if let Some(at) = fields.instant(name, now)? {
                    return Ok(Some(at));
                }
            }
            Ok(None)
        })
    }

    pub(super) fn expires_at(&self, now: Timestamp) -> Result<Option<(Timestamp, String)>, Refusal> {
        self.read(|fields| {
            if let Some(ttl_ms) = fields.integer("ttl_ms", 1, i64::MAX)? {
                let at = now + Duration::from_millis(ttl_ms.unsigned_abs());
                return Ok(Some((at, at.to_string())));
            }
            for name in ["expires_at", "ttl", "enqueue_ttl"] {
                let Some(at) = fields.instant(name, now)? else { continue };
                // An absolute time is echoed as it was written.
                let written = fields.text(name)?.filter(|text| text.parse::<Timestamp>().is_ok());
                return Ok(Some((at, written.map_or_else(|| at.to_string(), str::to_owned))));
            }
            Ok(None)
        })
    }

    pub(super) fn retry(&self) -> Result<RetryPolicy, Refusal> {
        let mut policy = RetryPolicy::default();
        for fields in [&self.top, &self.options] {
            let path = fields.path_of("retry");
            if let Some(map) =
                fields.object("retry").map_err(|refusal| Refusal::retry(refusal.field, refusal.message))?
            {
                policy = RetryPolicy::parse(map, &path)?;
            }
        }
        // It is part of the policy wherever it stands.
        let most = self.read(|fields| fields.integer("max_attempts", 0, 1000));
        if let Some(most) = most.map_err(|refusal| Refusal::retry(refusal.field, refusal.message))? {
            policy.max_attempts = u32::try_from(most).unwrap_or(policy.max_attempts);
        }
        Ok(policy)
    }

    pub(super) fn unique(&self) -> Result<Option<UniquePolicy>, Refusal> {
        self.object("unique")?.map(|(map, path)| UniquePolicy::parse(map, &path)).transpose()
    }

    /// What it says of a limit, which is of its queue or of a key.
    pub(super) fn limit(&self) -> Result<Option<Placed<'a>>, Refusal> {
        self.object("rate_limit")
    }

    fn object(&self, name: &str) -> Result<Option<Placed<'a>>, Refusal> {
        for fields in [&self.options, &self.top] {
            if let Some(map) = fields.object(name)? {
                return Ok(Some((map, fields.path_of(name))));
            }
        }
        Ok(None)
    }

    pub(super) fn tags(&self) -> Result<Vec<String>, Refusal> {
        let tags = self.read(|fields| fields.texts("tags"))?.unwrap_or_default();
        if tags.len() > TAGS_MAX || tags.iter().any(|tag| tag.chars().count() > TAG_CHARS_MAX) {
            let message = format!("tags must be at most {TAGS_MAX} strings of at most {TAG_CHARS_MAX} characters");
            return Err(Refusal::field("tags", message));
        }
        Ok(tags)
    }
}

/// `<name>_ms` in milliseconds, or `<name>` in seconds (OJS core writes seconds, the HTTP binding milliseconds).
fn milliseconds(fields: &Fields<'_>, name: &str) -> Result<Option<Duration>, Refusal> {
    const MS_MAX: i64 = 365 * 86_400_000;
    let read_ms = fields.integer(&format!("{name}_ms"), 1, MS_MAX)?;
    let read = match read_ms {
        Some(ms) => Some(ms),
        None => fields.integer(name, 1, MS_MAX / 1000)?.map(|seconds| seconds * 1000),
    };
    Ok(read.map(|ms| Duration::from_millis(ms.unsigned_abs())))
}
