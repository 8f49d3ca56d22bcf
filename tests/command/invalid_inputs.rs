//! Invalid values: each is rejected in one sentence, and no request reaches the cluster.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Nfsprov, write_kubeconfig};

const NAME: &str = "a name has lower-case letters, digits, `-` and `.`, and begins and ends with a letter or digit";
const POD: &str = "a pod's name has lower-case letters, digits and `-`, and begins and ends with a letter or digit";
const STATEFUL_SET: &str =
    "a StatefulSet's name has lower-case letters, digits and `-`, and begins and ends with a letter or digit";
const DEPLOYMENT: &str =
    "a Deployment's name has lower-case letters, digits and `-`, and begins and ends with a letter or digit";
const NAMESPACE: &str =
    "a namespace's name has lower-case letters, digits and `-`, and begins and ends with a letter or digit";
const SIZE: &str = "a size is a number and a suffix, such as 1Gi, 500Mi or 1.5T";
const NOTHING: &str = "a size is more than zero";
const HOST: &str = "this is neither a host name nor an address";
const PLAIN_SERVER: &str = "a server is a host name or an address, without path or port";
const IPV4: &str = "an IPv4 address is four numbers from 0 to 255";
const ABSOLUTE: &str = "an exported path is absolute: it begins with /";
const COMPONENT: &str = "the path has an empty, `.` or `..` component; write it out";
const CONTROL: &str = "the path has a control character";
const LONG_PATH: &str = "a path has 4095 bytes at most, and a name in it 255";
const MOUNT_PATH: &str = "a mount path is absolute: it begins with /";
const ROOT: &str = "the volume can't be the container's root";
const ONE_WORD: &str = "a mount option is one word; give --mount-option again for each";
const CLAIM: &str = "a claim is given as NAMESPACE/NAME";
const LABEL: &str = "a label is given as KEY=VALUE";
const IMAGE: &str = "an image is a lower-case name, perhaps with a host before and a tag behind it, such as nginx:1.27";
const SERVICE: &str =
    "a Service's name has lower-case letters, digits and `-`, and begins and ends with a letter or digit";
const POD_VOLUME: &str =
    "a volume's name in a pod has lower-case letters, digits and `-`, and begins and ends with a letter or digit";
const PORT: &str = "a port is from 1 to 65535";
const PROVISIONER: &str = "a provisioner's name is a word, or a domain, `/` and a word, such as nfsprov/nfs";
const OCTAL: &str = "a mode is octal, such as 0770";
const ID: &str = "an id is a number from 0 to 4294967294";
const DURATION: &str = "a duration is a number and a unit, such as 30s or 2m";

macro_rules! label_key {
    ($key:literal) => {
        concat!(
            "\"",
            $key,
            "\" is no label key: up to 63 letters, digits, `-`, `_` and `.`, perhaps with a domain and `/` before them"
        )
    };
}

macro_rules! label_value {
    ($value:literal) => {
        concat!(
            "\"",
            $value,
            "\" is no label value: up to 63 letters, digits, `-`, `_` and `.`"
        )
    };
}

macro_rules! pattern {
    ($why:literal) => {
        concat!(
            $why,
            "; it consists of ${.PVC.name}, ${.PVC.namespace}, ${.PVC.labels.KEY} and ${.PVC.annotations.KEY}"
        )
    };
}

