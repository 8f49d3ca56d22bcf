//! NFS401 to NFS411, as hosts show them.

use serde_json::json;

use super::*;
use crate::change::{Change, HostChange};
use crate::doctor::facts::{ExportSeen, HostSeen};
use crate::host::{self, Directory};

const DEBIAN: &str = "ID=debian\nVERSION_ID=12\n";

fn client(packages: &[&str]) -> HostSeen {
    HostSeen {
        target: "root@node1".to_owned(),
        facts: host::Facts {
            hostname: "node1".to_owned(),
            os_release: DEBIAN.to_owned(),
            programs: vec!["apt-get".to_owned()],
            packages: packages.iter().map(|name| (*name).to_owned()).collect(),
            addresses: vec!["10.0.0.1".parse().unwrap()],
            ..host::Facts::default()
        },
        ..HostSeen::default()
    }
}

fn server(threads: u32, listing: &str, directory: Directory) -> HostSeen {
    let facts = host::Facts {
        hostname: "nfs".to_owned(),
        threads,
        listing: Some(listing.to_owned()),
        directory,
        ..host::Facts::default()
    };
    HostSeen {
        target: "nfs".to_owned(),
        exports: vec![ExportSeen {
            path: "/nfsdata".to_owned(),
            named_by: vec![Object::cluster_scoped("PersistentVolume", "v")],
            facts: facts.clone(),
        }],
        facts,
        ..HostSeen::default()
    }
}

/// The same where nfsprov's own block exports the directory.
fn ours(mut host: HostSeen) -> HostSeen {
    for export in &mut host.exports {
        let block = format!("# BEGIN nfsprov\n{} 10.0.0.1(rw)\n# END nfsprov\n", export.path);
        export.facts.exports = Some(block.into_bytes());
    }
    host
}

fn with_mode(mode: u32) -> Directory {
    Directory::There {
        mode,
        owner: Default::default(),
    }
}

/// The facts of a host, and of a cluster with these objects.
fn seen(host: HostSeen, objects: Vec<Value>) -> Facts {
    let mut facts = facts(OLD, objects);
    facts.hosts.push(host);
    facts
}

