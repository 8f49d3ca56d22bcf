# Runs a Debian system without its own kernel, in namespaces, until it is killed:
#
#   unshare --mount --uts --ipc --pid --net --fork --kill-child -- \
#       sh -eu run.sh DISK MEMORY NAME ADDRESS/PREFIX GATEWAY HOSTS
#
# DISK is only read; MEMORY is a directory for all changes. The interface eth0 comes from outside. HOSTS is a list
# ADDRESS NAME, one a line. The system has an SSH server and a journal, but no systemd.
disk=$1 memory=$2 name=$3 address=$4 gateway=$5 hosts=$6

mount --make-rprivate /
mkdir -p "$memory"
mount -t tmpfs -o mode=755 container "$memory"
cd "$memory"
mkdir disk changes work root
mount -o loop,ro "$disk" disk
mount -t overlay -o lowerdir=disk,upperdir=changes,workdir=work overlay root
mount -t proc proc root/proc
mount -t tmpfs -o mode=755 run root/run
mount -t sysfs -o ro sysfs root/sys
mount -t cgroup2 -o ro cgroup root/sys/fs/cgroup
mount -t tmpfs -o mode=755 dev root/dev
for device in null zero full random urandom tty; do
    : >"root/dev/$device"
    mount --bind "/dev/$device" "root/dev/$device"
done
mkdir root/dev/pts
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts root/dev/pts
ln -s pts/ptmx root/dev/ptmx
ln -s /proc/self/fd root/dev/fd
ln -s /run/systemd/journal/dev-log root/dev/log

hostname "$name"
printf '127.0.0.1 localhost\n%s\n' "$hosts" >root/etc/hosts
ip link set lo up
until ip link set eth0 up 2>/dev/null; do sleep 0.05; done
ip address add "$address" dev eth0
ip route add default via "$gateway"

exec chroot root sh -euc '
    mkdir -p /run/sshd /run/systemd/journal /run/log
    /lib/systemd/systemd-journald &
    /usr/sbin/sshd -D -e &
    # This process adopts its programs when their parents end.
    wait'
