
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'nfsprov' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'nfsprov'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'nfsprov' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('setup-server', 'setup-server', [CompletionResultType]::ParameterValue, 'Set up an NFS server over SSH and verify it with an NFS call')
            [CompletionResult]::new('setup-client', 'setup-client', [CompletionResultType]::ParameterValue, 'Set up NFS clients over SSH')
            [CompletionResult]::new('teardown-server', 'teardown-server', [CompletionResultType]::ParameterValue, 'Remove nfsprov''s exports from a host; data and packages are kept')
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Create volumes, claims, classes, pods and provisioners: print the manifest or apply it')
            [CompletionResult]::new('provision', 'provision', [CompletionResultType]::ParameterValue, 'Run the dynamic provisioner')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Diagnose pending claims and failing NFS mounts, and suggest fixes')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the claims, volumes, classes and provisioners that use NFS')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Make a Released volume Available again')
            [CompletionResult]::new('volumes', 'volumes', [CompletionResultType]::ParameterValue, 'Manage the directories on an export: list, restore and expire archives, rebuild, adopt')
            [CompletionResult]::new('templates', 'templates', [CompletionResultType]::ParameterValue, 'Export the templates of nfsprov create')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Migrate from another provisioner, or back to it')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Show nfsprov''s version and the Kubernetes versions that it is tested with')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write all pages to a directory')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;setup-server' {
            [CompletionResult]::new('--export', '--export', [CompletionResultType]::ParameterName, 'Directory to export')
            [CompletionResult]::new('--allow', '--allow', [CompletionResultType]::ParameterName, 'Client that may mount the export: address, network, host name, @netgroup, or * for every host (repeatable)')
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'Node to set up as a client and to allow (repeatable)')
            [CompletionResult]::new('--address', '--address', [CompletionResultType]::ParameterName, 'Host name or address by which clients reach the server [default: HOST]')
            [CompletionResult]::new('--options', '--options', [CompletionResultType]::ParameterName, 'Export options')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Mode of the directory [default: 0777 if it is created, else unchanged]')
            [CompletionResult]::new('--owner', '--owner', [CompletionResultType]::ParameterName, 'Owner of the directory, as USER, USER:GROUP or numbers [default: unchanged]')
            [CompletionResult]::new('--nfs-version', '--nfs-version', [CompletionResultType]::ParameterName, 'NFS versions to serve')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--exports-file', '--exports-file', [CompletionResultType]::ParameterName, 'Exports file to edit')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--nodes-from-cluster', '--nodes-from-cluster', [CompletionResultType]::ParameterName, 'Set up and allow every node of the current context, with the server''s login')
            [CompletionResult]::new('--allow-nodes-from-cluster', '--allow-nodes-from-cluster', [CompletionResultType]::ParameterName, 'Allow every node of the current context by its InternalIP, without logging in; asks for confirmation')
            [CompletionResult]::new('--root-squash', '--root-squash', [CompletionResultType]::ParameterName, 'Map root on clients to the user nobody; such an export needs provision --via ssh://')
            [CompletionResult]::new('--quota', '--quota', [CompletionResultType]::ParameterName, 'Have the file system of the directory enforce limits, for classes with quota: enforce')
            [CompletionResult]::new('--remount', '--remount', [CompletionResultType]::ParameterName, 'With --quota, stop the NFS server and mount the file system anew if nothing less helps')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the plan with a diff of every file, without making changes')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Like --dry-run, but exit with status 4 if anything would change')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;setup-client' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server for a test mount')
            [CompletionResult]::new('--export', '--export', [CompletionResultType]::ParameterName, 'Exported directory for the test mount')
            [CompletionResult]::new('--nfs-version', '--nfs-version', [CompletionResultType]::ParameterName, 'NFS versions to test')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--nodes-from-cluster', '--nodes-from-cluster', [CompletionResultType]::ParameterName, 'Set up every node of the current context')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the plan with a diff of every file, without making changes')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Like --dry-run, but exit with status 4 if anything would change')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;teardown-server' {
            [CompletionResult]::new('--export', '--export', [CompletionResultType]::ParameterName, 'Directory to stop exporting; its data is kept')
            [CompletionResult]::new('--exports-file', '--exports-file', [CompletionResultType]::ParameterName, 'Exports file to edit')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the plan with a diff of every file, without making changes')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Like --dry-run, but exit with status 4 if anything would change')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('pv', 'pv', [CompletionResultType]::ParameterValue, 'Create a static volume on an existing export')
            [CompletionResult]::new('pvc', 'pvc', [CompletionResultType]::ParameterValue, 'Create a claim')
            [CompletionResult]::new('storageclass', 'storageclass', [CompletionResultType]::ParameterValue, 'Create a StorageClass')
            [CompletionResult]::new('sc', 'sc', [CompletionResultType]::ParameterValue, 'Create a StorageClass')
            [CompletionResult]::new('pod', 'pod', [CompletionResultType]::ParameterValue, 'Create a pod that uses a claim')
            [CompletionResult]::new('statefulset', 'statefulset', [CompletionResultType]::ParameterValue, 'Create a StatefulSet with a claim for each pod, and its Service')
            [CompletionResult]::new('sts', 'sts', [CompletionResultType]::ParameterValue, 'Create a StatefulSet with a claim for each pod, and its Service')
            [CompletionResult]::new('provisioner', 'provisioner', [CompletionResultType]::ParameterValue, 'Create a provisioner in the cluster: ServiceAccount, RBAC, Deployment and StorageClass')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;create;pv' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Host name or address by which the nodes reach the NFS server')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size, such as 1Gi; NFS does not enforce it')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode (repeatable)')
            [CompletionResult]::new('--reclaim-policy', '--reclaim-policy', [CompletionResultType]::ParameterName, 'Effect of the claim''s deletion on the volume')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class that a claim must have to bind to the volume, or "" for none')
            [CompletionResult]::new('--mount-option', '--mount-option', [CompletionResultType]::ParameterName, 'Mount option (repeatable)')
            [CompletionResult]::new('--claim', '--claim', [CompletionResultType]::ParameterName, 'Only claim that can bind to the volume')
            [CompletionResult]::new('--label', '--label', [CompletionResultType]::ParameterName, 'Label (repeatable)')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the manifest (client), or have the API server check it without storing it (server)')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Directory for one file per object, instead of printing them')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Directory of templates that replace the built-in ones of the same name')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit of --wait')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'With --apply, change fields that another field manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'With --apply, wait until the volume is Available or the claim Bound')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;pvc' {
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size, such as 1Gi')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class, or "" for none [default: the cluster''s default class]')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode (repeatable)')
            [CompletionResult]::new('--volume', '--volume', [CompletionResultType]::ParameterName, 'Volume that the claim must bind to')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'Label that the volume must have (repeatable)')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the manifest (client), or have the API server check it without storing it (server)')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Directory for one file per object, instead of printing them')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Directory of templates that replace the built-in ones of the same name')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit of --wait')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'With --apply, change fields that another field manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'With --apply, wait until the volume is Available or the claim Bound')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;storageclass' {
            [CompletionResult]::new('--provisioner', '--provisioner', [CompletionResultType]::ParameterName, 'Name of the provisioner')
            [CompletionResult]::new('--reclaim-policy', '--reclaim-policy', [CompletionResultType]::ParameterName, 'Effect of a claim''s deletion on its volume')
            [CompletionResult]::new('--binding-mode', '--binding-mode', [CompletionResultType]::ParameterName, 'Time at which volumes are provisioned')
            [CompletionResult]::new('--mount-option', '--mount-option', [CompletionResultType]::ParameterName, 'Mount option (repeatable)')
            [CompletionResult]::new('--on-delete', '--on-delete', [CompletionResultType]::ParameterName, 'Effect of a volume''s deletion on its directory [default: archive; none with --reclaim-policy Retain]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server to write into the class')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory to write into the class')
            [CompletionResult]::new('--path-pattern', '--path-pattern', [CompletionResultType]::ParameterName, 'Path pattern of new directories, such as ''${.PVC.namespace}/${.PVC.name}'' [default: claim and volume name]')
            [CompletionResult]::new('--dir-mode', '--dir-mode', [CompletionResultType]::ParameterName, 'Permission bits of new directories [default: 0777]')
            [CompletionResult]::new('--dir-uid', '--dir-uid', [CompletionResultType]::ParameterName, 'User id that owns new directories [default: 0]')
            [CompletionResult]::new('--dir-gid', '--dir-gid', [CompletionResultType]::ParameterName, 'Group id of new directories [default: 0]')
            [CompletionResult]::new('--quota', '--quota', [CompletionResultType]::ParameterName, 'Bind claims only once the server limits their directories to their size (docs/capacity.md)')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the manifest (client), or have the API server check it without storing it (server)')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Directory for one file per object, instead of printing them')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Directory of templates that replace the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--default', '--default', [CompletionResultType]::ParameterName, 'Make this the default class')
            [CompletionResult]::new('--allow-expansion', '--allow-expansion', [CompletionResultType]::ParameterName, 'Allow claims to be expanded; the provisioner needs --allow-expansion, too')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'With --apply, change fields that another field manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;sc' {
            [CompletionResult]::new('--provisioner', '--provisioner', [CompletionResultType]::ParameterName, 'Name of the provisioner')
            [CompletionResult]::new('--reclaim-policy', '--reclaim-policy', [CompletionResultType]::ParameterName, 'Effect of a claim''s deletion on its volume')
            [CompletionResult]::new('--binding-mode', '--binding-mode', [CompletionResultType]::ParameterName, 'Time at which volumes are provisioned')
            [CompletionResult]::new('--mount-option', '--mount-option', [CompletionResultType]::ParameterName, 'Mount option (repeatable)')
            [CompletionResult]::new('--on-delete', '--on-delete', [CompletionResultType]::ParameterName, 'Effect of a volume''s deletion on its directory [default: archive; none with --reclaim-policy Retain]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server to write into the class')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory to write into the class')
            [CompletionResult]::new('--path-pattern', '--path-pattern', [CompletionResultType]::ParameterName, 'Path pattern of new directories, such as ''${.PVC.namespace}/${.PVC.name}'' [default: claim and volume name]')
            [CompletionResult]::new('--dir-mode', '--dir-mode', [CompletionResultType]::ParameterName, 'Permission bits of new directories [default: 0777]')
            [CompletionResult]::new('--dir-uid', '--dir-uid', [CompletionResultType]::ParameterName, 'User id that owns new directories [default: 0]')
            [CompletionResult]::new('--dir-gid', '--dir-gid', [CompletionResultType]::ParameterName, 'Group id of new directories [default: 0]')
            [CompletionResult]::new('--quota', '--quota', [CompletionResultType]::ParameterName, 'Bind claims only once the server limits their directories to their size (docs/capacity.md)')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the manifest (client), or have the API server check it without storing it (server)')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Directory for one file per object, instead of printing them')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Directory of templates that replace the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--default', '--default', [CompletionResultType]::ParameterName, 'Make this the default class')
            [CompletionResult]::new('--allow-expansion', '--allow-expansion', [CompletionResultType]::ParameterName, 'Allow claims to be expanded; the provisioner needs --allow-expansion, too')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'With --apply, change fields that another field manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;pod' {
            [CompletionResult]::new('--claim', '--claim', [CompletionResultType]::ParameterName, 'Claim that the pod uses')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image of the container')
            [CompletionResult]::new('--mount-path', '--mount-path', [CompletionResultType]::ParameterName, 'Mount path in the container')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the manifest (client), or have the API server check it without storing it (server)')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Directory for one file per object, instead of printing them')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Directory of templates that replace the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'With --apply, change fields that another field manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;statefulset' {
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class of the claims')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'Name of the Service and of the container, and the label `app` [default: the StatefulSet''s name]')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'Number of pods')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size of each claim, such as 1Gi')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode of the claims (repeatable)')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image of the container')
            [CompletionResult]::new('--mount-path', '--mount-path', [CompletionResultType]::ParameterName, 'Mount path in the container')
            [CompletionResult]::new('--volume', '--volume', [CompletionResultType]::ParameterName, 'Name of the volume; the claims are called VOLUME-NAME-0 and so on')
            [CompletionResult]::new('--service-port', '--service-port', [CompletionResultType]::ParameterName, 'Port of the container and of the Service')
            [CompletionResult]::new('--node-port', '--node-port', [CompletionResultType]::ParameterName, 'NodePort of the Service [default: none; the Service is headless]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the manifest (client), or have the API server check it without storing it (server)')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Directory for one file per object, instead of printing them')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Directory of templates that replace the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'With --apply, change fields that another field manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;sts' {
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class of the claims')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'Name of the Service and of the container, and the label `app` [default: the StatefulSet''s name]')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'Number of pods')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size of each claim, such as 1Gi')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode of the claims (repeatable)')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image of the container')
            [CompletionResult]::new('--mount-path', '--mount-path', [CompletionResultType]::ParameterName, 'Mount path in the container')
            [CompletionResult]::new('--volume', '--volume', [CompletionResultType]::ParameterName, 'Name of the volume; the claims are called VOLUME-NAME-0 and so on')
            [CompletionResult]::new('--service-port', '--service-port', [CompletionResultType]::ParameterName, 'Port of the container and of the Service')
            [CompletionResult]::new('--node-port', '--node-port', [CompletionResultType]::ParameterName, 'NodePort of the Service [default: none; the Service is headless]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the manifest (client), or have the API server check it without storing it (server)')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Directory for one file per object, instead of printing them')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Directory of templates that replace the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'With --apply, change fields that another field manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;provisioner' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Host name or address by which the nodes reach the NFS server')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--provisioner', '--provisioner', [CompletionResultType]::ParameterName, 'Name of the provisioner, as in classes [default: nfsprov/nfs; with --flavor upstream: k8s-sigs.io/nfs-subdir-external-provisioner]')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image [default: nfsprov''s image of this version; with --flavor upstream: its v4.0.2]')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'Number of pods: one leader, the others on standby [default: 2; with --flavor upstream: 1]')
            [CompletionResult]::new('--kubernetes', '--kubernetes', [CompletionResultType]::ParameterName, 'Kubernetes version of the cluster; before 1.22 the pod runs as root with the single capability NET_BIND_SERVICE [default: the cluster''s with --apply or --dry-run server, else 1.22 or newer]')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Name of the class to create')
            [CompletionResult]::new('--flavor', '--flavor', [CompletionResultType]::ParameterName, 'Provisioner program to run')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the manifest (client), or have the API server check it without storing it (server)')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Directory for one file per object, instead of printing them')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Directory of templates that replace the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--allow-expansion', '--allow-expansion', [CompletionResultType]::ParameterName, 'Allow claims of the class to be expanded, and the provisioner to change the sizes of bound claims')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'With --apply, change fields that another field manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;help' {
            [CompletionResult]::new('pv', 'pv', [CompletionResultType]::ParameterValue, 'Create a static volume on an existing export')
            [CompletionResult]::new('pvc', 'pvc', [CompletionResultType]::ParameterValue, 'Create a claim')
            [CompletionResult]::new('storageclass', 'storageclass', [CompletionResultType]::ParameterValue, 'Create a StorageClass')
            [CompletionResult]::new('pod', 'pod', [CompletionResultType]::ParameterValue, 'Create a pod that uses a claim')
            [CompletionResult]::new('statefulset', 'statefulset', [CompletionResultType]::ParameterValue, 'Create a StatefulSet with a claim for each pod, and its Service')
            [CompletionResult]::new('provisioner', 'provisioner', [CompletionResultType]::ParameterValue, 'Create a provisioner in the cluster: ServiceAccount, RBAC, Deployment and StorageClass')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;create;help;pv' {
            break
        }
        'nfsprov;create;help;pvc' {
            break
        }
        'nfsprov;create;help;storageclass' {
            break
        }
        'nfsprov;create;help;pod' {
            break
        }
        'nfsprov;create;help;statefulset' {
            break
        }
        'nfsprov;create;help;provisioner' {
            break
        }
        'nfsprov;create;help;help' {
            break
        }
        'nfsprov;provision' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Host name or address by which the nodes reach the NFS server')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the provisioner, as in classes')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('--quota-ssh', '--quota-ssh', [CompletionResultType]::ParameterName, 'With --via nfs, the NFS server, where commands set the limits of classes with quota: enforce; needs root or --sudo')
            [CompletionResult]::new('--allow-export', '--allow-export', [CompletionResultType]::ParameterName, 'Further export that a class may name by its parameters server and path (repeatable)')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Concurrency limit for each export: claims provisioned at once')
            [CompletionResult]::new('--lease-namespace', '--lease-namespace', [CompletionResultType]::ParameterName, 'Namespace of the Lease [default: -n, else the namespace of the context or the pod]')
            [CompletionResult]::new('--metrics-addr', '--metrics-addr', [CompletionResultType]::ParameterName, 'With --watch, serve /metrics, /healthz and /readyz on this address')
            [CompletionResult]::new('--usage-interval', '--usage-interval', [CompletionResultType]::ParameterName, 'Interval at which metrics report what each limited volume uses, such as 5m; needs --metrics-addr [default: never]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'Log format')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Run until SIGINT or SIGTERM, instead of one pass over the pending claims')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be provisioned, without making changes')
            [CompletionResult]::new('--leader-elect', '--leader-elect', [CompletionResultType]::ParameterName, 'Provision only while holding the Lease of the provisioner''s name, so that one of several replicas is the leader')
            [CompletionResult]::new('--no-headers', '--no-headers', [CompletionResultType]::ParameterName, 'Leave out the headings of tables')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;doctor' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--select', '--select', [CompletionResultType]::ParameterName, 'Report only this finding (repeatable)')
            [CompletionResult]::new('--ignore', '--ignore', [CompletionResultType]::ParameterName, 'Leave out this finding (repeatable)')
            [CompletionResult]::new('--fail-on', '--fail-on', [CompletionResultType]::ParameterName, 'Lowest severity that makes the exit status 1')
            [CompletionResult]::new('--dump', '--dump', [CompletionResultType]::ParameterName, 'Write the data that the checks need to this directory, without running them')
            [CompletionResult]::new('--from-dump', '--from-dump', [CompletionResultType]::ParameterName, 'Check the files in this directory (written by --dump or kubectl get -o json) instead of a cluster')
            [CompletionResult]::new('--fix', '--fix', [CompletionResultType]::ParameterName, 'Make automatic fixes, all or those of these findings: show each change, ask, apply it, wait for its effect')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'With --fix, time limit for the effect of a change [default: 2m; for an API server 3m]')
            [CompletionResult]::new('--ssh', '--ssh', [CompletionResultType]::ParameterName, 'Host to check and to fix over SSH (repeatable); with --gate or --undo, every server node of the cluster')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Claims and pods of all namespaces')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Claims and pods of all namespaces')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Exit with status 3 if a check could not run, too')
            [CompletionResult]::new('--no-probe', '--no-probe', [CompletionResultType]::ParameterName, 'Skip the NFS calls from this machine to the cluster''s NFS servers')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'With --fix or --undo, show the changes without making them')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'With --fix or --undo, ask no questions')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'With --fix or --undo, ask no questions')
            [CompletionResult]::new('--gate', '--gate', [CompletionResultType]::ParameterName, 'With --fix, set RemoveSelfLink=false on the hosts of --ssh instead of changing an image that needs selfLink; with --undo, remove it')
            [CompletionResult]::new('--undo', '--undo', [CompletionResultType]::ParameterName, 'Undo --gate on the hosts of --ssh')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain a finding: its meaning, its causes and what to do')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;doctor;explain' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;doctor;help' {
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain a finding: its meaning, its causes and what to do')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;doctor;help;explain' {
            break
        }
        'nfsprov;doctor;help;help' {
            break
        }
        'nfsprov;status' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as in the volumes [default: from the volumes]')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory [default: from the volumes]')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Claims of all namespaces')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Claims of all namespaces')
            [CompletionResult]::new('--no-headers', '--no-headers', [CompletionResultType]::ParameterName, 'Leave out the headings of tables')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Show the status again after each change')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Show the status again after each change')
            [CompletionResult]::new('--sizes', '--sizes', [CompletionResultType]::ParameterName, 'Measure the data in each volume; needs an NFS call for every directory in it')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;release' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as in the volumes [default: from the volumes]')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory [default: from the volumes]')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--keep-data', '--keep-data', [CompletionResultType]::ParameterName, 'Keep the data; the next claim sees it')
            [CompletionResult]::new('--scrub', '--scrub', [CompletionResultType]::ParameterName, 'Empty the volume''s directory first')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the directories on an export, with the volumes that own them')
            [CompletionResult]::new('orphans', 'orphans', [CompletionResultType]::ParameterValue, 'List the directories without a volume in this cluster')
            [CompletionResult]::new('archived', 'archived', [CompletionResultType]::ParameterValue, 'List the archives of deleted volumes')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Restore an archive as a volume for a claim')
            [CompletionResult]::new('expire', 'expire', [CompletionResultType]::ParameterValue, 'Delete archives by age or total size')
            [CompletionResult]::new('record', 'record', [CompletionResultType]::ParameterValue, 'Write the records of volumes to their export, for volumes rebuild')
            [CompletionResult]::new('rebuild', 'rebuild', [CompletionResultType]::ParameterValue, 'Create the volumes and claims of an export''s records in a new or damaged cluster')
            [CompletionResult]::new('adopt', 'adopt', [CompletionResultType]::ParameterValue, 'Make an existing directory the volume of a claim')
            [CompletionResult]::new('limit', 'limit', [CompletionResultType]::ParameterValue, 'Limit existing volumes to their size, as quota: enforce does for new ones')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;volumes;list' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as in the volumes')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--no-headers', '--no-headers', [CompletionResultType]::ParameterName, 'Leave out the headings of tables')
            [CompletionResult]::new('--sizes', '--sizes', [CompletionResultType]::ParameterName, 'Measure the data; needs an NFS call for every directory')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;orphans' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as in the volumes')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--remove-empty', '--remove-empty', [CompletionResultType]::ParameterName, 'Remove empty directories, after confirmation')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--no-headers', '--no-headers', [CompletionResultType]::ParameterName, 'Leave out the headings of tables')
            [CompletionResult]::new('--sizes', '--sizes', [CompletionResultType]::ParameterName, 'Measure the data; needs an NFS call for every directory')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;archived' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as in the volumes')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--no-headers', '--no-headers', [CompletionResultType]::ParameterName, 'Leave out the headings of tables')
            [CompletionResult]::new('--sizes', '--sizes', [CompletionResultType]::ParameterName, 'Measure the data; needs an NFS call for every directory')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;restore' {
            [CompletionResult]::new('--claim', '--claim', [CompletionResultType]::ParameterName, 'Claim for the volume [default: the record''s]')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size of the volume and of a new claim [default: from the record, or the claim''s request]')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class of a new claim [default: from the record, or none]')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode of a new claim (repeatable) [default: from the record, or RWX]')
            [CompletionResult]::new('--former-server', '--former-server', [CompletionResultType]::ParameterName, 'Former name or address of the server; records that name it are used for --server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as in the volumes')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--create-claim', '--create-claim', [CompletionResultType]::ParameterName, 'Create the claim if it does not exist')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;expire' {
            [CompletionResult]::new('--older-than', '--older-than', [CompletionResultType]::ParameterName, 'Delete archives that were not changed for this time, such as 30d')
            [CompletionResult]::new('--keep-total', '--keep-total', [CompletionResultType]::ParameterName, 'Delete the oldest archives until the total is at most this, such as 100Gi; needs an NFS call for every directory')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as in the volumes')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be deleted, without making changes')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;record' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as in the volumes')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be written, without making changes')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;rebuild' {
            [CompletionResult]::new('--claim', '--claim', [CompletionResultType]::ParameterName, 'Rebuild this claim only, even if its directory was created for another claim')
            [CompletionResult]::new('--former-server', '--former-server', [CompletionResultType]::ParameterName, 'Former name or address of the server; records that name it are used for --server')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format of the plan; yaml can be piped to kubectl apply')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format of the plan; yaml can be piped to kubectl apply')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as in the volumes')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Create the missing objects')
            [CompletionResult]::new('--create-namespaces', '--create-namespaces', [CompletionResultType]::ParameterName, 'Create missing namespaces')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--no-headers', '--no-headers', [CompletionResultType]::ParameterName, 'Leave out the headings of the table')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;adopt' {
            [CompletionResult]::new('--claim', '--claim', [CompletionResultType]::ParameterName, 'Claim for the volume')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size of the volume and of a new claim [default: from the record, or the claim''s request]')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class of a new claim [default: from the record, or none]')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode of a new claim (repeatable) [default: from the record, or RWX]')
            [CompletionResult]::new('--former-server', '--former-server', [CompletionResultType]::ParameterName, 'Former name or address of the server; records that name it are used for --server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as in the volumes')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--create-claim', '--create-claim', [CompletionResultType]::ParameterName, 'Create the claim if it does not exist')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;limit' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as in the volumes')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'Access to directories: nfs (NFS calls, no mount needed), ssh://USER@HOST:PORT (commands on the server) or dir:/MOUNT (a local mount of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key file (repeatable) [default: keys of the agent, of ~/.ssh/config and ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Jump host (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'Handling of host keys that are not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint of an accepted host key, jump hosts included (repeatable)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'Time limit of each step of a login [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File with the sudo password in its first line')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Measure the volumes, without making changes')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; asks for the password if sudo needs one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the directories on an export, with the volumes that own them')
            [CompletionResult]::new('orphans', 'orphans', [CompletionResultType]::ParameterValue, 'List the directories without a volume in this cluster')
            [CompletionResult]::new('archived', 'archived', [CompletionResultType]::ParameterValue, 'List the archives of deleted volumes')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Restore an archive as a volume for a claim')
            [CompletionResult]::new('expire', 'expire', [CompletionResultType]::ParameterValue, 'Delete archives by age or total size')
            [CompletionResult]::new('record', 'record', [CompletionResultType]::ParameterValue, 'Write the records of volumes to their export, for volumes rebuild')
            [CompletionResult]::new('rebuild', 'rebuild', [CompletionResultType]::ParameterValue, 'Create the volumes and claims of an export''s records in a new or damaged cluster')
            [CompletionResult]::new('adopt', 'adopt', [CompletionResultType]::ParameterValue, 'Make an existing directory the volume of a claim')
            [CompletionResult]::new('limit', 'limit', [CompletionResultType]::ParameterValue, 'Limit existing volumes to their size, as quota: enforce does for new ones')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;volumes;help;list' {
            break
        }
        'nfsprov;volumes;help;orphans' {
            break
        }
        'nfsprov;volumes;help;archived' {
            break
        }
        'nfsprov;volumes;help;restore' {
            break
        }
        'nfsprov;volumes;help;expire' {
            break
        }
        'nfsprov;volumes;help;record' {
            break
        }
        'nfsprov;volumes;help;rebuild' {
            break
        }
        'nfsprov;volumes;help;adopt' {
            break
        }
        'nfsprov;volumes;help;limit' {
            break
        }
        'nfsprov;volumes;help;help' {
            break
        }
        'nfsprov;templates' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write the built-in templates to a directory; edit them and use them with --template-dir')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;templates;export' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite existing files that differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite existing files that differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;templates;help' {
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write the built-in templates to a directory; edit them and use them with --template-dir')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;templates;help;export' {
            break
        }
        'nfsprov;templates;help;help' {
            break
        }
        'nfsprov;migrate' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('nfs-subdir-external-provisioner', 'nfs-subdir-external-provisioner', [CompletionResultType]::ParameterValue, 'Migrate from nfs-subdir-external-provisioner, or back to it with --back')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;migrate;nfs-subdir-external-provisioner' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of nfsprov''s Deployment and ServiceAccount')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image of nfsprov [default: the published image of this version]')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'Number of nfsprov''s pods: one leader, the others on standby [default: 2]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit of each step')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('--back', '--back', [CompletionResultType]::ParameterName, 'Remove nfsprov and start nfs-subdir-external-provisioner again')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the plan without making changes')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Answer yes to every question')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;migrate;help' {
            [CompletionResult]::new('nfs-subdir-external-provisioner', 'nfs-subdir-external-provisioner', [CompletionResultType]::ParameterValue, 'Migrate from nfs-subdir-external-provisioner, or back to it with --back')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;migrate;help;nfs-subdir-external-provisioner' {
            break
        }
        'nfsprov;migrate;help;help' {
            break
        }
        'nfsprov;version' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;completions' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;man' {
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Directory for one page per command, such as /usr/local/share/man/man1')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Time limit of one request to the API server')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour of logs and tables')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite existing files that differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite existing files that differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'More detailed logs (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;help' {
            [CompletionResult]::new('setup-server', 'setup-server', [CompletionResultType]::ParameterValue, 'Set up an NFS server over SSH and verify it with an NFS call')
            [CompletionResult]::new('setup-client', 'setup-client', [CompletionResultType]::ParameterValue, 'Set up NFS clients over SSH')
            [CompletionResult]::new('teardown-server', 'teardown-server', [CompletionResultType]::ParameterValue, 'Remove nfsprov''s exports from a host; data and packages are kept')
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Create volumes, claims, classes, pods and provisioners: print the manifest or apply it')
            [CompletionResult]::new('provision', 'provision', [CompletionResultType]::ParameterValue, 'Run the dynamic provisioner')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Diagnose pending claims and failing NFS mounts, and suggest fixes')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the claims, volumes, classes and provisioners that use NFS')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Make a Released volume Available again')
            [CompletionResult]::new('volumes', 'volumes', [CompletionResultType]::ParameterValue, 'Manage the directories on an export: list, restore and expire archives, rebuild, adopt')
            [CompletionResult]::new('templates', 'templates', [CompletionResultType]::ParameterValue, 'Export the templates of nfsprov create')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Migrate from another provisioner, or back to it')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Show nfsprov''s version and the Kubernetes versions that it is tested with')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write all pages to a directory')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;help;setup-server' {
            break
        }
        'nfsprov;help;setup-client' {
            break
        }
        'nfsprov;help;teardown-server' {
            break
        }
        'nfsprov;help;create' {
            [CompletionResult]::new('pv', 'pv', [CompletionResultType]::ParameterValue, 'Create a static volume on an existing export')
            [CompletionResult]::new('pvc', 'pvc', [CompletionResultType]::ParameterValue, 'Create a claim')
            [CompletionResult]::new('storageclass', 'storageclass', [CompletionResultType]::ParameterValue, 'Create a StorageClass')
            [CompletionResult]::new('pod', 'pod', [CompletionResultType]::ParameterValue, 'Create a pod that uses a claim')
            [CompletionResult]::new('statefulset', 'statefulset', [CompletionResultType]::ParameterValue, 'Create a StatefulSet with a claim for each pod, and its Service')
            [CompletionResult]::new('provisioner', 'provisioner', [CompletionResultType]::ParameterValue, 'Create a provisioner in the cluster: ServiceAccount, RBAC, Deployment and StorageClass')
            break
        }
        'nfsprov;help;create;pv' {
            break
        }
        'nfsprov;help;create;pvc' {
            break
        }
        'nfsprov;help;create;storageclass' {
            break
        }
        'nfsprov;help;create;pod' {
            break
        }
        'nfsprov;help;create;statefulset' {
            break
        }
        'nfsprov;help;create;provisioner' {
            break
        }
        'nfsprov;help;provision' {
            break
        }
        'nfsprov;help;doctor' {
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain a finding: its meaning, its causes and what to do')
            break
        }
        'nfsprov;help;doctor;explain' {
            break
        }
        'nfsprov;help;status' {
            break
        }
        'nfsprov;help;release' {
            break
        }
        'nfsprov;help;volumes' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List the directories on an export, with the volumes that own them')
            [CompletionResult]::new('orphans', 'orphans', [CompletionResultType]::ParameterValue, 'List the directories without a volume in this cluster')
            [CompletionResult]::new('archived', 'archived', [CompletionResultType]::ParameterValue, 'List the archives of deleted volumes')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Restore an archive as a volume for a claim')
            [CompletionResult]::new('expire', 'expire', [CompletionResultType]::ParameterValue, 'Delete archives by age or total size')
            [CompletionResult]::new('record', 'record', [CompletionResultType]::ParameterValue, 'Write the records of volumes to their export, for volumes rebuild')
            [CompletionResult]::new('rebuild', 'rebuild', [CompletionResultType]::ParameterValue, 'Create the volumes and claims of an export''s records in a new or damaged cluster')
            [CompletionResult]::new('adopt', 'adopt', [CompletionResultType]::ParameterValue, 'Make an existing directory the volume of a claim')
            [CompletionResult]::new('limit', 'limit', [CompletionResultType]::ParameterValue, 'Limit existing volumes to their size, as quota: enforce does for new ones')
            break
        }
        'nfsprov;help;volumes;list' {
            break
        }
        'nfsprov;help;volumes;orphans' {
            break
        }
        'nfsprov;help;volumes;archived' {
            break
        }
        'nfsprov;help;volumes;restore' {
            break
        }
        'nfsprov;help;volumes;expire' {
            break
        }
        'nfsprov;help;volumes;record' {
            break
        }
        'nfsprov;help;volumes;rebuild' {
            break
        }
        'nfsprov;help;volumes;adopt' {
            break
        }
        'nfsprov;help;volumes;limit' {
            break
        }
        'nfsprov;help;templates' {
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write the built-in templates to a directory; edit them and use them with --template-dir')
            break
        }
        'nfsprov;help;templates;export' {
            break
        }
        'nfsprov;help;migrate' {
            [CompletionResult]::new('nfs-subdir-external-provisioner', 'nfs-subdir-external-provisioner', [CompletionResultType]::ParameterValue, 'Migrate from nfs-subdir-external-provisioner, or back to it with --back')
            break
        }
        'nfsprov;help;migrate;nfs-subdir-external-provisioner' {
            break
        }
        'nfsprov;help;version' {
            break
        }
        'nfsprov;help;completions' {
            break
        }
        'nfsprov;help;man' {
            break
        }
        'nfsprov;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
