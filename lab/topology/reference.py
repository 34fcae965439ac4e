"""A server of strongSwan, xl2tpd and pppd where the edge would be: proves the lab and its clients without Sluice.

It stands for edge, agent and inside host at once. A kernel server like this cannot tell clients with one private address apart,
so it takes one client.
"""

from . import network
from .client import PSK, STRONGSWAN_CONF, Dialler, start_daemons
from .guest import Guest
from .lab import Lab
from .traffic import PEER, PORT

SWANCTL_CONF = f"""
connections {{
  reference {{
    version = 1
    proposals = aes256-sha256-modp2048
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
        esp_proposals = aes128-sha1,aes256-sha256,aes128gcm16
        local_ts = dynamic[udp/1701]
        remote_ts = dynamic[udp]
      }}
    }}
  }}
}}
secrets {{
  ike-reference {{
    secret = "{PSK}"
  }}
}}
"""
XL2TPD_CONF = """
[global]
port = 1701
[lns default]
ip range = 10.30.1.2-10.30.1.9
local ip = 10.30.1.1
pppoptfile = /etc/ppp/options.server
length bit = yes
"""
PPP_OPTIONS = """
auth
require-mschap-v2
mtu 1400
mru 1400
ms-dns 10.40.0.100
"""


def start_reference(lab: Lab) -> Guest:
    """Boots the server on the internet segment with the edge's address and waits until it serves."""
    internet = lab.spaces["internet"]
    internet.tap("server0", bridge="br0")
    guest = Guest(lab.run, "reference", internet, "server0", f"{network.EDGE_PUBLIC}/24", network.CARRIER_PUBLIC)
    guest.wait_ready()
    guest.write("/run/strongswan.conf", STRONGSWAN_CONF)
    guest.write("/etc/swanctl/swanctl.conf", SWANCTL_CONF, 0o600)
    guest.write("/etc/xl2tpd/xl2tpd.conf", XL2TPD_CONF)
    guest.write("/etc/ppp/options", "")
    guest.write("/etc/ppp/options.server", PPP_OPTIONS)
    user = Dialler()
    guest.write("/etc/ppp/chap-secrets", f'{user.user} * "{user.password}" *\n', 0o600)
    guest.run("ip", "addr", "add", f"{network.INSIDE_HOST}/32", "dev", "lo")
    start_daemons(guest)
    server = guest.start("transfer-server", ["/usr/bin/python3", str(PEER), "serve", network.INSIDE_HOST, str(PORT)])
    server.wait("serving", 20)
    return guest
