#!/usr/bin/env python3
"""Writes the manual pages, sluicectl's completions and the journal's catalogue, from what the programs say of themselves, from the commented configuration
files and from docs/messages.md.

Usage: pages.py FOLDER-OF-PROGRAMS OUTPUT-FOLDER VERSION
"""

import gzip
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from catalog import PAGE, catalog

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = PROJECT / "docs" / "examples"

EXIT_OF_DAEMON = "0: done, or the configuration is good. 1: it is not, or the daemon cannot run; the cause is on stderr. 2: wrong command line."
SECTIONS = {
    "sluice-edge": [
        ("DESCRIPTION", "Ends IKE and IPsec of L2TP clients and relays each tunnel to one of many sluice-agent(8), chosen by load. It runs strongSwan's charon as its own, "
         "with its own settings. Every key of its configuration is explained in sluice-edge.toml(5)."),
        ("SIGNALS", "SIGHUP: reads the configuration and certificates again; nobody is dropped, and a file with a fault changes nothing. SIGTERM: leaves; charon and the "
         "clients stay for the next edge, for ike.restart_grace seconds. SIGINT: ends for good; clients are told."),
        ("FILES", "/etc/sluice/edge.toml, /run/sluice/edge.sock (sluicectl)"),
        ("ENVIRONMENT", "NOTIFY_SOCKET, WATCHDOG_USEC: set by systemd, which hears of readiness, state and life."),
        ("EXIT STATUS", EXIT_OF_DAEMON),
        ("SEE ALSO", "sluice-edge.toml(5), sluicectl(1), sluice-agent(8)"),
    ],
    "sluice-agent": [
        ("DESCRIPTION", "The PPP server behind one or more sluice-edge(8): ends L2TP and PPP, proves users by a file or RADIUS, gives out addresses, and passes their packets "
         "through a TUN device; or hands tunnels to an L2TP server that is there already. Every key of its configuration is explained in sluice-agent.toml(5)."),
        ("SIGNALS", "SIGHUP: reads configuration, users and certificates again; sessions go on, and a file with a fault changes nothing. SIGTERM, SIGINT: tells clients and edges, and ends."),
        ("FILES", "/etc/sluice/agent.toml, /etc/sluice/users.toml"),
        ("ENVIRONMENT", "NOTIFY_SOCKET, WATCHDOG_USEC: set by systemd, which hears of readiness, state and life."),
        ("EXIT STATUS", EXIT_OF_DAEMON),
        ("SEE ALSO", "sluice-agent.toml(5), sluice-edge(8)"),
    ],
    "sluicectl": [
        ("FILES", "/run/sluice/edge.sock (who is in group sluice may use it), /etc/sluice/pki"),
        ("ENVIRONMENT", "SLUICE_SOCKET: as --socket."),
        ("SEE ALSO", "sluice-edge(8), sluice-edge.toml(5)"),
    ],
}
CONFIGURATIONS = {
    "sluice-edge.toml": ("edge.toml", "sluice-edge", "A TOML file, by default /etc/sluice/edge.toml, checked by sluice-edge --check."),
    "sluice-agent.toml": ("agent.toml", "sluice-agent", "A TOML file, by default /etc/sluice/agent.toml, checked by sluice-agent --check FILE."),
    "sluice-users.toml": ("users.toml", "sluice-agent", "A TOML file, by default /etc/sluice/users.toml, mode 0600; sluice-agent reads it again on SIGHUP."),
}


@dataclass
class Command:
    """One command of a program as its --help tells it."""

    words: list[str]
    about: str
    text: str
    options: list[tuple[str, str, bool]] = field(default_factory=list)  # "--name", meaning, whether a value follows (a type in capitals: TEXT, UINT)
    positionals: bool = False  # whether words that are no options may follow
    choices: list[str] = field(default_factory=list)  # what a positional may be
    subcommands: list["Command"] = field(default_factory=list)


def parts_of(text: str) -> dict[str, list[tuple[str, str]]]:
    """CLI11's "Title:" blocks: rows of name and meaning; a long name has its meaning on the next line."""
    parts: dict[str, list[tuple[str, str]]] = {}
    rows: list[tuple[str, str]] = []
    for line in text.splitlines():
        if title := re.fullmatch(r"(\w+):", line):
            rows = parts.setdefault(title[1], [])
        elif row := re.match(r"  (\S.*)", line):
            name, _, meaning = re.sub(r"\s{2,}", "\0", row[1], count=1).partition("\0")
            rows.append((name, meaning))
        elif line.startswith("   ") and rows:
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {line.strip()}".strip())
    return parts


def read_command(program: Path, words: list[str]) -> Command:
    done = subprocess.run([program, *words, "--help"], stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    parts = parts_of(done.stdout)
    out = Command(words, done.stdout.splitlines()[0], done.stdout)
    for names, meaning in parts.get("Options", []):
        # "--json{document}": what it means without "=".
        flag, _, rest = re.sub(r"\{[^}]*\}", "", names).partition(" ")
        out.options += [(name, meaning, bool(re.match(r"[A-Z]+(?![a-z])", rest))) for name in flag.split(",")]
    out.positionals = bool(parts.get("Positionals"))
    for names, _ in parts.get("Positionals", []):
        if found := re.search(r"\{([^}]*)\}", names):
            out.choices += found[1].split(",")
    out.subcommands = [read_command(program, [*words, name.split(",")[0].split()[0]]) for name, _ in parts.get("Subcommands", [])]
    return out


def all_of(command: Command) -> list[Command]:
    return [command, *(deeper for below in command.subcommands for deeper in all_of(below))]


def roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in escaped.splitlines())


