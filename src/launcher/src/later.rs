//! What waits for a large file to be read: at most [`MOST`] questions, each with the file that it waits for.
//!
//! Enters: a question that cannot be answered yet. Leaves: the question, once a part was read after another and the file
//! is known; or the answer that it will not be. One part is read at a time, between everything else that the loop does, so
//! that a program of a gigabyte keeps no cancel and no stop waiting.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use countersign_core::argv::Argv;
use countersign_core::code::Failure;
use countersign_core::message::FromLauncher;
use countersign_core::order::Claim;
use countersign_core::path::CleanPath;
use countersign_core::request::RequestId;

use crate::pin::{Progress, Read, Reading};

/// The most questions that wait at one time.
pub(crate) const MOST: usize = 64;

/// A question that waits.
#[derive(Debug)]
pub(crate) enum Question {
    /// What words lead to.
    Pin {
        /// The request.
        id: RequestId,
        /// The words.
        argv: Argv,
        /// The working directory.
        cwd: CleanPath,
    },
    /// To run an order.
    Run {
        /// The order.
        order: Box<Claim>,
        /// What came beside it.
        files: Vec<OwnedFd>,
    },
}

/// What came of reading one part.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Nothing to be told yet.
    Nothing,
    /// A file is known, and the question can be answered.
    Known(Question, Read),
    /// It cannot be known, and why.
    Failed(Question, Failure),
}

/// Everything that waits.
#[derive(Debug, Default)]
pub(crate) struct Later(VecDeque<(Question, Box<Reading>)>);

impl Question {
    const fn id(&self) -> RequestId {
        match self {
            Self::Pin { id, .. } => *id,
            Self::Run { order, .. } => order.plan.id,
        }
    }

    /// The answer that it will not be done.
    pub(crate) fn refused(&self, failure: Failure) -> FromLauncher {
        match self {
            Self::Pin { id, .. } => FromLauncher::Pinned { id: *id, result: Err(failure) },
            Self::Run { order, .. } => FromLauncher::Refused { id: order.plan.id, failure },
        }
    }
}

impl Later {
    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps a question. It comes back if too many wait.
    ///
    /// # Errors
    /// [`MOST`] wait already.
    pub(crate) fn keep(&mut self, question: Question, reading: Box<Reading>) -> Result<(), Question> {
        if self.0.len() >= MOST {
            return Err(question);
        }
        self.0.push_back((question, reading));
        Ok(())
    }

    /// Reads one part of the file that the first question waits for.
    pub(crate) fn turn(&mut self) -> Turn {
        let Some((question, reading)) = self.0.pop_front() else { return Turn::Nothing };
        match reading.read_on() {
            Ok(Progress::More(reading)) => {
                self.0.push_front((question, Box::new(reading)));
                Turn::Nothing
            }
            Ok(Progress::Whole(read)) => Turn::Known(question, read),
            Err(failure) => Turn::Failed(question, failure),
        }
    }

    /// Gives up the questions of a request, which are still to be answered.
    pub(crate) fn cancel(&mut self, id: RequestId) -> Vec<Question> {
        let (theirs, others) = self.0.drain(..).partition(|(question, _)| question.id() == id);
        self.0 = others;
        let theirs: VecDeque<(Question, Box<Reading>)> = theirs;
        theirs.into_iter().map(|(question, _)| question).collect()
    }
}
