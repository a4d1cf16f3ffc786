//! Packages: whether dpkg's own list says that one is installed.

use super::name::Package;

/// Whether the text of `/var/lib/dpkg/status` says so: a paragraph whose `Package` (and `Architecture`, if it was asked for) is this
/// and whose `Status` ends in `installed`, or in a state that only waits for triggers (deb822(5), dpkg(1)).
#[must_use]
pub fn is_installed(status: &str, package: &Package) -> bool {
    let (name, architecture) =
        package.as_str().split_once(':').map_or((package.as_str(), None), |(name, rest)| (name, Some(rest)));
    status.split("\n\n").any(|paragraph| {
        let field = |wanted: &str| {
            let lines = paragraph.lines().filter(|line| !line.starts_with([' ', '\t']));
            lines.filter_map(|line| line.split_once(':')).find(|(key, _)| *key == wanted).map(|(_, value)| value.trim())
        };
        field("Package") == Some(name)
            && architecture.is_none_or(|wanted| field("Architecture") == Some(wanted))
            && field("Status").is_some_and(|status| {
                let state = status.split(' ').nth(2);
                status.split(' ').nth(1) == Some("ok")
                    && state.is_some_and(|state| ["installed", "triggers-awaited", "triggers-pending"].contains(&state))
            })
    })
}

#[cfg(test)]
mod tests {
    use super::super::Name as _;
    use super::*;
    use proptest::prelude::*;

    const STATUS: &str = "Package: nginx\nStatus: install ok installed\nArchitecture: amd64\nDescription: a\n Package: inner\n Status: install ok installed\n\n\
        Package: held\nStatus: hold ok installed\nArchitecture: all\n\n\
        Package: waiting\nStatus: install ok triggers-pending\nArchitecture: amd64\n\n\
        Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\n\n\
        Package: half\nStatus: install ok half-configured\nArchitecture: amd64\n\n\
        Package: broken\nStatus: install reinstreq installed\nArchitecture: amd64\n\n\
        Package: libc6\nStatus: deinstall ok config-files\nArchitecture: i386\n\n\
        Package: libc6\nStatus: install ok installed\nArchitecture: amd64\n";

    #[test]
    fn only_what_is_wholly_there_is_installed() {
        for (name, there) in [
            ("nginx", true),
            ("nginx:amd64", true),
            ("nginx:i386", false),
            ("held", true),
            ("waiting", true),
            ("gone", false),
            ("half", false),
            ("broken", false),
            ("inner", false),
            ("libc6", true),
            ("libc6:i386", false),
            ("ngin", false),
            ("nginx-full", false),
        ] {
            assert_eq!(is_installed(STATUS, &Package::parse(name).unwrap()), there, "{name}");
        }
        assert!(!is_installed("", &Package::parse("nginx").unwrap()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(Package|Status|:| |\n|ok|nginx|installed|[a-z]){0,40}") {
            let installed = is_installed(&text, &Package::parse("nginx").unwrap());
            prop_assert!(!installed || text.contains("Package:") && text.contains("nginx"));
        }
    }
}
