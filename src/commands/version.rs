//! `nfsprov version`: the version, commit and platform of this program, and the Kubernetes versions that it is tested
//! with. Asks no cluster.

use anyhow::Result;
use serde_json::json;

use crate::cli::{Version, VersionFormat};
use crate::exit::Exit;
use crate::output;
use crate::versioned::Versioned;

/// The commit of the build; `None` outside of release builds.
const COMMIT: Option<&str> = option_env!("NFSPROV_COMMIT");
/// The versions of Kubernetes whose API servers the tests run against.
pub const TESTED_KUBERNETES: [&str; 2] = ["1.20.2", "1.37.2"];

pub fn run(args: &Version) -> Result<Exit> {
    let version = env!("CARGO_PKG_VERSION");
    let commit = COMMIT.unwrap_or("unknown");
    let platform = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
    let value = json!({
        "version": version,
        "commit": commit,
        "platform": platform,
        "testedKubernetes": TESTED_KUBERNETES,
    });
    let value = serde_json::to_value(Versioned::new("Version", value))?;
    let text = match args.output {
        VersionFormat::Text => format!(
            "nfsprov {version}\ncommit: {commit}\nplatform: {platform}\ntested on Kubernetes: {}\n",
            TESTED_KUBERNETES.join(", ")
        ),
        VersionFormat::Json => output::to_json(&value),
        VersionFormat::Yaml => output::to_yaml(&value),
    };
    output::print(&text)?;
    Ok(Exit::Done)
}
