#!/bin/sh
# Collects what makes a bare guest a node of Kubernetes, in payload/ of the current directory, one step a call:
#
#   sh build.sh packages|images|files|disk RECIPE IMAGE_DIRECTORY PROGRAMS
#
# Beside it is busybox/, the unpacked Debian package busybox-static.
set -eu
recipe=$2 image=$3 programs=$4

# Exactly what apt would install in the guest: this machine's apt is shown the guest's list of what is there.
packages() {
    rm -rf payload/packages
    mkdir -p payload/packages/partial
    debugfs -R "dump /var/lib/dpkg/status $PWD/dpkg-status" "$image"
    # Dependencies only, and no other use of the machine's own apt: not its locks, not its caches.
    apt-get --quiet --yes --no-install-recommends --download-only \
        -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Dir::State::status="$PWD/dpkg-status" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Dir::Cache::archives="$PWD/payload/packages" \
        install $(grep -v '^#' "$recipe/packages")
}

# The images that pods run. Nothing can be pulled here, so these stand in for what clusters pull, under names of their
# own: `pause`, what containerd holds a pod together with; `busybox`, Debian's; `web`, the same as a web server.
images() {
    rm -rf payload/images roots
    mkdir -p payload/images roots/pause roots/busybox
    cc -static -Os -Wall -Werror -o roots/pause/pause "$recipe/pause.c"
    strip roots/pause/pause
    (
        cd roots/busybox
        mkdir -p bin etc root tmp
        chmod 1777 tmp
        cp ../../busybox/bin/busybox bin/
        bin/busybox --list | while read -r applet; do
            [ "$applet" = busybox ] || ln -s busybox "bin/$applet"
        done
        echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
        echo 'root:x:0:' >etc/group
    )
    sh "$recipe/pack.sh" localhost/pause:1 roots/pause payload/images/pause.tar /pause
    sh "$recipe/pack.sh" localhost/busybox:1 roots/busybox payload/images/busybox.tar sh
    sh "$recipe/pack.sh" localhost/web:1 roots/busybox payload/images/web.tar \
        httpd -f -p 80 -h /usr/share/nginx/html
}

# What is copied over the guest's own files.
files() {
    rm -rf payload/files
    for program in kubelet kube-proxy; do
        install -D -m 755 "$programs/$program" "payload/files/usr/local/bin/$program"
        install -D -m 644 "$recipe/$program.service" "payload/files/etc/systemd/system/$program.service"
    done
    install -D -m 755 "$recipe/lab-node" payload/files/usr/local/sbin/lab-node
    install -D -m 644 "$recipe/kubelet.yaml" payload/files/etc/kubernetes/kubelet.yaml
    install -D -m 644 "$recipe/containerd.toml" payload/files/etc/containerd/config.toml
}

# A disk of its own, not changes on top of the guests': these would be copied for each node that starts.
disk() {
    cp --sparse=always "$image" node.raw
}

"$1"
