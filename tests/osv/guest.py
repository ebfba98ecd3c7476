"""A machine of one program: images of OSv with the server in them, booted under QEMU, for tests.

    disk = guest.Disk("--enable-debug-command", "yes", data_mb=64)      # a fresh disk each time
    with guest.Guest(disk, memory="256M", smp=2) as machine:
        machine.resp.call("SET", "key", "value")
        machine.shutdown("SAVE")                                        # until QEMU has ended
    disk.copy_out("dump.rdb", "/tmp/dump.rdb")

An image is made once for its form, its size and its words; each Disk is a layer over it, so that a
test begins with what mkfs left.  A disk may be looked at when no machine runs on it.

  OSV=tree       a built OSv tree (docs/osv.md); missing() says what else has to be there, and so
                 does this program
  ACCEL=kvm      instead of emulation, which is the default as it works everywhere
  CPU=model      of QEMU's -cpu; default: the host's under KVM, else max
  OSV_KEEP=dir   images, disks and consoles stay there; else they go when the program ends
"""
import atexit
import ctypes
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration"))
import resp  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = {"pie": os.path.join(resp.ROOT, "build/plain/stillframe-server"),
            "shared": os.path.join(resp.ROOT, "build/shared/stillframe.so")}
OSV = os.environ.get("OSV", "")
ACCEL = "kvm" if os.environ.get("ACCEL") == "kvm" else "tcg"
CPU = os.environ.get("CPU", "host,arch-capabilities=off" if ACCEL == "kvm" else "max")
QEMU = "qemu-system-x86_64"
DATA_DIR = "/data"
# What every server here is started with; the words of a test come behind and may say otherwise.
WORDS = ("--bind", "0.0.0.0", "--protected-mode", "no", "--dir", DATA_DIR)
# Under emulation, on a machine that is ten times slower than ours: it waits for states, and these
# limits only end a run that would never come to its end.
BOOT_SECONDS = 300
REPLY_SECONDS = 300
CONNECT_SECONDS = 30
POWER_OFF_SECONDS = 300
READY = r"Ready to accept connections"
# What OSv prints when the machine has ended by an error of its own.
PANIC = re.compile(r"Aborted|DUMMY_HANDLER|Out of memory: could not reclaim|page fault outside application|Assertion failed|failed looking up symbol"
                   r"|unhandled exception|general protection fault", re.I)
SECTOR = 512
MBR_ENTRIES = 446
PR_SET_PDEATHSIG = 1


def missing():
    """What is not there and has to be, in words; an empty list if the tests can run."""
    found = []
    if not OSV:
        found.append("OSv tree (OSV=path)")
    elif not os.path.exists(os.path.join(OSV, "build/last/loader.img")):
        found.append("%s/build/last/loader.img" % OSV)
    tools = {QEMU: "qemu-system-x86", "qemu-img": "qemu-utils", "mkfs.ext4": "e2fsprogs",
             "debugfs": "e2fsprogs", "e2fsck": "e2fsprogs"}
    found += ["%s (%s)" % (tool, package) for tool, package in tools.items() if find_tool(tool) is None]
    return found


def main():
    """Runs the tests of the program; without what they need it says so."""
    lacks = missing()
    if lacks:
        print("skipped: missing: %s" % ", ".join(lacks))
        sys.exit(0)
    unittest.main()


def find_tool(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def run(*command, check=True, env=None, timeout=600):
    """Run a tool; what it prints.  An error has what it printed in its text."""
    command = [find_tool(command[0]) or command[0]] + [str(word) for word in command[1:]]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, env=env,
                          timeout=timeout)
    text = done.stdout.decode("utf-8", "backslashreplace")
    if check and done.returncode != 0:
        raise AssertionError("%s: status %d\n%s" % (" ".join(command), done.returncode, text))
    return text


def work_dir():
    """The directory of this run."""
    if not hasattr(work_dir, "path"):
        work_dir.path = os.environ.get("OSV_KEEP") or tempfile.mkdtemp(prefix="stillframe-osv-")
        os.makedirs(work_dir.path, exist_ok=True)
        if not os.environ.get("OSV_KEEP"):
            atexit.register(shutil.rmtree, work_dir.path, ignore_errors=True)
    return work_dir.path


def new_path(name):
    new_path.count = getattr(new_path, "count", 0) + 1
    return os.path.join(work_dir(), "%02d-%s" % (new_path.count, name))


def make_image(out, words, form, data_mb):
    program = PROGRAMS.get(form, form)
    run(sys.executable, os.path.join(resp.ROOT, "osv/image.py"), "--osv", OSV, "--out", out, "--data-mb", data_mb, program, *words)


def base_image(words, form, data_mb):
    """The path of an image of that kind; made once."""
    images = base_image.__dict__.setdefault("images", {})
    kind = (tuple(words), form, data_mb)
    if kind not in images:
        path = new_path("base.qcow2")
        make_image(path, words, form, data_mb)
        images[kind] = path
    return images[kind]


