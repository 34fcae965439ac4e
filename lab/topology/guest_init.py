#!/usr/bin/python3
"""First process of a User Mode Linux guest: prepares the guest, then carries out the lab's commands.

The root file system is the host's, read-only; what clients write to lies in memory. The lab speaks to it over the
first serial line, one JSON object a line:

    lab -> guest   {"id": 7, "op": "run", "argv": [...], "input": "...", "timeout": 20}
                   {"id": 8, "op": "start", "name": "charon", "argv": [...], "env": {...}}
                   {"id": 9, "op": "follow", "name": "ppp", "path": "/run/ppp.log"}      (makes a FIFO)
                   {"id": 10, "op": "kill", "name": "charon", "signal": 15}
                   {"id": 11, "op": "write", "path": "/run/x", "text": "...", "mode": 384}
    guest -> lab   {"id": 7, "rc": 0, "out": "...", "err": "..."}
                   {"event": "line", "name": "charon", "line": "..."}, {"event": "exit", "name": "charon", "rc": 0}

It is started by the guest's kernel, so it imports nothing of the lab.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import termios
import threading
import tty

MEMORY = ("/run", "/tmp", "/var/log", "/etc/swanctl", "/etc/ppp", "/etc/xl2tpd")
MODULES = (
    *("esp4", "xfrm_user", "authenc", "echainiv", "seqiv", "cbc", "gcm", "ctr", "ghash-generic", "hmac", "des_generic", "drbg"),
    *("l2tp_ppp", "ppp_generic", "ppp_async", "ppp_deflate", "bsd_comp", "ppp_mppe", "arc4"),
)
MS_RDONLY, MS_NOSUID, MS_BIND = 1, 2, 4096
PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    if libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot mount {kind} on {target}: {os.strerror(code)}")


def prepare() -> None:
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")
    os.makedirs("/dev/pts", exist_ok=True)  # the kernel has mounted devtmpfs itself
    mount("devpts", "/dev/pts", "devpts")
    project = os.open(PROJECT, os.O_PATH | os.O_DIRECTORY)
    for target in MEMORY:
        mount("tmpfs", target, "tmpfs", MS_NOSUID)
    if not os.path.isdir(PROJECT):  # a checkout below /tmp went out of sight
        os.makedirs(PROJECT)
        mount(f"/proc/self/fd/{project}", PROJECT, "none", MS_BIND)
    os.close(project)
    release = os.uname().release
    os.makedirs("/run/kernel/lib/modules")
    os.symlink(f"/usr/lib/uml/modules/{release}", f"/run/kernel/lib/modules/{release}")
    subprocess.run(["/sbin/modprobe", "-d", "/run/kernel", "-a", *MODULES], check=True)
    write("/run/modprobe", '#!/bin/sh\nexec /sbin/modprobe -d /run/kernel "$@"\n', 0o755)
    write("/proc/sys/kernel/modprobe", "/run/modprobe")
    warm_up()
    os.makedirs("/run/xl2tpd")
    ip("link set lo up")
    ip("link set vec0 up")
    ip(f"addr add {os.environ['GUEST_ADDRESS']} dev vec0")
    ip(f"route add default via {os.environ['GUEST_GATEWAY']}")


def warm_up() -> None:
    """The kernel searches for modules when a cipher is first used, for about a second: better now than in the middle of a dial."""
    key, mac = "0x" + "11" * 16, "0x" + "22" * 20
    for number, algorithm in enumerate((f"enc cbc(aes) {key} auth hmac(sha1) {mac}", f"enc cbc(aes) {key} auth hmac(sha256) {mac}",
                                        f"aead rfc4106(gcm(aes)) {mac} 128")):
        ip(f"xfrm state add src 127.0.0.1 dst 127.0.0.1 proto esp spi {number + 1} {algorithm}")
    ip("xfrm state flush")


def ip(words: str) -> None:
    subprocess.run(["/sbin/ip", *words.split()], check=True)


def write(path: str, text: str, mode: int = 0o644) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    if not path.startswith("/proc"):
        os.chmod(path, mode)


class Channel:
    """The serial line; any thread may send."""

    def __init__(self, device: str) -> None:
        self.fd = os.open(device, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd, termios.TCSANOW)
        self.lock = threading.Lock()

    def send(self, message: dict) -> None:
        data = (json.dumps(message) + "\n").encode()
        with self.lock:
            while data:
                data = data[os.write(self.fd, data) :]

    def messages(self):
        pending = b""
        while True:
            data = os.read(self.fd, 4096)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                yield json.loads(line)


class Agent:
    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.started: dict[str, subprocess.Popen] = {}

    def serve(self) -> None:
        self.channel.send({"event": "ready"})
        for message in self.channel.messages():
            threading.Thread(target=self.handle, args=(message,), daemon=True).start()

    def handle(self, message: dict) -> None:
        reply: dict = {"id": message["id"], "rc": 0, "out": "", "err": ""}
        try:
            reply.update(getattr(self, "op_" + message["op"])(message) or {})
        except subprocess.TimeoutExpired as error:
            text = error.stdout.decode(errors="replace") if error.stdout else ""
            reply.update(rc=124, out=text, err=f"no end within {error.timeout} s")
        except Exception as error:  # the lab must hear of it, whatever it is
            reply.update(rc=125, err=f"{type(error).__name__}: {error}")
        self.channel.send(reply)

    def op_run(self, message: dict) -> dict:
        done = subprocess.run(
            message["argv"],
            input=message.get("input", "").encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=message.get("timeout", 20),
            check=False,
        )
        return {"rc": done.returncode, "out": done.stdout.decode(errors="replace"), "err": done.stderr.decode(errors="replace")}

    def op_start(self, message: dict) -> None:
        name = message["name"]
        process = subprocess.Popen(
            message["argv"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **message.get("env", {})},
            start_new_session=True,
        )
        self.started[name] = process
        threading.Thread(target=self.report, args=(name, process), daemon=True).start()

    def report(self, name: str, process: subprocess.Popen) -> None:
        self.lines(name, process.stdout.fileno())
        self.channel.send({"event": "exit", "name": name, "rc": process.wait()})

    def lines(self, name: str, fd: int) -> None:
        with open(fd, "rb", closefd=False) as stream:
            for line in stream:
                self.channel.send({"event": "line", "name": name, "line": line.decode(errors="replace").rstrip()})

    def op_follow(self, message: dict) -> None:
        os.mkfifo(message["path"], 0o600)
        fd = os.open(message["path"], os.O_RDWR)  # both ends, so that it never reads as ended
        threading.Thread(target=self.lines, args=(message["name"], fd), daemon=True).start()

    def op_kill(self, message: dict) -> None:
        process = self.started[message["name"]]
        if process.poll() is None:
            process.send_signal(message.get("signal", signal.SIGTERM))

    def op_write(self, message: dict) -> None:
        os.makedirs(os.path.dirname(message["path"]), exist_ok=True)
        write(message["path"], message["text"], message.get("mode", 0o644))


def main() -> None:
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    try:
        prepare()
        Agent(Channel("/dev/ttyS0")).serve()
    except Exception as error:
        print(f"guest: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os.sync()
        libc.reboot(0x4321FEDC)  # power off: a guest without its lab must not linger


main()
