#!/bin/sh
# Lays out the root of the image: root.sh BINARY FOLDER
set -eu
binary=$1 root=$2
here=$(cd "$(dirname "$0")" && pwd)
user=65532

umask 022
mkdir -p "$root/usr/bin" "$root/etc/portcullis" "$root/etc/ssl/certs" "$root/run/portcullis" "$root/tmp"
install -m 755 "$binary" "$root/usr/bin/portcullis"
strip "$root/usr/bin/portcullis"
install -m 644 "$here/portcullis.toml" "$root/etc/portcullis/portcullis.toml"
install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo "portcullis:x:$user:$user::/nonexistent:/nonexistent" >"$root/etc/passwd"
echo "portcullis:x:$user:" >"$root/etc/group"
# Names are looked up in the file the engine writes first, then by DNS.
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
chown "$user:$user" "$root/run/portcullis"
chmod 1777 "$root/tmp"

# The loader and the libraries, at the very paths where the program looks for them.
ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do
	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
done
