# Makes a bare guest a node that lacks only a cluster. $payload is a directory of the machine that the guest runs on.
export DEBIAN_FRONTEND=noninteractive
mount -t hostfs none /mnt -o "$payload"
dpkg --install /mnt/packages/*.deb
cp -R /mnt/files/. /
depmod
# The guests' kernel has no nf_tables for IPv4.
update-alternatives --set iptables /usr/sbin/iptables-legacy
systemctl daemon-reload
modprobe overlay
systemctl restart containerd
for image in /mnt/images/*.tar; do
    ctr --namespace k8s.io images import "$image"
done
systemctl enable kubelet kube-proxy
umount /mnt

# What the tests rely on is checked once, here.
systemctl is-active containerd
modprobe --dry-run veth
test "$(ctr --namespace k8s.io images list --quiet | grep -c '^localhost/')" -eq 3
# Installing the NFS client is what is tested.
! command -v mount.nfs
sync