class Disk:
    """A disk of its own, over an image: .path.  form: pie, shared, or another program's path.
    config: the path of a configuration file; put() makes it."""

    def __init__(self, *words, form="pie", data_mb=256, config=None):
        self._over(base_image(((config,) if config else ()) + WORDS + words, form, data_mb), "qcow2")

    @classmethod
    def of_raw(cls, raw):
        """A disk over a raw file, which has to stay as it is."""
        disk = cls.__new__(cls)
        disk._over(raw, "raw")
        return disk

    def _over(self, base, kind):
        self.base, self.path = base, new_path("disk.qcow2")
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", kind, "-b", base, self.path)

    def base_raw(self):
        """What it was before anything was written to it, as a raw file: its path."""
        raw = new_path("base.raw")
        run("qemu-img", "convert", "-O", "raw", self.base, raw)
        return raw

    def raw(self, to=None):
        """The whole disk as a raw file: its path.  Holes stay holes."""
        to = to or new_path("disk.raw")
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", self.path, to)
        return to

    def partition(self):
        """A Partition of what is on the disk now."""
        return Partition(self.raw(), is_ours=True)

    def copy_out(self, name, to):
        with self.partition() as p:
            p.copy_out(name, to)
        return to

    def put(self, name, text):
        """A file on the data partition."""
        path = new_path("put")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        run(sys.executable, os.path.join(resp.ROOT, "osv/disk.py"), self.path, "put", path, name)


class Partition:
    """The data partition of a raw disk, as a host's tools see it."""

    def __init__(self, raw, is_ours=False):
        self.raw, self.is_ours = raw, is_ours
        self.first, self.bytes = data_partition(raw)
        self.where = "%s?offset=%d" % (raw, self.first)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_ours:
            os.unlink(self.raw)

    def debugfs(self, request, write=False):
        return run("debugfs", *(["-w"] if write else []), "-R", request, self.where)

    def names(self):
        """{name: size in bytes} of its files."""
        found = {}
        for line in self.debugfs("ls -p").splitlines():
            field = line.split("/")  # /inode/mode/uid/gid/name/size/
            if len(field) >= 7 and field[2].startswith("10"):
                found[field[5]] = int(field[6] or 0)
        return found

    def copy_out(self, name, to):
        if os.path.exists(to):
            os.unlink(to)
        said = self.debugfs("dump %s %s" % (name, to))
        if not os.path.exists(to):
            raise AssertionError("%s is not on the disk: %s; there are %s" % (name, said.strip(), self.names()))
        return to

    def fsck(self):
        """(e2fsck's status, what it says).  0 is clean; nothing is changed."""
        command = [find_tool("e2fsck"), "-fn", self.where]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=600)
        return done.returncode, done.stdout.decode("utf-8", "backslashreplace")

    def free_bytes(self):
        """What the superblock says is free."""
        fields = dict(line.split(":", 1) for line in self.debugfs("stats -h").splitlines() if ":" in line)
        return int(fields["Free blocks"]) * int(fields["Block size"])


def data_partition(raw):
    """(offset, size) in bytes of the last partition of a raw disk."""
    with open(raw, "rb") as f:
        mbr = f.read(SECTOR)
    found = [struct.unpack_from("<II", mbr, MBR_ENTRIES + 16 * i + 8) for i in range(4)]
    first, sectors = max(found)
    if sectors == 0:
        raise AssertionError("%s: no data partition among %s" % (raw, found))
    return first * SECTOR, sectors * SECTOR


class GuestError(Exception):
    """The machine is not as it has to be; the text has the end of its console."""


