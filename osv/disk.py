#!/usr/bin/env python3
"""Looks into the data partition of an image for OSv: what is in /data, while the machine is off.

    osv/disk.py IMAGE list                  the files and their sizes
    osv/disk.py IMAGE get NAME [FILE]       copies /data/NAME out; "-" is standard output
    osv/disk.py IMAGE put FILE [NAME]       copies a file in, say a dump to start with
    osv/disk.py IMAGE remove NAME           removes a file
    osv/disk.py IMAGE check [--repair]      checks the file system (e2fsck)

Reads qcow2 and raw images, with files laid over others.  Needs no root and no loop device: the
partition is copied out, and back in after put, remove and --repair; an image that a machine is
using is left alone.  Exit status 0; 1 when something is wrong, with the reason on standard error;
2 for a wrong command line."""
import argparse
import filecmp
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

SECTOR = 512
DATA_PARTITION = 3  # of the master boot record; 1 is the loader's, 2 the root's
MBR_ENTRIES, MBR_ENTRY_BYTES = 0x1BE, 16


class DiskError(Exception):
    """Says what is wrong, and with which file."""


def run(*command, **options):
    """The command's output; DiskError with its own words if it fails."""
    done = subprocess.run(command, capture_output=True, check=False, **options)
    if done.returncode != 0:
        raise DiskError(f"{command[0]}: {(done.stderr or done.stdout).decode(errors='replace').strip()}")
    return done.stdout


def need(*programs):
    """DiskError if one of them is not installed."""
    for name, package in programs:
        if shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            raise DiskError(f"{name} is missing; Debian has it in {package}")
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def refuse_if_in_use(image):
    """DiskError if a machine runs on it: QEMU holds a lock on what it writes to."""
    done = subprocess.run(["qemu-img", "info", image], capture_output=True, check=False)
    if b"lock" in done.stderr:
        raise DiskError(f"{image}: a machine is using it; switch that off first (SHUTDOWN)")


def image_format(image):
    """qcow2, raw, ..., as qemu-img names it."""
    return re.search(rb"^file format: (\w+)", run("qemu-img", "info", "-U", image), re.M).group(1).decode()


def partition_bytes(image, number=DATA_PARTITION):
    """(offset, size) of a partition, in bytes."""
    with tempfile.TemporaryDirectory() as tmp:
        first = os.path.join(tmp, "mbr")
        run("qemu-img", "dd", "-U", "-f", image_format(image), "-O", "raw", f"bs={SECTOR}", "count=1", f"if={image}", f"of={first}")
        with open(first, "rb") as f:
            mbr = f.read(SECTOR)
    start, count = struct.unpack_from("<II", mbr, MBR_ENTRIES + (number - 1) * MBR_ENTRY_BYTES + 8)
    if mbr[510:512] != b"\x55\xaa" or count == 0:
        raise DiskError(f"{image}: no partition {number}: not an image with a data partition")
    return start * SECTOR, count * SECTOR


def copy_partition_out(image, to):
    """The data partition as a file of its own; holes stay holes."""
    at, size = partition_bytes(image)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(to))) as tmp:
        raw = os.path.join(tmp, "disk.raw")
        run("qemu-img", "convert", "-U", "-f", image_format(image), "-O", "raw", image, raw)
        with open(raw, "rb") as disk, open(to, "wb") as out:
            copy_range(disk, at, size, out, 0)
            out.truncate(size)


def copy_range(source, at, size, to, to_at):
    """Copies bytes between open files; runs of zeros become holes."""
    source.seek(at)
    zeros = bytes(1 << 20)
    done = 0
    while done < size:
        piece = source.read(min(len(zeros), size - done))
        if not piece:
            break
        if piece != zeros[:len(piece)]:
            to.seek(to_at + done)
            to.write(piece)
        done += len(piece)


def copy_partition_in(image, partition):
    """Puts the partition back; the image is replaced as a whole, by a rename."""
    at, size = partition_bytes(image)
    kind = image_format(image)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(image))) as tmp:
        raw, new = os.path.join(tmp, "disk.raw"), os.path.join(tmp, "new")
        run("qemu-img", "convert", "-f", kind, "-O", "raw", image, raw)
        with open(raw, "r+b") as disk, open(partition, "rb") as data:
            fd = disk.fileno()
            os.truncate(fd, at)  # what is a hole in the partition is one on the disk
            os.truncate(fd, at + size)
            copy_range(data, 0, size, disk, at)
        run("qemu-img", "convert", "-f", "raw", "-O", kind, raw, new)
        os.replace(new, image)


def debugfs(partition, command, write=False):
    """One command of debugfs, which always exits with 0: what it says on standard error counts."""
    done = subprocess.run(["debugfs", *(["-w"] if write else []), "-R", command, partition], capture_output=True, check=False)
    said = done.stderr.decode(errors="replace").split("\n", 1)[1].strip()  # after its version
    if said or done.returncode != 0:
        raise DiskError(said or f"debugfs: {command}: exit status {done.returncode}")
    return done.stdout


