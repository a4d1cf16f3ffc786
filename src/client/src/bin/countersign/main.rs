//! countersign: the command line of the broker.
//!
//! ```text
//!   words ──cli──▶ Command ──▶ one room per command ──▶ exit status 0, the job's own, 1 (a check says no), 119 to 127
//! ```
//!
//! Enters: the words of whoever calls. Leaves: what the broker said, as text for people or JSON for programs, and an
//! exit status by which a script can tell "the command failed" from "the broker refused". It holds no privilege and
//! decides nothing. It must never print a byte of a caller's text that a terminal would obey.

#![forbid(unsafe_code)]

mod agent;
mod anchors;
mod audit;
mod check;
mod clear;
mod cli;
mod complaint;
mod control;
mod decide;
mod diff;
mod digest;
mod ended;
mod entries;
mod exit;
mod explain;
mod lines;
mod plan;
mod print;
mod profile;
mod proof;
mod prove;
mod requests;
mod rotate;
mod run;
mod secrets;
mod sheet;
mod stats;
mod status;
mod stdin;
mod steps;
mod wanted;
mod words;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{AuditCommand, Cli, Command, PolicyCommand, TaintCommand};
use complaint::Complaint;

fn main() -> ExitCode {
    let outcome = match Cli::try_parse() {
        Ok(cli) => told(cli.json, dispatch(cli)),
        Err(error) => usage(&error),
    };
    ExitCode::from(outcome)
}

fn told(json: bool, outcome: Result<u8, Complaint>) -> u8 {
    outcome.unwrap_or_else(|complaint| {
        // Where not even the complaint can be written, the status is all that is left to say.
        drop(complaint.tell(json));
        complaint.status()
    })
}

/// Help and version end well; anything else that clap says is a mistake in the words.
fn usage(error: &clap::Error) -> u8 {
    drop(error.print());
    if !error.use_stderr() {
        return 0;
    }
    let wants_json = std::env::args().take_while(|word| word != "--").any(|word| word == "--json");
    let complaint = Complaint::Usage { sentence: "The words are not understood: see `countersign help`.".to_owned() };
    if wants_json {
        drop(complaint.tell_json());
    }
    complaint.status()
}

fn dispatch(cli: Cli) -> Result<u8, Complaint> {
    let json = cli.json;
    match cli.command {
        Command::Policy { command: PolicyCommand::Explain(args) } => explain::explain(&args, json),
        Command::Policy { command: PolicyCommand::Check(args) } => check::check(&args, json),
        Command::Policy { command: PolicyCommand::Diff(args) } => awaited(diff::diff(&args, json)),
        Command::Policy { command: PolicyCommand::Test(args) } => check::test(&args, json),
        Command::Policy { command: PolicyCommand::Profile(args) } => profile::show(&args, json),
        Command::Policy { command: PolicyCommand::Profiles(args) } => profile::list(&args, json),
        Command::Audit { command: AuditCommand::List(args) } => entries::list(&args, json),
        Command::Audit { command: AuditCommand::Tail(args) } => awaited(entries::tail(&args, json)),
        Command::Audit { command: AuditCommand::Stats(args) } => stats::stats(&args, json),
        Command::Audit { command: AuditCommand::Show(args) } => entries::show(&args, json),
        Command::Audit { command: AuditCommand::Export(args) } => audit::export(&args),
        Command::Audit { command: AuditCommand::Backup(args) } => audit::backup(&args, json),
        Command::Audit { command: AuditCommand::Verify(args) } => audit::verify(&args, json),
        Command::Audit { command: AuditCommand::Checkpoint } => awaited(prove::checkpoint(json)),
        Command::Audit { command: AuditCommand::Prove(args) } => match &args.check {
            Some(file) => proof::check(&args, file, json),
            None => awaited(prove::prove(&args, json)),
        },
        Command::Audit { command: AuditCommand::Mine(args) } => awaited(prove::mine(&args, json)),
        Command::Audit { command: AuditCommand::Key } => proof::key(json),
        Command::Audit { command: AuditCommand::RotateKey(args) } => rotate::rotate(&args, json),
        Command::Digest(args) => digest::digest(&args, json),
        Command::Clear(args) => clear::clear(&args, json),
        Command::Run(args) => awaited(run::run(args, json)),
        Command::Plan(args) => awaited(plan::plan(args, json)),
        Command::Requests(args) => awaited(requests::list(args, json)),
        Command::Show(args) => awaited(requests::show(args, json)),
        Command::Cancel(args) => awaited(requests::cancel(args, json)),
        Command::Approve(args) => awaited(decide::approve(args, json)),
        Command::Refuse(args) => awaited(decide::refuse(args, json)),
        Command::Status => awaited(status::status(json)),
        Command::Hold(args) => awaited(control::hold(args, json)),
        Command::Resume(args) => awaited(control::resume(args, json)),
        Command::Reload => awaited(control::reload(json)),
        Command::Taint { command: TaintCommand::Mark } => awaited(control::mark(json)),
        Command::Taint { command: TaintCommand::Clear(args) } => awaited(control::clear_taint(args, json)),
        Command::Stop(args) => awaited(status::stop(args, json)),
    }
}

fn awaited(work: impl Future<Output = Result<u8, Complaint>>) -> Result<u8, Complaint> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|source| Complaint::System { what: "no event loop could be made", source })?.block_on(work)
}
