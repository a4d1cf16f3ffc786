//! Tests on real files below a directory of their own. They run as root, as the owner of what is read.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::PathBuf;

use countersign_core::caller::{Gid, Uid};
use countersign_core::classify::Origin;
use countersign_core::policy::Mode;
use countersign_core::tier::Tier;
use tempfile::TempDir;

use super::*;

mod mistakes;

/// A root directory with a group and nothing else.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.write(
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\nagent:x:1001:1001::/home/agent:/bin/sh\n_countersign-observe:x:991:991::/:/bin/false\n",
        );
        tree.write("etc/group", "countersign:x:900:\n");
        tree
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Writes a file that only root may write, below directories that only root may write.
    fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        self.mode(&path, 0o644);
        let mut directory = path.parent();
        while let Some(here) = directory.filter(|here| here.starts_with(self.0.path())) {
            self.mode(here, 0o755);
            directory = here.parent();
        }
        path
    }

    fn mode(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Result<Policy, ConfigError> {
        load(self.0.path())
    }

    fn sources(&self) -> Vec<Source> {
        sources(self.0.path()).unwrap().files().to_vec()
    }
}

const MAIN: &str = "etc/countersign/countersign.toml";

#[test]
fn nothing_installed_means_the_defaults_and_no_grant() {
    let policy = Tree::new().load().unwrap();
    assert_eq!(policy.settings().mode, Mode::Guarded);
    assert!(policy.grants().for_ids(Uid::ROOT, &[]).is_none());
}

#[test]
fn drop_ins_apply_after_the_main_file_in_the_order_of_their_names() {
    let tree = Tree::new();
    tree.write(MAIN, "mode = 'open'\n[jobs]\ndrain_s = 7\n");
    tree.write("etc/countersign/countersign.toml.d/20-late.toml", "mode = 'readonly'\n");
    tree.write("etc/countersign/countersign.toml.d/10-early.toml", "mode = 'guarded'\n[approval]\nexpiry_s = 9\n");
    let settings = tree.load().unwrap().settings().clone();
    assert_eq!((settings.mode, settings.expiry_s, settings.drain_s), (Mode::Readonly, 9, 7));
}

#[test]
fn a_file_of_the_same_name_in_etc_replaces_the_vendors() {
    let tree = Tree::new();
    tree.write("usr/share/countersign/grants.d/10-group.toml", "[[grant]]\ngroup = 'countersign'\nceiling = 'T3'\n");
    let gids = [Gid::try_from(900).unwrap()];
    let ceiling = |tree: &Tree| tree.load().unwrap().grants().for_ids(Uid::ROOT, &gids).map(|grant| grant.ceiling);
    assert_eq!(ceiling(&tree), Some(Tier::T3));
    tree.write("etc/countersign/grants.d/10-group.toml", "[[grant]]\ngroup = 'countersign'\nceiling = 'T1'\n");
    assert_eq!(ceiling(&tree), Some(Tier::T1));
    tree.write("etc/countersign/grants.d/10-group.toml", "");
    assert_eq!(ceiling(&tree), None);
}

#[test]
fn rules_know_whose_they_are_and_come_sorted_by_name() {
    let tree = Tree::new();
    tree.write("usr/share/countersign/rules/50-b.toml", "");
    tree.write("usr/share/countersign/rules/10-a.toml", "");
    tree.write("etc/countersign/rules.d/50-b.toml", "");
    tree.write("etc/countersign/rules.d/30-c.toml", "");
    let seen: Vec<(String, Origin)> = tree.sources().into_iter().map(|file| (file.path, file.origin)).collect();
    let expected = [
        ("usr/share/countersign/rules/10-a.toml", Origin::Vendor),
        ("etc/countersign/rules.d/30-c.toml", Origin::Admin),
        ("etc/countersign/rules.d/50-b.toml", Origin::Admin),
    ];
    assert_eq!(seen, expected.map(|(path, origin)| (tree.at(path).display().to_string(), origin)));
}

#[test]
fn only_toml_files_that_are_not_hidden_are_read() {
    let tree = Tree::new();
    for name in ["x.toml.dpkg-old", ".hidden.toml", "README", "x.toml~"] {
        tree.write(&format!("etc/countersign/grants.d/{name}"), "not toml at all [");
    }
    assert_eq!(tree.sources(), []);
}

