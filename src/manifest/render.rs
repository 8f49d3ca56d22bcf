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
    let rendered = environment.render_named_str(file, template, Serde(values));
    rendered.with_context(|| format!("template {file} can't be rendered"))
}
