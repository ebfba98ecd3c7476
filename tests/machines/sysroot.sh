#!/usr/bin/env bash
# tests/machines/sysroot.sh ARCHITECTURE DIRECTORY PACKAGE...: a directory with these packages of
# another architecture, and all that they depend on, to compile and link with (gcc --sysroot) and
# for qemu-user's programs to find their libraries in (-L).  The packages are unpacked there and
# nowhere installed: apt runs with lists and a state of its own, so that nothing of this machine
# changes.  MIRROR and SUITE: by default those that this machine's Debian comes from.
set -euo pipefail
architecture=$1 directory=$2
shift 2
[ "$(cat "$directory/.packages" 2>/dev/null || true)" != "$*" ] || exit 0

rm -rf "$directory"
mkdir -p "$directory/.apt"/{lists/partial,archives/partial}
apt=$(realpath "$directory/.apt")
: >"$apt/status"
if [ -z "${MIRROR:-}" ]; then
    read -r MIRROR SUITE < <(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Component: main' |
        grep -vE -- '[-/](security|updates|backports)' | grep debian | sort -u | head -n 1) ||
        { echo "apt knows no archive of Debian's: MIRROR=http://... SUITE=... say which" >&2; exit 1; }
fi
echo "deb $MIRROR ${SUITE:-bookworm} main" >"$apt/sources.list"
own=(-q -o "Dir::State=$apt" -o "Dir::State::status=$apt/status" -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt"
    -o "Dir::Cache::archives=$apt/archives" -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=-
    -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" -o APT::Get::List-Cleanup=false
    -o APT::Sandbox::User=root -o Binary::apt-get::APT::Keep-Downloaded-Packages=true)
apt-get "${own[@]}" update >"$apt/log"
apt-get "${own[@]}" install -y --no-install-recommends --download-only "$@" >>"$apt/log"
for package in "$apt"/archives/*.deb; do dpkg-deb -x "$package" "$directory"; done

# A link to /lib/... would be this machine's.
find "$directory" -type l -lname '/*' -printf '%p %l\n' | while read -r link to; do
    ln -sfn "$(realpath -m --no-symlinks --relative-to="$(dirname "$link")" "$directory$to")" "$link"
done
rm -rf "$apt"
echo "$*" >"$directory/.packages"
