#!/bin/sh
# boot.sh ROOT, in namespaces of its own (unshare): makes the directory the root of a machine and
# starts its systemd as the first process there.
set -e
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount --bind /dev "$root/dev"
ip link set lo up
cd "$root"
mkdir -p old
pivot_root . old # not chroot: in one no user namespace can be made, and the unit asks for one
umount -l old
exec env container=other /lib/systemd/systemd --system --unit=multi-user.target
