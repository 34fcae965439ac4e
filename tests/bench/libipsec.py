"""strongSwan's own ESP in user space (kernel-libipsec) between two network namespaces: CPU time of charon a packet."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

CHARON = "/usr/sbin/charon-systemd"
PLUGIN = "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so"
START_SECONDS = 15

SETTINGS = """
charon-systemd {{
  load = random nonce openssl aes sha1 sha2 hmac gcm kdf pem pubkey vici kernel-libipsec kernel-netlink socket-default
  plugins {{ vici {{ socket = unix://{folder}/vici }} kernel-libipsec {{ allow_peer_ts = yes }} }}
  journal {{ default = -1 }}
  filelog {{ log {{ path = {folder}/log
                     default = 1 }} }}
}}
swanctl {{ load = pem pubkey random nonce openssl }}
"""
CONNECTION = """
connections {{ bench {{
  version = 2
  local_addrs = 10.8.0.{me}
  remote_addrs = 10.8.0.{other}
  proposals = aes128-sha256-ecp256
  encap = yes
  local {{ auth = psk
           id = s{me} }}
  remote {{ auth = psk
            id = s{other} }}
  children {{ bench {{
    local_ts = 10.9.0.{me}/32
    remote_ts = 10.9.0.{other}/32
    esp_proposals = aes128gcm16
    mode = tunnel }} }} }} }}
secrets {{ ike-bench {{ secret = "no secret, only a benchmark" }} }}
"""


class Side:
    """One charon in a network namespace of its own."""

    def __init__(self, me: int, folder: Path) -> None:
        self.me, self.folder = me, folder
        self.netns = f"bench{os.getpid()}-{me}"
        self.daemon: subprocess.Popen | None = None
        folder.mkdir()
        (folder / "strongswan.conf").write_text(SETTINGS.format(folder=folder))
        (folder / "swanctl.conf").write_text(CONNECTION.format(me=me, other=3 - me))
        subprocess.run(["ip", "netns", "add", self.netns], check=True)

    def run(self, *command: str) -> str:
        env = {**os.environ, "STRONGSWAN_CONF": str(self.folder / "strongswan.conf"), "SWANCTL_DIR": str(self.folder)}
        done = subprocess.run(["ip", "netns", "exec", self.netns, *command], env=env, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout

    def swanctl(self, *arguments: str) -> str:
        return self.run("swanctl", *arguments, "--uri", f"unix://{self.folder}/vici")

    def start(self) -> None:
        env = {**os.environ, "STRONGSWAN_CONF": str(self.folder / "strongswan.conf")}
        log = open(self.folder / "output", "w")
        self.daemon = subprocess.Popen(["ip", "netns", "exec", self.netns, CHARON], env=env, stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        while not (self.folder / "vici").exists():
            if time.monotonic() > end or self.daemon.poll() is not None:
                raise RuntimeError(f"charon does not start: {(self.folder / 'output').read_text()}")
            time.sleep(0.1)
        self.swanctl("--load-all", "--file", str(self.folder / "swanctl.conf"))

    def cpu_seconds(self) -> float:
        """User and system time of all threads; `ip netns exec` becomes charon itself."""
        total = 0
        for task in Path(f"/proc/{self.daemon.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total * 1e-9

    def count(self, device: str, what: str) -> int:
        for line in self.run("cat", "/proc/net/dev").splitlines():
            name, _, fields = line.partition(":")
            if name.strip() == device:
                return int(fields.split()[1 if what == "rx" else 9])
        raise RuntimeError(f"no device {device}")

    def stop(self) -> None:
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.wait(10)
        subprocess.run(["ip", "netns", "del", self.netns], check=False)


def blast(netns: str, size: int, seconds: float) -> None:
    """Inner packets of so many bytes as fast as one process sends them. Runs in a child."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        with open(f"/run/netns/{netns}") as at:
            import ctypes

            ctypes.CDLL(None, use_errno=True).setns(at.fileno(), 0x40000000)
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        out.connect(("10.9.0.2", 9))
        payload = bytes(size - 28)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(32):
                try:
                    out.send(payload)
                except OSError:
                    pass
    finally:
        os._exit(0)


def measure(sizes: list[int], seconds: float = 3) -> dict:
    """{size: {"seal_ns", "open_ns", "kpps"}}, or {"missing": why}."""
    if not (os.path.exists(CHARON) and os.path.exists(PLUGIN)):
        return {"missing": "charon-systemd and libcharon-extra-plugins are not installed"}
    folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
    sides: list[Side] = []
    try:
        sides += [Side(1, folder / "1")]
        sides += [Side(2, folder / "2")]
        one, two = sides
        one.run("ip", "link", "add", "v", "type", "veth", "peer", "name", "v", "netns", two.netns)
        for side in sides:
            side.run("ip", "addr", "add", f"10.8.0.{side.me}/24", "dev", "v")
            side.run("ip", "addr", "add", f"10.9.0.{side.me}/32", "dev", "lo")
            side.run("ip", "link", "set", "lo", "up")
            side.run("ip", "link", "set", "v", "up")
        for side in sides:
            side.start()
        one.swanctl("--initiate", "--child", "bench")
        result: dict = {}
        for size in sizes:
            before = [(s.cpu_seconds(), s.count("v", "tx"), s.count("ipsec0", "rx")) for s in sides]
            blast(one.netns, size, seconds)
            time.sleep(0.5)  # what is queued in charon still costs CPU time
            after = [(s.cpu_seconds(), s.count("v", "tx"), s.count("ipsec0", "rx")) for s in sides]
            sealed, opened = after[0][1] - before[0][1], after[1][2] - before[1][2]
            if sealed < 1000 or opened < 1000:
                raise RuntimeError(f"only {sealed} packets sent and {opened} received")
            result[size] = {
                "seal_ns": (after[0][0] - before[0][0]) / sealed * 1e9,
                "open_ns": (after[1][0] - before[1][0]) / opened * 1e9,
                "kpps": opened / seconds / 1000,
            }
        return result
    finally:
        for side in sides:
            side.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    print(measure([64, 512, 1400]))
