#!/usr/bin/env python3
"""Boots an image under QEMU with the console on the terminal; the server's port is forwarded from
127.0.0.1 only, and the guest reaches nothing else.

    osv/qemu.py IMAGE [--memory 1G] [--smp 1] [--port 6379] [--accel auto|kvm|tcg] [--throw-away]

Ctrl-C (or SIGTERM) sends SHUTDOWN, which saves where save points are set; a second one switches
the machine off.  With auto KVM is used where it can boot the image, and emulation elsewhere.
QEMU's port forward loses connections that are made at the same moment: connect one after the other.

Exit status 0: the server ended as it was told, and the machine switched itself off; 1: the machine
could not be booted, was switched off, or its server did not start or has crashed (the console says
why); 2: a wrong command line."""
import argparse
import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from disk import DiskError, image_format, need, partition_bytes  # noqa: E402

GUEST_PORT = 6379
KVM_PROBE_SECONDS = 15
BOOTED = b"Booted up in"
ENDED = b"ready to exit, bye bye"  # the server's last line; OSv hands on no exit status


def command(image, memory, smp, accel, port=None, serial="chardev:c0", more=(), overlay=False, cache="writethrough"):
    """QEMU's command line.  No port: no network.  overlay: what the guest writes is thrown away.

    OSv's fsync() does not ask the disk to flush, so what is written has to be durable by itself."""
    words = ["qemu-system-x86_64", "-accel", accel, "-cpu", "host,arch-capabilities=off" if accel == "kvm" else "max"]
    words += ["-m", str(memory), "-smp", str(smp), "-display", "none", "-no-reboot", "-serial", serial]
    if serial == "chardev:c0":
        words += ["-chardev", "stdio,id=c0,signal=off"]
    drive = f"file={image.replace(',', ',,')},if=none,id=hd0,format={image_format(image)},cache={cache}" + (",snapshot=on" if overlay else "")
    words += ["-device", "virtio-blk-pci,drive=hd0,scsi=off", "-drive", drive, "-device", "virtio-rng-pci"]
    if port is None:
        return words + ["-nic", "none", *more]
    words += ["-device", "virtio-net-pci,netdev=n0"]
    return words + ["-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:{GUEST_PORT}", *more]


def can_use_kvm(image):
    """Whether KVM boots this image: that /dev/kvm is there says nothing where one machine is nested
    in another."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with tempfile.TemporaryDirectory() as tmp:
        console = os.path.join(tmp, "console")
        with subprocess.Popen(command(image, "256M", 1, "kvm", serial=f"file:{console}", overlay=True),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=die_with_parent) as qemu:
            try:
                return boots(qemu, console)
            finally:
                qemu.kill()


def boots(qemu, console):
    """Watches a probe: True once the guest is up, False when it cannot be."""
    os.set_blocking(qemu.stderr.fileno(), False)
    until, said = time.monotonic() + KVM_PROBE_SECONDS, b""
    while time.monotonic() < until and qemu.poll() is None:
        said += qemu.stderr.read() or b""
        if b"KVM internal error" in said or b"failed to initialize" in said:
            return False
        if os.path.exists(console):
            with open(console, "rb") as f:
                if BOOTED in f.read():
                    return True
        time.sleep(0.05)
    return False


def choose_accel(image, wanted):
    """kvm or tcg."""
    if wanted == "tcg":
        return wanted
    if os.path.exists("/dev/kvm"):
        print(f"Does KVM boot the image? {KVM_PROBE_SECONDS} s at most.", file=sys.stderr)
    if can_use_kvm(image):
        return "kvm"
    if wanted == "kvm":
        raise DiskError("KVM does not boot the image here; ACCEL=tcg or --accel tcg emulates the machine")
    print("No KVM that boots the image here: emulated, which is some ten times slower.", file=sys.stderr)
    return "tcg"


class Console(threading.Thread):
    """What QEMU writes goes on to the terminal; the end of it is kept."""

    KEPT = 4096

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe, self.end = pipe, b""
        self.start()

    def run(self):
        while text := self.pipe.read1():
            self.end = (self.end + text)[-self.KEPT:]
            try:
                sys.stdout.buffer.write(text)
                sys.stdout.buffer.flush()
            except OSError:
                pass  # nobody reads it; the machine goes on

    def has_ended_well(self):
        """When QEMU has ended."""
        self.join()
        return ENDED in self.end


def send_shutdown(port):
    """Asks the server to end, and waits while it saves; why it does not, or None."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
            s.settimeout(None)
            s.sendall(b"SHUTDOWN\r\n")
            answer = s.recv(1000)
    except OSError as e:
        return str(e)
    return answer.decode(errors="replace").strip() or None


