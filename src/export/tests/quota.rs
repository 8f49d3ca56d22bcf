//! The scripts that limit a directory, with every shell, on doubles of the tools that need a file system with quotas.

use super::*;

/// Doubles that keep the project id and the limit in files of `$state`, and log how they are called.
const TOOLS: [(&str, &str); 9] = [
    ("id", "echo \"${DOUBLE_UID:-0}\""),
    (
        "findmnt",
        "case \"$*\" in *FSTYPE*) cat \"$state/type\" ;; *SOURCE*) echo '/dev/a b' ;; *TARGET*) echo / ;; *) echo rw,prjquota ;; esac",
    ),
    (
        "lsattr",
        // Directories that chattr was not called in have none.
        "if [ -e \"$state/ids$(env pwd -P)/id\" ]; then echo \"$(cat \"$state/ids$(env pwd -P)/id\") ---P-- .\"; else echo '0 ---- .'; fi",
    ),
    ("chattr", "mkdir -p \"$state/ids$(env pwd -P)\" && echo \"$3\" >\"$state/ids$(env pwd -P)/id\""),
    (
        "xfs_quota",
        "case $3 in
limit*) echo \"$3\" | sed 's/.*bhard=\\([0-9]*\\)k \\([0-9]*\\)/#\\2 0 0 \\1 00 [--------] 1 0 0 00 [--------]/' >\"$state/report\" ;;
*) [ ! -e \"$state/report\" ] || cat \"$state/report\" ;;
esac",
    ),
    (
        "stat",
        "if [ \"$4\" = . ] && [ -e \"$state/enforced\" ]; then set -- $(cat \"$state/report\"); echo \"$4 1024\"; else echo '1000000 4096'; fi",
    ),
    ("repquota", "cat \"$state/report\""),
    ("setquota", ":"),
    ("exportfs", ":"),
];

/// An export whose server limits directories by doubles of the tools.
pub(crate) struct LimitedExport {
    pub(crate) export: Export,
    root: tempfile::TempDir,
    state: tempfile::TempDir,
}

