//! `run`: submit, wait for the decision and the end, and end as the command did.
//!
//! ```text
//!   words ──ask──▶ Ask ──submit──▶ id ──result──▶ Ending
//!                                  └─ a signal ──cancel──▶ (the result says Cancelled)
//! ```
//!
//! The job writes to our own stdout and stderr; with `--json` it does not, so that what we print is one object. No
//! dialog agent is ever started here: an asker must not hold the terminal on which it is approved.

use std::io::{IsTerminal as _, stderr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use countersign::ask::What;
use countersign::{Ask, Broker, ClientError, Fields, Prompt};
use countersign_core::code::Code;
use countersign_core::path::CleanPath;
use countersign_core::text;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{AskArgs, RunArgs};
use crate::complaint::{Complaint, MAX_SENTENCE};
use crate::ended::{self, Ending};
use crate::{print, secrets, stdin, steps, words};

/// A decision that comes sooner than this is not announced.
const AT_ONCE: Duration = Duration::from_millis(300);
/// How long a cancelled request may take to end.
const TO_CANCEL: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: RunArgs, json: bool) -> Result<u8, Complaint> {
    let prompt = if args.queue || args.no_wait { Prompt::Never } else { Prompt::Allowed };
    let mut ask = ask(args.ask)?;
    ask.detach = args.no_wait;
    if !json && !args.no_wait {
        ask.output = Some(own_output()?);
    }
    let broker = Broker::connect().await?;
    let id = broker.submit(&ask, prompt).await?;
    if args.no_wait {
        return submitted(&broker, &id, json).await;
    }
    // The broker has its own copies; a pipe that the job has left must end although we still wait.
    drop(ask);
    let waited = wait(&broker, &id, !json && stderr().is_terminal()).await;
    let result = waited.map_err(|source| Complaint::Request { id: id.clone(), source })?;
    tell(&id, result, json)
}

/// What is asked for, from the words. Shared with `plan`.
pub(crate) fn ask(args: AskArgs) -> Result<Ask, Complaint> {
    let cwd = directory(args.cwd.as_deref())?;
    let what = match (args.steps.as_deref(), args.shell) {
        (Some(file), _) => What::Steps(steps::read(file, &cwd)?),
        (None, Some(text)) => What::Shell(text),
        (None, None) => What::Argv(args.words),
    };
    let secrets = secrets::gathered(&args.secret_env, args.secrets_file.as_deref())?;
    Ok(Ask {
        secrets,
        env: args.env.into_iter().collect(),
        stdin: args.stdin.as_deref().map(stdin::sealed).transpose()?,
        timeout_ms: args.timeout.and_then(|timeout| u64::try_from(timeout.as_millis()).ok()),
        reason: args.reason,
        agent: args.agent,
        targets: args.targets,
        max_tier: args.tier_max.map(|tier| tier.name().to_owned()),
        profile: args.profile,
        ..Ask::new(what, cwd.as_str().to_owned())
    })
}

/// The directory that was named, as seen from the current one; or the current one.
pub(crate) fn directory(named: Option<&str>) -> Result<CleanPath, Complaint> {
    let wrong = |error| Complaint::usage(format!("The working directory cannot be used: {error}."));
    if let Some(absolute) = named.filter(|named| named.starts_with('/')) {
        return CleanPath::new(absolute).map_err(wrong);
    }
    let current = std::env::current_dir()
        .map_err(|source| Complaint::System { what: "The current directory is not known", source })?;
    let text = current
        .to_str()
        .ok_or_else(|| Complaint::usage("The current directory's name is not UTF-8: name one with --cwd."))?;
    CleanPath::new(text).and_then(|current| current.join(named.unwrap_or("."))).map_err(wrong)
}

fn own_output() -> Result<(OwnedFd, OwnedFd), Complaint> {
    let owned = |fd: std::os::fd::BorrowedFd<'_>| {
        fd.try_clone_to_owned().map_err(|source| Complaint::System { what: "The output cannot be passed on", source })
    };
    Ok((owned(std::io::stdout().as_fd())?, owned(stderr().as_fd())?))
}

async fn submitted(broker: &Broker, id: &str, json: bool) -> Result<u8, Complaint> {
    if !json {
        print::line(id)?;
        return Ok(0);
    }
    let mut fields = Fields::default();
    fields.insert("id", id.into());
    if let Ok((phase, fingerprint)) = broker.progress(id).await {
        fields.insert("phase", phase.into());
        fields.insert("fingerprint", fingerprint.into());
    }
    print::json(&fields)?;
    Ok(0)
}

async fn wait(broker: &Broker, id: &str, announce: bool) -> Result<Fields, ClientError> {
    let result = broker.result(id);
    tokio::pin!(result);
    let announcement = async {
        tokio::time::sleep(AT_ONCE).await;
        announced(broker, id).await;
    };
    tokio::pin!(announcement);
    let interrupted = interrupted();
    tokio::pin!(interrupted);
    let mut announce = announce;
    loop {
        tokio::select! {
            result = &mut result => return result,
            () = &mut interrupted => break,
            () = &mut announcement, if announce => announce = false,
        }
    }
    broker.cancel(id).await?;
    let late = ClientError::Unreachable { detail: "the request was cancelled and did not end".to_owned() };
    tokio::time::timeout(TO_CANCEL, result).await.unwrap_or(Err(late))
}

/// One line on the terminal while somebody must decide.
async fn announced(broker: &Broker, id: &str) {
    let Ok((phase, fingerprint)) = broker.progress(id).await else { return };
    if phase == "waiting" {
        let values = [("fingerprint", fingerprint.as_str()), ("id", id)];
        let line =
            words::fill("waiting for approval of {fingerprint}; approve with: countersign approve {id}", &values);
        // Whoever closed the terminal does not miss the line.
        drop(print::error(text::sentence(&line, MAX_SENTENCE).as_str()));
    }
}

/// Returns when somebody wants this program to end. A signal that cannot be listened for keeps its own effect.
pub(crate) async fn interrupted() {
    let mut listening =
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(|kind| signal(kind).ok());
    let [interrupt, terminate, hangup] = &mut listening;
    let next = async |listener: &mut Option<tokio::signal::unix::Signal>| match listener {
        Some(listener) => drop(listener.recv().await),
        None => std::future::pending().await,
    };
    tokio::select! {
        () = next(interrupt) => {}
        () = next(terminate) => {}
        () = next(hangup) => {}
    }
}

fn tell(id: &str, mut result: Fields, json: bool) -> Result<u8, Complaint> {
    let Ending { status, sentence } = ended::of(&result)?;
    if let Some(sentence) = &sentence {
        print::error(text::sentence(&words::say(sentence), MAX_SENTENCE).as_str())?;
    }
    let void = result.steps().iter().filter(|step| step.text("code") == Code::Void.name()).count();
    if void > 0 {
        let count = void.to_string();
        let said = words::fill("a step failed, and of those behind it {count} did not begin", &[("count", &count)]);
        print::error(&said)?;
    }
    if json {
        result.insert("id", id.into());
        result.insert("exit", status.into());
        print::json(&result)?;
    }
    Ok(status)
}