def quoted(path):
    """A name as debugfs reads it."""
    if '"' in path or "\n" in path:
        raise DiskError(f"{path}: names with quotes or line ends are not supported")
    return f'"{path}"'


def list_files(partition, folder=""):
    """(name, bytes) of each file of a folder; "" is the root directory."""
    found = []
    for line in debugfs(partition, f"ls -p {quoted('/' + folder)}").decode(errors="replace").splitlines():
        part = line.split("/")  # /inode/mode/uid/gid/name/size/
        if len(part) >= 7 and part[2].startswith("100"):
            found.append((f"{folder}/{part[5]}" if folder else part[5], int(part[6])))
    return sorted(found)


def list_all(partition):
    """Those of lost+found, too: what a repair found without a name."""
    return list_files(partition) + list_files(partition, "lost+found")


def need_file(partition, name):
    """DiskError if there is no such file."""
    if name not in dict(list_all(partition)):
        raise DiskError(f"/data/{name}: no such file in the image")


def get_file(partition, name, to):
    """Copies one file out."""
    need_file(partition, name)
    debugfs(partition, f"dump {quoted('/' + name)} {quoted(to)}")


def remove_file(partition, name):
    """Removes one file."""
    need_file(partition, name)
    debugfs(partition, f"rm {quoted('/' + name)}", write=True)


def put_file(partition, path, name, tmp):
    """Copies one file in, over one of the same name.  What was written is read back: debugfs gives
    a file its whole size even where its blocks did not fit."""
    if "/" in name:
        raise DiskError(f"{name}: a file goes into /data itself, under a name without a slash")
    if name in dict(list_files(partition)):
        remove_file(partition, name)
    subprocess.run(["debugfs", "-w", "-R", f"write {quoted(path)} {quoted(name)}", partition], capture_output=True, check=False)
    back = os.path.join(tmp, "back")
    if dict(list_files(partition)).get(name) == os.path.getsize(path):
        get_file(partition, name, back)
        if filecmp.cmp(path, back, shallow=False):
            return
    raise DiskError(f"{path}: {os.path.getsize(path)} bytes do not fit into /data; nothing was changed")


def check(partition, repair=False):
    """(whether the file system is sound, what e2fsck says)."""
    done = subprocess.run(["e2fsck", "-f", "-y" if repair else "-n", partition], capture_output=True, check=False)
    return done.returncode in ((0, 1) if repair else (0,)), (done.stdout + done.stderr).decode(errors="replace").replace(partition, "/data")


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(prog="osv/disk.py", description="Looks into the data partition of an image for OSv, while the machine is off.")
    parser.add_argument("image")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the files of /data and their sizes")
    one = commands.add_parser("get", help="copy a file out")
    one.add_argument("name")
    one.add_argument("file", nargs="?", help='default: its own name; "-": standard output')
    one = commands.add_parser("put", help="copy a file in")
    one.add_argument("file")
    one.add_argument("name", nargs="?", help="default: its own name")
    one = commands.add_parser("remove", help="remove a file")
    one.add_argument("name")
    one = commands.add_parser("check", help="check the file system")
    one.add_argument("--repair", action="store_true")
    return parser.parse_args()


def do(options, partition, tmp):
    """The command, on the partition; True if it has to go back into the image."""
    if getattr(options, "name", None):
        options.name = options.name.removeprefix("/data/")
    if options.command == "list":
        for name, size in list_all(partition):
            print(f"{size:12} {name}")
    elif options.command == "get":
        to = options.file or os.path.basename(options.name)
        copy = os.path.join(tmp, "copy")
        get_file(partition, options.name, copy)
        if to == "-":
            with open(copy, "rb") as f:
                shutil.copyfileobj(f, sys.stdout.buffer)
        else:
            shutil.copyfile(copy, to)
    elif options.command == "put":
        put_file(partition, options.file, options.name or os.path.basename(options.file), tmp)
        return True
    elif options.command == "remove":
        remove_file(partition, options.name)
        return True
    else:
        sound, said = check(partition, options.repair)
        print(said.strip())
        if sound and "count wrong" in said and not options.repair:
            print("These counts are wrong after each use by OSv, which does no harm.")
        if options.repair and list_files(partition, "lost+found"):
            print("What has no name is in lost+found now: see list, get and remove.")
        if not sound:
            raise DiskError(f"{options.image}: the file system of /data is damaged")
        return options.repair
    return False


def main():
    """Runs one command."""
    options = parse()
    try:
        need(("qemu-img", "qemu-utils"), ("debugfs", "e2fsprogs"), ("e2fsck", "e2fsprogs"))
        for path in [options.image] + ([options.file] if options.command == "put" else []):
            if not os.path.isfile(path):
                raise DiskError(f"{path}: {'not a file' if os.path.exists(path) else 'no such file'}")
        refuse_if_in_use(options.image)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(options.image))) as tmp:
            partition = os.path.join(tmp, "data.ext")
            copy_partition_out(options.image, partition)
            if do(options, partition, tmp):
                copy_partition_in(options.image, partition)
    except BrokenPipeError:  # who reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (DiskError, OSError) as e:
        sys.exit(f"osv/disk.py: {e}")


if __name__ == "__main__":
    main()
