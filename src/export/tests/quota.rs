//! The scripts that limit a directory, with every shell, on doubles of the tools that need a file system with quotas.

use super::*;
use crate::export::quota::facts::parse_facts;
use crate::export::quota::plan_limit;
use crate::export::ssh::quota::apply_script;

/// Doubles that keep the project id and the limit in files of `$state`, and log how they are called.
const TOOLS: [(&str, &str); 10] = [
    ("id", "echo \"${DOUBLE_UID:-0}\""),
    (
        "findmnt",
        "case \"$*\" in
*FSTYPE,*) echo \"FSTYPE=\\\"$(cat \"$state/type\")\\\" TARGET=\\\"/\\\" SOURCE=\\\"/dev/a b\\\" OPTIONS=\\\"rw,prjquota\\\"\" ;;
*FSTYPE*) cat \"$state/type\" ;;
*) echo '/dev/a b' ;;
esac",
    ),
    (
        "lsattr",
        // What chattr was not called with has none.
        "shift
for entry do
    id=0 flags=----
    if [ -e \"$(kept \"$entry\")\" ]; then id=$(cat \"$(kept \"$entry\")\") flags=---P--; fi
    echo \"$id $flags $entry\"
done",
    ),
    (
        "chattr",
        "[ \"$1\" != +P ] || shift
id=$2
shift 2
for entry do
    case $entry in *stubborn*) continue ;; esac
    mkdir -p \"$(dirname \"$(kept \"$entry\")\")\" && echo \"$id\" >\"$(kept \"$entry\")\"
done
grep -qs \"^#$id \" \"$state/report\" || echo \"#$id 12 0 0 00 [--------] 3 0 0 00 [--------]\" >>\"$state/report\"",
    ),
    (
        "xfs_io",
        "for act do
    case $act in
    'open -L'*) entry=${act##* } && [ ! -L \"$entry\" ] || exit 1 ;;
    open*) entry=${act##* } ;;
    chproj*) mkdir -p \"$(dirname \"$(kept \"$entry\")\")\" && echo \"${act#* }\" >\"$(kept \"$entry\")\" ;;
    esac
