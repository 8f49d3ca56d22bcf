//! The environment of the test: a control plane, an NFS server, files outside the export; and reading their state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use nfsprov::export::Location;
use nfsprov::provisioner::rules::record;
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::process::Process;
use nfsprov_lab::{ControlPlane, ControlPlaneOptions, Lab, Lane};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::plan::{Kind, NAMESPACES, NFS_VERSIONS, TRAP, class_name};
use crate::state::{Entry, PROTECTION, Project, Recorded, State, Stored, Volume, WHO};

pub const PROVISIONER: &str = "crash.test/nfs";

/// The provisioner's user name, by which the audit log distinguishes its writes.
const USER: &str = "provisioner-under-test";

/// The user name of the controller that may remove pv-protection.
const PROTECTOR: &str = "system:serviceaccount:kube-system:pv-protection-controller";

const EXPORT: &str = "/nfsdata";

/// The audit policy: the API server logs every update and patch of a PV with its response.
const AUDIT: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: RequestResponse
  verbs: [patch, update]
  resources: [{group: '', resources: [persistentvolumes]}]
- level: None
";

/// Lists what a faulty provisioner could damage outside the export: names in `/`, and a tree that links on the export
/// target.
const OUTSIDE: &str = "ls -1 / && find /canary -printf '%y %U:%G %m %s %T@ %C@ %p %l\\n' && cat /canary/deep/er/file";

/// Which size limits to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// Also limits without files, compared with the output of `volumes orphans`.
    All,
    /// Only limits of existing directories.
    OfDirectories,
}

pub struct Environment {
    pub client: Client,
    pub plane: ControlPlane,
    nfs: Guest,
    kubeconfig: PathBuf,
    audit: PathBuf,
    logs: PathBuf,
}

impl Environment {
    /// Starts the control plane and the NFS server, and creates the classes and RBAC rules that the contract names.
    pub async fn new(lab: &Lab, lane: Lane) -> Result<Self> {
        let (policy, audit) = (lab.dir().join("audit-policy.yaml"), lab.dir().join("audit.log"));
        std::fs::write(&policy, AUDIT).with_context(|| format!("cannot write {}", policy.display()))?;
        let options = ControlPlaneOptions {
            lane,
            api_server_args: vec![
                format!("--audit-policy-file={}", policy.display()),
                format!("--audit-log-path={}", audit.display()),
                // In megabytes: large enough that the API server never rotates the log.
                "--audit-log-maxsize=10000".to_owned(),
            ],
            ..ControlPlaneOptions::default()
        };
        let (plane, nfs) = tokio::try_join!(
            lab.control_plane(options),
            lab.guest("nfs", Template::NfsServerWithQuota)
        )?;
        let environment = Self {
            client: plane.client().await?,
            kubeconfig: plane.kubeconfig_for(USER, &[])?,
            plane,
            nfs,
            audit,
            logs: lab.dir().to_owned(),
        };
        environment.prepare().await?;
        Ok(environment)
    }