/// A command that ends with the tested option, the option's name in messages, the error, and values that cause it.
/// `a*64` is 64 times `a`, `/aa*1400` 1400 times `/aa`.
#[rustfmt::skip]
const VALUES: &[(&str, &str, &str, &[&str])] = &[
    ("create pv", "[NAME]", NAME, &["", "MyPV", "my_pv", "-pv", "pv-", "my pv", "pv..1", ".pv", "pv.", "pv/1", "pv:1", "pvé", "pv\n1", " mypv"]),
    ("create pv", "[NAME]", "it has 254 characters; a name has 253 at most", &["a*254"]),
    ("create pvc", "[NAME]", NAME, &["MyPVC", "my_pvc", "default/mypvc", "pvc!"]),
    ("create storageclass", "[NAME]", NAME, &["Managed", "managed_nfs", "a b", ""]),
    ("create pod", "[NAME]", POD, &["My-pod", "my.pod", "pod-"]),
    ("create pod", "[NAME]", "it has 64 characters; a pod's name has 63 at most", &["a*64"]),
    ("create statefulset", "[NAME]", STATEFUL_SET, &["Web", "web.1", "web_1"]),
    ("create statefulset", "[NAME]", "it has 53 characters; a StatefulSet's name has 52 at most", &["a*53"]),
    ("create provisioner", "[NAME]", DEPLOYMENT, &["NFS", "nfs.client", "nfs/client"]),
    ("create provisioner", "[NAME]", "it has 64 characters; a Deployment's name has 63 at most", &["a*64"]),
    ("create pvc c --namespace", "--namespace <NAMESPACE>", NAMESPACE, &["Team", "team.a", "team/a", ""]),
    ("create pvc c --namespace", "--namespace <NAMESPACE>", "it has 64 characters; a namespace's name has 63 at most", &["a*64"]),
    ("create pv v --size", "--size <SIZE>", SIZE, &["", "1G1", "Gi", "1gi", "1GB", "1Gib", "1 Gi", "1,5Gi", "1.2.3Gi", "1K", "1_000", "0x10", "1e", "1e999", "1e1.5", "one", "1Zi", "٣Gi", ".", "1Gi ", "1Gi,2Gi", "½Gi"]),
    ("create pv v --size", "--size <SIZE>", NOTHING, &["0", "0Gi", "0.0", "-1Gi"]),
    ("create pvc c --size", "--size <SIZE>", SIZE, &["1G1", "10 Gi", "10gb"]),
    ("create pvc c --size", "--size <SIZE>", NOTHING, &["-5Gi", "0Mi"]),
    ("create statefulset s --size", "--size <SIZE>", SIZE, &["1G1", "big"]),
    ("create statefulset s --size", "--size <SIZE>", NOTHING, &["0"]),
    ("create pv v --server", "--server <SERVER>", HOST, &["", "my host", "a..b", ".", "-nfs", "nfs-", "s!", "ñ", "a*64.example"]),
    ("create pv v --server", "--server <SERVER>", PLAIN_SERVER, &["nfs:/data", "nfs:2049", "nfs/data", "nfs://s", "http://s", "fe80::1%eth0", "[fd00::1", "fd00::1::2", "10.0.0.1/24"]),
    ("create pv v --server", "--server <SERVER>", IPV4, &["10.0.0", "10.0.0.256", "1.2.3.4.5"]),
    ("create provisioner --server", "--server <SERVER>", IPV4, &["10.0.0.300"]),
    ("create provisioner --server", "--server <SERVER>", PLAIN_SERVER, &["nfs:/data"]),
    ("create pv v --path", "--path <PATH>", ABSOLUTE, &["", "nfsdata", "./nfsdata", "~/nfsdata", "s:/p", "C:\\data"]),
    ("create pv v --path", "--path <PATH>", COMPONENT, &["/a/../b", "/..", "/a//b", "//", "/./a", "/a/."]),
    ("create pv v --path", "--path <PATH>", CONTROL, &["/a\nb", "/a\tb"]),
    ("create pv v --path", "--path <PATH>", LONG_PATH, &["/a*256", "/aa*1400"]),
    ("create provisioner --path", "--path <PATH>", ABSOLUTE, &["data"]),
    ("create provisioner --path", "--path <PATH>", COMPONENT, &["/a/../b"]),
    ("create pod p --mount-path", "--mount-path <PATH>", MOUNT_PATH, &["", "mydata"]),
    ("create pod p --mount-path", "--mount-path <PATH>", ROOT, &["/"]),
    ("create pod p --mount-path", "--mount-path <PATH>", "a mount path has no `:`", &["/a:/b"]),
    ("create pod p --mount-path", "--mount-path <PATH>", COMPONENT, &["/a/../b"]),
    ("create pod p --mount-path", "--mount-path <PATH>", CONTROL, &["/a\nb"]),
    ("create statefulset s --mount-path", "--mount-path <PATH>", MOUNT_PATH, &["html"]),
    ("create statefulset s --mount-path", "--mount-path <PATH>", ROOT, &["/"]),
    ("create pv v --class", "--class <CLASS>", NAME, &["NFS", "my_class", "a/b"]),
    ("create pvc c --class", "--class <CLASS>", NAME, &["Fast", "a b"]),
    ("create statefulset s --class", "--class <CLASS>", NAME, &["", "Fast"]),
    ("create pv v --mount-option", "--mount-option <OPTION>", ONE_WORD, &["", "ro,soft", "ro soft"]),
    ("create storageclass c --mount-option", "--mount-option <OPTION>", ONE_WORD, &["nfsvers=4.1,hard", ""]),
    ("create pv v --claim", "--claim <NAMESPACE/NAME>", CLAIM, &["mypvc", ""]),
    ("create pv v --claim", "--claim <NAMESPACE/NAME>", NAMESPACE, &["/mypvc", "a.b/c"]),
    ("create pv v --claim", "--claim <NAMESPACE/NAME>", NAME, &["default/", "default/My", "a/b/c"]),
    ("create pv v --label", "--label <KEY=VALUE>", LABEL, &["tier", "x y"]),
    ("create pv v --label", "--label <KEY=VALUE>", label_key!(""), &["=gold"]),
    ("create pv v --label", "--label <KEY=VALUE>", label_key!("a b"), &["a b=c"]),
    ("create pv v --label", "--label <KEY=VALUE>", label_value!("-gold"), &["tier=-gold"]),
    ("create pv v --label", "--label <KEY=VALUE>", label_value!("gold!"), &["tier=gold!"]),
    ("create pv v --label", "--label <KEY=VALUE>", label_value!("a b"), &["tier=a b"]),
    ("create pv v --label", "--label <KEY=VALUE>", label_key!("A/"), &["A/=x"]),
    ("create pv v --label", "--label <KEY=VALUE>", label_key!("a/b/c"), &["a/b/c=d"]),
    ("create pv v --label", "--label <KEY=VALUE>", label_value!("a*64"), &["tier=a*64"]),
    ("create pv v --label", "--label <KEY=VALUE>", label_key!("-x"), &["-x=1"]),
    ("create pv v --label", "--label <KEY=VALUE>", label_key!("a*64"), &["a*64=1"]),
    ("create pv v --label", "--label <KEY=VALUE>", label_key!("Example_org/a"), &["Example_org/a=b"]),
    ("create pvc c --selector", "--selector <KEY=VALUE>", LABEL, &["tier", "tier in (gold)"]),
    ("create pvc c --selector", "--selector <KEY=VALUE>", label_key!("tier!"), &["tier!=gold"]),
    ("create pvc c --selector", "--selector <KEY=VALUE>", label_key!(""), &["=x"]),
    ("create pvc c --volume", "--volume <PV>", NAME, &["MyPV", "pv/mypv", ""]),
    ("create pod p --claim", "--claim <CLAIM>", NAME, &["", "My", "default/mypvc"]),
    ("create pod p --image", "--image <IMAGE>", IMAGE, &["", " busybox", "Busybox", "busybox:", "a//b", "http://a/b", "a b", "busybox:a:b", "a@sha256:12"]),
    ("create provisioner --image", "--image <IMAGE>", IMAGE, &["NFS:v1", "a:"]),
    ("create statefulset s --app", "--app <APP>", SERVICE, &["Nginx", "ngi.nx", ""]),
    ("create statefulset s --app", "--app <APP>", "a Service's name begins with a letter", &["0nginx"]),
    ("create statefulset s --volume", "--volume <VOLUME>", POD_VOLUME, &["Www", "w.w", "w_w"]),
    ("create statefulset s --replicas", "--replicas <REPLICAS>", "the number of pods is from 0 to 1000", &["-1", "three", "1.5", "1001"]),
    ("create provisioner --replicas", "--replicas <REPLICAS>", "the number of pods is from 1 to 100", &["0", "-1", "many"]),
    ("create statefulset s --service-port", "--service-port <PORT>", PORT, &["0", "65536", "http", "-80"]),
    ("create statefulset s --node-port", "--node-port <PORT>", PORT, &["0", "70000", "30012:80"]),
    ("create storageclass c --provisioner", "--provisioner <PROVISIONER>", PROVISIONER, &["", "/nfs", "a/", "a/b/c", "a b", "-a/b", "a/-b", "a_b/c"]),
    ("create storageclass c --dir-mode", "--dir-mode <OCTAL>", OCTAL, &["rwx", "0o777", "888", "17777", "-1", "u+x", "", "+777"]),
    ("create storageclass c --dir-uid", "--dir-uid <ID>", ID, &["root", "-1", "4294967295", "1.0", ""]),
    ("create storageclass c --dir-gid", "--dir-gid <ID>", ID, &["users", "+1"]),
    ("create storageclass c --path-pattern", "--path-pattern <PATTERN>", pattern!("pathPattern \"\": the path is empty, which would be the export's root"), &[""]),
    ("create storageclass c --path-pattern", "--path-pattern <PATTERN>", pattern!("pathPattern \"/\": the path is empty, which would be the export's root"), &["/"]),
    ("create storageclass c --path-pattern", "--path-pattern <PATTERN>", pattern!("pathPattern \"..\": \"..\" has the component \"..\", which is no directory name"), &[".."]),
    ("create storageclass c --path-pattern", "--path-pattern <PATTERN>", pattern!("pathPattern \"../${.PVC.name}\": \"../name\" has the component \"..\", which is no directory name"), &["../${.PVC.name}"]),
    ("create storageclass c --path-pattern", "--path-pattern <PATTERN>", pattern!("pathPattern \"${.PVC.uid}\": the claim has no .PVC.uid"), &["${.PVC.uid}"]),
    ("create storageclass c --path-pattern", "--path-pattern <PATTERN>", pattern!("pathPattern \"${.PVC.name\": a ${ has no }"), &["${.PVC.name"]),
    ("create storageclass c --path-pattern", "--path-pattern <PATTERN>", pattern!("pathPattern \"${PVC.name}\": the claim has no PVC.name"), &["${PVC.name}"]),
    ("create storageclass c --path-pattern", "--path-pattern <PATTERN>", pattern!("pathPattern \"${.PVC.labels}\": the claim has no .PVC.labels"), &["${.PVC.labels}"]),
    ("create storageclass c --path-pattern", "--path-pattern <PATTERN>", pattern!("pathPattern \"a/../b\": \"a/../b\" has the component \"..\", which is no directory name"), &["a/../b"]),
    ("create storageclass c --path-pattern", "--path-pattern <PATTERN>", pattern!("pathPattern \"a\\nb\": \"a\\nb\" has a control character"), &["a\nb"]),
    ("create pv v --timeout", "--timeout <DURATION>", DURATION, &["soon", "-1s", "1 hour"]),
    ("create pv v --timeout", "--timeout <DURATION>", "a timeout is more than zero", &["0"]),
];