#[test]
fn a_file_that_others_own_or_may_write_refuses_the_load() {
    for mode in [0o664, 0o646, 0o666, 0o602] {
        let tree = Tree::new();
        let path = tree.write(MAIN, "");
        tree.mode(&path, mode);
        assert!(matches!(tree.load(), Err(ConfigError::Writable { path: named, .. }) if named == path), "{mode:o}");
    }
    let tree = Tree::new();
    let path = tree.write(MAIN, "");
    chown(&path, Some(12_345), None).unwrap();
    assert!(matches!(tree.load(), Err(ConfigError::Owner { uid: 12_345, .. })));
    chown(&path, Some(0), Some(12_345)).unwrap();
    assert!(tree.load().is_ok(), "a foreign group that may not write does no harm");
}

#[test]
fn what_the_broker_could_not_read_at_a_reload_refuses_the_load() {
    for mode in [0o600, 0o640, 0o000] {
        let tree = Tree::new();
        let path = tree.write(MAIN, "");
        tree.mode(&path, mode);
        let refused = tree.load().unwrap_err();
        assert!(matches!(&refused, ConfigError::Unreadable { path: named, .. } if *named == path), "{mode:o}");
        assert!(refused.to_string().ends_with(&format!("(its mode is {mode:04o})")), "{refused}");
        tree.mode(&path, 0o604);
        assert!(tree.load().is_ok());
    }
    for mode in [0o700, 0o750, 0o751, 0o754] {
        let tree = Tree::new();
        tree.write("etc/countersign/grants.d/a.toml", "");
        tree.mode(&tree.at("etc/countersign/grants.d"), mode);
        assert!(matches!(tree.load(), Err(ConfigError::Unreadable { .. })), "{mode:o}");
    }
}

#[test]
fn a_directory_on_the_way_that_others_may_write_refuses_the_load() {
    for directory in
        ["", "etc", "etc/countersign", "etc/countersign/grants.d", "usr/share", "usr/share/countersign/rules"]
    {
        let tree = Tree::new();
        tree.write("etc/countersign/grants.d/a.toml", "");
        tree.write("usr/share/countersign/rules/a.toml", "");
        assert!(tree.load().is_ok());
        tree.mode(&tree.at(directory), 0o777);
        assert!(matches!(tree.load(), Err(ConfigError::Writable { .. })), "{directory}");
        tree.mode(&tree.at(directory), 0o755);
        chown(tree.at(directory), Some(12_345), None).unwrap();
        assert!(matches!(tree.load(), Err(ConfigError::Owner { .. })), "{directory}");
    }
}

#[test]
fn links_directories_and_pipes_are_no_files() {
    let tree = Tree::new();
    let real = tree.write("elsewhere.toml", "");
    tree.write("etc/countersign/grants.d/a.toml", "");
    let link = tree.at("etc/countersign/grants.d/b.toml");
    let refused =
        |tree: &Tree| matches!(tree.load(), Err(ConfigError::Kind { expected: "regular file", path }) if path == link);
    symlink(&real, &link).unwrap();
    assert!(refused(&tree), "a link");
    fs::remove_file(&link).unwrap();
    fs::create_dir(&link).unwrap();
    assert!(refused(&tree), "a directory");
    fs::remove_dir(&link).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &link, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    assert!(refused(&tree), "a pipe, and it does not hang");
    fs::remove_file(&link).unwrap();
    assert!(tree.load().is_ok());
}

#[test]
fn a_linked_directory_is_not_followed() {
    let tree = Tree::new();
    tree.write("elsewhere/countersign.toml", "mode = 'open'\n");
    symlink(tree.at("elsewhere"), tree.at("etc/countersign")).unwrap();
    assert!(matches!(tree.load(), Err(ConfigError::Kind { expected: "directory", .. })));
}

#[test]
fn the_size_of_a_file_is_bounded_at_n_and_n_plus_one() {
    let tree = Tree::new();
    let most = usize::try_from(MAX_FILE_BYTES).unwrap();
    tree.write(MAIN, "#".repeat(most));
    assert!(tree.load().is_ok());
    tree.write(MAIN, "#".repeat(most + 1));
    assert!(matches!(tree.load(), Err(ConfigError::TooLarge { max: MAX_FILE_BYTES, .. })));
}

#[test]
fn the_number_of_files_is_bounded_at_n_and_n_plus_one() {
    let tree = Tree::new();
    for number in 0..MAX_FILES {
        tree.write(&format!("etc/countersign/grants.d/{number:05}.toml"), "");
    }
    assert!(tree.load().is_ok());
    tree.write("etc/countersign/grants.d/one-more.toml", "");
    assert!(matches!(tree.load(), Err(ConfigError::TooMany { .. })));
}

