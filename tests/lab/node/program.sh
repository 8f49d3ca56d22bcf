# Makes image.tar in the current directory of a program and its libraries: NAME PROGRAM; pack.sh is there already.
rm -rf root
mkdir -p root/usr/local/bin
# The image is copied to nodes, and debug information is nine tenths of a program that is being worked on.
strip -o "root/usr/local/bin/${2##*/}" "$2"
# A library's line ends in its path and address; the loader's line is only these.
ldd "$2" | sed -nE 's#^.*[[:space:]](/[^ ]+) \(0x[0-9a-f]+\)$#\1#p' | while read -r library; do
    install -D -m 755 "$library" "root$library"
done
sh pack.sh "$1" root image.tar "${2##*/}"
