//! Watching for users whose last process is gone: nobody is left who has read anything.
//!
//! Looks only while a latch is armed. A latch is cleared after as many sure looks in a row without a process of its user,
//! and never while a request of that user is open.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::caller::Uid;
use tokio::time::{MissedTickBehavior, interval};

use super::processes::{Look, look};
use crate::control::clear_of_the_gone;
use crate::pipeline::Pipeline;

/// How often is looked.
const EVERY: Duration = Duration::from_secs(5);
/// How many looks in a row must have seen nobody.
const LOOKS: u32 = 3;

/// For each user with an armed latch: how many sure looks in a row saw no process of it.
#[derive(Debug, Default)]
struct Absences(HashMap<Uid, u32>);

impl Absences {
    /// Takes a look into account; returns who is gone.
    fn after(&mut self, look: &Look, armed: impl Iterator<Item = Uid>) -> Vec<Uid> {
        let Look::Sure(present) = look else {
            self.0.clear();
            return Vec::new();
        };
        let absent = armed.filter(|uid| !present.contains(uid));
        self.0 = absent.map(|uid| (uid, self.0.get(&uid).map_or(1, |looks| looks.saturating_add(1)))).collect();
        self.0.iter().filter(|(_, looks)| **looks >= LOOKS).map(|(uid, _)| *uid).collect()
    }
}

/// Watches for as long as the broker lives.
pub(crate) async fn watch(pipeline: Arc<Pipeline>) {
    let (mut tick, mut absences) = (interval(EVERY), Absences::default());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let mut armed = pipeline.latches.armed();
        let busy: Vec<Uid> = pipeline.tickets.unfinished().iter().map(|ticket| ticket.owner()).collect();
        armed.retain(|uid| !busy.contains(uid));
        if armed.is_empty() {
            absences = Absences::default();
            continue;
        }
        let seen = tokio::task::spawn_blocking(|| look(Path::new("/proc"))).await.unwrap_or(Look::Unsure);
        for uid in absences.after(&seen, armed.into_iter()) {
            // What could not be recorded is not cleared; the next look tries again.
            drop(clear_of_the_gone(&pipeline, uid).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sure_looks_in_a_row_count() {
        let (gone, here) = (Uid::try_from(1000).unwrap(), Uid::ROOT);
        let look = |uids: &[Uid]| Look::Sure(uids.iter().copied().collect());
        let mut absences = Absences::default();
        let mut after = |look: &Look| absences.after(look, [gone, here].into_iter());
        for _ in 1..LOOKS {
            assert!(after(&look(&[here])).is_empty());
        }
        assert!(after(&Look::Unsure).is_empty(), "an unsure look begins anew");
        for _ in 1..LOOKS {
            assert!(after(&look(&[here])).is_empty());
        }
        assert!(after(&look(&[here, gone])).is_empty(), "it is back");
        for _ in 1..LOOKS {
            assert!(after(&look(&[here])).is_empty());
        }
        assert_eq!(after(&look(&[here])), [gone]);
    }
}
