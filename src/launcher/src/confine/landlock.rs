//! Step `landlock`: the domain that a profile asks for, over the view that the mounts gave.
//!
//! In a domain nothing can be mounted, so a profile whose jobs mount asks for none, and says so (version 0).

use std::path::PathBuf;

use countersign_confine::ConfineError;
use countersign_confine::landlock::{Domain, Outside, Reach, Rule, restrict as enter};
use countersign_core::outcome::Layer;
use countersign_core::path::CleanPath;
use countersign_core::profile::{Profile, Socket, Written};

/// Enters the domain: reading everywhere that can be seen, writing where the profile says.
pub(super) fn restrict(profile: &Profile, opened: &[CleanPath]) -> Result<Layer, ConfineError> {
    if profile.landlock_abi == 0 {
        return Ok(Layer { step: "landlock".to_owned(), gives: "none: jobs of this profile mount".to_owned() });
    }
    let rule = |path: &str, reach| Rule { path: PathBuf::from(path), reach };
    let connects = profile.sockets.iter().any(|each| each.kind == Socket::Unix);
    let reading = if connects { Reach::ReadAndConnect } else { Reach::Read };
    let mut rules = match profile.files.written {
        Written::Everything => vec![rule("/", Reach::Everything)],
        Written::Nothing | Written::Targets | Written::Listed => vec![rule("/", reading), rule("/dev", Reach::Use)],
    };
    let outside = match (profile.is_closed(), profile.signals_others()) {
        (true, _) => Outside::Closed,
        (false, false) => Outside::SignalsClosed,
        (false, true) => Outside::Open,
    };
    rules.extend(profile.files.private.iter().chain(opened).map(|path| rule(path.as_str(), Reach::Change)));
    enter(&Domain { least_abi: profile.landlock_abi, rules, outside })
}
