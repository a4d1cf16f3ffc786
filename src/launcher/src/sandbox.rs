//! Sandboxes: profiles made ready once, when the policy is loaded, so that nothing is compiled while a job waits.
//!
//! Enters: the policy's profiles and the text of `/etc/passwd`. Leaves: per profile the filters as the kernel takes
//! them, the capabilities, the account. All or nothing, as with the policy itself.

use std::collections::BTreeMap;
use std::rc::Rc;

use countersign_confine::ConfineError;
use countersign_confine::capabilities::{Carry, Keep, UnknownCapability};
use countersign_confine::seccomp::{self, Filters, Refusals, Starts};
use countersign_core::caller::Uid;
use countersign_core::profile::{LayerName, Profile, ProfileName, Profiles, Socket};
use nix::unistd::{getpid, getppid};

use crate::account::{self, Account};
use crate::probe::Kernel;

/// A profile made ready.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// The profile.
    pub(crate) profile: Profile,
    /// Who a job is.
    pub(crate) account: Account,
    /// The capabilities that it keeps.
    pub(crate) keep: Keep,
    /// The filters that it runs under.
    pub(crate) filters: Filters,
    /// The layer that it requires and this machine does not offer. Nothing runs in it then.
    pub(crate) missing: Option<LayerName>,
}

/// Every profile made ready.
#[derive(Debug, Default)]
pub(crate) struct Sandboxes(BTreeMap<ProfileName, Rc<Sandbox>>);

/// Why a profile could not be made ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SandboxError {
    /// Its account does not exist.
    #[error("the profile {profile} runs as {user}, an account that does not exist: run systemd-sysusers")]
    NoAccount {
        /// The profile.
        profile: String,
        /// The account.
        user: String,
    },
    /// It names a capability that the kernel's library does not know.
    #[error("the profile {profile} cannot be used")]
    Capability {
        /// The profile.
        profile: String,
        /// Which one.
        #[source]
        error: UnknownCapability,
    },
    /// Its filters could not be compiled.
    #[error("the profile {profile} cannot be used")]
    Filters {
        /// The profile.
        profile: String,
        /// Why.
        #[source]
        error: ConfineError,
    },
}

/// For the journal: a profile in which nothing will run.
#[derive(Debug, thiserror::Error)]
#[error("the profile {profile} requires the sandbox layer {}, which this machine does not offer: nothing runs in it", layer.as_str())]
struct Missing {
    profile: String,
    layer: LayerName,
}

impl Sandboxes {
    /// Makes every profile ready.
    ///
    /// # Errors
    /// The first that cannot be.
    pub(crate) fn ready(profiles: &Profiles, passwd: &str, kernel: &Kernel) -> Result<Self, SandboxError> {
        let ready = |profile| Sandbox::ready(profile, passwd, kernel).map(Rc::new);
        let each = profiles.iter().map(|profile| Ok((profile.name.clone(), ready(profile)?)));
        each.collect::<Result<_, _>>().map(Self)
    }

    /// The sandbox of this name.
    pub(crate) fn get(&self, name: &ProfileName) -> Option<&Rc<Sandbox>> {
        self.0.get(name)
    }
}

impl Sandbox {
    fn ready(profile: &Profile, passwd: &str, kernel: &Kernel) -> Result<Self, SandboxError> {
        let named = || profile.name.as_str().to_owned();
        let account = account::find(passwd, &profile.user)
            .ok_or_else(|| SandboxError::NoAccount { profile: named(), user: profile.user.clone() })?;
        let carry = if account.uid == Uid::ROOT { Carry::Root } else { Carry::Ambient };
        let keep = Keep::allowed(&profile.capabilities, carry)
            .map_err(|error| SandboxError::Capability { profile: named(), error })?;
        let sockets: Vec<Socket> = profile.sockets.iter().map(|each| each.kind).collect();
        // PID 1, the front that started us, and ourselves.
        let guarded = [1, getppid().as_raw(), getpid().as_raw()];
        let sets = profile.refused_calls();
        let refusals = Refusals { sets: &sets, sockets: &sockets, starts: Starts::Anything, guarded: &guarded };
        let filters = seccomp::compile(&refusals).map_err(|error| SandboxError::Filters { profile: named(), error })?;
        let missing = kernel.lacks(profile);
        if let Some(layer) = missing {
            crate::complain(&Missing { profile: named(), layer });
        }
        Ok(Self { profile: profile.clone(), account, keep, filters, missing })
    }
}
