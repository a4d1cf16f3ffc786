//! Every fault at every point at which a request waits for somebody else, as one table. Nothing runs without an intent on the
//! disk and an approval, the record says what happened, dialogs close, and nothing stays held.
//!
//! The faults come through the seams that the pipeline has anyway: people and launcher answer wrong, late or not, and
//! the log's own thread stands still while something else goes wrong.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{OnceLock, Weak};
use std::time::Duration;

use countersign_audit::{Direction, Log};
use countersign_core::argv::Argv;
use countersign_core::message::{CancelCause, StopNote, Unsigned};
use countersign_core::order::Order;
use countersign_core::path::CleanPath;
use countersign_core::plan::Pinned;
use countersign_core::policy::Ruleset;
use countersign_core::policy::budget::Budget;
use countersign_core::record::{Phase as Step, Record};
use countersign_core::tree::{Proof, TreeHead};

use super::*;
use crate::approve::words::Words;
use crate::launch::sim::Sim;
use crate::launch::{Job, JobFiles, Soon};

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Point {
    Pin,
    /// A dialog before whoever asked.
    InPlace,
    /// A dialog before an administrator.
    Queue,
    Intent,
    Order,
    Job,
    Result,
}

/// What goes wrong meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    CallerGone,
    TakenBack,
    Restart,
    Shutdown,
    Stop,
    Reload,
    ClockBack,
    LauncherGone,
    LogGone,
}

pub(super) const POINTS: [Point; 7] =
    [Point::Pin, Point::InPlace, Point::Queue, Point::Intent, Point::Order, Point::Job, Point::Result];

/// What a change comes to. `*`: the launcher got the order; `+`: there is an intent and no order was given; `~`: the
/// result is missing, and the next start writes it; `-`: there was nothing to write it into. Anything else has its one
/// record, and `ok` ran to its end.
const CHANGE: &str = "
None              ok*               ok*               ok*               ok*               ok*               ok*               ok*
CallerGone        Cancelled         Cancelled         Cancelled         Cancelled+        Cancelled*        Cancelled*        ok*
TakenBack         ok*               Cancelled         Cancelled         Cancelled+        Cancelled*        Cancelled*        ok*
Restart           Cancelled         Cancelled         Cancelled         Cancelled+        Held*             ok*               ok*
Shutdown          Cancelled         Cancelled         Cancelled         Cancelled+        Cancelled*        Cancelled*        ok*
Stop              Stopped           Stopped           Stopped           Stopped+          Stopped*          Stopped*          ok*
Reload            Changed           Changed           Changed           Changed+          Changed*          ok*               ok*
ClockBack         Held+             Held+             Held+             ok*               ok*               ok*               ok*
LauncherGone      LaunchFailed      LaunchFailed*     LaunchFailed*     LaunchFailed*     LaunchFailed*     LaunchFailed*     ok*
LogGone           AuditUnavailable- AuditUnavailable- AuditUnavailable- ok~               ok~               ok~               ok*
";

/// What a read comes to, about which nobody is asked.
const READ: &str = "
None              ok*               .                 .                 ok*               ok*               ok*               ok*
CallerGone        Cancelled         .                 .                 Cancelled+        Cancelled*        Cancelled*        ok*
TakenBack         ok*               .                 .                 Cancelled+        Cancelled*        Cancelled*        ok*
Restart           Cancelled         .                 .                 Cancelled+        Held*             ok*               ok*
Shutdown          Cancelled         .                 .                 Cancelled+        Cancelled*        Cancelled*        ok*
Stop              Stopped           .                 .                 Stopped+          Stopped*          Stopped*          ok*
Reload            Changed           .                 .                 Changed+          Changed*          ok*               ok*
ClockBack         ok*               .                 .                 ok*               ok*               ok*               ok*
LauncherGone      LaunchFailed      .                 .                 LaunchFailed*     LaunchFailed*     LaunchFailed*     ok*
LogGone           AuditUnavailable- .                 .                 ok~               ok~               ok~               ok*
";

pub(super) const FAULTS: [Fault; 10] = [
    Fault::None,
    Fault::CallerGone,
    Fault::TakenBack,
    Fault::Restart,
    Fault::Shutdown,
    Fault::Stop,
    Fault::Reload,
    Fault::ClockBack,
    Fault::LauncherGone,
    Fault::LogGone,
];

/// Long enough for every task that is not stalled to come to a stand.
const MOMENT: Duration = Duration::from_millis(2);

