"""What the pages say is so: commands exist with those options, links lead somewhere, the program in README runs."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("newsfragments/README.md")])
#: Programs of the system and of others that the pages may use; ours are looked at more closely.
KNOWN = {
    "apt", "cat", "cd", "chmod", "chown", "cp", "export", "git", "install", "ip", "journalctl", "less", "ls", "mkdir",
    "mv", "nft", "openssl", "pip", "pipx", "printf", "rm", "rsync", "scp", "ssh", "sudo", "sysctl", "systemctl", "tar",
    "tee", "towncrier", "twine", "umask", "useradd", "watch", "xdg-open",
}  # fmt: skip
FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def blocks(page: Path, kind: str) -> Iterator[str]:
    """The fenced blocks of one kind on a page, without their common indentation."""
    for found in FENCE.finditer(page.read_text(encoding="utf-8")):
        if found["kind"] == kind:
            indent = len(found["indent"])
            yield "\n".join(line[indent:] for line in found["body"].splitlines())


def commands(page: Path) -> Iterator[list[str]]:
    """Each command behind a ``$`` prompt as its words, without the file it writes; pipes and && make several."""
    for block in blocks(page, "console"):
        for line in block.replace("\\\n", " ").splitlines():
            if not line.startswith(("$ ", "# ")):
                continue
            words: list[str] = []
            for word in [*shlex.split(line[2:].replace("(", " ").replace(")", " "), comments=True), "&&"]:
                if word in ("&&", "||", "|", ";", "&"):
                    if words:
                        yield words[: words.index(">")] if ">" in words else words
                    words = []
                elif words or not re.match(r"[A-Z_]+=", word):
                    words.append(word)


def slug(heading: str) -> str:
    """The anchor that a Markdown renderer gives a heading."""
    plain = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@functools.cache
def anchors(page: Path) -> frozenset[str]:
    """Every anchor of a page."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return frozenset(slug(found[1]) for found in re.finditer(r"^#+ (.+)$", text, re.MULTILINE))


def click_root() -> click.Command:
    """The command ``rho``."""
    from rhotwist.cli import main as module

    found = [value for value in vars(module).values() if isinstance(value, click.Group)]
    if isinstance(module.main, click.Command):
        found.insert(0, module.main)
    return found[0]


def check_click(command: click.Command, arguments: list[str], context: click.Context | None = None) -> None:
    """Walk a command tree as click would, without running anything. Raises click.UsageError."""
    inner = click.Context(command, info_name=command.name, parent=context)
    options, rest, _ = command.make_parser(inner).parse_args(list(arguments))
    if isinstance(command, click.Group):
        if not rest:
            if options or not command.no_args_is_help:
                return
            raise click.UsageError(f"{command.name} wants a subcommand")
        name, sub, below = command.resolve_command(inner, rest)
        if sub is None:
            raise click.UsageError(f"{command.name} has no command {name}")
        check_click(sub, below, inner)
        return
    if rest:
        raise click.UsageError(f"{command.name} does not take {rest}")
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.required and not options.get(parameter.name or ""):
            raise click.UsageError(f"{command.name} wants {parameter.name}")


def check_twistd(arguments: list[str]) -> None:
    """Look at what stands behind ``rhocoin``. Raises usage.UsageError."""
    if "rhocoin" not in arguments:
        return
    from rhotwist.service.tap import Options

    ours = arguments[arguments.index("rhocoin") + 1 :]
    options: Any = Options()
    if "--help" not in ours:
        try:
            options.parseOptions(ours)
        except SystemExit as stopped:
            raise usage.UsageError(str(stopped)) from None


def check(words: list[str]) -> str | None:
    """What is wrong with a command, None if it is known."""
    program, arguments = Path(words[0]).name, words[1:]
    if program == "sudo":
        while arguments and (arguments[0].startswith("-") or words[words.index(arguments[0]) - 1] == "-u"):
            arguments = arguments[1:]
        return check(arguments)
    if program.startswith("python"):
        if "-m" in arguments:
            module = arguments[arguments.index("-m") + 1]
            return None if importlib.util.find_spec(module) else f"no module {module}"
        if arguments[:1] == ["-c"]:
            return None
        return None if (ROOT / arguments[0]).exists() else f"no program {arguments[0]}"
    if program == "rho":
        try:
            check_click(click_root(), arguments)
        except click.UsageError as error:
            return error.format_message()
        return None
    if program == "twistd":
        try:
            check_twistd(arguments)
        except usage.UsageError as error:
            return str(error)
        return None
    if words[0] == ".ci/run":
        return None
    return None if program in KNOWN else f"{program} is not a program we know"


