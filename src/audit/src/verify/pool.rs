//! The pool: two threads that hash entries and check their form, while the caller's reads ahead and walks.
//!
//! Batches go round in turn and come back in the same order, a few at a time, so that memory does not grow with the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope};

use super::source::{Batch, Source};
use super::walk::{Halt, Judged, Walk, judge};
use crate::error::StoreError;

/// As many as pay on most machines: reading is slower than two of them.
const THREADS: usize = 2;
/// The most batches on their way; at least one for each thread, and one that waits.
const AHEAD: usize = THREADS * 2;

/// A thread, and the way there and back.
struct Helper {
    to: SyncSender<Batch>,
    from: Receiver<Vec<Judged>>,
}

/// Shows a whole source to the walk.
pub(super) fn walk(source: &mut Source, walk: &mut Walk<'_>) -> Result<(), Halt> {
    walk.begin(source)?;
    std::thread::scope(|scope| {
        let mut helpers: VecDeque<Helper> =
            (0..THREADS).map(|_| helper(scope)).collect::<Result<_, _>>().map_err(Halt::Failed)?;
        let (mut on_their_way, mut more) = (0_usize, true);
        loop {
            while more && on_their_way < AHEAD {
                let batch = source.next()?;
                more = !batch.items.is_empty();
                if more {
                    give(&helpers, on_their_way, batch)?;
                    on_their_way = on_their_way.saturating_add(1);
                }
            }
            let Some(oldest) = helpers.front().filter(|_| on_their_way > 0) else { break };
            for judged in oldest.from.recv().map_err(|_| Halt::Failed(StoreError::Gone))? {
                walk.step(judged, source)?;
            }
            helpers.rotate_left(1);
            on_their_way = on_their_way.saturating_sub(1);
        }
        Ok(())
    })?;
    walk.leave(source)
}

/// Gives a batch to the thread whose turn it is: the first in the queue has the oldest batch.
fn give(helpers: &VecDeque<Helper>, on_their_way: usize, batch: Batch) -> Result<(), Halt> {
    let gone = || Halt::Failed(StoreError::Gone);
    let helper = helpers.get(on_their_way % THREADS).ok_or_else(gone)?;
    helper.to.send(batch).map_err(|_| gone())
}

fn helper<'scope>(scope: &'scope Scope<'scope, '_>) -> Result<Helper, StoreError> {
    let (to, batches) = sync_channel::<Batch>(AHEAD);
    let (back, from) = sync_channel(AHEAD);
    let work = move || {
        for batch in batches {
            if back.send(judge(batch)).is_err() {
                break;
            }
        }
    };
    let builder = Builder::new().name("audit-verifier".to_owned());
    builder.spawn_scoped(scope, work).map_err(|error| StoreError::Thread(Arc::new(error)))?;
    Ok(Helper { to, from })
}
