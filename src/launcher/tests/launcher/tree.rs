//! What the driver lays into the copy of this machine: the launcher and its policy.
//!
//! Enters: settings, and the files of the checkout. Leaves: a tree as an installation would have it.

use std::fs;
use std::path::{Path, PathBuf};

use super::CALLER;

fn checkout() -> &'static Path {
    let of_this = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    of_this.into_iter().find(|path| path.join("Cargo.lock").exists()).unwrap()
}

/// The launcher that belongs to a test, or for a measurement the one that was built to be installed.
fn binary() -> PathBuf {
    match option_env!("CARGO_BIN_EXE_countersign-launcher") {
        Some(of_this_test) => PathBuf::from(of_this_test),
        None => {
            let built = std::env::var_os("COUNTERSIGN_BINARIES");
            built.map_or_else(|| checkout().join("target/release"), PathBuf::from).join("countersign-launcher")
        }
    }
}

/// What an installation lays down, with a grant for the caller of these tests.
pub(super) fn write_tree(tree: &Path, settings: &str) {
    let policy = checkout().join("policy");
    for kind in ["rules", "profiles"] {
        let to = tree.join("usr/share/countersign").join(kind);
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(policy.join(kind)).unwrap().flatten() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    let etc = tree.join("etc/countersign");
    fs::create_dir_all(etc.join("grants.d")).unwrap();
    fs::create_dir_all(tree.join("var/lib")).unwrap();
    fs::write(etc.join("countersign.toml"), settings).unwrap();
    let grant = format!("[[grant]]\nuid = {CALLER}\nceiling = 'T3'\nauto = 'T1'\n");
    fs::write(etc.join("grants.d/50-test.toml"), grant).unwrap();
    let host = |name: &str| fs::read_to_string(name).unwrap();
    let passwd = format!("{}_countersign-observe:x:64242:64242:jobs:/:/usr/sbin/nologin\n", host("/etc/passwd"));
    fs::write(tree.join("etc/passwd"), passwd).unwrap();
    fs::write(tree.join("etc/group"), format!("{}_countersign-observe:x:64242:\n", host("/etc/group"))).unwrap();
    fs::copy(binary(), tree.join("launcher")).unwrap();
}
