# Makes of a bare guest the double of a host with rpm packages: Debian's own dnf and rpm, real, and a repository of
# packages under Red Hat's names that hold the files of Debian's. Neither apt nor dpkg is left. $payload is a directory
# of the machine that the guest runs on.
export DEBIAN_FRONTEND=noninteractive
mount -t hostfs none /mnt -o "$payload"
# Libraries come as on any host; what is tested is how NFS itself is installed.
dpkg --install /mnt/packages/*.deb /opt/lab-repository/lib*.deb

# Puts the files of Debian's packages that are named into the directory $build/NAME.
build=/root/double
collect() {
    to=$build/$1
    shift
    mkdir -p "$to/etc"
    for package; do dpkg-deb --extract /opt/lab-repository/"$package"_*.deb "$to"; done
    # Where rpm finds a link, as /sbin is one, it wants no directory.
    for part in bin sbin lib; do
        [ ! -d "$to/$part" ] || { mkdir -p "$to/usr/$part" && cp -a "$to/$part/." "$to/usr/$part/" && rm -r "${to:?}/$part"; }
    done
    rm -rf "$to/etc/init.d" "$to/etc/insserv.conf.d" "$to/usr/share/doc" "$to/usr/share/man" "$to/usr/share/bug" \
        "$to/usr/share/lintian"
}
version_of() {
    dpkg-deb --field /opt/lab-repository/"$1"_*.deb Version | sed 's/^[0-9]*://; s/-.*//; s/+.*//'
}
# Writes the rpm package NAME, of a version.
pack() {
    mkdir -p "$build/$1"
    # Its directories are its own where nobody else has them.
    (cd "$build/$1" && find . -mindepth 1 ! -type d ! -path ./etc/exports ! -path ./etc/nfs.conf -printf '"/%P"\n'
        find . -path './var/lib/nfs*' -type d -printf '%%dir "/%P"\n') >"$build/$1.list"
    rpmbuild --quiet -bb --define "_topdir $build/rpm" --define "_rpmdir /opt/lab-rpms" --define "of $2" \
        --define "content $build/$1" --define "paths $build/$1.list" --define 'debug_package %{nil}' \
        --define '__os_install_post %{nil}' --define '_build_id_links none' "/mnt/recipe/$1.spec"
}

collect rpcbind rpcbind
collect nfs-utils nfs-common nfs-kernel-server
to=$build/nfs-utils
# Debian's scripts would put these there.
cp "$to/usr/share/nfs-common/conffiles/nfs.conf" "$to/usr/share/nfs-common/conffiles/idmapd.conf" "$to/etc/"
: >"$to/etc/exports"
mkdir -p "$to/etc/exports.d" "$to/var/lib/nfs/sm" "$to/var/lib/nfs/sm.bak" "$to/var/lib/nfs/v4recovery"
for file in etab rmtab; do : >"$to/var/lib/nfs/$file"; done
# Names that such hosts don't have: from version 8 on, there is not even an nfs.service.
rm -f "$to/usr/lib/systemd/system/nfs-kernel-server.service" "$to/usr/lib/systemd/system/nfs-common.service"

pack base 9
pack rpcbind "$(version_of rpcbind)"
pack nfs-utils "$(version_of nfs-kernel-server)"
createrepo_c --quiet /opt/lab-rpms
mkdir -p /etc/yum.repos.d /usr/lib/systemd/system-preset
printf '[lab]\nname=The lab\nbaseurl=file:///opt/lab-rpms\nenabled=1\ngpgcheck=0\n' >/etc/yum.repos.d/lab.repo
printf 'enable rpcbind.socket\nenable nfs-client.target\ndisable *\n' >/usr/lib/systemd/system-preset/90-default.preset
rpm --install /opt/lab-rpms/*/lab-rpm-double-*.rpm

rm -f /etc/os-release
cat >/etc/os-release <<'END'
NAME="Rocky Linux"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9"
VERSION="9 (a double)"
PLATFORM_ID="platform:el9"
PRETTY_NAME="a double of Rocky Linux 9 (Debian's userland, dnf and rpm)"
END
cp /etc/os-release /usr/lib/os-release
umount /mnt
rm -rf "$build" /opt/lab-repository /etc/apt /var/lib/apt /var/cache/apt /var/lib/dpkg /etc/dpkg /etc/debian_version \
    /usr/bin/apt /usr/bin/apt-* /usr/bin/dpkg /usr/bin/dpkg-* /usr/sbin/dpkg-*

# What the tests rely on is checked once, here; the shell remembers where programs were.
hash -r
for program in apt-get apt dpkg dpkg-query yum exportfs rpcbind mount.nfs; do
    if command -v "$program"; then exit 1; fi
done
dnf --quiet list --available nfs-utils rpcbind
systemctl daemon-reload
for unit in nfs nfs-server nfs-kernel-server rpcbind; do
    if systemctl cat "$unit.service"; then exit 1; fi
done
sync
