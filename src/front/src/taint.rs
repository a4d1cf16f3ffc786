//! The taint latch of each user: armed once the broker returned output to it, or on its own word. SEC-4.
//!
//! While armed, nothing that changes anything runs without a human, whatever the grant says. It never clears by
//! itself and never by the caller.

use std::collections::HashSet;
use std::sync::Mutex;

use countersign_core::caller::Uid;
use countersign_core::policy::Taint;

use crate::lock::lock;

/// Whose latch is armed. At most one entry for each user that ever called.
#[derive(Debug, Default)]
pub(crate) struct Latches(Mutex<HashSet<Uid>>);

impl Latches {
    /// Arms the latch.
    pub(crate) fn arm(&self, uid: Uid) {
        lock(&self.0).insert(uid);
    }

    /// Clears the latch, on an administrator's word; says whether it was armed.
    pub(crate) fn clear(&self, uid: Uid) -> bool {
        lock(&self.0).remove(&uid)
    }

    /// Whether it is armed.
    pub(crate) fn of(&self, uid: Uid) -> Taint {
        if lock(&self.0).contains(&uid) { Taint::Tainted } else { Taint::Clean }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_users_latch_is_not_anothers() {
        let (latches, other) = (Latches::default(), Uid::try_from(7).unwrap());
        latches.arm(Uid::ROOT);
        latches.arm(Uid::ROOT);
        assert_eq!((latches.of(Uid::ROOT), latches.of(other)), (Taint::Tainted, Taint::Clean));
        assert_eq!((latches.clear(other), latches.clear(Uid::ROOT), latches.clear(Uid::ROOT)), (false, true, false));
        assert_eq!(latches.of(Uid::ROOT), Taint::Clean);
    }
}
