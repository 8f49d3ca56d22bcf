//! Reads `nfsprov.yaml`: the servers, exports and nodes of a site (PURE).
//!
//! Each export becomes the arguments of one `setup-server`, so that its values are checked as those of options.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::yaml;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a mapping with servers and nodes")]
struct Site {
    servers: Vec<Server>,
    /// Nodes to set up as clients of every export.
    #[serde(default)]
    nodes: Vec<TextOrNumber>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Server {
    host: TextOrNumber,
    address: Option<TextOrNumber>,
    nfs_version: Option<TextOrNumber>,
    exports_file: Option<TextOrNumber>,
    exports: Vec<Export>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Export {
    path: TextOrNumber,
    #[serde(default)]
    allow: Vec<TextOrNumber>,
    options: Option<TextOrNumber>,
    #[serde(default)]
    root_squash: bool,
    mode: Option<TextOrNumber>,
    owner: Option<TextOrNumber>,
    #[serde(default)]
    quota: bool,
}

/// A text, or a number as it is written: `nfsVersion: 4`. Anything else, `true` as well, is an error.
struct TextOrNumber(String);

impl<'de> Deserialize<'de> for TextOrNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            other => Err(serde::de::Error::custom(format!(
                "{other} is neither a text nor a number"
            ))),
        }
    }
}

/// The arguments of `setup-server`, without the command's name, for each export of the file, in the order of the file.
///
/// # Errors
/// One sentence for a file of another form, or without exports. Values are not checked.
pub(super) fn arguments_of(file: &str) -> Result<Vec<Vec<String>>, String> {
    let value = yaml::parse_document(file).map_err(|(line, why)| match line {
        Some(line) => format!("line {line}: {why}"),
        None => why,
    })?;
    let site: Site = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let exports = site
        .servers
        .iter()
        .flat_map(|server| server.exports.iter().map(move |export| (server, export)));
    let arguments: Vec<Vec<String>> = exports
        .map(|(server, export)| {
            // `--option=value` is one word, so that no value is taken for an option.
            let option = |name: &str, value: &TextOrNumber| format!("--{name}={}", value.0);
            let optional = [
                ("address", &server.address),
                ("nfs-version", &server.nfs_version),
                ("exports-file", &server.exports_file),
                ("options", &export.options),
                ("mode", &export.mode),
                ("owner", &export.owner),
            ];
            let mut words = vec![option("export", &export.path)];
            words.extend(export.allow.iter().map(|client| option("allow", client)));
            words.extend(site.nodes.iter().map(|node| option("node", node)));
            words.extend(
                optional
                    .iter()
                    .filter_map(|(name, value)| Some(option(name, value.as_ref()?))),
            );
            words.extend(export.root_squash.then(|| "--root-squash".to_owned()));
            words.extend(export.quota.then(|| "--quota".to_owned()));
            words.extend(["--".to_owned(), server.host.0.clone()]);
            words
        })
        .collect();
    match arguments.is_empty() {
        true => Err("it has no exports".to_owned()),
        false => Ok(arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_export_is_one_setup_server() {
        let file = r#"
servers:
- host: root@nfs
  nfsVersion: 4
  exports:
  - {path: /fast, allow: [10.0.0.0/24, "@nodes"], mode: 0770, rootSquash: true}
  - {path: /slow, options: "rw,sync", owner: "65534:65534", quota: true}
- host: --flag
  address: 10.0.0.5
  exportsFile: /etc/exports.d/a.exports
  exports: [{path: /other}]
nodes: [root@node1, node2]
"#;
        let lines: Vec<String> = arguments_of(file)
            .unwrap()
            .iter()
            .map(|words| words.join(" "))
            .collect();
        assert_eq!(
            lines,
            [
                "--export=/fast --allow=10.0.0.0/24 --allow=@nodes --node=root@node1 --node=node2 --nfs-version=4 \
                 --mode=0770 --root-squash -- root@nfs",
                "--export=/slow --node=root@node1 --node=node2 --nfs-version=4 --options=rw,sync --owner=65534:65534 \
                 --quota -- root@nfs",
                "--export=/other --node=root@node1 --node=node2 --address=10.0.0.5 \
                 --exports-file=/etc/exports.d/a.exports -- --flag",
            ]
        );
    }

    #[test]
    fn a_file_of_another_form_is_refused_in_a_sentence() {
        for (file, words) in [
            ("", "expected a mapping with servers and nodes"),
            ("servers: [", "did not find expected node content"),
            ("servers: []", "it has no exports"),
            ("servers: [{host: a, exports: []}]", "it has no exports"),
            ("servers: [{host: a}]", "missing field `exports`"),
            ("server: []", "unknown field `server`"),
            (
                "servers: [{host: a, exports: [{path: /a, allowed: [b]}]}]",
                "unknown field `allowed`",
            ),
            (
                "servers: [{host: a, exports: [{path: [/a]}]}]",
                "neither a text nor a number",
            ),
        ] {
            let error = arguments_of(file).unwrap_err();
            assert!(error.contains(words), "{file}: {error}");
        }
    }
}
