//! Limits: what a grant says of each budget, and what holds where no grant says anything.

use serde::{Deserialize, Serialize};

use super::Charge;

/// One kind of budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Budget {
    /// Requests that are taken in within a minute.
    RequestsPerMinute,
    /// Jobs that run at once.
    Jobs,
    /// Requests that wait for a human at once.
    Waiting,
    /// Seconds that jobs run within an hour, all together.
    JobSecondsPerHour,
    /// Requests about which a human is asked within an hour.
    PromptsPerHour,
    /// Irreversible requests within a day.
    T3PerDay,
}

impl Budget {
    /// Every budget, in the order in which they are looked at.
    pub const ALL: [Self; 6] = [
        Self::RequestsPerMinute,
        Self::Jobs,
        Self::Waiting,
        Self::JobSecondsPerHour,
        Self::PromptsPerHour,
        Self::T3PerDay,
    ];

    /// Its key in a grant.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "requests_per_minute",
            Self::Jobs => "jobs",
            Self::Waiting => "waiting",
            Self::JobSecondsPerHour => "job_seconds_per_hour",
            Self::PromptsPerHour => "prompts_per_hour",
            Self::T3PerDay => "t3_per_day",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::RequestsPerMinute => "requests per minute",
            Self::Jobs => "jobs at once",
            Self::Waiting => "requests waiting for a decision",
            Self::JobSecondsPerHour => "seconds of jobs per hour",
            Self::PromptsPerHour => "questions to people per hour",
            Self::T3PerDay => "irreversible requests per day",
        }
    }

    /// What to do where time alone frees nothing.
    pub(super) const fn wait(self) -> &'static str {
        match self {
            Self::Jobs | Self::JobSecondsPerHour => "wait until a job ends",
            Self::Waiting => "wait until one is decided, or take one back",
            Self::RequestsPerMinute | Self::PromptsPerHour | Self::T3PerDay => "ask an administrator for a wider grant",
        }
    }

    /// The most that a grant may say.
    #[must_use]
    pub const fn most(self) -> u32 {
        match self {
            Self::RequestsPerMinute | Self::PromptsPerHour | Self::T3PerDay => 100_000,
            Self::Jobs => 64,
            Self::Waiting => 1_024,
            Self::JobSecondsPerHour => 64 * 3_600,
        }
    }
}

/// What a grant says of its holder's budgets: the table `[grant.budgets]`. What it does not say is left to the holder's
/// other grants, and to the default if none of them says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Allowance {
    requests_per_minute: Option<u32>,
    jobs: Option<u32>,
    waiting: Option<u32>,
    job_seconds_per_hour: Option<u32>,
    prompts_per_hour: Option<u32>,
    t3_per_day: Option<u32>,
}

/// The limits of one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    requests_per_minute: u64,
    jobs: u64,
    waiting: u64,
    job_seconds_per_hour: u64,
    prompts_per_hour: u64,
    t3_per_day: u64,
}

/// Where no grant says anything. Sixteen jobs may run for a quarter of an hour, and that twice an hour.
const DEFAULT: Limits = Limits {
    requests_per_minute: 600,
    jobs: 16,
    waiting: 16,
    job_seconds_per_hour: 28_800,
    prompts_per_hour: 60,
    t3_per_day: 20,
};

/// What all callers together may hold; what they spend is bounded for each alone.
pub const IN_ALL: Limits = Limits {
    requests_per_minute: u64::MAX,
    jobs: 64,
    waiting: 1_024,
    job_seconds_per_hour: u64::MAX,
    prompts_per_hour: u64::MAX,
    t3_per_day: u64::MAX,
};

impl Allowance {
    const fn of(&self, budget: Budget) -> Option<u32> {
        match budget {
            Budget::RequestsPerMinute => self.requests_per_minute,
            Budget::Jobs => self.jobs,
            Budget::Waiting => self.waiting,
            Budget::JobSecondsPerHour => self.job_seconds_per_hour,
            Budget::PromptsPerHour => self.prompts_per_hour,
            Budget::T3PerDay => self.t3_per_day,
        }
    }

    /// The first budget that is said to be more than it may be.
    #[must_use]
    pub fn out_of_bounds(&self) -> Option<Budget> {
        Budget::ALL.into_iter().find(|budget| self.of(*budget).is_some_and(|said| said > budget.most()))
    }

    /// What two grants of one holder give together: of each budget the larger that is said.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            requests_per_minute: self.requests_per_minute.max(other.requests_per_minute),
            jobs: self.jobs.max(other.jobs),
            waiting: self.waiting.max(other.waiting),
            job_seconds_per_hour: self.job_seconds_per_hour.max(other.job_seconds_per_hour),
            prompts_per_hour: self.prompts_per_hour.max(other.prompts_per_hour),
            t3_per_day: self.t3_per_day.max(other.t3_per_day),
        }
    }

    /// The limits that follow from it.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let or = |said: Option<u32>, default: u64| said.map_or(default, u64::from);
        Limits {
            requests_per_minute: or(self.requests_per_minute, DEFAULT.requests_per_minute),
            jobs: or(self.jobs, DEFAULT.jobs),
            waiting: or(self.waiting, DEFAULT.waiting),
            job_seconds_per_hour: or(self.job_seconds_per_hour, DEFAULT.job_seconds_per_hour),
            prompts_per_hour: or(self.prompts_per_hour, DEFAULT.prompts_per_hour),
            t3_per_day: or(self.t3_per_day, DEFAULT.t3_per_day),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        DEFAULT
    }
}

impl Limits {
    /// The limit of a budget, in its own unit.
    #[must_use]
    pub const fn of(&self, budget: Budget) -> u64 {
        match budget {
            Budget::RequestsPerMinute => self.requests_per_minute,
            Budget::Jobs => self.jobs,
            Budget::Waiting => self.waiting,
            Budget::JobSecondsPerHour => self.job_seconds_per_hour,
            Budget::PromptsPerHour => self.prompts_per_hour,
            Budget::T3PerDay => self.t3_per_day,
        }
    }

    /// The limit in the unit of [`Charge`]: jobs' time is counted in milliseconds.
    pub(super) const fn in_units_of_charge(&self, budget: Budget) -> u64 {
        match budget {
            Budget::JobSecondsPerHour => self.job_seconds_per_hour.saturating_mul(1_000),
            Budget::RequestsPerMinute | Budget::Jobs | Budget::Waiting | Budget::PromptsPerHour | Budget::T3PerDay => {
                self.of(budget)
            }
        }
    }
}

impl Charge {
    /// What a request costs when it is taken in; `asks` if a human must decide on it.
    #[must_use]
    pub const fn request(tier: crate::tier::Tier, asks: bool) -> Self {
        let asked = if asks { 1 } else { 0 };
        let t3 = match tier {
            crate::tier::Tier::T3 => 1,
            crate::tier::Tier::T0 | crate::tier::Tier::T1 | crate::tier::Tier::T2 => 0,
        };
        Self { requests: 1, prompts: asked, waiting: asked, t3, ..Self::NONE }
    }

    /// What a job of at most that many milliseconds costs while it runs: no more than an hour of time, because an hour
    /// is what is counted.
    #[must_use]
    pub const fn job(most_ms: u64) -> Self {
        let job_ms = if most_ms > super::HOUR_MS { super::HOUR_MS } else { most_ms };
        Self { jobs: 1, job_ms, ..Self::NONE }
    }
}
