#!/usr/bin/env python3
"""Packs a server into a bootable disk image: OSv's loader, a read-only root with the program and
its libraries, and an ext partition at /data.  An image that is there already keeps its /data.

    osv/image.py --osv TREE --out IMAGE PROGRAM [WORD ...]     see --help

TREE is an OSv tree in which OSv was built once with fs=rofs_with_ext; nothing is built here.  Needs
no root and no loop device.  The words follow the program's name on OSv's command line; the usual
libraries of a program are found with ldd.

The disk, from its start: the loader with the command line in its sectors 1 to 127; at the next
2 MiB the root (ROFS); at the next MiB the data (ext).  The master boot record names the two as its
partitions 2 and 3, OSv as /dev/vblk0.1 and .2."""
import argparse
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from disk import (DATA_PARTITION, MBR_ENTRIES, MBR_ENTRY_BYTES, SECTOR, DiskError, copy_partition_out, copy_range, get_file,  # noqa: E402
                  list_files, need, refuse_if_in_use, run)

MIB = 1 << 20
ARGS_AT, ARGS_MAX = SECTOR, 127 * SECTOR
ROOT_PARTITION = 2
LINUX = 0x83  # a partition's type
SERVER_PORT = "6379"
DATA_MB_LEAST, DATA_MB_MOST = 4, 8 << 20
# What lwext4 can do: no 64-bit block numbers, no checksums; it uses no journal.
EXT_FEATURES = "^64bit,^metadata_csum,^has_journal"
OF_THE_KERNEL = re.compile(r"^(libc|libm|libpthread|libdl|librt|ld-linux-x86-64|libgcc_s)\.so")

LOADER = "build/last/loader.img"
PARTS = {  # in the tree: in the guest
    "build/last/libenviron.so": "/libenviron.so",
    "build/last/modules/libext/libext.so": "/usr/lib/fs/libext.so",
    "modules/lwext4/upstream/lwext4/build_lib_only/src/liblwext4.so": "/usr/lib/liblwext4.so",
    "static/etc/hosts": "/etc/hosts",
}
ROOT_MAKER = "scripts/gen-rofs-img.py"
FSTAB = """\
/dev/vblk0.1 /     rofs   defaults 0 0
none         /dev  devfs  defaults 0 0
none         /proc procfs defaults 0 0
none         /sys  sysfs  defaults 0 0
none         /tmp  ramfs  defaults 0 0
/dev/vblk0.2 /data ext    defaults 0 0
"""
HOW_TO_GET_OSV = """\
An OSv tree is needed: OSV=/path/to/osv. To make one ready:
    git clone --recursive https://github.com/cloudius-systems/osv && cd osv
    scripts/setup.py                                              # installs what its build needs
    scripts/build -j$(nproc) fs=rofs_with_ext image=empty"""


def missing_parts(tree):
    """What a tree lacks for an image: paths in it."""
    return [p for p in [LOADER, ROOT_MAKER, *PARTS] if not os.path.isfile(os.path.join(tree, p))]


def check_tree(tree):
    """The tree's absolute path, or DiskError with what is missing and how to make it."""
    if not tree:
        raise DiskError(HOW_TO_GET_OSV)
    lacks = missing_parts(tree)
    if not os.path.isdir(tree):
        raise DiskError(f"{tree}: no such directory. {HOW_TO_GET_OSV}")
    if lacks:
        raise DiskError(f"{tree}: not an OSv tree that was built with fs=rofs_with_ext: there is no {', no '.join(lacks)}. {HOW_TO_GET_OSV}")
    return os.path.realpath(tree)


def libraries(program):
    """{soname: path} of all that the program is linked to."""
    found = {}
    for line in run("ldd", program).decode().splitlines():
        m = re.match(r"\s*(\S+) => (\S+)", line)
        if m and m.group(2) == "not":
            raise DiskError(f"{program}: its library {m.group(1)} is not installed")
        if m:
            found[m.group(1)] = os.path.realpath(m.group(2))
    return found


def stripped(path, tmp):
    """A copy without debugging information."""
    to = os.path.join(tmp, os.path.basename(path))
    run("strip", "--strip-unneeded", "-o", to, path)
    return to


def program_files(options, tmp):
    """{path in the guest: file here} of the program and its libraries."""
    files = {"/" + os.path.basename(options.program): stripped(options.program, tmp) if tmp and options.strip else os.path.realpath(options.program)}
    if options.libraries != "none":
        for name, path in libraries(options.program).items():
            if options.libraries == "all" or not OF_THE_KERNEL.match(name):
                files["/usr/lib/" + name] = path
    return files


