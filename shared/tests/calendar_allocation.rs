//! Looking for the next fire allocates nothing.

use std::hint::black_box;

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{Schedule, ScheduleOptions};

#[test]
fn the_next_fire_is_found_without_allocating() {
    for zone in ["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"] {
        for expression in ["* * * * * *", "0 9 * * MON-FRI", "0 0 29 2 *", "30 2 LW * 5#3", "0 0 30 2 *", "@every 90m"]
        {
            let zone = zone.parse().expect("a zone");
            let options = ScheduleOptions { zone, ..ScheduleOptions::default() };
            let schedule = Schedule::parse(expression, &options).expect("an expression");
            // The first question to a zone builds its table.
            let _ = schedule.next_fire_after(Timestamp::from_secs(0));
            let allocated = allocation_counter::measure(|| {
                for year in 0..230 {
                    let after = Timestamp::from_secs(year * 31_556_952);
                    black_box(schedule.next_fire_after(black_box(after)));
                    black_box(schedule.next_after(black_box(after)));
                    black_box(schedule.previous_before(black_box(after)));
                }
            });
            assert_eq!(allocated.count_total, 0, "{expression} in {zone}");
        }
    }
}