/// People and launcher, with the fault at its point.
pub(super) struct Trouble {
    me: Weak<Self>,
    sim: Arc<Sim>,
    pipeline: OnceLock<Weak<Pipeline>>,
    log: PathBuf,
    point: Point,
    fault: Fault,
    pub(super) open_dialogs: Arc<AtomicUsize>,
    caller_gone: AtomicBool,
    happened: AtomicBool,
    pub(super) ordered: Mutex<HashSet<RequestId>>,
}

/// A dialog, while it is open.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Trouble {
    /// A stage whose people and launcher have that trouble.
    pub(super) fn on(mut stage: Stage, point: Point, fault: Fault) -> (Stage, Arc<Self>) {
        let trouble = Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            sim: Arc::clone(&stage.launcher),
            pipeline: OnceLock::new(),
            log: stage.directory.path().to_owned(),
            point,
            fault,
            open_dialogs: Arc::default(),
            caller_gone: AtomicBool::new(false),
            happened: AtomicBool::new(false),
            ordered: Mutex::default(),
        });
        let pipeline = Arc::get_mut(&mut stage.pipeline).unwrap();
        pipeline.launcher = trouble.clone();
        pipeline.humans = trouble.clone();
        trouble.pipeline.set(Arc::downgrade(&stage.pipeline)).unwrap();
        (stage, trouble)
    }

    fn pipeline(&self) -> Arc<Pipeline> {
        self.pipeline.get().unwrap().upgrade().unwrap()
    }

    fn withdraw(&self, by: Withdrawal) {
        self.pipeline().tickets.unfinished().iter().for_each(|ticket| ticket.withdraw(by));
    }

    async fn at(&self, point: Point) {
        // Nobody answers at once, so that there are steps in between.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        if self.point == point {
            self.happen().await;
        }
    }

    /// What `lifecycle`, `config` and the bus do on such a day, in their order.
    async fn happen(&self) {
        // A stall may outlast its test.
        let Some(pipeline) = self.pipeline.get().unwrap().upgrade() else { return };
        self.happened.store(true, Ordering::SeqCst);
        match self.fault {
            Fault::None => {}
            Fault::CallerGone => {
                self.caller_gone.store(true, Ordering::SeqCst);
                pipeline.departed(&caller(GRANTED).bus_name);
            }
            Fault::TakenBack => self.withdraw(Withdrawal::Asked),
            Fault::Restart => {
                pipeline.standing.wind_down(Intake::Draining);
                self.withdraw(Withdrawal::Restarting);
            }
            Fault::Shutdown => {
                pipeline.standing.wind_down(Intake::Closed);
                self.withdraw(Withdrawal::ShuttingDown);
            }
            Fault::Stop => {
                pipeline.standing.stop();
                let note = StopNote { time: clock::now(), who: String::new(), why: String::new() };
                self.sim.stop(note).await.unwrap();
                self.withdraw(Withdrawal::Stopped);
            }
            Fault::Reload => pipeline.put_in_force(policy("mode = 'open'")),
            Fault::ClockBack => clock::tests::BEHIND.set(Duration::from_secs(3_600)),
            Fault::LauncherGone => self.sim.die(),
            Fault::LogGone => {
                let closing = tokio::spawn(async move { pipeline.ledger.close().await });
                if !matches!(self.point, Point::Intent | Point::Result) {
                    closing.await.unwrap();
                }
            }
        }
    }

    /// It happens while the log's thread stands still.
    fn stall(self: Arc<Self>) {
        let hold = self.pipeline().ledger.stall();
        drop(tokio::spawn(async move {
            tokio::time::sleep(MOMENT).await;
            self.happen().await;
            tokio::time::sleep(MOMENT).await;
            drop(hold);
        }));
    }

    /// How the launcher refuses what it is told after such a fault.
    fn refuses(&self) -> Option<Failure> {
        let happened = self.happened.load(Ordering::SeqCst);
        let code = match (self.fault, self.point) {
            (Fault::LauncherGone, _) if happened => Code::LaunchFailed,
            (Fault::Stop, Point::Order) if happened => Code::Stopped,
            (Fault::Restart, Point::Order) if happened => Code::Held,
            (Fault::Reload, Point::Order) if happened => Code::Changed,
            (_, _) => return None,
        };
        Some(Failure::new(code, "x"))
    }

    /// No order twice, and none without an intent on the disk, which is looked up for some of a thousand.
    fn vouch(&self, id: RequestId) {
        let mut ordered = lock(&self.ordered);
        if ordered.len().is_multiple_of(16) {
            let mut last = None;
            let newest = Log::open(&self.log).unwrap().each(Direction::Backward, |entry| {
                last = Some(Record::parse(&entry.body).unwrap());
                ControlFlow::Break(())
            });
            newest.unwrap();
            let last = last.unwrap();
            assert_eq!((last.phase, last.id), (Step::Intent, Some(id)), "the intent is there before the order");
        }
        assert!(ordered.insert(id), "one order");
    }

    /// The job ends by itself, if nobody ends it before.
    async fn accompany(self: Arc<Self>, id: RequestId) {
        if self.point == Point::Result {
            Arc::clone(&self).stall();
        } else {
            tokio::time::sleep(MOMENT).await;
            self.at(Point::Job).await;
            tokio::time::sleep(MOMENT).await;
        }
        self.sim.finish(id);
    }

    fn me(&self) -> Arc<Self> {
        self.me.upgrade().unwrap()
    }
}

