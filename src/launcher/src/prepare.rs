//! Preparing a job: everything that can be decided, allocated or found out before there is a child.
//!
//! Enters: a proven plan, its sandbox, and the descriptors that came beside the order. Leaves: a [`Job`], which a child
//! turns into a running program by the steps of [`crate::confine`]. What a person approved is complete here: words,
//! environment, standard input by its digest.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::rc::Rc;
use std::time::Duration;

use countersign_core::code::{Code, Failure};
use countersign_core::digest::Digest;
use countersign_core::path::CleanPath;
use countersign_core::plan::{PinnedDirectory, Plan};
use countersign_core::target::{Access, Target, TargetKind};
use rustix::fs::{Mode, OFlags, SealFlags, fcntl_get_seals, open};
use sha2::{Digest as _, Sha256};

use crate::cgroup::{Controllers, Limits};
use crate::pin::{Identity, Pins};
use crate::sandbox::Sandbox;
use crate::verify::Proven;

/// A file that must still be the one that was pinned when it is executed.
#[derive(Debug)]
pub(crate) struct Exact {
    /// Where it is, without links.
    pub(crate) path: CleanPath,
    /// What it is.
    pub(crate) identity: Identity,
}

/// What becomes of a child's three first descriptors.
#[derive(Debug)]
pub(crate) struct Stdio {
    /// `/dev/null`, or the content that was approved.
    pub(crate) stdin: OwnedFd,
    /// The front's pipe.
    pub(crate) stdout: OwnedFd,
    /// The front's pipe.
    pub(crate) stderr: OwnedFd,
}

/// The program as the kernel will be told of it.
#[derive(Debug)]
pub(crate) struct Program {
    /// What is executed.
    pub(crate) executable: Exact,
    /// What its interpreter reads, if it is a script.
    pub(crate) script: Option<Exact>,
    /// The words of the program, or the interpreter and its argument.
    pub(crate) head: Vec<CString>,
    /// The words that follow.
    pub(crate) words: Vec<CString>,
    /// The whole environment.
    pub(crate) environment: Vec<CString>,
}

/// A job that is ready to be started.
#[derive(Debug)]
pub(crate) struct Job {
    /// The sandbox.
    pub(crate) sandbox: Rc<Sandbox>,
    /// The program.
    pub(crate) program: Program,
    /// Where it begins.
    pub(crate) cwd: PinnedDirectory,
    /// The paths that the request names as written.
    pub(crate) written: Vec<CleanPath>,
    /// The paths that the request names as read.
    pub(crate) read: Vec<CleanPath>,
    /// Its first descriptors.
    pub(crate) stdio: Stdio,
    /// What its cgroup limits.
    pub(crate) limits: Limits,
    /// Which of that a controller enforces.
    pub(crate) controllers: Controllers,
    /// The time that it may take.
    pub(crate) time: Duration,
}

/// Prepares a proven plan.
///
/// # Errors
/// The descriptors are not those of the plan, or its standard input is not the content that was approved.
pub(crate) fn prepare(
    plan: Plan,
    proven: Proven,
    files: Vec<OwnedFd>,
    controllers: Controllers,
) -> Result<Job, Failure> {
    let Proven { pins, sandbox } = proven;
    let stdio = stdio(plan.action.stdin, files)?;
    let limits = &sandbox.profile.limits;
    let longest = Duration::from_secs(u64::from(limits.seconds));
    let time = plan.action.timeout_ms.map_or(longest, |ms| longest.min(Duration::from_millis(ms)));
    let cgroup = Limits { tasks: limits.tasks, memory_mib: limits.memory_mib };
    let program = program(&plan, &pins, &sandbox)?;
    let [written, read] = [Access::Write, Access::Read].map(|access| paths(&plan.targets, access));
    Ok(Job { program, cwd: pins.pinned.cwd, written, read, stdio, limits: cgroup, controllers, time, sandbox })
}

