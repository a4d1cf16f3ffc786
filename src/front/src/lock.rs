//! The one way to take a mutex: a panic while it was held ended one request, and its data is whole all the same,
//! because nothing here is left half-changed across a call that may panic. Never held across an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock, also after a panic.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
