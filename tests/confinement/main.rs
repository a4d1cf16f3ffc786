//! Promise: a tier's sandbox holds even when the classifier was wrong. SEC-13.

mod administration;
mod by_hand;
mod changed;
mod hostile;
mod observe;