done",
    ),
    (
        "xfs_quota",
        "for act do
    case $act in
    limit*)
        id=${act##* } kib=${act#*bhard=}
        { grep -v \"^#$id \" \"$state/report\"; echo \"#$id 0 0 ${kib%%k*} 00 [--------] 1 0 0 00 [--------]\"; } \
            >\"$state/new\" 2>/dev/null
        mv \"$state/new\" \"$state/report\"
        ;;
    report*) [ ! -e \"$state/report\" ] || cat \"$state/report\" ;;
    esac
done",
    ),
    (
        "stat",
        // A directory with a project id has its limit for a size, if limits are enforced.
        "[ \"$1\" = -f ] || exec stat \"$@\"
format=$3
shift 3
for entry do
    blocks='1000000 4096' name=
    if [ -e \"$state/enforced\" ] && [ -e \"$(kept \"$entry\")\" ]; then
        blocks=$(sed -n \"s/^#$(cat \"$(kept \"$entry\")\") [0-9]* [0-9]* \\([0-9]*\\) .*/\\1 1024/p\" \"$state/report\")
    fi
    case $format in *%n) name=\" $entry\" ;; esac
    echo \"${format%%%*}$blocks$name\"
done",
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
            write_tool(state.path(), name, act);
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

    /// Replaces a tool by a script, whose `$state` is a directory of its own.
    pub(crate) fn replace_tool(&self, name: &str, act: &str) {
        write_tool(self.state.path(), name, act);
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

/// Writes the double of a tool, which calls the system's own tools.
fn write_tool(state: &Path, name: &str, act: &str) {
    let text = format!(
        "#!/bin/sh\nstate='{}'\nPATH=/usr/bin:/bin\nprintf '%s\\n' \"{name} $*\" >>\"$state/log\"\n\
         kept() {{ echo \"$state/ids$(realpath \"$1\")/id\"; }}\n{act}\n",
        state.display()
    );
    let tool = state.join("bin").join(name);
    fs::write(&tool, text).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn only_limits_that_no_file_has_are_cleared() {
    let (unused, full, used, unknown) = ((1 << 30) + 1, (1 << 30) + 2, (1 << 30) + 3, (1 << 30) + 4);
    for command in shells() {
        let name = command.join(" ");
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
    for command in shells() {
        let name = command.join(" ");
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
        let set_id = format!("xfs_io -r -c open -L ./-P -c chproj {id} -c chattr +P -c close");
        assert_eq!(of("xfs_io"), [set_id.as_str(); 2], "{name}");
        let position = |part: &str| log.lines().position(|line| line.contains(part));
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

#[tokio::test]
async fn directories_are_limited_together_and_each_fails_for_itself() {
    let uid = |number: usize| format!("{number:04x}0b51-0b51-4b51-8b51-0b510b510b51");
    for command in shells() {
        let name = command.join(" ");
        let limited = LimitedExport::new(command);
        limited.enforce(true);
        let LimitedExport { export, root, state } = &limited;
        let mut names: Vec<String> = (0..9).map(|number| format!("default-data_{number}.x")).collect();
        names.extend(["$(id) it's * 0", "-L"].map(str::to_owned));
        for name in &names {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        names.extend(["missing", "file", "link", "used", "used-2"].map(str::to_owned));
        fs::create_dir_all(root.path().join("used-2/file")).unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        symlink("/", root.path().join("link")).unwrap();
        fs::create_dir_all(root.path().join("used/.hidden")).unwrap();
        let limit = |(number, name): (usize, &String)| {
            let limit = SizeLimit::new((number as u64 + 1) << 20, &uid(number)).unwrap();
            let path = path(name);
            async move { export.limit_size(&path, &limit, LimitChange::New).await }
        };
        let results = futures::future::join_all(names.iter().enumerate().map(limit)).await;
        for (number, (directory, result)) in names.iter().zip(results).enumerate() {
            let expected = match directory.as_str() {
                "missing" => "No such file",
                "file" => "is a file, not a directory",
                "link" => "is a symbolic link",
                "used" | "used-2" => "it has files already",
                _ => {
                    result.unwrap();
                    let kept = state.path().join("ids").join(root.path().strip_prefix("/").unwrap());
                    let kept = fs::read_to_string(kept.join(directory).join("id")).unwrap();
                    let id = SizeLimit::new(1, &uid(number)).unwrap().project_ids()[0];
                    assert_eq!(kept.trim(), id.to_string(), "{name}: {directory}");
                    continue;
                }
            };
            let error = result.unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {directory}: {error}");
        }
        let log = limited.take_log();
        let calls = |tool: &str| log.lines().filter(|line| line.starts_with(tool)).count();
        // Two reports, one call that sets all limits, and one for the project ids of all names without odd characters.
        assert_eq!(
            (calls("xfs_quota"), calls("stat"), calls("xfs_io")),
            (3, 3, 2),
            "{name}: {log}"
        );
        assert!(!state.path().join("ids/id").exists(), "{name}: a link was followed");
    }
}

#[tokio::test]
async fn a_directory_that_is_replaced_by_a_link_after_it_was_inspected_is_not_changed() {
    let limit = SizeLimit::new(10 << 20, "0b510b51-0b51-4b51-8b51-0b510b510b51").unwrap();
    for command in shells() {
        let name = command.join(" ");
        // Tools open the first by its name; the shell opens the second for them.
        for directory in ["a", "a b"] {
            let facts = format!(
                "uid 0\nroot-project 0 ---- .\ninode 12 41ed 7 ./{directory}\n0 ---- ./{directory}\ntype xfs\n\
                 device /dev/vdb\noptions prjquota\ntotal 262144 4096"
            );
            let plan = plan_limit(&parse_facts(&facts, directory), &limit, LimitChange::New).unwrap();
            let limited = LimitedExport::new(command.clone());
            let LimitedExport { export, root, state } = &limited;
            let Export::Ssh(ssh) = export else { unreachable!() };
            fs::create_dir(root.path().join("other")).unwrap();
            let path = root.path().join(directory);
            fs::create_dir(&path).unwrap();
            for target in [None, Some("other"), Some("/"), Some("missing")] {
                if let Some(target) = target {
                    fs::rename(&path, root.path().join(format!("old-{}", target.len()))).unwrap();
                    symlink(target, &path).unwrap();
                }
                let script = apply_script(ssh.root_path(), &[], &[(directory, &plan)]);
                let output = ssh.run_script(&script).await.unwrap();
                let expected = u8::from(target.is_some());
                assert_eq!(output.status, expected, "{name}: {directory} {target:?}: {output:?}");
                let ids = state.path().join("ids");
                let below = ids.join(root.path().strip_prefix("/").unwrap());
                let changed = [
                    &ids,
                    &below.join("other"),
                    &below.join("missing"),
                    &below.join(directory),
                ];
                let changed = changed.map(|directory| directory.join("id").exists());
                assert_eq!(changed, [false, false, false, true], "{name}: {directory} {target:?}");
            }
        }
    }
}

#[tokio::test]
async fn over_nfs_limits_are_set_over_ssh_on_the_directory_that_clients_see() {
    let limit = SizeLimit::new(10 << 20, "0b510b51-0b51-4b51-8b51-0b510b510b51").unwrap();
    let limited = LimitedExport::new(vec!["/bin/sh".to_owned()]);
    limited.enforce(true);
    let Export::Ssh(shell) = &limited.export else {
        unreachable!()
    };
    fs::create_dir(limited.root.path().join("a")).unwrap();
    let inode = fs::metadata(limited.root.path().join("a")).unwrap().ino();
    for (nfs_inode, expected) in [(inode, None), (inode + 1, Some("is not the NFS server"))] {
        let handle: &str = Box::leak(nfs_inode.to_string().into_boxed_str());
        let (connection, _) = double::Double::new(move |_, _, _| double::Answer::Object(handle, 2, 0o777)).connection();
        let wire = Wire::with_connections(vec![connection], location("/nfsdata"));
        assert!(Export::Wire(wire.clone()).check_can_limit().is_err());
        let export = Export::Wire(wire.with_quota_shell(Some(shell.clone())));
        assert_eq!(export.check_can_limit(), Ok(()));
        limited.take_log();
        let found = export.limit_size(&path("a"), &limit, LimitChange::New).await;
        assert_eq!(limited.take_log().contains("limit -p bhard=10240k"), expected.is_none());
        match expected {
            None => assert!(found.is_ok(), "{found:?}"),
            Some(part) => assert!(found.is_err_and(|why| why.to_string().contains(part))),
        }
    }
}

#[tokio::test]
async fn a_directory_with_files_is_limited_once_all_of_them_have_its_project_id() {
    let limit = |bytes: u64| SizeLimit::new(bytes, "0b510b51-0b51-4b51-8b51-0b510b510b51").unwrap();
    let id = limit(1).project_ids()[0].to_string();
    for command in shells() {
        let name = command.join(" ");
        let limited = LimitedExport::new(command);
        limited.enforce(true);
        let LimitedExport { export, root, state } = &limited;
        let odd = path("it's $(id) '*'/-P");
        let directory = root.path().join(odd.to_string());
        fs::create_dir_all(directory.join("sub/dir")).unwrap();
        for file in ["-P", "line\nbreak", "sub/dir/file"] {
            fs::write(directory.join(file), "data").unwrap();
        }
        symlink("/", directory.join("sub/link")).unwrap();
        symlink("nowhere", directory.join("dangling")).unwrap();

        // Too much is there, and nothing is changed.
        let refused = export.limit_existing(&odd, &limit(4096)).await.unwrap_err();
        assert!(refused.to_string().contains("more than its limit"), "{name}: {refused}");
        let log = limited.take_log();
        assert!(!log.contains("chattr") && !log.contains(" limit "), "{name}: {log}");

        let measured = export.measure_existing(&odd, &limit(10 << 20)).await.unwrap();
        assert_eq!(measured.without_project, 2, "{name}");
        assert!(!limited.take_log().contains("chattr"), "{name}");

        let refused = {
            fs::write(directory.join("stubborn"), "").unwrap();
            export.limit_existing(&odd, &limit(10 << 20)).await.unwrap_err()
        };
        // The file and the line that a name's break makes.
        assert!(refused.to_string().contains("2 of its files"), "{name}: {refused}");
        assert!(!limited.take_log().contains(" limit "), "{name}");
        fs::remove_file(directory.join("stubborn")).unwrap();
        fs::remove_file(directory.join("line\nbreak")).unwrap();

        // An attempt may have ended anywhere.
        for _ in 0..2 {
            let found = export.limit_existing(&odd, &limit(10 << 20)).await.unwrap();
            assert_eq!(found.without_project, 2, "{name}");
        }
        let ids = state.path().join("ids");
        for entry in ["", "-P", "sub", "sub/dir", "sub/dir/file"] {
            let kept = ids.join(directory.join(entry).strip_prefix("/").unwrap()).join("id");
            assert_eq!(
                fs::read_to_string(&kept).unwrap_or_default().trim(),
                id,
                "{name}: {entry}"
            );
        }
        assert!(!ids.join("id").exists(), "{name}: a link was followed");
        let log = limited.take_log();
        let position = |part: &str| log.lines().position(|line| line.contains(part));
        assert!(
            position(&format!("chattr -p {id} ")) < position(" limit "),
            "{name}: {log}"
        );
        assert!(position(" limit ").is_some(), "{name}: {log}");
    }
}

/// This machine's own file system under the tests has no project quotas, or they don't belong to the test.
#[tokio::test]
async fn what_this_machine_cannot_limit_is_refused_and_left_as_it_is() {
    let limit = SizeLimit::new(10 << 20, "0b510b51-0b51-4b51-8b51-0b510b510b51").unwrap();
    let root = tempfile::Builder::new().tempdir_in("/dev/shm").unwrap();
    let export = &mounted_export(root.path());
    create(export, "a", 0o777).await.unwrap();
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
