//! Renders values by a template to YAML, and parses the YAML back to objects: the main type is [`Manifest`]. Values are
//! checked before, by `validate`; a template of the user's is not trusted to be right.

use anyhow::{Result, anyhow, ensure};
use kube::core::DynamicObject;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;

use super::strict;
use super::templates::Template;
use super::values::Values;
use crate::yaml;

/// One object, as text and parsed.
#[derive(Clone, Debug)]
pub struct Document {
    pub yaml: String,
    pub object: DynamicObject,
}

#[derive(Clone, Debug)]
pub struct Manifest {
    /// The text that users see: re-serialising it would lose its order, quotes and comments.
    pub yaml: String,
    /// At least one.
    pub documents: Vec<Document>,
}

/// Renders `values` by `template`, and checks each object with [`strict::check_object`].
///
/// Templates are named `*.yaml`, so every value is written as a JSON literal, which is YAML for any
/// text whatever it holds: no value can end its string or change its type.
///
/// # Errors
/// When the template is at fault, with its file, line and text; values were validated before.
pub fn render_manifest(values: &Values, template: &Template) -> Result<Manifest> {
    let yaml = match values {
        Values::Volume(volume) => render_template(template, volume),
        Values::Claim(claim) => render_template(template, claim),
        Values::StorageClass(class) => render_template(template, class),
        Values::Pod(pod) => render_template(template, pod),
        Values::StatefulSet(set) => render_template(template, set),
        Values::Provisioner(provisioner) => render_template(template, provisioner),
    }?;
    let documents = parse_documents(&template.file, &yaml)?;
    Ok(Manifest { yaml, documents })
}

/// Renders a template and escapes the result for YAML; an unknown variable is an error that lists the known ones.
fn render_template(template: &Template, values: impl Serialize) -> Result<String> {
    let known = serde_json::to_value(&values)?;
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Without it, errors don't say what in the line they are about.
    environment.set_debug(true);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()?;
    environment.set_syntax(syntax);
    // The name decides how values are written, so it is not the user's path.
    let rendered = environment
        .render_named_str("template.yaml", &template.text, Serde(values))
        .map_err(|error| anyhow!("template {}{}", template.file, describe_fault(&error, &known)))?;
    Ok(yaml::escape_for_yaml(&rendered))
}

/// Text to append to a template's name: `, line LINE: CAUSE`, without the line if it is unknown; for an unknown variable,
/// the known ones.
fn describe_fault(error: &minijinja::Error, known: &Value) -> String {
    let place = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
    let source = error.template_source().zip(error.range());
    let expression = source.and_then(|(source, range)| source.get(range)).unwrap_or_default();
    let names: Vec<&str> = known
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| &**name)
        .collect();
    match (error.kind(), expression.lines().next()) {
        (ErrorKind::UndefinedError, Some(expression)) => {
            format!(
                "{place}: {expression:?} is not a value of this template; known are {}",
                names.join(", ")
            )
        }
        (kind, expression) => {
            let detail = error.detail().map_or_else(|| kind.to_string(), str::to_owned);
            match expression {
                Some(expression) => format!("{place}: {detail}, at {expression:?}"),
                None => format!("{place}: {detail}"),
            }
        }
    }
}

/// Parses the objects of rendered YAML and checks each against the type of its kind. Empty documents are dropped; a
/// text without an object is an error.
fn parse_documents(file: &str, yaml: &str) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    let mut lines_before = 0;
    for part in split_documents(yaml) {
        let value = yaml::parse_document(&part).map_err(|(line, why)| match line {
            Some(line) => anyhow!(
                "template {file} renders no YAML: {why}, at line {} of the result: {:?}",
                lines_before + line,
                part.lines().nth(line - 1).unwrap_or_default().trim()
            ),
            None => anyhow!("template {file} renders no YAML: {why}"),
        })?;
        lines_before += part.lines().count() + 1;
        // Only comments, or nothing.
        if value.is_null() {
            continue;
        }
        strict::check_object(&value).map_err(|why| anyhow!("template {file}: {why}"))?;
        let object = serde_json::from_value(value).map_err(|error| anyhow!("template {file}: {error}"))?;
        documents.push(Document { yaml: part, object });
    }
    ensure!(!documents.is_empty(), "template {file} renders no object");
    Ok(documents)
}

