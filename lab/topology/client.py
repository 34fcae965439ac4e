"""The L2TP/IPsec client: unmodified charon, xl2tpd and pppd in a guest, and what one can do with them."""

import re
import time
from dataclasses import dataclass

from . import network
from .guest import Guest
from .process import LineLog, eventually
from .report import Failed, demand

PSK = "correct-horse-battery-staple-lab"
CHARON = "/usr/lib/ipsec/charon"
XL2TPD = ["/usr/sbin/xl2tpd", "-D"]

# What --cipher names: the child SA's proposal.
CIPHERS = {
    "aes128-sha1": "aes128-sha1",
    "aes256-sha1": "aes256-sha1",
    "aes256-sha256": "aes256-sha256",
    "aes128gcm": "aes128gcm16",
    "aes256gcm": "aes256gcm16",
}


@dataclass(frozen=True)
class Dialler:
    """How a client dials."""

    server: str = network.EDGE_PUBLIC
    psk: str = PSK
    user: str = "user1"
    password: str = "password-of-user1"
    cipher: str = "aes128-sha1"
    auth: str = "refuse-eap"  # pppd's words for which protocols it takes
    rekey_seconds: int = 0  # of the child SA, by the client; 0: an hour
    ipv6: bool = False  # inside the session
    reauth_seconds: int = 0  # of the IKE SA, by a new Main Mode; 0: never


@dataclass(frozen=True)
class Link:
    """A session that is up, as pppd tells."""

    device: str
    address: str
    peer: str
    dns: str
    seconds: float  # from the first IKE packet to IPCP


class NotConnected(Failed):
    """A dial that came to an end without a session; `cause` is what the client was told."""

    def __init__(self, stage: str, cause: str, seconds: float) -> None:
        super().__init__(f"no connection: {stage} failed after {seconds:.1f} s: {cause}")
        self.stage, self.cause, self.seconds = stage, cause, seconds


STRONGSWAN_CONF = """
charon {
  load = random nonce x509 revocation constraints pubkey pkcs1 pkcs8 pem aes sha1 sha2 hmac gmp kdf openssl kernel-netlink socket-default vici xauth-generic eap-identity eap-mschapv2
  install_routes = no
  retransmit_tries = 3
  filelog {
    stderr {
      default = 1
      ike_name = yes
      flush_line = yes
    }
  }
  plugins {
    vici {
      socket = unix:///run/charon.vici
    }
  }
}
swanctl {
  load = random nonce x509 pkcs1 pkcs8 pem openssl
}
"""


def _swanctl_conf(how: Dialler) -> str:
    if how.rekey_seconds:
        life = f"rekey_time = {how.rekey_seconds}s\n        rand_time = 0s\n        life_time = {how.rekey_seconds + 5}s"
    else:
        life = "rekey_time = 1h"
    return f"""
connections {{
  sluice {{
    version = 1
    remote_addrs = {how.server}
    proposals = aes256-sha256-modp2048,aes256-sha1-modp2048
    reauth_time = {how.reauth_seconds}s
    rekey_time = 8h
    rand_time = 0s
    local {{
      auth = psk
    }}
    remote {{
      auth = psk
      id = %any
    }}
    children {{
      l2tp {{
        mode = transport
        esp_proposals = {CIPHERS[how.cipher]}
        local_ts = dynamic[udp/1701]
        remote_ts = dynamic[udp/1701]
        {life}
      }}
    }}
  }}
}}
secrets {{
  ike-sluice {{
    secret = "{how.psk}"
  }}
}}
"""


def _xl2tpd_conf(how: Dialler) -> str:
    return f"""
[global]
port = 1701
[lac sluice]
lns = {how.server}
pppoptfile = /etc/ppp/options.sluice
length bit = yes
ppp debug = yes
"""


def _ppp_options(how: Dialler) -> str:
    return f"""
user {how.user}
password {how.password}
noauth
{how.auth}
ipcp-accept-local
ipcp-accept-remote
usepeerdns
{"+ipv6" if how.ipv6 else "noipv6"}
nodefaultroute
mtu 1400
mru 1400
lcp-echo-interval 10
lcp-echo-failure 4
debug
logfile /run/ppp.log
"""


