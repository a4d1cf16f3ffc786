//! Promise: whoever decides reads the dialog in the language of the session, with the same values in the same places.

#[cfg(test)]
mod tests {
    use harness::Answer;
    use harness::users::{ADMIN, ADMIN_PASSWORD};
    use promises::{PATIENCE, ask, installed, the_waiting};

    #[test]
    fn the_dialog_and_the_client_speak_german() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        machine.run(["localedef", "--inputfile=de_DE", "--charmap=UTF-8", "de_DE.UTF-8"])?.ok()?;
        let mut client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        let words = ["countersign", "approve", &id];
        let mut attended = machine.command(ADMIN, words)?.env("LANG", "de_DE.UTF-8").attended()?;
        let dialog = attended.dialog()?;
        for part in ["Countersign-Anfrage ", "Befehl: touch /etc/x", "Gefragt hat Benutzer agent (uid 1001)"] {
            assert!(dialog.contains(part), "{part} in {dialog}");
        }
        attended.answer(Answer::Password(ADMIN_PASSWORD))?;
        let output = attended.wait()?.0.ok()?;
        assert!(output.stdout.contains(&format!("zugestimmt: {id}")), "{output:?}");
        client.wait(PATIENCE)?.ok()?;
        let refused = machine.command(ADMIN, words)?.env("LANG", "fr_FR.UTF-8").run()?;
        assert!(refused.stderr.contains("La décision est déjà prise."), "{refused:?}");
        let plain = machine.command(ADMIN, words)?.env("LANG", "C.UTF-8").run()?;
        assert_eq!((plain.code, plain.stderr.contains("décision")), (refused.code, false), "{plain:?}");
        Ok(())
    }
}