def print_manifest(options):
    """What of the image is not OSv's own, for a module of OSv's build."""
    for guest, host in program_files(options, None).items():
        print(f"{guest}: {host}")


def guest_files(options, tree, tmp):
    """{path in the guest: file here} of the root."""
    files = {guest: os.path.join(tree, host) for host, guest in PARTS.items()}
    fstab = os.path.join(tmp, "fstab")
    with open(fstab, "w", encoding="ascii") as f:
        f.write(FSTAB)
    files["/etc/fstab"] = fstab
    files["/etc/mnttab"] = "->/proc/mounts"
    files["/usr/lib/libgcc_s.so.1"] = os.path.realpath(run("gcc", "-print-file-name=libgcc_s.so.1").decode().strip())
    files.update(program_files(options, tmp))
    for pair in options.file:
        guest, equals, host = pair.partition("=")
        if not equals or not guest.startswith("/"):
            raise DiskError(f"--file {pair}: not /path/in/the/guest=file")
        files[guest] = os.path.realpath(host)
    for guest, host in files.items():
        if not host.startswith("->") and not os.path.isfile(host):
            raise DiskError(f"{host} (for {guest}): no such file")
    return files


def make_root(options, tree, tmp):
    """The root's file system, as a file."""
    manifest, out = os.path.join(tmp, "usr.manifest"), os.path.join(tmp, "root.img")
    with open(manifest, "w", encoding="utf-8") as f:
        f.write("[manifest]\n")
        for directory in ("dev", "proc", "sys", "tmp", "data"):
            f.write(f"/{directory}: {os.path.join(tree, 'static')}\n")
        for guest, host in guest_files(options, tree, tmp).items():
            f.write(f"{guest}: {host}\n")
    run(sys.executable, os.path.join(tree, ROOT_MAKER), "-o", out, "-m", manifest, "-D", "unused=", cwd=tmp)
    return out


def beside(image):
    """A temporary directory where an image is, if one is: what is copied out of it is large."""
    return tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(image)) if image and os.path.isfile(image) else None)


def read_file_of_data(options, path):
    """The text of a file of /data: of the directory that goes in, or else of the image that keeps
    its own; DiskError if it is in neither."""
    name, where = os.path.relpath(path, "/data"), options.data or "/data: a directory that has it is missing (OSV_DATA, --data)"
    with beside(options.out) as tmp:
        here = os.path.join(options.data or tmp, name)
        if not options.data and options.out and os.path.isfile(options.out):
            partition, where = os.path.join(tmp, ".partition"), f"/data of {options.out}"
            copy_partition_out(options.out, partition)
            if name in dict(list_files(partition)):
                get_file(partition, name, here)
        if not os.path.isfile(here):
            raise DiskError(f"{path}: there is no such file in {where}")
        with open(here, encoding="utf-8", errors="replace") as f:
            return f.read()


def settings(words, text):
    """{name: values} of the options of a command line, and of a configuration file before them."""
    found = {}
    for line in text.splitlines():
        try:
            parts = shlex.split(line, comments=True)
        except ValueError:
            continue  # the server will say it
        if parts:
            found[parts[0].lower()] = parts[1:]
    values = []
    for word in words:
        if word.startswith("--"):
            values = found[word[2:].lower()] = []
        else:
            values.append(word)
    return found


def check_settings(options, found):
    """DiskError for what nobody can use; a note for what a user might not expect."""
    addresses, port = found.get("bind"), found.get("port")
    if addresses and all(a.lstrip("-") in ("127.0.0.1", "::1", "localhost") for a in addresses):
        raise DiskError(f"bind {' '.join(addresses)}: nobody outside of the machine would reach it; leave it out")
    if port and port[0] != SERVER_PORT:
        options.notes.append(f"port {port[0]}: osv/qemu.py (make osv-run) leads to port {SERVER_PORT} of the machine and does not reach it")
    if not found.keys() & {"requirepass", "user", "aclfile", "protected-mode"}:
        options.notes.append('no password: whoever reaches its port may do everything (OSV_ARGS="--requirepass ...")')


