//! Directories that are removed, discarded or archived, whatever the way to the export.

use super::*;

#[tokio::test]
async fn removing_takes_the_tree_and_not_what_its_links_point_at() {
    for (way, root, export) in &ways().ways {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("precious"), "data").unwrap();
        fs::create_dir_all(root.path().join("v/deep/deeper")).unwrap();
        fs::write(root.path().join("v/deep/deeper/file"), "").unwrap();
        symlink(outside.path(), root.path().join("v/deep/link")).unwrap();
        assert_eq!(remove(export, "v").await.unwrap(), Removed::Done, "{way}");
        assert_eq!(remove(export, "v").await.unwrap(), Removed::AlreadyGone, "{way}");
        assert_eq!(remove(export, "no/v").await.unwrap(), Removed::AlreadyGone, "{way}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "{way}");
        assert!(outside.path().join("precious").exists(), "{way}");
    }
}

#[tokio::test]
async fn a_removal_is_interrupted_and_goes_on_with_the_next() {
    for (way, root, export) in &ways().ways {
        fs::create_dir_all(root.path().join("v/deep")).unwrap();
        for number in 0..100 {
            fs::write(root.path().join("v/deep").join(number.to_string()), "").unwrap();
        }
        let never: MayContinue = Arc::new(|| false);
        let error = export.remove_directory(&path("v"), &never).await.unwrap_err();
        assert!(matches!(error, ExportError::Interrupted), "{way}: {error}");
        assert!(root.path().join("v/deep").exists(), "{way}");
        assert_eq!(remove(export, "v").await.unwrap(), Removed::Done, "{way}");
        assert!(!root.path().join("v").exists(), "{way}");
    }
}

/// Over SSH, a timer ends rm with TERM every few seconds, and the kernel may end it with KILL.
#[tokio::test]
async fn a_removal_goes_on_after_the_timers_signal_and_fails_after_any_other() {
    for (signal, expected) in [("TERM", None), ("KILL", Some("rm was ended by signal 9"))] {
        let (root, tools) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(root.path().join("v")).unwrap();
        let rm = format!(
            "#!/bin/sh\nif [ ! -e '{tools}/seen' ]; then : >'{tools}/seen'; kill -{signal} $$; fi\nexec /bin/rm \"$@\"\n",
            tools = tools.path().display()
        );
        let program = tools.path().join("rm");
        fs::write(&program, rm).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let shell = Shell {
            command: vec!["sh".to_owned()],
            tools: format!("{}:/usr/bin:/bin", tools.path().display()),
        };
        let export = Export::Ssh(Ssh::with_local_shell(location(root.path().to_str().unwrap()), shell));
        let removed = remove(&export, "v").await;
        match expected {
            None => assert_eq!(removed.unwrap(), Removed::Done),
            Some(words) => assert!(removed.unwrap_err().to_string().ends_with(words), "{signal}"),
        }
        assert_eq!(root.path().join("v").exists(), expected.is_some(), "{signal}");
    }
}

#[tokio::test]
async fn what_is_discarded_is_in_the_trash() {
    for (way, root, export) in &ways().ways {
        for volume in ["a", "b"] {
            fs::create_dir_all(root.path().join("team").join(volume)).unwrap();
            let from = path(&format!("team/{volume}"));
            let entry = export.trash_entry_path(volume).unwrap();
            assert_eq!(
                export.move_to_trash(&from, &entry).await.unwrap(),
                Removed::Done,
                "{way}"
            );
            // An earlier attempt got this far.
            assert_eq!(
                export.move_to_trash(&from, &entry).await.unwrap(),
                Removed::AlreadyGone,
                "{way}"
            );
        }
        fs::create_dir(root.path().join("team/a")).unwrap();
        let error = export
            .move_to_trash(&path("team/a"), &export.trash_entry_path("a").unwrap())
            .await
            .unwrap_err();
        assert!(matches!(error, ExportError::Exists(_)), "{way}: {error}");
        let mut names: Vec<_> = export
            .list_trash()
            .await
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        names.sort();
        assert_eq!(names, ["a", "b"], "{way}");
        assert_eq!(mode(&root.path().join(".nfsprov/trash")), 0o700, "{way}");
    }
}

#[tokio::test]
async fn an_archive_never_overwrites_an_archive() {
    for (way, root, export) in &ways().ways {
        fs::create_dir_all(root.path().join("deep/v")).unwrap();
        fs::create_dir(root.path().join("archived-v")).unwrap();
        symlink("nowhere", root.path().join("archived-l")).unwrap();
        for taken in ["archived-v", "archived-l"] {
            let error = export
                .rename_directory(&path("deep/v"), &path(taken))
                .await
                .unwrap_err();
            assert!(matches!(error, ExportError::Exists(_)), "{way}: {error}");
        }
        let archived = rename(export, "deep/v", "archived-w").await;
        assert_eq!(archived.unwrap(), Removed::Done, "{way}");
        assert!(root.path().join("archived-w").is_dir(), "{way}");
        // An earlier try got this far.
        let archived = rename(export, "deep/v", "archived-w").await;
        assert_eq!(archived.unwrap(), Removed::AlreadyGone, "{way}");
        let archived = rename(export, "no/v", "archived-x").await;
        assert_eq!(archived.unwrap(), Removed::AlreadyGone, "{way}");
    }
}