impl Launcher for Trouble {
    fn pin<'a>(&'a self, id: RequestId, argv: &'a Argv, cwd: &'a CleanPath) -> Soon<'a, Result<Pinned, Failure>> {
        Box::pin(async move {
            self.at(Point::Pin).await;
            if self.point == Point::Intent && argv.program() == "wait" {
                self.me().stall();
            }
            if let Some(failure) = self.refuses() { Err(failure) } else { self.sim.pin(id, argv, cwd).await }
        })
    }

    fn run(&self, order: Order, files: JobFiles) -> Soon<'_, Result<Job, Failure>> {
        Box::pin(async move {
            let id = order.plan().id;
            self.vouch(id);
            self.at(Point::Order).await;
            if let Some(failure) = self.refuses() {
                return Err(failure);
            }
            let job = self.sim.run(order, files).await?;
            drop(tokio::spawn(self.me().accompany(id)));
            Ok(job)
        })
    }

    fn cancel(&self, id: RequestId, cause: CancelCause) -> Soon<'_, ()> {
        self.sim.cancel(id, cause)
    }

    fn stop(&self, note: StopNote) -> Soon<'_, Result<(), Failure>> {
        self.sim.stop(note)
    }

    fn drain(&self) -> Soon<'_, ()> {
        self.sim.drain()
    }

    fn reload(&self, expects: Ruleset) -> Soon<'_, Result<Ruleset, Failure>> {
        self.sim.reload(expects)
    }

    fn sign(&self, base: u64, head: TreeHead, proof: Proof) -> Soon<'_, Result<String, Unsigned>> {
        self.sim.sign(base, head, proof)
    }

    fn gone(&self) -> Soon<'_, ()> {
        self.sim.gone()
    }
}

impl Humans for Trouble {
    fn ask<'a>(
        &'a self,
        _: &'a Person,
        matter: Matter,
        _: &'a Words,
        _: Dialog,
        over: Soon<'a, ()>,
    ) -> Soon<'a, Reply> {
        let open = Open::new(&self.open_dialogs);
        Box::pin(async move {
            let _open = open;
            let point = if matches!(matter, Matter::Queue(_)) { Point::Queue } else { Point::InPlace };
            self.at(point).await;
            if self.point == Point::Intent {
                self.me().stall();
            }
            // Whether the dialog closes before the answer comes is chance, so the answer is given either way.
            drop(over);
            Reply::Yes(ApprovalKind::Challenge)
        })
    }
}

/// One request with that trouble, from being asked to its end; nothing if it never became a ticket.
pub(super) async fn request(stage: &Stage, trouble: &Trouble, words: &[&str]) -> (Option<Code>, Option<Arc<Ticket>>) {
    see_through(stage, trouble, ask(words).into()).await
}

/// The same for a row of them.
pub(super) async fn see_through(stage: &Stage, trouble: &Trouble, asks: Asks) -> (Option<Code>, Option<Arc<Ticket>>) {
    trouble.caller_gone.store(false, Ordering::SeqCst);
    let person_asked = (trouble.point != Point::Queue).then(|| person(GRANTED));
    let submitted = stage.pipeline.submit(&caller(GRANTED), asks, person_asked).await;
    if trouble.caller_gone.load(Ordering::SeqCst) {
        // As the bus does, where the caller left before there was anything to end.
        stage.pipeline.departed(&caller(GRANTED).bus_name);
    }
    let ticket = match submitted {
        Ok(ticket) => ticket,
        Err(failure) => return (Some(failure.code), None),
    };
    if trouble.point == Point::Queue {
        // Whether it came in time is the request's to say.
        drop(stage.pipeline.decide(&ticket, &person(OTHER), Dialog::Allowed, Seen::Before, Decision::Approve).await);
    }
    end(&ticket).await.ok();
    (ticket.end().unwrap().receipt.code, Some(ticket))
}

