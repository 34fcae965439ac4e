#!/usr/bin/env python3
"""Fails when the files of docs/clients.md for Linux are not those that the lab's client dials with.

Usage: check_client_files.py ROOT
"""
import re
import sys
from pathlib import Path


def main() -> int:
    root = Path(sys.argv[1])
    sys.path.insert(0, str(root / "lab"))
    from topology import client

    page = (root / "docs" / "clients.md").read_text(encoding="utf-8")
    shown = {name: text for name, text in re.findall(r"^`(/etc/[^`\n]+)`[^\n]*:\n```text\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL)}
    files = client.files_of(client.Dialler(psk="KEY", user="USER", password="PASSWORD"))
    wrong = [path for path, text in shown.items() if path not in files or files[path].strip("\n") != text]
    for path in wrong:
        print(f"docs/clients.md: {path} is not what the lab's client has")
    print(f"{len(shown)} files shown, {len(wrong)} of them wrong")
    return 1 if wrong or len(shown) != 3 else 0


sys.exit(main())
