//! Budgets: how much of the broker one caller may use, counted in integers. SEC-15.
//!
//! ```text
//!   reserve(charge) ─┬─ over a limit ▶ Over: nothing has changed
//!                    └─ held ──settle──▶ spent (it counts until its window has passed), or given back
//! ```
//!
//! Enters: limits, charges and the time. Leaves: yes, or which budget is used up and when it frees. A charge of several
//! budgets is taken whole or not at all. Every sum saturates, and whoever has used nothing for a day is forgotten.

mod limits;
mod lobby;
mod window;

use std::collections::HashMap;

use crate::caller::Uid;
use crate::code::{Code, Failure};
use crate::time::Moment;

pub use limits::{Allowance, Budget, IN_ALL, Limits};
pub use lobby::{Crowded, LEAST, Lobby, UNIT};
use window::Window;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// How often those who use nothing any more are looked for.
const SWEEP_MS: u64 = MINUTE_MS;

/// An amount of each budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charge {
    /// Requests that are taken in.
    pub requests: u64,
    /// Jobs that run.
    pub jobs: u64,
    /// Requests that wait for a human.
    pub waiting: u64,
    /// Time of jobs, in milliseconds.
    pub job_ms: u64,
    /// Requests about which a human is asked.
    pub prompts: u64,
    /// Irreversible requests.
    pub t3: u64,
}

impl Charge {
    /// Nothing.
    pub const NONE: Self = Self { requests: 0, jobs: 0, waiting: 0, job_ms: 0, prompts: 0, t3: 0 };

    /// What is left without a part of it.
    #[must_use]
    pub fn less(self, part: Self) -> Self {
        self.each(part, u64::saturating_sub)
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.each(other, u64::saturating_add)
    }

    /// What two have in common.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        self.each(other, u64::min)
    }

    /// What is counted of it once it is committed: not what is only held while it lasts.
    #[must_use]
    pub const fn counted(self) -> Self {
        Self { jobs: 0, waiting: 0, ..self }
    }

    const fn of(&self, budget: Budget) -> u64 {
        match budget {
            Budget::RequestsPerMinute => self.requests,
            Budget::Jobs => self.jobs,
            Budget::Waiting => self.waiting,
            Budget::JobSecondsPerHour => self.job_ms,
            Budget::PromptsPerHour => self.prompts,
            Budget::T3PerDay => self.t3,
        }
    }

    fn each(self, other: Self, sum: fn(u64, u64) -> u64) -> Self {
        Self {
            requests: sum(self.requests, other.requests),
            jobs: sum(self.jobs, other.jobs),
            waiting: sum(self.waiting, other.waiting),
            job_ms: sum(self.job_ms, other.job_ms),
            prompts: sum(self.prompts, other.prompts),
            t3: sum(self.t3, other.t3),
        }
    }
}

/// Whose budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The caller's own.
    Own,
    /// That of all callers together.
    All,
}

/// A budget that would be passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// Which.
    pub budget: Budget,
    /// Whose.
    pub whose: Whose,
    /// Its limit, in the budget's own unit.
    pub limit: u64,
    /// When there is room for what was asked, if only time is needed for it.
    pub frees: Option<Moment>,
}

impl Over {
    /// What the caller is told.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let Self { budget, whose, limit, frees } = self;
        let whose = match whose {
            Whose::Own => "Your budget",
            Whose::All => "The budget of all callers together",
        };
        let until =
            frees.map_or_else(|| budget.wait().to_owned(), |frees| format!("ask again after {}", frees.rfc3339()));
        Failure::new(Code::OverBudget, format!("{whose} of {limit} {} is used up: {until}.", budget.words()))
    }
}

/// What one user holds and has spent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Account {
    held: Charge,
    requests: Window<MINUTE_MS>,
    job_ms: Window<HOUR_MS>,
    prompts: Window<HOUR_MS>,
    t3: Window<DAY_MS>,
}

/// What everybody holds and has spent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    users: HashMap<Uid, Account>,
    swept_ms: u64,
}

impl Account {
    fn spent(&self, budget: Budget, now: Moment) -> u64 {
        match budget {
            Budget::RequestsPerMinute => self.requests.sum(now),
            Budget::JobSecondsPerHour => self.job_ms.sum(now),
            Budget::PromptsPerHour => self.prompts.sum(now),
            Budget::T3PerDay => self.t3.sum(now),
            Budget::Jobs | Budget::Waiting => 0,
        }
    }

