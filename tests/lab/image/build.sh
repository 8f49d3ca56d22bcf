#!/bin/sh
# Builds the disk image of the lab's guests in the current directory, one step a call:
#
#   sh build.sh userland|settings|disk|preload RECIPE_DIRECTORY DIRECTORY_OF_MODULES...
#
# Each of the directories holds one that is called as the release of a kernel.
#
# Runs as root. Everything comes from the Debian archive that this machine's own apt is
# configured with; the finished image knows no archive but the one inside itself.
set -eu
recipe=$2
root=rootfs

# The machine's sources and the few acquire settings a download may depend on (proxies,
# clock checks), limited to Debian's own suites of this release: a third party's
# repository would change what is tested.
sources() {
    . /etc/os-release
    apt-get indextargets --format '$(SIGNED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' \
        'Created-By: Packages' |
        awk -F'|' -v codename="$VERSION_CODENAME" '
            $4 != "main" || ($3 != codename && $3 != codename "-updates" && $3 != codename "-security") { next }
            !seen[$2, $3]++ { print "deb", ($1 ~ /^\// ? "[signed-by=" $1 "] " : "") $2, $3, $4 }'
}

userland() {
    rm -rf "$root" repository sources.list acquire.conf
    mkdir repository
    sources >sources.list
    if ! [ -s sources.list ]; then
        echo "apt knows no package lists of this Debian release; run: apt-get update" >&2
        exit 1
    fi
    apt-config dump | grep -E '^Acquire::(Check-|Retries|https?::)' >acquire.conf || true

    # What the guests start with. NFS itself is left out: installing it is what is tested.
    # Its dependencies that any server has already (python3, libraries) are in, since
    # unpacking them in a guest takes longest and shows nothing.
    packages=$(grep -v '^#' "$recipe/packages" | paste -sd' ')
    nfs=$(grep -v '^#' "$recipe/packages-nfs" | paste -sd' ')

    # The hook runs while apt still has its sources: NFS and all that it pulls in on top of
    # this userland are downloaded with the same apt that made it.
    mmdebstrap --quiet --mode=root --variant=minbase --format=directory --skip=cleanup \
        --include="$packages" \
        --aptopt='APT::Install-Recommends "false"' --aptopt=acquire.conf \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --customize-hook="APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG apt-get --quiet --quiet clean" \
        --customize-hook="APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG apt-get --quiet --yes --download-only -o APT::Install-Recommends=true install $nfs" \
        "" "$root" - <sources.list
    mv "$root"/var/cache/apt/archives/*.deb repository/
}

# Those that a guest may want, and veth for the network of pods.
install_modules() {
    of="$root/lib/modules/${1##*/}"
    mkdir -p "$of/kernel"
    cp "$1"/modules.builtin* "$1"/modules.order "$of/"
    for part in crypto fs lib net; do
        [ ! -d "$1/kernel/$part" ] || cp -R "$1/kernel/$part" "$of/kernel/"
    done
    install -D -m 644 -t "$of/kernel/drivers/net" "$1"/kernel/drivers/net/veth.ko*
    chroot "$root" depmod "${1##*/}"
}

settings() {
    for modules; do
        install_modules "$modules"/*
    done

    # One archive, inside the image. What the userland was made from is deleted, with every
    # trace of its address.
    mkdir "$root/opt/lab-repository"
    cp repository/*.deb "$root/opt/lab-repository/"
    (cd "$root/opt/lab-repository" && dpkg-scanpackages --multiversion . >Packages 2>/dev/null)
    rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* \
        "$root"/etc/apt/apt.conf.d/*mmdebstrap "$root"/var/lib/apt/lists/* \
        "$root"/var/cache/apt/* "$root"/var/log/* "$root"/tmp/* "$root"/run/*
    mkdir -p "$root"/var/lib/apt/lists/partial "$root"/var/cache/apt/archives/partial "$root"/var/log/apt
    echo 'deb [trusted=yes] file:/opt/lab-repository ./' >"$root/etc/apt/sources.list"
    # As after any first `apt-get update`; a guest need not spend the time.
    chroot "$root" apt-get --quiet --quiet -o APT::Sandbox::User=root update
    sed -E 's#.*://([^/ ]+).*#\1#' sources.list | sort -u | while read -r host; do
        if grep -rlF "$host" "$root/etc" "$root/home" "$root/opt" "$root/root" "$root/var"; then
            echo "these files of the image name this machine's Debian archive" >&2
            exit 1
        fi
    done
    # Disks of guests are thrown away; dpkg need not wait for them.
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/lab"

    # One client key for the whole lab and host keys known beforehand, so that every
    # connection can check whom it talks to.
    rm -f id_ed25519 id_ed25519.pub "$root"/etc/ssh/ssh_host_*
    ssh-keygen -q -t ed25519 -N '' -C nfsprov-lab -f id_ed25519
    ssh-keygen -q -t ed25519 -N '' -C nfsprov-lab -f "$root/etc/ssh/ssh_host_ed25519_key"
    cp "$root/etc/ssh/ssh_host_ed25519_key.pub" host_key.pub
    # An administrator who needs sudo, beside root.
    chroot "$root" useradd --create-home --shell /bin/bash --groups sudo ops
    echo 'ops ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/ops"
    chmod 440 "$root/etc/sudoers.d/ops"
    for home in root home/ops; do
        install -d -m 700 "$root/$home/.ssh"
        install -m 600 id_ed25519.pub "$root/$home/.ssh/authorized_keys"
    done
    chroot "$root" chown -R ops:ops /home/ops
    # No reverse look-ups: there is no name server. Tests run many commands at once over one connection.
    printf 'UseDNS no\nPermitRootLogin prohibit-password\nMaxSessions 100\n' >"$root/etc/ssh/sshd_config.d/lab.conf"

    # The name is given at start; names are found in /etc/hosts only, so that an unknown one
    # fails at once instead of waiting for a name server.
    rm -f "$root/etc/hostname"
    printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
    : >"$root/etc/resolv.conf"
    : >"$root/etc/fstab"
    sed -i 's/^hosts:.*/hosts: files/' "$root/etc/nsswitch.conf"
    # Any fixed id will do; without one the first boot counts as an installation.
    echo 6c61622d6e667370726f762d67756573 >"$root/etc/machine-id"
    mkdir -p "$root/etc/systemd/journald.conf.d"
    printf '[Journal]\nStorage=volatile\n' >"$root/etc/systemd/journald.conf.d/lab.conf"
    install -m 755 "$recipe/lab-net" "$root/usr/local/sbin/lab-net"
    install -m 644 "$recipe/lab-net.service" "$root/etc/systemd/system/lab-net.service"
    chroot "$root" systemctl --quiet enable lab-net.service
    chroot "$root" systemctl --quiet set-default multi-user.target
    grep -v '^#' "$recipe/masked-units" | while read -r unit; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    # Started when somebody asks for them, not at every boot.
    for unit in dbus.service systemd-logind.service getty.target; do
        rm -f "$root/lib/systemd/system/multi-user.target.wants/$unit"
    done
    # systemd runs each generator at every boot; these have nothing to find in a guest.
    mkdir -p "$root/etc/systemd/system-generators"
    for generator in "$root"/lib/systemd/system-generators/systemd-*; do
        case ${generator##*/} in
        systemd-fstab-generator | systemd-sysv-generator) ;;
        *) ln -sf /dev/null "$root/etc/systemd/system-generators/${generator##*/}" ;;
        esac
    done
    # Logins other than root's wait for systemd-user-sessions, which is masked.
    ln -sf /dev/null "$root/etc/tmpfiles.d/systemd-nologin.conf"
    mkdir -p "$root/etc/systemd/system/systemd-tmpfiles-setup.service.d" "$root/etc/systemd/system/ssh.service.d"
    printf '[Service]\nLoadCredential=\n' >"$root/etc/systemd/system/systemd-tmpfiles-setup.service.d/lab.conf"
    printf '[Service]\nExecStartPre=\n' >"$root/etc/systemd/system/ssh.service.d/lab.conf"
    rm -f "$root/usr/sbin/policy-rc.d"
}

disk() {
    # A journal, because tests kill guests; everything initialised now, because a guest that
    # does it lazily would copy the whole of it into its own disk.
    rm -f image.raw
    truncate --size=2G image.raw
    # A test makes 100,000 files.
    mke2fs -q -t ext4 -L root -N 400000 -E lazy_itable_init=0,lazy_journal_init=0,nodiscard -d "$root" image.raw
}

preload() {
    cc -shared -fPIC -O2 -Wall -Werror -o ptrace.so "$recipe/ptrace.c"
}

step=$1
shift 2
"$step" "$@"
