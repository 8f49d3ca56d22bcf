# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_nfsprov_global_optspecs
    string join \n kubeconfig= context= n/namespace= request-timeout= color= v/verbose q/quiet h/help V/version
end

function __fish_nfsprov_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_nfsprov_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_nfsprov_using_subcommand
    set -l cmd (__fish_nfsprov_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c nfsprov -n "__fish_nfsprov_needs_command" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_needs_command" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_needs_command" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_needs_command" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_needs_command" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_needs_command" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "setup-server" -d 'Set up an NFS server over SSH and verify it with an NFS call'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "setup-client" -d 'Set up NFS clients over SSH'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "teardown-server" -d 'Remove nfsprov\'s exports from a host; data and packages are kept'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "create" -d 'Create volumes, claims, classes, pods and provisioners: print the manifest or apply it'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "provision" -d 'Run the dynamic provisioner'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "doctor" -d 'Diagnose pending claims and failing NFS mounts, and suggest fixes'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "status" -d 'Show the claims, volumes, classes and provisioners that use NFS'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "release" -d 'Make a Released volume Available again'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "volumes" -d 'Manage the directories on an export: list, restore and expire archives, rebuild, adopt'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "templates" -d 'Export the templates of nfsprov create'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "migrate" -d 'Migrate from another provisioner, or back to it'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "version" -d 'Show nfsprov\'s version and the Kubernetes versions that it is tested with'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "man" -d 'Print the manual page, or write all pages to a directory'
complete -c nfsprov -n "__fish_nfsprov_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l export -d 'Directory to export' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l allow -d 'Client that may mount the export: address, network, host name, @netgroup, or * for every host (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l node -d 'Node to set up as a client and to allow (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l address -d 'Host name or address by which clients reach the server [default: HOST]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l options -d 'Export options' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l mode -d 'Mode of the directory [default: 0777 if it is created, else unchanged]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l owner -d 'Owner of the directory, as USER, USER:GROUP or numbers [default: unchanged]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l nfs-version -d 'NFS versions to serve' -r -f -a "3\t'3 alone'
4\t'4 alone, which needs no rpcbind'
all\t'Both'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -s o -l output -d 'Output format' -r -f -a "table\t'Aligned columns'
json\t'JSON'
yaml\t'YAML'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l exports-file -d 'Exports file to edit' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l nodes-from-cluster -d 'Set up and allow every node of the current context, with the server\'s login'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l allow-nodes-from-cluster -d 'Allow every node of the current context by its InternalIP, without logging in; asks for confirmation'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l root-squash -d 'Map root on clients to the user nobody; such an export needs provision --via ssh://'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l quota -d 'Have the file system of the directory enforce limits, for classes with quota: enforce'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l remount -d 'With --quota, stop the NFS server and mount the file system anew if nothing less helps'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -s y -l yes -d 'Answer yes to every question'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l dry-run -d 'Print the plan with a diff of every file, without making changes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l check -d 'Like --dry-run, but exit with status 4 if anything would change'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-server" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l server -d 'NFS server for a test mount' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l export -d 'Exported directory for the test mount' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l nfs-version -d 'NFS versions to test' -r -f -a "3\t'3 alone'
4\t'4 alone, which needs no rpcbind'
all\t'Both'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -s o -l output -d 'Output format' -r -f -a "table\t'Aligned columns'
json\t'JSON'
yaml\t'YAML'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l nodes-from-cluster -d 'Set up every node of the current context'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l dry-run -d 'Print the plan with a diff of every file, without making changes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l check -d 'Like --dry-run, but exit with status 4 if anything would change'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand setup-client" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l export -d 'Directory to stop exporting; its data is kept' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l exports-file -d 'Exports file to edit' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -s o -l output -d 'Output format' -r -f -a "table\t'Aligned columns'
json\t'JSON'
yaml\t'YAML'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -s y -l yes -d 'Answer yes to every question'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l dry-run -d 'Print the plan with a diff of every file, without making changes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l check -d 'Like --dry-run, but exit with status 4 if anything would change'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand teardown-server" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -f -a "pv" -d 'Create a static volume on an existing export'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -f -a "pvc" -d 'Create a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -f -a "storageclass" -d 'Create a StorageClass'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -f -a "sc" -d 'Create a StorageClass'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -f -a "pod" -d 'Create a pod that uses a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -f -a "statefulset" -d 'Create a StatefulSet with a claim for each pod, and its Service'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -f -a "sts" -d 'Create a StatefulSet with a claim for each pod, and its Service'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -f -a "provisioner" -d 'Create a provisioner in the cluster: ServiceAccount, RBAC, Deployment and StorageClass'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and not __fish_seen_subcommand_from pv pvc storageclass sc pod statefulset sts provisioner help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l server -d 'Host name or address by which the nodes reach the NFS server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l size -d 'Size, such as 1Gi; NFS does not enforce it' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l access-mode -d 'Access mode (repeatable)' -r -f -a "RWO\t'Read and write by one node'
ROX\t'Read-only by many nodes'
RWX\t'Read and write by many nodes'
RWOP\t'Read and write by one pod'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l reclaim-policy -d 'Effect of the claim\'s deletion on the volume' -r -f -a "Retain\t'Keep the volume (Released) and its data'
Recycle\t'Empty the volume and make it Available again (deprecated)'
Delete\t'Delete the volume'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l class -d 'Class that a claim must have to bind to the volume, or "" for none' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l mount-option -d 'Mount option (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l claim -d 'Only claim that can bind to the volume' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l label -d 'Label (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l dry-run -d 'Print the manifest (client), or have the API server check it without storing it (server)' -r -f -a "client\t'Print the manifest only'
server\t'Have the API server check it without storing it'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l output-dir -d 'Directory for one file per object, instead of printing them' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l template-dir -d 'Directory of templates that replace the built-in ones of the same name' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l timeout -d 'Time limit of --wait' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l apply -d 'Apply the manifest to the cluster instead of printing it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l force-conflicts -d 'With --apply, change fields that another field manager owns'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -s y -l yes -d 'Overwrite files that are there and differ'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -l wait -d 'With --apply, wait until the volume is Available or the claim Bound'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pv" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l size -d 'Size, such as 1Gi' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l class -d 'Class, or "" for none [default: the cluster\'s default class]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l access-mode -d 'Access mode (repeatable)' -r -f -a "RWO\t'Read and write by one node'
ROX\t'Read-only by many nodes'
RWX\t'Read and write by many nodes'
RWOP\t'Read and write by one pod'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l volume -d 'Volume that the claim must bind to' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l selector -d 'Label that the volume must have (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l dry-run -d 'Print the manifest (client), or have the API server check it without storing it (server)' -r -f -a "client\t'Print the manifest only'
server\t'Have the API server check it without storing it'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l output-dir -d 'Directory for one file per object, instead of printing them' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l template-dir -d 'Directory of templates that replace the built-in ones of the same name' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l timeout -d 'Time limit of --wait' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l apply -d 'Apply the manifest to the cluster instead of printing it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l force-conflicts -d 'With --apply, change fields that another field manager owns'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -s y -l yes -d 'Overwrite files that are there and differ'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -l wait -d 'With --apply, wait until the volume is Available or the claim Bound'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pvc" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l provisioner -d 'Name of the provisioner' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l reclaim-policy -d 'Effect of a claim\'s deletion on its volume' -r -f -a "Retain\t'Keep the volume (Released) and its data'
Recycle\t'Empty the volume and make it Available again (deprecated)'
Delete\t'Delete the volume'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l binding-mode -d 'Time at which volumes are provisioned' -r -f -a "Immediate\t'As soon as the claim exists'
WaitForFirstConsumer\t'When the first pod that uses the claim is scheduled'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l mount-option -d 'Mount option (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l on-delete -d 'Effect of a volume\'s deletion on its directory [default: archive; none with --reclaim-policy Retain]' -r -f -a "delete\t'Remove the directory and its contents'
retain\t'Keep the directory where it is'
archive\t'Rename the directory to archived-…'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l server -d 'NFS server to write into the class' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l path -d 'Exported directory to write into the class' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l path-pattern -d 'Path pattern of new directories, such as \'${.PVC.namespace}/${.PVC.name}\' [default: claim and volume name]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l dir-mode -d 'Permission bits of new directories [default: 0777]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l dir-uid -d 'User id that owns new directories [default: 0]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l dir-gid -d 'Group id of new directories [default: 0]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l quota -d 'Bind claims only once the server limits their directories to their size (docs/capacity.md)' -r -f -a "enforce\t'What can\'t be limited stays Pending'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l dry-run -d 'Print the manifest (client), or have the API server check it without storing it (server)' -r -f -a "client\t'Print the manifest only'
server\t'Have the API server check it without storing it'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l output-dir -d 'Directory for one file per object, instead of printing them' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l template-dir -d 'Directory of templates that replace the built-in ones of the same name' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l default -d 'Make this the default class'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l allow-expansion -d 'Allow claims to be expanded; the provisioner needs --allow-expansion, too'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l apply -d 'Apply the manifest to the cluster instead of printing it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -l force-conflicts -d 'With --apply, change fields that another field manager owns'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -s y -l yes -d 'Overwrite files that are there and differ'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from storageclass" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l provisioner -d 'Name of the provisioner' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l reclaim-policy -d 'Effect of a claim\'s deletion on its volume' -r -f -a "Retain\t'Keep the volume (Released) and its data'
Recycle\t'Empty the volume and make it Available again (deprecated)'
Delete\t'Delete the volume'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l binding-mode -d 'Time at which volumes are provisioned' -r -f -a "Immediate\t'As soon as the claim exists'
WaitForFirstConsumer\t'When the first pod that uses the claim is scheduled'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l mount-option -d 'Mount option (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l on-delete -d 'Effect of a volume\'s deletion on its directory [default: archive; none with --reclaim-policy Retain]' -r -f -a "delete\t'Remove the directory and its contents'
retain\t'Keep the directory where it is'
archive\t'Rename the directory to archived-…'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l server -d 'NFS server to write into the class' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l path -d 'Exported directory to write into the class' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l path-pattern -d 'Path pattern of new directories, such as \'${.PVC.namespace}/${.PVC.name}\' [default: claim and volume name]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l dir-mode -d 'Permission bits of new directories [default: 0777]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l dir-uid -d 'User id that owns new directories [default: 0]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l dir-gid -d 'Group id of new directories [default: 0]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l quota -d 'Bind claims only once the server limits their directories to their size (docs/capacity.md)' -r -f -a "enforce\t'What can\'t be limited stays Pending'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l dry-run -d 'Print the manifest (client), or have the API server check it without storing it (server)' -r -f -a "client\t'Print the manifest only'
server\t'Have the API server check it without storing it'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l output-dir -d 'Directory for one file per object, instead of printing them' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l template-dir -d 'Directory of templates that replace the built-in ones of the same name' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l default -d 'Make this the default class'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l allow-expansion -d 'Allow claims to be expanded; the provisioner needs --allow-expansion, too'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l apply -d 'Apply the manifest to the cluster instead of printing it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -l force-conflicts -d 'With --apply, change fields that another field manager owns'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -s y -l yes -d 'Overwrite files that are there and differ'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sc" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l claim -d 'Claim that the pod uses' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l image -d 'Image of the container' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l mount-path -d 'Mount path in the container' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l dry-run -d 'Print the manifest (client), or have the API server check it without storing it (server)' -r -f -a "client\t'Print the manifest only'
server\t'Have the API server check it without storing it'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l output-dir -d 'Directory for one file per object, instead of printing them' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l template-dir -d 'Directory of templates that replace the built-in ones of the same name' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l apply -d 'Apply the manifest to the cluster instead of printing it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -l force-conflicts -d 'With --apply, change fields that another field manager owns'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -s y -l yes -d 'Overwrite files that are there and differ'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from pod" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l class -d 'Class of the claims' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l app -d 'Name of the Service and of the container, and the label `app` [default: the StatefulSet\'s name]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l replicas -d 'Number of pods' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l size -d 'Size of each claim, such as 1Gi' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l access-mode -d 'Access mode of the claims (repeatable)' -r -f -a "RWO\t'Read and write by one node'
ROX\t'Read-only by many nodes'
RWX\t'Read and write by many nodes'
RWOP\t'Read and write by one pod'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l image -d 'Image of the container' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l mount-path -d 'Mount path in the container' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l volume -d 'Name of the volume; the claims are called VOLUME-NAME-0 and so on' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l service-port -d 'Port of the container and of the Service' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l node-port -d 'NodePort of the Service [default: none; the Service is headless]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l dry-run -d 'Print the manifest (client), or have the API server check it without storing it (server)' -r -f -a "client\t'Print the manifest only'
server\t'Have the API server check it without storing it'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l output-dir -d 'Directory for one file per object, instead of printing them' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l template-dir -d 'Directory of templates that replace the built-in ones of the same name' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l apply -d 'Apply the manifest to the cluster instead of printing it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -l force-conflicts -d 'With --apply, change fields that another field manager owns'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -s y -l yes -d 'Overwrite files that are there and differ'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from statefulset" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l class -d 'Class of the claims' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l app -d 'Name of the Service and of the container, and the label `app` [default: the StatefulSet\'s name]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l replicas -d 'Number of pods' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l size -d 'Size of each claim, such as 1Gi' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l access-mode -d 'Access mode of the claims (repeatable)' -r -f -a "RWO\t'Read and write by one node'
ROX\t'Read-only by many nodes'
RWX\t'Read and write by many nodes'
RWOP\t'Read and write by one pod'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l image -d 'Image of the container' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l mount-path -d 'Mount path in the container' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l volume -d 'Name of the volume; the claims are called VOLUME-NAME-0 and so on' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l service-port -d 'Port of the container and of the Service' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l node-port -d 'NodePort of the Service [default: none; the Service is headless]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l dry-run -d 'Print the manifest (client), or have the API server check it without storing it (server)' -r -f -a "client\t'Print the manifest only'
server\t'Have the API server check it without storing it'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l output-dir -d 'Directory for one file per object, instead of printing them' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l template-dir -d 'Directory of templates that replace the built-in ones of the same name' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l apply -d 'Apply the manifest to the cluster instead of printing it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -l force-conflicts -d 'With --apply, change fields that another field manager owns'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -s y -l yes -d 'Overwrite files that are there and differ'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from sts" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l server -d 'Host name or address by which the nodes reach the NFS server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l provisioner -d 'Name of the provisioner, as in classes [default: nfsprov/nfs; with --flavor upstream: k8s-sigs.io/nfs-subdir-external-provisioner]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l image -d 'Image [default: nfsprov\'s image of this version; with --flavor upstream: its v4.0.2]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l replicas -d 'Number of pods: one leader, the others on standby [default: 2; with --flavor upstream: 1]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l kubernetes -d 'Kubernetes version of the cluster; before 1.22 the pod runs as root with the single capability NET_BIND_SERVICE [default: the cluster\'s with --apply or --dry-run server, else 1.22 or newer]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l class -d 'Name of the class to create' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l flavor -d 'Provisioner program to run' -r -f -a "nfsprov\t'nfsprov'
upstream\t'nfs-subdir-external-provisioner'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l dry-run -d 'Print the manifest (client), or have the API server check it without storing it (server)' -r -f -a "client\t'Print the manifest only'
server\t'Have the API server check it without storing it'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l output-dir -d 'Directory for one file per object, instead of printing them' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l template-dir -d 'Directory of templates that replace the built-in ones of the same name' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l allow-expansion -d 'Allow claims of the class to be expanded, and the provisioner to change the sizes of bound claims'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l apply -d 'Apply the manifest to the cluster instead of printing it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -l force-conflicts -d 'With --apply, change fields that another field manager owns'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -s y -l yes -d 'Overwrite files that are there and differ'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from provisioner" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from help" -f -a "pv" -d 'Create a static volume on an existing export'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from help" -f -a "pvc" -d 'Create a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from help" -f -a "storageclass" -d 'Create a StorageClass'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from help" -f -a "pod" -d 'Create a pod that uses a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from help" -f -a "statefulset" -d 'Create a StatefulSet with a claim for each pod, and its Service'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from help" -f -a "provisioner" -d 'Create a provisioner in the cluster: ServiceAccount, RBAC, Deployment and StorageClass'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand create; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l server -d 'Host name or address by which the nodes reach the NFS server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l name -d 'Name of the provisioner, as in classes' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l quota-ssh -d 'With --via nfs, the NFS server, where commands set the limits of classes with quota: enforce; needs root or --sudo' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l allow-export -d 'Further export that a class may name by its parameters server and path (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l concurrency -d 'Concurrency limit for each export: claims provisioned at once' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l lease-namespace -d 'Namespace of the Lease [default: -n, else the namespace of the context or the pod]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l metrics-addr -d 'With --watch, serve /metrics, /healthz and /readyz on this address' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l usage-interval -d 'Interval at which metrics report what each limited volume uses, such as 5m; needs --metrics-addr [default: never]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l log-format -d 'Log format' -r -f -a "text\t'For people'
json\t'A JSON object a line'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -s o -l output -d 'Output format' -r -f -a "table\t'Aligned columns'
wide\t'Aligned columns, all of them'
json\t'JSON'
yaml\t'YAML'
name\t'Names only, as KIND/NAME'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l watch -d 'Run until SIGINT or SIGTERM, instead of one pass over the pending claims'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l dry-run -d 'Print what would be provisioned, without making changes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l leader-elect -d 'Provision only while holding the Lease of the provisioner\'s name, so that one of several replicas is the leader'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l no-headers -d 'Leave out the headings of tables'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand provision" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -s o -l output -d 'Output format' -r -f -a "table\t'Text for a terminal'
markdown\t'Markdown, for a ticket'
json\t'A JSON object'
junit\t'A JUnit test suite'
sarif\t'A SARIF 2.1.0 log'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l select -d 'Report only this finding (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l ignore -d 'Leave out this finding (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l fail-on -d 'Lowest severity that makes the exit status 1' -r -f -a "error\t'Errors'
warning\t'Errors and warnings'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l dump -d 'Write the data that the checks need to this directory, without running them' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l from-dump -d 'Check the files in this directory (written by --dump or kubectl get -o json) instead of a cluster' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l fix -d 'Make automatic fixes, all or those of these findings: show each change, ask, apply it, wait for its effect' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l timeout -d 'With --fix, time limit for the effect of a change [default: 2m; for an API server 3m]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l ssh -d 'Host to check and to fix over SSH (repeatable); with --gate or --undo, every server node of the cluster' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -s A -l all-namespaces -d 'Claims and pods of all namespaces'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l strict -d 'Exit with status 3 if a check could not run, too'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l no-probe -d 'Skip the NFS calls from this machine to the cluster\'s NFS servers'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l dry-run -d 'With --fix or --undo, show the changes without making them'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -s y -l yes -d 'With --fix or --undo, ask no questions'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l gate -d 'With --fix, set RemoveSelfLink=false on the hosts of --ssh instead of changing an image that needs selfLink; with --undo, remove it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l undo -d 'Undo --gate on the hosts of --ssh'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -a "explain" -d 'Explain a finding: its meaning, its causes and what to do'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and not __fish_seen_subcommand_from explain help" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and __fish_seen_subcommand_from explain" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and __fish_seen_subcommand_from explain" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and __fish_seen_subcommand_from explain" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and __fish_seen_subcommand_from explain" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and __fish_seen_subcommand_from explain" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and __fish_seen_subcommand_from explain" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and __fish_seen_subcommand_from explain" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and __fish_seen_subcommand_from explain" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and __fish_seen_subcommand_from help" -f -a "explain" -d 'Explain a finding: its meaning, its causes and what to do'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand doctor; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -s o -l output -d 'Output format' -r -f -a "table\t'Aligned columns'
wide\t'Aligned columns, all of them'
json\t'JSON'
yaml\t'YAML'
name\t'Names only, as KIND/NAME'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l server -d 'NFS server, as in the volumes [default: from the volumes]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l path -d 'Exported directory [default: from the volumes]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -s A -l all-namespaces -d 'Claims of all namespaces'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l no-headers -d 'Leave out the headings of tables'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -s w -l watch -d 'Show the status again after each change'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l sizes -d 'Measure the data in each volume; needs an NFS call for every directory in it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand status" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l server -d 'NFS server, as in the volumes [default: from the volumes]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l path -d 'Exported directory [default: from the volumes]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l keep-data -d 'Keep the data; the next claim sees it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l scrub -d 'Empty the volume\'s directory first'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -s y -l yes -d 'Answer yes to every question'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand release" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -f -a "list" -d 'List the directories on an export, with the volumes that own them'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -f -a "orphans" -d 'List the directories without a volume in this cluster'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -f -a "archived" -d 'List the archives of deleted volumes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -f -a "restore" -d 'Restore an archive as a volume for a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -f -a "expire" -d 'Delete archives by age or total size'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -f -a "record" -d 'Write the records of volumes to their export, for volumes rebuild'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -f -a "rebuild" -d 'Create the volumes and claims of an export\'s records in a new or damaged cluster'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -f -a "adopt" -d 'Make an existing directory the volume of a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -f -a "limit" -d 'Limit existing volumes to their size, as quota: enforce does for new ones'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and not __fish_seen_subcommand_from list orphans archived restore expire record rebuild adopt limit help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -s o -l output -d 'Output format' -r -f -a "table\t'Aligned columns'
wide\t'Aligned columns, all of them'
json\t'JSON'
yaml\t'YAML'
name\t'Names only, as KIND/NAME'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l server -d 'NFS server, as in the volumes' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l no-headers -d 'Leave out the headings of tables'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l sizes -d 'Measure the data; needs an NFS call for every directory'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -s o -l output -d 'Output format' -r -f -a "table\t'Aligned columns'
wide\t'Aligned columns, all of them'
json\t'JSON'
yaml\t'YAML'
name\t'Names only, as KIND/NAME'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l server -d 'NFS server, as in the volumes' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l remove-empty -d 'Remove empty directories, after confirmation'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -s y -l yes -d 'Answer yes to every question'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l no-headers -d 'Leave out the headings of tables'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l sizes -d 'Measure the data; needs an NFS call for every directory'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from orphans" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -s o -l output -d 'Output format' -r -f -a "table\t'Aligned columns'
wide\t'Aligned columns, all of them'
json\t'JSON'
yaml\t'YAML'
name\t'Names only, as KIND/NAME'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l server -d 'NFS server, as in the volumes' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l no-headers -d 'Leave out the headings of tables'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l sizes -d 'Measure the data; needs an NFS call for every directory'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from archived" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l claim -d 'Claim for the volume [default: the record\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l size -d 'Size of the volume and of a new claim [default: from the record, or the claim\'s request]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l class -d 'Class of a new claim [default: from the record, or none]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l access-mode -d 'Access mode of a new claim (repeatable) [default: from the record, or RWX]' -r -f -a "RWO\t'Read and write by one node'
ROX\t'Read-only by many nodes'
RWX\t'Read and write by many nodes'
RWOP\t'Read and write by one pod'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l former-server -d 'Former name or address of the server; records that name it are used for --server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l server -d 'NFS server, as in the volumes' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l create-claim -d 'Create the claim if it does not exist'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from restore" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l older-than -d 'Delete archives that were not changed for this time, such as 30d' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l keep-total -d 'Delete the oldest archives until the total is at most this, such as 100Gi; needs an NFS call for every directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l server -d 'NFS server, as in the volumes' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -s y -l yes -d 'Answer yes to every question'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l dry-run -d 'Print what would be deleted, without making changes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from expire" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l server -d 'NFS server, as in the volumes' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l dry-run -d 'Print what would be written, without making changes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from record" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l claim -d 'Rebuild this claim only, even if its directory was created for another claim' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l former-server -d 'Former name or address of the server; records that name it are used for --server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -s o -l output -d 'Output format of the plan; yaml can be piped to kubectl apply' -r -f -a "table\t'Aligned columns'
wide\t'Aligned columns, all of them'
json\t'JSON'
yaml\t'YAML'
name\t'Names only, as KIND/NAME'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l server -d 'NFS server, as in the volumes' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l apply -d 'Create the missing objects'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l create-namespaces -d 'Create missing namespaces'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -s y -l yes -d 'Answer yes to every question'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l no-headers -d 'Leave out the headings of the table'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from rebuild" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l claim -d 'Claim for the volume' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l size -d 'Size of the volume and of a new claim [default: from the record, or the claim\'s request]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l class -d 'Class of a new claim [default: from the record, or none]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l access-mode -d 'Access mode of a new claim (repeatable) [default: from the record, or RWX]' -r -f -a "RWO\t'Read and write by one node'
ROX\t'Read-only by many nodes'
RWX\t'Read and write by many nodes'
RWOP\t'Read and write by one pod'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l former-server -d 'Former name or address of the server; records that name it are used for --server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l server -d 'NFS server, as in the volumes' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l create-claim -d 'Create the claim if it does not exist'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from adopt" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l server -d 'NFS server, as in the volumes' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l path -d 'Exported directory' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l via -d 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -s i -l identity-file -d 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l jump -d 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l host-key -d 'Handling of host keys that are not in known_hosts [default: ask]' -r -f -a "ask\t'Show the key and ask'
strict\t'Refuse'
accept-new\t'Record the key and continue'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l host-fingerprint -d 'Fingerprint of an accepted host key, jump hosts included (repeatable)' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l connect-timeout -d 'Time limit of each step of a login [default: 10s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l sudo-password-file -d 'File with the sudo password in its first line' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l dry-run -d 'Measure the volumes, without making changes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -l sudo -d 'Become root with sudo; asks for the password if sudo needs one'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from limit" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the directories on an export, with the volumes that own them'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from help" -f -a "orphans" -d 'List the directories without a volume in this cluster'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from help" -f -a "archived" -d 'List the archives of deleted volumes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Restore an archive as a volume for a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from help" -f -a "expire" -d 'Delete archives by age or total size'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from help" -f -a "record" -d 'Write the records of volumes to their export, for volumes rebuild'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from help" -f -a "rebuild" -d 'Create the volumes and claims of an export\'s records in a new or damaged cluster'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from help" -f -a "adopt" -d 'Make an existing directory the volume of a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from help" -f -a "limit" -d 'Limit existing volumes to their size, as quota: enforce does for new ones'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand volumes; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and not __fish_seen_subcommand_from export help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and not __fish_seen_subcommand_from export help" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and not __fish_seen_subcommand_from export help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and not __fish_seen_subcommand_from export help" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and not __fish_seen_subcommand_from export help" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and not __fish_seen_subcommand_from export help" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and not __fish_seen_subcommand_from export help" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and not __fish_seen_subcommand_from export help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and not __fish_seen_subcommand_from export help" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and not __fish_seen_subcommand_from export help" -f -a "export" -d 'Write the built-in templates to a directory; edit them and use them with --template-dir'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and not __fish_seen_subcommand_from export help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from export" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from export" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from export" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from export" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from export" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from export" -s y -l yes -d 'Overwrite existing files that differ'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from export" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from export" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write the built-in templates to a directory; edit them and use them with --template-dir'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand templates; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and not __fish_seen_subcommand_from nfs-subdir-external-provisioner help" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and not __fish_seen_subcommand_from nfs-subdir-external-provisioner help" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and not __fish_seen_subcommand_from nfs-subdir-external-provisioner help" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and not __fish_seen_subcommand_from nfs-subdir-external-provisioner help" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and not __fish_seen_subcommand_from nfs-subdir-external-provisioner help" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and not __fish_seen_subcommand_from nfs-subdir-external-provisioner help" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and not __fish_seen_subcommand_from nfs-subdir-external-provisioner help" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and not __fish_seen_subcommand_from nfs-subdir-external-provisioner help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and not __fish_seen_subcommand_from nfs-subdir-external-provisioner help" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and not __fish_seen_subcommand_from nfs-subdir-external-provisioner help" -f -a "nfs-subdir-external-provisioner" -d 'Migrate from nfs-subdir-external-provisioner, or back to it with --back'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and not __fish_seen_subcommand_from nfs-subdir-external-provisioner help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -l name -d 'Name of nfsprov\'s Deployment and ServiceAccount' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -l image -d 'Image of nfsprov [default: the published image of this version]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -l replicas -d 'Number of nfsprov\'s pods: one leader, the others on standby [default: 2]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -l timeout -d 'Time limit of each step' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -l back -d 'Remove nfsprov and start nfs-subdir-external-provisioner again'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -l dry-run -d 'Print the plan without making changes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -s y -l yes -d 'Answer yes to every question'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from nfs-subdir-external-provisioner" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from help" -f -a "nfs-subdir-external-provisioner" -d 'Migrate from nfs-subdir-external-provisioner, or back to it with --back'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand migrate; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand version" -s o -l output -d 'Output format' -r -f -a "text\t'Plain text'
json\t'JSON'
yaml\t'YAML'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand version" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand version" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand version" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand version" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand version" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand version" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand version" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand version" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand version" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand completions" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand completions" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand completions" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand completions" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand completions" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand completions" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand completions" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand completions" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand man" -l output-dir -d 'Directory for one page per command, such as /usr/local/share/man/man1' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand man" -l kubeconfig -d 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod\'s service account]' -r -F
complete -c nfsprov -n "__fish_nfsprov_using_subcommand man" -l context -d 'Context of the kubeconfig' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand man" -s n -l namespace -d 'Namespace [default: the context\'s]' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand man" -l request-timeout -d 'Time limit of one request to the API server' -r
complete -c nfsprov -n "__fish_nfsprov_using_subcommand man" -l color -d 'Colour of logs and tables' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c nfsprov -n "__fish_nfsprov_using_subcommand man" -s y -l yes -d 'Overwrite existing files that differ'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand man" -s v -l verbose -d 'More detailed logs (-v, -vv)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand man" -s q -l quiet -d 'Errors only'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand man" -s V -l version -d 'Print version'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "setup-server" -d 'Set up an NFS server over SSH and verify it with an NFS call'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "setup-client" -d 'Set up NFS clients over SSH'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "teardown-server" -d 'Remove nfsprov\'s exports from a host; data and packages are kept'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "create" -d 'Create volumes, claims, classes, pods and provisioners: print the manifest or apply it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "provision" -d 'Run the dynamic provisioner'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "doctor" -d 'Diagnose pending claims and failing NFS mounts, and suggest fixes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "status" -d 'Show the claims, volumes, classes and provisioners that use NFS'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "release" -d 'Make a Released volume Available again'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "volumes" -d 'Manage the directories on an export: list, restore and expire archives, rebuild, adopt'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "templates" -d 'Export the templates of nfsprov create'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "migrate" -d 'Migrate from another provisioner, or back to it'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "version" -d 'Show nfsprov\'s version and the Kubernetes versions that it is tested with'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "completions" -d 'Print the completion script of a shell'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "man" -d 'Print the manual page, or write all pages to a directory'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and not __fish_seen_subcommand_from setup-server setup-client teardown-server create provision doctor status release volumes templates migrate version completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from create" -f -a "pv" -d 'Create a static volume on an existing export'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from create" -f -a "pvc" -d 'Create a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from create" -f -a "storageclass" -d 'Create a StorageClass'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from create" -f -a "pod" -d 'Create a pod that uses a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from create" -f -a "statefulset" -d 'Create a StatefulSet with a claim for each pod, and its Service'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from create" -f -a "provisioner" -d 'Create a provisioner in the cluster: ServiceAccount, RBAC, Deployment and StorageClass'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from doctor" -f -a "explain" -d 'Explain a finding: its meaning, its causes and what to do'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from volumes" -f -a "list" -d 'List the directories on an export, with the volumes that own them'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from volumes" -f -a "orphans" -d 'List the directories without a volume in this cluster'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from volumes" -f -a "archived" -d 'List the archives of deleted volumes'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from volumes" -f -a "restore" -d 'Restore an archive as a volume for a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from volumes" -f -a "expire" -d 'Delete archives by age or total size'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from volumes" -f -a "record" -d 'Write the records of volumes to their export, for volumes rebuild'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from volumes" -f -a "rebuild" -d 'Create the volumes and claims of an export\'s records in a new or damaged cluster'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from volumes" -f -a "adopt" -d 'Make an existing directory the volume of a claim'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from volumes" -f -a "limit" -d 'Limit existing volumes to their size, as quota: enforce does for new ones'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from templates" -f -a "export" -d 'Write the built-in templates to a directory; edit them and use them with --template-dir'
complete -c nfsprov -n "__fish_nfsprov_using_subcommand help; and __fish_seen_subcommand_from migrate" -f -a "nfs-subdir-external-provisioner" -d 'Migrate from nfs-subdir-external-provisioner, or back to it with --back'