def files_of(how: Dialler) -> dict[str, str]:
    """What a user of Linux has to write, by path; docs/clients.md shows it."""
    return {"/etc/swanctl/swanctl.conf": _swanctl_conf(how), "/etc/xl2tpd/xl2tpd.conf": _xl2tpd_conf(how), "/etc/ppp/options.sluice": _ppp_options(how)}


IP_UP = f"""#!/bin/sh
/sbin/ip route replace {network.INSIDE_NET} dev "$1"
echo "up $1 $4 $5 ${{DNS1:-none}}" >/run/lab.events
"""
IP_DOWN = """#!/bin/sh
echo "down $1" >/run/lab.events
"""


def start_daemons(guest: Guest) -> tuple[LineLog, LineLog]:
    """charon with its configuration loaded, and xl2tpd; what they say."""
    charon = guest.start("charon", [CHARON])
    xl2tpd = guest.start("xl2tpd", XL2TPD)
    charon.wait(r"spawning \d+ worker threads", 30)
    code, text = 1, ""
    for _ in range(50):  # the vici socket follows the workers by a moment
        code, text = guest.try_run("swanctl", "--load-all", "--noprompt")
        if code == 0:
            break
        time.sleep(0.1)
    demand(code == 0, f"swanctl --load-all on {guest.name}: {text.strip()}")
    xl2tpd.wait(r"Listening on IP address", 30)
    return charon, xl2tpd


