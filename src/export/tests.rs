//! What holds whatever the way to an export: the same tables for each that needs no server.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::host::Output;

mod links;
pub(crate) mod quota;
mod records;
mod removal;

/// A shell of this machine, and the directories of its tools.
#[derive(Debug)]
pub(super) struct Shell {
    command: Vec<String>,
    tools: String,
}

impl Shell {
    pub(super) fn run(&self, script: &str) -> Output {
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .arg("-s")
            .env_clear()
            .env("PATH", &self.tools);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let text = format!("{{\nLC_ALL=C\nexport LC_ALL\n(\n{script}\n) </dev/null\nexit\n}}\n");
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Output {
            status: u8::try_from(output.status.code().unwrap()).unwrap(),
            stdout: output.stdout,
            stderr: output.stderr,
        }
    }
}

/// An export of its own for each way to it: its name, its root, and itself.
struct Ways {
    ways: Vec<(String, tempfile::TempDir, Export)>,
    _other: Vec<tempfile::TempDir>,
}

fn ways() -> Ways {
    let mut found = Ways {
        ways: Vec::new(),
        _other: Vec::new(),
    };
    let root = tempfile::tempdir().unwrap();
    let mounted = Mounted::new(location("/nfsdata"), root.path());
    found.ways.push(("mounted".to_owned(), root, Export::Mounted(mounted)));
    let system = "/usr/bin:/bin".to_owned();
    for (name, arguments) in [
        ("dash", &[][..]),
        // As it is where it is called sh, and as it is where a login says so.
        ("bash", &["--posix"][..]),
        ("bash", &[]),
        ("busybox", &["sh"]),
    ] {
        let Some(program) = ["/usr/bin", "/bin"]
            .iter()
            .map(|dir| Path::new(dir).join(name))
            .find(|path| path.exists())
        else {
            nfsprov_lab::namespace::skip(&format!("there is no {name} to run the scripts with")).unwrap();
            continue;
        };
        let program = program.display().to_string();
        let tools = match name {
            "busybox" => {
                let tools = tempfile::tempdir().unwrap();
                let installed = Command::new(&program)
                    .args(["--install", "-s"])
                    .arg(tools.path())
                    .status()
                    .unwrap();
                assert!(installed.success());
                let path = tools.path().display().to_string();
                found._other.push(tools);
                path
            }
            _ => system.clone(),
        };
        let mut command = vec![program];
        command.extend(arguments.iter().map(|word| (*word).to_owned()));
        let (root, links) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // The path may lead through a link, whose target may begin with two slashes.
        let link = links.path().join("export");
        symlink(format!("/{}", root.path().display()), &link).unwrap();
        found._other.push(links);
        let ssh = Ssh::with_local_shell(location(link.to_str().unwrap()), Shell { command, tools });
        found
            .ways
            .push((format!("{name} {arguments:?}"), root, Export::Ssh(ssh)));
    }
    found
}

fn location(path: &str) -> Location {
    Location {
        server: "nfs".into(),
        path: path.into(),
    }
}

fn path(text: &str) -> VolumePath {
    VolumePath::parse(text).unwrap()
}

