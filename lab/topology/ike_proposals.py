"""What each kind of client proposes in its first message, and what an edge of each profile must choose."""

from pathlib import Path

from . import network, report
from .lab import Lab, plug, together
from .report import demand

INITIATOR = Path(__file__).with_name("ike_initiator.py")
PROFILES = ("modern", "windows", "apple", "chromeos", "android-legacy")
NO_PROPOSAL_CHOSEN = "refused 14"

# As their logs and captures have them, in their order.
CLIENTS = {
    "Windows 11": "AES256-SHA1-ECP384 AES128-SHA1-ECP256 AES256-SHA1-MODP2048 3DES-SHA1-MODP2048 3DES-SHA1-MODP1024",
    "macOS, iOS": "AES256-SHA256-MODP2048 AES256-SHA1-MODP2048 AES256-MD5-MODP2048 AES256-SHA512-MODP2048 AES256-SHA256-MODP1536 AES256-SHA1-MODP1536 "
    "AES256-MD5-MODP1536 AES256-SHA256-MODP1024 AES256-SHA1-MODP1024 AES256-MD5-MODP1024 AES128-SHA1-MODP1024 AES128-MD5-MODP1024 3DES-SHA1-MODP1024 "
    "3DES-MD5-MODP1024",
    "Android 7": "AES256-SHA384-MODP1024 AES256-SHA256-MODP1024 AES256-SHA512-MODP1024 AES256-SHA1-MODP1024 AES256-MD5-MODP1024 AES128-SHA1-MODP1024 "
    "AES128-MD5-MODP1024 3DES-SHA1-MODP1024 3DES-MD5-MODP1024",
    "Android 4": "AES256-SHA1-MODP1024 AES256-MD5-MODP1024 AES128-SHA1-MODP1024 AES128-MD5-MODP1024 3DES-SHA1-MODP1024 3DES-MD5-MODP1024",
    "ChromeOS": "AES128-SHA256-MODP3072 AES128-SHA1-MODP2048 3DES-SHA1-MODP1536 3DES-SHA1-MODP1024",
}
# The choice of each profile; no entry: refused. "main" has the profiles of an edge that names none.
INTENDED = {
    "Windows 11": {
        "windows": "AES256-SHA1-ECP384", "apple": "AES256-SHA1-MODP2048", "android-legacy": "3DES-SHA1-MODP1024", "main": "AES256-SHA1-ECP384",
    },
    "macOS, iOS": {
        "modern": "AES256-SHA256-MODP2048", "windows": "AES256-SHA1-MODP2048", "apple": "AES256-SHA256-MODP2048",
        "android-legacy": "AES256-SHA256-MODP1024", "main": "AES256-SHA256-MODP2048",
    },
    "Android 7": {"android-legacy": "AES256-SHA384-MODP1024"},
    "Android 4": {"android-legacy": "AES256-SHA1-MODP1024"},
    "ChromeOS": {
        "modern": "AES128-SHA256-MODP3072", "chromeos": "AES128-SHA256-MODP3072", "android-legacy": "3DES-SHA1-MODP1024",
        "main": "AES128-SHA256-MODP3072",
    },
}

ADDRESSES = {"main": network.EDGE_PUBLIC, **{profile: network.edge_extra(i + 1) for i, profile in enumerate(PROFILES)}}


def settings() -> str:
    """A listener for each profile."""
    return "".join(
        f'\n[[listener]]\nname = "{profile}"\naddresses = ["{ADDRESSES[profile]}"]\nprofiles = ["{profile}"]\n' for profile in PROFILES
    )


def check(lab: Lab) -> str:
    """Every kind of client's first message to every profile: the intended choice, or a refusal."""
    outside = lab.space("outsider")
    plug(lab.run, outside, "wan", f"{network.OUTSIDER}/24", lab.spaces["internet"])
    lab.edge.log.wait("IKE ready", 20)

    def ask(server: str, mode: str, names: str) -> str:
        return outside.run(["python3", str(INITIATOR), server, mode, *names.split()]).strip()

    wrong, rows, asked = [], [f"{'':12}" + "".join(f"{name:>24}" for name in ADDRESSES)], 0
    for client, names in CLIENTS.items():
        answers = dict(zip(ADDRESSES, together(lambda server: ask(server, "main", names), ADDRESSES.values())))
        asked += len(answers)
        rows.append(f"{client:12}" + "".join(f"{answer.removeprefix('chosen ').replace(NO_PROPOSAL_CHOSEN, '-'):>24}" for answer in answers.values()))
        for name, answer in answers.items():
            intended = INTENDED[client].get(name)
            if answer != (f"chosen {intended}" if intended else NO_PROPOSAL_CHOSEN):
                wrong.append(f"{client} to {name}: {answer}, not {intended or 'a refusal'}")
    report.block("phase 1: what is chosen of each client's list; -: NO_PROPOSAL_CHOSEN", "\n".join(rows))
    demand(not wrong, "; ".join(wrong))
    aggressive = ask(network.EDGE_PUBLIC, "aggressive", "AES256-SHA256-MODP2048")
    demand(not aggressive.startswith("chosen"), f"Aggressive Mode with a pre-shared key is answered: {aggressive}")
    report.good(f"Aggressive Mode with a pre-shared key: {aggressive}")
    return f"{asked} lists of {len(CLIENTS)} kinds of client answered as intended, Aggressive Mode not"
