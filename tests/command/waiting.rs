//! `--wait` and `--timeout`, which limit how long a command waits for its effect.

use serde_json::json;

use crate::api_double::start;
use crate::support::{Nfsprov, Ran, write_kubeconfig};

/// A PV that never becomes Available, because no controller manager runs.
#[test]
fn waiting_ends_at_its_own_time_limit_or_is_left_out() {
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "v", "uid": "1", "resourceVersion": "1"},
        "spec": {"nfs": {"server": "nfs", "path": "/a"}, "persistentVolumeReclaimPolicy": "Retain",
                 "claimRef": {"namespace": "web", "name": "data"}},
        "status": {"phase": "Released"},
    });
    let list = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeList", "metadata": {"resourceVersion": "1"}, "items": [&volume],
    });
    let url = start(vec![
        ("/api/v1/persistentvolumes/v", volume),
        ("/api/v1/persistentvolumes", list),
    ]);
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = write_kubeconfig(directory.path(), &url);
    let release = |options: &str| -> Ran {
        let args = format!("release v --keep-data {options}");
        Nfsprov::new(args.split_whitespace())
            .env("KUBECONFIG", &kubeconfig)
            .run()
    };
    // The limit of one request is far longer, and does not limit the wait.
    let ran = release("--timeout 1s --request-timeout 10m");
    assert!(
        ran.status == 1 && ran.stderr.contains("pv/v is released, and not Available after 1 s"),
        "{ran:?}"
    );
    // A watch without an event ends after the time limit of one request; nfsprov repeats it.
    let ran = release("--timeout 4s --request-timeout 1s");
    assert!(
        ran.status == 1 && ran.stderr.contains("pv/v is released, and not Available after 4 s"),
        "{ran:?}"
    );
    for options in ["--wait=false", "--wait=false --timeout 1s"] {
        let ran = release(options);
        assert_eq!(
            (ran.stdout.as_str(), ran.status),
            ("persistentvolume/v released\n", 0),
            "{options}"
        );
    }
    let ran = release("--wait=perhaps");
    assert_eq!(ran.status, 2, "{ran:?}");
}
