//! The message loop: one socket, the jobs, and the time. One thread, and nothing in it waits for anything else.
//!
//! ```text
//!   serving ──Drain──▶ draining ──no job left──▶ drained ──┐
//!      │                  │                        │       ├──end of the socket──▶ exit
//!      └──────Stop────────┴────────────────────────┴▶ stopped
//!
//!   the end of the socket at any time: every job is killed, then exit
//! ```

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use countersign_core::argv::Argv;
use countersign_core::code::{Code, Failure};
use countersign_core::message::{CancelCause, FromLauncher, StopNote, ToLauncher};
use countersign_core::order::Claim;
use countersign_core::path::CleanPath;
use countersign_core::policy::{Policy, Ruleset};
use countersign_core::request::RequestId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::cgroup::Unit;
use crate::channel::{Channel, ChannelError, Received};
use crate::clock::Clock;
use crate::jobs::Jobs;
use crate::latch::{Latch, LatchError};
use crate::later::{Later, Question, Turn};
use crate::pin::{NotPinned, Pinner, Reading};
use crate::prepare::prepare;
use crate::sandbox::Sandboxes;
use crate::seen::Seen;
use crate::spawn::{SpawnError, spawn};
use crate::start;
use crate::turns::Turns;
use crate::verify::{Proven, Prover, turn_of};
use crate::witness::Witness;

/// How long jobs that were killed are waited for when the front is gone. PID 1 sweeps what is left.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why the loop ended other than by the end of the socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    /// The front's socket.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// Waiting.
    #[error("waiting failed")]
    Poll(#[source] Errno),
}

/// What the launcher is ready to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Serving,
    Draining,
    /// The front knows that no job runs; it may still have the end of its log signed.
    Drained,
    Stopped,
}

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

/// Everything that the loop holds.
#[derive(Debug)]
pub(crate) struct Serve {
    /// The socket to the front.
    pub(crate) channel: Channel,
    /// The policy in force.
    pub(crate) policy: Policy,
    /// Its sandboxes.
    pub(crate) sandboxes: Sandboxes,
    /// The unit's cgroup.
    pub(crate) unit: Unit,
    /// The stop latch.
    pub(crate) latch: Latch,
    /// The log's witness.
    pub(crate) witness: Witness,
    work: Work,
}

/// What the loop remembers.
#[derive(Debug)]
struct Work {
    jobs: Jobs,
    seen: Seen,
    turns: Turns,
    pinner: Pinner,
    /// What waits for a file to be read.
    later: Later,
    clock: Clock,
    state: State,
    /// Whether the latch of a stop is engaged, to be told after the last job.
    stopping: Option<Result<(), LatchError>>,
}

impl Serve {
    /// Ready to serve.
    pub(crate) fn new(
        channel: Channel,
        policy: Policy,
        sandboxes: Sandboxes,
        unit: Unit,
        latch: Latch,
        witness: Witness,
    ) -> Self {
        let work = Work {
            jobs: Jobs::default(),
            seen: Seen::default(),
            turns: Turns::default(),
            pinner: Pinner::default(),
            later: Later::default(),
            clock: Clock::default(),
            state: State::Serving,
            stopping: None,
        };
        Self { channel, policy, sandboxes, unit, latch, witness, work }
    }

    /// Serves until the front is gone. No job is left behind.
    ///
    /// # Errors
    /// [`ServeError`]; the jobs are ended then as well.
    pub(crate) fn run(mut self) -> Result<(), ServeError> {
        let cleared = self.latch.take_cleared();
        let ready =
            FromLauncher::Ready { ruleset: self.policy.ruleset(), cleared, handovers: self.witness.handovers() };
        let served = self.channel.tell(&ready).map_err(ServeError::from).and_then(|()| self.serve());
        self.farewell();
        served
    }

    fn serve(&mut self) -> Result<(), ServeError> {
        loop {
            self.wait()?;
            self.channel.flush()?;
            self.report_ends()?;
            // One at a time, so that no flood of messages keeps a job past its deadline.
            if self.take()? == Next::End {
                return Ok(());
            }
            self.read_on()?;
            self.report_ends()?;
            self.report_drained()?;
        }
    }

    fn report_drained(&mut self) -> Result<(), ServeError> {
        let idle = self.work.jobs.is_empty() && self.work.later.is_empty();
        if self.work.state == State::Draining && idle {
            self.work.state = State::Drained;
            self.channel.tell(&FromLauncher::Drained)?;
        }
        Ok(())
    }

