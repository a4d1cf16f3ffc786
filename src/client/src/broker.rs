//! The broker as a client sees it: one method per thing that can be asked of it.
//!
//! Enters: an ask, an id, a word. Leaves: an answer or why there is none. Before the first call it looks for the stop
//! note, so that a stopped broker is neither started nor waited for.

use std::path::Path;

use countersign_core::record::Entry;
use countersign_core::tree::leaf;
use zbus::Connection;
use zbus::proxy::CacheProperties;

use crate::answer::Fields;
use crate::ask::Ask;
use crate::error::ClientError;
use crate::name::{Known, Name};
use crate::proxy::{ApprovalsProxy, AuditProxy, Broker1Proxy, ControlProxy, Dictionary, RequestProxy};
use crate::stopped::Latch;

/// The object below which requests are.
const REQUESTS: &str = "/org/countersign/Broker1/request";

/// Whether a dialog may open in the caller's session for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// If an agent is there to open one.
    Allowed,
    /// A request goes to the queue; what may not be seen is not seen.
    Never,
}

/// A connection to the broker.
#[derive(Debug, Clone)]
pub struct Broker {
    connection: Connection,
}

type Answer<T> = Result<T, ClientError>;

impl Broker {
    /// Connects to the system bus; the broker itself is started by the first call if it must be.
    ///
    /// # Errors
    /// The broker is stopped, or there is no bus.
    pub async fn connect() -> Answer<Self> {
        Latch::look(Path::new("/")).pass()?;
        Ok(Self { connection: Connection::system().await? })
    }

