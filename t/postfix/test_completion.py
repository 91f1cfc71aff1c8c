"""Completion in bash: commands, options, and names of hops, which come from outside."""
import re
import shlex
import subprocess

import pytest

from harness.milter import ROOT, program
from harness.scene import FilterScene

SCRIPT = r"""
source "$1"
complete -p failfastctl >/dev/null || exit 9
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
[ -z "$3" ] || COMP_WORDBREAKS=${COMP_WORDBREAKS//:/}
_failfastctl
printf '%s\n' "${COMPREPLY[@]}"
"""


def complete(line, cwd=None, breaks_at_colons=True):
    """What bash would offer for this line."""
    done = subprocess.run(["bash", "--norc", "-c", SCRIPT, "bash", ROOT / "config/failfastctl.bash", line,
                           "" if breaks_at_colons else "no"], check=False, capture_output=True, text=True,
                          timeout=20, cwd=cwd)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout.splitlines() if done.stdout != "\n" else []


def test_commands_and_options():
    commands = complete("failfastctl ")
    shown = subprocess.run([program("failfastctl"), "help"], check=True, capture_output=True, text=True).stdout
    there = re.findall(r"^    (\w+) +\w", shown.split("\n\n")[1], re.MULTILINE)
    assert set(there) <= set(commands)
    assert complete("failfastctl st") == ["status"]
    assert complete("failfastctl -") == ["-c", "-s", "-V", "--help"]
    assert complete("failfastctl status --p") == ["--plugin"]
    assert complete("failfastctl -s /nonexistent watch ") == ["--json"]
    assert complete("failfastctl check --json ") == ["--json"]
    assert complete("failfastctl force x: ") == ["up", "down", "auto"]
    assert complete("failfastctl force x: d") == ["down"]
    assert complete("failfastctl force x: down ") == ["--json", "--for", "--comment"]
    assert complete("failfastctl force x: down --for ") == []
    assert complete("failfastctl force --for 10m x: ") == ["up", "down", "auto"]
    assert complete("failfastctl help w") == ["watch"]
    assert complete("failfastctl nonsense ") == []


def test_every_option_of_the_usage_is_completed():
    shown = subprocess.run([program("failfastctl"), "help"], check=True, capture_output=True, text=True).stdout
    for command, rest in re.findall(r"^    (\w+)(.*\[--.*)$", shown.split("\n\n")[0], re.MULTILINE):
        offered = complete(f"failfastctl -s /nonexistent {command} --")
        assert set(re.findall(r"--\w+", rest)) <= set(offered), command


def test_files_behind_options(site):
    (site.dir / "some.conf").touch()
    assert complete("failfastctl -c so", cwd=site.dir) == ["some.conf"]
    assert complete("failfastctl queue so", cwd=site.dir) == ["some.conf"]
    assert complete("failfastctl queue --", cwd=site.dir) == ["--json"]


@pytest.fixture(name="scene")
def odd_scene(site):
    """A site with names of hops that a shell must not look into."""
    scene = FilterScene(site)
    scene.milter.extra = 'hop "odd:\\$(touch\\${IFS}pwned)`touch\\${IFS}pwned`" { }\nhop "odd:[::1]:25" { }\n'
    scene.start()
    scene.wait_up()
    return scene


def test_names_of_hops_are_quoted_and_never_expanded(scene):
    asked = f"{program('failfastctl')} -s {scene.milter.control} probe "
    odd = "odd:$(touch${IFS}pwned)`touch${IFS}pwned`"

    def unquoted(words):
        return [shlex.split(word)[0] for word in words]
    for breaks in (True, False):
        found = complete(asked, cwd=scene.site.dir, breaks_at_colons=breaks)
        assert {odd, "odd:[::1]:25", scene.hop} <= set(unquoted(word for word in found if word != "--json"))
    assert not (scene.site.dir / "pwned").exists()
    assert complete(asked + "odd:", cwd=scene.site.dir)[1] == r"\[::1\]:25", "bash has odd: already"
    assert complete(asked + r"odd:\[:") == [r":1\]:25"]
    assert complete(asked + "'odd:[") == ["odd:[::1]:25"]
    assert complete(asked + "odd:", breaks_at_colons=False)[1] == r"odd:\[::1\]:25"
    assert complete(asked + "odd:[::1]:25 ") == ["--json"]
    assert not (scene.site.dir / "pwned").exists()
