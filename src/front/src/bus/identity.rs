//! Identity: the only place where a [`Caller`] is built, and only from a message's sender. SEC-11.
//!
//! ```text
//!   sender ──credentials──▶ uid, gids, pid ──/proc under a pidfd──▶ facts ──credentials again, the same──▶ Caller
//! ```
//!
//! Every error on the way denies (CVE-2021-3560). What was proven is kept until the bus says that the connection is
//! gone: unique names are never given to anybody else, so a kept answer cannot come to mean another process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_core::caller::{BusName, Caller, Gid, NotAnIdentity, Uid};
use countersign_core::code::{Code, Failure};
use tokio::sync::watch;
use tokio::time::timeout;
use zbus::fdo::{ConnectionCredentials, DBusProxy};
use zbus::message::Header;
use zbus::names::UniqueName;

use super::facts;
use crate::lock::lock;

/// The most connections that are known at once; the bus itself allows fewer.
const MAX_KNOWN: usize = 8_192;

/// How long the bus daemon may take to say who somebody is.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(5);

/// Why a sender is nobody whom we know. The caller is told none of it.
#[derive(Debug, thiserror::Error)]
enum Unproven {
    #[error("the message has no sender")]
    NoSender,
    #[error("the bus said nothing of the sender")]
    Bus(#[from] zbus::fdo::Error),
    #[error("the bus left out the user, the groups or the process")]
    Incomplete,
    #[error("an id or a name is none")]
    NotAnIdentity(#[from] NotAnIdentity),
    #[error("the process is gone")]
    Process(#[from] std::io::Error),
    #[error("the bus said something else the second time")]
    Changed,
    #[error("the sender left meanwhile")]
    Left,
    #[error("the bus did not answer in time")]
    Late,
    #[error("too many connections are known")]
    Full,
}

/// A connection that calls, or called. Dropping `here` tells everybody who waits for it to leave.
#[derive(Debug)]
struct Known {
    caller: Option<Arc<Caller>>,
    here: watch::Sender<()>,
}

/// Who is connected, as far as they called.
#[derive(Debug)]
pub(crate) struct Identities {
    bus: DBusProxy<'static>,
    known: Mutex<HashMap<BusName, Known>>,
}

impl Identities {
    /// Asks this bus.
    pub(super) fn new(bus: DBusProxy<'static>) -> Self {
        Self { bus, known: Mutex::default() }
    }

    /// Proves who sent a message.
    ///
    /// # Errors
    /// `AccessDenied`, without detail, whatever went wrong.
    pub(super) async fn prove(&self, header: &Header<'_>) -> Result<Arc<Caller>, Failure> {
        self.identify(header).await.map_err(|_| {
            Failure::new(Code::AccessDenied, "The broker could not prove who you are: connect anew and try again.")
        })
    }

    async fn identify(&self, header: &Header<'_>) -> Result<Arc<Caller>, Unproven> {
        let sender = header.sender().ok_or(Unproven::NoSender)?;
        let name = BusName::try_from(sender.as_str().to_owned())?;
        if let Some(caller) = self.meet(&name)? {
            return Ok(caller);
        }
        let looked_up = timeout(LOOK_UP_WITHIN, self.look_up(sender, &name)).await.unwrap_or(Err(Unproven::Late));
        match looked_up {
            Ok(caller) => self.keep(&name, caller),
            Err(unproven) => {
                self.forget_unproven(&name);
                Err(unproven)
            }
        }
    }

    /// What is known of this name already. An unknown one is noted before anything is asked about it, so that a
    /// departure in the meantime is noticed.
    fn meet(&self, name: &BusName) -> Result<Option<Arc<Caller>>, Unproven> {
        let mut known = lock(&self.known);
        match known.get(name) {
            Some(known) => Ok(known.caller.clone()),
            None if known.len() >= MAX_KNOWN => Err(Unproven::Full),
            None => {
                known.insert(name.clone(), Known { caller: None, here: watch::Sender::new(()) });
                Ok(None)
            }
        }
    }

    async fn look_up(&self, sender: &UniqueName<'_>, name: &BusName) -> Result<Caller, Unproven> {
        let first = self.bus.get_connection_credentials(sender.clone().into()).await?;
        let (uid, pid) = ids(&first)?;
        let gids = first
            .unix_group_ids()
            .ok_or(Unproven::Incomplete)?
            .iter()
            .copied()
            .map(Gid::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        let facts =
            tokio::task::spawn_blocking(move || facts::look(pid, uid)).await.map_err(std::io::Error::other)??;
        let second = self.bus.get_connection_credentials(sender.clone().into()).await?;
        if ids(&second)? != (uid, pid) {
            return Err(Unproven::Changed);
        }
        let security_label = label(second.linux_security_label());
        let facts::Facts { user, start_time, exe, unit, session, login_uid } = facts;
        let bus_name = name.clone();
        Ok(Caller { uid, gids, bus_name, user, pid, start_time, exe, unit, session, login_uid, security_label })
    }

    fn keep(&self, name: &BusName, caller: Caller) -> Result<Arc<Caller>, Unproven> {
        let mut known = lock(&self.known);
        let known = known.get_mut(name).ok_or(Unproven::Left)?;
        Ok(Arc::clone(known.caller.insert(Arc::new(caller))))
    }

    fn forget_unproven(&self, name: &BusName) {
        let mut known = lock(&self.known);
        if known.get(name).is_some_and(|known| known.caller.is_none()) {
            known.remove(name);
        }
    }

    /// The bus said that this connection is gone.
    pub(super) fn departed(&self, name: &BusName) {
        lock(&self.known).remove(name);
    }

    /// Tells when this connection is gone: its sender is then dropped. Nothing if it is not known, so gone already.
    pub(super) fn presence(&self, name: &BusName) -> Option<watch::Receiver<()>> {
        lock(&self.known).get(name).map(|known| known.here.subscribe())
    }
}

/// The bus daemon ends the label with a zero byte.
fn label(bytes: Option<&Vec<u8>>) -> Option<String> {
    let text = String::from_utf8_lossy(bytes?).trim_end_matches(['\0', '\n']).to_owned();
    Some(text).filter(|text| !text.is_empty())
}

fn ids(credentials: &ConnectionCredentials) -> Result<(Uid, u32), Unproven> {
    let uid = Uid::try_from(credentials.unix_user_id().ok_or(Unproven::Incomplete)?)?;
    Ok((uid, credentials.process_id().ok_or(Unproven::Incomplete)?))
}