class Client:
    def __init__(self, guest: Guest, number: int, how: Dialler) -> None:
        self.guest = guest
        self.number = number
        self.how = how
        self.link: Link | None = None
        self.lac = "sluice"  # what xl2tpd calls the server

    @property
    def name(self) -> str:
        return self.guest.name

    def prepare(self) -> None:
        """Waits for the guest, lays its configuration, starts charon and xl2tpd."""
        guest, how = self.guest, self.how
        guest.wait_ready()
        for path, text, mode in (
            ("/run/strongswan.conf", STRONGSWAN_CONF, 0o644),
            *((path, text, 0o600) for path, text in files_of(how).items()),
            ("/etc/ppp/options", "", 0o644),
            ("/etc/ppp/ip-up", IP_UP, 0o755),
            ("/etc/ppp/ip-down", IP_DOWN, 0o755),
        ):
            guest.write(path, text, mode)
        self.ppp = guest.follow("pppd", "/run/ppp.log")
        self.events = guest.follow("events", "/run/lab.events")
        self.charon, self.xl2tpd = start_daemons(guest)

    def reconfigure(self, how: Dialler) -> None:
        self.how = how
        self.guest.write("/etc/swanctl/swanctl.conf", _swanctl_conf(how), 0o600)
        self.guest.write("/etc/ppp/options.sluice", _ppp_options(how), 0o600)
        self.guest.run("swanctl", "--load-all", "--noprompt")

    def log_in_as(self, how: Dialler) -> None:
        """From the next call on PPP is by this user and protocol."""
        self.how = how
        self.guest.write("/etc/ppp/options.sluice", _ppp_options(how), 0o600)

    def call_instead(self, lac: str, server: str) -> None:
        """From now on L2TP goes to another server, known to xl2tpd by this name."""
        if lac != "sluice":
            self.guest.write("/run/xl2tpd/l2tp-control", f"a {lac} lns={server};pppoptfile=/etc/ppp/options.sluice;length bit=yes\n")
        self.lac = lac

    def dial(self, timeout: float = 30) -> Link:
        """IKE, then L2TP, then PPP. NotConnected says where it ended and what the client was told."""
        started = time.monotonic()
        self.negotiate(timeout)
        return self.call(started, timeout)

    def negotiate(self, timeout: float = 30) -> None:
        """IKE alone."""
        started = time.monotonic()
        code, text = self.guest.try_run("swanctl", "--initiate", "--child", "l2tp", "--timeout", str(int(timeout)), timeout=timeout + 5)
        if code != 0:
            raise NotConnected("IKE", self._ike_cause(text), time.monotonic() - started)

    def call(self, started: float, timeout: float = 30) -> Link:
        """L2TP and PPP over the SAs that are there; `started` is when the dial began."""
        self.link = self._call(started, timeout)
        return self.link

    def _ike_cause(self, text: str) -> str:
        told = re.findall(r"received (\w+) error notify|(\w+) error notify|(establishing .* timed out|giving up after .*)", text)
        words = [next(filter(None, groups)) for groups in told]
        return words[-1] if words else text.strip().splitlines()[-1]

    def _start_anew(self) -> int:
        """xl2tpd keeps a call for ever whose CDN comes as its pppd ends, and calls in a tunnel that it is closing. Another xl2tpd knows
        of neither; gives the mark of its dial."""
        self.guest.kill("xl2tpd")
        eventually("the end of xl2tpd", lambda: self.xl2tpd.ended is not None, 10)
        mark = self.xl2tpd.mark()
        self.guest.start("xl2tpd", XL2TPD)
        self.xl2tpd.wait(r"Listening on IP address", 10, mark)
        self.guest.write("/run/xl2tpd/l2tp-control", f"c {self.lac}\n")
        return mark

    def _call(self, started: float, timeout: float) -> Link:
        events, tunnel, ppp = self.events.mark(), self.xl2tpd.mark(), self.ppp.mark()
        self.guest.write("/run/xl2tpd/l2tp-control", f"c {self.lac}\n")
        deadline = started + timeout
        while True:
            try:
                up = self.events.wait(r"^up (\S+) (\S+) (\S+) (\S+)", 0.2, events)
                return Link(up[1], up[2], up[3], up[4].replace("none", ""), time.monotonic() - started)
            except Failed:
                spent = time.monotonic() - started
                if why := self.ppp.find(r"(authentication failed|peer refused to authenticate|Authentication failure|LCP: timeout)", ppp):
                    raise NotConnected("PPP", why.string.strip(), spent) from None
                if why := self.xl2tpd.find(r"(Connection (?:\d+ )?closed|Call .* disconnected|Maximum retries|Disconnecting from|Unable to deliver)", tunnel):
                    raise NotConnected("L2TP", why.string.strip(), spent) from None
                if self.xl2tpd.find(r"already active", tunnel):
                    tunnel = self._start_anew()
                if time.monotonic() > deadline:
                    raise NotConnected("L2TP", f"nothing came within {timeout:g} s", spent) from None

    def hang_up(self) -> None:
        """CDN, StopCCN, then the SAs' DELETE: as a user closes the connection."""
        if self.link:
            events = self.events.mark()
            self.guest.write("/run/xl2tpd/l2tp-control", f"d {self.lac}\n")
            self.events.wait(r"^down ", 10, events)
            self.link = None
        self.guest.try_run("swanctl", "--terminate", "--ike", "sluice", "--timeout", "5")

    def forget(self) -> None:
        """Lets go of whatever is left of a connection that the other side ended, before dialling anew."""
        self.guest.write("/run/xl2tpd/l2tp-control", f"d {self.lac}\n")
        self.guest.try_run("swanctl", "--terminate", "--ike", "sluice", "--force", "--timeout", "3")
        self.link = None

    def sas(self) -> str:
        return self.guest.run("swanctl", "--list-sas")

    def esp_is_encapsulated(self) -> bool:
        return "TRANSPORT-in-UDP" in self.sas()

    def ping(self, target: str, count: int, interval: float = 0.2) -> "Pings":
        seconds = count * interval + 15
        words = ["ping", "-n", "-D", "-c", str(count), "-i", str(interval), "-W", "3", target]
        code, text = self.guest.try_run(*words, timeout=seconds)
        with open(self.guest.log_path("ping"), "a", encoding="utf-8") as file:
            file.write(text)
        return Pings.parse(text, code)


@dataclass(frozen=True)
class Pings:
    sent: int
    received: int
    average_ms: float
    text: str

    @property
    def lost(self) -> int:
        return self.sent - self.received

    @classmethod
    def parse(cls, text: str, code: int) -> "Pings":
        counts = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        if not counts:
            raise Failed(f"ping ended with {code}: {text.strip()}")
        average = re.search(r"= [\d.]+/([\d.]+)/", text)
        return cls(int(counts[1]), int(counts[2]), float(average[1]) if average else 0.0, text)

    def demand_all(self, whose: str) -> None:
        seen = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", self.text)}
        missing = [number for number in range(1, self.sent + 1) if number not in seen]
        demand(self.lost == 0, f"{whose} lost {self.lost} of {self.sent} pings: number {missing[:10]} (see its ping log)")