def switch_off(qemu):
    """The machine's power is cut."""
    print("\nSwitched off.", file=sys.stderr)
    qemu.kill()
    qemu.wait()
    return 1


def has_ended(qemu):
    """Whether it does within a second: then it was on its way, and no answer says nothing."""
    try:
        qemu.wait(1)
    except subprocess.TimeoutExpired:
        return False
    return True


def remedy(why, port):
    """What ends a server that answered so to SHUTDOWN."""
    client = f"redis-cli -p {port}"
    if "NOAUTH" in why:
        return f"To end it: {client} -a PASSWORD shutdown"
    if "Errors trying to SHUTDOWN" in why:
        return f"Its save has failed, and the console says why. To end it without: {client} shutdown nosave"
    if "DENIED" in why:
        return "It lets nobody in (protected-mode). Ctrl-C again switches the machine off, unsaved."
    if why.startswith("-"):
        return f"To end it: {client} shutdown"
    return "It is starting, or nobody reaches it. Ctrl-C again switches the machine off, unsaved."


def wait(qemu, port):
    """Until QEMU has ended; Ctrl-C asks first and ends it the second time."""
    try:
        return qemu.wait()
    except KeyboardInterrupt:
        pass
    try:
        print("\nSHUTDOWN; a last save takes its time. Ctrl-C again switches the machine off, unsaved.", file=sys.stderr)
        why = send_shutdown(port)
        if why is not None and not has_ended(qemu):
            print(f"The server goes on ({why}). {remedy(why, port)}", file=sys.stderr)
        return qemu.wait()
    except KeyboardInterrupt:
        return switch_off(qemu)


def die_with_parent():
    """In QEMU before it starts: a machine that nobody watches ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def number(least, most):
    """A type of argparse's."""
    def read(text):
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text}: between {least} and {most}")
        return value
    read.__name__ = "number"
    return read


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(prog="osv/qemu.py", description="Boots an image for OSv under QEMU.")
    parser.add_argument("image")
    parser.add_argument("--memory", default="1G", help="512M, 1G, ... (1G)")
    parser.add_argument("--smp", type=number(1, 64), default=1, help="processors (1)")
    parser.add_argument("--port", type=number(1, 65535), default=GUEST_PORT, help="of 127.0.0.1 that leads to the server (6379)")
    parser.add_argument("--accel", choices=["auto", "kvm", "tcg"], default="auto")
    parser.add_argument("--throw-away", action="store_true", help="the image stays as it is")
    return parser.parse_args()


def main():
    """Boots one image."""
    options = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        need(("qemu-system-x86_64", "qemu-system-x86"), ("qemu-img", "qemu-utils"))
        if not os.path.isfile(options.image):
            raise DiskError(f"{options.image}: no such file; make osv-image makes one")
        partition_bytes(options.image)  # it is one of ours
        with socket.socket() as s:  # QEMU's own words for this do not name the port
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", options.port))
            except OSError as e:
                raise DiskError(f"port {options.port} of 127.0.0.1: {e.strerror}; choose another with PORT or --port") from e
        accel = choose_accel(options.image, options.accel)
        words = command(options.image, options.memory, options.smp, accel, options.port, overlay=options.throw_away)
        print(f"redis-cli -p {options.port}    Ctrl-C: SHUTDOWN", file=sys.stderr)
        # A session of its own: Ctrl-C is for us, not for QEMU.
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
                              preexec_fn=die_with_parent) as qemu:
            console = Console(qemu.stdout)
            status = wait(qemu, options.port)
            if status == 0 and not console.has_ended_well():
                raise DiskError("the machine switched itself off: its server did not start, or has crashed; the console says why")
    except KeyboardInterrupt:
        sys.exit(1)
    except (DiskError, OSError) as e:
        sys.exit(f"osv/qemu.py: {e}")
    sys.exit(0 if status == 0 else 1)


if __name__ == "__main__":
    main()
