//! `policy profile` and `policy profiles`: what a job may touch, from the definitions that the launcher enforces.
//!
//! Enters: a name. Leaves: the sentences that a dialog shows, and every fact of the definition. The broker is not asked.

use countersign_core::profile::{Place, Profile, ProfileName, Profiles};
use countersign_core::text::{sentence, shown};
use serde_json::{Value, json};

use crate::cli::{ProfileArgs, RulesArgs};
use crate::complaint::{Complaint, MAX_SENTENCE};
use crate::{check, print};

pub(crate) fn show(args: &ProfileArgs, json: bool) -> Result<u8, Complaint> {
    let (_, policy) = check::read(&args.rules)?;
    let profile = find(policy.profiles(), &args.name)?;
    if json {
        print::json(&whole(profile)?)?;
    } else {
        for line in lines(profile) {
            print::line(sentence(&line, MAX_SENTENCE).as_str())?;
        }
    }
    Ok(0)
}

pub(crate) fn list(args: &RulesArgs, json: bool) -> Result<u8, Complaint> {
    let (_, policy) = check::read(args)?;
    if json {
        let each = |profile: &Profile| json!({ "name": profile.name, "summary": profile.summary, "user": profile.user, "within": profile.within });
        print::json(&policy.profiles().iter().map(each).collect::<Vec<_>>())?;
        return Ok(0);
    }
    for profile in policy.profiles().iter() {
        let line = format!("{:<12}  {:<22}  {}", profile.name.as_str(), profile.user, profile.summary);
        print::line(sentence(&line, MAX_SENTENCE).as_str())?;
    }
    Ok(0)
}

fn find<'a>(profiles: &'a Profiles, name: &str) -> Result<&'a Profile, Complaint> {
    let found = ProfileName::new(name).ok().and_then(|name| profiles.get(&name));
    found.ok_or_else(|| {
        let known: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
        Complaint::usage(format!("There is no profile {}: there are {}.", shown(name, 64), known.join(", ")))
    })
}

fn lines(profile: &Profile) -> Vec<String> {
    let head = format!("{}: {}", profile.name.as_str(), profile.summary);
    let within: Vec<&str> = profile.within.iter().map(ProfileName::as_str).collect();
    let within = (!within.is_empty()).then(|| format!("lies within {}", within.join(", ")));
    let detail = profile.detail();
    let detail = detail.lines().map(str::to_owned);
    [head, profile.may_touch_in_general()].into_iter().chain(within).chain(detail).collect()
}

fn whole(profile: &Profile) -> Result<Value, Complaint> {
    let places = |places: &mut dyn Iterator<Item = &'static Place>| -> Vec<Value> {
        places.map(|place| json!({ "place": place.pattern, "why": place.why })).collect()
    };
    let digest = profile.digest().map_err(|error| Complaint::System {
        what: "the profile has no digest",
        source: std::io::Error::other(error),
    })?;
    Ok(json!({
        "profile": profile,
        "digest": digest,
        "may_touch": profile.may_touch_in_general(),
        "never_writes": places(&mut profile.protected()),
        "never_sees": places(&mut profile.hidden()),
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn shipped() -> RulesArgs {
        RulesArgs { rules: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policy")) }
    }

    #[test]
    fn every_shipped_profile_is_listed_and_shown_in_the_words_of_its_dialog() {
        let (_, policy) = check::read(&shipped()).unwrap();
        assert_eq!((list(&shipped(), false).unwrap(), list(&shipped(), true).unwrap()), (0, 0));
        for profile in policy.profiles().iter() {
            let name = profile.name.as_str().to_owned();
            for json in [false, true] {
                let args = ProfileArgs { name: name.clone(), rules: shipped() };
                assert_eq!(show(&args, json).unwrap(), 0, "{name}");
            }
            let said = lines(profile).join("\n");
            assert!(said.contains(&profile.may_touch_in_general()) && said.contains(&profile.summary), "{said}");
            for layer in &profile.layers {
                assert!(said.contains(&format!("  {}", layer.as_str())), "{said}");
            }
            let whole = whole(profile).unwrap();
            assert_eq!(serde_json::from_value::<Profile>(whole["profile"].clone()).unwrap(), *profile);
            assert_eq!(whole["digest"], json!(profile.digest().unwrap()));
        }
    }

    #[test]
    fn a_profile_that_is_not_there_is_a_mistake_that_says_which_are() {
        for name in ["nowhere", "Observe", "", "a\u{1b}[2J"] {
            let complaint = show(&ProfileArgs { name: name.to_owned(), rules: shipped() }, false).unwrap_err();
            assert_eq!(complaint.status(), 120, "{name}");
            let said = complaint.sentence();
            assert!(said.contains("observe") && said.contains("storage") && !said.contains('\u{1b}'), "{said}");
        }
    }

    #[test]
    fn the_words_of_a_profile_are_these() {
        let (_, policy) = check::read(&shipped()).unwrap();
        let change = policy.profiles().get(&ProfileName::change()).unwrap();
        insta::assert_snapshot!(lines(change)[..14].join("\n"));
    }
}
