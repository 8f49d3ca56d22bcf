//! What holds whatever the way to an export: the same tables for each that needs no server.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};

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
    let export = mounted_export(root.path());
    found.ways.push(("mounted".to_owned(), root, export));
    for command in shells() {
        let name = command.join(" ");
        let mut tools = "/usr/bin:/bin".to_owned();
        if name.contains("busybox") {
            let own_tools = tempfile::tempdir().unwrap();
            let mut install = Command::new(&command[0]);
            install.args(["--install", "-s"]).arg(own_tools.path());
            assert!(install.status().unwrap().success());
            tools = own_tools.path().display().to_string();
            found._other.push(own_tools);
        }
        let (root, links) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        // The path may lead through a link, whose target may begin with two slashes.
        let link = links.path().join("export");
        symlink(format!("/{}", root.path().display()), &link).unwrap();
        found._other.push(links);
        let ssh = Ssh::with_local_shell(location(link.to_str().unwrap()), Shell { command, tools });
        found.ways.push((name, root, Export::Ssh(ssh)));
    }
    found
}

/// The shells of this machine that run the scripts.
fn shells() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (name, arguments) in [
        ("dash", &[][..]),
        // As it is where it is called sh, and as it is where a login says so.
        ("bash", &["--posix"][..]),
        ("bash", &[]),
        ("busybox", &["sh"]),
    ] {
        let paths = ["/usr/bin", "/bin"].map(|directory| Path::new(directory).join(name));
        match paths.iter().find(|path| path.exists()) {
            Some(program) => {
                let arguments = arguments.iter().map(|word| (*word).to_owned());
                found.push(
                    std::iter::once(program.display().to_string())
                        .chain(arguments)
                        .collect(),
                );
            }
            None => nfsprov_lab::namespace::skip(&format!("there is no {name} to run the scripts with")).unwrap(),
        }
    }
    found
}

/// The shell that every machine has.
fn plain_shell() -> Shell {
    Shell {
        command: vec!["sh".to_owned()],
        tools: "/usr/bin:/bin".to_owned(),
    }
}

/// The export `nfs:/nfsdata`, which is this directory.
pub(super) fn mounted_export(root: &Path) -> Export {
    Export::Mounted(Mounted::new(location("/nfsdata"), root))
}

/// This directory as an export, mounted and over SSH.
fn ways_to(root: &str) -> [Export; 2] {
    let ssh = Ssh::with_local_shell(location(root), plain_shell());
    [
        Export::Mounted(Mounted::new(location(root), Path::new(root))),
        Export::Ssh(ssh),
    ]
}

async fn create(export: &Export, at: &str, mode: u32) -> Result<(), ExportError> {
    export.create_directory(&path(at), Attributes::with_mode(mode)).await
}

async fn remove(export: &Export, at: &str) -> Result<Removed, ExportError> {
    export.remove_directory(&path(at), &never_interrupt()).await
}

async fn rename(export: &Export, from: &str, to: &str) -> Result<Removed, ExportError> {
    export.rename_directory(&path(from), &path(to)).await
}

pub(super) fn location(path: &str) -> Location {
    Location {
        server: "nfs".into(),
        path: path.into(),
    }
}

pub(super) fn path(text: &str) -> VolumePath {
    VolumePath::parse(text).unwrap()
}

/// The names in a directory of this machine, sorted.
fn names_below(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
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
        create(export, "a/b", 0o777).await.unwrap();
        assert_eq!(mode(&root.path().join("a")), PARENT_MODE, "{way}");
        // An interrupted attempt has created it without setting its mode; a parent may have another owner.
        for (directory, early) in [("a", 0o750), ("a/b", 0o700)] {
            fs::set_permissions(root.path().join(directory), fs::Permissions::from_mode(early)).unwrap();
        }
        create(export, "a/b", 0o777).await.unwrap();
        assert_eq!(mode(&root.path().join("a/b")), 0o777, "{way}");
        assert_eq!(mode(&root.path().join("a")), 0o750, "{way}");
        // What a directory passes on to those in it is not asked for here.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o2755)).unwrap();
        create(export, "c", 0o750).await.unwrap();
        assert_eq!(mode(&root.path().join("c")), 0o750, "{way}");
        create(export, "d", 0o3770).await.unwrap();
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
        for (at, refused) in [
            ("link", create(export, "link", 0o777).await),
            ("link", create(export, "link/new", 0o777).await),
            ("v/link", create(export, "v/link/new/er", 0o777).await),
            ("link", create(export, "link", 0o3700).await),
            ("link", remove(export, "link").await.map(drop)),
            ("link", remove(export, "link/full").await.map(drop)),
            ("link", rename(export, "link", "archived").await.map(drop)),
            ("v/link", rename(export, "v/link/full", "archived").await.map(drop)),
            ("link", rename(export, "v", "link/v").await.map(drop)),
            ("link", export.list_directory(Some(&path("link"))).await.map(drop)),
            ("link", export.path_exists(&path("link/precious")).await.map(drop)),
            ("link", export.create_link(&path("link/new"), "x").await.map(drop)),
            ("link", export.remove_link_or_file(&path("link/precious")).await),
            (
                "link",
                export.remove_empty_directory(&path("link/full")).await.map(drop),
            ),
        ] {
            let error = refused.unwrap_err();
            let ExportError::NotADirectory { path, what } = &error else {
                panic!("{way}: {error}");
            };
            assert_eq!((path.as_str(), *what), (at, "a symbolic link"), "{way}");
        }
        assert_eq!(names_below(outside.path()), ["full", "precious"], "{way}");
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
            create(export, "v/file/deep/er", 0o777).await,
            remove(export, "v/file").await.map(drop),
            export.list_directory(Some(&path("v/file/deep"))).await.map(drop),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.starts_with("v/file on the export is a file"), "{way}: {error}");
        }
    }
}

/// How long the race below may take; it takes seconds on an idle machine.
const RACE_WITHIN: Duration = Duration::from_secs(120);

/// Another process replaces a directory by a link, repeatedly.
#[test]
fn a_link_that_comes_and_goes_leads_nowhere() {
    let (sender, ended) = mpsc::channel();
    let race = std::thread::spawn(move || {
        race_against_a_link();
        sender.send(())
    });
    match ended.recv_timeout(RACE_WITHIN) {
        // What hangs may be a system call, so the thread is not ended.
        Err(RecvTimeoutError::Timeout) => panic!("no end after {RACE_WITHIN:?}"),
        _ => race.join().unwrap().unwrap(),
    }
}

fn race_against_a_link() {
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
                        create(export, "real/new", 0o1777).await,
                        remove(export, "real/new").await.map(drop),
                        remove(export, "real/v").await.map(drop),
                        export.remove_link_or_file(&path("real/precious")).await,
                        rename(export, "real/v", "real/w").await.map(drop),
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
        assert_eq!(names_below(outside.path()), ["precious", "v"], "{way}");
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
    for export in ways_to("/sys") {
        let error = create(&export, "volume", 0o777).await.unwrap_err().to_string();
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
    for export in ways_to("/no/such/export") {
        let error = export.probe_root().await.unwrap_err().to_string();
        assert!(error.contains("/no/such/export"), "{error}");
    }
}
