"""Every way in which real IKE software reaches the edge: versions, keys, certificates, passwords; with NAT and without."""

import time
from dataclasses import dataclass
from pathlib import Path

from . import network, radius, report
from .client import PSK, Client, NotConnected
from .ike_reload import hang_up
from .lab import Lab, together
from .libreswan import Libreswan
from .network import plug
from .pki import Authority
from .report import Failed, demand

RSA_SERVER, ECDSA_SERVER, OWN_SERVER = network.edge_extra(1), network.edge_extra(2), network.edge_extra(3)
LACS = {network.EDGE_PUBLIC: "sluice", RSA_SERVER: "rsa", ECDSA_SERVER: "ecdsa", OWN_SERVER: "own"}
OWN_PSK = "key-of-one-listener-and-no-other"
EAP_PASSWORD = "password-of-alice-for-ike"
SETTINGS = f"""
[[listener]]
name = "rsa"
addresses = ["{RSA_SERVER}"]
auth = ["certificate", "xauth-psk", "eap-mschapv2"]
certificate = "rsa/server.crt"
key = "rsa/server.key"
client_ca = ["rsa/ca.crt"]
crl = ["rsa/ca.crl"]

[[listener]]
name = "ecdsa"
addresses = ["{ECDSA_SERVER}"]
auth = ["certificate", "eap-radius"]
certificate = "ecdsa/server.crt"
key = "ecdsa/server.key"
client_ca = ["ecdsa/ca.crt"]

[[listener]]
name = "own"
addresses = ["{OWN_SERVER}"]

[[psk]]
listener = "own"
file = "own.psk"

[[radius]]
address = "{radius.address(1)}:1812"
secret_file = "radius.secret"
"""


def write_files(folder: Path) -> None:
    """What the edge's configuration names, and the clients' certificates."""
    rsa, ecdsa = Authority.make(folder / "rsa", "rsa", "RSA"), Authority.make(folder / "ecdsa", "ecdsa", "ECDSA")
    stranger = Authority.make(folder / "stranger", "ecdsa", "RSA")
    rsa.issue("server", f"IP:{RSA_SERVER}")
    ecdsa.issue("server", f"IP:{ECDSA_SERVER}")
    for authority in (rsa, ecdsa, stranger):
        authority.issue("client", "DNS:client.example")
    rsa.issue("revoked", "DNS:revoked.example")
    rsa.revoke("revoked")
    users = f'[[user]]\nname = "alice"\npassword = "{EAP_PASSWORD}"\n'
    for name, text in (("ike-users.toml", users), ("radius.secret", radius.SECRET + "\n"), ("own.psk", OWN_PSK + "\n")):
        (folder / name).touch(0o600)
        (folder / name).write_text(text)


@dataclass(frozen=True)
class Kind:
    name: str
    version: int
    server: str
    local: str  # of swanctl.conf: the section(s) with which the client proves who it is
    remote: str = "auth = pubkey"
    proposal: str = "aes256-sha256-modp2048"
    esp: str = "aes256-sha1"
    cipher: str = "AES_CBC_256/HMAC_SHA1_96"  # what the edge shows
    psk: str = PSK


def certificate(folder: str, name: str = "client") -> str:
    return f"local {{\n      auth = pubkey\n      certs = {folder}-{name}.crt\n    }}"


def eap(user: str) -> str:
    return f"local {{\n      auth = eap-mschapv2\n      eap_id = {user}\n      id = {user}@example\n    }}"


WITH_PSK = "local {\n      auth = psk\n    }"
XAUTH = WITH_PSK + "\n    local-xauth {\n      auth = xauth\n      xauth_id = alice\n    }"

KINDS = (
    Kind("strongSwan IKEv1, RSA certificates", 1, RSA_SERVER, certificate("rsa")),
    Kind("strongSwan IKEv2, PSK", 2, network.EDGE_PUBLIC, WITH_PSK, "auth = psk", "aes256gcm16-prfsha384-x25519", "aes128gcm16", "AES_GCM_16_128"),
    Kind("strongSwan IKEv2, ECDSA certificates", 2, ECDSA_SERVER, certificate("ecdsa"), proposal="aes128-sha256-ecp256", esp="aes256gcm16", cipher="AES_GCM_16_256"),
    Kind("strongSwan IKEv2, EAP-MSCHAPv2", 2, RSA_SERVER, eap("alice"), esp="aes128-sha256", cipher="AES_CBC_128/HMAC_SHA2_256_128"),
    Kind("strongSwan IKEv2, EAP by RADIUS", 2, ECDSA_SERVER, eap("eapms"), esp="aes128-sha1", cipher="AES_CBC_128/HMAC_SHA1_96"),
    Kind("strongSwan IKEv1, PSK and XAuth", 1, RSA_SERVER, XAUTH, "auth = psk", "aes256-sha1-ecp384"),
    Kind("strongSwan IKEv1, PSK of one listener", 1, OWN_SERVER, WITH_PSK, "auth = psk", psk=OWN_PSK),
)
REFUSED = (
    Kind("a revoked certificate", 1, RSA_SERVER, certificate("rsa", "revoked")),
    Kind("a certificate of another CA", 2, ECDSA_SERVER, certificate("stranger"), proposal="aes128-sha256-ecp256"),
    Kind("the key for all at a listener with its own", 2, OWN_SERVER, WITH_PSK, "auth = psk"),
    Kind("a listener's own key elsewhere", 2, network.EDGE_PUBLIC, WITH_PSK, "auth = psk", psk=OWN_PSK),
)