def server_words(options, given):
    """The words of a server that is alone on its machine: what it saves is on /data, and who
    connects comes from elsewhere, so that protected mode would let nobody in."""
    file = given[:1] if given[:1] and not given[0].startswith("--") else []
    rest = given[len(file):]
    if file and not file[0].startswith("/data/"):
        raise DiskError(f"{file[0]}: a configuration file lies in /data (OSV_DATA) and is named so: /data/{os.path.basename(file[0])}")
    for directory in settings(rest, "").get("dir", []):  # the file's comes before ours
        if not (directory + "/").startswith("/data/"):
            raise DiskError(f"--dir {directory}: what is not in /data is gone with the machine")
    found = settings(rest, read_file_of_data(options, file[0]) if file else "")
    check_settings(options, found)
    return file + ["--dir", "/data"] + ([] if "protected-mode" in found else ["--protected-mode", "no"]) + rest


def command_line(options):
    """The command line as OSv reads it: blanks divide words, double quotes keep them together, and
    nothing gives a double quote itself."""
    words = []
    for word in ["/" + os.path.basename(options.program), *options.words]:
        if '"' in word or "\n" in word or "\\" in word:
            raise DiskError(f"{word}: OSv's command line has no way to write a double quote, a backslash or a line end; use a configuration file on /data")
        if word in (";", "&", "!") or word.endswith((";", "&", "!")):
            raise DiskError(f"{word}: OSv's command line takes a word that ends in ; & or ! for the end of a command; use a configuration file on /data")
        words.append(f'"{word}"' if word == "" or re.search(r"\s", word) else word)
    line = ("--rootfs=rofs_with_ext --power-off-on-abort " + " ".join(words)).encode()
    if len(line) >= ARGS_MAX:
        raise DiskError(f"a command line of {len(line)} bytes is too long: {ARGS_MAX - 1} fit")
    return line


def kept_data(options, tmp):
    """The file system of an image that is there already, as a file, or None: what is in /data is
    not lost by making the image anew."""
    if not os.path.isfile(options.out):
        return None
    refuse_if_in_use(options.out)
    out = os.path.join(tmp, "kept.img")
    copy_partition_out(options.out, out)
    files = [name for name, _ in list_files(out)]
    same_size = os.path.getsize(out) == options.data_mb * MIB
    if same_size and not options.data:
        return out
    if files:
        wanted = f"with {options.data} in it" if same_size else f"of {options.data_mb} MiB in place of {os.path.getsize(out) // MIB}"
        raise DiskError(f"{options.out}: its /data holds {', '.join(files)}; for one {wanted} take them out (osv/disk.py) and remove the image")
    return None


def make_data(options, tmp):
    """The ext file system, as a file."""
    kept = kept_data(options, tmp)
    if kept:
        return kept
    out = os.path.join(tmp, "data.img")
    with open(out, "wb") as f:
        f.truncate(options.data_mb * MIB)
    make_file_system(options, out)
    return out


def make_file_system(options, out):
    """The ext file system itself."""
    try:
        run("mkfs.ext4", "-q", "-F", "-b", "4096", "-O", EXT_FEATURES, "-E", "root_owner=0:0", *(["-d", options.data] if options.data else []), out)
    except DiskError as e:
        if options.data:
            raise DiskError(f"the files of {options.data} do not go into {options.data_mb} MiB: try a larger DATA_MB (--data-mb). {e}") from e
        raise


