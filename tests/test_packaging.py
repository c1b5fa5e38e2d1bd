"""What a user gets: the wheel, built from what is in the repository and nothing else, in an environment of its own."""

from __future__ import annotations

import atexit
import configparser
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = "twisted/plugins/rhocoin_plugin.py"
#: Left behind by tools; a copy that held them would prove nothing.
LITTER = shutil.ignore_patterns(
    ".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", "_trial_temp*", ".*_cache", ".hypothesis"
)


def run(*command: str | Path, cwd: Path, seconds: float = 120.0, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end with none of the suite's own paths in its environment. seconds is when to give up."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "RHO_HOME")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd, env={**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **extra}, timeout=seconds,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def must(*command: str | Path, cwd: Path) -> str:
    """Run a command that has to succeed; its output, which is also the message when it does not."""
    done = run(*command, cwd=cwd)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))} exited {done.returncode}:\n{done.stdout}")
    return done.stdout


def copy_sources(target: Path) -> None:
    """What a clone of the present tree would hold: tracked and new files, never ignored ones."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    ) if (ROOT / ".git").exists() else None  # fmt: skip
    if listed is None or listed.returncode:
        shutil.copytree(ROOT, target, ignore=LITTER)
        return
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


class Built:
    """The source archive, the wheel made from it, and a fresh environment in which that wheel is installed."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="rhotwist-wheel-"))
        atexit.register(shutil.rmtree, self.home, ignore_errors=True)
        sources, dist, venv = self.home / "sources", self.home / "dist", self.home / "venv"
        copy_sources(sources)
        # Without --wheel or --sdist the wheel is built from the archive, so the archive is proven whole as well.
        must(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, sources, cwd=self.home)
        [self.wheel], [self.sdist] = dist.glob("*.whl"), dist.glob("*.tar.gz")
        must(sys.executable, "-m", "venv", "--without-pip", venv, cwd=self.home)
        self.bin = venv / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.bin / "python"
        install = ("install", "--quiet", "--no-compile", self.wheel)
        must(sys.executable, "-m", "pip", "--python", self.python, *install, cwd=self.home)
        self.empty = self.home / "empty"
        self.empty.mkdir()

    def call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an installed program in an empty folder."""
        return run(self.bin / program, *arguments, cwd=self.empty, RHO_HOME=str(self.home / "rho"))


@functools.cache
def built() -> Built:
    """Made once a run: it takes most of the time of this module."""
    return Built()


class WheelTests(SynchronousTestCase):
    """The wheel holds what it must and nothing it must not."""

    def names(self) -> set[str]:
        """Every file in the wheel."""
        with zipfile.ZipFile(built().wheel) as wheel:
            return set(wheel.namelist())

    def test_the_plugin_is_in_and_no_init_beside_it(self) -> None:
        """An ``__init__.py`` there would overwrite Twisted's own and hide every other plugin of the machine."""
        self.assertEqual({PLUGIN}, {name for name in self.names() if name.startswith("twisted")})

    def test_every_module_and_every_data_file_is_in(self) -> None:
        wanted = {
            path.relative_to(ROOT).as_posix()
            for pattern in ("**/*.py", "py.typed", "store/schema/*.sql")
            for path in (ROOT / "rhotwist").glob(pattern)
        }
        self.assertEqual(set(), wanted - self.names())
        self.assertIn("rhotwist/py.typed", wanted)

    def test_tests_and_tools_stay_out(self) -> None:
        tops = {name.split("/")[0] for name in self.names() if ".dist-info/" not in name}
        self.assertEqual({"rhotwist", "twisted"}, tops)

    def test_the_licence_travels_along(self) -> None:
        self.assertTrue(any(name.endswith("licenses/LICENSE") for name in self.names()))

    def test_the_source_archive_holds_tests_docs_and_etc(self) -> None:
        listing = must(sys.executable, "-m", "tarfile", "--list", built().sdist, cwd=built().home)
        inside = {line.strip().partition("/")[2] for line in listing.splitlines()}
        for name in ("tests/test_packaging.py", "docs/index.md", "etc/rhocoin-node.service", ".ci/run", PLUGIN):
            self.assertIn(name, inside)


