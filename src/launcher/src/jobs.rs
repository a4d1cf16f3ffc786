//! Running jobs: their deadline, their end, their cgroup.
//!
//! ```text
//!   running ──deadline, cancel──▶ TERM to the group ──2 s──▶ kill the cgroup ─┐
//!      │                                                                      ▼
//!      └──the first process ends──▶ kill what is left ──▶ the cgroup is empty ──▶ ended, cgroup removed
//!      └──stop, output limit──────▶ kill the cgroup ─────────▲
//! ```
//!
//! Enters: spawned children, time, and who wants a job to end. Leaves: outcomes. A job is over when its cgroup is empty,
//! so nothing that it started outlives it, whatever session it is in, and nothing that it started can hold it up.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use countersign_core::message::CancelCause;
use countersign_core::outcome::{Ended, Layer, Outcome};
use countersign_core::request::RequestId;
use countersign_core::time::Moment;
use nix::sys::resource::Usage;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags};

use crate::spawn::Spawned;
use crate::sys;

/// How long a job that was told to end may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);
/// How often a cgroup that was killed is looked at, should the kernel not say that it is empty.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Why a job is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    TimedOut,
    Cancelled,
    OutputLimit,
    Stopped,
}

/// How its first process ended.
#[derive(Debug)]
struct Reaped {
    status: i32,
    usage: Usage,
}

/// A job from its start to its empty cgroup.
#[derive(Debug)]
struct Job {
    id: RequestId,
    spawned: Spawned,
    started: Moment,
    begun: Instant,
    deadline: Instant,
    cause: Option<Cause>,
    /// When the cgroup is killed although the first process still runs.
    kill_at: Option<Instant>,
    reaped: Option<Reaped>,
}

/// Every job that is not over.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Vec<Job>);

impl Jobs {
    /// Whether none is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a job that was just started.
    pub(crate) fn add(&mut self, id: RequestId, spawned: Spawned, started: Moment, time: Duration) {
        let begun = Instant::now();
        let deadline = begun.checked_add(time).unwrap_or(begun);
        self.0.push(Job { id, spawned, started, begun, deadline, cause: None, kill_at: None, reaped: None });
    }

    /// Ends a job if it runs.
    pub(crate) fn cancel(&mut self, id: RequestId, cause: CancelCause) {
        for job in self.0.iter_mut().filter(|job| job.id == id) {
            match cause {
                CancelCause::Cancelled => job.ask_to_end(Cause::Cancelled),
                CancelCause::OutputLimit => job.end_at_once(Cause::OutputLimit),
            }
        }
    }

    /// Ends every job at once.
    pub(crate) fn stop(&mut self) {
        for job in &mut self.0 {
            job.end_at_once(Cause::Stopped);
        }
    }

    /// What to wait for: reports, ends of processes, empty cgroups.
    pub(crate) fn waits(&self) -> Vec<PollFd<'_>> {
        self.0.iter().flat_map(Job::waits).collect()
    }

    /// How long nothing has to be done if nothing happens.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let now = Instant::now();
        self.0.iter().map(|job| job.next().saturating_duration_since(now)).min()
    }

    /// Does what is due, and returns the jobs that are over.
    pub(crate) fn tick(&mut self) -> Vec<(RequestId, Outcome)> {
        let now = Instant::now();
        let mut over = Vec::new();
        self.0.retain_mut(|job| {
            job.advance(now);
            let ended = job.outcome();
            let stays = ended.is_none();
            over.extend(ended.map(|outcome| (job.id, outcome)));
            stays
        });
        over
    }
}

