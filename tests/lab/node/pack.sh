# Packs a directory as a container image of one layer, in the format of `docker save`, which containerd imports:
#
#   sh pack.sh NAME:TAG ROOT OUTPUT.tar COMMAND...
#
# No word of the command may need quoting in JSON.
set -eu
name=$1 root=$2 output=$3
shift 3
work=$(mktemp -d "$output.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Equal contents give an equal image.
archive() {
    tar --create --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner "$@"
}
archive --file "$work/layer.tar" --directory "$root" .
layer=$(sha256sum <"$work/layer.tar")
command=
for word in "$@"; do
    command="$command${command:+, }\"$word\""
done
cat >"$work/config.json" <<JSON
{
  "architecture": "$(dpkg --print-architecture)", "os": "linux",
  "config": {"Cmd": [$command], "Env": ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"]},
  "rootfs": {"type": "layers", "diff_ids": ["sha256:${layer%% *}"]}
}
JSON
cat >"$work/manifest.json" <<JSON
[{"Config": "config.json", "RepoTags": ["$name"], "Layers": ["layer.tar"]}]
JSON
archive --file "$work/image.tar" --directory "$work" config.json layer.tar manifest.json
mv "$work/image.tar" "$output"
