# Boots the guest that the arguments say, in fresh namespaces (network, processes, mounts); has
# setup.sh run in it; and copies its disk into the current directory if LAB_DISK names it there.
# LAB_KEY, LAB_ADDRESS, LAB_TAP, LAB_GATEWAY; TMPDIR is where the guest's memory is while it runs.
# LAB_BEGIN names a disk that the guest's begins as.
ip link set lo up
ip tuntap add dev "$LAB_TAP" mode tap
ip address add "$LAB_GATEWAY" dev "$LAB_TAP"
ip link set "$LAB_TAP" up
mount -t tmpfs -o exec,mode=700 nfsprov-lab "$TMPDIR"
[ -z "${LAB_BEGIN:-}" ] || cp --sparse=always "$LAB_BEGIN" "$TMPDIR/$LAB_DISK"

"$@" </dev/null &
guest=$!

# A try is short while the guest starts; after that a busy machine may take its time.
patience=2
in_guest() {
    ssh -i "$LAB_KEY" -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes \
        -o UserKnownHostsFile=known_hosts -o LogLevel=ERROR -o ConnectTimeout=$patience "root@$LAB_ADDRESS" "$@"
}
tries=0
until in_guest true 2>ssh.log; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! kill -0 "$guest"; then
        cat ssh.log
        echo "the guest does not start" >&2
        exit 1
    fi
    sleep 0.2
done
rm -f ssh.log
patience=60

in_guest sh -eux <setup.sh
# The guest may end the connection before it tells the command's end.
in_guest systemctl start --no-block poweroff.target || [ $? = 255 ]
timeout 120 tail --pid="$guest" -f /dev/null
wait "$guest"
[ -z "${LAB_DISK:-}" ] || cp --sparse=always "$TMPDIR/$LAB_DISK" "$LAB_DISK"
