# Makes an NFS client an NFS server, as an administrator would.
export DEBIAN_FRONTEND=noninteractive
apt-get install --yes nfs-kernel-server
mkdir -m 0777 /nfsdata
echo '/nfsdata *(rw,sync,no_subtree_check,no_root_squash)' >/etc/exports
# After a restart a server refuses new locks and opens of NFSv4 for as long as an earlier client
# might want its own back. 90 seconds are for real networks.
mkdir -p /etc/nfs.conf.d
printf '[nfsd]\ngrace-time=10\nlease-time=10\n' >/etc/nfs.conf.d/lab.conf
systemctl restart nfs-server

# What the tests rely on is checked once, here.
showmount -e localhost | grep -q '^/nfsdata '
rpcinfo -T tcp localhost nfs 3
rpcinfo -T tcp localhost nfs 4
rpcinfo -T tcp localhost mountd 3
systemctl is-enabled nfs-server rpcbind
systemctl is-active nfs-server nfs-mountd rpcbind
# For block devices that are shared over a storage network; only delays the start.
systemctl mask nfs-blkmap.service
sync
