use super::*;
use crate::export::{MAX_RECORD, RecordNames};

fn pairs(records: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(volume, text): &(&str, &str)| ((*volume).to_owned(), (*text).to_owned());
    records.iter().map(owned).collect()
}

/// The records by PV, and what each holds or why it is not read.
async fn read(export: &Export, volumes: &[&str]) -> Vec<(String, Result<String, String>)> {
    let volumes: Vec<String> = volumes.iter().map(|volume| (*volume).to_owned()).collect();
    let found = export.read_records(&volumes).await.unwrap();
    let mut found: Vec<_> = found
        .into_iter()
        .map(|found| {
            let content = found.content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            (found.volume.unwrap(), content)
        })
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn records_are_written_replaced_read_and_removed() {
    for (way, root, export) in &ways().ways {
        assert_eq!(export.record_names(0).await.unwrap(), RecordNames::default(), "{way}");
        assert!(read(export, &["a"]).await.is_empty(), "{way}");
        let hostile = "a: \"$(touch /tmp/x) `id` 'q' \\n \u{202e}%s\"\n\n";
        let failed = export
            .write_records(&pairs(&[("a", hostile), ("b", "file 3\nxyz\n")]))
            .await;
        assert!(failed.is_empty(), "{way}: {failed:?}");
        let failed = export.write_records(&pairs(&[("b", "new"), ("-rf", "x")])).await;
        assert!(failed.is_empty(), "{way}: {failed:?}");
        let found = read(export, &["a", "b", "-rf", "gone"]).await;
        let wanted = [("-rf", "x"), ("a", hostile), ("b", "new")].map(|(name, text)| (name.into(), Ok(text.into())));
        assert_eq!(found, wanted, "{way}");
        let folder = root.path().join(".nfsprov/volumes");
        assert_eq!(
            fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
            0o700,
            "{way}"
        );
        assert_eq!(
            fs::metadata(folder.join("a.yaml")).unwrap().permissions().mode() & 0o777,
            0o600,
            "{way}"
        );
        assert_eq!(
            fs::read_dir(&folder).unwrap().count(),
            3,
            "{way}: no temporary file stays"
        );
        for _ in 0..2 {
            export.remove_record("a").await.unwrap();
        }
        assert_eq!(export.record_names(0).await.unwrap().volumes, ["-rf", "b"], "{way}");
    }
}

#[tokio::test]
async fn more_records_than_one_call_takes_are_all_written_and_read() {
    for (way, _, export) in &ways().ways {
        let records: Vec<(String, String)> = (0..70)
            .map(|number| (format!("v{number:02}"), format!("text {number}\n")))
            .collect();
        assert!(export.write_records(&records).await.is_empty(), "{way}");
        let names: Vec<&str> = records.iter().map(|(name, _)| name.as_str()).collect();
        let wanted: Vec<_> = records
            .iter()
            .map(|(name, text)| (name.clone(), Ok(text.clone())))
            .collect();
        assert_eq!(read(export, &names).await, wanted, "{way}");
    }
}

#[tokio::test]
async fn what_is_in_a_records_place_is_not_followed_and_is_replaced() {
    for (way, root, export) in &ways().ways {
        let outside = tempfile::tempdir().unwrap();
        let secret = outside.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        let folder = root.path().join(".nfsprov/volumes");
        fs::create_dir_all(folder.join("directory.yaml/in")).unwrap();
        symlink(&secret, folder.join("link.yaml")).unwrap();
        symlink("nowhere", folder.join("dangling.yaml")).unwrap();
        fs::write(folder.join("large.yaml"), vec![b'#'; MAX_RECORD + 1]).unwrap();
        fs::write(folder.join("largest.yaml"), vec![b'#'; MAX_RECORD]).unwrap();
        let names = ["dangling", "directory", "large", "largest", "link"];
        let found = read(export, &names).await;
        for ((name, content), wanted) in found
            .iter()
            .zip(["symbolic link", "directory", "64 KiB", "", "symbolic link"])
        {
            match (content, wanted) {
                (Ok(text), "") => assert_eq!(text.len(), MAX_RECORD, "{way}"),
                (Err(why), wanted) if !wanted.is_empty() => assert!(why.contains(wanted), "{way} {name}: {why}"),
                _ => panic!("{way} {name}: {content:?}"),
            }
        }
        let records = names.map(|name| (name.to_owned(), "new".to_owned()));
        let failed = export.write_records(&records).await;
        let failed: Vec<_> = failed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(failed, ["directory"], "{way}: a directory is never replaced");
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret", "{way}");
        for name in ["dangling", "large", "largest", "link"] {
            let path = folder.join(format!("{name}.yaml"));
            assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{way}: {name}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "new", "{way}: {name}");
        }
        assert_eq!(
            fs::read_dir(&folder).unwrap().count(),
            5,
            "{way}: no temporary file stays"
        );
    }
}

#[tokio::test]
async fn a_folder_that_is_a_link_is_not_followed() {
    for (way, root, export) in &ways().ways {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("a.yaml"), "secret").unwrap();
        fs::create_dir(root.path().join(".nfsprov")).unwrap();
        symlink(outside.path(), root.path().join(".nfsprov/volumes")).unwrap();
        assert!(export.record_names(0).await.is_err(), "{way}");
        assert!(export.read_records(&["a".to_owned()]).await.is_err(), "{way}");
        assert_eq!(export.write_records(&pairs(&[("b", "x")])).await.len(), 1, "{way}");
        assert!(export.remove_record("a").await.is_err(), "{way}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{way}");
    }
}

#[tokio::test]
async fn names_are_told_apart_and_old_temporary_files_removed() {
    for (way, root, export) in &ways().ways {
        let folder = root.path().join(".nfsprov/volumes");
        fs::create_dir_all(&folder).unwrap();
        for name in ["v.yaml", "v.yml", ".yaml", "a\nb.yaml", ".0123.tmp", "README"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let now = fs::metadata(folder.join(".0123.tmp")).unwrap().mtime();
        let names = export.record_names(now).await.unwrap();
        assert_eq!(names.volumes, ["v"], "{way}");
        assert_eq!(names.others, [".yaml", "README", "a\nb.yaml", "v.yml"], "{way}");
        export.remove_abandoned_files(&names).await;
        assert!(folder.join(".0123.tmp").exists(), "{way}: its writer may be at work");
        let names = export.record_names(now + 7200).await.unwrap();
        export.remove_abandoned_files(&names).await;
        assert!(!folder.join(".0123.tmp").exists(), "{way}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 5, "{way}");
    }
}