    fn wait(&self) -> Result<(), ServeError> {
        let mut interest = PollFlags::IN;
        interest.set(PollFlags::OUT, self.channel.has_more());
        let socket = self.channel.fd();
        let mut waits = vec![PollFd::from_borrowed_fd(socket, interest)];
        waits.extend(self.work.jobs.waits());
        let reads = (!self.work.later.is_empty()).then_some(Duration::ZERO);
        let patience = self.work.jobs.patience().into_iter().chain(reads).min().map(timespec);
        match poll(&mut waits, patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(ServeError::Poll(errno)),
        }
    }

    fn report_ends(&mut self) -> Result<(), ServeError> {
        for (id, outcome) in self.work.jobs.tick() {
            self.work.turns.ended(id, &outcome.ended);
            self.channel.tell(&FromLauncher::Ended { id, outcome: Box::new(outcome) })?;
        }
        if self.work.jobs.is_empty()
            && let Some(engaged) = self.work.stopping.take()
        {
            let settled = self.latch.settle();
            let failure = engaged.and(settled).err().map(|error| not_latched(&error));
            self.channel.tell(&FromLauncher::Stopped { failure })?;
        }
        Ok(())
    }

    /// Takes one message, if there is one.
    fn take(&mut self) -> Result<Next, ServeError> {
        match self.channel.receive()? {
            Received::Message(message, files) => self.act(*message, files).map(|()| Next::GoOn),
            Received::Nothing => Ok(Next::GoOn),
            Received::End => Ok(Next::End),
        }
    }

    fn act(&mut self, message: ToLauncher<Claim>, files: Vec<OwnedFd>) -> Result<(), ServeError> {
        match message {
            ToLauncher::Pin { id, argv, cwd } => self.pin(id, argv, cwd)?,
            ToLauncher::Run { order } => self.run_order(order, files)?,
            ToLauncher::Cancel { id, cause } => self.cancel(id, cause)?,
            ToLauncher::Stop { note } => self.stop(&note),
            ToLauncher::Drain => self.work.state = self.work.state.max_draining(),
            ToLauncher::Reload { expects } => {
                let result = self.reload(expects);
                self.channel.tell(&FromLauncher::Reloaded { result })?;
            }
            ToLauncher::Sign { base, head, proof } => {
                let result = self.witness.sign(self.policy.settings(), base, head, &proof);
                self.channel.tell(&FromLauncher::Signed { result })?;
            }
        }
        Ok(())
    }

    fn pin(&mut self, id: RequestId, argv: Argv, cwd: CleanPath) -> Result<(), ServeError> {
        let result = match self.work.pinner.pin(&argv, &cwd) {
            Ok(pins) => Ok(Box::new(pins.pinned)),
            Err(NotPinned::Refused(failure)) => Err(failure),
            Err(NotPinned::Unread(reading)) => {
                return self.postpone(Question::Pin { id, argv, cwd }, reading);
            }
        };
        Ok(self.channel.tell(&FromLauncher::Pinned { id, result })?)
    }

    fn run_order(&mut self, order: Box<Claim>, files: Vec<OwnedFd>) -> Result<(), ServeError> {
        let (id, turn) = (order.plan.id, turn_of(&order));
        let started = match self.prove(&order) {
            Ok(proven) => self.start(*order, proven, files),
            Err(NotPinned::Refused(failure)) => Err(failure),
            Err(NotPinned::Unread(reading)) => {
                return self.postpone(Question::Run { order, files }, reading);
            }
        };
        let told = match started {
            Ok(()) => FromLauncher::Started { id },
            Err(failure) => {
                turn.iter().for_each(|turn| self.work.turns.void(turn, self.work.clock.now()));
                FromLauncher::Refused { id, failure }
            }
        };
        Ok(self.channel.tell(&told)?)
    }

    /// Answers a question that was kept, and is not taken up.
    fn refuse(&mut self, question: &Question, failure: Failure) -> Result<(), ServeError> {
        let turn = if let Question::Run { order, .. } = question { turn_of(order) } else { None };
        turn.iter().for_each(|turn| self.work.turns.void(turn, self.work.clock.now()));
        Ok(self.channel.tell(&question.refused(failure))?)
    }

    fn prove(&mut self, claim: &Claim) -> Result<Proven, NotPinned> {
        match self.work.state {
            State::Serving => {}
            State::Draining | State::Drained => {
                return Err(Failure::new(Code::Held, "The broker restarts: ask again in a moment.").into());
            }
            State::Stopped => return Err(stopped().into()),
        }
        let now = self.work.clock.now();
        let Self { policy, sandboxes, work, .. } = self;
        let mut prover =
            Prover { policy, sandboxes, seen: &mut work.seen, turns: &mut work.turns, pinner: &mut work.pinner };
        prover.prove(claim, now)
    }