impl Job {
    fn waits(&self) -> impl Iterator<Item = PollFd<'_>> {
        let report = self.spawned.hearer.fd().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
        let end = match self.reaped {
            None => PollFd::from_borrowed_fd(self.pidfd(), PollFlags::IN),
            Some(_) => PollFd::from_borrowed_fd(self.spawned.group.events().as_fd(), PollFlags::PRI),
        };
        report.into_iter().chain([end])
    }

    fn pidfd(&self) -> BorrowedFd<'_> {
        self.spawned.child.pidfd.as_fd()
    }

    fn next(&self) -> Instant {
        match (&self.reaped, self.kill_at) {
            (Some(_), _) => Instant::now().checked_add(LOOK_AGAIN).unwrap_or(self.deadline),
            (None, Some(kill_at)) => kill_at,
            (None, None) => self.deadline,
        }
    }

    fn advance(&mut self, now: Instant) {
        self.spawned.hearer.hear();
        if self.reaped.is_some() {
            return;
        }
        if self.cause.is_none() && now >= self.deadline {
            self.ask_to_end(Cause::TimedOut);
        }
        if self.kill_at.is_some_and(|kill_at| now >= kill_at) {
            // Once is enough: the kernel kills what is there, and what is being forked.
            self.kill_at = Some(now.checked_add(GRACE).unwrap_or(now));
            self.kill();
        }
        // An error would mean that the child is not ours, which it is until it was reaped here.
        if let Ok(Some((status, usage))) = sys::reap(&self.spawned.child) {
            self.spawned.hearer.hear();
            self.reaped = Some(Reaped { status, usage });
            self.kill();
        }
    }

    fn ask_to_end(&mut self, cause: Cause) {
        if self.cause.is_some() || self.reaped.is_some() {
            return;
        }
        self.cause = Some(cause);
        // Not reaped, so the number still is its process group's. That the group is gone is what is wanted.
        killpg(Pid::from_raw(self.spawned.child.pid), Signal::SIGTERM).ok();
        // Stopped processes do not see the signal until they go on.
        killpg(Pid::from_raw(self.spawned.child.pid), Signal::SIGCONT).ok();
        self.kill_at = Instant::now().checked_add(GRACE);
    }

    fn end_at_once(&mut self, cause: Cause) {
        if self.reaped.is_none() {
            self.cause.get_or_insert(cause);
        }
        self.kill();
    }

    fn kill(&mut self) {
        if let Err(error) = self.spawned.group.kill() {
            crate::complain(&error);
        }
    }

    fn outcome(&mut self) -> Option<Outcome> {
        let reaped = self.reaped.as_ref()?;
        // What cannot be read is not known to be empty.
        if !self.spawned.group.is_empty().unwrap_or(false) {
            return None;
        }
        if let Err(error) = self.spawned.group.remove() {
            crate::complain(&error);
        }
        let (said, failed) = self.spawned.hearer.said();
        let mut enforced: Vec<Layer> = std::mem::take(&mut self.spawned.layers);
        enforced.extend(said);
        let ended = match (failed, self.cause) {
            (Some(failed), _) => {
                crate::complain(&NotConfined(failed.says));
                Ended::NotConfined { step: failed.step, errno: failed.errno }
            }
            (None, Some(Cause::TimedOut)) => Ended::TimedOut,
            (None, Some(Cause::Cancelled)) => Ended::Cancelled,
            (None, Some(Cause::OutputLimit)) => Ended::OutputLimit,
            (None, Some(Cause::Stopped)) => Ended::Stopped,
            (None, None) => by_itself(reaped.status),
        };
        let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Some(Outcome {
            ended,
            enforced,
            started: self.started,
            duration_us: micros(self.begun.elapsed()),
            cpu_us: cpu(&reaped.usage),
            peak_kib: u64::try_from(reaped.usage.max_rss()).unwrap_or(0),
        })
    }
}

/// For the journal: the step that failed, with its causes.
#[derive(Debug, thiserror::Error)]
#[error("a job was not confined: {0}")]
struct NotConfined(String);

fn by_itself(status: i32) -> Ended {
    if libc::WIFSIGNALED(status) {
        return Ended::Signalled(libc::WTERMSIG(status));
    }
    // The kernel keeps eight bits of a status.
    Ended::Exited(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
}

fn cpu(usage: &Usage) -> u64 {
    let micros = |time: nix::sys::time::TimeVal| {
        let whole = u64::try_from(time.tv_sec()).unwrap_or(0).saturating_mul(1_000_000);
        whole.saturating_add(u64::try_from(time.tv_usec()).unwrap_or(0))
    };
    micros(usage.user_time()).saturating_add(micros(usage.system_time()))
}
