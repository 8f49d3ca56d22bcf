//! Reads records of an export whose server had another name or address (PURE).

use crate::export::Location;
use crate::provisioner::rules::record::{self, Record};
use crate::yaml;

/// A record as it was read, or why it was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The record, on the server that the export has now.
    pub record: Result<Record, String>,
    /// Whether it names the former server.
    pub is_moved: bool,
}

/// Parses the record of the PV `name` on `export`. One that names `former_server` is read as if it named the export's
/// server, and marked as moved; one that names a third server is refused. Its directory must be one of this export.
pub fn parse_record(name: &str, content: &[u8], export: &Location, former_server: Option<&str>) -> Parsed {
    let server = server_of(content);
    let is_moved = former_server.is_some() && server.as_deref() == former_server && !is_server_of(&server, export);
    let recorded = Location {
        server: former_server.filter(|_| is_moved).unwrap_or(&export.server).to_owned(),
        path: export.path.clone(),
    };
    let mut record = record::parse(name, content, &recorded);
    if let Ok(record) = &mut record
        && let Some(nfs) = record.volume.spec.as_mut().and_then(|spec| spec.nfs.as_mut())
    {
        nfs.server.clone_from(&export.server);
    }
    if server.is_some() && !is_moved && !is_server_of(&server, export) {
        let hint = "if that is a former name or address of this server, pass --former-server";
        record = record.map_err(|why| format!("{why}; {hint}"));
    }
    Parsed { record, is_moved }
}

/// Whether the server that a record names is the export's, letter by letter; false if it names none.
fn is_server_of(server: &Option<String>, export: &Location) -> bool {
    server.as_deref() == Some(export.server.as_str())
}

/// The server that a record's PV names; `None` if the record can't be read.
fn server_of(content: &[u8]) -> Option<String> {
    let documents = yaml::read_untrusted(std::str::from_utf8(content).ok()?).ok()?;
    let server = documents.first()?.pointer("/spec/nfs/server")?;
    Some(server.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(server: &str, path: &str) -> Vec<u8> {
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"},
            "spec": {"accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"},
                     "nfs": {"server": server, "path": path}, "persistentVolumeReclaimPolicy": "Retain"},
        });
        volume.to_string().into_bytes()
    }

    #[test]
    fn a_record_moves_from_the_named_former_server_and_from_no_other() {
        let export = Location {
            server: "new".into(),
            path: "/nfsdata".into(),
        };
        let (here, outside) = ("/nfsdata/a", "/etc");
        for (server, path, former, moved, refusal) in [
            ("new", here, None, false, None),
            ("new", here, Some("old"), false, None),
            ("old", here, Some("old"), true, None),
            ("new", here, Some("new"), false, None),
            ("old", here, None, false, Some("pass --former-server")),
            ("other", here, Some("old"), false, Some("pass --former-server")),
            (
                "old",
                outside,
                Some("old"),
                true,
                Some("is no directory of old:/nfsdata"),
            ),
            (
                "new",
                outside,
                Some("old"),
                false,
                Some("is no directory of new:/nfsdata"),
            ),
        ] {
            let parsed = parse_record("v", &content(server, path), &export, former);
            let case = format!("{server}:{path} {former:?}: {parsed:?}");
            assert_eq!(parsed.is_moved, moved, "{case}");
            match (parsed.record, refusal) {
                (Ok(record), None) => {
                    let nfs = record.volume.spec.unwrap().nfs.unwrap();
                    assert_eq!((nfs.server.as_str(), nfs.path.as_str()), ("new", path), "{case}");
                }
                (Err(why), Some(words)) => assert!(why.contains(words), "{case}"),
                _ => panic!("{case}"),
            }
        }
        let broken = parse_record("v", b"{", &export, Some("old"));
        assert!(!broken.is_moved && broken.record.is_err_and(|why| !why.contains("--former-server")));
    }
}
