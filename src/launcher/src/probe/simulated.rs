//! Layers that are said to be missing although they are there: for tests of what happens then, and in no build that anybody
//! installs.
//!
//! Enters: a file that only root can write, with the names of layers. Leaves: those layers. It can only take away.

use countersign_core::profile::LayerName;

/// The names, one on a line.
const LIST: &str = "/run/countersign-missing-layers";

/// The layers that the file names; none where it is absent.
pub(super) fn missing() -> Vec<LayerName> {
    let text = std::fs::read_to_string(LIST).unwrap_or_default();
    LayerName::ALL.into_iter().filter(|layer| text.lines().any(|line| line == layer.as_str())).collect()
}
