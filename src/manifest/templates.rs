//! The built-in templates, and a user's own that replace them, file by file. They are not parsed here.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Result, anyhow, ensure};

use super::Values;

/// The built-in templates by file name.
pub const BUILT_IN: [(&str, &str); 7] = [
    ("pod.yaml", include_str!("../../templates/pod.yaml")),
    (
        "provisioner-nfsprov.yaml",
        include_str!("../../templates/provisioner-nfsprov.yaml"),
    ),
    (
        "provisioner-upstream.yaml",
        include_str!("../../templates/provisioner-upstream.yaml"),
    ),
    ("pv.yaml", include_str!("../../templates/pv.yaml")),
    ("pvc.yaml", include_str!("../../templates/pvc.yaml")),
    ("statefulset.yaml", include_str!("../../templates/statefulset.yaml")),
    ("storageclass.yaml", include_str!("../../templates/storageclass.yaml")),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The file's name or path, for messages.
    pub file: String,
    pub text: Cow<'static, str>,
}

impl Template {
    /// The built-in template that `values` fill.
    pub fn built_in(values: &Values) -> Self {
        let file = values.template_file();
        let text = BUILT_IN.iter().find(|(name, _)| *name == file);
        Self {
            file: file.to_owned(),
            text: Cow::Borrowed(text.map_or("", |(_, text)| text)),
        }
    }

    /// The user's template in `directory`; `None` if it has no file of that name.
    ///
    /// # Errors
    /// When `directory` is no directory, or the file can't be read.
    pub fn in_directory(values: &Values, directory: &Path) -> Result<Option<Self>> {
        ensure!(
            directory.is_dir(),
            "--template-dir {}: there is no such directory; `nfsprov templates export` creates one",
            directory.display()
        );
        let path = directory.join(values.template_file());
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Self {
                file: path.display().to_string(),
                text: Cow::Owned(text),
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(anyhow!("template {} can't be read: {error}", path.display())),
        }
    }
}
