//! Power: whether the machine runs on a battery, by what the kernel says of its power supplies
//! (Documentation/ABI/testing/sysfs-class-power).

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use countersign_core::condition::Found;

use super::read_text;

/// The longest attribute of a device: a page.
const MAX_ATTRIBUTE: u64 = 4_096;

/// What one power supply says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Supply {
    /// It feeds this machine from outside.
    Online,
    /// It could, and does not.
    Offline,
    /// A battery that is charged, or full.
    Kept,
    /// A battery that is used, or of which that is not known.
    Used,
    /// The battery of a mouse, or a place for one.
    Aside,
}

/// A machine that has no battery cannot run on one. What cannot be read is not an answer.
pub(super) fn is_from_the_mains(class: &Path) -> Result<(), Found> {
    let entries = match fs::read_dir(class) {
        Ok(entries) => entries,
        // A kernel that knows of no power supplies; its other classes must be there.
        Err(error) if error.kind() == ErrorKind::NotFound && class.parent().is_some_and(Path::exists) => return Ok(()),
        Err(_) => return Err(Found::Unknown),
    };
    let mut used = false;
    for entry in entries {
        match supply(&entry.map_err(|_| Found::Unknown)?.path())? {
            Supply::Online => return Ok(()),
            Supply::Used => used = true,
            Supply::Offline | Supply::Kept | Supply::Aside => {}
        }
    }
    if used { Err(Found::Battery) } else { Ok(()) }
}

fn supply(device: &Path) -> Result<Supply, Found> {
    let said = |name: &str| read_text(&device.join(name), MAX_ATTRIBUTE).map(|text| text.trim().to_owned());
    // Not every supply has these two.
    if said("scope").is_ok_and(|scope| scope == "Device") || said("present").is_ok_and(|present| present == "0") {
        return Ok(Supply::Aside);
    }
    match said("type")?.as_str() {
        "Battery" | "UPS" => Ok(match said("status")?.as_str() {
            "Charging" | "Full" | "Not charging" => Supply::Kept,
            _ => Supply::Used,
        }),
        _ => Ok(if said("online")? == "0" { Supply::Offline } else { Supply::Online }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A class with these devices, each with its attributes.
    fn class(devices: &[&[(&str, &str)]]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (number, attributes) in devices.iter().enumerate() {
            let device = directory.path().join(number.to_string());
            fs::create_dir(&device).unwrap();
            for (name, value) in *attributes {
                fs::write(device.join(name), format!("{value}\n")).unwrap();
            }
        }
        directory
    }

    const ONLINE: &[(&str, &str)] = &[("type", "Mains"), ("online", "1")];
    const OFFLINE: &[(&str, &str)] = &[("type", "Mains"), ("online", "0")];
    const CHARGING: &[(&str, &str)] = &[("type", "Battery"), ("status", "Charging")];
    const USED: &[(&str, &str)] = &[("type", "Battery"), ("status", "Discharging")];
    const UNKNOWN: &[(&str, &str)] = &[("type", "Battery"), ("status", "Unknown")];
    const MOUSE: &[(&str, &str)] = &[("type", "Battery"), ("status", "Discharging"), ("scope", "Device")];
    const EMPTY: &[(&str, &str)] = &[("type", "Battery"), ("status", "Unknown"), ("present", "0")];

    #[test]
    fn only_a_battery_that_is_used_is_one_that_it_runs_on() {
        for (devices, found) in [
            (&[][..], Ok(())),
            (&[ONLINE, USED], Ok(())),
            (&[OFFLINE], Ok(())),
            (&[OFFLINE, CHARGING], Ok(())),
            (&[OFFLINE, USED], Err(Found::Battery)),
            (&[USED], Err(Found::Battery)),
            (&[UNKNOWN], Err(Found::Battery)),
            (&[MOUSE], Ok(())),
            (&[EMPTY], Ok(())),
            (&[CHARGING, USED], Err(Found::Battery)),
            (&[&[("type", "UPS"), ("status", "Discharging")]], Err(Found::Battery)),
        ] {
            assert_eq!(is_from_the_mains(class(devices).path()), found, "{devices:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_answer() {
        for device in [&[][..], &[("type", "Mains")], &[("type", "Battery")], &[("status", "Charging")]] {
            assert_eq!(is_from_the_mains(class(&[device]).path()), Err(Found::Unknown), "{device:?}");
        }
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(is_from_the_mains(&directory.path().join("power_supply")), Ok(()), "other classes are there");
        assert_eq!(is_from_the_mains(&directory.path().join("class/power_supply")), Err(Found::Unknown));
    }
}
