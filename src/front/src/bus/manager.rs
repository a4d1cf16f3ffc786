//! PID 1: why our unit is being stopped. Asked once, on SIGTERM. SEC-8.

use std::time::Duration;

use tokio::time::timeout;
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath};

/// How long PID 1 may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Why we were told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Somebody wants us stopped, or it is not known what anybody wants.
    Stop,
    /// We are to be started again at once.
    Restart,
    /// The machine goes down.
    Shutdown,
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Unit",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1/unit/countersignd_2eservice"
)]
trait Unit {
    #[zbus(property)]
    fn job(&self) -> zbus::Result<(u32, OwnedObjectPath)>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Job",
    default_service = "org.freedesktop.systemd1",
    assume_defaults = false
)]
trait Job {
    #[zbus(property)]
    fn job_type(&self) -> zbus::Result<String>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    #[zbus(property)]
    fn system_state(&self) -> zbus::Result<String>;
}

/// Asks PID 1. No answer, and any answer that is not clear, means stop.
pub(crate) async fn why(connection: &Connection) -> Why {
    match timeout(ANSWER_WITHIN, ask(connection)).await {
        Ok(Ok((state, job))) => read(&state, job.as_deref()),
        Ok(Err(_)) | Err(_) => Why::Stop,
    }
}

async fn ask(connection: &Connection) -> zbus::Result<(String, Option<String>)> {
    let manager = ManagerProxy::builder(connection).cache_properties(CacheProperties::No).build().await?;
    let unit = UnitProxy::builder(connection).cache_properties(CacheProperties::No).build().await?;
    let (number, path) = unit.job().await?;
    let job = if number == 0 {
        None
    } else {
        Some(
            JobProxy::builder(connection)
                .path(path)
                .cache_properties(CacheProperties::No)
                .build()
                .await?
                .job_type()
                .await?,
        )
    };
    Ok((manager.system_state().await?, job))
}

/// `SystemState` and the type of our unit's job, if it has one (org.freedesktop.systemd1(5)).
fn read(state: &str, job: Option<&str>) -> Why {
    match (state, job) {
        ("stopping", _) => Why::Shutdown,
        (_, Some("restart" | "try-restart" | "reload-or-start")) => Why::Restart,
        (_, Some(_) | None) => Why::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_answer_is_not_a_stop() {
        for (state, job, why) in [
            ("running", Some("stop"), Why::Stop),
            ("running", None, Why::Stop),
            ("degraded", Some("restart"), Why::Restart),
            ("running", Some("try-restart"), Why::Restart),
            ("running", Some("something new"), Why::Stop),
            ("stopping", Some("stop"), Why::Shutdown),
            ("", None, Why::Stop),
        ] {
            assert_eq!(read(state, job), why, "{state} {job:?}");
        }
    }
}
