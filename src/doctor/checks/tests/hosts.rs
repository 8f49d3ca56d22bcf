//! NFS401 to NFS411, as hosts show them.

use serde_json::json;

use super::*;
use crate::doctor::facts::{ExportSeen, HostSeen};
use crate::doctor::fix::{Change, HostChange};
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
            named_by: vec![Object::cluster("PersistentVolume", "v")],
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

fn seen(host: HostSeen, objects: Vec<Value>) -> Vec<Finding> {
    let mut facts = facts(OLD, objects);
    facts.hosts.push(host);
    found(&facts)
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
    for (what, host, nodes, wanted) in rows! {
        ("all well", server(8, world, with_mode(0o777)), nodes(), &[][..]),
        ("it does not run", server(0, "", with_mode(0o777)), nodes(), &["NFS404 host nfs"]),
        ("not exported", server(8, "/other  *(rw)\n", with_mode(0o777)), nodes(), &["NFS402 host nfs"]),
        ("what is above is exported", server(8, "/  *(rw)\n", with_mode(0o777)), nodes(), &[]),
        ("a name like it is exported", server(8, "/nfsdata2  *(rw)\n", with_mode(0o777)), nodes(),
            &["NFS402 host nfs"]),
        ("a node is shut out", server(8, network, with_mode(0o777)), nodes(), &["NFS402 host nfs"]),
        ("no node is", server(8, network, with_mode(0o777)), vec![at("node1", "10.0.0.1")], &[]),
        // Only the server can resolve the name.
        ("a name", server(8, "/nfsdata  *.example.com(rw)\n", with_mode(0o777)), nodes(), &[]),
        ("the document's chmod", server(8, world, with_mode(0o666)), nodes(), &["NFS411 host nfs"]),
        ("a directory of a group", server(8, world, with_mode(0o2770)), nodes(), &[]),
        ("no directory", server(8, world, Directory::Missing), nodes(), &["NFS403 host nfs"]),
    } {
        assert_eq!(titles(&seen(host, nodes)), wanted, "{what}");
    }
    let fix = seen(ours(server(8, world, with_mode(0o2644))), vec![])
        .remove(0)
        .fix
        .unwrap();
    let change = HostChange::SetMode {
        path: "/nfsdata".to_owned(),
        from: 0o2644,
        to: 0o2755,
    };
    assert_eq!(fix.command.as_deref(), Some("ssh nfs sudo chmod 2755 /nfsdata"));
    let host = "nfs".to_owned();
    assert_eq!(fix.changes, [Change::OnHost { host, change }]);
    let shut = seen(ours(server(8, network, with_mode(0o777))), nodes()).remove(0);
    assert!(
        shut.cause.contains("node2 (10.0.9.2)") && !shut.cause.contains("node1"),
        "{}",
        shut.cause
    );
    // That node is let in; of a node with two addresses it is not known by which it comes.
    let share = |finding: Finding| finding.fix.map(|fix| fix.changes).unwrap_or_default();
    let change = HostChange::Export {
        path: "/nfsdata".to_owned(),
        clients: vec!["10.0.9.2".to_owned()],
    };
    let host = "nfs".to_owned();
    assert_eq!(share(shut), [Change::OnHost { host, change }]);
    let two = node(
        "node3",
        json!({"status": {"addresses": [{"type": "InternalIP", "address": "10.0.9.3"}, {"type": "InternalIP", "address": "10.0.9.4"}]}}),
    );
    let unclear = seen(ours(server(8, network, with_mode(0o777))), vec![two]).remove(0);
    assert_eq!((unclear.code, share(unclear.clone())), ("NFS402", vec![]));
    assert!(unclear.fix.is_some_and(|fix| fix.command.is_some()));
}

#[test]
fn problems_of_nodes_read_over_ssh() {
    let unknown = |mut host: HostSeen| {
        host.facts.os_release = "ID=plan9\n".to_owned();
        host.facts.programs.clear();
        host
    };
    let asked = |mut host: HostSeen, servers: &[&str], reach: &[(&str, bool)]| {
        host.servers = servers.iter().map(|server| (*server).to_owned()).collect();
        host.reach = reach
            .iter()
            .map(|(server, reached)| ((*server).to_owned(), *reached))
            .collect();
        host
    };
    let ready = || client(&["nfs-common"]);
    for (what, host, wanted) in rows! {
        ("all well", ready(), &[][..]),
        ("no client", client(&["rpcbind"]), &["NFS401 node node1"]),
        ("an unknown system", unknown(client(&[])), &[]),
        ("a server that it reaches", asked(ready(), &["10.0.0.9"], &[("10.0.0.9", true)]), &[]),
        ("one that it does not reach", asked(ready(), &["10.0.0.9"], &[("10.0.0.9", false)]), &["NFS404 node node1"]),
        ("processes wait in NFS calls", HostSeen { hung: vec!["4711 tar".to_owned()], nfs_mounts:
            vec!["10.0.0.9:/nfsdata".to_owned()],..ready() }, &["NFS421 node node1"]),
        ("a name that it does not know", asked(ready(), &["nfs.example.com"], &[]), &["NFS408 node node1"]),
    } {
        assert_eq!(titles(&seen(host, vec![node("node1", json!({}))])), wanted, "{what}");
    }
    assert_eq!(
        titles(&seen(client(&[]), vec![])),
        ["NFS401 host root@node1"],
        "no node of the cluster"
    );
}

