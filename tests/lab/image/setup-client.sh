# Makes a bare guest an NFS client, as an administrator would.
export DEBIAN_FRONTEND=noninteractive
apt-get install --yes nfs-common
sync
