//! Promise: the interface that is written down in `dbus/` is the interface that runs.

#[cfg(test)]
mod tests {
    use harness::users::AGENT;
    use promises::{ask, installed, the_waiting};

    const BROKER: &str = include_str!("../dbus/org.countersign.Broker1.xml");
    const AUDIT: &str = include_str!("../dbus/org.countersign.Broker1.Audit.xml");
    const CONTROL: &str = include_str!("../dbus/org.countersign.Broker1.Control.xml");
    const APPROVALS: &str = include_str!("../dbus/org.countersign.Broker1.Approvals.xml");
    const REQUEST: &str = include_str!("../dbus/org.countersign.Broker1.Request.xml");

    /// The member lines of one interface, sorted, without comments and layout.
    fn members(xml: &str, interface: &str) -> Vec<String> {
        let begin = format!("<interface name=\"{interface}\">");
        let body = xml.split(&begin).nth(1).and_then(|rest| rest.split("</interface>").next()).unwrap_or_default();
        let mut tags: Vec<String> = Vec::new();
        for tag in
            body.split('<').skip(1).map(|tag| tag.split('>').next().unwrap_or_default().trim_end_matches('/').trim())
        {
            if tag.starts_with('!') || tag.starts_with('/') {
                continue;
            }
            let nested = tag.starts_with("arg") || tag.starts_with("annotation");
            match tags.last_mut() {
                Some(last) if nested => last.push_str(&format!(" | {tag}")),
                Some(_) | None => tags.push(tag.to_owned()),
            }
        }
        tags.sort();
        tags
    }

    #[test]
    fn what_is_written_down_is_what_runs() -> anyhow::Result<()> {
        let machine = installed().boot()?;
        let _client = ask(&machine, &["touch", "/etc/x"])?;
        let id = the_waiting(&machine)?;
        let root = "/org/countersign/Broker1".to_owned();
        let request = format!("{root}/request/{id}");
        for (path, interface, written) in [
            (&root, "org.countersign.Broker1", BROKER),
            (&root, "org.countersign.Broker1.Approvals", APPROVALS),
            (&root, "org.countersign.Broker1.Audit", AUDIT),
            (&root, "org.countersign.Broker1.Control", CONTROL),
            (&request, "org.countersign.Broker1.Request", REQUEST),
        ] {
            let call = [
                "gdbus",
                "introspect",
                "--xml",
                "--system",
                "--dest",
                "org.countersign.Broker1",
                "--object-path",
                path,
            ];
            let running = machine.run_as(AGENT, call)?.ok()?.stdout;
            let members_written = members(written, interface);
            assert!(!members_written.is_empty(), "{interface} is written down");
            assert_eq!(members(&running, interface), members_written, "{interface}");
        }
        Ok(())
    }
}
