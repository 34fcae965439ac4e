"""RADIUS servers of the lab: real FreeRADIUS with a configuration of its own, and a responder that does not sign."""

import re
import sys
from pathlib import Path

from . import network
from .network import Namespace
from .process import Process, run
from .product import PROJECT
from .report import demand
from .runs import Run

SECRET = "radius-secret-of-the-lab"
RUDE = Path(__file__).with_name("rude_radius.py")

# IPv6 that RADIUS gives: a user's own, and of a pool.
OWN6, POOL6 = "fd00:77:1:2::/64", "fd00:79::/56"

# Users that FreeRADIUS knows. `gold` has what a user may be given; `tiny` gets a pool whose only address is the agent's own.
USERS = """
silver Cleartext-Password := "password-of-silver"
    Reply-Message = "welcome"

eapms Cleartext-Password := "password-of-eapms", EAP-Type := 26

gold Cleartext-Password := "password-of-gold"
    Framed-IP-Address = {gold},
    Framed-Route = "192.168.77.0/24 0.0.0.0 1",
    MS-Primary-DNS-Server = 10.40.0.53,
    Session-Timeout = 3600,
    Class = 0x676f6c64,
    Sluice-Rate-Up = 100000,
    Sluice-Rate-Down = 100000

tiny Cleartext-Password := "password-of-tiny"
    Framed-Pool = "tiny"

six Cleartext-Password := "password-of-six"
    Framed-IPv6-Prefix = {six},
    Delegated-IPv6-Prefix = fd00:78::/56

sixpool Cleartext-Password := "password-of-sixpool"
    Framed-IPv6-Pool = "sixes"

caged Cleartext-Password := "password-of-caged"
    Filter-Id = "pings"
"""

CONFIG = """
prefix = /usr
raddbdir = {folder}
logdir = {folder}
run_dir = {folder}
db_dir = {folder}
libdir = /usr/lib/freeradius
pidfile = {folder}/radiusd.pid
max_request_time = 30
cleanup_delay = 2
max_requests = 1024
hostname_lookups = no
log {{
    destination = stdout
    auth = yes
}}
security {{
    reject_delay = 0
    status_server = yes
}}
thread pool {{
    start_servers = 1
    max_servers = 2
    min_spare_servers = 1
    max_spare_servers = 1
    max_requests_per_server = 0
}}
client core {{
    ipaddr = 10.20.0.0/24
    secret = {secret}
    require_message_authenticator = yes
}}
modules {{
    always ok {{
        rcode = ok
    }}
    pap {{
    }}
    chap {{
    }}
    mschap {{
    }}
    files {{
        usersfile = {folder}/users
    }}
    eap {{
        default_eap_type = md5
        max_sessions = 64
        md5 {{
        }}
        mschapv2 {{
        }}
    }}
    detail {{
        filename = {folder}/detail
        permissions = 0600
    }}
}}
server default {{
    listen {{
        type = auth
        ipaddr = {address}
        port = 1812
    }}
    listen {{
        type = acct
        ipaddr = {address}
        port = 1813
    }}
    authorize {{
        files
        chap
        mschap
        eap {{
            ok = return
        }}
        pap
        Autz-Type Status-Server {{
            ok
            update reply {{
                Message-Authenticator := 0x00
            }}
        }}
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
        Auth-Type CHAP {{
            chap
        }}
        Auth-Type MS-CHAP {{
            mschap
        }}
        eap
    }}
    accounting {{
        detail
    }}
    post-auth {{
        update reply {{
            Message-Authenticator := 0x00
        }}
        Post-Auth-Type REJECT {{
            update reply {{
                Message-Authenticator := 0x00
            }}
        }}
    }}
}}
"""


def address(number: int) -> str:
    return f"10.20.0.{50 + number}"


def agent_settings(folder: str) -> str:
    """Tables of agent.toml for both servers; the users file stays beside them."""
    servers = "".join(
        f'[[radius_server]]\naddress = "{address(number)}"\nsecret_file = "{folder}/radius.secret"\npriority = {number}\n' for number in (1, 2)
    )
    return f"""
{servers}
[radius]
tries = 2
dynamic_listen = "0.0.0.0:3799"

[[radius_dynamic]]
address = "{address(1)}"
secret_file = "{folder}/radius.secret"

[throttle]
by_user = 1

[[named_pool]]
name = "tiny"
ranges = ["{network.pool(1)}.1"]

[[named_pool]]
name = "sixes"
ipv6 = ["{POOL6}"]

[[filter]]
name = "pings"
rules = ["allow icmp any"]

[[filter]]
name = "all"
rules = ["allow any"]
"""


class RadiusHost:
    """A place on the core segment in which a RADIUS server runs, or does not."""

    def __init__(self, run_: Run, namespace: Namespace, number: int) -> None:
        self.name = f"radius{number}"
        self.address = address(number)
        self._namespace = namespace
        self._run = run_
        self.folder = run_.folder / self.name
        run_.write("radius.secret", SECRET + "\n")
        run_.write(f"{self.name}/users", USERS.format(gold=f"{network.pool(1)}.77", six=OWN6))
        run_.write(f"{self.name}/radiusd.conf", CONFIG.format(folder=self.folder, address=self.address, secret=SECRET))
        run_.write(f"{self.name}/dictionary", f"$INCLUDE {PROJECT}/docs/examples/dictionary.sluice\n")
        self.process: Process | None = None

    def start(self) -> None:
        argv = ["freeradius", "-f", "-l", "stdout", "-d", str(self.folder), "-n", "radiusd"]
        self.process = self._namespace.start(self.name, argv)
        self.process.log.wait("Ready to process requests", 20)

    def start_rude(self) -> None:
        """Instead of FreeRADIUS: says yes to everybody without Message-Authenticator."""
        self.process = self._namespace.start(f"{self.name}-rude", [sys.executable, str(RUDE), self.address, SECRET])
        self.process.log.wait("serving", 10)

    def stop(self) -> None:
        if self.process:
            self.process.stop()
        self.process = None

    def records(self) -> list[dict[str, str]]:
        """What was accounted for so far, one dictionary a record."""
        detail = self.folder / "detail"
        if not detail.exists():
            return []
        out = []
        for block in detail.read_text(encoding="utf-8").split("\n\n"):
            pairs = re.findall(r"^\t([\w-]+) = \"?(.*?)\"?$", block, re.MULTILINE)
            if pairs:
                out.append(dict(pairs))
        return out

    def request(self, kind: str, to: str, attributes: dict[str, str], secret: str = SECRET, patience: int = 2) -> str:
        """A CoA or Disconnect request by radclient; all that it said."""
        text = ", ".join(f"{name} = {value}" for name, value in {**attributes, "Message-Authenticator": "0x00"}.items())
        argv = ["radclient", "-x", "-r", "1", "-t", str(patience), "-d", str(self.folder), f"{to}:3799", kind, secret]
        return run(["sh", "-c", '"$@" 2>&1; :', "sh", *self._namespace.argv(argv)], stdin=text + "\n")

    def demand_running(self) -> None:
        demand(self.process is not None and self.process.alive(), f"{self.name} is not running")