/// The names in a directory, if it is there.
async fn names(export: &Export, directory: &str) -> Option<Vec<String>> {
    let entries = export.list_directory(Some(&path(directory))).await.unwrap()?;
    Some(entries.into_iter().map(|entry| entry.name).collect())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Names that a careless script would read as something else.
const ODD: [&str; 8] = [
    "-rf $HOME `id` $(id)",
    "--help",
    "it's '' \" \\",
    "*",
    "~",
    "#x !x",
    "ÁÂÃÄÅÆÇÈ默认",
    "...",
];

#[tokio::test]
async fn a_directory_is_made_with_its_mode_whatever_the_umask() {
    for (way, root, export) in &ways().ways {
        export
            .create_directory(&path("a/b"), Attributes::with_mode(0o777))
            .await
            .unwrap();
        assert_eq!(mode(&root.path().join("a")), PARENT_MODE, "{way}");
        // An interrupted attempt has created it without setting its mode; a parent may have another owner.
        for (directory, early) in [("a", 0o750), ("a/b", 0o700)] {
            fs::set_permissions(root.path().join(directory), fs::Permissions::from_mode(early)).unwrap();
        }
        export
            .create_directory(&path("a/b"), Attributes::with_mode(0o777))
            .await
            .unwrap();
        assert_eq!(mode(&root.path().join("a/b")), 0o777, "{way}");
        assert_eq!(mode(&root.path().join("a")), 0o750, "{way}");
        // What a directory passes on to those in it is not asked for here.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o2755)).unwrap();
        export
            .create_directory(&path("c"), Attributes::with_mode(0o750))
            .await
            .unwrap();
        assert_eq!(mode(&root.path().join("c")), 0o750, "{way}");
        export
            .create_directory(&path("d"), Attributes::with_mode(0o3770))
            .await
            .unwrap();
        assert_eq!(mode(&root.path().join("d")), 0o3770, "{way}");
    }
}

#[tokio::test]
async fn a_directory_is_given_to_its_owner() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return nfsprov_lab::namespace::skip("only root gives directories away").unwrap();
    }
    for (way, root, export) in &ways().ways {
        for (name, uid, gid) in [
            ("a", Some(1234), Some(4321)),
            ("b", Some(1234), None),
            ("c", None, Some(4321)),
        ] {
            let wanted = Attributes { mode: 0o2770, uid, gid };
            export.create_directory(&path(name), wanted).await.unwrap();
            let found = fs::metadata(root.path().join(name)).unwrap();
            assert_eq!(
                (found.uid(), found.gid(), found.mode() & 0o7777),
                (uid.unwrap_or(0), gid.unwrap_or(0), 0o2770),
                "{way}"
            );
        }
    }
}

#[tokio::test]
async fn a_symbolic_link_is_neither_followed_nor_replaced() {
    for (way, root, export) in &ways().ways {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("precious"), "data").unwrap();
        fs::create_dir(outside.path().join("full")).unwrap();
        fs::create_dir(root.path().join("v")).unwrap();
        symlink(outside.path(), root.path().join("link")).unwrap();
        symlink(outside.path(), root.path().join("v/link")).unwrap();
        let plain = Attributes::with_mode(0o777);
        for (at, refused) in [
            ("link", export.create_directory(&path("link"), plain).await.map(|_| ())),
            (
                "link",
                export.create_directory(&path("link/new"), plain).await.map(|_| ()),
            ),
            (
                "v/link",
                export.create_directory(&path("v/link/new/er"), plain).await.map(|_| ()),
            ),
            (
                "link",
                export
                    .create_directory(&path("link"), Attributes::with_mode(0o3700))
                    .await
                    .map(|_| ()),
            ),
            (
                "link",
                export
                    .remove_directory(&path("link"), &never_interrupt())
                    .await
                    .map(|_| ()),
            ),
            (
                "link",
                export
                    .remove_directory(&path("link/full"), &never_interrupt())
                    .await
                    .map(|_| ()),
            ),
            (
                "link",
                export
                    .rename_directory(&path("link"), &path("archived"))
                    .await
                    .map(|_| ()),
            ),
            (
                "v/link",
                export
                    .rename_directory(&path("v/link/full"), &path("archived"))
                    .await
                    .map(|_| ()),
            ),
            (
                "link",
                export.rename_directory(&path("v"), &path("link/v")).await.map(|_| ()),
            ),
            ("link", export.list_directory(Some(&path("link"))).await.map(|_| ())),
            ("link", export.path_exists(&path("link/precious")).await.map(|_| ())),
            ("link", export.create_link(&path("link/new"), "x").await.map(|_| ())),
            ("link", export.remove_link_or_file(&path("link/precious")).await),
            (
                "link",
                export.remove_empty_directory(&path("link/full")).await.map(|_| ()),
            ),
        ] {
            let error = refused.unwrap_err();
            let ExportError::NotADirectory { path, what } = &error else {
                panic!("{way}: {error}");
            };
            assert_eq!((path.as_str(), *what), (at, "a symbolic link"), "{way}");
        }
        let mut left: Vec<_> = fs::read_dir(outside.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["full", "precious"], "{way}");
        assert!(
            root.path().join("link").is_symlink() && root.path().join("v/link").is_symlink(),
            "{way}"
        );
    }
}

