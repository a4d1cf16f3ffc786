//! The words of the command line, as clap reads them. Nothing is done here.
//!
//! Every word is text: what is not UTF-8 is refused, because the bus has no other strings. The manual page
//! countersign(1) names every subcommand and option; a test holds it against this file.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use countersign_core::request::MAX_TIMEOUT;
use countersign_core::tier::Tier;

/// Ask for privileged actions, decide on them, and read what was done.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask for a command to be run, wait for the decision, and end with the command's status
    Run(RunArgs),
    /// Say what would happen; nothing does
    Plan(PlanArgs),
    /// List your open requests, or everybody's
    Requests(ListArgs),
    /// Show one request in full
    Show(NameArgs),
    /// Say yes to a request, after authenticating
    Approve(ApproveArgs),
    /// Say no to a request
    Refuse(RefuseArgs),
    /// Take a request back, and end its job if it runs
    Cancel(NameArgs),
    /// Say what state the broker is in
    Status,
    /// Stop the broker and every job until an operator clears it
    Stop(ReasonArgs),
    /// Put the broker on hold, so that it serves reads only, after authenticating
    Hold(ReasonArgs),
    /// End a hold, after authenticating
    Resume(ReasonArgs),
    /// Have the broker read its policy again, and say whether it is in force
    Reload,
    /// Arm your own taint latch, or clear a user's
    Taint {
        #[command(subcommand)]
        command: TaintCommand,
    },
    /// Let the broker start again after a stop (root, on a terminal of this machine)
    Clear(ClearArgs),
    /// Compute a request's digest from its receipt or its plan, without the broker (exit status 1 if it is another)
    Digest(DigestArgs),
    /// Read and verify the audit log, without the broker
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Look at the policy, without the broker
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
}

