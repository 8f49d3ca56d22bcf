//! Active exports that are in no file, such as those that `exportfs -o` creates for Pacemaker (PURE).

use super::client::Client;
use super::lexer::{self, Entry};
use super::{ActiveExport, normalize_path};

/// The entries of `listing` that no line of `files` can have created: `exportfs -ra`, or a restart of the NFS server,
/// would drop them. In doubt an entry counts as written: exportfs lists a host by its canonical name, and a directory
/// by its path without links, neither of which the files show.
pub fn find_unwritten_exports<'a>(files: &[(String, Vec<u8>)], listing: &'a [ActiveExport]) -> Vec<&'a ActiveExport> {
    let mut written: Vec<Entry> = files
        .iter()
        .flat_map(|(_, text)| lexer::read_exports(text).entries)
        .collect();
    let is_at = |entry: &Entry, listed: &ActiveExport| normalize_path(&entry.path) == listed.path.as_bytes();
    let is_for = |entry: &Entry, listed: &ActiveExport| Client::of(&entry.client) == Client::of(&listed.client);
    let is_name = |client: &str| matches!(Client::of(client), Client::Name(_));
    let mut left: Vec<&ActiveExport> = listing.iter().collect();
    let mut take = |fits: &dyn Fn(&Entry, &ActiveExport) -> bool| {
        left.retain(|listed| match written.iter().position(|entry| fits(entry, listed)) {
            Some(at) => {
                written.remove(at);
                false
            }
            None => true,
        });
    };
    take(&|entry, listed| is_at(entry, listed) && is_for(entry, listed));
    take(&|entry, listed| is_at(entry, listed) && is_name(&entry.client) && is_name(&listed.client));
    let listed_paths: Vec<&[u8]> = listing.iter().map(|listed| listed.path.as_bytes()).collect();
    take(&|entry, listed| {
        let may_be_a_link = !listed_paths.contains(&&normalize_path(&entry.path)[..]);
        may_be_a_link && (is_for(entry, listed) || (is_name(&entry.client) && is_name(&listed.client)))
    });
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::exports_file::parse_listing;

    #[test]
    fn exports_made_by_exportfs_alone_are_found() {
        for (files, listed, found) in [
            (&[""][..], "/srv  10.9.0.1(ro)\n", &["/srv 10.9.0.1"][..]),
            (&["/srv 10.9.0.1(ro)\n"], "/srv  10.9.0.1(sync,ro)\n", &[]),
            (
                &["/srv/ 10.9.0.1(ro)\n"],
                "/srv  10.9.0.1(ro)\n/srv  10.9.0.2(ro)\n",
                &["/srv 10.9.0.2"],
            ),
            // In another file, as another word for the world, or a mask.
            (
                &["", "/srv *(ro)\n/b 10.0.0.0/255.255.255.0(rw)"],
                "/srv  <world>(ro)\n/b  10.0.0.0/24(rw)\n",
                &[],
            ),
            // A host by its canonical name; a second host is one too many.
            (&["/srv nfs1(ro)\n"], "/srv  nfs1.example.org(ro)\n", &[]),
            (
                &["/srv nfs1(ro)\n"],
                "/srv  nfs1.lab(ro)\n/srv  nfs2.lab(ro)\n",
                &["/srv nfs2.lab"],
            ),
            // A directory by the path that its link leads to, for the same client only.
            (&["/link 10.9.0.1(ro)\n"], "/srv  10.9.0.1(ro)\n", &[]),
            (&["/link 10.9.0.1(ro)\n"], "/srv  10.9.0.2(ro)\n", &["/srv 10.9.0.2"]),
            (
                &["/srv 10.9.0.1(ro)\n"],
                "/srv  10.9.0.1(ro)\n/b  10.9.0.1(ro)\n",
                &["/b 10.9.0.1"],
            ),
            // What a file says after the place where exportfs stops reading it is not in force by that file.
            (
                &["/a 10.9.0.1(rw, sync)\n/srv 10.9.0.1(ro)\n"],
                "/srv  10.9.0.1(ro)\n",
                &["/srv 10.9.0.1"],
            ),
        ] {
            let files: Vec<(String, Vec<u8>)> = files
                .iter()
                .map(|text| ("exports".to_owned(), text.as_bytes().to_vec()))
                .collect();
            let listed = parse_listing(listed);
            let names: Vec<String> = find_unwritten_exports(&files, &listed)
                .iter()
                .map(|listed| format!("{} {}", listed.path, listed.client))
                .collect();
            assert_eq!(names, found, "{files:?}");
        }
    }
}
