//! How the server is reached, and what its errors mean, over doubles.

use std::future::pending;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use nfs_rs::Nfs3ErrorCode;
use nfs_rs::Nfs3MountErrorCode::{MNT3ERR_ACCES, MNT3ERR_NOENT};
use tokio::time::sleep;

use super::connection::{TYPE_DIRECTORY, TYPE_LINK};
use super::double::{Answer, Double, TYPE_FILE, session_lost};
use super::*;
use crate::export::{Export, MayContinue, never_interrupt};

fn location() -> Location {
    Location {
        server: "127.0.0.1".into(),
        path: "/nfsdata".into(),
    }
}

fn path(text: &str) -> VolumePath {
    VolumePath::parse(text).unwrap()
}

/// By then the path may be that of another claim's directory. It is looked up to learn whether it is gone.
#[tokio::test]
async fn a_directory_that_becomes_stale_is_not_removed_by_its_name() {
    let double = Double::new(|call, _, _| match call {
        "readdirplus" => Answer::Stale,
        _ => Answer::Object("v", TYPE_DIRECTORY, 0o777),
    });
    let (export, log) = double.export(location());
    let error = export
        .remove_directory(&path("v"), &never_interrupt())
        .await
        .unwrap_err();
    assert!(matches!(error, ExportError::Failed { .. }), "{error}");
    let log = log.lock().unwrap();
    assert_eq!(*log, ["lookup root v", "readdirplus v ", "lookup root v"]);
}

/// NFS 4 removes directories, links and files by one call.
#[tokio::test]
async fn only_a_directory_is_removed_as_an_empty_directory() {
    for (kind, is_removed, calls) in [
        (TYPE_DIRECTORY, true, &["lookup root v", "rmdir root v"][..]),
        (TYPE_LINK, false, &["lookup root v"]),
        (TYPE_FILE, false, &["lookup root v"]),
    ] {
        let double = Double::new(move |call, _, _| match call {
            "lookup" => Answer::Object("v", kind, 0o777),
            "rmdir" => Answer::Done,
            _ => panic!("{call}"),
        });
        let (export, log) = double.export(location());
        let removed = export.remove_empty_directory(&path("v")).await;
        assert_eq!(removed.is_ok(), is_removed, "{kind}: {removed:?}");
        assert_eq!(*log.lock().unwrap(), calls, "{kind}");
    }
}

/// A connection that looks the path up, and others that remove so many files of a directory that has more, and then lose
/// their session; the last one removes the directory.
fn losing_sessions(files: &'static [(&'static str, u32)], each: u64, sessions: usize) -> Vec<Connection> {
    let left = Arc::new(AtomicU64::new(files.len() as u64));
    let connection = |is_first: bool| {
        let (left, mine) = (left.clone(), AtomicU64::new(each));
        let double = Double::new(move |call, _, _| match call {
            "lookup" if is_first => Answer::Object("v", TYPE_DIRECTORY, 0o777),
            "readdirplus" => Answer::Entries(&files[..left.load(Ordering::Relaxed) as usize]),
            "remove" if mine.load(Ordering::Relaxed) == 0 => Answer::SessionLost,
            "remove" => {
                mine.fetch_sub(1, Ordering::Relaxed);
                left.fetch_sub(1, Ordering::Relaxed);
                Answer::Done
            }
            "rmdir" => Answer::Done,
            _ => panic!("{call}"),
        });
        double.connection().0
    };
    // The last is used first.
    (0..sessions).map(|number| connection(number + 1 == sessions)).collect()
}

const FILES: [(&str, u32); 6] = [("a", TYPE_FILE); 6];

/// NFSv4.1 loses its session every now and then.
#[tokio::test]
async fn a_removal_goes_on_over_new_connections_while_it_makes_progress() {
    let wire = Wire::with_connections(losing_sessions(&FILES, 2, 4), location());
    let removed = wire.remove_directory(&path("v"), &never_interrupt()).await;
    assert!(matches!(removed, Ok(Removed::Done)), "{removed:?}");

    let wire = Wire::with_connections(losing_sessions(&FILES, 0, 4), location());
    let error = wire.remove_directory(&path("v"), &never_interrupt()).await.unwrap_err();
    assert!(matches!(error, ExportError::Unreachable { .. }), "{error}");
    assert_eq!(wire.doubles().len(), 1, "without progress it is tried once more");

    let wire = Wire::with_connections(losing_sessions(&FILES, 2, 4), location());
    let asked = AtomicU64::new(0);
    let few: MayContinue = Arc::new(move || asked.fetch_add(1, Ordering::Relaxed) < 3);
    let error = wire.remove_directory(&path("v"), &few).await.unwrap_err();
    assert!(matches!(error, ExportError::Interrupted), "{error}");
}

