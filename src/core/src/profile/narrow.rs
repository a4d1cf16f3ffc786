//! Whether one profile lies within another: in no respect may it allow what the other does not.
//!
//! Enters: two definitions. Leaves: the first respect in which the one is wider, or nothing. Whatever is not compared
//! here cannot be told apart, so the comparison names every field, and a new field does not compile without a place.

use super::{Files, Limits, Network, Profile, Socket, Written};

/// The first respect in which `narrow` allows more than `wide`, in words for an error; nothing if there is none.
pub(super) fn wider(narrow: &Profile, wide: &Profile) -> Option<String> {
    let Profile {
        name: _,
        summary: _,
        within: _,
        user,
        layers,
        files,
        network,
        landlock_abi,
        calls: _,
        limits: _,
        capabilities: _,
        sockets: _,
        devices: _,
        writes: _,
    } = narrow;
    let Files { written, private, protected, hidden } = files;
    let other = &wide.files;
    let identity = (*user != wide.user && wide.user != "root").then(|| format!("user {user}"));
    let layer = wide
        .layers
        .iter()
        .find(|layer| !layers.contains(layer))
        .map(|layer| format!("without the layer {}", layer.as_str()));
    let changed = (rank(*written) > rank(other.written)).then(|| "what is written".to_owned());
    let open = other.private.iter().find(|path| !private.contains(path)).map(|path| format!("{path} is not private"));
    let writable = other
        .protected
        .iter()
        .find(|set| !protected.contains(set))
        .map(|set| format!("{} are not protected", set.words()));
    let seen =
        other.hidden.iter().find(|set| !hidden.contains(set)).map(|set| format!("{} are not hidden", set.words()));
    let reach = match (network, wide.network) {
        (Network::Host, Network::Own) => Some("network".to_owned()),
        (Network::Host | Network::Own, Network::Host) | (Network::Own, Network::Own) => None,
    };
    let abi = (*landlock_abi < wide.landlock_abi).then(|| format!("landlock_abi {landlock_abi}"));
    let first = [identity, layer, changed, open, writable, seen, reach, abi];
    first.into_iter().flatten().next().or_else(|| allowances(narrow, wide)).or_else(|| limits(narrow, wide))
}

fn allowances(narrow: &Profile, wide: &Profile) -> Option<String> {
    let Profile { calls, capabilities, sockets, devices, writes, .. } = narrow;
    let call = calls.iter().find(|each| !wide.allows(each.set)).map(|each| format!("call {}", each.set.name()));
    let has = |name| wide.capabilities.iter().any(|other| other.name == name);
    let capability =
        capabilities.iter().find(|each| !has(each.name)).map(|each| format!("capability {}", each.name.name()));
    let opens = |kind| wide.sockets.iter().any(|other| covers(other.kind, kind));
    let socket = sockets.iter().find(|each| !opens(each.kind)).map(|each| format!("socket {}", each.kind.name()));
    let finds = |path| wide.devices.iter().any(|other| within(path, other));
    let device = devices.iter().find(|each| !finds(each)).map(|each| format!("device {}", each.path));
    let everything = wide.files.written == Written::Everything;
    let changes = |path| everything || wide.writes.iter().any(|other| within(path, other));
    let write = writes.iter().find(|each| !changes(each)).map(|each| format!("write {}", each.path));
    [call, capability, socket, device, write].into_iter().flatten().next()
}

fn limits(narrow: &Profile, wide: &Profile) -> Option<String> {
    let Limits { seconds, tasks, memory_mib, output_mib } = narrow.limits;
    let most = &wide.limits;
    let memory = |mib: Option<u32>| mib.unwrap_or(u32::MAX);
    [
        ("seconds", seconds, most.seconds),
        ("tasks", tasks, most.tasks),
        ("memory_mib", memory(memory_mib), memory(most.memory_mib)),
        ("output_mib", output_mib, most.output_mib),
    ]
    .into_iter()
    .find_map(|(key, own, most)| (own > most).then(|| format!("limits.{key}")))
}

/// Each way to write includes the ones before it.
const fn rank(written: Written) -> u8 {
    match written {
        Written::Nothing => 0,
        Written::Targets => 1,
        Written::Listed => 2,
        Written::Everything => 3,
    }
}

/// Whether whoever may open the one kind may open the other.
fn covers(wide: Socket, narrow: Socket) -> bool {
    let all_of_netlink = wide == Socket::Netlink && matches!(narrow, Socket::NetlinkRoute | Socket::NetlinkDiagnosis);
    wide == narrow || all_of_netlink
}

fn within(inner: &super::PathAllowance, outer: &super::PathAllowance) -> bool {
    inner.path.is_within(&outer.path)
}
