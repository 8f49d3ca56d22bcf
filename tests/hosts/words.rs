//! Output of hostile hosts: their text cannot control the terminal.

use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::kit::Stage;
use crate::setup::nfsprov;

crate::tests! {
    output_in_place_of_a_shell_is_escaped,
}

async fn output_in_place_of_a_shell_is_escaped(stage: Arc<Stage>) -> Result<()> {
    // It writes to the clipboard, and clears the screen with an eight-bit code.
    let words = r"ForceCommand printf 'go away \033]52;c;eA==\a\302\2332J\n' >&2; exit 1";
    let port = stage.sshd(&stage.guest, &["ed25519"], words).await?;
    let host = format!("root@{}:{port}", stage.guest.address());
    // The API server is down: undoing the gate works without it.
    let kubeconfig = stage.home()?.join("kubeconfig");
    let text = "apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: a, user: {token: none}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
";
    std::fs::write(&kubeconfig, text)?;
    let kubeconfig = kubeconfig.display().to_string();
    for arguments in [
        &["--kubeconfig", &kubeconfig, "doctor", "--undo", "--yes", "--ssh", &host][..],
        &["setup-client", &host],
        &["setup-client", &host, "-o", "json"],
    ] {
        let output = nfsprov(&stage, arguments).await?;
        let shown = String::from_utf8([output.stdout, output.stderr].concat())?;
        ensure!(
            !output.status.success() && shown.contains("go away"),
            "{arguments:?}: {shown}"
        );
        let acted_on = |c: char| c != '\n' && c.is_control();
        ensure!(!shown.contains(acted_on), "{arguments:?}: {shown:?}");
    }
    Ok(())
}
