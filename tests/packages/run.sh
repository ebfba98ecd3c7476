#!/usr/bin/env bash
# make check-deb: the packages of build/deb through lintian, and through their life in a chroot of
# Debian's: installed, started, upgraded with data, removed, installed again, purged.  No systemd
# runs there: the program `systemctl` beside this file stands in for it.  Before the end a systemd
# is booted in it (boot.sh), in namespaces of its own, for what the unit's settings do; where the
# machine has no way to, a line says so.  Needs root, debootstrap and an archive (MIRROR, SUITE).
# PACKAGES_DIR (build/packages) keeps the chroot's first state for the next time.
set -euo pipefail
cd "$(dirname "$0")/../.."
MIRROR=${MIRROR:-http://deb.debian.org/debian}
SUITE=${SUITE:-bookworm}
work=$(realpath -m "${PACKAGES_DIR:-build/packages}")
base=$work/$SUITE root=$work/root
[ "$(id -u)" = 0 ] || { echo "make check-deb needs root: debootstrap, chroot, mount"; exit 2; }

step() { echo "-- $*"; }
fail() {
    echo "FAILED: $*" >&2
    cat "$root/run/stand-in.log" >&2 2>/dev/null || true
    exit 1
}
equal() { [ "$2" = "$3" ] || fail "$1: $2, expected $3"; }
inside() { chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive HOME=/root "$@"; }
cli() { redis-cli -p "$port" "$@"; }
ready() {
    for _ in $(seq 600); do
        [ "$(cli ping 2>/dev/null || true)" != PONG ] || return 0
        sleep 0.1
    done
    fail "the server does not answer"
}
clean_up() {
    [ -z "$booted" ] || kill -KILL "$booted" || true # the first process: all others end with it
    [ -z "$group" ] || { sleep 1; find "$group" -depth -type d -exec rmdir {} + || true; }
    booted='' group=''
    [ ! -x "$root/usr/local/bin/systemctl" ] || inside systemctl stop stillframe-server.service || true
    mountpoint -q "$root/proc" && umount "$root/proc"
    rm -rf "$root"
}

booted='' group=''
machine() { nsenter -t "$booted" -a "$@"; }
boot() { # false: it cannot be done here
    local above
    above=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$above" ] && inside test -x /lib/systemd/systemd && command -v ip nsenter >/dev/null || return 1
    mkdir "$above/stillframe-packages-$$" || return 1
    group=$above/stillframe-packages-$$
    sh -c 'echo $$ >"$1/cgroup.procs" && exec unshare --fork --pid --mount --uts --ipc --net --cgroup tests/packages/boot.sh "$2"' sh \
        "$group" "$root" </dev/null >"$work/boot.log" 2>&1 &
    for _ in $(seq 300); do # the group's process whose parent is not in it
        booted=$(pgrep -f '^/lib/systemd/systemd --system --unit=multi-user.target' | while read -r p; do
            grep -q "stillframe-packages-$$" "/proc/$p/cgroup" && echo "$p"; done | head -n 1)
        [ -z "$booted" ] || return 0
        sleep 0.1
    done
    cat "$work/boot.log"
    return 1
}
active() {
    for _ in $(seq 600); do
        [ "$(machine systemctl is-active stillframe-server 2>/dev/null || true)" != active ] || return 0
        sleep 0.1
    done
    machine systemctl status --no-pager stillframe-server || true
    fail "systemd does not start it"
}

server=$(ls build/deb/stillframe-server_*.deb) tools=$(ls build/deb/stillframe-tools_*.deb)

step lintian
# Whoever publishes the packages puts an address into debian/control and debian/changelog.
lintian --fail-on error,warning --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog build/deb/*.changes

step "a chroot"
if [ ! -e "$base/.complete" ]; then
    rm -rf "$base"
    mkdir -p "$base"
    debootstrap --variant=minbase "$SUITE" "$base" "$MIRROR" >"$work/debootstrap.log" || { tail "$work/debootstrap.log"; exit 1; }
    touch "$base/.complete"
fi
[ ! -e "$root" ] || clean_up
trap clean_up EXIT
cp -a "$base" "$root"
mount -t proc proc "$root/proc"
cp "$server" "$tools" "$root/root/"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

step install
inside apt-get update -q >"$work/apt.log" 2>&1
inside find / -xdev -name '*stillframe*' -not -path '/root/*' -not -path '/proc/*' | sort >"$work/before"
inside sh -c 'apt-get install -y -q --no-install-recommends /root/stillframe-*.deb' >>"$work/apt.log" 2>&1 || { tail -n 30 "$work/apt.log"; fail "apt-get install"; }
equal "the server's directory" "$(inside stat -c '%U:%G %a' /var/lib/stillframe)" "stillframe:stillframe 750"
equal "the configuration's directory" "$(inside stat -c '%U:%G %a' /etc/stillframe)" "root:stillframe 750"
equal "the user's shell" "$(inside getent passwd stillframe | cut -d: -f6,7)" "/var/lib/stillframe:/usr/sbin/nologin"
equal "the unit is enabled" "$(inside readlink /etc/systemd/system/multi-user.target.wants/stillframe-server.service)" \
    "/lib/systemd/system/stillframe-server.service"
inside stillframe-server --version | grep '^Stillframe server v=' >/dev/null
inside stillframe-rdb --version >/dev/null
for page in stillframe-server stillframe-rdb; do
    inside test -e "/usr/share/man/man1/$page.1.gz"
    bash -n "$root/usr/share/bash-completion/completions/$page"
done
if command -v systemd-analyze >/dev/null && inside test -x /bin/systemctl; then
    inside systemd-analyze verify --man=no /lib/systemd/system/stillframe-server.service 2>&1 | tee "$work/verify.log"
    equal "what systemd says of the unit" "$(grep -c stillframe "$work/verify.log" || true)" 0
else
    echo "   systemd-analyze: not here; the unit is not verified"
fi

step start
cp tests/packages/systemctl "$root/usr/local/bin/"
mkdir -p "$root/run/systemd/system" # from here on the packages' scripts believe in a systemd
sed -i "s/^# port 6379/port $port/" "$root/etc/stillframe/stillframe.conf"
inside systemctl start stillframe-server.service
ready # (from here on dpkg, not apt, which leaves /usr/local out of the scripts' PATH)
equal "its user" "$(stat -c %u "/proc/$(cat "$root/run/stand-in.pid")")" "$(inside id -u stillframe)"
equal "dir" "$(cli config get dir | tail -n 1)" /var/lib/stillframe
cli info server | grep '^sandbox:on' >/dev/null || fail "no sandbox"
equal "a write" "$(cli set kept before-the-upgrade)" OK
run=$(cli info server | sed -n 's/^run_id://p')

step upgrade
rm -rf "$work/next"
dpkg-deb -R "$server" "$work/next"
sed -i 's/^Version: .*/&+next/' "$work/next/DEBIAN/control"
dpkg-deb --root-owner-group -b "$work/next" "$root/root/next.deb" >/dev/null
inside dpkg -i /root/next.deb >>"$work/apt.log" 2>&1 || { tail -n 30 "$work/apt.log"; fail "dpkg -i"; }
ready
[ "$(cli info server | sed -n 's/^run_id://p')" != "$run" ] || fail "the server was not started anew"
equal "data over the upgrade" "$(cli get kept)" before-the-upgrade
grep -q "^port $port" "$root/etc/stillframe/stillframe.conf" || fail "the configuration was replaced"
equal "mode of the dump" "$(inside stat -c '%U %a' /var/lib/stillframe/dump.rdb)" "stillframe 600"

step remove
cli set kept before-the-removal >/dev/null
inside dpkg --remove stillframe-server >>"$work/apt.log" 2>&1
cli ping 2>/dev/null && fail "the server still runs"
inside test -e /var/lib/stillframe/dump.rdb
inside test -e /etc/stillframe/stillframe.conf

step "install again"
inside dpkg -i /root/next.deb >>"$work/apt.log" 2>&1
ready
equal "data over the removal" "$(cli get kept)" before-the-removal

step "under systemd"
inside systemctl stop stillframe-server.service
rm "$root/usr/local/bin/systemctl"
rm -rf "$root/run/systemd/system"
if boot; then
    cli() { nsenter -t "$booted" -n redis-cli -p "$port" "$@"; }
    active
    ready
    cli info server | grep '^sandbox:on' >/dev/null || fail "no sandbox under systemd"
    equal "data" "$(cli get kept)" before-the-removal
    equal "a write" "$(cli set kept under-systemd)" OK
    equal "a save" "$(cli save)" OK
    cli config rewrite | grep 'Read-only file system' >/dev/null || fail "the configuration can be written"
    machine systemctl restart stillframe-server
    ready
    equal "data over a restart" "$(cli get kept)" under-systemd
    run=$(cli info server | sed -n 's/^run_id://p')
    machine systemctl kill -s SEGV stillframe-server
    for _ in $(seq 600); do
        [ "$(machine systemctl show -p NRestarts --value stillframe-server)" = 0 ] || break
        sleep 0.1
    done
    active
    ready
    [ "$(cli info server | sed -n 's/^run_id://p')" != "$run" ] || fail "it was not started anew after a crash"
    equal "data over a crash" "$(cli get kept)" under-systemd
    machine dpkg --remove stillframe-server >>"$work/apt.log" 2>&1
    cli ping 2>/dev/null && fail "the server still runs"
    kill -KILL "$booted"
    booted=''
    sleep 1 # its mounts go with it
else
    echo "   skipped: no systemd can be booted here (unshare, nsenter, ip, a cgroup2 of its own)"
fi

step purge
inside dpkg --purge stillframe-server stillframe-tools >>"$work/apt.log" 2>&1
cli ping 2>/dev/null && fail "the server still runs"
inside find / -xdev -name '*stillframe*' -not -path '/root/*' -not -path '/proc/*' | sort >"$work/after"
equal "what is left" "$(comm -13 "$work/before" "$work/after")" ""
echo "packages: all passed"