class Guest:
    """A running machine: .port, .console(), .resp (a connection), .process (QEMU)."""

    def __init__(self, disk, memory="512M", smp=1, ready=READY, write_log=None):
        self.disk, self.memory, self.smp, self.write_log = disk, memory, smp, write_log
        self.console_path = new_path("console")
        self.qemu_path = self.console_path + ".qemu"
        self._resp = None
        for _ in range(10):
            self._start()
            try:
                self.wait_for(lambda: re.search(ready, self.console()), BOOT_SECONDS, "'%s' on the console" % ready)
                return
            except GuestError:
                self.power_cut()
                if "hostfwd" not in self.qemu_says() and "forwarding" not in self.qemu_says():
                    raise  # else somebody took the port: another

    def _start(self):
        self.port = resp.free_port()
        open(self.console_path, "w").close()
        drive = "driver=qcow2,node-name=disk,file.driver=file,file.filename=%s" % self.disk.path
        drives = ["-blockdev", drive]
        if self.write_log:
            open(self.write_log, "w").close()
            drives += ["-blockdev", "driver=blklogwrites,node-name=logged,file=disk,log.driver=file,log.filename=" + self.write_log]
        command = [QEMU, "-accel", ACCEL, "-cpu", CPU, "-m", self.memory, "-smp", str(self.smp), "-display", "none", "-no-reboot",
                   "-serial", "file:" + self.console_path, "-monitor", "unix:%s.monitor,server,nowait" % self.console_path]
        command += drives + ["-device", "virtio-blk-pci,scsi=off,write-cache=off,drive=" + ("logged" if self.write_log else "disk")]
        command += ["-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:%d-:6379" % self.port,
                    "-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci"]
        with open(self.qemu_path, "wb") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                            preexec_fn=die_with_parent)
        running.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.power_cut()

    # -- what it says

    def console(self):
        """What it has printed so far."""
        with open(self.console_path, "rb") as f:
            return f.read().decode("utf-8", "backslashreplace").replace("\r", "")

    def qemu_says(self):
        with open(self.qemu_path, "rb") as f:
            return f.read().decode("utf-8", "backslashreplace")

    def is_running(self):
        return self.process.poll() is None

    def panic(self):
        """The line in which it says that it has ended, or None."""
        found = PANIC.search(self.console())
        return found and found.group()

    def error(self, what):
        end = "\n".join(self.console().splitlines()[-40:])
        return GuestError("%s (QEMU: %s)\n%s\n%s" % (what, "runs" if self.is_running() else "status %s" % self.process.returncode,
                                                     self.qemu_says(), end))

    def check(self):
        """Raise unless it runs and has not panicked."""
        if not self.is_running():
            raise self.error("the machine has ended")
        if self.panic():
            raise self.error("the machine has panicked: " + self.panic())

    def wait_for(self, condition, seconds, what):
        """Until condition() is true; an end or a panic of the machine is an error."""
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            self.check()
            if time.monotonic() > end:
                raise self.error("waited %d s in vain for %s" % (seconds, what))
            time.sleep(0.05)

    # -- talking to it

    def client(self, timeout=REPLY_SECONDS):
        """A new connection that has answered.  QEMU's forward loses those that are made at the same
        moment, and then waits for ever: so one after the other, and again if nothing comes."""
        for attempt in range(10):
            self.check()
            try:
                c = resp.Client(port=self.port, timeout=CONNECT_SECONDS)
                c.call("PING")
                c.sock.settimeout(timeout)
                return c
            except resp.RespError:
                c.sock.settimeout(timeout)
                return c  # LOADING, or a password: it answers
            except (OSError, EOFError):
                time.sleep(0.2 * attempt)
        raise self.error("no connection")

    @property
    def resp(self):
        """One connection, made when first asked for."""
        if self._resp is None:
            self._resp = self.client()
        return self._resp

    def info(self, *sections):
        """INFO's fields: a dict of texts."""
        lines = self.resp.call("INFO", *sections).decode().split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))

    def monitor(self, command):
        """A command for QEMU's monitor; what it answers."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(REPLY_SECONDS)
            s.connect(self.console_path + ".monitor")
            said = b""
            s.sendall(command.encode() + b"\n")
            while said.count(b"(qemu) ") < 2:
                data = s.recv(65536)
                if not data:
                    break
                said += data
        return said.decode("utf-8", "backslashreplace")

    def cpu_seconds(self):
        """The CPU time that QEMU has taken until now, the guest's and its own."""
        with open("/proc/%d/stat" % self.process.pid) as f:
            field = f.read().rsplit(")", 1)[1].split()
        return (int(field[11]) + int(field[12])) / os.sysconf("SC_CLK_TCK")

    # -- its end

    def power_cut(self):
        """QEMU is killed: what the guest has not handed to its disk is lost.  What it has is there,
        flushed or not: the disk has no cache of its own (write-cache=off).  With one, QEMU would
        lose even what is on the host's disk: which clusters of the qcow2 file are used it writes
        down when the guest flushes, and OSv does so once, when it switches the machine off."""
        if self._resp is not None:
            self._resp.close()
            self._resp = None
        if self.is_running():
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self in running:
            running.remove(self)

    def shutdown(self, *words):
        """SHUTDOWN, and wait until the machine is off; an error reply is raised."""
        try:
            self.resp.call("SHUTDOWN", *words)
        except (OSError, EOFError):
            pass
        self.wait_power_off()

    def wait_power_off(self, seconds=POWER_OFF_SECONDS):
        """Until QEMU has ended by itself, with status 0."""
        end = time.monotonic() + seconds
        while self.is_running():
            if self.panic():
                raise self.error("the machine has panicked: " + self.panic())
            if time.monotonic() > end:
                raise self.error("it is not off after %d s" % seconds)
            time.sleep(0.05)
        self.power_cut()  # closes what is ours
        if self.process.returncode != 0:
            raise self.error("QEMU ended with an error")


running = []


def die_with_parent():
    """QEMU ends with the test, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@atexit.register
def kill_running():
    for machine in list(running):
        machine.power_cut()


if __name__ == "__main__":
    print(", no ".join(missing()))
