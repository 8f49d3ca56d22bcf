# Makes of a bare guest an NFS server with firewalld, ufw and one-time passwords, none of which is in use yet. $payload is
# a directory of the machine that the guest runs on.
export DEBIAN_FRONTEND=noninteractive
mount -t hostfs none /mnt -o "$payload"
# The guests' kernel has no nf_tables for IPv4.
dpkg --install /mnt/packages/*.deb
depmod
update-alternatives --set iptables /usr/sbin/iptables-legacy
update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy
sed -i 's/^FirewallBackend=.*/FirewallBackend=iptables/; s/^IPv6_rpfilter=.*/IPv6_rpfilter=no/' /etc/firewalld/firewalld.conf
systemctl disable --now firewalld ufw
apt-get install --yes nfs-kernel-server
umount /mnt

# What the tests rely on is checked once, here.
systemctl start firewalld
firewall-cmd --state
firewall-cmd --list-all-zones >/dev/null
systemctl stop firewalld
ufw --force enable
ufw status
ufw --force disable
systemctl is-active nfs-server rpcbind
test -e /lib/x86_64-linux-gnu/security/pam_oath.so || test -e /usr/lib/x86_64-linux-gnu/security/pam_oath.so
sync
