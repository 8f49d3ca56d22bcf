# Makes image.tar in the current directory of a program and its libraries: NAME PROGRAM [SCRIPT]; pack.sh is there
# already. If there is a script, it is what the image runs, and the program is its shell.
rm -rf root
mkdir -p root/usr/local/bin
# The image is copied to nodes, and debug information is nine tenths of a program that is being worked on.
strip -o "root/usr/local/bin/${2##*/}" "$2"
# A library's line ends in its path and address; the loader's line is only these.
ldd "$2" | sed -nE 's#^.*[[:space:]](/[^ ]+) \(0x[0-9a-f]+\)$#\1#p' | while read -r library; do
    install -D -m 755 "$library" "root$library"
done
run=${3-$2}
[ "$run" = "$2" ] || install -m 755 "$run" "root/usr/local/bin/${run##*/}"
sh pack.sh "$1" root image.tar "${run##*/}"
