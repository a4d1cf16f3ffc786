//! PID 1: how a unit is. Asked for checks of rules; what is not an answer in time is none. SEC-5.

use countersign_core::condition::{Activity, Unit};
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath};

use crate::conditions::units::{UnitState, Units};
use crate::launch::Soon;

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Unit",
    default_service = "org.freedesktop.systemd1",
    assume_defaults = false
)]
trait Loaded {
    #[zbus(property)]
    fn load_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn active_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn condition_result(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn condition_timestamp(&self) -> zbus::Result<u64>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Service",
    default_service = "org.freedesktop.systemd1",
    assume_defaults = false
)]
trait Service {
    #[zbus(property, name = "Type")]
    fn kind(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn result(&self) -> zbus::Result<String>;
}

/// PID 1 over this connection. Anybody may ask it this (org.freedesktop.systemd1(5)).
pub(super) struct Manages(pub(super) Connection);

impl Units for Manages {
    fn state<'a>(&'a self, unit: &'a Unit) -> Soon<'a, Option<UnitState>> {
        Box::pin(async move { self.ask(unit).await.ok().flatten() })
    }
}

impl Manages {
    async fn ask(&self, unit: &Unit) -> zbus::Result<Option<UnitState>> {
        let manager = ManagerProxy::builder(&self.0).cache_properties(CacheProperties::No).build().await?;
        // Also where it is not loaded, as `systemctl status` does; nothing is started by it.
        let path = manager.load_unit(unit.as_str()).await?;
        let loaded = LoadedProxy::builder(&self.0).path(&path).cache_properties(CacheProperties::No).build().await?;
        let (load, active) = (loaded.load_state().await?, loaded.active_state().await?);
        let Some(activity) = activity(&load, &active) else { return Ok(None) };
        let ended_well = if activity == Activity::Inactive && unit.as_str().ends_with(".service") {
            let service = ServiceProxy::builder(&self.0).path(&path);
            let service = service.cache_properties(CacheProperties::No).build().await?;
            // Conditions of a unit that were looked at and did not hold: it was left out.
            let left_out = loaded.condition_timestamp().await? > 0 && !loaded.condition_result().await?;
            service.kind().await? == "oneshot" && service.result().await? == "success" && !left_out
        } else {
            false
        };
        Ok(Some(UnitState { activity, ended_well }))
    }
}

/// `LoadState` and `ActiveState`; nothing where the second is a word that is not known here.
fn activity(load: &str, active: &str) -> Option<Activity> {
    match (load, active) {
        (_, "active" | "reloading" | "refreshing") => Some(Activity::Active),
        (_, "failed") => Some(Activity::Failed),
        (_, "activating" | "deactivating" | "maintenance") => Some(Activity::Changing),
        ("loaded" | "merged", "inactive") => Some(Activity::Inactive),
        (_, "inactive") => Some(Activity::Absent),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_active_is_active() {
        for (load, active, expected) in [
            ("loaded", "active", Some(Activity::Active)),
            ("loaded", "reloading", Some(Activity::Active)),
            ("loaded", "inactive", Some(Activity::Inactive)),
            ("loaded", "failed", Some(Activity::Failed)),
            ("loaded", "activating", Some(Activity::Changing)),
            ("loaded", "deactivating", Some(Activity::Changing)),
            ("not-found", "inactive", Some(Activity::Absent)),
            ("masked", "inactive", Some(Activity::Absent)),
            ("error", "inactive", Some(Activity::Absent)),
            ("loaded", "something new", None),
            ("", "", None),
        ] {
            assert_eq!(activity(load, active), expected, "{load} {active}");
        }
    }
}
