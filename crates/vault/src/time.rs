//! Moments in time, as the vault writes them: RFC 3339 UTC with milliseconds.

use std::{fmt, str::FromStr};

/// A moment, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

/// A string that is no RFC 3339 moment after 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is RFC 3339 UTC with milliseconds, such as 2026-01-02T03:04:05.678Z")]
pub struct TimestampError;

impl Timestamp {
    /// This moment by the system's clock.
    #[must_use]
    pub fn now() -> Self {
        // A clock before 1970 or after 9999 is read as 1970: ids and times stay well-formed, and no key is due then.
        u64::try_from(jiff::Timestamp::now().as_millisecond())
            .ok()
            .and_then(Self::from_millis)
            .unwrap_or(Self(0))
    }

    /// Milliseconds since 1970; none beyond the year 9999, which RFC 3339 cannot write.
    #[must_use]
    pub fn from_millis(millis: u64) -> Option<Self> {
        jiff::Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()?;
        Some(Self(millis))
    }

    /// The day in UTC, `2026-01-02`.
    #[must_use]
    pub fn day(self) -> String {
        self.to_string().split('T').next().unwrap_or_default().to_owned()
    }

    /// This moment less so many days.
    #[must_use]
    pub const fn days_before(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days as u64 * 24 * 60 * 60 * 1000))
    }

    /// This moment and so many days; never beyond what RFC 3339 can write.
    #[must_use]
    pub fn days_after(self, days: u32) -> Self {
        Self::from_millis(self.0.saturating_add(u64::from(days) * 24 * 60 * 60 * 1000)).unwrap_or(self)
    }

    /// This moment and so many seconds.
    #[must_use]
    pub const fn after_seconds(self, seconds: u16) -> Self {
        Self(self.0.saturating_add(seconds as u64 * 1000))
    }

    /// The next millisecond.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = i64::try_from(self.0)
            .ok()
            .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
            .unwrap_or_default();
        write!(f, "{moment:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| TimestampError)?;
        u64::try_from(moment.as_millisecond()).ok().and_then(Self::from_millis).ok_or(TimestampError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_always_written() {
        let moment = Timestamp::from_millis(1_767_322_800_000).unwrap();
        assert_eq!(moment.to_string(), "2026-01-02T03:00:00.000Z");
        assert_eq!("2026-01-02T03:00:00.000Z".parse(), Ok(moment));
    }
}