    async fn prepare(&self) -> Result<()> {
        let params = PostParams::default();
        for name in NAMESPACES {
            let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
            Api::all(self.client.clone()).create(&params, &namespace).await?;
        }
        let classes = Kind::ALL
            .into_iter()
            .flat_map(|kind| NFS_VERSIONS.map(|version| (kind, version)));
        for (kind, nfs_version) in classes {
            let parameters: serde_json::Map<_, _> = kind
                .parameters()
                .iter()
                .map(|(key, value)| ((*key).to_owned(), json!(value)))
                .collect();
            let class: StorageClass = serde_json::from_value(json!({
                "metadata": {"name": class_name(kind, nfs_version)}, "provisioner": PROVISIONER,
                "mountOptions": [format!("nfsvers={nfs_version}")],
                "reclaimPolicy": kind.policy(), "parameters": parameters,
            }))?;
            Api::all(self.client.clone()).create(&params, &class).await?;
        }
        // Only the permissions that the contract lists.
        let role: ClusterRole = serde_json::from_value(json!({"metadata": {"name": USER}, "rules": [
            {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["persistentvolumes"],
             "verbs": ["get", "list", "watch", "create", "patch", "delete"]},
            {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
        ]}))?;
        let binding: ClusterRoleBinding = serde_json::from_value(json!({
            "metadata": {"name": USER}, "subjects": [{"kind": "User", "name": USER}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": USER},
        }))?;
        Api::all(self.client.clone()).create(&params, &role).await?;
        Api::all(self.client.clone()).create(&params, &binding).await?;
        let prepare = format!(
            "mkfs.xfs -q /dev/ubdb && mkdir {EXPORT} && mount -o prjquota /dev/ubdb {EXPORT} && chmod 0777 {EXPORT} && \
             echo '{EXPORT} *(rw,sync,no_subtree_check,no_root_squash)' >/etc/exports && exportfs -ra && \
             mkdir -p /canary/deep/er && echo sings >/canary/deep/er/file && chmod 0640 /canary/deep/er/file && \
             ln -s er /canary/deep/link && ln -s /canary {EXPORT}/{TRAP}"
        );
        self.nfs.ssh(&prepare).await?;
        Ok(())
    }

    /// Starts the provisioner; it writes its log to the file `log`.
    pub fn start(&self, log: &str) -> Result<Process> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nfsprov"));
        command.args(["provision", "--watch", "--name", PROVISIONER, "--path", EXPORT]);
        command.arg("--server").arg(self.nfs.address().to_string());
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        self.add_ssh_options(&mut command, "--quota-ssh");
        // Checks limits, and clears those without files, every second instead of every 5 minutes.
        command.args(["--usage-interval", "1s", "--metrics-addr", "127.0.0.1:0"]);
        Process::spawn("nfsprov provision", self.logs.join(log), command)
    }

    /// Adds the options with which a command of nfsprov logs in to the server.
    fn add_ssh_options(&self, command: &mut Command, option: &str) {
        command.arg(option).arg(format!("ssh://root@{}", self.nfs.address()));
        command.arg("-i").arg(self.nfs.ssh_key());
        command.args(["--host-key", "accept-new", "--connect-timeout", "60s"]);
        // nfsprov writes known_hosts there.
        command.env("HOME", &self.logs).env_remove("SSH_AUTH_SOCK");
    }

    /// Adds the projects of the file system. Runs `volumes orphans` only if there are limits without files. Such a
    /// limit can get files meanwhile: scripts on the server continue after the provisioner that started them is killed.
    async fn add_projects(&self, state: &mut State, limits: Limits) -> Result<()> {
        (state.projects, state.project_ids) = self.projects().await?;
        if limits == Limits::OfDirectories {
            state.projects.retain(|_, project| project.files > 0);
        }
        if state.projects.values().all(|project| project.files > 0) {
            return Ok(());
        }
        state.orphaned = self.orphaned_limits().await?;
        let (later, _) = self.projects().await?;
        state
            .projects
            .retain(|id, project| project.files > 0 || later.get(id) == Some(project));
        Ok(())
    }

    async fn projects(&self) -> Result<(BTreeMap<u32, Project>, BTreeMap<String, u32>)> {
        let report = format!(
            "cd {EXPORT} && xfs_quota -x -c 'report -p -n -N -b -i' /dev/ubdb && lsattr -pd *-limited-* 2>/dev/null; true"
        );
        let report = self.nfs.ssh(&report).await?;
        let (mut projects, mut project_ids) = (BTreeMap::new(), BTreeMap::new());
        for line in report.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match (words.first().and_then(|word| word.strip_prefix('#')), &words[..]) {
                // Columns: id; blocks, soft and hard limit, warnings, grace; files.
                (Some("0"), _) | (None, []) => {}
                (Some(id), [_, _, _, limit_kib, _, _, files, ..]) => {
                    let (limit_kib, files) = (limit_kib.parse()?, files.parse()?);
                    projects.insert(id.parse()?, Project { limit_kib, files });
                }
                (None, [id, _, directory]) => _ = project_ids.insert((*directory).to_owned(), id.parse()?),
                _ => anyhow::bail!("unexpected line of xfs_quota or lsattr: {line:?}"),
            }
        }
        Ok((projects, project_ids))
    }

