//! A time relative to now, in plain words.

/// What happens or happened at `time`, both in Unix seconds: `expires in 43 minutes`, `expired 3 hours ago`.
pub fn expiry(time: u64, now: u64) -> String {
    if time > now { format!("expires {}", relative(time, now)) } else { format!("expired {}", relative(time, now)) }
}

/// The time as seen from `now`, both in Unix seconds, in one unit: `in 43 minutes`, `3 hours ago`.
pub fn relative(time: u64, now: u64) -> String {
    let seconds = time.abs_diff(now);
    let (_, unit, name) = UNITS.iter().find(|(limit, ..)| seconds < *limit).unwrap_or(&YEARS);
    let count = (u128::from(seconds) + u128::from(unit / 2)) / u128::from(*unit);
    let plural = if count == 1 { "" } else { "s" };
    match (seconds, time > now) {
        (0, _) => "just now".to_owned(),
        (_, true) => format!("in {count} {name}{plural}"),
        (_, false) => format!("{count} {name}{plural} ago"),
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;

/// For periods below a limit in seconds, the unit: its length in seconds, and its name. Each limit is about twice the next
/// unit, and less by what rounding adds.
const UNITS: [(u64, u64, &str); 4] = [
    (2 * MINUTE, 1, "second"),
    (2 * HOUR - MINUTE / 2, MINUTE, "minute"),
    (2 * DAY - HOUR / 2, HOUR, "hour"),
    (2 * YEAR - DAY / 2, DAY, "day"),
];

/// The unit of all longer periods.
const YEARS: (u64, u64, &str) = (u64::MAX, YEAR, "year");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_one_unit_rounded_to_the_nearest() {
        let now = 1_800_000_000;
        for (seconds, words) in [
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (149, "2 minutes"),
            (150, "3 minutes"),
            (43 * MINUTE + 20, "43 minutes"),
            (3600, "60 minutes"),
            (2 * HOUR - 31, "119 minutes"),
            (2 * HOUR - 30, "2 hours"),
            (47 * HOUR + 1799, "47 hours"),
            (47 * HOUR + 1800, "2 days"),
            (90 * DAY, "90 days"),
            (2 * YEAR - DAY / 2 - 1, "729 days"),
            (2 * YEAR, "2 years"),
            (30 * YEAR, "30 years"),
        ] {
            assert_eq!(relative(now + seconds, now), format!("in {words}"));
            assert_eq!(relative(now - seconds, now), format!("{words} ago"));
            assert_eq!(expiry(now + seconds, now), format!("expires in {words}"));
            assert_eq!(expiry(now - seconds, now), format!("expired {words} ago"));
        }
        assert_eq!(expiry(now, now), "expired just now");
        assert_eq!(relative(u64::MAX, 0), "in 584942417355 years");
        assert_eq!(relative(0, u64::MAX), "584942417355 years ago");
    }
}
