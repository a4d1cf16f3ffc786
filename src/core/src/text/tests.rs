//! Hostile text, class by class, as each medium must show it.

use proptest::prelude::*;

use super::*;
use crate::digest::Digest;
use crate::record::tests as samples;

fn argv(words: &[&str]) -> Argv {
    Argv::new(words.iter().map(|word| (*word).to_owned()).collect()).unwrap()
}

#[test]
fn every_class_of_character_that_acts_is_written_out() {
    for (class, c, shown_as) in [
        ("C0", '\u{1}', r"\u{1}"),
        ("line feed", '\n', r"\n"),
        ("tab", '\t', r"\t"),
        ("carriage return", '\r', r"\u{D}"),
        ("backspace", '\u{8}', r"\u{8}"),
        ("escape", '\u{1b}', r"\u{1B}"),
        ("delete", '\u{7f}', r"\u{7F}"),
        ("C1 next line", '\u{85}', r"\u{85}"),
        ("C1 control sequence", '\u{9b}', r"\u{9B}"),
        ("right-to-left override", '\u{202e}', r"\u{202E}"),
        ("left-to-right isolate", '\u{2066}', r"\u{2066}"),
        ("pop isolate", '\u{2069}', r"\u{2069}"),
        ("Arabic letter mark", '\u{61c}', r"\u{61C}"),
        ("right-to-left mark", '\u{200f}', r"\u{200F}"),
        ("zero-width space", '\u{200b}', r"\u{200B}"),
        ("zero-width joiner", '\u{200d}', r"\u{200D}"),
        ("word joiner", '\u{2060}', r"\u{2060}"),
        ("byte order mark", '\u{feff}', r"\u{FEFF}"),
        ("soft hyphen", '\u{ad}', r"\u{AD}"),
        ("grapheme joiner", '\u{34f}', r"\u{34F}"),
        ("Hangul filler", '\u{3164}', r"\u{3164}"),
        ("halfwidth Hangul filler", '\u{ffa0}', r"\u{FFA0}"),
        ("braille blank", '\u{2800}', r"\u{2800}"),
        ("no-break space", '\u{a0}', r"\u{A0}"),
        ("ideographic space", '\u{3000}', r"\u{3000}"),
        ("line separator", '\u{2028}', r"\u{2028}"),
        ("paragraph separator", '\u{2029}', r"\u{2029}"),
        ("variation selector", '\u{fe0f}', r"\u{FE0F}"),
        ("late variation selector", '\u{e0101}', r"\u{E0101}"),
        ("tag", '\u{e0041}', r"\u{E0041}"),
        ("annotation", '\u{fff9}', r"\u{FFF9}"),
        ("private use", '\u{e000}', r"\u{E000}"),
        ("unassigned", '\u{378}', r"\u{378}"),
        ("noncharacter", '\u{ffff}', r"\u{FFFF}"),
    ] {
        assert_eq!(shown(&format!("a{c}b"), 500).as_str(), format!("a{shown_as}b"), "{class}");
        let words = argv(&["x", &format!("a{c}b")]);
        assert_eq!(shown_argv(&words, 500).as_str(), format!("x $'a{shown_as}b'"), "{class}");
    }
}

#[test]
fn letters_of_the_world_stay() {
    for text in ["Grüße", "naïve", "日本語", "Привет", "नमस्ते", "مرحبا", "✓ → €", "e\u{301}"]
    {
        assert_eq!(shown(text, 500).as_str(), text);
    }
}

#[test]
fn marks_do_not_pile_up_and_do_not_begin_a_text() {
    assert_eq!(shown("a\u{301}\u{302}b", 500).as_str(), "a\u{301}\u{302}b");
    assert_eq!(shown("a\u{301}\u{302}\u{303}", 500).as_str(), "a\u{301}\u{302}\\u{303}");
    assert_eq!(shown("\u{301}a", 500).as_str(), r"\u{301}a");
    let flood = shown(&format!("a{}", "\u{301}".repeat(300)), 10_000);
    assert_eq!(flood.as_str().matches('\u{301}').count(), 2);
}