    /// The project ids that `volumes orphans` lists.
    async fn orphaned_limits(&self) -> Result<BTreeSet<u32>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nfsprov"));
        command.args(["volumes", "orphans", "--path", EXPORT]);
        command.arg("--server").arg(self.nfs.address().to_string());
        command.arg("--kubeconfig").arg(self.plane.kubeconfig());
        self.add_ssh_options(&mut command, "--via");
        let output = command.output().await?;
        let listing = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "volumes orphans: {listing}");
        let ids = listing
            .lines()
            .filter_map(|line| line.strip_prefix("project ")?.split(' ').next());
        ids.map(|id| id.parse().with_context(|| listing.to_string())).collect()
    }

    /// Reads the whole state except the audit log.
    pub async fn read_state(&self, limits: Limits) -> Result<State> {
        let claims: Api<PersistentVolumeClaim> = Api::all(self.client.clone());
        let claims = claims.list(&Default::default()).await?;
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let volumes = volumes.list(&Default::default()).await?;
        let list =
            format!("cd {EXPORT} && find . -ignore_readdir_race -mindepth 1 -printf '%y\\t%U:%G %m\\t%P\\t%l\\n'");
        let listing = self.nfs.ssh(&list).await?;
        let line = |line: &str| {
            let [kind, attributes, path, target] = line.split('\t').collect::<Vec<_>>()[..] else {
                return Err(anyhow::anyhow!("unexpected line of find: {line:?}"));
            };
            let entry = Entry {
                kind: kind.to_owned(),
                attributes: attributes.to_owned(),
                target: target.to_owned(),
            };
            Ok((path.to_owned(), entry))
        };
        let mut state = State {
            records: self.records().await?,
            claims: claims.iter().map(stored).collect(),
            volumes: volumes.iter().map(volume).collect(),
            export: listing.lines().map(line).collect::<Result<_>>()?,
            outside: self.outside().await?,
            ..State::default()
        };
        self.add_projects(&mut state, limits).await?;
        Ok(state)
    }

    /// Reads the records on the export with the parser of `volumes rebuild`.
    async fn records(&self) -> Result<BTreeMap<String, Recorded>> {
        // tail prints `==> NAME <==` before each file, and an empty line between files.
        let print = format!("cd {EXPORT}/.nfsprov/volumes 2>/dev/null && tail -v -n +1 -- *.yaml 2>/dev/null; true");
        let text = self.nfs.ssh(&print).await?;
        let location = Location {
            server: self.nfs.address().to_string(),
            path: EXPORT.to_owned(),
        };
        let files = text
            .strip_prefix("==> ")
            .into_iter()
            .flat_map(|files| files.split("\n==> "));
        let files = files.filter_map(|file| file.split_once(" <==\n"));
        let records = files.map(|(file, content)| {
            let volume = file.trim_end_matches(".yaml");
            (volume.to_owned(), recorded(volume, content, &location))
        });
        Ok(records.collect())
    }

    /// Waits until a file that matches the pattern on the export changes, at most three seconds: there may be no
    /// change.
    pub async fn wait_until_newer(&self, pattern: &str) -> Result<()> {
        let found = format!("[ -n \"$(find {EXPORT}/{pattern} -newer /tmp/before -print -quit 2>/dev/null)\" ]");
        let wait = format!("touch /tmp/before; timeout 3 sh -c 'until {found}; do sleep 0.01; done' || :");
        self.nfs.ssh(&wait).await.map(drop)
    }

    /// Lists what is outside the export, and the link on the export that leads there.
    pub async fn outside(&self) -> Result<String> {
        self.nfs
            .ssh(&format!(
                "{OUTSIDE} && find {EXPORT}/{TRAP} -maxdepth 0 -printf '%y %p %l\\n'"
            ))
            .await
    }

    /// Writes data, a tree and links that lead out of the export into each directory, with the uid of its claim.
    pub async fn fill(&self, directories: &[(String, String)]) -> Result<()> {
        let fill = |(path, uid): &(String, String)| {
            format!(
                "mkdir -p '{path}/deep/er' && echo data >'{path}/deep/er/file' && \
                 ln -s /canary '{path}/out' && ln -s {uid} '{path}/{WHO}'"
            )
        };
        let script: Vec<String> = directories.iter().map(fill).collect();
        if !script.is_empty() {
            self.nfs.ssh(&format!("cd {EXPORT} && {}", script.join(" && "))).await?;
        }
        Ok(())
    }

    /// Adds what the audit log shows about pv-protection; returns the number of the provisioner's writes.
    pub fn add_audited_writes(&self, state: &mut State) -> Result<usize> {
        let log = std::fs::read_to_string(&self.audit);
        let log = log.with_context(|| format!("cannot read {}", self.audit.display()))?;
        let mut ours = 0;
        for line in log.lines() {
            let entry: Value = serde_json::from_str(line).context("the audit log is not JSON")?;
            if entry["responseStatus"]["code"] != 200 {
                continue;
            }
            let after: BTreeSet<&str> = entry["responseObject"]["metadata"]["finalizers"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let name = entry["objectRef"]["name"].as_str().unwrap_or_default().to_owned();
            let user = entry["user"]["username"].as_str().unwrap_or_default();
            ours += usize::from(user == USER);
            match (user, after.contains(PROTECTION)) {
                (USER, false) => _ = state.unprotected.insert(name),
                (PROTECTOR, false) => _ = state.released.insert(name),
                _ => {}
            }
        }
        Ok(ours)
    }
}