    fn frees(&self, budget: Budget, excess: u64, now: Moment) -> Option<Moment> {
        match budget {
            Budget::RequestsPerMinute => self.requests.frees(excess, now),
            Budget::JobSecondsPerHour => self.job_ms.frees(excess, now),
            Budget::PromptsPerHour => self.prompts.frees(excess, now),
            Budget::T3PerDay => self.t3.frees(excess, now),
            Budget::Jobs | Budget::Waiting => None,
        }
    }

    /// What stands against this much more of one budget.
    fn over(&self, budget: Budget, limits: &Limits, charge: &Charge, whose: Whose, now: Moment) -> Option<Over> {
        let wanted = charge.of(budget);
        let used = self.spent(budget, now).saturating_add(self.held.of(budget));
        let most = limits.in_units_of_charge(budget);
        let excess = used.saturating_add(wanted).saturating_sub(most);
        if wanted == 0 || excess == 0 {
            return None;
        }
        Some(Over { budget, whose, limit: limits.of(budget), frees: self.frees(budget, excess, now) })
    }

    fn spend(&mut self, charge: &Charge, at: Moment) {
        self.requests.add(at, charge.requests);
        self.job_ms.add(at, charge.job_ms);
        self.prompts.add(at, charge.prompts);
        self.t3.add(at, charge.t3);
    }

    /// Lets go of what no window counts any longer; says whether anything is left.
    fn is_needed(&mut self, now: Moment) -> bool {
        let spent =
            [self.requests.advance(now), self.job_ms.advance(now), self.prompts.advance(now), self.t3.advance(now)];
        self.held != Charge::NONE || spent.contains(&true)
    }
}

impl Accounts {
    /// Whether all of the charge fits, without taking it.
    ///
    /// # Errors
    /// The first budget that it would pass, in the order of [`Budget::ALL`].
    pub fn check(&self, uid: Uid, limits: &Limits, charge: &Charge, now: Moment) -> Result<(), Over> {
        self.overs(uid, limits, charge, now).into_iter().next().map_or(Ok(()), Err)
    }

    /// Every budget that the charge would pass.
    #[must_use]
    pub fn overs(&self, uid: Uid, limits: &Limits, charge: &Charge, now: Moment) -> Vec<Over> {
        let blank = Account::default();
        let all = self.users.values().fold(Charge::NONE, |sum, account| sum.each(account.held, u64::saturating_add));
        let (own, all) = (self.users.get(&uid).unwrap_or(&blank), Account { held: all, ..Account::default() });
        let over = |budget: Budget| {
            let mine = own.over(budget, limits, charge, Whose::Own, now);
            mine.or_else(|| all.over(budget, &IN_ALL, charge, Whose::All, now))
        };
        Budget::ALL.into_iter().filter_map(over).collect()
    }

    /// Takes all of the charge, or nothing of it.
    ///
    /// # Errors
    /// The first budget that it would pass; then nothing has changed.
    pub fn reserve(&mut self, uid: Uid, limits: &Limits, charge: &Charge, now: Moment) -> Result<(), Over> {
        self.sweep(now);
        self.check(uid, limits, charge, now)?;
        let account = self.users.entry(uid).or_default();
        account.held = account.held.each(*charge, u64::saturating_add);
        Ok(())
    }

    /// Gives back what was reserved, and counts what was spent of it from now on, in one step.
    pub fn settle(&mut self, uid: Uid, reserved: &Charge, spent: &Charge, now: Moment) {
        let account = self.users.entry(uid).or_default();
        account.held = account.held.each(*reserved, u64::saturating_sub);
        account.spend(spent, now);
        if !account.is_needed(now) {
            self.users.remove(&uid);
        }
    }

    /// Counts what was spent before this process began.
    pub fn recall(&mut self, uid: Uid, spent: &Charge, at: Moment) {
        self.users.entry(uid).or_default().spend(spent, at);
    }

    /// What is held or has been spent of a budget, in units of [`Charge`].
    #[must_use]
    pub fn used(&self, uid: Uid, budget: Budget, now: Moment) -> u64 {
        self.users.get(&uid).map_or(0, |account| account.spent(budget, now).saturating_add(account.held.of(budget)))
    }

    /// For how many users something is remembered.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.len()
    }

    fn sweep(&mut self, now: Moment) {
        if now.millis().abs_diff(self.swept_ms) >= SWEEP_MS {
            self.swept_ms = now.millis();
            self.users.retain(|_, account| account.is_needed(now));
        }
    }
}

#[cfg(test)]
mod tests;