/// Splits at lines of `---`. Values have no line ends, so that no value can contain such a line.
fn split_documents(yaml: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in yaml.split_inclusive('\n') {
        match (line.trim_end(), parts.last_mut()) {
            ("---", _) | (_, None) => parts.push(String::new()),
            (_, Some(part)) => part.push_str(line),
        }
    }
    parts
}

/// Parses one YAML document; an empty text is null.
///
/// # Errors
/// The line, if known, and the cause; also for a second document or a key that is there twice.
pub(crate) fn read_yaml(yaml: &str) -> Result<Value, String> {
    yaml::parse_document(yaml).map_err(|(line, why)| match line {
        Some(line) => format!("line {line}: {why}"),
        None => why,
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::{AccessMode, Claim};
    use super::*;

    /// Texts that YAML would read as something else, or that would end a string if pasted in.
    const HOSTILE: [&str; 18] = [
        "yes", "0777", "1_000", "null", "~", "a: b", "\"", "'", "a\nb: c", "{{ x }}", "# no", "- a", "ключ",
        "\u{2028}", "\u{7f}", "\u{85}", "---\n", "<&>",
    ];

    fn claim(text: &str) -> Values {
        Values::Claim(Claim {
            name: text.to_owned(),
            namespace: Some(text.to_owned()),
            size: text.to_owned(),
            access_modes: vec![AccessMode::ReadWriteMany],
            class: Some(text.to_owned()),
            volume: Some(text.to_owned()),
            selector: [(text.to_owned(), text.to_owned())].into(),
        })
    }

    /// What is wrong with a template of the user's.
    fn wrong(text: &'static str) -> String {
        let template = Template {
            file: "mine/pvc.yaml".to_owned(),
            text: Cow::Borrowed(text),
        };
        format!("{:#}", render_manifest(&claim("c"), &template).unwrap_err())
    }

    #[test]
    fn any_text_comes_out_as_it_went_in() {
        for text in HOSTILE {
            let values = claim(text);
            let manifest = render_manifest(&values, &Template::built_in(&values))
                .unwrap_or_else(|error| panic!("{text:?}: {error:#}"));
            assert_eq!(manifest.documents.len(), 1, "{}", manifest.yaml);
            let object = serde_json::to_value(&manifest.documents[0].object).unwrap();
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

    #[test]
    fn a_template_that_is_wrong_is_named_with_line_and_variable() {
        for (template, said) in [
            (
                "kind: a\nname: {{ nmae }}\n",
                "template mine/pvc.yaml, line 2: \"nmae\" is not a value of this template; known are access_modes, class, name, \
                 namespace, selector, size, volume",
            ),
            (
                "{% for x in modes %}\n{% endfor %}",
                "template mine/pvc.yaml, line 1: \"modes\" is not a value of this template",
            ),
            (
                "a: b\n{% if name %}\n",
                "template mine/pvc.yaml, line 2: unexpected end of input",
            ),
            (
                "a: {{ name | shout }}",
                "template mine/pvc.yaml, line 1: filter shout is unknown",
            ),
            (
                "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: [\n",
                "template mine/pvc.yaml renders no YAML: ",
            ),
            (
                "apiVersion: v1\napiVersion: v1\n",
                "template mine/pvc.yaml renders no YAML: duplicate entry with key \"apiVersion\"",
            ),
            ("# nothing\n", "template mine/pvc.yaml renders no object"),
            (
                "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: a}\nspec: {acessModes: []}\n",
                "template mine/pvc.yaml: PersistentVolumeClaim has no field spec.acessModes",
            ),
        ] {
            let wrong = wrong(template);
            assert!(wrong.starts_with(said), "{template}: {wrong}");
        }
        let wrong = wrong("# a\n---\nb: c\nd: {{ name }}: {{ name }}\n");
        assert!(wrong.contains("at line 4 of the result"), "{wrong}");
    }
}