    fn start(&mut self, claim: Claim, proven: Proven, files: Vec<OwnedFd>) -> Result<(), Failure> {
        let id = claim.plan.id;
        let now = self.work.clock.now();
        let job = prepare(claim.plan, proven, files, self.unit.controllers())?;
        let time = job.time;
        let spawned = spawn(&self.unit, &id.to_string(), job).map_err(|error| not_started(&error))?;
        self.work.jobs.add(id, spawned, now, time);
        Ok(())
    }

    /// Keeps a question until the file that it waits for was read.
    fn postpone(&mut self, question: Question, reading: Box<Reading>) -> Result<(), ServeError> {
        let Err(question) = self.work.later.keep(question, reading) else { return Ok(()) };
        let failure = Failure::new(Code::OverBudget, "Too many large programs are being read: ask again later.");
        self.refuse(&question, failure)
    }

    /// Reads one part of a file that a question waits for, and takes up the question when all was read.
    fn read_on(&mut self) -> Result<(), ServeError> {
        match self.work.later.turn() {
            Turn::Nothing => Ok(()),
            Turn::Failed(question, failure) => self.refuse(&question, failure),
            Turn::Known(question, read) => {
                self.work.pinner.remember(read);
                match question {
                    Question::Pin { id, argv, cwd } => self.pin(id, argv, cwd),
                    Question::Run { order, files } => self.run_order(order, files),
                }
            }
        }
    }

    fn cancel(&mut self, id: RequestId, cause: CancelCause) -> Result<(), ServeError> {
        self.work.jobs.cancel(id, cause);
        let failure = Failure::new(Code::Cancelled, "The request was cancelled while its program was being read.");
        let cancelled = self.work.later.cancel(id);
        cancelled.iter().try_for_each(|question| self.refuse(question, failure.clone()))
    }

    /// The latch first, so that no crash between the two lets anything begin again; the disk is waited for when the jobs
    /// have ended.
    fn stop(&mut self, note: &StopNote) {
        let engaged = self.latch.engage(note);
        self.work.jobs.stop();
        self.work.state = State::Stopped;
        self.work.stopping = Some(engaged);
    }

    /// All or nothing, and the same as the front or nothing: a policy that only one of the two knows is not in force.
    fn reload(&mut self, expects: Ruleset) -> Result<Ruleset, Failure> {
        let (policy, sandboxes) = start::load(Path::new("/"), &self.unit).map_err(|error| {
            crate::complain(&error);
            Failure::new(Code::Internal, "The policy could not be read and the old one stays: see the journal.")
        })?;
        if policy.ruleset() != expects {
            return Err(Failure::new(
                Code::Changed,
                "The policy's files changed while they were read and the old one stays: reload again.",
            ));
        }
        self.policy = policy;
        self.sandboxes = sandboxes;
        Ok(self.policy.ruleset())
    }

    /// Kills what runs and waits a moment for it to be gone.
    fn farewell(&mut self) {
        self.work.jobs.stop();
        let begun = Instant::now();
        while !self.work.jobs.is_empty() && begun.elapsed() < FAREWELL {
            let mut waits = self.work.jobs.waits();
            let patience = self.work.jobs.patience().map(timespec);
            poll(&mut waits, patience.as_ref()).ok();
            drop(waits);
            // Nobody is left to be told.
            drop(self.work.jobs.tick());
        }
    }
}

impl State {
    /// Draining, unless that is done, or stopped.
    const fn max_draining(self) -> Self {
        match self {
            Self::Serving | Self::Draining => Self::Draining,
            Self::Drained => Self::Drained,
            Self::Stopped => Self::Stopped,
        }
    }
}

fn timespec(span: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(span.subsec_nanos()) }
}

fn not_latched(error: &LatchError) -> Failure {
    crate::complain(error);
    Failure::new(Code::Internal, format!("Every job was ended, but {error}: stop the unit as well."))
}

fn stopped() -> Failure {
    Failure::new(Code::Stopped, "The broker is stopped: an operator clears it with `countersign clear`.")
}

fn not_started(error: &SpawnError) -> Failure {
    crate::complain(error);
    let code = match error {
        SpawnError::Cgroup(_) => Code::SandboxUnavailable,
        SpawnError::Report(_) | SpawnError::Start(_) => Code::LaunchFailed,
    };
    Failure::new(code, format!("The job could not be started: {error}. See the journal."))
}
