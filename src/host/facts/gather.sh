# Reads all that nfsprov wants to know of a host, and changes nothing. Set before: $exports, $directory, $quota if limits of
# directories are wanted, and the servers' names as positional parameters.

# In this locale the shell counts bytes.
LC_ALL=C
export LC_ALL

# Each fact is a line "@NAME LENGTH", that many bytes, and a newline. No program runs for that: starting programs is most
# of what this script costs.
fact() {
    printf '@%s %d\n%s\n' "$1" "${#2}" "$2"
}
file() {
    [ -f "$2" ] && [ -r "$2" ] || return 0
    length=$(($(wc -c <"$2")))
    printf '@%s %d\n' "$1" "$length"
    head -c "$length" "$2"
    echo
}
has() {
    command -v "$1" >/dev/null 2>&1
}
# What hangs is a fact that is missing, not a host that is lost.
soon() {
    within 10 "$@"
}
within() {
    seconds=$1
    shift
    if has timeout; then timeout "$seconds" "$@" 2>/dev/null; else "$@" 2>/dev/null; fi
}

fact uid "$(id -u)"
fact clock "$(date +%s)"
names=$(uname -nr)
fact hostname "${names%% *}"
fact kernel "${names#* }"
if [ -f /etc/os-release ]; then file os-release /etc/os-release; else file os-release /usr/lib/os-release; fi

# Of package managers, of systems that are changed as a whole, and of NFS.
programs=
for name in apt-get dnf yum zypper apk pacman transactional-update rpm-ostree nixos-rebuild exportfs mount.nfs nfsconf; do
    if has "$name"; then programs="$programs $name"; fi
done
fact programs "$programs"
names='nfs-kernel-server nfs-common nfs-utils nfs-client rpcbind'
case $programs in
*apt-get*) packages=$(dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' $names 2>/dev/null | sed -n 's/ installed$//p') ;;
*dnf* | *yum* | *zypper*) packages=$(rpm --query --queryformat '%{NAME}\n' $names 2>/dev/null | grep -v ' ') ;;
*apk*) packages=$(apk info --installed $names 2>/dev/null) ;;
*pacman*) packages=$(pacman --query --quiet $names 2>/dev/null) ;;
*) packages= ;;
esac
fact packages "$packages"

units='rpcbind nfs-server nfs-kernel-server nfs rpc-statd rpc.statd firewalld'
if [ -d /run/systemd/system ]; then
    fact init systemd
    services=
    for unit in $units; do services="$services $unit.service"; done
    # One block of properties for each; an alias is told by all its names.
    fact units "$(systemctl show --property Names --property LoadState --property ActiveState --property UnitFileState $services 2>/dev/null)"
elif has rc-service; then
    fact init openrc
    for unit in $units; do
        load=not-found active=inactive enabled=disabled
        if rc-service --exists "$unit" 2>/dev/null; then load=loaded; fi
        if rc-service "$unit" status >/dev/null 2>&1; then active=active; fi
        if rc-update show default 2>/dev/null | grep -qw "$unit"; then enabled=enabled; fi
        fact unit "$unit LoadState=$load ActiveState=$active UnitFileState=$enabled"
    done
else
    fact init "$(tr '\0' ' ' </proc/1/cmdline 2>/dev/null)"
fi

kernel_has() {
    if grep -qw "$1" /proc/filesystems; then
        echo yes
    elif has modprobe && modprobe --dry-run --quiet "$1" 2>/dev/null; then
        echo module
    else
        echo no
    fi
}
fact nfsd "$(kernel_has nfsd)"
fact nfs "$(kernel_has nfs)"
fact threads "$(cat /proc/fs/nfsd/threads 2>/dev/null)"
fact versions "$(cat /proc/fs/nfsd/versions 2>/dev/null)"
if has rpcinfo; then fact rpc "$(soon rpcinfo -p)"; fi

