//! What a process says, while it says it.
//!
//! What enters: a pipe or a terminal; what leaves: the text so far, and the wait for a text to appear. It must never
//! wait without an end, nor lose what came before somebody asked.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::deadline::Deadline;

/// A copy of it reads the same text, but has its own place for [`Stream::expect`].
#[derive(Clone)]
pub struct Stream {
    shared: Arc<Shared>,
    seen: usize,
}

#[derive(Default)]
struct Shared {
    heard: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Default)]
struct Heard {
    bytes: Vec<u8>,
    closed: bool,
}

impl Stream {
    /// Reads `source` to its end on a thread of its own.
    pub(crate) fn listen(mut source: impl Read + Send + 'static) -> Result<Self> {
        let shared = Arc::<Shared>::default();
        let ours = Arc::clone(&shared);
        let read = move || {
            let mut buffer = [0; 8192];
            // A terminal ends with EIO when its last user closes it; both are the end.
            while let Ok(count) = source.read(&mut buffer) {
                let Some(new) = buffer.get(..count).filter(|new| !new.is_empty()) else { break };
                ours.lock().bytes.extend_from_slice(new);
                ours.changed.notify_all();
            }
            drop(source);
            ours.lock().closed = true;
            ours.changed.notify_all();
        };
        std::thread::Builder::new().name("listen".to_owned()).spawn(read).context("start a reader")?;
        Ok(Self { shared, seen: 0 })
    }

    /// All that was said so far; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shared.lock().bytes).into_owned()
    }

    /// All that was said so far, as it came.
    pub fn bytes(&self) -> Vec<u8> {
        self.shared.lock().bytes.clone()
    }

    /// Waits until `text` is said after what the last call found, and returns all from there to its end.
    ///
    /// # Errors
    /// When the time passes or the stream ends first; the message shows what was said instead.
    pub fn expect(&mut self, text: &str, within: Duration) -> Result<String> {
        self.find(text, within, |new| {
            let end = end_of(new, text.as_bytes())?;
            Some((end, String::from_utf8_lossy(new.get(..end)?).into_owned()))
        })
    }

    /// Waits likewise until one of `texts` is said, and returns which; the first of those listed, if more were.
    ///
    /// # Errors
    /// As [`Stream::expect`].
    pub fn first_of<'t>(&mut self, texts: &[&'t str], within: Duration) -> Result<&'t str> {
        self.find(&texts.join("|"), within, |new| {
            texts.iter().find_map(|text| Some((end_of(new, text.as_bytes())?, *text)))
        })
    }

    /// Waits until what was said *ends* with one of `prompts`, and returns which.
    ///
    /// # Errors
    /// As [`Stream::expect`].
    pub fn prompt<'t>(&mut self, prompts: &[&'t str], within: Duration) -> Result<&'t str> {
        self.find(&prompts.join("|"), within, |new| {
            let prompt = prompts.iter().find(|prompt| new.ends_with(prompt.as_bytes()))?;
            Some((new.len(), *prompt))
        })
    }

    /// Waits until `look` finds something in what is new, and passes over as many bytes as it says.
    fn find<T>(&mut self, what: &str, within: Duration, look: impl Fn(&[u8]) -> Option<(usize, T)>) -> Result<T> {
        let deadline = Deadline::after(within);
        let mut heard = self.shared.lock();
        loop {
            let new = heard.bytes.get(self.seen..).unwrap_or_default();
            if let Some((length, found)) = look(new) {
                self.seen = self.seen.saturating_add(length);
                return Ok(found);
            }
            if heard.closed || deadline.passed() {
                let why = if heard.closed { "the stream ended" } else { "the time passed" };
                bail!("{what:?} did not come ({why}); instead: {:?}", String::from_utf8_lossy(new));
            }
            heard = self.shared.wait(heard, &deadline);
        }
    }

    /// Waits for the end and says whether it came in time.
    pub(crate) fn ended(&self, deadline: &Deadline) -> bool {
        let mut heard = self.shared.lock();
        while !heard.closed && !deadline.passed() {
            heard = self.shared.wait(heard, deadline);
        }
        heard.closed
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, heard: MutexGuard<'a, Heard>, deadline: &Deadline) -> MutexGuard<'a, Heard> {
        self.changed.wait_timeout(heard, deadline.remaining()).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Where the first occurrence of `needle` ends.
fn end_of(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let start = hay.windows(needle.len()).position(|window| window == needle)?;
    start.checked_add(needle.len())
}
