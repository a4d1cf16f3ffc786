//! What a human reads of a bundle, and that no step can look like another, or like two.

use proptest::prelude::*;

use super::*;
use crate::record::tests::planned;
use crate::request::RequestId;
use crate::tier::Tier;

/// The dialog of these commands, of which the first is irreversible.
fn dialog_of(lines: &[&[&str]]) -> Dialog {
    let mut steps: Vec<(Classified, Plan, Digest)> = Vec::new();
    for (words, id) in lines.iter().zip(10_u128..) {
        let (case, plan) = planned(words, Some("helper"), Some("the site is down"));
        let tier = if id == 10 { Tier::T3 } else { Tier::T1 };
        let plan = Plan { id: RequestId::from_random(id), tier, ..plan };
        let digest = plan.digest().unwrap();
        steps.push((case, plan, digest));
    }
    let plans: Vec<(Plan, Digest)> = steps.iter().map(|(_, plan, digest)| (plan.clone(), *digest)).collect();
    let (bundle, _) = Bundle::draw(RequestId::from_random(1), &plans).unwrap();
    let shown: Vec<StepOf<'_>> = steps
        .iter()
        .map(|(case, plan, _)| StepOf { case, plan, may_touch: "May restart services.", mind: mind_of(plan) })
        .collect();
    steps_dialog(&shown, &bundle, Digest::of(b"abc"))
}

/// The irreversible one has a condition that does not hold.
fn mind_of(plan: &Plan) -> &'static str {
    if plan.tier == Tier::T3 { "web.service is down" } else { "" }
}

#[test]
fn the_dialog_lists_every_step_under_the_strictest_tier() {
    let dialog = dialog_of(&[&["shred", "-u", "/srv/old"], &["systemctl", "restart", "web"]]);
    let why = crate::text::dialog::why(&planned(&["shred", "-u", "/srv/old"], None, None).0);
    let expected = [
        "Countersign request BA78-16BF-8F: T3, irreversible",
        "One approval for all 2 steps, which run in this order; after one that fails none begins:",
        "1. T3, irreversible: shred -u /srv/old",
        &format!(
            "    in /, program /usr/bin/env; why: {why}; may touch: May restart services.; mind: web.service is down"
        ),
        "2. T1, reversible: systemctl restart web",
        &format!("    in /, program /usr/bin/env; why: {why}; may touch: May restart services."),
        "Asked by user agent (uid 1000)",
        "The caller calls itself \"helper\" and gives as reason \"the site is down\"; nobody checked that.",
    ];
    assert_eq!(dialog.read().lines().collect::<Vec<_>>(), expected);
    assert!(dialog.is_whole());
    assert_eq!(dialog.polkit_details()["polkit.message"], dialog.message());
}

#[test]
fn it_says_when_it_does_not_show_all_and_when_something_is_hidden() {
    let (cut, hidden) = ("This is not the whole of every command", "[REDACTED] stands for");
    let long = "x".repeat(COMMAND_BOUND);
    let dialog = dialog_of(&[&["true"], &["echo", &long]]);
    let read = dialog.read();
    assert!(!dialog.is_whole() && read.contains(cut) && read.contains("bytes hidden") && !read.contains(hidden));
    assert!(read.contains("countersign show 00000000000000000000000000000001"), "{read}");
    let read = dialog_of(&[&["mysql", "-phunter2"], &["true"]]).read();
    assert!(read.contains(hidden) && !read.contains(cut) && !read.contains("hunter2"), "{read}");
}

#[test]
fn sixteen_of_the_longest_steps_are_bounded() {
    let word = "x".repeat(3_000);
    let read = dialog_of(&vec![&["echo", &word][..]; crate::bundle::MOST]).read();
    assert!(read.len() < 16 * 1_024 && read.lines().count() == 5 + 2 * crate::bundle::MOST, "{}", read.len());
}

proptest! {
    /// Whatever is in the words, the reader counts as many steps as there are, each with its number at the beginning of a line.
    #[test]
    fn no_word_imitates_a_step(word in "(?s).{0,80}", more in "[\n\r\u{2028}\u{85}]2\\. T0, observe: true") {
        prop_assume!(!word.contains('\0') && !more.contains('\0'));
        let text = format!("{word}{more}");
        let dialog = dialog_of(&[&["echo", &text], &["true"]]);
        let steps = &dialog.details()["steps"];
        prop_assert_eq!(steps.as_str().lines().count(), 4, "{}", steps);
        let numbered = |number: &str| steps.as_str().lines().filter(|line| line.starts_with(number)).count();
        prop_assert_eq!((numbered("1. "), numbered("2. "), numbered("3. ")), (1, 1, 0));
    }
}