/// Whole command lines, with their complete error message.
#[rustfmt::skip]
const LINES: &[(&[&str], &str)] = &[
    (&["create", "pv", "v", "--access-mode=RWZ"], "invalid value 'RWZ' for '--access-mode <MODE>' [possible values: RWO, ROX, RWX, RWOP]; tip: a similar value exists: 'RWX' (--help describes the options)"),
    (&["create", "pv", "v", "--access-mode=rwx"], "invalid value 'rwx' for '--access-mode <MODE>' [possible values: RWO, ROX, RWX, RWOP] (--help describes the options)"),
    (&["create", "pv", "v", "--access-mode=RW"], "invalid value 'RW' for '--access-mode <MODE>' [possible values: RWO, ROX, RWX, RWOP]; tip: a similar value exists: 'RWX' (--help describes the options)"),
    (&["create", "pv", "v", "--access-mode=ReadWriteMany "], "invalid value 'ReadWriteMany ' for '--access-mode <MODE>' [possible values: RWO, ROX, RWX, RWOP] (--help describes the options)"),
    (&["create", "pv", "v", "--access-mode=ReadWriteAll"], "invalid value 'ReadWriteAll' for '--access-mode <MODE>' [possible values: RWO, ROX, RWX, RWOP] (--help describes the options)"),
    (&["create", "pv", "v", "--access-mode=RWO,RWX"], "invalid value 'RWO,RWX' for '--access-mode <MODE>' [possible values: RWO, ROX, RWX, RWOP]; tip: a similar value exists: 'RWO' (--help describes the options)"),
    (&["create", "pv", "v", "--access-mode="], "a value is required for '--access-mode <MODE>' but none was supplied [possible values: RWO, ROX, RWX, RWOP] (--help describes the options)"),
    (&["create", "pvc", "c", "--access-mode=RXW"], "invalid value 'RXW' for '--access-mode <MODE>' [possible values: RWO, ROX, RWX, RWOP]; tip: a similar value exists: 'RWOP' (--help describes the options)"),
    (&["create", "pvc", "c", "--access-mode=ReadOnly"], "invalid value 'ReadOnly' for '--access-mode <MODE>' [possible values: RWO, ROX, RWX, RWOP] (--help describes the options)"),
    (&["create", "pv", "v", "--reclaim-policy=retain"], "invalid value 'retain' for '--reclaim-policy <POLICY>' [possible values: Retain, Recycle, Delete]; tip: a similar value exists: 'Retain' (--help describes the options)"),
    (&["create", "pv", "v", "--reclaim-policy=Keep"], "invalid value 'Keep' for '--reclaim-policy <POLICY>' [possible values: Retain, Recycle, Delete] (--help describes the options)"),
    (&["create", "pv", "v", "--reclaim-policy=Archive"], "invalid value 'Archive' for '--reclaim-policy <POLICY>' [possible values: Retain, Recycle, Delete] (--help describes the options)"),
    (&["create", "storageclass", "c", "--binding-mode=immediate"], "invalid value 'immediate' for '--binding-mode <MODE>' [possible values: Immediate, WaitForFirstConsumer]; tip: a similar value exists: 'Immediate' (--help describes the options)"),
    (&["create", "storageclass", "c", "--binding-mode=WaitForConsumer"], "invalid value 'WaitForConsumer' for '--binding-mode <MODE>' [possible values: Immediate, WaitForFirstConsumer]; tip: a similar value exists: 'WaitForFirstConsumer' (--help describes the options)"),
    (&["create", "storageclass", "c", "--on-delete=Delete"], "invalid value 'Delete' for '--on-delete <ON_DELETE>' [possible values: delete, retain, archive]; tip: a similar value exists: 'delete' (--help describes the options)"),
    (&["create", "storageclass", "c", "--on-delete=remove"], "invalid value 'remove' for '--on-delete <ON_DELETE>' [possible values: delete, retain, archive] (--help describes the options)"),
    (&["create", "storageclass", "c", "--on-delete=true"], "invalid value 'true' for '--on-delete <ON_DELETE>' [possible values: delete, retain, archive] (--help describes the options)"),
    (&["create", "pv", "v", "--mount-option=ro\n"], "invalid value 'ro ' for '--mount-option <OPTION>': a mount option is one word; give --mount-option again for each (--help describes the options)"),
    (&["create", "provisioner", "--flavor=Upstream"], "invalid value 'Upstream' for '--flavor <FLAVOR>' [possible values: nfsprov, upstream]; tip: a similar value exists: 'upstream' (--help describes the options)"),
    (&["create", "provisioner", "--flavor=csi"], "invalid value 'csi' for '--flavor <FLAVOR>' [possible values: nfsprov, upstream] (--help describes the options)"),
    (&["create", "pv", "v", "--dry-run=yes"], "invalid value 'yes' for '--dry-run <WHERE>' [possible values: client, server] (--help describes the options)"),
    (&["create", "pv", "v", "--dry-run=none"], "invalid value 'none' for '--dry-run <WHERE>' [possible values: client, server] (--help describes the options)"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--size", "1Gi", "--apply", "--reclaim-policy", "Delete"], "a static PV can't have --reclaim-policy Delete: Kubernetes has no deleter for NFS, and the PV would end up Failed; use Retain, or a StorageClass"),
    (&["create", "storageclass", "c", "--reclaim-policy", "Recycle", "--apply"], "a StorageClass can't have --reclaim-policy Recycle; use Delete or Retain"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--size", "1Gi", "--apply", "--access-mode", "RWOP", "--access-mode", "RWX"], "--access-mode RWOP allows no other access mode"),
    (&["create", "pvc", "c", "--size", "1Gi", "--access-mode", "RWO", "--access-mode", "RWOP", "--apply"], "--access-mode RWOP allows no other access mode"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--size", "1Gi", "--apply", "--label", "a=1", "--label", "a=2"], "--label: a is given two values, 1 and 2"),
    (&["create", "pvc", "c", "--size", "1Gi", "--selector", "a=1", "--selector", "a=2", "--apply"], "--selector: a is given two values, 1 and 2"),
    (&["create", "pv", "--apply"], "required: NAME, --server, --path, --size"),
    (&["create", "pv", "v", "--path", "/p", "--size", "1Gi", "--apply"], "required: --server"),
    (&["create", "pv", "v", "--server", "s", "--size", "1Gi", "--apply"], "required: --path"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--apply"], "required: --size"),
    (&["create", "pvc", "--apply"], "required: NAME, --size"),
    (&["create", "pvc", "c", "--apply"], "required: --size"),
    (&["create", "pod", "--apply"], "required: NAME, --claim"),
    (&["create", "pod", "p", "--apply"], "required: --claim"),
    (&["create", "statefulset", "s", "--apply"], "required: --class"),
    (&["create", "statefulset", "--class", "c", "--apply"], "required: NAME"),
    (&["create", "storageclass", "--apply"], "required: NAME"),
    (&["create", "provisioner", "--apply"], "required: --server, --path"),
    (&["create", "provisioner", "--server", "s", "--apply"], "required: --path"),
    (&["create", "statefulset", "0web", "--class", "c", "--apply"], "the Service would be called 0web: a Service's name begins with a letter; give it another with --app"),
    (&["create", "provisioner", "--server", "s", "--path", "/p", "--provisioner", "a/B", "--replicas", "2", "--apply"], "--provisioner: its Lease has the name of the provisioner, and upper-case letters and `_` are not allowed in names of objects"),
    (&["create", "provisioner", "--server", "s", "--path", "/p", "--provisioner", "a_b", "--flavor", "upstream", "--apply"], "--provisioner: its Lease has the name of the provisioner, and upper-case letters and `_` are not allowed in names of objects"),
    (&["create", "provisioner", "--server", "s", "--path", "/p", "--flavor", "upstream", "--allow-expansion"], "--allow-expansion: nfs-subdir-external-provisioner expands no claims"),
    (&["create", "provisioner", "--server", "s", "--path", "/p", "--flavor", "upstream", "--network-policy"], "--network-policy: nfs-subdir-external-provisioner has no metrics to let others reach"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--size", "1Gi", "--wait", "--dry-run", "server"], "the argument '--wait' cannot be used with '--dry-run <WHERE>' (--help describes the options)"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--size", "1Gi", "--force-conflicts", "--dry-run", "client"], "--force-conflicts needs --apply or --dry-run server"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--size", "1Gi", "--output-dir", "d", "--dry-run", "client"], "the argument '--output-dir <DIR>' cannot be used with '--dry-run <WHERE>' (--help describes the options)"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--size", "1Gi", "--yes"], "the following required arguments were not provided: --output-dir <DIR> (--help describes the options)"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--size", "1Gi", "--apply", "--size", "2Gi"], "the argument '--size <SIZE>' cannot be used multiple times (--help describes the options)"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--size", "1Gi", "--apply", "extra"], "unexpected argument 'extra' found (--help describes the options)"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--size", "1Gi", "--apply", "--acess-mode", "RWX"], "unexpected argument '--acess-mode' found; tip: a similar argument exists: '--access-mode' (--help describes the options)"),
    (&["create", "pv", "v", "--server", "s", "--path", "/p", "--size", "1Gi", "--apply", "--capacity", "1Gi"], "unexpected argument '--capacity' found; tip: a similar argument exists: '--wait' (--help describes the options)"),
    (&["create", "volume", "v", "--apply"], "unrecognized subcommand 'volume' (--help describes the options)"),
    (&["create", "pv", "v", "--size"], "a value is required for '--size <SIZE>' but none was supplied (--help describes the options)"),
    (&["create", "storageclass", "c", "--server", "s", "--apply"], "the following required arguments were not provided: --path <PATH> (--help describes the options)"),
    (&["create", "storageclass", "c", "--path", "/p", "--apply"], "the following required arguments were not provided: --server <SERVER> (--help describes the options)"),
    (&["create", "storageclass", "c", "--wait", "--apply"], "unexpected argument '--wait' found; tip: to pass '--wait' as a value, use '-- --wait' (--help describes the options)"),
    (&["create", "pod", "p", "--claim", "c", "--wait", "--apply"], "unexpected argument '--wait' found; tip: to pass '--wait' as a value, use '-- --wait' (--help describes the options)"),
    (&["provision", "--server", "s", "--path", "/p", "--via", "dir:/p", "--quota-ssh", "ssh://root@s"], "--quota-ssh needs --via nfs; with --via ssh:// and dir:/MOUNT limits are set the same way"),
    (&["provision", "--server", "s", "--path", "/p", "--quota-ssh", "root@s"], "invalid value 'root@s' for '--quota-ssh <ssh://USER@HOST:PORT>': limits are set over ssh://[USER@]HOST[:PORT] (--help describes the options)"),
    (&["create", "provisioner", "--server", "s", "--path", "/p", "--flavor", "upstream", "--quota-ssh", "ssh://root@s", "--ssh-secret", "k", "--host-fingerprint", "SHA256:5RjoeWDTkEiHAHZ3cJK9R0z69Zq/Vyhj1YWpLNh2J2c"], "--quota-ssh: nfs-subdir-external-provisioner limits no directories"),
    (&["create", "provisioner", "--server", "s", "--path", "/p", "--quota-ssh", "ssh://root@s"], "the following required arguments were not provided: --ssh-secret <NAME> --host-fingerprint <SHA256:…> (--help describes the options)"),
    (&["create", "provisioner", "--server", "s", "--path", "/p", "--ssh-secret", "k"], "the following required arguments were not provided: --host-fingerprint <SHA256:…> --quota-ssh <ssh://USER@HOST:PORT> (--help describes the options)"),
    (&["create", "pod", "p", "--claim", "c", "sleep", "1"], "unexpected argument 'sleep' found (--help describes the options)"),
];

/// Expands a repeated part.
fn spelled(text: &str) -> String {
    let Some((before, after)) = text.split_once('*') else {
        return text.to_owned();
    };
    let part = if before.ends_with("/aa") { "/aa" } else { "a" };
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let times = after[..digits].parse().unwrap();
    format!(
        "{}{}{}",
        before.strip_suffix(part).unwrap(),
        part.repeat(times),
        &after[digits..]
    )
}

/// All command lines, with their expected messages.
fn cases() -> Vec<(Vec<String>, String)> {
    let mut cases = Vec::new();
    for (command, what, why, values) in VALUES {
        for value in *values {
            let (why, value) = (spelled(why), spelled(value));
            let mut args: Vec<String> = command.split(' ').map(str::to_owned).collect();
            args.push("--apply".to_owned());
            // A value that begins with a dash is passed with `=`.
            match *what {
                "[NAME]" if value.starts_with('-') => args.extend(["--".to_owned(), value.clone()]),
                "[NAME]" => args.push(value.clone()),
                _ => {
                    let option = args.remove(args.len() - 2);
                    args.push(format!("{option}={value}"));
                }
            }
            // The message has one line, whatever the value contains.
            let shown = match value.contains(['\n', '\t']) {
                true => value.split_whitespace().collect::<Vec<_>>().join(" "),
                false => value,
            };
            cases.push((
                args,
                format!("invalid value '{shown}' for '{what}': {why} (--help describes the options)"),
            ));
        }
    }
    let owned = |args: &[&str]| args.iter().map(|arg| spelled(arg)).collect();
    cases.extend(
        LINES
            .iter()
            .map(|(args, expected_message)| (owned(args), (*expected_message).to_owned())),
    );
    cases
}

#[test]
fn each_is_one_sentence_and_nothing_reaches_the_cluster() {
    let cases = cases();
    assert!(cases.len() >= 200, "{} cases", cases.len());
    // A listener in place of the API server: a connection to it would be a request.
    let cluster = TcpListener::bind("127.0.0.1:0").unwrap();
    cluster.set_nonblocking(true).unwrap();
    let place = tempfile::tempdir().unwrap();
    let url = format!("http://{}", cluster.local_addr().unwrap());
    let kubeconfig = write_kubeconfig(place.path(), &url);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((args, expected_message)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ran = Nfsprov::new(args).env("KUBECONFIG", &kubeconfig).run();
                    assert_eq!(ran.stderr, format!("error: {expected_message}\n"), "{args:?}");
                    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{args:?}");
                }
            });
        }
    });
    let called = cluster.accept();
    assert!(called.is_err(), "the cluster was called: {called:?}");
    // Shows that the check can fail: the same command without a mistake does send a request.
    let caller = std::thread::spawn(move || {
        let args = "create pvc c --size 1Gi --apply --request-timeout 2s";
        Nfsprov::new(args.split(' ')).env("KUBECONFIG", kubeconfig).run()
    });
    cluster.set_nonblocking(false).unwrap();
    assert!(cluster.accept().is_ok());
    assert_eq!(caller.join().unwrap().status, 1);
}
