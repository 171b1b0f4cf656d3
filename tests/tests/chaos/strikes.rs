//! The faults: each breaks something and mends it.

use std::time::Duration;

use tokio::time::sleep;

use crate::house::House;

/// Longer than a lease.
const WORKER_FROZEN: Duration = Duration::from_millis(2500);
/// Longer than the leader's lock.
const SCHEDULER_FROZEN: Duration = Duration::from_secs(4);
/// Longer than two ticks of whoever takes jobs back, and than a lease.
const REDIS_FROZEN: Duration = Duration::from_secs(3);
const SLOW: Duration = Duration::from_millis(150);
const SLOW_FOR: Duration = Duration::from_secs(1);

impl House {
    pub(crate) async fn strike(&mut self) {
        let what = match self.random.u32(0..20) {
            0..=3 => self.kill_worker(),
            4 => self.stop_worker(),
            5 | 6 => self.freeze_worker().await,
            7..=9 => self.kill_scheduler(),
            10 => self.stop_scheduler(),
            11 => self.freeze_scheduler().await,
            12..=14 => {
                self.proxy.lose_one_reply().await;
                "reply lost"
            }
            15 => {
                self.proxy.cut().await;
                "connections cut"
            }
            16 => {
                self.proxy.delay_replies(SLOW);
                sleep(SLOW_FOR).await;
                self.proxy.heal().await;
                "replies delayed"
            }
            17 => {
                self.proxy.blackhole();
                sleep(SLOW_FOR).await;
                self.proxy.heal().await;
                "silence"
            }
            18 => {
                self.server.freeze();
                sleep(REDIS_FROZEN).await;
                self.server.thaw();
                "Redis frozen"
            }
            _ => {
                self.server.kill();
                self.server.restart();
                "Redis killed"
            }
        };
        *self.done.entry(what).or_default() += 1;
    }

    fn kill_worker(&mut self) -> &'static str {
        let n = self.random.usize(0..self.workers.len());
        self.workers[n].kill();
        self.workers[n] = self.start_worker(n);
        "worker killed"
    }

    /// Another takes its place while it winds up.
    fn stop_worker(&mut self) -> &'static str {
        let n = self.random.usize(0..self.workers.len());
        let fresh = self.start_worker(n);
        let old = std::mem::replace(&mut self.workers[n], fresh);
        old.terminate();
        self.wind_up(old);
        "worker stopped"
    }

    async fn freeze_worker(&mut self) -> &'static str {
        let n = self.random.usize(0..self.workers.len());
        self.workers[n].freeze();
        sleep(WORKER_FROZEN).await;
        self.workers[n].thaw();
        "worker frozen"
    }

    fn kill_scheduler(&mut self) -> &'static str {
        let n = self.random.usize(0..self.schedulers.len());
        self.schedulers[n].kill();
        self.schedulers[n] = self.start_scheduler(n);
        "scheduler killed"
    }

    fn stop_scheduler(&mut self) -> &'static str {
        let n = self.random.usize(0..self.schedulers.len());
        let fresh = self.start_scheduler(n);
        let old = std::mem::replace(&mut self.schedulers[n], fresh);
        old.terminate();
        self.wind_up(old);
        "scheduler stopped"
    }

    async fn freeze_scheduler(&mut self) -> &'static str {
        let n = self.random.usize(0..self.schedulers.len());
        self.schedulers[n].freeze();
        sleep(SCHEDULER_FROZEN).await;
        self.schedulers[n].thaw();
        "scheduler frozen"
    }

    /// Leaves a process that was asked to stop its time to do so; whoever does not in ten seconds is killed.
    fn wind_up(&self, process: carillon_tests::process::Process) {
        tokio::spawn(async move {
            sleep(Duration::from_secs(10)).await;
            drop(process);
        });
    }
}