/// Many callers share a session, so that one of them may lose several in a row.
#[tokio::test]
async fn a_call_is_tried_over_several_sessions() {
    for (lost, is_made) in [(MAX_SESSIONS - 1, true), (MAX_SESSIONS, false)] {
        let answers = (0..=lost).map(|number| match number {
            // The last is used first.
            0 => Answer::Object("v", TYPE_DIRECTORY, 0o777),
            _ => Answer::SessionLost,
        });
        let connections = answers.map(|answer| Double::new(move |_, _, _| answer).connection().0);
        let wire = Wire::with_connections(connections.collect(), location());
        let made = wire.create_directory(&path("v"), Attributes::with_mode(0o777)).await;
        assert_eq!(made.is_ok(), is_made, "{lost} sessions lost: {made:?}");
    }
}

/// Each record is tried again on the next session, not the others with it.
#[tokio::test]
async fn records_are_read_over_many_short_sessions() {
    let connection = || {
        let calls_left = AtomicU64::new(20);
        let double = Double::new(move |_, _, _| {
            match calls_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
                Ok(_) => Answer::Object("v", TYPE_DIRECTORY, 0o700),
                Err(_) => Answer::SessionLost,
            }
        });
        double.connection().0
    };
    let wire = Wire::with_connections((0..40).map(|_| connection()).collect(), location());
    let volumes: Vec<_> = (0..200).map(|number| format!("pv-{number}")).collect();
    let found = Export::Wire(wire.clone()).read_records(&volumes).await.unwrap();
    assert_eq!(found.len(), 200);
    let used = 40 - wire.doubles().len();
    assert!((10..40).contains(&used), "{used} sessions of 20 calls for 200 records");
}

#[test]
fn errors_tell_what_they_say_about_the_connection() {
    for (error, class) in [
        (session_lost(), ErrorClass::ConnectionLost),
        (
            NfsError::Rpc("session slot table closed".into()),
            ErrorClass::ConnectionLost,
        ),
        (NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_STALE), ErrorClass::ConnectionLost),
        (NfsError::Nfs3(Nfs3ErrorCode::NFS3ERR_NOSPC), ErrorClass::Answered),
        (NfsError::Mount(MNT3ERR_ACCES), ErrorClass::Answered),
        (NfsError::Unsupported("no such call".into()), ErrorClass::Answered),
        (NfsError::Xdr("short".into()), ErrorClass::Unreadable),
        (NfsError::Rpc("no program".into()), ErrorClass::NoAnswer),
        (timeout_error(), ErrorClass::NoAnswer),
    ] {
        assert_eq!(ErrorClass::classify(&error), class, "{error}");
    }
}

/// RFC 1813 allows a server to leave the handle out.
#[tokio::test]
async fn a_new_object_without_a_handle_is_looked_up() {
    let double = Double::new(|call, _, _| match call {
        "mkdir" | "symlink" => Answer::NoHandle,
        "lookup" => Answer::Object("v", TYPE_DIRECTORY, 0o777),
        _ => Answer::Done,
    });
    let (connection, log) = double.connection();
    let wire = Wire::with_connections(vec![connection], location());
    wire.create_directory(&path("v"), Attributes::with_mode(0o777))
        .await
        .unwrap();
    assert!(wire.create_link(&path("v/l"), "target").await.unwrap());
    assert_eq!(log.lock().unwrap()[..2], ["mkdir root v", "lookup root v"]);
}

#[tokio::test]
async fn a_listing_that_lost_its_place_is_begun_again() {
    for (failures, is_listed) in [(2, true), (3, false)] {
        let left = AtomicU64::new(failures);
        let double = Double::new(move |_, _, _| {
            match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
                Ok(_) => Answer::BadCookie,
                Err(_) => Answer::Entries(&FILES),
            }
        });
        let wire = Wire::with_connections(vec![double.connection().0], location());
        assert_eq!(wire.list_directory(None).await.is_ok(), is_listed, "{failures}");
    }
}

/// Each class has a connection of its own, so that one class with options that can't work disturbs no other.
#[tokio::test]
async fn mount_options_that_name_another_version_or_port_have_a_connection_of_their_own() {
    let double = || {
        Double::new(|_, _, _| Answer::Object("root", TYPE_DIRECTORY, 0o755))
            .connection()
            .0
    };
    let wire = Wire::with_connections(vec![double(), double(), double(), double()], location());
    for (options, connections_left) in [
        (&[][..], 3),
        (&["hard"], 3),
        (&["nfsvers=4.1", "hard"], 2),
        (&["nfsvers=4.1"], 2),
        (&["nfsvers=3"], 1),
        (&["nfsvers=3", "port=2050"], 0),
        // All are kept.
        (&["nfsvers=4.1"], 0),
        (&["noatime"], 0),
        (&["nfsvers=3"], 0),
    ] {
        let options: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
        wire.with_mount_options(&options).probe_root().await.unwrap();
        assert_eq!(wire.doubles().len(), connections_left, "{options:?}");
    }
}