def chs(sector):
    """A sector as cylinder, head and sector, which a master boot record wants beside."""
    cylinder, rest = divmod(sector, 63 * 255)
    if cylinder > 1023:
        cylinder, rest = 1023, 63 * 255 - 1
    return bytes([rest // 63, rest % 63 + 1 | cylinder >> 2 & 0xC0, cylinder & 0xFF])


def write_partition(disk, number, at, size):
    """One entry of the master boot record; offsets in bytes."""
    first, count = at // SECTOR, size // SECTOR
    disk.seek(MBR_ENTRIES + (number - 1) * MBR_ENTRY_BYTES)
    disk.write(b"\x00" + chs(first) + bytes([LINUX]) + chs(first + count - 1) + struct.pack("<II", first, count))


def assemble(tree, root, data, line, raw):
    """All of it into one raw disk."""
    shutil.copyfile(os.path.join(tree, LOADER), raw)
    os.chmod(raw, 0o644)
    sizes = os.path.getsize(raw), os.path.getsize(root), os.path.getsize(data)
    root_at = -(-sizes[0] // (2 * MIB)) * 2 * MIB
    root_bytes = -(-sizes[1] // SECTOR) * SECTOR
    data_at = -(-(root_at + root_bytes) // MIB) * MIB
    with open(raw, "r+b") as disk:
        disk.truncate(data_at + sizes[2])
        with open(root, "rb") as f:
            copy_range(f, 0, sizes[1], disk, root_at)
        with open(data, "rb") as f:
            copy_range(f, 0, sizes[2], disk, data_at)
        disk.seek(ARGS_AT)
        disk.write(line + b"\0")
        write_partition(disk, ROOT_PARTITION, root_at, root_bytes)
        write_partition(disk, DATA_PARTITION, data_at, sizes[2])


def check_data(options):
    """DiskError for a data partition that cannot be; its size becomes a number."""
    try:
        size = int(options.data_mb)
    except ValueError:
        size = 0
    if not DATA_MB_LEAST <= size <= DATA_MB_MOST:
        raise DiskError(f"DATA_MB (--data-mb) must be a number of MiB between {DATA_MB_LEAST} and {DATA_MB_MOST}, not {options.data_mb}")
    options.data_mb = size
    if options.data and not os.path.isdir(options.data):
        raise DiskError(f"{options.data}: no such directory")


def look(options):
    """What can be told before anything is built, and besides the tree."""
    check_data(options)
    command_line(options)
    if options.out:
        with beside(options.out) as tmp:
            kept_data(options, tmp)


def make(options):
    """The image, whole or not at all."""
    tree = check_tree(options.osv)
    check_data(options)
    need(("qemu-img", "qemu-utils"), ("mkfs.ext4", "e2fsprogs"), ("debugfs", "e2fsprogs"), ("strip", "binutils"), ("ldd", "libc-bin"), ("gcc", "gcc"))
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(options.out))) as tmp:
        line = command_line(options)
        raw, new = os.path.join(tmp, "disk.raw"), os.path.join(tmp, "image")
        assemble(tree, make_root(options, tree, tmp), make_data(options, tmp), line, raw)
        if options.format == "raw":
            os.replace(raw, options.out)
        else:
            run("qemu-img", "convert", "-f", "raw", "-O", options.format, raw, new)
            os.replace(new, options.out)
    print(f"{options.out}: {line.decode()}")
    for note in [f"{os.stat(options.out).st_blocks * 512 // 1024:,} KiB on disk, /data of {options.data_mb} MiB", *options.notes]:
        print("  " + note)


def parse(argv=None):
    """The command line.  What follows the program's name is the guest's, options too."""
    parser = argparse.ArgumentParser(prog="osv/image.py", description="Packs a server into a bootable disk image for OSv.")
    parser.add_argument("--osv", default=os.environ.get("OSV", ""), help="the OSv tree; default: the variable OSV")
    parser.add_argument("--out", help="the image to write")
    parser.add_argument("--manifest", action="store_true", help="write no image: print the program and its libraries as lines of a usr.manifest")
    parser.add_argument("--format", choices=["qcow2", "raw"], default="qcow2")
    parser.add_argument("--data-mb", default="512", help="size of /data in MiB (512)")
    parser.add_argument("--data", help="a directory whose files are in /data at first: a dump.rdb, a configuration file")
    parser.add_argument("--file", action="append", default=[], metavar="/GUEST=HOST", help="one more file of the read-only root")
    parser.add_argument("--libraries", choices=["auto", "all", "none"], default="auto", help="what ldd names goes in: all but what OSv itself is (auto), all, nothing")
    parser.add_argument("--no-strip", dest="strip", action="store_false", help="leave the program's debugging information in")
    parser.add_argument("--server-words", metavar="VARIABLE", help="the program is this server: the environment's variable has its options, divided "
                        "into words as a shell does; --dir /data and the like stand before them")
    parser.add_argument("--look", action="store_true", help="write no image: is the tree ready, and will these options do?")
    parser.add_argument("program")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="WORD", help="its options")
    options = parser.parse_args(argv)
    options.notes = []
    if not options.out and not options.manifest and not options.look:
        parser.error("--out IMAGE is missing")
    return options


def shell_words(variable):
    """Quotes and backslashes count as in a shell; nothing else does."""
    try:
        return shlex.split(os.environ.get(variable, ""))
    except ValueError as e:
        raise DiskError(f"the options ({os.environ[variable]}): {e}") from e


def main():
    """Makes one image."""
    options = parse()
    try:
        if not options.manifest:
            check_tree(options.osv)
            need(("qemu-img", "qemu-utils"), ("debugfs", "e2fsprogs"))
        if options.server_words:
            options.words = server_words(options, shell_words(options.server_words)) + options.words
        if options.look:
            look(options)
            return
        if not os.path.isfile(options.program):
            raise DiskError(f"{options.program}: no such file; build it first")
        if options.manifest:
            print_manifest(options)
        else:
            make(options)
    except (DiskError, OSError, subprocess.SubprocessError) as e:
        sys.exit(f"osv/image.py: {e}")


if __name__ == "__main__":
    main()