/// Stops the provisioner with SIGTERM, as an administrator does.
pub async fn stop(mut provisioner: Process) -> Result<()> {
    provisioner.signal("TERM")?;
    let status = tokio::time::timeout(Duration::from_secs(30), provisioner.wait()).await;
    let status = status.context("nfsprov did not stop after SIGTERM")??;
    anyhow::ensure!(status.success(), "nfsprov ended with {status}");
    Ok(())
}

fn recorded(volume: &str, content: &str, location: &Location) -> Recorded {
    match record::parse(volume, content.as_bytes(), location) {
        Err(fault) => Recorded {
            fault: Some(fault),
            claim: None,
        },
        Ok(record) => Recorded {
            fault: (record.text() != content).then(|| format!("it has {} bytes, and more is meant", content.len())),
            claim: record
                .claim
                .map(|claim| (claim.namespace().unwrap_or_default(), claim.name_any())),
        },
    }
}

fn stored(claim: &PersistentVolumeClaim) -> Stored {
    let status = claim.status.as_ref();
    Stored {
        uid: claim.uid().unwrap_or_default(),
        phase: status.and_then(|status| status.phase.clone()).unwrap_or_default(),
        volume: claim
            .spec
            .as_ref()
            .and_then(|spec| spec.volume_name.clone())
            .unwrap_or_default(),
        is_terminating: claim.metadata.deletion_timestamp.is_some(),
    }
}

fn volume(volume: &PersistentVolume) -> Volume {
    let spec = volume.spec.clone().unwrap_or_default();
    let path = spec.nfs.map(|nfs| nfs.path).unwrap_or_default();
    let status = volume.status.as_ref();
    Volume {
        name: volume.name_any(),
        claim: spec.claim_ref.and_then(|claim| claim.uid).unwrap_or_default(),
        path: path.strip_prefix(&format!("{EXPORT}/")).unwrap_or(&path).to_owned(),
        phase: status.and_then(|status| status.phase.clone()).unwrap_or_default(),
        policy: spec.persistent_volume_reclaim_policy.unwrap_or_default(),
        finalizers: volume.finalizers().to_vec(),
        is_terminating: volume.metadata.deletion_timestamp.is_some(),
    }
}