#[test]
fn what_is_not_utf8_is_refused() {
    let tree = Tree::new();
    let path = tree.write(MAIN, b"# one\n\nmode = 'op\xff\xfe'\n");
    assert!(tree.load().unwrap_err().to_string().starts_with(&format!("{}:3:11: ", path.display())));
    fs::remove_file(path).unwrap();
    let name = std::os::unix::ffi::OsStrExt::from_bytes(b"a\xff.toml");
    let named: &std::ffi::OsStr = name;
    tree.write("etc/countersign/grants.d/a.toml", "");
    fs::write(tree.at("etc/countersign/grants.d").join(named), "").unwrap();
    assert!(matches!(tree.load(), Err(ConfigError::Name { .. })));
}

#[test]
fn one_bad_file_refuses_everything_and_says_where() {
    let tree = Tree::new();
    tree.write(MAIN, "mode = 'open'\n");
    tree.write("etc/countersign/countersign.toml.d/x.toml", "\n[approval]\nexpiry_s = 'soon'\n");
    let message = tree.load().unwrap_err().to_string();
    assert!(message.contains("countersign.toml.d/x.toml:3:12: "), "{message}");
}

#[test]
fn a_grant_for_a_name_that_nobody_has_is_an_error() {
    let tree = Tree::new();
    tree.write("etc/countersign/grants.d/a.toml", "[[grant]]\nuser = 'nobody-of-here'\nceiling = 'T1'\n");
    assert!(tree.load().unwrap_err().to_string().contains("a.toml:2:8: there is no user of the name"));
    tree.write("etc/countersign/grants.d/a.toml", "[[grant]]\nuid = 4711\nceiling = 'T1'\n");
    assert!(tree.load().unwrap().grants().for_ids(Uid::try_from(4711).unwrap(), &[]).is_some());
}

#[test]
fn accounts_that_others_could_have_written_are_not_believed() {
    let tree = Tree::new();
    tree.mode(&tree.at("etc/group"), 0o666);
    assert!(matches!(tree.load(), Err(ConfigError::Writable { .. })));
}

#[test]
fn a_checkout_may_be_anybodys_and_gives_no_grant() {
    let tree = Tree::new();
    tree.write("policy/rules/a.toml", "");
    tree.write("policy/profiles/.keep.toml", "");
    tree.write("policy/grants.d/a.toml", "[[grant]]\nuid = 0\nceiling = 'T3'\n");
    tree.mode(&tree.at("policy/rules"), 0o777);
    let found = checkout(&tree.at("policy")).unwrap();
    assert_eq!(found.files().iter().map(|file| file.kind).collect::<Vec<_>>(), [Kind::Rules]);
    assert!(found.policy().unwrap().grants().for_ids(Uid::ROOT, &[]).is_none());
}

#[test]
fn a_profile_of_an_administrator_narrows_or_adds_and_is_read_as_strictly_as_all_else() {
    let tree = Tree::new();
    let shipped = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy/profiles").join(name);
        fs::read_to_string(path).unwrap()
    };
    let (observe, system) = (shipped("observe.toml"), shipped("system.toml"));
    tree.write("usr/share/countersign/profiles/observe.toml", &observe);
    tree.write("usr/share/countersign/profiles/system.toml", &system);
    let vendors = tree.load().unwrap().profiles().digest().unwrap();
    let own = "etc/countersign/profiles.d/any-name.toml";
    let count = |tree: &Tree| tree.load().unwrap().profiles().iter().count();
    let path = tree.write(own, observe.replace("seconds = 30", "seconds = 10"));
    assert_eq!(count(&tree), 2);
    assert_ne!(tree.load().unwrap().profiles().digest().unwrap(), vendors, "it takes the vendor's place");
    tree.write(own, observe.replace("name = \"observe\"", "name = \"look\""));
    assert_eq!(count(&tree), 3);
    for (from, to, line) in
        [("seconds = 30", "seconds = 31", 3), ("tasks = 64", "tasks = \"64\"", 19), ("tasks = 64", "task = 64", 19)]
    {
        tree.write(own, observe.replace(from, to));
        let error = tree.load().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}:{line}:", path.display())), "{error}");
    }
    tree.write(own, &observe);
    tree.mode(&path, 0o664);
    assert!(matches!(tree.load(), Err(ConfigError::Writable { .. })));
    tree.mode(&path, 0o644);
    chown(&path, Some(1), None).unwrap();
    assert!(matches!(tree.load(), Err(ConfigError::Owner { uid: 1, .. })));
    // A file of the vendor's name does not hide the vendor's file, so it cannot hide what it would widen.
    fs::remove_file(&path).unwrap();
    tree.write("etc/countersign/profiles.d/observe.toml", observe.replace("tasks = 64", "tasks = 65"));
    assert!(tree.load().unwrap_err().to_string().contains("limits.tasks"));
}