/// What is to run, and how. Shared by `run` and `plan`.
#[derive(Debug, Args)]
pub(crate) struct AskArgs {
    /// Refuse if the tier turns out higher: T0, T1, T2 or T3
    #[arg(long, value_name = "T", conflicts_with = "steps")]
    pub(crate) tier_max: Option<Tier>,
    /// Run in this narrower sandbox
    #[arg(long, value_name = "P", conflicts_with = "steps")]
    pub(crate) profile: Option<String>,
    /// Refuse if anything else would be changed; may be given several times
    #[arg(long = "target", value_name = "T", conflicts_with = "steps")]
    pub(crate) targets: Vec<String>,
    /// Your name, if you are an agent; shown as a claim
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Why; shown as a claim
    #[arg(long, value_name = "R")]
    pub(crate) reason: Option<String>,
    /// The working directory; by default the current one
    #[arg(long, value_name = "D")]
    pub(crate) cwd: Option<String>,
    /// Add a variable to the environment; may be given several times
    #[arg(long, value_name = "N=V", value_parser = variable, conflicts_with = "steps")]
    pub(crate) env: Vec<(String, String)>,
    /// Give the command this file as its input, or this program's own with -
    #[arg(long, value_name = "FILE", conflicts_with = "steps")]
    pub(crate) stdin: Option<PathBuf>,
    /// Hide the value of this variable of your own environment wherever it stands; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) secret_env: Vec<String>,
    /// Hide each line of this file wherever it stands
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets_file: Option<PathBuf>,
    /// End the job after this time, for instance 500ms, 30s, 5m, 1h
    #[arg(long, value_name = "D", value_parser = duration, conflicts_with = "steps")]
    pub(crate) timeout: Option<Duration>,
    /// Run these commands one after another, approved once: a JSON list in this file, or in this program's own input with -
    #[arg(long, value_name = "FILE", conflicts_with_all = ["shell", "words"])]
    pub(crate) steps: Option<PathBuf>,
    /// Run this line of shell text
    #[arg(long, value_name = "S", conflicts_with = "words")]
    pub(crate) shell: Option<String>,
    /// The command and its arguments
    #[arg(last = true, value_name = "CMD", required_unless_present_any = ["shell", "steps"])]
    pub(crate) words: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) ask: AskArgs,
    /// Print the request's id and do not wait
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Open no dialog in this session: wait for an administrator elsewhere
    #[arg(long)]
    pub(crate) queue: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) ask: AskArgs,
    /// Say everything that stands in its way, not only the first
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Also those of others, after authenticating; root sees them anyway
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// The request: its id, the beginning of it (4 digits at least), or its fingerprint
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    pub(crate) name: NameArgs,
    /// Approve only if the request has this digest; by default the one that is shown
    #[arg(long, value_name = "D")]
    pub(crate) digest: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RefuseArgs {
    #[command(flatten)]
    pub(crate) name: NameArgs,
    #[command(flatten)]
    pub(crate) why: ReasonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReasonArgs {
    /// Why
    #[arg(long, value_name = "R")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ClearArgs {
    /// Why it is safe to go on; kept in the audit log
    #[arg(long, value_name = "R")]
    pub(crate) reason: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TaintCommand {
    /// Say that you have read what nobody vouches for: from now on a human decides on your small changes
    Mark,
    /// Let a user's grant alone decide again, after authenticating
    Clear(ClearTaintArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ClearTaintArgs {
    /// The user: a name in /etc/passwd, or a uid
    #[arg(value_name = "USER")]
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) why: ReasonArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DigestArgs {
    /// What --json printed: a receipt, an answer that has one, or a plan; - for this program's own input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Print the entries, or those that are asked for, oldest first
    List(ListEntriesArgs),
    /// Print the last entries, and with -f those that come
    Tail(TailArgs),
    /// Count the entries, or those that are asked for, and say how far they are signed
    Stats(ListEntriesArgs),
    /// Print one entry in full
    Show(EntryArgs),
    /// Say whether every entry is as it was written (exit status 1 if not)
    Verify(VerifyArgs),
    /// Print the log as JSON Lines, which `verify` reads too
    Export(ExportArgs),
    /// Save the log, with its closed segments, to a new directory, while the broker writes it
    Backup(BackupArgs),
    /// Have the log signed as it is now, and print the signed checkpoint, to keep elsewhere
    Checkpoint,
    /// Print your own newest entries, as the broker tells them
    Mine(MineArgs),
    /// Print the proof that an entry is in the log, or check one (exit status 1 if it proves nothing)
    Prove(ProveArgs),
    /// Print the log's public key
    Key,
    /// Change the log's key while the broker is stopped
    RotateKey(RotateKeyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MineArgs {
    /// So many of them; 10 unless said otherwise
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) last: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// What is to be proven: an entry's number, a request's whole id, a file with a receipt, or, to check, an entry's hash
    #[arg(value_name = "ENTRY|ID|RECEIPT", required_unless_present = "check")]
    pub(crate) subject: Option<String>,
    /// Check the proof in this file, without the broker
    #[arg(long, value_name = "FILE")]
    pub(crate) check: Option<PathBuf>,
    /// The log's public key, as `countersign audit key` prints it; by default that of this machine
    #[arg(long, value_name = "KEY", requires = "check")]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RotateKeyArgs {
    /// Why the key is changed
    #[arg(long, value_name = "R")]
    pub(crate) reason: String,
    /// The key so far, if systemd hands it over as a credential
    #[arg(long, value_name = "FILE", requires = "new")]
    pub(crate) old: Option<PathBuf>,
    /// The key from here on, made if it is not there, to be handed over as the credential
    #[arg(long, value_name = "FILE", requires = "old")]
    pub(crate) new: Option<PathBuf>,
}

/// Where the audit log is unless said otherwise.
pub(crate) const LOG: &str = "/var/lib/countersign/audit.db";

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The log to read
    #[arg(long, value_name = "PATH", default_value = LOG)]
    pub(crate) db: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ListEntriesArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) wanted: crate::wanted::Wanted,
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Go on with every entry that comes, until interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) wanted: crate::wanted::Wanted,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The directory, which is made
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Directories, databases or closed segments of one log; by default the log of this machine
    #[arg(value_name = "PATH", conflicts_with = "db")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EntryArgs {
    /// The entry's number
    #[arg(value_name = "SEQ")]
    pub(crate) seq: u64,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Logs: directories, databases, closed segments or an export; by default the log of this machine
    #[arg(value_name = "PATH", conflicts_with = "db")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// A signed checkpoint that was kept: the log must begin with what it vouches for
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// A file with the log's public key, or several, in note-verifier form: every checkpoint in the log must be signed
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// A copy of what the anchors answered; by default, for the log of this machine, where countersign-anchor keeps it
    #[arg(long, value_name = "DIR")]
    pub(crate) anchors: Option<PathBuf>,
    /// Who the anchors are, with the keys and certificates that are believed
    #[arg(long, value_name = "FILE", default_value = crate::anchors::CONFIG)]
    pub(crate) anchor_config: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say which tier a command has, and why
    Explain(ExplainArgs),
    /// Read every policy file and say what is wrong with the first that is wrong (exit status 1)
    Check(RulesArgs),
    /// Say what other files would change about the policy in force (exit status 1 if anything)
    Diff(DiffArgs),
    /// Try every example in the rule files and say which come out wrong (exit status 1)
    Test(RulesArgs),
    /// Say what a job in a profile may touch, in words and in every detail
    Profile(ProfileArgs),
    /// List the profiles in force
    Profiles(RulesArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// A directory instead of /etc/countersign, or single files to be put there; by default the installed files
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RulesArgs {
    /// Use the rules and profiles below this directory instead of the installed policy
    #[arg(long, value_name = "DIR")]
    pub(crate) rules: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    /// The profile
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The working directory; by default the current one
    #[arg(long, value_name = "D")]
    pub(crate) cwd: Option<String>,
    /// Read JSON lines ({"argv":[...]} or {"shell":"..."}, "cwd" if wanted) and print one for each
    #[arg(long, conflicts_with_all = ["shell", "words"])]
    pub(crate) batch: bool,
    /// Explain this line of shell text
    #[arg(long, value_name = "S", conflicts_with = "words")]
    pub(crate) shell: Option<String>,
    /// The command and its arguments
    #[arg(last = true, value_name = "CMD", required_unless_present_any = ["shell", "batch"])]
    pub(crate) words: Vec<String>,
}

fn variable(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("a variable is written NAME=VALUE"),
    }
}

/// Digits and a unit; digits alone are seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    const WRONG: &str = "a time is digits and ms, s, m or h, from 1ms to 1h";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(WRONG)?;
    let scale: u64 = match unit {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(WRONG),
    };
    let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale)).ok_or(WRONG)?;
    let duration = Duration::from_millis(millis);
    if duration.is_zero() || duration > MAX_TIMEOUT { Err(WRONG) } else { Ok(duration) }
}

#[cfg(test)]
mod tests;
