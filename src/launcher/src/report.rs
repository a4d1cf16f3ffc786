//! What a child says while it confines itself: one JSON line per layer, and the step that failed if one did.
//!
//! The pipe's writing end closes by itself when the program begins, so that the end of the pipe without a failure
//! means that every layer is in force and the program runs; the program itself never has it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use countersign_core::outcome::Layer;
use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

/// The most bytes that a child may say; it says far less.
const MOST: usize = 64 * 1_024;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// A layer is in force.
    Layer(Layer),
    /// A step failed and nothing was executed.
    Failed(Failed),
}

/// The step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failed {
    /// Its name.
    pub(crate) step: String,
    /// The kernel's error number.
    pub(crate) errno: i32,
    /// The whole story, for the journal.
    pub(crate) says: String,
}

/// The child's end. What is said is kept until [`Teller::tell`], so that the launcher is woken once.
#[derive(Debug)]
pub(crate) struct Teller {
    pipe: File,
    kept: Vec<u8>,
}

/// The launcher's end and what it has heard.
#[derive(Debug)]
pub(crate) struct Hearer {
    pipe: File,
    heard: Vec<u8>,
    ended: bool,
}

/// A pipe for one child.
///
/// # Errors
/// No descriptor is left.
pub(crate) fn pair() -> io::Result<(Teller, Hearer)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    Ok((Teller { pipe: write.into(), kept: Vec::new() }, Hearer { pipe: read.into(), heard: Vec::new(), ended: false }))
}

impl Teller {
    /// Says a line.
    ///
    /// # Errors
    /// It cannot be written down.
    pub(crate) fn say(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.kept, line)?;
        self.kept.push(b'\n');
        Ok(())
    }

    /// Tells the launcher what was said. A launcher that does not hear is gone, and the child with it.
    ///
    /// # Errors
    /// The pipe is closed.
    pub(crate) fn tell(&mut self) -> io::Result<()> {
        self.pipe.write_all(&std::mem::take(&mut self.kept))
    }

    /// For keeping it open while everything else is closed.
    pub(crate) fn fd(&self) -> &File {
        &self.pipe
    }
}

impl Hearer {
    /// For waiting; nothing once the child has said all.
    pub(crate) fn fd(&self) -> Option<&File> {
        (!self.ended).then_some(&self.pipe)
    }

    /// Hears what there is to hear, without waiting.
    pub(crate) fn hear(&mut self) {
        let mut piece = [0; 4_096];
        while !self.ended {
            match self.pipe.read(&mut piece) {
                Ok(0) => self.ended = true,
                Ok(length) => self.heard.extend(piece.iter().take(length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.ended = true,
            }
            if self.heard.len() > MOST {
                self.ended = true;
            }
        }
    }

    /// The layers that are in force, and the step that failed if one did.
    pub(crate) fn said(&self) -> (Vec<Layer>, Option<Failed>) {
        let lines = self.heard.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
        let (mut layers, mut failed) = (Vec::new(), None);
        for line in lines {
            match line {
                Line::Layer(layer) => layers.push(layer),
                Line::Failed(step) => failed = Some(step),
            }
        }
        (layers, failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard_and_the_end_too() {
        let (mut teller, mut hearer) = pair().unwrap();
        let layer = Layer { step: "session".to_owned(), gives: "own\nsession".to_owned() };
        let failed = Failed { step: "mounts".to_owned(), errno: 1, says: "why".to_owned() };
        teller.say(&Line::Layer(layer.clone())).unwrap();
        teller.tell().unwrap();
        hearer.hear();
        assert!(hearer.fd().is_some());
        teller.say(&Line::Failed(failed.clone())).unwrap();
        teller.tell().unwrap();
        drop(teller);
        hearer.hear();
        assert!(hearer.fd().is_none());
        assert_eq!(hearer.said(), (vec![layer], Some(failed)));
    }
}