# An exports file that is a link stays one: what it leads to is edited.
if [ -n "$exports" ]; then
    real=$(readlink -f "$exports" 2>/dev/null) || real=$exports
    fact exports-path "$real"
    if [ -e "$real" ]; then
        fact exports-checksum "$(cksum <"$real")"
        file exports "$real"
    fi
    for other in /etc/exports /etc/exports.d/*.exports; do
        if [ -f "$other" ] && [ "$(readlink -f "$other")" != "$real" ]; then
            fact other-path "$other"
            file other "$other"
        fi
    done
    if has exportfs; then fact listing "$(soon exportfs -s)"; fi
    file nfs.conf /etc/nfs.conf
    if [ -f /etc/nfs.conf ]; then fact nfs.conf-checksum "$(cksum </etc/nfs.conf)"; fi
    for other in /etc/nfs.conf.d/*.conf; do
        file nfs.conf-part "$other"
    done
fi

if [ -n "$directory" ]; then
    above=$directory
    until [ -d "$above" ]; do
        above=${above%/*}
        above=${above:-/}
    done
    # Any directory on the way may be a link: exportfs lists what it leads to.
    real=$(readlink -f "$above" 2>/dev/null)
    if [ -L "$directory" ]; then
        fact directory "link $(readlink -f "$directory")"
    elif [ -n "$real" ] && [ "$real" != "$above" ]; then
        fact directory "link $real${directory#"$above"}"
    elif [ -d "$directory" ]; then
        fact directory "directory $(stat -c '%a %u %g %U %G' "$directory")"
    elif [ -e "$directory" ]; then
        fact directory other
    else
        fact directory none
    fi
    fact above "$above"
    fact filesystem "$(stat -f -c %T "$above" 2>/dev/null)"
fi

if [ -n "$directory" ] && [ -n "$quota" ]; then
    tools=
    for name in xfs_quota setquota repquota quotaon lsattr chattr; do
        if has "$name"; then tools="$tools $name"; fi
    done
    fact quota-tools "$tools"
    type=$(findmnt -fnlo FSTYPE --target "$above" 2>/dev/null)
    device=$(findmnt -fnlvo SOURCE --target "$above" 2>/dev/null)
    mount=$(findmnt -fnlo TARGET --target "$above" 2>/dev/null)
    fact quota-type "$type"
    fact quota-device "$device"
    fact quota-mount "$mount"
    fact quota-options "$(findmnt -fnlo OPTIONS --target "$above" 2>/dev/null)"
    # It tells of ext4, too. Other programs call quotas on that count and limit nothing. One that hangs tells nothing.
    if has xfs_quota; then
        state=$(soon xfs_quota -f -x -c 'state -p' "$mount")
        case $? in
        124 | 137 | 143) ;;
        *) fact quota-state "$state" ;;
        esac
    fi
    if [ "$type" = ext4 ]; then
        fact quota-features "$(soon dumpe2fs -h "$device" | sed -n 's/^Filesystem features: *//p')"
        if has modprobe && modprobe --dry-run --quiet quota_v2 2>/dev/null; then fact quota-module yes; fi
    fi
    if [ -f /etc/fstab ]; then fact quota-fstab-checksum "$(cksum </etc/fstab)"; fi
    file fstab /etc/fstab
    # The directory and those above it, on the same file system.
    at=$above
    while [ -n "$mount" ]; do
        fact quota-project "$(lsattr -pd "$at" 2>&1)"
        if [ "$at" = "$mount" ] || [ "$at" = / ]; then break; fi
        at=${at%/*}
        at=${at:-/}
    done
fi

zones=
# It starts a Python, which takes a busy host seconds.
if has firewall-cmd; then zones=$(within 30 firewall-cmd --list-all-zones); fi
if [ -n "$zones" ]; then
    fact firewalld "$zones"
    fact firewalld-permanent "$(within 30 firewall-cmd --permanent --list-all-zones)"
    fact firewalld-default "$(sed -n 's/^DefaultZone=//p' /etc/firewalld/firewalld.conf 2>/dev/null)"
    fact firewalld-routes "$(ip -o -4 route show 2>/dev/null; ip -o -6 route show 2>/dev/null | sed 's|^default |::/0 |')"
elif has ufw && grep -q '^ENABLED=yes' /etc/ufw/ufw.conf 2>/dev/null; then
    # It starts a Python, too.
    fact ufw "$(within 30 ufw show added)"
else
    # Of all chains of nftables, those that every packet to the host passes.
    if has nft; then
        fact nftables "$(soon nft list ruleset | awk '
            /chain .*[{]$/ { chain = ""; is_input = 0 }
            { chain = chain $0 "\n" }
            /hook input/ { is_input = 1 }
            /^[ \t]*[}]$/ { if (is_input) printf "%s", chain; chain = ""; is_input = 0 }')"
    fi
    if has iptables && soon iptables -S INPUT | grep -q -e '^-P INPUT DROP' -e '-j DROP' -e '-j REJECT'; then
        fact iptables yes
    fi
fi
if has getenforce; then
    fact selinux "$(getenforce)"
    fact booleans "$(getsebool nfs_export_all_rw virt_use_nfs 2>/dev/null)"
fi

if has ip; then
    fact addresses "$(ip -o addr show scope global 2>/dev/null | awk '{ print $4 }')"
    # Under which of its names this host finds the server, and from which address it speaks to it.
    for server do
        case $server in
        *[!0-9.]*) found=$(soon getent ahosts "$server" | awk '{ print $1; exit }') ;;
        *) found=$server ;;
        esac
        if [ -n "$found" ]; then
            fact route "$server $found $(ip -o route get "$found" 2>/dev/null | sed -n 's/.* src \([^ ]*\).*/\1/p')"
        fi
    done
fi
fact end ''