    /// Everything that would happen; nothing does.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn plan(&self, ask: &Ask) -> Answer<Fields> {
        told(self.broker().await?.plan(&ask.dictionary()).await.map(Fields::from))
    }

    /// Makes the request and returns its id.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn submit(&self, ask: &Ask, prompt: Prompt) -> Answer<String> {
        let broker = self.broker().await?;
        let path = match prompt {
            Prompt::Allowed => broker.submit_with_dialog(&ask.dictionary()).await,
            Prompt::Never => broker.submit(&ask.dictionary()).await,
        };
        let path = told(path)?;
        let id = path.as_str().strip_prefix(REQUESTS).and_then(|rest| rest.strip_prefix('/'));
        id.map(str::to_owned).ok_or_else(|| ClientError::Answer { key: "object path".to_owned() })
    }

    /// Waits for a request's end.
    ///
    /// # Errors
    /// Those of the broker: that it was refused, denied, stopped and so on.
    pub async fn result(&self, id: &str) -> Answer<Fields> {
        told(self.request(id).await?.result().await.map(Fields::from))
    }

    /// How far a request has come, and its fingerprint.
    ///
    /// # Errors
    /// The request is over, or there is none.
    pub async fn progress(&self, id: &str) -> Answer<(String, String)> {
        let request = self.request(id).await?;
        Ok((told(request.phase().await)?, told(request.fingerprint().await)?))
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn cancel(&self, id: &str) -> Answer<()> {
        told(self.request(id).await?.cancel().await)
    }

    /// The open requests that the caller may see: its own, and those of others after authenticating.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn list(&self, prompt: Prompt) -> Answer<Vec<Fields>> {
        let approvals = self.approvals().await?;
        let answered = match prompt {
            Prompt::Allowed => approvals.list_with_dialog().await,
            Prompt::Never => approvals.list().await,
        };
        Ok(told(answered)?.into_iter().map(Fields::from).collect())
    }

    /// One request in full.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn show(&self, id: &str, prompt: Prompt) -> Answer<Fields> {
        let approvals = self.approvals().await?;
        let answered = match prompt {
            Prompt::Allowed => approvals.show_with_dialog(id).await,
            Prompt::Never => approvals.show(id).await,
        };
        told(answered.map(Fields::from))
    }

    /// Says yes to one digest; without one, to what the dialog shows.
    ///
    /// # Errors
    /// Those of the broker; `WrongDigest` where the request has another digest, or where one must be named.
    pub async fn approve(&self, id: &str, digest: &str) -> Answer<()> {
        told(self.approvals().await?.approve(id, digest).await)
    }

    /// Says no.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn refuse(&self, id: &str, digest: &str, reason: &str) -> Answer<()> {
        told(self.approvals().await?.refuse(id, digest, reason).await)
    }

    /// Stops the broker and every job.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn stop(&self, reason: &str) -> Answer<()> {
        told(self.broker().await?.stop(reason).await)
    }

    /// Serves reads only until it is resumed.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn hold(&self, reason: &str) -> Answer<()> {
        told(self.control().await?.hold(reason).await)
    }

    /// Ends a hold.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn resume(&self, reason: &str) -> Answer<()> {
        told(self.control().await?.resume(reason).await)
    }

    /// Clears a user's taint latch.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn clear_taint(&self, uid: u32, reason: &str) -> Answer<()> {
        told(self.control().await?.clear_taint(uid, reason).await)
    }

    /// The files of the policy in force: kind, origin, path and text, in the order in which they apply.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn policy(&self) -> Answer<Vec<(String, String, String, String)>> {
        told(self.broker().await?.policy().await)
    }

    /// Arms the caller's own taint latch.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn mark_tainted(&self) -> Answer<()> {
        told(self.broker().await?.mark_tainted().await)
    }

    /// Has the policy read again, and comes back when it is in force.
    ///
    /// # Errors
    /// Those of the broker; `PolicyInvalid` where the old one stays.
    pub async fn reload(&self) -> Answer<()> {
        told(self.control().await?.reload().await)
    }

    /// State, mode, version, ruleset, the caller's taint, and what is not as usual.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn status(&self) -> Answer<Fields> {
        let broker = self.broker().await?;
        let mut fields = Fields::default();
        fields.insert("state", told(broker.state().await)?.into());
        fields.insert("mode", told(broker.mode().await)?.into());
        fields.insert("version", told(broker.version().await)?.into());
        fields.insert("ruleset", told(broker.ruleset().await)?.into());
        fields.insert("tainted", told(broker.tainted().await)?.into());
        fields.insert("notices", told(broker.notices().await)?.into());
        Ok(fields)
    }

    /// The id that a word names. A whole id is taken as it is.
    ///
    /// # Errors
    /// No request has the name, or several have.
    pub async fn id_of(&self, word: &str, prompt: Prompt) -> Answer<String> {
        let name = Name::parse(word)?;
        if let Name::Whole(id) = name {
            return Ok(id.to_string());
        }
        let list = self.list(prompt).await?;
        name.among(list.iter().map(|fields| Known { id: fields.text("id"), fingerprint: fields.text("fingerprint") }))
    }

    /// A checkpoint over every entry of the log, as a signed note.
    ///
    /// # Errors
    /// The log cannot be read or signed now.
    pub async fn checkpoint(&self) -> Answer<String> {
        told(self.audit().await?.checkpoint().await)
    }

    /// The proof that this entry, counted from 1, is in the log.
    ///
    /// # Errors
    /// There is no such entry, or the log cannot be read or signed now.
    pub async fn proof(&self, entry: u64) -> Answer<String> {
        told(self.audit().await?.proof(entry).await)
    }

    /// The newest entries of the log that fit, and what to give as `before` to go on, 0 if that is all. The keys are those of
    /// the interface; without any, the caller's own entries.
    ///
    /// # Errors
    /// Those of the broker, or an entry is not the one of its hash.
    pub async fn query(&self, keys: &Dictionary<'_>) -> Answer<(Vec<Entry>, u64)> {
        let (entries, next) = told(self.audit().await?.query(keys).await)?;
        let entry = |(seq, hash, body): (u64, String, String)| {
            let entry = Entry { seq, hash: leaf(body.as_bytes()), body: body.into_bytes() };
            Some(entry).filter(|entry| entry.hash.to_string() == hash)
        };
        let entries = entries.into_iter().map(entry).collect::<Option<Vec<_>>>();
        Ok((entries.ok_or_else(|| ClientError::Answer { key: "entries".to_owned() })?, next))
    }

    async fn audit(&self) -> Answer<AuditProxy<'_>> {
        Ok(AuditProxy::builder(&self.connection).cache_properties(CacheProperties::No).build().await?)
    }

    async fn broker(&self) -> Answer<Broker1Proxy<'_>> {
        Ok(Broker1Proxy::builder(&self.connection).cache_properties(CacheProperties::No).build().await?)
    }

    async fn control(&self) -> Answer<ControlProxy<'_>> {
        Ok(ControlProxy::builder(&self.connection).cache_properties(CacheProperties::No).build().await?)
    }

    async fn approvals(&self) -> Answer<ApprovalsProxy<'_>> {
        Ok(ApprovalsProxy::builder(&self.connection).cache_properties(CacheProperties::No).build().await?)
    }

    async fn request(&self, id: &str) -> Answer<RequestProxy<'_>> {
        let path = format!("{REQUESTS}/{id}");
        Ok(RequestProxy::builder(&self.connection).path(path).cache_properties(CacheProperties::No).build().await?)
    }
}

/// A call that failed because the broker was stopped meanwhile says so, whatever the bus called it.
fn told<T>(answer: zbus::Result<T>) -> Answer<T> {
    answer.map_err(|error| match ClientError::from(error) {
        error @ ClientError::Unreachable { .. } => Latch::look(Path::new("/")).pass().err().unwrap_or(error),
        error @ (ClientError::Failed(_) | ClientError::Answer { .. } | ClientError::Name { .. }) => error,
    })
}
