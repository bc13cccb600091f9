#!/bin/bash
# The life of the package on a system of its own: a copy of this one that forgets, without its network.
#   unshare --mount --net --pid --fork --kill-child life.sh FOLDER
# FOLDER has old.deb, new.deb and the stand-in for systemctl. Says what it does; ends with 0 if all is as it should be.
set -eu
folder=$1

if [ "${2:-}" != inside ]; then
	mount --make-rprivate /
	mount -t tmpfs none "$folder/layer" 
	mkdir "$folder"/layer/{upper,work,root}
	mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/layer/upper,workdir=$folder/layer/work" "$folder/layer/root"
	root=$folder/layer/root
	mount --rbind /dev "$root/dev"
	mount -t proc proc "$root/proc"
	mount -t tmpfs none "$root/run"
	mount -t tmpfs none "$root/tmp"
	ip link set lo up
	cp "$folder"/*.deb "$0" "$root/"
	mv "$root/usr/bin/systemctl" "$root/usr/bin/systemctl.real"
	install -m 755 "$folder/systemctl" "$root/usr/bin/systemctl"
	mkdir -p "$root/run/systemd/system"
	rm -f "$root/usr/sbin/policy-rc.d" # images of containers forbid starts by it
	exec chroot "$root" /life.sh / inside
fi

export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive
unset PORTCULLIS_CONFIG
cd /
step() { printf '== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*"; tail -n 20 /journal /calls 2>/dev/null || true; exit 1; }
same() { [ "$2" = "$3" ] || fail "$1: '$2' instead of '$3'"; }
is() { same "$1" "$(stat -c '%U:%G %a' "$1")" "$2"; }
eventually() { for _ in $(seq 200); do if "$@"; then return; fi; sleep 0.05; done; fail "never: $*"; }
package() { dpkg --force-unsafe-io --no-triggers "$@" >/dpkg.log 2>&1 || { cat /dpkg.log; fail "dpkg $*"; }; }
things() { find /etc /usr/bin /usr/sbin /usr/lib/systemd /usr/share/doc /usr/share/man /usr/share/zsh /usr/share/fish /var/lib/systemd /var/log /run \
	! -name '*-' ! -path '/var/log/dpkg.log' ! -path '/etc/.pwd.lock' ! -path '/run/systemd*' 2>/dev/null | sort; sort /etc/passwd /etc/group; }
page() { curl --silent --fail --max-time 5 http://127.0.0.1/; }
answers() { page >/dev/null; }

[ ! -e /usr/bin/portcullis ] && ! getent passwd portcullis >/dev/null || { echo "skipped: portcullis is installed here"; exit 0; }
things >/tmp/before

step install
package -i /old.deb
is /usr/bin/portcullis 'root:root 755'
is /etc/portcullis/portcullis.toml 'root:root 644'
is /etc/portcullis/tls 'root:portcullis 750'
is /var/log/portcullis 'portcullis:portcullis 750'
is /usr/lib/systemd/system/portcullis.service 'root:root 644'
same 'the shell of the user' "$(getent passwd portcullis | cut -d: -f7)" /usr/sbin/nologin
for file in /usr/share/man/man1/portcullis.1.gz /usr/share/man/man1/portcullis-reload.1.gz /usr/share/doc/portcullis/copyright \
	/usr/share/bash-completion/completions/portcullis /usr/share/zsh/vendor-completions/_portcullis; do
	[ -s $file ] || fail "$file is missing"
done
bash -n /usr/share/bash-completion/completions/portcullis
portcullis check --strict >/dev/null || fail 'the configuration as it comes is wrong'
answers || fail 'it does not serve'
same 'who runs it' "$(stat -c %U "/proc/$(pgrep --exact portcullis)")" portcullis
[ -L /etc/systemd/system/multi-user.target.wants/portcullis.service ] || fail 'it is not enabled'
same health "$(portcullis health)" serving
if command -v systemd-analyze >/dev/null; then
	systemd-analyze verify /usr/lib/systemd/system/portcullis.service >/tmp/verify 2>&1 || fail "the unit: $(cat /tmp/verify)"
	same 'the words on the unit' "$(grep portcullis /tmp/verify || true)" ''
fi

step rotate
if command -v logrotate >/dev/null; then
	[ -s /var/log/portcullis/access.log ] || fail 'no access log'
	logrotate --force --state /tmp/rotated /etc/logrotate.d/portcullis || fail 'logrotate'
	[ -s /var/log/portcullis/access.log.1 ] || fail 'nothing was rotated'
	written() { page >/dev/null && [ -s /var/log/portcullis/access.log ]; }
	eventually written
	is /var/log/portcullis/access.log 'portcullis:portcullis 640'
else
	echo 'skipped: no logrotate here'
fi

step upgrade
echo '# mine' >>/etc/portcullis/portcullis.toml
before=$(pgrep --exact portcullis)
(while [ ! -e /tmp/enough ]; do if page >/dev/null; then echo got; else echo lost; fi; done >/tmp/requests) &
load=$!
package -i /new.deb
gone() { ! kill -0 "$before" 2>/dev/null; }
eventually gone
touch /tmp/enough && wait $load
grep -q got /tmp/requests && ! grep -q lost /tmp/requests || fail "requests were lost: $(sort /tmp/requests | uniq -c)"
same 'the change of the operator' "$(tail -1 /etc/portcullis/portcullis.toml)" '# mine'
pgrep --exact portcullis >/dev/null && answers || fail 'it does not serve after the upgrade'
! grep -q restart /calls || fail 'it was restarted'

step 'upgrade with a configuration that is refused'
echo 'nonsense = 1' >>/etc/portcullis/portcullis.toml
package -i /old.deb
grep -q 'still runs the version before' /dpkg.log || fail "nothing was said: $(cat /dpkg.log)"
answers || fail 'it does not serve after an upgrade that was refused'
sed -i '/^nonsense/d' /etc/portcullis/portcullis.toml

step remove
package -r portcullis
[ ! -e /usr/bin/portcullis ] && [ -e /etc/portcullis/portcullis.toml ] || fail 'not just removed'
! pgrep --exact portcullis >/dev/null || fail 'it runs on'

step 'install again, purge'
package -i /new.deb
answers || fail 'it does not serve after it came back'
touch /etc/portcullis/tls/mine.key
package -P portcullis
[ -e /etc/portcullis/tls/mine.key ] || fail "the operator's key is gone"
rm -r /etc/portcullis
things >/tmp/after
diff /tmp/before /tmp/after || fail 'something is left over'
step 'all is well'