#[tokio::test]
async fn a_file_in_the_way_is_named() {
    for (way, root, export) in &ways().ways {
        fs::create_dir(root.path().join("v")).unwrap();
        fs::write(root.path().join("v/file"), "").unwrap();
        for refused in [
            export
                .create_directory(&path("v/file/deep/er"), Attributes::with_mode(0o777))
                .await
                .map(|_| ()),
            export
                .remove_directory(&path("v/file"), &never_interrupt())
                .await
                .map(|_| ()),
            export.list_directory(Some(&path("v/file/deep"))).await.map(|_| ()),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.starts_with("v/file on the export is a file"), "{way}: {error}");
        }
    }
}

/// Another process replaces a directory by a link, repeatedly.
#[test]
fn a_link_that_comes_and_goes_leads_nowhere() {
    /// Ends the swapping whatever happens.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for (way, root, export) in &ways().ways {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("precious"), "data").unwrap();
        fs::create_dir(outside.path().join("v")).unwrap();
        fs::create_dir(root.path().join("real")).unwrap();
        symlink(outside.path(), root.path().join("link")).unwrap();
        let over = AtomicBool::new(false);
        let before = mode(outside.path());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (real, link) = (root.path().join("real"), root.path().join("link"));
                let exchange = rustix::fs::RenameFlags::EXCHANGE;
                while !over.load(Ordering::Relaxed) {
                    rustix::fs::renameat_with(rustix::fs::CWD, &real, rustix::fs::CWD, &link, exchange).unwrap();
                }
            });
            let _over = Over(&over);
            let (mut done, mut refused) = (0, 0);
            runtime.block_on(async {
                // Until both have been seen often: the name is a directory half of the time.
                while done < 5 || refused < 5 {
                    for result in [
                        export
                            .create_directory(&path("real/new"), Attributes::with_mode(0o1777))
                            .await
                            .map(|_| ()),
                        export
                            .remove_directory(&path("real/new"), &never_interrupt())
                            .await
                            .map(|_| ()),
                        export
                            .remove_directory(&path("real/v"), &never_interrupt())
                            .await
                            .map(|_| ()),
                        export.remove_link_or_file(&path("real/precious")).await,
                        export
                            .rename_directory(&path("real/v"), &path("real/w"))
                            .await
                            .map(|_| ()),
                    ] {
                        match result {
                            Ok(()) => done += 1,
                            Err(ExportError::NotADirectory { .. } | ExportError::Failed { .. }) => refused += 1,
                            Err(error) => panic!("{way}: {error}"),
                        }
                    }
                }
            });
        });
        let mut left: Vec<_> = fs::read_dir(outside.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["precious", "v"], "{way}");
        assert_eq!(mode(outside.path()), before, "{way}");
    }
}

