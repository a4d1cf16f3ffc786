//! Limits at n and n + 1, and that passing one is a denial and not a guess.

use super::*;

fn ruled_by(found: &Classification) -> (Ruling, &str) {
    (found.ruling, found.rules[0].as_str())
}

fn nested(levels: usize) -> Classification {
    let mut all = vec!["nice"; levels];
    all.push("id");
    rule(&words(&all))
}

#[test]
fn nesting_ends_at_64() {
    assert_eq!(ruled_by(&nested(64)), (T0, "nice"));
    assert_eq!(ruled_by(&nested(65)), (Ruling::Deny, "limit.nesting"));
    assert_eq!(ruled_by(&nested(1_000)), (Ruling::Deny, "limit.nesting"));
}

#[test]
fn shell_text_ends_at_1024_words() {
    let text = |count: usize| rule(&Argv::shell(vec!["true"; count].join(" ")).unwrap());
    assert_eq!(text(1_024).ruling, T0);
    assert_eq!(ruled_by(&text(1_025)), (Ruling::Deny, "limit.text"));
}

#[test]
fn opaque_text_ends_at_2048_rough_words() {
    let text = |count: usize| rule(&Argv::shell(format!("$x{}", " a".repeat(count - 1))).unwrap());
    assert_eq!(text(2_048).ruling, T2);
    assert_eq!(ruled_by(&text(2_049)), (Ruling::Deny, "limit.text"));
}

#[test]
fn functions_in_opaque_text_end_at_64() {
    let text = |count: usize| rule(&Argv::shell("f(){ a|b& };".repeat(count)).unwrap());
    assert_eq!(text(64).ruling, T2);
    assert_eq!(ruled_by(&text(65)), (Ruling::Deny, "limit.text"));
    let hidden = format!("{}b(){{ b|b& }};b", "f(){ a|b& };".repeat(63));
    assert_eq!(ruled_by(&rule(&Argv::shell(hidden).unwrap())), (Ruling::Deny, "deny.fork-bomb"));
}

#[test]
fn text_read_again_and_again_ends_at_128_kibibytes() {
    let text = |watches: usize| {
        let mut all = vec!["watch"; watches];
        let long = "x".repeat(60_000);
        all.extend(["echo", &long]);
        rule(&words(&all))
    };
    assert_eq!(text(2).ruling, T0);
    assert_eq!(ruled_by(&text(3)), (Ruling::Deny, "limit.text"));
}

#[test]
fn globs_end_at_64_paths() {
    let text = |count: usize| rule(&Argv::shell(format!("cat{}", " /srv/*".repeat(count))).unwrap());
    assert_eq!(text(64).ruling, T0);
    assert_eq!(ruled_by(&text(65)), (Ruling::Deny, "limit.globs"));
}

#[test]
fn targets_beyond_the_bound_are_not_small_changes() {
    let touch = |count: usize| {
        let mut all = vec!["touch".to_owned()];
        all.extend((0..count).map(|number| format!("/srv/{number}")));
        rule(&words(&all))
    };
    assert_eq!((touch(128).ruling, touch(128).targets.len()), (T1, 128));
    assert_eq!((touch(129).ruling, touch(129).targets.len()), (T2, 128));
}

#[test]
fn the_answer_is_bounded_and_keeps_the_strictest() {
    let found = line(&format!("{}mkfs.ext4 /dev/sdb1", "echo a; ".repeat(200)));
    assert_eq!(found.ruling, T3);
    assert!(found.evidence.len() <= 68 && found.omitted > 0);
    assert_eq!(found.evidence.last().unwrap().rule.as_str(), "mkfs.ext4");
    let long = line(&format!("frobnicate {}", "ü".repeat(5_000)));
    assert!(long.evidence.iter().flat_map(|seen| &seen.words).all(|word| word.len() <= 256));
}