#[test]
fn a_kubelet_error_gets_a_fix_once_its_host_was_checked() {
    let said = "mount.nfs: rpc.statd is not running but is required for remote locking.";
    let objects = || mounting(Some(said));
    let diagnosed = seen(client(&["nfs-common"]), objects()).remove(0);
    assert_eq!(diagnosed.code, "NFS407");
    assert!(diagnosed.fix.unwrap().automatic);
    let printed = found(&facts(OLD, objects())).remove(0).fix.unwrap();
    assert!(!printed.automatic && printed.command.is_some());
}

#[test]
fn nothing_is_changed_on_a_server_beyond_what_nfsprov_exports_there() {
    let nodes = || vec![at("node1", "10.0.0.1")];
    let volume = || Object::cluster("PersistentVolume", "v");
    let tenants = || Object::of("Deployment", "t", "x");
    let named = |host: HostSeen, path: &str, by: Object| {
        let mut host = host;
        host.exports[0].path = path.to_owned();
        host.exports[0].named_by = vec![by];
        host
    };
    let shut = || server(8, "/other  *(rw)\n", with_mode(0o777));
    let no_x = || server(8, "/  *(rw)\n", with_mode(0o644));
    let stopped = || server(0, "", with_mode(0o777));
    for (what, host, code, command, automatic) in rows! {
        ("ours, named by a volume", ours(named(shut(), "/d", volume())), "NFS402", true, true),
        ("ours, named by a tenant", ours(named(shut(), "/d", tenants())), "NFS402", true, true),
        ("not ours, named by a volume", named(shut(), "/d", volume()), "NFS402", true, false),
        ("not ours, named by a tenant", named(shut(), "/root", tenants()), "NFS402", false, false),
        ("below ours", named(ours(named(shut(), "/d", volume())), "/d/sub", tenants()), "NFS402", false, false),
        ("a mode of ours", ours(named(no_x(), "/d", volume())), "NFS411", true, true),
        ("a mode that a volume names", named(no_x(), "/d", volume()), "NFS411", true, false),
        ("a mode that a tenant names", named(no_x(), "/root", tenants()), "NFS411", false, false),
        ("a stopped server of a volume", named(stopped(), "/d", volume()), "NFS404", true, false),
        ("a stopped server of a tenant", named(stopped(), "/root", tenants()), "NFS404", false, false),
    } {
        let found = seen(host, nodes()).remove(0);
        let fix = found.fix.as_ref().unwrap();
        assert_eq!(
            (found.code, fix.command.is_some(), fix.automatic, fix.changes.is_empty()),
            (code, command, automatic, !automatic),
            "{what}"
        );
        let said = [&found.cause, &fix.note, fix.command.as_ref().unwrap_or(&String::new())]
            .map(String::as_str)
            .join(" ");
        assert!(command || !said.contains("--export"), "{what}: {said}");
    }
    let denied = seen(named(shut(), "/root", tenants()), nodes()).remove(0);
    assert!(
        denied.cause.contains("/root, named by deployment/x -n t"),
        "{}",
        denied.cause
    );
}

#[test]
fn a_node_address_that_is_invalid_is_exported_to_nobody() {
    let shut = || ours(server(8, "/other  *(rw)\n", with_mode(0o777)));
    for address in ["*", "0.0.0.0/0", "10.0.0.1(rw) *", "node1"] {
        let denied = seen(shut(), vec![at("node1", address)]).remove(0);
        assert!(denied.fix.unwrap().changes.is_empty(), "{address}");
    }
}

#[test]
fn a_printed_path_is_read_by_two_shells_and_stays_one_word() {
    let mut host = server(8, "/  *(rw)\n", with_mode(0o644));
    host.exports[0].path = "/a b;id".to_owned();
    let command = seen(host, vec![]).remove(0).fix.unwrap().command.unwrap();
    // ssh joins its words for the shell at the other end.
    let script = format!("ssh() {{ shift; sh -c \"$*\"; }}; sudo() {{ :; }}; {command}");
    let script = script.replace("sudo chmod", "printf '%s,'");
    let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0755,/a b;id,");
}