#[tokio::test]
async fn names_are_only_names() {
    for (way, root, export) in &ways().ways {
        for name in ODD {
            let deep = path(&format!("{name}/{name}"));
            let archive = path(&format!("archived{name}"));
            export
                .create_directory(&deep, Attributes::with_mode(0o777))
                .await
                .unwrap();
            assert!(root.path().join(name).join(name).is_dir(), "{way}: {name}");
            assert!(export.path_exists(&deep).await.unwrap(), "{way}: {name}");
            assert_eq!(names(export, name).await.unwrap(), [name], "{way}");
            assert_eq!(
                export.rename_directory(&deep, &archive).await.unwrap(),
                Removed::Done,
                "{way}: {name}"
            );
            let link = path(&format!("{name}/@{name}"));
            assert!(export.create_link(&link, name).await.unwrap(), "{way}: {name}");
            assert_eq!(export.read_link(&link).await.unwrap().as_deref(), Some(name), "{way}");
            export.remove_link_or_file(&link).await.unwrap();
            assert!(
                export.remove_empty_directory(&path(name)).await.unwrap(),
                "{way}: {name}"
            );
            assert_eq!(
                export.remove_directory(&archive, &never_interrupt()).await.unwrap(),
                Removed::Done,
                "{way}: {name}"
            );
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "{way}");
    }
}

#[tokio::test]
async fn all_entries_are_listed_whatever_they_are() {
    for (way, root, export) in &ways().ways {
        let directory = root.path().join("v");
        fs::create_dir(&directory).unwrap();
        assert!(names(export, "v").await.unwrap().is_empty(), "{way}");
        assert_eq!(names(export, "no").await, None, "{way}");
        let mut wanted = vec!["file", "dir", ".hidden", "..odd", "two\nlines", "dangling"];
        for name in ["file", ".hidden", "..odd", "two\nlines"] {
            fs::write(directory.join(name), "").unwrap();
        }
        fs::create_dir(directory.join("dir")).unwrap();
        symlink("nowhere", directory.join("dangling")).unwrap();
        let mut names = names(export, "v").await.unwrap();
        names.sort();
        wanted.sort_unstable();
        assert_eq!(names, wanted, "{way}");
        assert!(export.path_exists(&path("v/dangling")).await.unwrap(), "{way}");
        assert!(!export.path_exists(&path("v/no")).await.unwrap(), "{way}");
        assert!(!export.path_exists(&path("no/no")).await.unwrap(), "{way}");
    }
}

#[tokio::test]
async fn free_space_is_that_of_the_file_system() {
    for (way, root, export) in &ways().ways {
        let found = export.free_bytes().await.unwrap();
        let stat = rustix::fs::statvfs(root.path()).unwrap();
        // Other processes write meanwhile.
        let (now, slack) = (stat.f_bavail * stat.f_frsize, 1 << 30);
        assert!(found.abs_diff(now) < slack, "{way}: {found} and {now}");
        export.probe_root().await.unwrap();
    }
}

/// A file system that refuses new directories.
#[tokio::test]
async fn a_refusal_has_the_systems_words() {
    let root = "/sys";
    let shell = Shell {
        command: vec!["sh".to_owned()],
        tools: "/usr/bin:/bin".to_owned(),
    };
    for export in [
        Export::Mounted(Mounted::new(location(root), Path::new(root))),
        Export::Ssh(Ssh::with_local_shell(location(root), shell)),
    ] {
        let refused = export
            .create_directory(&path("volume"), Attributes::with_mode(0o777))
            .await;
        let error = refused.unwrap_err().to_string();
        assert!(
            error.starts_with("cannot make directory volume on the export: "),
            "{error}"
        );
        assert!(
            ["Operation not permitted", "Permission denied", "Read-only"]
                .iter()
                .any(|words| error.contains(words)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_missing_root_is_named() {
    let mounted = Mounted::new(location("/no/such/export"), &PathBuf::from("/no/such/export"));
    let shell = Shell {
        command: vec!["sh".to_owned()],
        tools: "/usr/bin:/bin".to_owned(),
    };
    let ssh = Ssh::with_local_shell(location("/no/such/export"), shell);
    for export in [Export::Mounted(mounted), Export::Ssh(ssh)] {
        let error = export.probe_root().await.unwrap_err().to_string();
        assert!(error.contains("/no/such/export"), "{error}");
    }
}
