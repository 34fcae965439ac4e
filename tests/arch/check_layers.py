#!/usr/bin/env python3
"""Fails on an include that points up the layers, or that lets a protocol core see I/O, threads, clocks or a logger.

Usage: check_layers.py ROOT. Prints one line for each forbidden include: file:line: what and why.
"""
import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')

# Longest prefix wins. Each layer: which of the project's folders it may include (its own folder always).
LAYERS: dict[str, list[str]] = {
    "base": [],
    "base/app": ["base"],
    "base/http": ["base", "base/app"],
    "base/metrics": ["base", "base/app", "base/http"],
    "esp": ["base"],
    "l2tp": ["base"],
    "ppp": ["base"],
    "vici": ["base"],
    "vici/shell": ["base", "base/app", "vici"],
    "proto/channel": ["base", "esp", "proto/schema"],
    "proto/pki": ["base", "base/app"],
    "proto/transport": ["base", "base/app", "esp", "proto/channel", "proto/pki", "proto/schema"],
    "edge/ike": ["base", "base/app", "vici", "vici/shell"],
    "edge/config": ["base", "base/app", "base/http", "edge/ike", "edge/placement"],
    "edge/metrics": ["base", "base/metrics"],
    "edge/ctl": ["base", "base/app", "vici", "vici/shell", "proto/pki"],
    "edge/placement": ["base"],
    "edge/journal": ["base"],
    "edge/capture": ["base", "l2tp"],
    "edge/admin": ["base", "base/app", "vici", "vici/shell", "edge/capture", "edge/ike", "edge/journal"],
    "edge/probe": ["base", "base/app", "l2tp", "ppp", "proto/channel", "edge"],
    "edge/app": ["base", "base/app", "base/http", "base/metrics", "esp", "l2tp", "ppp", "vici", "vici/shell", "proto/channel", "proto/transport", "edge",
                 "edge/admin", "edge/capture", "edge/config", "edge/ike", "edge/journal", "edge/metrics", "edge/placement", "edge/probe"],
    "edge": ["base", "base/app", "esp", "l2tp", "vici", "vici/shell", "proto", "proto/channel", "proto/transport",
             "proto/schema", "edge"],
    "backend-agent/radius/core": ["base"],
    "backend-agent": ["base", "base/app", "base/http", "base/metrics", "esp", "l2tp", "ppp", "proto", "proto/channel", "proto/transport",
                      "proto/schema", "backend-agent"],
    "lab/swarm": ["base", "base/app", "esp", "l2tp", "ppp", "vici", "vici/shell", "edge/ike", "proto/transport"],
}
# These do no I/O and know nothing of time, threads or logs.
CORES = ["base", "esp", "l2tp", "ppp", "vici", "proto/channel", "edge/placement", "edge/journal", "edge/capture", "backend-agent/radius/core"]
# Files that are their folder's shell: they do I/O, and count as the layer on the right.
SHELL_FILES = {"vici/client": "vici/shell", "vici/server": "vici/shell"}
FORBIDDEN_IN_CORES = re.compile(
    r"^(boost/|asio|spdlog/|fmt/|sys/socket|sys/epoll|sys/ioctl|sys/un|netinet/|net/|linux/|poll\.h|unistd\.h|fcntl\.h|"
    r"thread$|mutex$|shared_mutex$|condition_variable$|future$|stop_token$|ctime$|time\.h$|sys/time|iostream$|fstream$)")
FORBIDDEN_CALL_IN_CORES = re.compile(r"\b(steady_clock|system_clock|high_resolution_clock)::now\b|\bclock_gettime\b")
DAEMONS = ("edge", "backend-agent")
TOP_FOLDERS = ("base", "esp", "l2tp", "ppp", "vici", "proto", "edge", "backend-agent", "lab/swarm")


def layer_of(path: str) -> str:
    stem = path.rsplit(".", 1)[0]
    if stem in SHELL_FILES:
        return SHELL_FILES[stem]
    parts = path.split("/")[:-1]
    while parts:
        name = "/".join(parts)
        if name in LAYERS or name == "proto/schema":
            return name
        parts.pop()
    return path.split("/")[0]


def check(root: Path) -> list[str]:
    problems: list[str] = []
    for top in TOP_FOLDERS:
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in (".hpp", ".cpp", ".h", ".c"):
                continue
            relative = file.relative_to(root).as_posix()
            if relative.startswith("vici/charon-plugin/"):
                continue
            own = layer_of(relative)
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                where = f"{relative}:{number}"
                if own in CORES and FORBIDDEN_CALL_IN_CORES.search(line):
                    problems.append(f"{where}: {own} reads a clock; time is handed in")
                match = INCLUDE.match(line)
                if not match:
                    continue
                target = match.group(1)
                if own in CORES and FORBIDDEN_IN_CORES.match(target):
                    problems.append(f"{where}: {own} is a protocol core and must not include <{target}>")
                if "/" not in target or not target.startswith(TOP_FOLDERS):
                    continue
                other = layer_of(target)
                # The daemons' own layer may use all its subfolders; a subfolder with a row of its own keeps to that row.
                inside = own in DAEMONS and other.startswith(own + "/")
                if other != own and not inside and other not in LAYERS.get(own, []):
                    problems.append(f"{where}: {own} must not include {other} ({target})")
    return problems


def main() -> int:
    problems = check(Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} forbidden includes")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
