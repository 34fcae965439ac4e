"""Before the lab: what is missing is installed, and the product is built."""

import os
import subprocess
import time

from . import report
from .product import BUILD, PROJECT, TARGETS


def _carry_out(what: str, argv: list[str], quiet: bool = False) -> None:
    """Its output is the user's progress display; a quiet one speaks only when it fails."""
    output = subprocess.PIPE if quiet else None
    done = subprocess.run(argv, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=output, text=True, check=False)
    if done.returncode != 0:
        print(done.stdout or "", end="", flush=True)
        report.bad(f"{what} failed; the cause is above")
        raise SystemExit(1)


def ready(product: bool = True) -> None:
    """Installs and builds; quick when both are done. SLUICE_LAB_READY=1 says that they are (tests/run sets it)."""
    if os.environ.get("SLUICE_LAB_READY") == "1":
        return
    _carry_out("installing", [str(PROJECT / "lab" / "install"), *(["build", "lab"] if product else ["lab"])])
    if not product:
        return
    started = time.monotonic()
    report.step(f"building in {BUILD}")
    _carry_out("configuring", ["cmake", "--preset", "release", "--log-level=WARNING"], quiet=True)
    _carry_out("building", ["cmake", "--build", "--preset", "release", "--target", *TARGETS])
    report.good(f"installed and built ({time.monotonic() - started:.0f} s)")
