# Makes of a bare guest an NFS server that can make XFS and limit directories; it exports nothing. $payload is a directory
# of the machine that the guest runs on.
export DEBIAN_FRONTEND=noninteractive
mount -t hostfs none /mnt -o "$payload"
dpkg --install /mnt/packages/*.deb
umount /mnt
# Limits are in the file systems; these services are for others.
systemctl disable quota quotarpc || true
apt-get install --yes nfs-kernel-server
mkdir -p /etc/nfs.conf.d
printf '[nfsd]\ngrace-time=10\nlease-time=10\n' >/etc/nfs.conf.d/lab.conf

# What the tests rely on is checked once, here.
grep -qw xfs /proc/filesystems
modprobe quota_v2
for tool in mkfs.xfs mkfs.ext4 xfs_quota setquota repquota; do command -v "$tool"; done
systemctl is-active nfs-server rpcbind
sync
