"""Libreswan's pluto in a guest, in charon's place. lab/install unpacks it beside the system, because its package excludes strongSwan's."""

import time

from .guest import Guest
from .report import demand

UNPACKED = "/var/cache/sluice-lab/libreswan/usr/libexec"
PLACE = "/usr/libexec"  # pluto wants its helpers there; what the system has in it no client needs
PROGRAMS = f"{PLACE}/ipsec"
FOLDER = "/run/libreswan"
SOCKET = f"{FOLDER}/pluto.ctl"


class Libreswan:
    def __init__(self, guest: Guest, server: str, psk: str) -> None:
        self.guest = guest
        self._server, self._psk = server, psk

    def start(self) -> None:
        config = f"""
config setup
    ikev1-policy=accept
    uniqueids=no
    dnssec-enable=no
conn sluice
    ikev2=no
    authby=secret
    type=transport
    left=%defaultroute
    leftprotoport=udp/1701
    leftupdown=%disabled
    right={self._server}
    rightprotoport=udp/1701
    ike=aes256-sha2;modp2048
    phase2alg=aes256-sha1
    pfs=no
    auto=add
"""
        self.guest.run("mount", "--bind", UNPACKED, PLACE)
        self.guest.write(f"{FOLDER}/ipsec.conf", config)
        self.guest.write(f"{FOLDER}/ipsec.secrets", f'%any %any : PSK "{self._psk}"\n', 0o600)
        self.guest.write(f"{FOLDER}/ipsec.d/policies/none", "")
        self.guest.run("mkdir", "-p", f"{FOLDER}/nss")
        self.guest.run("certutil", "-N", "-d", f"sql:{FOLDER}/nss", "--empty-password")
        self.log = self.guest.start("pluto", [
            f"{PROGRAMS}/pluto", "--nofork", "--stderrlog", "--config", f"{FOLDER}/ipsec.conf", "--rundir", FOLDER,
            "--ipsecdir", f"{FOLDER}/ipsec.d", "--nssdir", f"{FOLDER}/nss", "--secretsfile", f"{FOLDER}/ipsec.secrets",
        ])
        self.log.wait(r"using Linux xfrm kernel support", 20)
        code, text = 1, ""
        for _ in range(50):  # the control socket follows by a moment
            code, text = self.guest.try_run(f"{PROGRAMS}/whack", "--ctlsocket", SOCKET, "--listen")
            if code == 0:
                break
            time.sleep(0.1)
        demand(code == 0, f"pluto on {self.guest.name} does not listen: {text}")
        self.guest.run(f"{PROGRAMS}/addconn", "--config", f"{FOLDER}/ipsec.conf", "--ctlsocket", SOCKET, "sluice")

    def negotiate(self) -> None:
        code, text = self.guest.try_run(f"{PROGRAMS}/whack", "--ctlsocket", SOCKET, "--name", "sluice", "--initiate", timeout=30)
        demand(code == 0 and "IPsec SA established" in text, f"Libreswan on {self.guest.name} ({code}): {text.strip()}")

    def terminate(self) -> None:
        self.guest.try_run(f"{PROGRAMS}/whack", "--ctlsocket", SOCKET, "--name", "sluice", "--terminate")
        self.guest.kill("pluto")