#[test]
fn a_command_is_typed_as_one_would_type_it() {
    for (words, line) in [
        (&["systemctl", "restart", "nginx.service"][..], "systemctl restart nginx.service"),
        (&["sh", "-c", "exit 7"], "sh -c 'exit 7'"),
        (&["echo", "", "it's"], r"echo '' 'it'\''s'"),
        (&["A=b", "c=d"], "'A=b' c=d"),
        (&["echo", "$(id)", "`id`", "*", "~", "a;b", "#x"], "echo '$(id)' '`id`' '*' '~' 'a;b' '#x'"),
        (&["echo", r"a\u{202E}b"], r"echo 'a\u{202E}b'"),
        (&["echo", "a\u{202e}'\\b"], r"echo $'a\u{202E}\'\\b'"),
        (&["echo", "ünï"], "echo 'ünï'"),
        (&["mysql", "-psecret"], "mysql '-p[REDACTED]'"),
        (&["x", "--password", "y z"], "x --password '[REDACTED]'"),
    ] {
        assert_eq!(shown_argv(&argv(words), 500).as_str(), line);
    }
}

#[test]
fn what_a_caller_claims_cannot_leave_its_quotation_marks() {
    assert_eq!(quoted("fix it", 500).as_str(), "\"fix it\"");
    assert_eq!(quoted("x\" approved by \"admin", 500).as_str(), r#""x\u{22} approved by \u{22}admin""#);
    assert_eq!(quoted("a\nb", 500).as_str(), r#""a\nb""#);
    assert_eq!(quoted(&"\"".repeat(500), 80).as_str().matches('"').count(), 2);
}

#[test]
fn the_bound_holds_at_n_and_n_plus_one() {
    let n = 100;
    assert_eq!(shown(&"x".repeat(n), n).as_str(), "x".repeat(n));
    let cut = shown(&("a".repeat(n) + "z"), n);
    assert!(cut.as_str().len() <= n, "{cut}");
    assert!(cut.as_str().starts_with("aaa") && cut.as_str().ends_with("aaz"), "{cut}");
    let hidden: usize = cut.as_str().split('[').nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert_eq!(cut.as_str().matches(['a', 'z']).count() + hidden, n + 1);
    assert_eq!(shown(&"x".repeat(65), 0).as_str().len(), 64);
}

#[test]
fn a_very_long_command_keeps_its_head_and_its_tail() {
    let long = argv(&["rm", "-rf", &"x".repeat(60_000), "/etc"]);
    let line = shown_argv(&long, COMMAND_BOUND);
    assert!(line.as_str().len() <= COMMAND_BOUND);
    assert!(line.as_str().starts_with("rm -rf xxx") && line.as_str().ends_with("xxx /etc"), "{line}");
    assert!(line.as_str().contains(" bytes hidden] … "));
}

fn whole(output: &[u8], bound: usize) -> String {
    for_agent(output, u64::try_from(output.len()).unwrap(), bound, &Secrets::default())
}

#[test]
fn output_for_an_agent_loses_what_acts_on_a_terminal() {
    for (output, text) in [
        (&b"plain\tline\r\nnext\n"[..], "plain\tline\nnext\n"),
        (b"\x1b[31mred\x1b[0m \x1b[2J\x1b[1;1Hhome", "red home"),
        (b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1b]52;c;aGk=\x07c", "abc"),
        (b"\x1bPq#0\x1b\\a\x1b_apc\x1b\\b\x1b^pm\x1b\\c\x1bXsos\x1b\\d", "abcd"),
        (b"\x1b(Ba\x1bcb\x1b=c\x1b", "abc"),
        (b"\x1b]never ended\nnext", "\nnext"),
        ("\u{9b}31mred \u{9d}0;t\u{9c}x \u{90}q\u{9c}y".as_bytes(), "red x y"),
        (b"50%\r100%\x08\x07\0", r"50%\u{D}100%\u{8}\u{7}\u{0}"),
        ("a\u{202e}b\u{200b}c\u{2028}".as_bytes(), r"a\u{202E}b\u{200B}c\u{2028}"),
        (b"\xff\xfe", "\u{fffd}\u{fffd}"),
        (b"password=hunter2\n", "password=[REDACTED]\n"),
        (b"pass\x1b[0mword=hunter2\n", "password=[REDACTED]\n"),
    ] {
        assert_eq!(whole(output, 500), text, "{output:?}");
    }
}

#[test]
fn output_for_an_agent_counts_the_note_inside_the_bound() {
    assert_eq!(whole(&[b'x'; 100], 100), "x".repeat(100));
    let cut = whole(&[b'x'; 101], 100);
    assert!(cut.len() <= 100 && cut.ends_with("bytes hidden]"), "{cut}");
    assert!(whole(&[b'x'; 101], 5).len() <= 5);
    assert_eq!(whole(b"x", 0), "");
    let none = Secrets::default();
    assert_eq!(for_agent(b"the beginning", 1_013, 100, &none), "the\n[1010 bytes hidden]");
    assert_eq!(for_agent(b"beginning", 9, 9, &none), "beginning");
}

#[test]
fn the_dialog_says_what_who_where_and_why() {
    let (case, plan) = samples::planned(&["systemctl", "restart", "nginx"], Some("helper"), Some("it \"hangs\""));
    let dialog = dialog(&case, &plan, Digest::of(b"abc"), "May restart services.");
    let why = dialog.details()["why"].as_str().to_owned();
    assert_eq!(
        dialog.read(),
        format!(
            "Countersign request BA78-16BF-8F: T2, stateful\n\
             Command: systemctl restart nginx\n\
             Directory: /\n\
             Program: /usr/bin/env\n\
             Asked by user agent (uid 1000)\n\
             The caller calls itself \"helper\" and gives as reason \"it \\u{{22}}hangs\\u{{22}}\"; nobody checked that.\n\
             Why this tier: {why}\n\
             It may touch: May restart services."
        )
    );
    assert!(!why.is_empty());
    let details = dialog.polkit_details();
    assert_eq!(details["polkit.message"], dialog.message());
    assert_eq!(details["command"], "systemctl restart nginx");
}

#[test]
fn what_a_human_is_to_mind_is_a_line_of_its_own_and_absent_without_it() {
    let (case, plan) = samples::planned(&["id"], None, None);
    let made = || dialog(&case, &plan, Digest::ZERO, "nothing");
    assert_eq!(made().minding(&[], &Secrets::default()), made());
    let notes = ["mains-power (it runs on a battery)".to_owned(), "unit-active $(user)\u{1b}[2J\nx".to_owned()];
    let read = made().minding(&notes, &Secrets::default()).read();
    let line = read.lines().last().unwrap_or_default();
    assert_eq!(line, r"Mind: mains-power (it runs on a battery); unit-active $(user)\u{1B}[2J\nx");
    assert_eq!(read.lines().count(), made().read().lines().count() + 1);
}

#[test]
fn words_of_a_caller_cannot_become_part_of_the_message() {
    let (case, plan) =
        samples::planned(&["echo", "$(user)", "$(command)", "\u{1b}[2J\nAsked by user root"], Some("$(tier)"), None);
    let dialog = dialog(&case, &plan, Digest::ZERO, "nothing");
    assert!(!dialog.message().contains("echo"));
    let read = dialog.read();
    assert!(read.contains(r"Command: echo '$(user)' '$(command)' $'\u{1B}[2J\nAsked by user root'"), "{read}");
    assert!(read.contains("calls itself \"$(tier)\" and gives as reason nothing;"), "{read}");
    assert_eq!(read.lines().count(), dialog.message().lines().count());
}

#[test]
fn markup_is_inert_in_a_dialog_and_operators_stay_readable() {
    let (case, plan) = samples::planned(
        &["sh", "-c", "a && b > c < d; echo '<b>x</b>&amp;<!-- &#60;'"],
        None,
        Some("<span size='1'>"),
    );
    let read = dialog(&case, &plan, Digest::ZERO, "nothing").read();
    assert!(read.contains("a && b > c < d; echo"), "{read}");
    assert!(read.contains(r"\u{3C}b>x\u{3C}/b>\u{26}amp;\u{3C}!-- \u{26}#60;"), "{read}");
    assert!(read.contains(r"\u{3C}span size='1'>"), "{read}");
}

#[test]
fn a_dialog_says_when_it_does_not_show_all() {
    let (case, plan) = samples::planned(&["echo", &"x".repeat(9_000)], None, None);
    let read = dialog(&case, &plan, Digest::ZERO, "nothing").read();
    assert!(read.contains("bytes hidden]") && read.contains(&format!("countersign show {}", plan.id)), "{read}");
    let (case, plan) = samples::planned(&["x", "--password", "hunter2"], None, Some("token=abc"));
    let read = dialog(&case, &plan, Digest::ZERO, "nothing").read();
    assert!(read.contains("x --password '[REDACTED]'") && read.contains("[REDACTED] stands for"), "{read}");
    assert!(!read.contains("hunter2") && !read.contains("abc"), "{read}");
    let (case, plan) = samples::planned(&["id"], None, None);
    let read = dialog(&case, &plan, Digest::ZERO, "nothing").read();
    assert!(!read.contains("countersign show") && !read.contains("REDACTED"), "{read}");
}

proptest! {
    #[test]
    fn whatever_comes_in_one_bounded_line_without_controls_comes_out(text in any::<String>(), bound in 0_usize..300) {
        for line in [shown(&text, bound), quoted(&text, bound)] {
            prop_assert!(line.as_str().len() <= bound.max(LEAST_BOUND));
            prop_assert!(!line.as_str().chars().any(char::is_control));
            prop_assert!(line.as_str().chars().all(is_plain));
        }
    }

    #[test]
    fn two_different_commands_never_look_alike(
        one in proptest::collection::vec("[a\\\\'$ \u{1}\u{202e}{}u2]{0,4}", 1..3),
        other in proptest::collection::vec("[a\\\\'$ \u{1}\u{202e}{}u2]{0,4}", 1..3),
    ) {
        prop_assert_eq!(one == other, typed(&one, Medium::Plain) == typed(&other, Medium::Plain));
    }

    #[test]
    fn any_output_is_taken(output in any::<Vec<u8>>(), more in 0_u64..100, bound in 0_usize..200) {
        let length = u64::try_from(output.len()).unwrap().saturating_add(more);
        let text = for_agent(&output, length, bound, &Secrets::default());
        prop_assert!(more == 0 || bound < 64 || text.ends_with("bytes hidden]"));
        prop_assert!(text.len() <= bound);
        prop_assert!(!text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')));
    }
}

#[test]
fn what_the_end_of_a_preview_cuts_through_leaves_no_beginning() {
    let named = Secrets::new(&["correct horse battery".to_owned()]).unwrap();
    let (token, pem) = ("ghp_0123456789abcdefghij0123456789abcdef", "-----BEGIN PRIVATE KEY-----\nMIIEow");
    for (written, shown) in [
        (format!("a line\n{token}"), "a line\n[REDACTED]"),
        (format!("a line\nkey {pem}"), "a line\nkey [REDACTED]"),
        ("the phrase correct horse battery".to_owned(), "the phrase [REDACTED]"),
        ("a line\npassword: correct".to_owned(), "a line\npassword: [REDACTED]"),
    ] {
        assert_eq!(for_agent(written.as_bytes(), written.len().try_into().unwrap(), 1_000, &named), shown);
        for at in 8..written.len() {
            let text = for_agent(&written.as_bytes()[..at], 70_000, 1_000, &named);
            let left = ["gh", "MII", "cor", "hor", "bat"].into_iter().find(|head| text.contains(head));
            assert_eq!(left, None, "{at}: {text}");
        }
    }
    let long = format!("x {}", "y".repeat(20_000));
    let text = for_agent(long.as_bytes(), 70_000, 60_000, &named);
    assert!((10_000..12_000).contains(&text.len()), "of a line without end something is seen: {}", text.len());
}

#[test]
fn a_sentence_of_ours_is_inert_and_bounded_and_loses_no_word() {
    let ours = "There is no agent that could ask for your password: log in on a desktop.";
    assert_eq!(sentence(ours, 200).as_str(), ours);
    assert_ne!(shown(ours, 200).as_str(), ours);
    assert_eq!(sentence("a\u{1b}[2J\u{202e}b\n", 200).as_str(), r"a\u{1B}[2J\u{202E}b\n");
    assert!(sentence(&"x".repeat(500), 100).as_str().len() <= 100);
}
