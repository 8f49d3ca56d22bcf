//! Symbolic links and empty directories, as owner markers need them, whatever the way to the export.

use super::*;

#[tokio::test]
async fn links_are_made_read_and_removed() {
    for (way, root, export) in &ways().ways {
        let (link, no) = (path("l"), path("no/l"));
        assert_eq!(export.read_link(&link).await.unwrap(), None, "{way}");
        assert!(export.create_link(&link, "a b'c").await.unwrap(), "{way}");
        assert!(
            !export.create_link(&link, "other").await.unwrap(),
            "{way}: the first one stays"
        );
        assert_eq!(
            export.read_link(&link).await.unwrap().as_deref(),
            Some("a b'c"),
            "{way}"
        );
        // A link to a directory is no directory to make links in.
        fs::create_dir(root.path().join("d")).unwrap();
        symlink("d", root.path().join("ld")).unwrap();
        assert!(!export.create_link(&path("ld"), "x").await.unwrap(), "{way}");
        assert_eq!(fs::read_dir(root.path().join("d")).unwrap().count(), 0, "{way}");
        export.create_link(&no, "x").await.unwrap_err();
        export.remove_link_or_file(&link).await.unwrap();
        export.remove_link_or_file(&link).await.unwrap();
        export.remove_link_or_file(&no).await.unwrap();
        assert!(!root.path().join("l").is_symlink(), "{way}");
        fs::write(root.path().join("d/file"), "").unwrap();
        assert!(!export.remove_empty_directory(&path("d")).await.unwrap(), "{way}");
        fs::remove_file(root.path().join("d/file")).unwrap();
        assert!(export.remove_empty_directory(&path("d")).await.unwrap(), "{way}");
        assert!(export.remove_empty_directory(&path("d")).await.unwrap(), "{way}");
        assert!(export.remove_empty_directory(&no).await.unwrap(), "{way}");
        export.remove_empty_directory(&path("ld")).await.unwrap_err();
        assert!(root.path().join("ld").is_symlink(), "{way}");
    }
}