class InstalledTests(SynchronousTestCase):
    """The two programs start from the wheel alone."""

    def test_twistd_knows_rhocoin_and_shows_its_options(self) -> None:
        done = built().call("twistd", "rhocoin", "--help")
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertIn("--datadir", done.stdout)

    def test_twistd_lists_rhocoin_without_loading_us(self) -> None:
        """A broken rhotwist must not break every other twistd command of the machine."""
        code = (
            "import sys; from twisted.application.service import IServiceMaker; from twisted.plugin import getPlugins\n"
            "found = [p for p in getPlugins(IServiceMaker) if p.tapname == 'rhocoin']\n"
            "print(len(found), 'rhotwist' in sys.modules, 'twisted.internet.reactor' in sys.modules)"
        )
        self.assertEqual("1 False False", must(built().python, "-c", code, cwd=built().empty).strip())

    def test_rho_shows_its_help(self) -> None:
        done = built().call("rho", "--help")
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertIn("ping", done.stdout)

    def test_rho_help_does_not_wait_for_twisted(self) -> None:
        code = (
            "import sys; sys.argv = ['rho', '--help']\n"
            "from rhotwist.cli.main import main\n"
            "try:\n    main()\nexcept SystemExit:\n    pass\n"
            "print('twisted', 'twisted.internet' in sys.modules)"
        )
        self.assertEqual("twisted False", must(built().python, "-c", code, cwd=built().empty).splitlines()[-1])

    def test_a_node_starts_in_an_empty_folder_and_proves_its_key(self) -> None:
        node = subprocess.Popen(
            [built().bin / "twistd", "-n", "--pidfile=", "rhocoin", "--listen", "127.0.0.1:0"],
            cwd=built().empty, env={**os.environ, "RHO_HOME": str(built().home / "node"), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.addCleanup(node.communicate)
        self.addCleanup(node.terminate)
        giving_up = threading.Timer(60, node.kill)
        giving_up.start()
        self.addCleanup(giving_up.cancel)
        said = ""
        for line in node.stdout or ():
            said += line
            found = re.search(r"(rho1n\w+)\s+udp (127\.0\.0\.1:\d+)", line)
            if found:
                break
        else:
            self.fail(f"the node never said where it is:\n{said}")
        pong = built().call("rho", "ping", f"{found[1]}@{found[2]}")
        self.assertEqual(0, pong.returncode, pong.stdout)
        self.assertIn("key proven", pong.stdout)

    def test_the_package_knows_its_version(self) -> None:
        code = "import rhotwist, importlib.metadata as m; print(rhotwist.__version__ == m.version('rhotwist'))"
        self.assertEqual("True", must(built().python, "-c", code, cwd=built().empty).strip())

    def test_twisted_s_own_plugin_folder_is_untouched(self) -> None:
        code = "import twisted.plugins as p; print(p.__file__[-11:] == '__init__.py', len(open(p.__file__).read()) > 0)"
        self.assertEqual("True True", must(built().python, "-c", code, cwd=built().empty).strip())


class ConfigurationTests(SynchronousTestCase):
    """Mistakes that build without a word and show only at a user's."""

    def setUp(self) -> None:
        self.config = configparser.ConfigParser()
        self.config.read(ROOT / "setup.cfg", encoding="utf-8")

    def test_packages_are_namespaces_so_that_the_plugin_is_found(self) -> None:
        """With ``find:`` the wheel is built without the plugin, silently."""
        self.assertEqual("find_namespace:", self.config["options"]["packages"])
        self.assertIn("twisted.plugins", self.config["options.packages.find"]["include"].split())

    def test_package_dir_is_set_so_that_editable_installs_show_the_plugin(self) -> None:
        self.assertEqual("= .", self.config["options"]["package_dir"].strip())

    def test_no_init_lies_in_our_twisted_folder(self) -> None:
        self.assertEqual([], sorted((ROOT / "twisted").rglob("__init__.py")))

    def test_metadata_has_one_home(self) -> None:
        self.assertNotIn("[project]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