class CommandTests(SynchronousTestCase):
    """Nothing is printed that would fail when it is typed."""

    def test_every_command_on_every_page_is_known_with_its_options(self) -> None:
        wrong = []
        count = 0
        for page in PAGES:
            for words in commands(page):
                count += 1
                problem = check(words)
                if problem:
                    wrong.append(f"{page.relative_to(ROOT)}: {shlex.join(words)}: {problem}")
        self.assertEqual([], wrong, "\n" + "\n".join(wrong))
        self.assertGreater(count, 20)

    def test_readme_has_the_two_lines(self) -> None:
        lines = [line for block in blocks(ROOT / "README.md", "console") for line in block.splitlines()]
        self.assertTrue(lines[0].endswith("twistd -n rhocoin"), lines[0])
        self.assertTrue(lines[1].endswith("-m pytest"), lines[1])

    def test_ci_ends_with_the_second_line_of_readme(self) -> None:
        script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
        self.assertEqual('bash -c "$second"', script[-1])
        self.assertIn("README.md", script[-3])

    def test_an_unknown_command_and_an_unknown_option_would_be_seen(self) -> None:
        for words in (["rho", "pnig"], ["rho", "status", "--jsno"], ["twistd", "rhocoin", "--lisetn", "1"],
                      ["frobnicate"], ["python", "-m", "no_such_module"]):  # fmt: skip
            self.assertIsNotNone(check(words), words)


class LinkTests(SynchronousTestCase):
    """Links lead to a page that is there and to a heading that is on it."""

    def test_every_link_resolves(self) -> None:
        wrong = []
        for page in PAGES:
            for found in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
                target, _, anchor = found["target"].partition("#")
                if re.match(r"(https?|mailto):", found["target"]):
                    continue
                there = (page.parent / target).resolve() if target else page
                if not there.exists():
                    wrong.append(f"{page.relative_to(ROOT)}: {found['target']}")
                elif anchor and there.suffix == ".md" and anchor not in anchors(there):
                    wrong.append(f"{page.relative_to(ROOT)}: {found['target']} has no such heading")
        self.assertEqual([], wrong, "\n" + "\n".join(wrong))

    def test_every_page_is_reached_from_the_index(self) -> None:
        index = ROOT / "docs" / "index.md"
        linked = {
            (index.parent / found["target"].partition("#")[0]).resolve()
            for found in LINK.finditer(index.read_text(encoding="utf-8"))
        }
        lost = {page.relative_to(ROOT).as_posix() for page in PAGES if page.is_relative_to(index.parent)} - {
            page.relative_to(ROOT).as_posix() for page in linked if page.is_relative_to(ROOT)
        }
        self.assertEqual({"docs/index.md"}, lost)

    def test_every_test_that_a_page_names_exists(self) -> None:
        wrong = []
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            for path in re.findall(r"`(tests/[\w/]+\.py)`", text):
                if not (ROOT / path).exists():
                    wrong.append(f"{page.relative_to(ROOT)}: {path}")
            for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
                there = ROOT / path
                if not there.exists() or f"def {name}(" not in there.read_text(encoding="utf-8"):
                    wrong.append(f"{page.relative_to(ROOT)}: {path}::{name}")
        self.assertEqual([], wrong, "\n" + "\n".join(wrong))


class ProgramTests(SynchronousTestCase):
    """The code on the pages is code."""

    def test_every_python_block_compiles(self) -> None:
        for page in PAGES:
            for block in blocks(page, "python"):
                compile(block, str(page), "exec", flags=0x2000)  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def test_the_program_in_readme_runs(self) -> None:
        [program] = blocks(ROOT / "README.md", "python")
        done = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", program],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.assertEqual("HELLO\n", done.stdout)
        self.assertEqual(0, done.returncode)


class ConfigurationTests(SynchronousTestCase):
    """etc/config.toml.example lists every key there is, with its default."""

    def example(self) -> dict[str, Any]:
        """The example with every key set, as TOML reads it."""
        text = (ROOT / "etc" / "config.toml.example").read_text(encoding="utf-8")
        return tomllib.loads(re.sub(r"^#(?=\w+ = )", "", text, flags=re.MULTILINE))

    def test_the_example_as_it_stands_sets_nothing(self) -> None:
        text = (ROOT / "etc" / "config.toml.example").read_text(encoding="utf-8")
        self.assertEqual({}, {key: value for section in tomllib.loads(text).values() for key, value in section.items()})

    def test_the_example_has_every_key_and_its_default(self) -> None:
        from rhotwist.service.config import KEYS

        shown = {
            f"{section}.{name}": tuple(value) if isinstance(value, list) else value
            for section, keys in self.example().items()
            for name, value in keys.items()
        }
        self.assertEqual({key.full: key.default for key in KEYS}, shown)
