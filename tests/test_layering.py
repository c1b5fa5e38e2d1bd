"""Who may know whom: the levels of docs/architecture.md, read off the source."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rhotwist"

#: Level of each folder or top module. A part imports lower levels only, never another part of its own level.
LEVELS = {
    "errors": 0, "limits": 0, "moment": 0,
    "wire": 1, "codes": 1,
    "keys": 2,
    "secret": 3, "event": 3, "tree": 3,
    "link": 4, "directory": 4, "host": 4, "talk": 4,
    "node": 5, "control": 5,
    "net": 6, "store": 6,
    "service": 7,
    "cli": 8, "gui": 8,
}  # fmt: skip
#: testing is for those who build on us: it may use everything that is pure, and nothing pure uses it.
TESTING = "testing"
#: People's programs talk to a running process by control/ and never hold its parts.
NOT_FROM_CLI = {"service", "store", "node", "link", "secret"}
#: The level from which on there is a network, a clock and a disk.
IMPURE = 6
#: What the pure parts must be told instead of asking for it.
WORLD = {
    "asyncio", "datetime", "multiprocessing", "random", "secrets", "selectors", "socket", "ssl", "subprocess",
    "tempfile", "threading", "time", "twisted", "zope", "os.urandom", "os.getpid", "os.environ", "os.open",
}  # fmt: skip
#: Commands among the pure parts, and what of the world they need: a run of hours says how far it is.
ENTRY_POINTS = {"rhotwist/testing/fuzz.py": {"time"}}
#: The simulator draws its chances from a seed, and is run by trial.
FOR_TESTING = ("random", "twisted.trial", "os.environ")
NEVER = {
    "pickle", "marshal", "shelve", "builtins.eval", "builtins.exec", "builtins.compile", "builtins.__import__",
}  # fmt: skip
FILES_AND_TERMINALS = {"builtins.open", "builtins.print", "builtins.input"}
#: Every name by which libsodium or OpenSSL would check an Ed25519 signature for us.
VERIFIERS = re.compile(
    r"nacl\.(bindings(\.crypto_sign)?\.(crypto_sign_open|crypto_sign_ed25519ph_final_verify)|signing\.VerifyKey)$"
)


class Module:
    """One source file: its dotted name, the part it belongs to, its tree, and what each local name stands for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = path.relative_to(ROOT)
        parts = path.relative_to(ROOT).with_suffix("").parts
        self.name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self.part = parts[1]
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text, str(path))
        self.nodes = list(ast.walk(self.tree))
        self.aliases: dict[str, str] = {}
        for _, dotted, alias in self.imports(self.tree):
            self.aliases[alias] = dotted

    @staticmethod
    def imports(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
        """Line, dotted name and local name of every import below a node, wherever it stands."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    yield node.lineno, name.name, name.asname or name.name.partition(".")[0]
            elif isinstance(node, ast.ImportFrom):
                for name in node.names:
                    yield node.lineno, f"{node.module}.{name.name}", name.asname or name.name

    def eager(self) -> Iterator[tuple[int, str]]:
        """Imports that run when the module is imported: not those in functions, not those for type checkers only."""
        waiting: list[ast.AST] = list(self.tree.body)
        while waiting:
            node = waiting.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                waiting.extend(node.orelse)
                continue
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                yield from ((line, dotted) for line, dotted, _ in self.imports(node))
                continue
            waiting.extend(ast.iter_child_nodes(node))

    def dotted(self, node: ast.AST) -> str:
        """What a name or attribute stands for: its full import; itself behind ``builtins.`` if it was not imported."""
        if isinstance(node, ast.Attribute):
            return f"{self.dotted(node.value)}.{node.attr}"
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id, f"builtins.{node.id}")
        return "?"

    @functools.cached_property
    def uses(self) -> list[tuple[int, str]]:
        """Line and dotted name of every import, name and attribute."""
        return [(line, dotted) for line, dotted, _ in self.imports(self.tree)] + [
            (node.lineno, self.dotted(node)) for node in self.nodes if isinstance(node, (ast.Name, ast.Attribute))
        ]


def covered(dotted: str, names: set[str]) -> bool:
    """Whether a dotted name is one of names or lies below one."""
    return any(dotted == name or dotted.startswith(name + ".") for name in names)


def part_of(dotted: str) -> str | None:
    """The part of rhotwist that an imported name belongs to, None for anything else."""
    found = re.match(r"rhotwist\.([a-z_]+)", dotted)
    return found[1] if found and (found[1] in LEVELS or found[1] == TESTING) else None


MODULES = [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]
PURE = [m for m in MODULES if m.part == TESTING or LEVELS.get(m.part, IMPURE) < IMPURE]


class LevelTests(SynchronousTestCase):
    """Imports point downward."""

    def claim_none(self, wrong: list[str]) -> None:
        """Fail with one line for each place that breaks the rule."""
        self.assertEqual([], sorted(wrong), "\n" + "\n".join(sorted(wrong)))

    def test_every_folder_has_a_level(self) -> None:
        parts = {m.part for m in MODULES} - {"__init__", TESTING}
        self.assertEqual(set(), parts - set(LEVELS))
        self.assertGreater(len(MODULES), 5)

    def test_a_part_imports_lower_levels_only_and_no_sibling(self) -> None:
        wrong = []
        for module in MODULES:
            level = LEVELS.get(module.part)
            if level is None:
                continue
            for line, dotted, _ in module.imports(module.tree):
                other = part_of(dotted)
                if other is None or other == module.part:
                    continue
                if other == TESTING or LEVELS[other] >= level:
                    wrong.append(f"{module.where}:{line} ({module.part}) imports {dotted}")
        self.claim_none(wrong)

    def test_testing_uses_only_what_is_pure(self) -> None:
        self.claim_none([
            f"{m.where}:{line} imports {dotted}"
            for m in MODULES if m.part == TESTING
            for line, dotted, _ in m.imports(m.tree)
            if LEVELS.get(part_of(dotted) or "", 0) >= IMPURE
        ])  # fmt: skip

    def test_only_service_touches_the_store(self) -> None:
        self.claim_none([
            f"{m.where}:{line} imports {dotted}"
            for m in MODULES if m.part not in ("store", "service")
            for line, dotted, _ in m.imports(m.tree)
            if part_of(dotted) == "store"
        ])  # fmt: skip

    def test_people_s_programs_talk_to_a_process_and_never_hold_its_parts(self) -> None:
        self.claim_none([
            f"{m.where}:{line} imports {dotted}"
            for m in MODULES if m.part in ("cli", "gui")
            for line, dotted, _ in m.imports(m.tree)
            if part_of(dotted) in NOT_FROM_CLI
        ])  # fmt: skip

    def test_no_two_modules_import_each_other(self) -> None:
        names = {m.name for m in MODULES}
        graph = {
            m.name: {
                target
                for _, dotted in m.eager()
                for target in (dotted, dotted.rpartition(".")[0])
                if target in names and target != m.name
            }
            for m in MODULES
        }
        done: set[str] = set()

        def walk(name: str, trail: tuple[str, ...]) -> None:
            self.assertNotIn(name, trail, f"import cycle: {' -> '.join((*trail, name))}")
            if name not in done:
                for target in sorted(graph[name]):
                    walk(target, (*trail, name))
                done.add(name)

        for name in sorted(graph):
            walk(name, ())

    def test_importing_the_package_imports_nothing_of_it(self) -> None:
        [top] = [m for m in MODULES if m.name == "rhotwist"]
        self.claim_none([
            f"{top.where}:{line} imports {dotted}"
            for line, dotted in top.eager()
            if dotted.partition(".")[0] not in ("__future__", "typing", "importlib")
        ])  # fmt: skip

    def test_imports_are_absolute(self) -> None:
        self.claim_none([
            f"{m.where}:{node.lineno}"
            for m in MODULES for node in m.nodes
            if isinstance(node, ast.ImportFrom) and node.level
        ])  # fmt: skip


class PurityTests(SynchronousTestCase):
    """Time, chance, the net and the disk are arguments below net/ and store/."""

    claim_none = LevelTests.claim_none

    def test_the_pure_parts_ask_nobody_for_time_chance_or_the_net(self) -> None:
        wrong = []
        for module in PURE:
            allowed = ENTRY_POINTS.get(str(module.where), set()) | set(FOR_TESTING if module.part == TESTING else ())
            wrong += [
                f"{module.where}:{line} uses {dotted}"
                for line, dotted in module.uses
                if covered(dotted, WORLD) and not covered(dotted, allowed)
            ]
        self.claim_none(wrong)

    def test_pure_parts_neither_print_nor_open_files(self) -> None:
        self.claim_none([
            f"{m.where}:{node.lineno} calls {m.dotted(node.func)}"
            for m in PURE for node in m.nodes
            if isinstance(node, ast.Call) and m.dotted(node.func) in FILES_AND_TERMINALS
        ])  # fmt: skip

    def test_sqlite_is_the_store_s(self) -> None:
        self.claim_none([
            f"{m.where}:{line}"
            for m in MODULES if m.part != "store"
            for line, dotted in m.uses if covered(dotted, {"sqlite3"})
        ])  # fmt: skip

    def test_the_store_knows_no_twisted(self) -> None:
        self.claim_none([
            f"{m.where}:{line} imports {dotted}"
            for m in MODULES if m.part == "store"
            for line, dotted, _ in m.imports(m.tree) if covered(dotted, {"twisted", "zope"})
        ])  # fmt: skip

    def test_nothing_imports_the_reactor_when_it_is_imported(self) -> None:
        """Whoever imports the reactor installs one, and takes the choice from the program that imports us."""
        self.claim_none([
            f"{m.where}:{line}"
            for m in MODULES for line, dotted in m.eager() if covered(dotted, {"twisted.internet.reactor"})
        ])  # fmt: skip

    def test_only_entry_points_take_the_reactor(self) -> None:
        self.claim_none([
            f"{m.where}:{line}"
            for m in MODULES if m.part not in ("service", "cli", "gui")
            for line, dotted in m.uses if covered(dotted, {"twisted.internet.reactor"})
        ])  # fmt: skip

    def test_input_is_never_checked_by_assert(self) -> None:
        """``python -O`` would leave the check out."""
        self.claim_none([
            f"{m.where}:{node.lineno}" for m in MODULES for node in m.nodes if isinstance(node, ast.Assert)
        ])  # fmt: skip

    def test_nothing_turns_bytes_into_code(self) -> None:
        self.claim_none([
            f"{m.where}:{line} uses {dotted}" for m in MODULES for line, dotted in m.uses if covered(dotted, NEVER)
        ])  # fmt: skip

    def test_no_exception_is_swallowed_unseen(self) -> None:
        """A bare except also eats KeyboardInterrupt and SystemExit."""
        self.claim_none([
            f"{m.where}:{node.lineno}"
            for m in MODULES for node in m.nodes
            if isinstance(node, ast.ExceptHandler) and node.type is None
        ])  # fmt: skip


class SignatureTests(SynchronousTestCase):
    """OpenSSL takes forgeries on small-order keys that libsodium refuses, so there is one way to check a signature."""

    def test_ed25519_is_verified_at_one_place(self) -> None:
        sites = [
            (str(m.where), node.lineno)
            for m in MODULES for node in m.nodes
            if isinstance(node, ast.Call) and VERIFIERS.match(m.dotted(node.func))
        ]  # fmt: skip
        self.assertEqual([str(Path("rhotwist/keys/pair.py"))], [path for path, _ in sites], sites)

    def test_only_keys_reaches_for_signatures(self) -> None:
        wrong = [
            f"{m.where}:{line} uses {dotted}"
            for m in MODULES
            for line, dotted in m.uses
            if dotted.endswith(("asymmetric.ed25519", "Ed25519PublicKey", "Ed25519PrivateKey"))
            or (m.part != "keys" and re.search(r"nacl\.signing|crypto_sign($|_open|_ed)", dotted))
        ]
        self.assertEqual([], wrong)


class ReferenceTests(SynchronousTestCase):
    """A comment that sends the reader somewhere sends him to a place he has."""

    def files(self) -> Iterator[tuple[Path, str]]:
        """Every text of the repository that we wrote."""
        for pattern in ("rhotwist/**/*.py", "rhotwist/**/*.sql", "tests/**/*.py", "benchmarks/**/*.py", "docs/**/*.md",
                        "docs/**/*.py", "etc/*", "*.md", "*.cfg", "*.toml", ".ci/run"):  # fmt: skip
            for path in sorted(ROOT.glob(pattern)):
                if path.is_file():
                    yield path, path.read_text(encoding="utf-8")

    def test_every_page_named_in_a_source_exists(self) -> None:
        wrong = []
        for path, text in self.files():
            for found in re.finditer(r"[\w./-]*[\w-]\.md\b", text):
                name = found[0]
                near = (path.parent / name, ROOT / name, ROOT / "docs" / name, ROOT / "docs" / "spec" / name)
                if "ISSUE" not in name and not any(place.exists() for place in near):
                    wrong.append(f"{path.relative_to(ROOT)}: {name}")
        self.assertEqual([], wrong, "\n" + "\n".join(wrong))

    def test_no_path_of_somebody_s_machine_is_named(self) -> None:
        private = re.compile(r"(?<![\w.}])/" r"(work|root|home/\w|Users)(/|\b)")
        wrong = [
            f"{path.relative_to(ROOT)}: {found[0]}"
            for path, text in self.files()
            for found in private.finditer(text)
        ]
        self.assertEqual([], wrong)