impl LimitedExport {
    /// With the shell `command`. The server takes limits and does not enforce them before [`LimitedExport::enforce`].
    pub(crate) fn new(command: Vec<String>) -> Self {
        let state = tempfile::tempdir().unwrap();
        let bin = state.path().join("bin");
        fs::create_dir(&bin).unwrap();
        for (name, act) in TOOLS {
            // With the system's own tools.
            let text = format!(
                "#!/bin/sh\nstate='{}'\nPATH=/usr/bin:/bin\nprintf '%s\\n' \"{name} $*\" >>\"$state/log\"\n{act}\n",
                state.path().display()
            );
            fs::write(bin.join(name), text).unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(state.path().join("type"), "xfs\n").unwrap();
        let root = tempfile::tempdir().unwrap();
        let tools = format!("{}:/usr/bin:/bin", bin.display());
        let ssh = Ssh::with_local_shell(location(root.path().to_str().unwrap()), Shell { command, tools });
        Self {
            export: Export::Ssh(ssh),
            root,
            state,
        }
    }

    pub(crate) fn enforce(&self, enforced: bool) {
        let file = self.state.path().join("enforced");
        match enforced {
            true => fs::write(file, "").unwrap(),
            false => fs::remove_file(file).unwrap(),
        }
    }

    /// Adds a line to what the server reports of its projects.
    pub(crate) fn add_to_report(&self, line: &str) {
        let file = self.state.path().join("report");
        let report = fs::read_to_string(&file).unwrap_or_default();
        fs::write(file, format!("{report}{line}\n")).unwrap();
    }

    /// How the tools were called since the last time.
    pub(crate) fn take_log(&self) -> String {
        let file = self.state.path().join("log");
        let log = fs::read_to_string(&file).unwrap_or_default();
        _ = fs::remove_file(file);
        log
    }
}

/// The shells of this machine that run the scripts.
fn shells() -> Vec<(&'static str, Vec<String>)> {
    let mut found = Vec::new();
    for (name, arguments) in [("dash", &[][..]), ("bash", &["--posix"][..]), ("busybox", &["sh"])] {
        let paths = ["/usr/bin", "/bin"].map(|directory| Path::new(directory).join(name));
        match paths.iter().find(|path| path.exists()) {
            Some(program) => {
                let mut command = vec![program.display().to_string()];
                command.extend(arguments.iter().map(|word| (*word).to_owned()));
                found.push((name, command));
            }
            None => nfsprov_lab::namespace::skip(&format!("there is no {name} to run the scripts with")).unwrap(),
        }
    }
    found
}

#[tokio::test]
async fn only_limits_that_no_file_has_are_cleared() {
    let (unused, full, used, unknown) = ((1 << 30) + 1, (1 << 30) + 2, (1 << 30) + 3, (1 << 30) + 4);
    for (name, command) in shells() {
        for file_system in ["xfs", "ext4"] {
            let limited = LimitedExport::new(command.clone());
            fs::write(limited.state.path().join("type"), format!("{file_system}\n")).unwrap();
            for (id, blocks, inodes) in [(unused, 0, 0), (full, 4, 0), (used, 0, 1)] {
                limited.add_to_report(&match file_system {
                    "xfs" => format!("#{id}   {blocks}   0   40   00 [--------]   {inodes}  0  0  00 [--------]"),
                    _ => format!("#{id},ok,ok,{blocks},0,40,,{inodes},0,0,"),
                });
            }
            let cleared = limited
                .export
                .clear_unused_limits(&[unused, full, used, unknown])
                .await
                .unwrap();
            assert_eq!(cleared, [unused], "{name} on {file_system}");
            let log = limited.take_log();
            let limits: Vec<&str> = log
                .lines()
                .filter(|line| line.contains(" limit ") || line.starts_with("setquota"))
                .collect();
            let expected = match file_system {
                "xfs" => format!("xfs_quota -x -c limit -p bhard=0k {unused} /dev/a b"),
                _ => format!("setquota -P {unused} 0 0 0 0 /dev/a b"),
            };
            assert_eq!(limits, [expected], "{name}");
        }
    }
}

#[tokio::test]
async fn a_directory_is_limited_before_it_has_its_project_id_and_only_then_proved() {
    let uid = "0b510b51-0b51-4b51-8b51-0b510b510b51";
    let limit = SizeLimit::new(10 << 20, uid).unwrap();
    let id = limit.project_ids()[0];
    for (name, command) in shells() {
        let limited = LimitedExport::new(command);
        let LimitedExport { export, root, state } = &limited;
        let odd = path("it's $(id) '*'/-P");

        let missing = export.limit_size(&odd, &limit, LimitChange::New).await.unwrap_err();
        assert!(missing.to_string().contains("No such file"), "{name}: {missing}");
        export
            .create_directory(&odd, Attributes::with_mode(0o777))
            .await
            .unwrap();

        // The server takes the limit and doesn't enforce it.
        let refused = export.limit_size(&odd, &limit, LimitChange::New).await.unwrap_err();
        assert!(refused.to_string().contains("does not enforce it"), "{name}: {refused}");

        limited.enforce(true);
        limited.take_log();
        // May be repeated.
        for _ in 0..2 {
            export.limit_size(&odd, &limit, LimitChange::New).await.unwrap();
        }
        let log = limited.take_log();
        let of = |tool: &str| -> Vec<&str> { log.lines().filter(|line| line.starts_with(tool)).collect() };
        let limited = format!("xfs_quota -x -c limit -p bhard=10240k {id} /dev/a b");
        let report = "xfs_quota -x -c report -p -n -N -b -i /dev/a b";
        assert_eq!(
            of("xfs_quota"),
            [report, &limited, report, report, &limited, report],
            "{name}"
        );
        let set_id = format!("chattr +P -p {id} .");
        assert_eq!(of("chattr"), [set_id.as_str(); 2], "{name}");
        let position = |line: &str| log.lines().position(|other| other == line);
        assert!(position(&limited) < position(&set_id), "{name}: {log}");
        assert!(log.lines().all(|line| !line.contains("it's")), "{name}: {log}");

        // A directory that was limited grows, and one that was not doesn't.
        let larger = SizeLimit::new(20 << 20, uid).unwrap();
        export.limit_size(&odd, &larger, LimitChange::Resize).await.unwrap();
        let parent = path("it's $(id) '*'");
        let refused = export
            .limit_size(&parent, &larger, LimitChange::Resize)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("has no project id"), "{name}: {refused}");

        // A planted link leads nowhere.
        symlink("/", root.path().join("link")).unwrap();
        let refused = export
            .limit_size(&path("link/tmp"), &limit, LimitChange::New)
            .await
            .unwrap_err();
        assert!(
            matches!(refused, ExportError::NotADirectory { .. }),
            "{name}: {refused}"
        );

        fs::write(state.path().join("type"), "btrfs\n").unwrap();
        let refused = export.limit_size(&odd, &limit, LimitChange::New).await.unwrap_err();
        assert!(refused.to_string().contains("subvolumes"), "{name}: {refused}");
    }
}

/// This machine's own file system under the tests has no project quotas, or they don't belong to the test.
#[tokio::test]
async fn what_this_machine_cannot_limit_is_refused_and_left_as_it_is() {
    let limit = SizeLimit::new(10 << 20, "0b510b51-0b51-4b51-8b51-0b510b510b51").unwrap();
    let root = tempfile::Builder::new().tempdir_in("/dev/shm").unwrap();
    let export = Export::Mounted(Mounted::new(location("/nfsdata"), root.path()));
    export
        .create_directory(&path("a"), Attributes::with_mode(0o777))
        .await
        .unwrap();
    let refused = export
        .limit_size(&path("a"), &limit, LimitChange::New)
        .await
        .unwrap_err();
    let expected = match fs::metadata("/proc/self").unwrap().uid() {
        0 => "the export is on tmpfs: only XFS and ext4 have project quotas",
        _ => "only root sets limits",
    };
    assert!(refused.to_string().contains(expected), "{refused}");
}