/// As when the trash is emptied: the server may have no other port than that of the class.
#[tokio::test]
async fn without_mount_options_those_of_the_classes_are_tried_first() {
    let double = || {
        let double = Double::new(|_, _, _| Answer::Object("root", TYPE_DIRECTORY, 0o755));
        double.connection().0
    };
    let wire = Wire::with_connections(vec![double()], location());
    assert_eq!(wire.mount_candidates()[0], ("3", String::new()));
    let of_class = wire.with_mount_options(&["nfsvers=4.1".to_owned(), "port=2050".to_owned()]);
    of_class.probe_root().await.unwrap();
    let class_way = ("4.1", "&nfsport=2050".to_owned());
    let ways = wire.mount_candidates();
    assert_eq!(ways[..2], [class_way, ("3", String::new())]);
    assert_eq!(of_class.mount_candidates(), ways[..1]);
}

#[test]
fn all_addresses_are_tried_and_ipv4_first() {
    let found = ["[2001:db8::1]:0", "192.0.2.1:0", "[2001:db8::1]:0", "192.0.2.2:0"];
    let found = found.iter().map(|address| address.parse().unwrap());
    let hosts: Vec<String> = sort_by_family(found).into_iter().map(url_host).collect();
    assert_eq!(hosts, ["192.0.2.1", "192.0.2.2", "[2001:db8::1]"]);
}

#[test]
fn an_export_of_another_name_is_named() {
    for (path, exported, found) in [
        ("/data", &["/srv", "/export/data"][..], Some("/export/data")),
        ("/export/data", &["/data"], Some("/data")),
        ("/data/", &["/export/data/"], Some("/export/data/")),
        ("/data", &["/export/mydata", "/"], None),
        ("/data", &["/data"], None),
        ("/", &["/data"], None),
    ] {
        let exported: Vec<String> = exported.iter().map(|path| (*path).to_owned()).collect();
        let similar = find_similar_export(path, &exported).map(String::as_str);
        assert_eq!(similar, found, "{path}");
    }
}

/// What a candidate does when it is tried.
#[derive(Clone, Copy)]
enum Behaviour {
    Mounts(u64),
    Fails(u64),
    Refuses(u64),
    Never,
}

/// The candidate that is mounted, or the error, and the seconds until then.
async fn tried(behaviours: &[Behaviour]) -> (Result<usize, String>, u64) {
    let start = Instant::now();
    let mount = |number: usize| async move {
        let seconds = |seconds| sleep(Duration::from_secs(seconds));
        match behaviours[number] {
            Behaviour::Mounts(after) => seconds(after).await,
            Behaviour::Fails(after) => {
                seconds(after).await;
                return Err(NfsError::Rpc(format!("no {number}")));
            }
            Behaviour::Refuses(after) => {
                seconds(after).await;
                return Err(NfsError::Mount(if number == 0 { MNT3ERR_ACCES } else { MNT3ERR_NOENT }));
            }
            Behaviour::Never => pending().await,
        }
        Ok(number)
    };
    let candidates: Vec<usize> = (0..behaviours.len()).collect();
    let answer = first_success(&candidates, mount).await;
    let answer = answer.map_err(|error| error.map_or_else(|| "nothing to try".to_owned(), |error| error.to_string()));
    (answer, start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_slow_candidate_is_waited_for_and_a_silent_one_holds_none_up() {
    use Behaviour::{Fails, Mounts, Never, Refuses};
    for (behaviours, expected, seconds) in [
        (&[Mounts(0), Mounts(0), Mounts(0)][..], Ok(0), 0),
        // Slower than its head start, and still the first.
        (&[Mounts(5), Never, Never], Ok(0), 5),
        (&[Mounts(7), Never, Fails(0)], Ok(0), 7),
        (&[Never, Mounts(1), Mounts(0)], Ok(1), 3),
        (&[Never, Never, Mounts(1)], Ok(2), 5),
        // What fails leaves its time to the next.
        (&[Fails(0), Fails(0), Mounts(1)], Ok(2), 1),
        (&[Fails(1), Fails(1), Fails(1)], Err("no 0"), 3),
        // NFSv4 may know a path that NFSv3 refuses.
        (&[Refuses(0), Mounts(0), Mounts(0)], Ok(1), 0),
        (&[Refuses(0), Refuses(0)], Err("access denied"), 0),
        (&[Refuses(0), Fails(1)], Err("access denied"), 1),
        // A refusal says more than a timeout.
        (&[Fails(0), Refuses(0)], Err("no such file"), 0),
        (&[Never, Fails(0), Fails(0)], Err(""), 8),
        (&[], Err("nothing to try"), 0),
    ] {
        let tried = timeout(CALL_TIMEOUT, tried(behaviours)).await;
        match (tried, expected) {
            (Ok((Ok(found), took)), Ok(number)) => assert_eq!((found, took), (number, seconds)),
            (Ok((Err(error), took)), Err(words)) => {
                assert!(
                    error.to_lowercase().contains(words) && took == seconds,
                    "{error} after {took} s"
                );
            }
            (Err(_), Err("")) => {}
            (tried, expected) => panic!("{tried:?}, not {expected:?}"),
        }
    }
}
