#!/bin/bash
# The life of the package on a system of its own: a copy of this one that forgets, without its network.
#   unshare --mount --net --pid --fork --kill-child life.sh FOLDER
# FOLDER has old.deb, new.deb, the stand-in for systemctl, ansible/ with the playbook, and venv, which names a Python environment
# with Ansible. Says what it does; ends with 0 if all is as it should be.
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
	mkdir "$root/venv"
	mount --bind "$(cat "$folder/venv")" "$root/venv"
	ip link set lo up
	cp -r "$folder"/*.deb "$folder/ansible" "$0" "$root/"
	mv "$root/usr/bin/systemctl" "$root/usr/bin/systemctl.real"
	install -m 755 "$folder/systemctl" "$root/usr/bin/systemctl"
	mkdir -p "$root/run/systemd/system"
	rm -f "$root/usr/sbin/policy-rc.d" # images of containers forbid starts by it
	exec chroot "$root" /life.sh / inside
fi

export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
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

step 'a shop by Ansible'
package -i /new.deb
play() {
	ANSIBLE_HOME=/tmp/ansible ANSIBLE_PIPELINING=true ANSIBLE_LOCALHOST_WARNING=no ANSIBLE_INVENTORY_UNPARSED_WARNING=no /venv/bin/python -m ansible playbook \
		--inventory /ansible/hosts --connection local --skip-tags packages --extra-vars "{is_live: false}" "$@" /ansible/site.yml >/tmp/play 2>&1 ||
		{ cat /tmp/play >&2; fail "ansible-playbook $*" >&2; }
	grep -o 'changed=[0-9]*' /tmp/play
}
printf '[shop]\nhere ansible_python_interpreter=/venv/bin/python\n' >/ansible/hosts
play --check >/dev/null
[ ! -e /srv/shop ] || fail 'a check has changed something'
same 'the first time' "$(play | grep -c 'changed=0$')" 0
same 'the second time' "$(play)" changed=0
is /var/lib/shop 'shop:shop 750'
portcullis check --strict >/dev/null || fail 'its configuration is wrong'
install -d -o shop -g portcullis -m 750 /run/shop
(cd /srv/shop && exec setpriv --reuid shop --regid portcullis --clear-groups /venv/bin/python -m waitress \
	--unix-socket=/run/shop/shop.sock --unix-socket-perms=660 shop:application) >/journal.shop 2>&1 &
app=$!
eventually [ -S /run/shop/shop.sock ]
portcullis reload >/dev/null || fail 'it does not reload'
visited() { curl --silent --max-time 5 http://localhost/ | grep -q 'You are visitor'; }
eventually visited
mkdir -p /var/backups/shop && touch /var/backups/shop/shop-2020010{1,2,3}T000000Z.tar.gz
shop-backup /var/backups/shop 2 || fail 'no backup'
same 'archives kept' "$(ls /var/backups/shop | wc -l)" 2
tar -tzf "$(ls /var/backups/shop/* | tail -1)" >/tmp/archive
grep -q '^./shop.db$' /tmp/archive && grep -q '^./portcullis/portcullis.toml$' /tmp/archive || fail 'not all is in the archive'
kill $app
rm -r /srv/shop /var/lib/shop /var/backups/shop /run/shop /etc/systemd/system/shop* /usr/local/sbin/shop-backup
userdel shop
package -P portcullis

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