/// Nothing is open, held or running any more.
pub(super) async fn nothing_is_left(stage: &Stage, trouble: &Trouble) {
    let accounts = stage.pipeline.budgets.accounts();
    let used = |budget| accounts.used(Uid::try_from(GRANTED).unwrap(), budget, clock::now());
    let [_, jobs, waiting, job_ms, ..] = Budget::ALL.map(used);
    assert_eq!((jobs, waiting), (0, 0), "places came back");
    assert!(job_ms < 10_000, "time came back: {job_ms}");
    assert!(stage.pipeline.tickets.unfinished().is_empty());
    for _ in 0..100 {
        if trouble.open_dialogs.load(Ordering::SeqCst) == 0 {
            break;
        }
        tokio::time::sleep(MOMENT).await;
    }
    assert_eq!((trouble.open_dialogs.load(Ordering::SeqCst), trouble.sim.running()), (0, 0), "dialogs, jobs");
}

/// What became of a request with that fault at that point, in the table's words.
async fn outcome(fault: Fault, point: Point, words: &[&str]) -> String {
    let (stage, trouble) = Trouble::on(Stage::new(""), point, fault);
    let (code, ticket) = request(&stage, &trouble, words).await;
    nothing_is_left(&stage, &trouble).await;
    assert!(ticket.is_none_or(|ticket| !ticket.slot.give(yes())), "no answer counts afterwards");
    let (ordered, log) = (!lock(&trouble.ordered).is_empty(), stage.log());
    clock::tests::BEHIND.set(Duration::ZERO);
    let code = code.map_or_else(|| "ok".to_owned(), |code| code.to_string());
    let said = if code == "ok" { String::new() } else { format!(" {code}") };
    let mark = match log.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => "-",
        [one] if *one == format!("final{said}") => "",
        ["intent"] => "~",
        ["intent", result] if *result == format!("result{said}") => {
            if ordered {
                "*"
            } else {
                "+"
            }
        }
        other => panic!("{fault:?} {point:?}: {code}, recorded as {other:?}"),
    };
    if mark == "~" {
        interrupted_at_the_next_start(stage).await;
    }
    format!("{code}{mark}")
}

async fn interrupted_at_the_next_start(stage: Stage) {
    let log = stage.restarted().await.records();
    let closed = log.iter().filter(|record| record.phase == Step::Result).count();
    assert_eq!((closed, log.iter().filter(|record| record.phase == Step::Intent).count()), (1, 1));
}

async fn compare(table: &str, words: &[&str]) {
    let mut seen = String::from("\n");
    for fault in FAULTS {
        let expected = table.lines().find(|line| line.starts_with(&format!("{fault:?} "))).unwrap();
        let mut row = vec![format!("{fault:?}")];
        for (point, cell) in POINTS.into_iter().zip(expected.split_whitespace().skip(1)) {
            row.push(if cell == "." { cell.to_owned() } else { outcome(fault, point, words).await });
        }
        seen.push_str(&row.join(" "));
        seen.push('\n');
    }
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&seen), words(table), "{seen}");
}

#[tokio::test]
async fn a_change_with_every_fault_at_every_point() {
    compare(CHANGE, &["change", "x"]).await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_while_a_request_waits_gives_it_no_more_time() {
    let stage = Stage::new("[approval]\nexpiry_s = 1");
    let ticket = stage.submit(GRANTED, &["change"]).await.unwrap();
    clock::tests::BEHIND.set(Duration::from_secs(3_600));
    let ended = end(&ticket).await.unwrap_err();
    let late = ticket.slot.give(yes());
    clock::tests::BEHIND.set(Duration::ZERO);
    assert_eq!((ended, late, stage.ran()), (Code::Expired, false, false));
    assert_eq!((stage.log(), stage.pipeline.standing.state()), (vec!["final Expired".to_owned()], RunState::Amber));
}

#[tokio::test]
async fn a_read_with_every_fault_at_every_point() {
    compare(READ, &["wait"]).await;
}
