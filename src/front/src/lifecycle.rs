//! Lifecycle: READY, the watchdog, and every way to end. SEC-8, SEC-17.
//!
//! ```text
//!   Stop on the bus ──────────────▶ stop      red, dialogs closed, latch, every job ended, recorded, exit 0
//!   SIGTERM ─ ask PID 1 ─┬─ stop ─▶ stop
//!                        ├─ restart ▶ drain   nothing begins, what runs may finish, no latch, exit 0
//!                        └─ shutdown ▶ end    jobs ended with the launcher, no latch, exit 0
//!   launcher gone, bus gone ──────▶ exit 1    the jobs die with the launcher, systemd starts us anew
//! ```
//!
//! Ending never waits for a client, for polkit or for the disk longer than its bound.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::code::Failure;
use countersign_core::message::StopNote;
use countersign_core::record::{Act, Draft};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{interval, sleep, timeout};
use zbus::Connection;

use crate::bus::manager::{self, Why};
use crate::clock;
use crate::pipeline::Pipeline;
use crate::standing::Intake;
use crate::tickets::Withdrawal;

/// How long the last records and answers may take after the jobs have ended.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// The same for a restart, which nobody waits for as for a stop. PID 1 was asked for more time than that.
const UNHURRIED: Duration = Duration::from_secs(3);
/// How long after the last reply we stay on the bus, so that it reaches its caller.
const FAREWELL: Duration = Duration::from_millis(50);
/// How often a restart that waits for jobs looks whether it is still one.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often a restart that waits for jobs asks PID 1 for more time, and how much.
const EXTEND_EVERY: Duration = Duration::from_secs(2);
const EXTEND_BY_US: u32 = 10_000_000;
/// The exit status that says: stopped, and the launcher did not say that the latch is engaged. The unit does not restart
/// on it, and `countersign-after-stop` then engages the latch itself.
const NOT_LATCHED: u8 = 70;

/// A caller's wish to stop everything, and where it is told that it was done or what of it was not.
#[derive(Debug)]
pub(crate) struct StopCall {
    note: StopNote,
    done: Stopped,
}

type Stopped = oneshot::Sender<Result<(), Failure>>;

impl StopCall {
    /// The wish, and what comes back when it is fulfilled.
    pub(crate) fn new(note: StopNote) -> (Self, oneshot::Receiver<Result<(), Failure>>) {
        let (done, wait) = oneshot::channel();
        (Self { note, done }, wait)
    }
}

/// The signals that we obey.
pub(crate) struct Signals {
    end: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    /// Begins to catch them.
    ///
    /// # Errors
    /// The kernel refused.
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            end: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }
}

/// How the broker ends.
enum Ending {
    Stop(StopNote, Option<Stopped>),
    Restart,
    Shutdown,
    Broken,
}

/// Lives until there is a reason to end, and ends. The broker is ready when this is called.
pub(crate) async fn live(
    pipeline: Arc<Pipeline>,
    connection: Connection,
    mut signals: Signals,
    mut stops: mpsc::Receiver<StopCall>,
) -> ExitCode {
    say(&[NotifyState::Ready]);
    let watchdog = tokio::spawn(watchdog());
    let ending = loop {
        tokio::select! {
            biased;
            Some(call) = stops.recv() => break Ending::Stop(call.note, Some(call.done)),
            _ = signals.end.recv() => break told_to_end(&pipeline, &connection).await,
            _ = signals.interrupt.recv() => break told_to_end(&pipeline, &connection).await,
            _ = signals.reload.recv() => reload_by_signal(&pipeline),
            () = pipeline.launcher.gone() => break Ending::Broken,
            () = connection.closed() => break Ending::Broken,
        }
    };
    say(&[NotifyState::Stopping]);
    let code = end(&pipeline, &connection, ending, &mut stops).await;
    watchdog.abort();
    code
}

/// Beside everything else: a stop does not wait for it.
fn reload_by_signal(pipeline: &Arc<Pipeline>) {
    let draft = Draft::load(&pipeline.ledger.stamp(&pipeline.policy())).with_who("SIGHUP");
    let pipeline = Arc::clone(pipeline);
    // How it went is in the log, in the journal and in the status.
    tokio::spawn(async move { drop(crate::config::reload(&pipeline, draft).await) });
}

/// Tells systemd that the policy is being read; the stamp is what later versions of it want (sd_notify(3)).
pub(crate) fn begins_to_reload() {
    match NotifyState::monotonic_usec_now() {
        Ok(stamp) => say(&[NotifyState::Reloading, stamp]),
        Err(_) => say(&[NotifyState::Reloading]),
    }
}

/// Tells systemd that it is over, however it went.
pub(crate) fn has_reloaded() {
    say(&[NotifyState::Ready]);
}

/// The note of a stop that PID 1 was asked for.
fn by_systemctl() -> StopNote {
    StopNote { time: clock::now(), who: "systemctl".to_owned(), why: "the service was stopped".to_owned() }
}

/// Whatever we are told to end for, nothing begins any more.
async fn told_to_end(pipeline: &Pipeline, connection: &Connection) -> Ending {
    pipeline.standing.wind_down(Intake::Draining);
    match manager::why(connection).await {
        Why::Stop => Ending::Stop(by_systemctl(), None),
        Why::Restart => Ending::Restart,
        Why::Shutdown => Ending::Shutdown,
    }
}