fn at(name: &str, address: &str) -> Value {
    node(
        name,
        json!({"status": {"addresses": [
        {"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}]}}),
    )
}

#[test]
fn problems_of_servers_read_over_ssh() {
    let world = "/nfsdata  *(sync,wdelay,rw)\n";
    let network = "/nfsdata  10.0.0.0/24(sync,rw)\n/other  *(ro)\n";
    let nodes = || vec![at("node1", "10.0.0.1"), at("node2", "10.0.9.2")];
    let listed = |listing: &str| seen(server(8, listing, with_mode(0o777)), nodes());
    let of_directory = |directory: Directory| seen(server(8, world, directory), nodes());
    let two = json!([{"type": "InternalIP", "address": "10.0.9.3"}, {"type": "InternalIP", "address": "10.0.9.4"}]);
    let two = || vec![node("node3", json!({"status": {"addresses": two}}))];
    let shut = |nodes: Vec<Value>| seen(ours(server(8, network, with_mode(0o777))), nodes);
    hold! { OLD,
        "all well": listed(world) => [];
        "it does not run": seen(server(0, "", with_mode(0o777)), nodes()) => ["NFS404 host nfs"];
        "not exported": listed("/other  *(rw)\n") => ["NFS402 host nfs"];
        "what is above is exported": listed("/  *(rw)\n") => [];
        "a name like it is exported": listed("/nfsdata2  *(rw)\n") => ["NFS402 host nfs"];
        "a node is shut out": listed(network) => ["NFS402 host nfs" says "node2 (10.0.9.2)" "!node1"];
        "no node is": seen(server(8, network, with_mode(0o777)), vec![at("node1", "10.0.0.1")]) => [];
        // Only the server can resolve the name.
        "a name": listed("/nfsdata  *.example.com(rw)\n") => [];
        "the document's chmod": of_directory(with_mode(0o666)) => ["NFS411 host nfs"];
        "a directory of a group": of_directory(with_mode(0o2770)) => [];
        "no directory": of_directory(Directory::Missing) => ["NFS403 host nfs"];
        "a mode of ours": seen(ours(server(8, world, with_mode(0o2644))), vec![]) =>
            ["NFS411 host nfs automatic" says "\nssh nfs sudo chmod 2755 /nfsdata\n"];
        "a node is let in": shut(nodes()) => ["NFS402 host nfs automatic"];
        // It is not known by which it comes.
        "a node with two addresses": shut(two()) => ["NFS402 host nfs" says "nfsprov setup-server"];
    }
    let changes = found(&shut(nodes())).remove(0).fix.map(|fix| fix.changes);
    let (path, clients) = ("/nfsdata".to_owned(), vec!["10.0.9.2".to_owned()]);
    let (host, change) = ("nfs".to_owned(), HostChange::Export { path, clients });
    assert_eq!(changes, Some(vec![Change::OnHost { host, change }]));
}

#[test]
fn problems_of_nodes_read_over_ssh() {
    let unknown = |mut host: HostSeen| {
        host.facts.os_release = "ID=plan9\n".to_owned();
        host.facts.programs.clear();
        host
    };
    let asked = |server: &str, reach: Option<bool>| HostSeen {
        servers: vec![server.to_owned()],
        reach: Vec::from_iter(reach.map(|reached| (server.to_owned(), reached))),
        ..client(&["nfs-common"])
    };
    let hung = HostSeen {
        hung: vec!["4711 tar".to_owned()],
        nfs_mounts: vec!["10.0.0.9:/nfsdata".to_owned()],
        ..client(&["nfs-common"])
    };
    let on_node = |host: HostSeen| seen(host, vec![node("node1", json!({}))]);
    hold! { OLD,
        "all well": on_node(client(&["nfs-common"])) => [];
        "no client": on_node(client(&["rpcbind"])) => ["NFS401 node node1 automatic"];
        "an unknown system": on_node(unknown(client(&[]))) => [];
        "a server that it reaches": on_node(asked("10.0.0.9", Some(true))) => [];
        "one that it does not reach": on_node(asked("10.0.0.9", Some(false))) => ["NFS404 node node1"];
        "processes wait in NFS calls": on_node(hung) => ["NFS421 node node1"];
        "a name that it does not know": on_node(asked("nfs.example.com", None)) => ["NFS408 node node1"];
        "no node of the cluster": seen(client(&[]), vec![]) => ["NFS401 host root@node1 automatic"];
    }
}

#[test]
fn a_kubelet_error_gets_a_fix_once_its_host_was_checked() {
    let words = "mount.nfs: rpc.statd is not running but is required for remote locking.";
    hold! { OLD,
        "checked": seen(client(&["nfs-common"]), mounting(Some(words))) => ["NFS407 node node1 automatic"];
        "not checked": mounting(Some(words)) => ["NFS407 node node1" says "rpc-statd"];
    }
}

#[test]
fn nothing_is_changed_on_a_server_beyond_what_nfsprov_exports_there() {
    let nodes = || vec![at("node1", "10.0.0.1")];
    let volume = || Object::cluster_scoped("PersistentVolume", "v");
    let tenants = || Object::namespaced("Deployment", "t", "x");
    let named = |host: HostSeen, path: &str, by: Object| {
        let mut host = host;
        host.exports[0].path = path.to_owned();
        host.exports[0].named_by = vec![by];
        host
    };
    let shut = || server(8, "/other  *(rw)\n", with_mode(0o777));
    let no_x = || server(8, "/  *(rw)\n", with_mode(0o644));
    let stopped = || server(0, "", with_mode(0o777));
    let at_path = |host: HostSeen, path: &str, by: Object| seen(named(host, path, by), nodes());
    let ours_at_path = |host: HostSeen, by: Object| seen(ours(named(host, "/d", by)), nodes());
    let below = seen(named(ours(named(shut(), "/d", volume())), "/d/sub", tenants()), nodes());
    hold! { OLD,
        "ours, named by a volume": ours_at_path(shut(), volume()) => ["NFS402 host nfs automatic"];
        "ours, named by a tenant": ours_at_path(shut(), tenants()) => ["NFS402 host nfs automatic"];
        "not ours, named by a volume": at_path(shut(), "/d", volume()) =>
            ["NFS402 host nfs" says "not done by --fix: nfsprov does not export /d there"];
        "not ours, named by a tenant": at_path(shut(), "/root", tenants()) => ["NFS402 host nfs" says
            "/root, named by deployment/x -n t" "\n\nonly deployment/x -n t names this directory" "!--export"];
        "below ours": below => ["NFS402 host nfs" says "\n\nonly deployment/x -n t names this directory" "!--export"];
        "a mode of ours": ours_at_path(no_x(), volume()) => ["NFS411 host nfs automatic"];
        "a mode that a volume names": at_path(no_x(), "/d", volume()) =>
            ["NFS411 host nfs" says "not done by --fix: nfsprov does not export /d there"];
        "a mode that a tenant names": at_path(no_x(), "/root", tenants()) =>
            ["NFS411 host nfs" says "\n\nonly deployment/x -n t names this directory" "!--export"];
        "a stopped server of a volume": at_path(stopped(), "/d", volume()) =>
            ["NFS404 host nfs" says "nfsprov setup-server nfs --export /d " "not done by --fix"];
        "a stopped server of a tenant": at_path(stopped(), "/root", tenants()) =>
            ["NFS404 host nfs" says "\n\nnfsprov setup-server installs" "!--export"];
    }
}

#[test]
fn a_node_address_that_is_invalid_is_exported_to_nobody() {
    let shut = || ours(server(8, "/other  *(rw)\n", with_mode(0o777)));
    for address in ["*", "0.0.0.0/0", "10.0.0.1(rw) *", "node1"] {
        let denied = found(&seen(shut(), vec![at("node1", address)])).remove(0);
        assert!(denied.fix.unwrap().changes.is_empty(), "{address}");
    }
}

#[test]
fn a_printed_path_is_read_by_two_shells_and_stays_one_word() {
    let mut host = server(8, "/  *(rw)\n", with_mode(0o644));
    host.exports[0].path = "/a b;id".to_owned();
    let command = found(&seen(host, vec![])).remove(0).fix.unwrap().command.unwrap();
    // ssh joins its words for the shell at the other end.
    let script = format!("ssh() {{ shift; sh -c \"$*\"; }}; sudo() {{ :; }}; {command}");
    let script = script.replace("sudo chmod", "printf '%s,'");
    let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0755,/a b;id,");
}
