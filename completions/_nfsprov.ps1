
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
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('setup-server', 'setup-server', [CompletionResultType]::ParameterValue, 'Make a host an NFS server for a cluster, over SSH, and prove that it is one')
            [CompletionResult]::new('setup-client', 'setup-client', [CompletionResultType]::ParameterValue, 'Make hosts NFS clients, over SSH')
            [CompletionResult]::new('teardown-server', 'teardown-server', [CompletionResultType]::ParameterValue, 'No longer export a directory; what it holds, and the packages, stay')
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Write or apply a manifest: volumes, claims, classes, what uses them, and the provisioner')
            [CompletionResult]::new('provision', 'provision', [CompletionResultType]::ParameterValue, 'Make volumes for the claims that wait for this provisioner')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Diagnose pending claims and failing NFS mounts, and suggest fixes')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the claims, volumes, classes and provisioners that touch NFS')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Make a Released PV Available again')
            [CompletionResult]::new('volumes', 'volumes', [CompletionResultType]::ParameterValue, 'The directories on an export: whose they are, archives brought back, archives removed')
            [CompletionResult]::new('templates', 'templates', [CompletionResultType]::ParameterValue, 'The templates that create fills')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Take over from another provisioner, or hand back to it')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Show which nfsprov this is, and the versions of Kubernetes that it is tested on')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Write the completion script of a shell to stdout')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Write the manual page of nfsprov to stdout, or all pages into a directory')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;setup-server' {
            [CompletionResult]::new('--export', '--export', [CompletionResultType]::ParameterName, 'Directory to export')
            [CompletionResult]::new('--allow', '--allow', [CompletionResultType]::ParameterName, 'Who may mount it: address, network, host name, @netgroup, or * for the whole world (repeatable)')
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'Node to prepare as a client, and to allow (repeatable)')
            [CompletionResult]::new('--address', '--address', [CompletionResultType]::ParameterName, 'Name or address that clients reach the server by [default: HOST]')
            [CompletionResult]::new('--options', '--options', [CompletionResultType]::ParameterName, 'Options of the export')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Mode of the directory [default: 0777 for a new one; one that is there keeps its own]')
            [CompletionResult]::new('--owner', '--owner', [CompletionResultType]::ParameterName, 'Owner of the directory, as USER, USER:GROUP or numbers [default: as it is]')
            [CompletionResult]::new('--nfs-version', '--nfs-version', [CompletionResultType]::ParameterName, 'NFS versions to serve')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--exports-file', '--exports-file', [CompletionResultType]::ParameterName, 'Exports file to write to')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--nodes-from-cluster', '--nodes-from-cluster', [CompletionResultType]::ParameterName, 'Prepare and allow every node of the current context, logging in as on the server')
            [CompletionResult]::new('--allow-nodes-from-cluster', '--allow-nodes-from-cluster', [CompletionResultType]::ParameterName, 'Allow every node of the current context by its InternalIP, without logging in; shows them and asks')
            [CompletionResult]::new('--root-squash', '--root-squash', [CompletionResultType]::ParameterName, 'Map root on clients to the user nobody on the server; such an export needs provision --via ssh://')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Don''t ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Don''t ask')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be done, with the changes of every file, and change nothing')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'The same, and exit with 4 if anything would change')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;setup-client' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server to try a mount of')
            [CompletionResult]::new('--export', '--export', [CompletionResultType]::ParameterName, 'Directory that it exports')
            [CompletionResult]::new('--nfs-version', '--nfs-version', [CompletionResultType]::ParameterName, 'NFS versions to try')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--nodes-from-cluster', '--nodes-from-cluster', [CompletionResultType]::ParameterName, 'Every node of the current context')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be done, with the changes of every file, and change nothing')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'The same, and exit with 4 if anything would change')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;teardown-server' {
            [CompletionResult]::new('--export', '--export', [CompletionResultType]::ParameterName, 'Directory that is no longer to be exported; what it holds stays')
            [CompletionResult]::new('--exports-file', '--exports-file', [CompletionResultType]::ParameterName, 'Exports file that nfsprov wrote to')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Don''t ask')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Don''t ask')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be done, with the changes of every file, and change nothing')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'The same, and exit with 4 if anything would change')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
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
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('pv', 'pv', [CompletionResultType]::ParameterValue, 'A static volume on an existing export')
            [CompletionResult]::new('pvc', 'pvc', [CompletionResultType]::ParameterValue, 'A claim')
            [CompletionResult]::new('storageclass', 'storageclass', [CompletionResultType]::ParameterValue, 'A class of volumes made on demand')
            [CompletionResult]::new('sc', 'sc', [CompletionResultType]::ParameterValue, 'A class of volumes made on demand')
            [CompletionResult]::new('pod', 'pod', [CompletionResultType]::ParameterValue, 'A pod that uses a claim')
            [CompletionResult]::new('statefulset', 'statefulset', [CompletionResultType]::ParameterValue, 'A StatefulSet whose pods have a claim each, and its Service')
            [CompletionResult]::new('sts', 'sts', [CompletionResultType]::ParameterValue, 'A StatefulSet whose pods have a claim each, and its Service')
            [CompletionResult]::new('provisioner', 'provisioner', [CompletionResultType]::ParameterValue, 'A provisioner in the cluster: ServiceAccount, RBAC, Deployment and StorageClass')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;create;pv' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the nodes reach it')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size, such as 1Gi; NFS does not enforce it')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode; may be given again')
            [CompletionResult]::new('--reclaim-policy', '--reclaim-policy', [CompletionResultType]::ParameterName, 'What becomes of the volume when its claim goes')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class that a claim must name to get it')
            [CompletionResult]::new('--mount-option', '--mount-option', [CompletionResultType]::ParameterName, 'Mount option; may be given again')
            [CompletionResult]::new('--claim', '--claim', [CompletionResultType]::ParameterName, 'The only claim that may have it')
            [CompletionResult]::new('--label', '--label', [CompletionResultType]::ParameterName, 'Label; may be given again')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Have the API server check the manifest and store nothing')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Write a file an object into this directory instead of printing')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Use the templates of this directory in place of the built-in ones of the same name')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long --wait waits')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'When applying, take over fields that another manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'With --apply, wait until the volume is Available or the claim Bound')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;pvc' {
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size, such as 1Gi')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class, or "" for none [default: the cluster''s default class]')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode; may be given again')
            [CompletionResult]::new('--volume', '--volume', [CompletionResultType]::ParameterName, 'The PV that it must get')
            [CompletionResult]::new('--selector', '--selector', [CompletionResultType]::ParameterName, 'Label that its PV must have; may be given again')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Have the API server check the manifest and store nothing')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Write a file an object into this directory instead of printing')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Use the templates of this directory in place of the built-in ones of the same name')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long --wait waits')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'When applying, take over fields that another manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'With --apply, wait until the volume is Available or the claim Bound')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;storageclass' {
            [CompletionResult]::new('--provisioner', '--provisioner', [CompletionResultType]::ParameterName, 'Name of the provisioner that serves it')
            [CompletionResult]::new('--reclaim-policy', '--reclaim-policy', [CompletionResultType]::ParameterName, 'What becomes of a volume when its claim goes')
            [CompletionResult]::new('--binding-mode', '--binding-mode', [CompletionResultType]::ParameterName, 'When volumes are made')
            [CompletionResult]::new('--mount-option', '--mount-option', [CompletionResultType]::ParameterName, 'Mount option; may be given again')
            [CompletionResult]::new('--on-delete', '--on-delete', [CompletionResultType]::ParameterName, 'What becomes of a deleted volume''s directory [default: archive; none with --reclaim-policy Retain]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, if the class is to name one')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory, if the class is to name one')
            [CompletionResult]::new('--path-pattern', '--path-pattern', [CompletionResultType]::ParameterName, 'What names new directories, such as ''${.PVC.namespace}/${.PVC.name}'' [default: claim and PV]')
            [CompletionResult]::new('--dir-mode', '--dir-mode', [CompletionResultType]::ParameterName, 'Permission bits of new directories [default: 0777]')
            [CompletionResult]::new('--dir-uid', '--dir-uid', [CompletionResultType]::ParameterName, 'User id that owns new directories [default: 0]')
            [CompletionResult]::new('--dir-gid', '--dir-gid', [CompletionResultType]::ParameterName, 'Group id of new directories [default: 0]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Have the API server check the manifest and store nothing')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Write a file an object into this directory instead of printing')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Use the templates of this directory in place of the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--default', '--default', [CompletionResultType]::ParameterName, 'Make it the class of claims that name none')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'When applying, take over fields that another manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;sc' {
            [CompletionResult]::new('--provisioner', '--provisioner', [CompletionResultType]::ParameterName, 'Name of the provisioner that serves it')
            [CompletionResult]::new('--reclaim-policy', '--reclaim-policy', [CompletionResultType]::ParameterName, 'What becomes of a volume when its claim goes')
            [CompletionResult]::new('--binding-mode', '--binding-mode', [CompletionResultType]::ParameterName, 'When volumes are made')
            [CompletionResult]::new('--mount-option', '--mount-option', [CompletionResultType]::ParameterName, 'Mount option; may be given again')
            [CompletionResult]::new('--on-delete', '--on-delete', [CompletionResultType]::ParameterName, 'What becomes of a deleted volume''s directory [default: archive; none with --reclaim-policy Retain]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, if the class is to name one')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory, if the class is to name one')
            [CompletionResult]::new('--path-pattern', '--path-pattern', [CompletionResultType]::ParameterName, 'What names new directories, such as ''${.PVC.namespace}/${.PVC.name}'' [default: claim and PV]')
            [CompletionResult]::new('--dir-mode', '--dir-mode', [CompletionResultType]::ParameterName, 'Permission bits of new directories [default: 0777]')
            [CompletionResult]::new('--dir-uid', '--dir-uid', [CompletionResultType]::ParameterName, 'User id that owns new directories [default: 0]')
            [CompletionResult]::new('--dir-gid', '--dir-gid', [CompletionResultType]::ParameterName, 'Group id of new directories [default: 0]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Have the API server check the manifest and store nothing')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Write a file an object into this directory instead of printing')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Use the templates of this directory in place of the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--default', '--default', [CompletionResultType]::ParameterName, 'Make it the class of claims that name none')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'When applying, take over fields that another manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;pod' {
            [CompletionResult]::new('--claim', '--claim', [CompletionResultType]::ParameterName, 'The claim that it uses')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image of the container')
            [CompletionResult]::new('--mount-path', '--mount-path', [CompletionResultType]::ParameterName, 'Where the container sees the volume')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Have the API server check the manifest and store nothing')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Write a file an object into this directory instead of printing')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Use the templates of this directory in place of the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'When applying, take over fields that another manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;statefulset' {
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class of the claims')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'Name of the Service and of the container, and the label `app` [default: the StatefulSet''s name]')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'How many pods')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size of each claim, such as 1Gi')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode of the claims; may be given again')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image of the container')
            [CompletionResult]::new('--mount-path', '--mount-path', [CompletionResultType]::ParameterName, 'Where the container sees its volume')
            [CompletionResult]::new('--volume', '--volume', [CompletionResultType]::ParameterName, 'Name of the volume; the claims are called VOLUME-NAME-0 and so on')
            [CompletionResult]::new('--service-port', '--service-port', [CompletionResultType]::ParameterName, 'Port of the container and of the Service')
            [CompletionResult]::new('--node-port', '--node-port', [CompletionResultType]::ParameterName, 'Port of every node that leads to the Service [default: none, the Service is headless]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Have the API server check the manifest and store nothing')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Write a file an object into this directory instead of printing')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Use the templates of this directory in place of the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'When applying, take over fields that another manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;sts' {
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class of the claims')
            [CompletionResult]::new('--app', '--app', [CompletionResultType]::ParameterName, 'Name of the Service and of the container, and the label `app` [default: the StatefulSet''s name]')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'How many pods')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size of each claim, such as 1Gi')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode of the claims; may be given again')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image of the container')
            [CompletionResult]::new('--mount-path', '--mount-path', [CompletionResultType]::ParameterName, 'Where the container sees its volume')
            [CompletionResult]::new('--volume', '--volume', [CompletionResultType]::ParameterName, 'Name of the volume; the claims are called VOLUME-NAME-0 and so on')
            [CompletionResult]::new('--service-port', '--service-port', [CompletionResultType]::ParameterName, 'Port of the container and of the Service')
            [CompletionResult]::new('--node-port', '--node-port', [CompletionResultType]::ParameterName, 'Port of every node that leads to the Service [default: none, the Service is headless]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Have the API server check the manifest and store nothing')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Write a file an object into this directory instead of printing')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Use the templates of this directory in place of the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'When applying, take over fields that another manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;provisioner' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the nodes reach it')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--provisioner', '--provisioner', [CompletionResultType]::ParameterName, 'Name of the provisioner, as classes have it [default: nfsprov/nfs; of upstream k8s-sigs.io/nfs-subdir-external-provisioner]')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image [default: the published image of this version; of upstream its v4.0.2]')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'Number of pods; one of them serves, the others stand by [default: 2; of upstream 1]')
            [CompletionResult]::new('--kubernetes', '--kubernetes', [CompletionResultType]::ParameterName, 'Kubernetes version that the manifests are for; before 1.22 the pod runs as root, with no capability but NET_BIND_SERVICE [default: the cluster''s with --apply or --dry-run server, else 1.22 or newer]')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Name of the class to make')
            [CompletionResult]::new('--flavor', '--flavor', [CompletionResultType]::ParameterName, 'Whose provisioner to run')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Have the API server check the manifest and store nothing')
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Write a file an object into this directory instead of printing')
            [CompletionResult]::new('--template-dir', '--template-dir', [CompletionResultType]::ParameterName, 'Use the templates of this directory in place of the built-in ones of the same name')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Apply the manifest to the cluster instead of printing it')
            [CompletionResult]::new('--force-conflicts', '--force-conflicts', [CompletionResultType]::ParameterName, 'When applying, take over fields that another manager owns')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;create;help' {
            [CompletionResult]::new('pv', 'pv', [CompletionResultType]::ParameterValue, 'A static volume on an existing export')
            [CompletionResult]::new('pvc', 'pvc', [CompletionResultType]::ParameterValue, 'A claim')
            [CompletionResult]::new('storageclass', 'storageclass', [CompletionResultType]::ParameterValue, 'A class of volumes made on demand')
            [CompletionResult]::new('pod', 'pod', [CompletionResultType]::ParameterValue, 'A pod that uses a claim')
            [CompletionResult]::new('statefulset', 'statefulset', [CompletionResultType]::ParameterValue, 'A StatefulSet whose pods have a claim each, and its Service')
            [CompletionResult]::new('provisioner', 'provisioner', [CompletionResultType]::ParameterValue, 'A provisioner in the cluster: ServiceAccount, RBAC, Deployment and StorageClass')
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
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the nodes reach it')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the provisioner, as in the classes')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How directories are made: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server''s shell) or dir:/MOUNT (in a mounted copy of the export)')
            [CompletionResult]::new('--allow-export', '--allow-export', [CompletionResultType]::ParameterName, 'A further export that a class may name by its parameters server and path; may be given again')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'How many claims are worked on at once on each export')
            [CompletionResult]::new('--lease-namespace', '--lease-namespace', [CompletionResultType]::ParameterName, 'Namespace of the Lease [default: the namespace of -n, else the context''s or the pod''s]')
            [CompletionResult]::new('--metrics-addr', '--metrics-addr', [CompletionResultType]::ParameterName, 'With --watch, serve /metrics, /healthz and /readyz on this address')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How logs are written')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the result of one pass is written')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the result of one pass is written')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Keep serving until SIGINT or SIGTERM, instead of one pass over what waits now')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Say what would be made, and make nothing')
            [CompletionResult]::new('--leader-elect', '--leader-elect', [CompletionResultType]::ParameterName, 'Serve only while holding the Lease of the provisioner''s name, so that of several replicas one serves')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
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
            [CompletionResult]::new('--dump', '--dump', [CompletionResultType]::ParameterName, 'Write what the checks read to this directory, without running them')
            [CompletionResult]::new('--from-dump', '--from-dump', [CompletionResultType]::ParameterName, 'Check what is in this directory (of --dump, or of kubectl get -o json) instead of a cluster')
            [CompletionResult]::new('--fix', '--fix', [CompletionResultType]::ParameterName, 'Make automatic fixes, all or those of these findings: show each change, ask, apply it, wait for its effect')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'With --fix, how long to wait for the effect of a change [default: 2m; for an API server 3m]')
            [CompletionResult]::new('--ssh', '--ssh', [CompletionResultType]::ParameterName, 'Host to check and to fix over SSH (repeatable); with --gate or --undo, every server node of the cluster')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Claims and pods of all namespaces')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Claims and pods of all namespaces')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Exit with status 3 if a check could not run, too')
            [CompletionResult]::new('--no-probe', '--no-probe', [CompletionResultType]::ParameterName, 'Send no NFS calls from this machine to the servers that the cluster names')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'With --fix or --undo, show the changes without making them')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'With --fix or --undo, ask no questions')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'With --fix or --undo, ask no questions')
            [CompletionResult]::new('--gate', '--gate', [CompletionResultType]::ParameterName, 'With --fix, set RemoveSelfLink=false on the hosts of --ssh instead of changing an image that needs selfLink; with --undo, remove it')
            [CompletionResult]::new('--undo', '--undo', [CompletionResultType]::ParameterName, 'Undo --gate on the hosts of --ssh')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
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
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
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
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the PVs name it [default: theirs]')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory [default: as the PVs'' provisioner recorded it]')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How directories are reached: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server''s own shell) or dir:/MOUNT (in a mounted copy of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'Claims of all namespaces')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'Claims of all namespaces')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Show it again whenever something changes')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Show it again whenever something changes')
            [CompletionResult]::new('--sizes', '--sizes', [CompletionResultType]::ParameterName, 'Read the volumes'' directories and say how much they hold; takes a call for every directory in them')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;release' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the PVs name it [default: theirs]')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory [default: as the PVs'' provisioner recorded it]')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How directories are reached: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server''s own shell) or dir:/MOUNT (in a mounted copy of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--keep-data', '--keep-data', [CompletionResultType]::ParameterName, 'Leave its data where it is: the next claim will see it')
            [CompletionResult]::new('--scrub', '--scrub', [CompletionResultType]::ParameterName, 'Remove all that is in its directory first')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Remove without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Remove without asking')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
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
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'Show the directories on an export with the PVs that own them')
            [CompletionResult]::new('orphans', 'orphans', [CompletionResultType]::ParameterValue, 'Show the directories that no PV of this cluster names')
            [CompletionResult]::new('archived', 'archived', [CompletionResultType]::ParameterValue, 'Show the archives of deleted volumes')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Bring an archive back as a PV for a claim')
            [CompletionResult]::new('expire', 'expire', [CompletionResultType]::ParameterValue, 'Remove archives that are too old, or too much')
            [CompletionResult]::new('record', 'record', [CompletionResultType]::ParameterValue, 'Write the records of volumes on their export, which rebuild reads')
            [CompletionResult]::new('rebuild', 'rebuild', [CompletionResultType]::ParameterValue, 'Create the volumes and claims that an export''s records name, in a new or damaged cluster')
            [CompletionResult]::new('adopt', 'adopt', [CompletionResultType]::ParameterValue, 'Make a directory of an export a volume of a claim')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;volumes;list' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the PVs name it')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How directories are reached: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server''s own shell) or dir:/MOUNT (in a mounted copy of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--sizes', '--sizes', [CompletionResultType]::ParameterName, 'Say how much they hold; takes a call for every directory in them')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;orphans' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the PVs name it')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How directories are reached: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server''s own shell) or dir:/MOUNT (in a mounted copy of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--remove-empty', '--remove-empty', [CompletionResultType]::ParameterName, 'Remove those that are empty, after asking')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Remove without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Remove without asking')
            [CompletionResult]::new('--sizes', '--sizes', [CompletionResultType]::ParameterName, 'Say how much they hold; takes a call for every directory in them')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;archived' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the result is written')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the PVs name it')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How directories are reached: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server''s own shell) or dir:/MOUNT (in a mounted copy of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--sizes', '--sizes', [CompletionResultType]::ParameterName, 'Say how much they hold; takes a call for every directory in them')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;restore' {
            [CompletionResult]::new('--claim', '--claim', [CompletionResultType]::ParameterName, 'The claim that gets it [default: the record''s]')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size of the PV, and of a claim that is made [default: the record''s, or what the claim requests]')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class of a claim that is made [default: the record''s, or none]')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode of a claim that is made; may be given again [default: the record''s, or RWX]')
            [CompletionResult]::new('--former-server', '--former-server', [CompletionResultType]::ParameterName, 'Name or address that the server had before, which records name: their PVs are created with that of --server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the PVs name it')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How directories are reached: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server''s own shell) or dir:/MOUNT (in a mounted copy of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--create-claim', '--create-claim', [CompletionResultType]::ParameterName, 'Make the claim if it isn''t there')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;expire' {
            [CompletionResult]::new('--older-than', '--older-than', [CompletionResultType]::ParameterName, 'Remove archives that have not been changed for so long, such as 30d')
            [CompletionResult]::new('--keep-total', '--keep-total', [CompletionResultType]::ParameterName, 'Remove the oldest archives until the rest takes no more than this, such as 100Gi; takes a call for every directory in them')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the PVs name it')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How directories are reached: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server''s own shell) or dir:/MOUNT (in a mounted copy of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Remove without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Remove without asking')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Say what would be removed, and remove nothing')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;record' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the PVs name it')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How directories are reached: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server''s own shell) or dir:/MOUNT (in a mounted copy of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Say what would be written, and write nothing')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;rebuild' {
            [CompletionResult]::new('--claim', '--claim', [CompletionResultType]::ParameterName, 'Only this claim; its record is taken even if its directory was made for another claim')
            [CompletionResult]::new('--former-server', '--former-server', [CompletionResultType]::ParameterName, 'Name or address that the server had before, which records name: their PVs are created with that of --server')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the plan is written; yaml is what kubectl apply takes')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the plan is written; yaml is what kubectl apply takes')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the PVs name it')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How directories are reached: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server''s own shell) or dir:/MOUNT (in a mounted copy of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Create what is missing')
            [CompletionResult]::new('--create-namespaces', '--create-namespaces', [CompletionResultType]::ParameterName, 'Create namespaces that are missing')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Create without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Create without asking')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;adopt' {
            [CompletionResult]::new('--claim', '--claim', [CompletionResultType]::ParameterName, 'The claim that gets it')
            [CompletionResult]::new('--size', '--size', [CompletionResultType]::ParameterName, 'Size of the PV, and of a claim that is made [default: the record''s, or what the claim requests]')
            [CompletionResult]::new('--class', '--class', [CompletionResultType]::ParameterName, 'Class of a claim that is made [default: the record''s, or none]')
            [CompletionResult]::new('--access-mode', '--access-mode', [CompletionResultType]::ParameterName, 'Access mode of a claim that is made; may be given again [default: the record''s, or RWX]')
            [CompletionResult]::new('--former-server', '--former-server', [CompletionResultType]::ParameterName, 'Name or address that the server had before, which records name: their PVs are created with that of --server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'NFS server, as the PVs name it')
            [CompletionResult]::new('--path', '--path', [CompletionResultType]::ParameterName, 'Exported directory')
            [CompletionResult]::new('--via', '--via', [CompletionResultType]::ParameterName, 'How directories are reached: nfs (over the protocol, no mount needed), ssh://USER@HOST:PORT (by the server''s own shell) or dir:/MOUNT (in a mounted copy of the export)')
            [CompletionResult]::new('-i', '-i', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--identity-file', '--identity-file', [CompletionResultType]::ParameterName, 'Private key to log in with (repeatable) [default: the agent''s, those of ~/.ssh/config, ~/.ssh/id_*]')
            [CompletionResult]::new('--jump', '--jump', [CompletionResultType]::ParameterName, 'Host to go through (repeatable, or separated by commas) [default: ProxyJump of ~/.ssh/config]')
            [CompletionResult]::new('--host-key', '--host-key', [CompletionResultType]::ParameterName, 'What to do about a host whose key is not in known_hosts [default: ask]')
            [CompletionResult]::new('--host-fingerprint', '--host-fingerprint', [CompletionResultType]::ParameterName, 'Fingerprint that a host''s key must have, hosts to go through too (repeatable: one of them)')
            [CompletionResult]::new('--connect-timeout', '--connect-timeout', [CompletionResultType]::ParameterName, 'How long connecting may take, step by step [default: 10s]')
            [CompletionResult]::new('--sudo-password-file', '--sudo-password-file', [CompletionResultType]::ParameterName, 'File whose first line is sudo''s password')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--create-claim', '--create-claim', [CompletionResultType]::ParameterName, 'Make the claim if it isn''t there')
            [CompletionResult]::new('--sudo', '--sudo', [CompletionResultType]::ParameterName, 'Become root with sudo; its password, if it wants one, is asked for')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;volumes;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'Show the directories on an export with the PVs that own them')
            [CompletionResult]::new('orphans', 'orphans', [CompletionResultType]::ParameterValue, 'Show the directories that no PV of this cluster names')
            [CompletionResult]::new('archived', 'archived', [CompletionResultType]::ParameterValue, 'Show the archives of deleted volumes')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Bring an archive back as a PV for a claim')
            [CompletionResult]::new('expire', 'expire', [CompletionResultType]::ParameterValue, 'Remove archives that are too old, or too much')
            [CompletionResult]::new('record', 'record', [CompletionResultType]::ParameterValue, 'Write the records of volumes on their export, which rebuild reads')
            [CompletionResult]::new('rebuild', 'rebuild', [CompletionResultType]::ParameterValue, 'Create the volumes and claims that an export''s records name, in a new or damaged cluster')
            [CompletionResult]::new('adopt', 'adopt', [CompletionResultType]::ParameterValue, 'Make a directory of an export a volume of a claim')
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
        'nfsprov;volumes;help;help' {
            break
        }
        'nfsprov;templates' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write the built-in templates into a directory, to be edited and used with --template-dir')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;templates;export' {
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;templates;help' {
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write the built-in templates into a directory, to be edited and used with --template-dir')
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
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('nfs-subdir-external-provisioner', 'nfs-subdir-external-provisioner', [CompletionResultType]::ParameterValue, 'Hand the claims of nfs-subdir-external-provisioner over to nfsprov, or back with --back')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'nfsprov;migrate;nfs-subdir-external-provisioner' {
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of nfsprov''s Deployment and of its ServiceAccount')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Image of nfsprov [default: the published image of this version]')
            [CompletionResult]::new('--replicas', '--replicas', [CompletionResultType]::ParameterName, 'Number of nfsprov''s pods; one of them serves, the others stand by [default: 2]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long each step may take')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('--back', '--back', [CompletionResultType]::ParameterName, 'Take nfsprov away again and let nfs-subdir-external-provisioner serve')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print the plan and change nothing')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Carry the plan out without asking')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Carry the plan out without asking')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;migrate;help' {
            [CompletionResult]::new('nfs-subdir-external-provisioner', 'nfs-subdir-external-provisioner', [CompletionResultType]::ParameterValue, 'Hand the claims of nfs-subdir-external-provisioner over to nfsprov, or back with --back')
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
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to write it')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to write it')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
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
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;man' {
            [CompletionResult]::new('--output-dir', '--output-dir', [CompletionResultType]::ParameterName, 'Write a page a command into this directory, such as /usr/local/share/man/man1')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config, else the pod''s service account]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Context of the kubeconfig')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace [default: the context''s]')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'How long one request to the API server may take')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour logs and tables')
            [CompletionResult]::new('-y', '-y', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Overwrite files that are there and differ')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Log more (-v, -vv)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Log errors only')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'nfsprov;help' {
            [CompletionResult]::new('setup-server', 'setup-server', [CompletionResultType]::ParameterValue, 'Make a host an NFS server for a cluster, over SSH, and prove that it is one')
            [CompletionResult]::new('setup-client', 'setup-client', [CompletionResultType]::ParameterValue, 'Make hosts NFS clients, over SSH')
            [CompletionResult]::new('teardown-server', 'teardown-server', [CompletionResultType]::ParameterValue, 'No longer export a directory; what it holds, and the packages, stay')
            [CompletionResult]::new('create', 'create', [CompletionResultType]::ParameterValue, 'Write or apply a manifest: volumes, claims, classes, what uses them, and the provisioner')
            [CompletionResult]::new('provision', 'provision', [CompletionResultType]::ParameterValue, 'Make volumes for the claims that wait for this provisioner')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Diagnose pending claims and failing NFS mounts, and suggest fixes')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the claims, volumes, classes and provisioners that touch NFS')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Make a Released PV Available again')
            [CompletionResult]::new('volumes', 'volumes', [CompletionResultType]::ParameterValue, 'The directories on an export: whose they are, archives brought back, archives removed')
            [CompletionResult]::new('templates', 'templates', [CompletionResultType]::ParameterValue, 'The templates that create fills')
            [CompletionResult]::new('migrate', 'migrate', [CompletionResultType]::ParameterValue, 'Take over from another provisioner, or hand back to it')
            [CompletionResult]::new('version', 'version', [CompletionResultType]::ParameterValue, 'Show which nfsprov this is, and the versions of Kubernetes that it is tested on')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Write the completion script of a shell to stdout')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Write the manual page of nfsprov to stdout, or all pages into a directory')
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
            [CompletionResult]::new('pv', 'pv', [CompletionResultType]::ParameterValue, 'A static volume on an existing export')
            [CompletionResult]::new('pvc', 'pvc', [CompletionResultType]::ParameterValue, 'A claim')
            [CompletionResult]::new('storageclass', 'storageclass', [CompletionResultType]::ParameterValue, 'A class of volumes made on demand')
            [CompletionResult]::new('pod', 'pod', [CompletionResultType]::ParameterValue, 'A pod that uses a claim')
            [CompletionResult]::new('statefulset', 'statefulset', [CompletionResultType]::ParameterValue, 'A StatefulSet whose pods have a claim each, and its Service')
            [CompletionResult]::new('provisioner', 'provisioner', [CompletionResultType]::ParameterValue, 'A provisioner in the cluster: ServiceAccount, RBAC, Deployment and StorageClass')
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
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'Show the directories on an export with the PVs that own them')
            [CompletionResult]::new('orphans', 'orphans', [CompletionResultType]::ParameterValue, 'Show the directories that no PV of this cluster names')
            [CompletionResult]::new('archived', 'archived', [CompletionResultType]::ParameterValue, 'Show the archives of deleted volumes')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Bring an archive back as a PV for a claim')
            [CompletionResult]::new('expire', 'expire', [CompletionResultType]::ParameterValue, 'Remove archives that are too old, or too much')
            [CompletionResult]::new('record', 'record', [CompletionResultType]::ParameterValue, 'Write the records of volumes on their export, which rebuild reads')
            [CompletionResult]::new('rebuild', 'rebuild', [CompletionResultType]::ParameterValue, 'Create the volumes and claims that an export''s records name, in a new or damaged cluster')
            [CompletionResult]::new('adopt', 'adopt', [CompletionResultType]::ParameterValue, 'Make a directory of an export a volume of a claim')
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
        'nfsprov;help;templates' {
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Write the built-in templates into a directory, to be edited and used with --template-dir')
            break
        }
        'nfsprov;help;templates;export' {
            break
        }
        'nfsprov;help;migrate' {
            [CompletionResult]::new('nfs-subdir-external-provisioner', 'nfs-subdir-external-provisioner', [CompletionResultType]::ParameterValue, 'Hand the claims of nfs-subdir-external-provisioner over to nfsprov, or back with --back')
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