async fn end(
    pipeline: &Arc<Pipeline>,
    connection: &Connection,
    ending: Ending,
    stops: &mut mpsc::Receiver<StopCall>,
) -> ExitCode {
    match ending {
        Ending::Stop(note, done) => stop(pipeline, note, done).await,
        Ending::Restart => {
            // A restart may still become a stop, of which PID 1 does not tell a second time.
            tokio::select! {
                biased;
                Some(call) = stops.recv() => stop(pipeline, call.note, Some(call.done)).await,
                () = became_a_stop(connection) => stop(pipeline, by_systemctl(), None).await,
                () = drain(pipeline) => farewell(pipeline, "restart", UNHURRIED).await,
            }
        }
        Ending::Shutdown => {
            pipeline.standing.wind_down(Intake::Closed);
            withdraw(pipeline, Withdrawal::ShuttingDown);
            farewell(pipeline, "shutdown", LAST_WORDS).await
        }
        Ending::Broken => {
            pipeline.standing.wind_down(Intake::Closed);
            withdraw(pipeline, Withdrawal::Restarting);
            last_words(pipeline).await;
            ExitCode::FAILURE
        }
    }
}

/// The kill switch. The launcher comes first: what is recorded and answered comes after the jobs have ended.
async fn stop(pipeline: &Arc<Pipeline>, note: StopNote, done: Option<Stopped>) -> ExitCode {
    pipeline.standing.stop();
    let draft = |stamp: &_| Draft::control(stamp, Act::Stop, &note.who, &note.why);
    let draft = draft(&pipeline.ledger.stamp(&pipeline.policy()));
    let stopped = pipeline.launcher.stop(note.clone()).await;
    withdraw(pipeline, Withdrawal::Stopped);
    let draft = stopped.as_ref().err().into_iter().fold(draft, Draft::with_failure);
    drop(timeout(LAST_WORDS, pipeline.ledger.write(draft)).await);
    farewell(pipeline, "stop", LAST_WORDS).await;
    // A record that could not be written is no reason to be started anew.
    let code = if stopped.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(NOT_LATCHED) };
    if let Some(done) = done {
        // A caller that left meanwhile is no reason to stay.
        drop(done.send(stopped));
    }
    sleep(FAREWELL).await;
    code
}

/// Nothing begins any more; waits until what runs has finished, within the limit.
async fn drain(pipeline: &Arc<Pipeline>) {
    withdraw(pipeline, Withdrawal::Restarting);
    let limit = pipeline.policy().settings().drain();
    let extend = async {
        let mut tick = interval(EXTEND_EVERY);
        loop {
            tick.tick().await;
            say(&[NotifyState::ExtendTimeoutUsec(EXTEND_BY_US)]);
        }
    };
    tokio::select! {
        _ = timeout(limit, pipeline.launcher.drain()) => {}
        () = extend => {}
    }
}

/// Comes back when the restart that we drain for is wanted no longer, but a stop.
async fn became_a_stop(connection: &Connection) {
    let mut tick = interval(LOOK_EVERY);
    loop {
        tick.tick().await;
        if manager::why(connection).await == Why::Stop {
            return;
        }
    }
}

fn withdraw(pipeline: &Pipeline, by: Withdrawal) {
    pipeline.tickets.unfinished().iter().for_each(|ticket| ticket.withdraw(by));
}

/// Lets every request write its end and answer its caller, within a bound.
async fn last_words(pipeline: &Pipeline) {
    let all = async {
        for ticket in pipeline.tickets.unfinished() {
            ticket.over().await;
        }
    };
    drop(timeout(LAST_WORDS, all).await);
}

/// Half of a time.
fn half(span: Duration) -> Duration {
    span.checked_div(2).unwrap_or(span)
}

/// The end in good order: the requests' records, ours, a checkpoint over them, and the log is closed. The requests have a
/// bound of their own; the rest is done `within` this, half of which the checkpoint may take.
async fn farewell(pipeline: &Arc<Pipeline>, why: &str, within: Duration) -> ExitCode {
    last_words(pipeline).await;
    let record = async {
        let written = pipeline.ledger.write(Draft::end(&pipeline.ledger.stamp(&pipeline.policy()), why)).await;
        // A launcher that has gone, or does not answer, has the checkpoint made at the next start.
        drop(timeout(half(within), pipeline.ledger.checkpoint(&*pipeline.launcher)).await);
        pipeline.ledger.close().await;
        written
    };
    match timeout(within, record).await {
        Ok(Ok(_)) => {}
        Ok(Err(Failure { .. })) | Err(_) => return ExitCode::FAILURE,
    }
    sleep(FAREWELL).await;
    ExitCode::SUCCESS
}

/// Tells systemd that we are alive, twice as often as it asks for. Runs where the work runs: a runtime that is stuck
/// tells nothing.
async fn watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut tick = interval(half(limit).max(Duration::from_millis(1)));
    loop {
        tick.tick().await;
        say(&[NotifyState::Watchdog]);
    }
}

/// A service manager that does not listen changes nothing for us.
fn say(state: &[NotifyState<'_>]) {
    drop(sd_notify::notify(state));
}
