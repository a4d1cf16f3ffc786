//! A person at a terminal who answers polkit.
//!
//! What enters: a client to run and how the person behaves; what leaves: the client's output and the dialog as it was
//! on the screen. The agent is the real `pkttyagent`, the password goes through PAM. It must never answer a dialog that
//! the test did not tell it to answer.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::Command;
use crate::deadline::Deadline;
use crate::enter;
use crate::machine::Machine;
use crate::process::Output;
use crate::pty::Terminal;

/// What the person does when the dialog asks for the password.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// Types it.
    Password(&'a str),
    /// Presses ^C; the client has the same terminal and is interrupted too.
    Interrupt,
    /// Closes the terminal.
    HangUp,
    /// Does nothing.
    Silence,
}

/// A client on a terminal with a person before it.
pub struct Attended {
    terminal: Terminal,
    deadline: Deadline,
}

/// The agent closes descriptor 4 when it is registered, which ends the substitution; the shell then becomes the client,
/// so that the sender of its messages is the process that the agent speaks for.
const AGENT_THEN_CLIENT: &str =
    r#": "$(pkttyagent --process $$ --notify-fd 4 4>&1 </dev/tty >/dev/tty 2>&1 &)"; exec "$@" </dev/null"#;
/// Leads the session and stays after the client, for the terminal hangs up when its session's leader ends, and the
/// agent's last words come a moment after the client's end. `$0` is the script above.
const SESSION: &str = r#"trap : INT; sh -c "$0" client "$@"; code=$?
printf '%s\n' "-- the client ended: $code --" >/dev/tty && sleep 60; exit $code"#;
const ENDED: &str = "-- the client ended: ";
const OPENED: &str = "==== AUTHENTICATING FOR";
/// The questions of a terminal agent, as the end of the screen: a caller's words in the dialog are followed by more.
const PASSWORD: &str = "Password: ";
const CHOICE: &str = "): ";
/// How long the client may take until a dialog opens.
const OPENING: Duration = Duration::from_secs(10);
/// How long the agent may take to say how it ended, when the client has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Machine {
    /// Runs `argv` as `user` beside a registered terminal agent, and answers the dialog with `password`: that of the
    /// administrator whom the dialog names, not of `user`. Returns the output and all that was on the screen.
    ///
    /// # Errors
    /// When no dialog opens within 10 s, the client ends without one, or it does not end within 30 s.
    pub fn run_with_agent<I, S>(&self, user: &str, password: &str, argv: I) -> Result<(Output, String)>
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let mut attended = self.command(user, argv)?.attended()?;
        attended.dialog()?;
        attended.answer(Answer::Password(password))?;
        attended.wait()
    }
}

impl Command {
    /// Starts it on a terminal where an agent is registered for it. Its output goes to pipes, its input is `/dev/null`,
    /// and its deadline counts from here.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn attended(self) -> Result<Attended> {
        let deadline = Deadline::after(self.limit());
        let client = |argv: Vec<String>| {
            let mut line = enter::words(&["sh", "-c", SESSION, AGENT_THEN_CLIENT]);
            line.extend(argv);
            line
        };
        Ok(Attended { terminal: self.map_argv(client).spawn_pty_piped()?, deadline })
    }
}

impl Attended {
    /// Waits until a dialog asks for the password and returns the screen up to there. Where several administrators could
    /// answer, the first is chosen. Called again, it waits for the next dialog.
    ///
    /// # Errors
    /// When none opens within 10 s, or the client ends without one; the message has the screen.
    pub fn dialog(&mut self) -> Result<String> {
        let deadline = Deadline::after(OPENING);
        if self.terminal.first_of(&[OPENED, ENDED], deadline.remaining())? == ENDED {
            bail!("the client ended without a dialog; the screen: {:?}", self.terminal.screen());
        }
        if self.terminal.prompt(&[PASSWORD, CHOICE], deadline.remaining())? == CHOICE {
            self.terminal.send("1")?;
            self.terminal.prompt(&[PASSWORD], deadline.remaining())?;
        }
        Ok(self.terminal.screen())
    }

    /// Answers the open dialog.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn answer(&mut self, answer: Answer<'_>) -> Result<()> {
        match answer {
            Answer::Password(password) => self.terminal.send_secret(password),
            Answer::Interrupt => self.terminal.keys(b"\x03"),
            Answer::HangUp => self.terminal.hang_up(),
            Answer::Silence => Ok(()),
        }
    }

    /// The terminal, for what has no word here.
    pub fn terminal(&mut self) -> &mut Terminal {
        &mut self.terminal
    }

    /// Waits for the client to end; returns its output and all that was on the screen. Ends the agent.
    ///
    /// # Errors
    /// When the client does not end before the command's deadline, as it may well not after [`Answer::Silence`]: then
    /// it is killed.
    pub fn wait(mut self) -> Result<(Output, String)> {
        let Ok(_) = self.terminal.expect(ENDED, self.deadline.remaining()) else {
            // Hung up, or late, which the second wait says with the output.
            let output = self.terminal.wait(self.deadline.remaining().max(LAST_WORDS))?;
            return Ok((output, self.terminal.screen()));
        };
        let code = self.terminal.expect(" --", LAST_WORDS)?;
        let code = code.trim_end_matches(" --").parse().with_context(|| format!("exit code {code:?}"))?;
        self.terminal.await_text("==== AUTHENTICATION ", LAST_WORDS);
        let output = self.terminal.process().kill_and_collect(code)?;
        Ok((output, self.terminal.screen().replace(&format!("{ENDED}{code} --\r\n"), "")))
    }
}