def swanctl_conf(kind: Kind) -> str:
    return f"""
connections {{
  sluice {{
    version = {kind.version}
    remote_addrs = {kind.server}
    proposals = {kind.proposal}
    {kind.local}
    remote {{
      {kind.remote}
      id = {"%any" if "pubkey" in kind.remote else kind.server}
    }}
    children {{
      l2tp {{
        mode = transport
        esp_proposals = {kind.esp}
        local_ts = dynamic[udp/1701]
        remote_ts = dynamic[udp/1701]
      }}
    }}
  }}
}}
secrets {{
  ike-sluice {{
    secret = "{kind.psk}"
  }}
  eap-alice {{
    id = alice
    secret = "{EAP_PASSWORD}"
  }}
  eap-radius {{
    id = eapms
    secret = "password-of-eapms"
  }}
}}
"""


def give_certificates(lab: Lab, client: Client) -> None:
    edge = lab.run.path("edge", "x").parent
    for folder, names in (("rsa", ("client", "revoked")), ("ecdsa", ("client",)), ("stranger", ("client",))):
        for name in names:
            client.guest.write(f"/etc/swanctl/x509/{folder}-{name}.crt", (edge / folder / f"{name}.crt").read_text())
            client.guest.write(f"/etc/swanctl/private/{folder}-{name}.key", (edge / folder / f"{name}.key").read_text(), 0o600)
        if folder != "stranger":
            client.guest.write(f"/etc/swanctl/x509ca/{folder}.crt", (edge / folder / "ca.crt").read_text())


def configure(client: Client, kind: Kind) -> None:
    client.guest.write("/etc/swanctl/swanctl.conf", swanctl_conf(kind), 0o600)
    client.guest.run("swanctl", "--load-all", "--noprompt")
    client.call_instead(LACS[kind.server], kind.server)


def use(lab: Lab, client: Client, kind: Kind, started: float) -> str:
    """L2TP, PPP and pings over SAs that are there; the time from the first IKE packet to PPP."""
    link = client.call(started)
    client.ping(network.INSIDE_HOST, 3, 0.1).demand_all(client.name)
    row = next((row for row in lab.edge.ctl("sessions").splitlines() if link.address in row), "")
    demand(kind.cipher in row, f"{kind.name}, {client.name}: {kind.cipher} is not in its row of `sluicectl sessions`: {row}")
    return f"{link.seconds:.1f} s"


def dial(lab: Lab, client: Client, kind: Kind) -> str:
    configure(client, kind)
    started = time.monotonic()
    client.negotiate()
    encapsulated = lab.plan.has_nat(client.number)
    demand(client.esp_is_encapsulated() == encapsulated, f"{kind.name}, {client.name}: ESP in UDP should be {encapsulated}:\n{client.sas()}")
    spent = use(lab, client, kind, started)
    client.hang_up()
    return spent


def refuse(lab: Lab, client: Client, kind: Kind) -> str:
    """The client must not get in, and the operator must read why."""
    configure(client, kind)
    mark = lab.edge.log.mark()
    try:
        client.negotiate(10)
    except NotConnected as error:
        told = lab.edge.log.wait(r"IKE failed .*cause=(\S+)", 20, mark)
        client.forget()
        return f"the client heard {error.cause}, the edge's log has {told[1]}"
    raise Failed(f"{client.name} got in with {kind.name}")


def revoke_later(lab: Lab, client: Client) -> str:
    """A certificate that was good is taken back: the new CRL counts from the reload on."""
    Authority(lab.run.folder / "edge" / "rsa", "rsa").revoke("client")
    hang_up(lab, "charon has the IKE configuration")
    return refuse(lab, client, KINDS[0])


def with_libreswan(lab: Lab, client: Client) -> str:
    client.call_instead("sluice", network.EDGE_PUBLIC)
    client.guest.kill("charon")
    client.charon.wait(r"SIGTERM|exiting|received", 20)
    swan = Libreswan(client.guest, network.EDGE_PUBLIC, PSK)
    swan.start()
    started = time.monotonic()
    swan.negotiate()
    spent = use(lab, client, Kind("Libreswan 4.10 IKEv1, PSK", 1, network.EDGE_PUBLIC, ""), started)
    swan.terminate()
    return spent


def check(lab: Lab) -> str:
    """All kinds of client one after the other, behind NAT and without at once, each to a working ping; and some that must not get in."""
    place = lab.space("radius1")
    plug(lab.run, place, "core", f"{radius.address(1)}/24", lab.spaces["core"])
    server = radius.RadiusHost(lab.run, place, 1)
    server.start()
    assert server.process is not None
    lab.processes.append(server.process)
    for client in lab.clients:
        give_certificates(lab, client)
    for kind in KINDS:
        spent = together(lambda client: dial(lab, client, kind), lab.clients)
        report.good(f"{kind.name}: up and pinging, {spent[0]} behind NAT, {spent[1]} without")
    for kind in REFUSED:
        report.good(f"{kind.name}: refused; {refuse(lab, lab.clients[0], kind)}")
    report.good(f"a certificate revoked meanwhile: refused after SIGHUP; {revoke_later(lab, lab.clients[0])}")
    spent = together(lambda client: with_libreswan(lab, client), lab.clients)
    report.good(f"Libreswan 4.10 IKEv1, PSK: up and pinging, {spent[0]} behind NAT, {spent[1]} without")
    for client in lab.clients:
        client.link = None
    return f"{len(KINDS) + 1} kinds of client with NAT and without, {len(REFUSED) + 1} refused as they must be"