fn program(plan: &Plan, pins: &Pins, sandbox: &Sandbox) -> Result<Program, Failure> {
    let words: Vec<CString> = plan.action.argv.words().iter().map(|word| c_string(word)).collect::<Result<_, _>>()?;
    let account = &sandbox.account;
    let environment = plan.action.env.complete(&account.name, &account.home);
    let environment =
        environment.iter().map(|(name, value)| c_string(&format!("{name}={value}"))).collect::<Result<_, _>>()?;
    let file = Exact { path: pins.pinned.executable.path.clone(), identity: pins.executable };
    let (Some(interpreter), Some(identity)) = (&pins.pinned.interpreter, pins.interpreter) else {
        let mut words = words.into_iter();
        return Ok(Program {
            executable: file,
            script: None,
            head: words.next().into_iter().collect(),
            words: words.collect(),
            environment,
        });
    };
    let path = interpreter.file.path.clone();
    let head = [Some(path.as_str()), interpreter.argument.as_deref()];
    let head = head.into_iter().flatten().map(c_string).collect::<Result<_, _>>()?;
    let words = words.into_iter().skip(1).collect();
    Ok(Program { executable: Exact { path, identity }, script: Some(file), head, words, environment })
}

fn paths(targets: &[Target], access: Access) -> Vec<CleanPath> {
    let named = targets.iter().filter(|target| target.kind == TargetKind::Path && target.access == access);
    named.filter_map(|target| CleanPath::new(&target.name).ok()).collect()
}

fn stdio(stdin: Option<Digest>, files: Vec<OwnedFd>) -> Result<Stdio, Failure> {
    let mut files = files.into_iter();
    let (Some(stdout), Some(stderr)) = (files.next(), files.next()) else { return Err(not_beside()) };
    if !is_pipe(&stdout) || !is_pipe(&stderr) {
        return Err(not_beside());
    }
    let stdin = match (stdin, files.next()) {
        (None, None) => open(c"/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|_| no_stdin()),
        (Some(digest), Some(file)) => approved_input(digest, &file),
        (None, Some(_)) | (Some(_), None) => Err(not_beside()),
    }?;
    Ok(Stdio { stdin, stdout, stderr })
}

/// A memory file that nobody can change any more and whose content is what was approved, opened anew for reading.
fn approved_input(digest: Digest, file: &OwnedFd) -> Result<OwnedFd, Failure> {
    let needed = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW;
    let sealed = fcntl_get_seals(file).is_ok_and(|seals| seals.contains(needed));
    let opened = reopen(file).map_err(|_| no_stdin())?;
    let found = digest_of(opened.try_clone().map_err(|_| no_stdin())?).map_err(|_| no_stdin())?;
    if !sealed || found != digest {
        return Err(Failure::new(Code::Changed, "The standard input is not the one that was planned: ask again."));
    }
    // The digest was read through another description: the job begins at the first byte.
    reopen(file).map(OwnedFd::from).map_err(|_| no_stdin())
}

fn reopen(file: &OwnedFd) -> io::Result<File> {
    use std::os::fd::AsRawFd as _;
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn digest_of(mut file: File) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 64 * 1_024];
    loop {
        let length = file.read(&mut piece)?;
        let read = piece.get(..length).filter(|read| !read.is_empty());
        let Some(read) = read else { return Ok(Digest::from_bytes(hasher.finalize().into())) };
        hasher.update(read);
    }
}

fn is_pipe(fd: &OwnedFd) -> bool {
    fd.try_clone().map(File::from).and_then(|file| file.metadata()).is_ok_and(|found| found.file_type().is_fifo())
}

fn c_string(word: &str) -> Result<CString, Failure> {
    CString::new(word).map_err(|_| Failure::new(Code::InvalidRequest, "A word of the command contains a NUL byte."))
}

fn not_beside() -> Failure {
    Failure::new(Code::Internal, "The order came without the descriptors that it needs.")
}

fn no_stdin() -> Failure {
    Failure::new(Code::LaunchFailed, "The standard input cannot be read.")
}