def page(name: str, section: int, version: str, about: str, body: str) -> str:
    return f'.TH {name.upper()} {section} "" "Sluice {version}" Sluice\n.SH NAME\n{roff(name)} \\- {roff(about)}\n{body}'


def block(title: str, text: str) -> str:
    return f".SH {title}\n{roff(text)}\n"


def verbatim(text: str) -> str:
    return f".nf\n{roff(text)}\n.fi\n"


def program_page(command: Command, name: str, section: int, version: str) -> str:
    about = command.about.removeprefix("Sluice edge: ").removeprefix("Sluice agent: ").rstrip(".")
    body = f".SH SYNOPSIS\n.B {roff(name)}\n[OPTIONS]{' SUBCOMMAND' if command.subcommands else ''}\n"
    body += ".SH OPTIONS\n" + verbatim(command.text.split("\n", 2)[2])
    for below in all_of(command)[1:]:
        body += f".SS {roff(' '.join([name, *below.words]))}\n" + verbatim(below.text)
    return page(name, section, version, about[:1].lower() + about[1:], body + "".join(block(*row) for row in SECTIONS[name]))


def configuration_page(name: str, version: str) -> str:
    file, daemon, about = CONFIGURATIONS[name]
    body = block("DESCRIPTION", f"{about} Unknown keys are errors. Each key, its default and its meaning:")
    body += verbatim((EXAMPLES / file).read_text(encoding="utf-8"))
    return page(name, 5, version, f"configuration of {daemon}", body + block("SEE ALSO", f"{daemon}(8)"))


def bash_completion(root: Command) -> str:
    rows = []
    for command in all_of(root):
        offered = [below.words[-1] for below in command.subcommands] + command.choices
        options = [name for name, _, _ in command.options if name.startswith("--")]
        inherited = [name for name, _, _ in root.options if name.startswith("--") and name not in ("--version",)]
        rows.append(f"    '{' '.join(command.words)}') words='{' '.join(sorted({*offered, *options, *inherited}))}' ;;")
    taking = sorted({name for command in all_of(root) for name, _, value in command.options if value})
    known = "|".join(" ".join(command.words) for command in all_of(root)[1:])
    files = "|".join(name for name in taking if name in ("--socket", "-s", "--dir"))
    return f"""# Completion of sluicectl for bash: what the program knows, at the place where it knows it.
_sluicectl() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} path='' words='' i word
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${{COMP_WORDS[i]}}
    case $word in
      {"|".join(taking)}) ((i++)); continue ;;
      -*) continue ;;
    esac
    case "${{path:+$path }}$word" in
      {known.replace(" ", chr(92) + " ")}) path=${{path:+$path }}$word ;;
    esac
  done
  case ${{COMP_WORDS[COMP_CWORD - 1]}} in
    {files}) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    {"|".join(name for name in taking if name not in files.split("|"))}) return ;;
  esac
  case $path in
{chr(10).join(rows)}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}}
complete -F _sluicectl sluicectl
"""


def zsh_quoted(text: str) -> str:
    return text.replace("'", "'\\''").replace(":", "\\:").replace("[", "(").replace("]", ")")


def zsh_evaluated(text: str) -> str:
    """For the ((...)) of _arguments, which is evaluated once more."""
    return re.sub(r"(\W)", r"\\\1", text).replace("'", "'\\''")


def zsh_completion(root: Command) -> str:
    cases = []
    for command in all_of(root):
        own = command.options if command is root else command.options + [row for row in root.options if row[0] not in ("-h", "--help", "--version")]
        options = [f"      '{name}[{zsh_quoted(meaning)}]{':value:_files' if value and name in ('--socket', '-s', '--dir') else ':value: ' if value else ''}'" for name, meaning, value in own]
        offered = [f"{below.words[-1]}\\:{zsh_evaluated(below.about)}" for below in command.subcommands] + command.choices
        rest = [f"      '1:{'command' if command.subcommands else 'choice'}:(({' '.join(offered)}))'"] if offered else []
        more = ["      '*::rest:->rest'"] if command.subcommands else []
        cases.append(f"    '{' '.join(command.words)}') arguments=(\n" + "\n".join(options + rest + more) + "\n    ) ;;")
    branching = "|".join(f"'{' '.join(command.words)}'" for command in all_of(root) if command.subcommands)
    return f"""#compdef sluicectl
# Completion of sluicectl for zsh: what the program knows, at the place where it knows it.
_sluicectl_at() {{
  local path_here=$1 context state state_descr line
  typeset -A opt_args
  local -a arguments
  case $path_here in
{chr(10).join(cases)}
  esac
  _arguments -C $arguments && [[ $state != rest ]] && return
  case $path_here in
    {branching}) [[ -n $line[1] ]] && _sluicectl_at "${{path_here:+$path_here }}$line[1]" ;;
  esac
}}
_sluicectl_at ''
"""


def compressed(file: Path, text: str) -> None:
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


def main() -> None:
    programs, out, version = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    out.mkdir(parents=True, exist_ok=True)
    for name, section in (("sluice-edge", 8), ("sluice-agent", 8), ("sluicectl", 1)):
        command = read_command(programs / name, [])
        compressed(out / f"{name}.{section}.gz", program_page(command, name, section, version))
    for name in CONFIGURATIONS:
        compressed(out / f"{name}.5.gz", configuration_page(name, version))
    control = read_command(programs / "sluicectl", [])
    (out / "sluicectl.bash").write_text(bash_completion(control), encoding="utf-8")
    (out / "sluice.catalog").write_text(catalog(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    (out / "_sluicectl").write_text(zsh_completion(control), encoding="utf-8")


if __name__ == "__main__":
    main()
