//! Values and a template give YAML; the YAML is read back to the object that it stands for.

use anyhow::{Context, Result};
use kube::core::DynamicObject;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::Values;

/// One object, as text and as what the text says.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The rendered template. This is what users see: re-serialising would lose its order and quotes.
    pub yaml: String,
    /// The same, parsed.
    pub object: DynamicObject,
}

/// Renders the built-in template of `values`.
///
/// Templates are named `*.yaml`, so every value is written as a JSON literal, which is YAML for any
/// text whatever it holds: no value can end its string or change its type.
///
/// # Errors
/// When the template is at fault; values were validated before.
pub fn render(values: &Values) -> Result<Manifest> {
    let (file, template) = match values {
        Values::Volume(_) => ("pv.yaml", include_str!("../../templates/pv.yaml")),
        Values::Claim(_) => ("pvc.yaml", include_str!("../../templates/pvc.yaml")),
        Values::StorageClass(_) => ("storageclass.yaml", include_str!("../../templates/storageclass.yaml")),
    };
    let yaml = match values {
        Values::Volume(volume) => fill(file, template, volume),
        Values::Claim(claim) => fill(file, template, claim),
        Values::StorageClass(class) => fill(file, template, class),
    }?;
    let object = serde_yaml::from_str(&yaml).with_context(|| format!("template {file} gives no object"))?;
    Ok(Manifest { yaml, object })
}

fn fill(file: &str, template: &str, values: impl Serialize) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()?;
    environment.set_syntax(syntax);
    let rendered = environment
        .render_named_str(file, template, Serde(values))
        .with_context(|| format!("template {file} can't be rendered"))?;
    // JSON lets these stand in a string as they are; to YAML 1.1 they end the line.
    let breaks = [
        ('\u{85}', "\\u0085"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
        ('\u{feff}', "\\ufeff"),
    ];
    Ok(breaks
        .iter()
        .fold(rendered, |text, (raw, escaped)| text.replace(*raw, escaped)))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::{AccessMode, Claim};
    use super::*;

    /// Texts that YAML would read as something else, or that would end a string if pasted in.
    const HOSTILE: [&str; 14] = [
        "yes", "0777", "1_000", "null", "~", "a: b", "\"", "'", "a\nb: c", "{{ x }}", "# no", "- a", "ключ", "\u{2028}",
    ];

    #[test]
    fn any_text_comes_out_as_it_went_in() {
        for text in HOSTILE {
            let claim = Claim {
                name: text.to_owned(),
                namespace: Some(text.to_owned()),
                size: text.to_owned(),
                access_modes: vec![AccessMode::ReadWriteMany],
                class: Some(text.to_owned()),
                volume: Some(text.to_owned()),
                selector: [(text.to_owned(), text.to_owned())].into(),
            };
            let manifest = render(&Values::Claim(claim)).unwrap_or_else(|error| panic!("{text:?}: {error:#}"));
            let object = serde_json::to_value(&manifest.object).unwrap();
            for pointer in [
                "/metadata/name",
                "/metadata/namespace",
                "/spec/resources/requests/storage",
                "/spec/storageClassName",
                "/spec/volumeName",
            ] {
                assert_eq!(
                    object.pointer(pointer),
                    Some(&Value::from(text)),
                    "{pointer}\n{}",
                    manifest.yaml
                );
            }
            assert_eq!(
                object["spec"]["selector"]["matchLabels"][text], text,
                "{}",
                manifest.yaml
            );
        }
    }
}
