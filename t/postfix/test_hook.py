"""on_change: what a program is told of changes, how it runs, and what it can do."""
import os
import pwd
import re
import time

import pytest

from harness.milter import QUIET, USER
from harness.scene import FilterScene, RouteScene
from harness.wait import wait_until
from test_bad_input import check


class Hook:
    """A program that notes what it is told, in a directory that the milter's user may write to."""

    def __init__(self, site, script=""):
        self.dir = site.dir / "hook"
        self.dir.mkdir()
        self.dir.chmod(0o777)
        self.program = self.dir / "program"
        self.notes = self.dir / "notes"
        self.write(script)
        site.show("hook", lambda: self.notes.read_text() if self.notes.exists() else "(not run)")

    def write(self, script):
        """What it does after noting."""
        fresh = self.dir / "fresh"
        fresh.write_text(f"""#!/bin/sh
echo "$FAILFAST_HOP|$FAILFAST_ROLE|$FAILFAST_FROM|$FAILFAST_TO|$FAILFAST_REASON|$FAILFAST_DETAIL\
|$FAILFAST_SINCE|$FAILFAST_HOST" >>{self.notes}
{script}
""")
        fresh.chmod(0o755)
        fresh.rename(self.program)

    def told(self, hop=None):
        """[(hop, from, to)] as far as it was run, of one hop if not of all."""
        if not self.notes.exists():
            return []
        lines = [line.split("|") for line in self.notes.read_text().splitlines()]
        return [(line[0], line[2], line[3]) for line in lines if hop in (None, line[0])]

    def wait_told(self, *expected, hop=None, timeout=10):
        """Until it was told this and nothing else."""
        wait_until(lambda: self.told(hop) == list(expected), timeout, f"{expected}; {self.told(hop)}")


def hooked(site, hook, scene_type=FilterScene, **options):
    """A scene whose hops are up, with such a program."""
    probe = {**QUIET, "down_interval": "200ms"}
    scene = scene_type(site, probe=probe, on_change=str(hook.program), **options)
    scene.start()
    return scene


def break_filter(scene):
    """Down, and known to be."""
    scene.filter.stop()
    scene.milter.ctl("probe", scene.hop)
    scene.milter.wait_state(scene.hop, "down")


def repair_filter(scene):
    """Up, and known to be."""
    scene.filter.start()
    scene.milter.wait_state(scene.hop, "up")


def test_a_program_is_told_of_each_change_and_of_no_first_state_that_is_up(site):
    hook = Hook(site)
    scene = hooked(site, hook)
    scene.wait_up()
    break_filter(scene)
    hook.wait_told((scene.hop, "up", "down"))
    seen = scene.milter.hop(scene.hop)
    line = hook.notes.read_text().splitlines()[0].split("|")
    assert line == [scene.hop, "content-filter", "up", "down", "connection-refused", seen["detail"],
                    seen["since"], "mx.example.test"], line
    repair_filter(scene)
    hook.wait_told((scene.hop, "up", "down"), (scene.hop, "down", "up"))
    assert hook.notes.read_text().splitlines()[1].split("|")[4:6] == ["", ""]


def test_a_hop_that_is_down_at_the_start_is_told(site):
    hook = Hook(site)
    scene = FilterScene(site, on_change=str(hook.program), hostname="here.example")
    scene.filter.stop()
    scene.start()
    hook.wait_told((scene.hop, "unknown", "down"))
    assert hook.notes.read_text().rstrip().endswith("|here.example")


def test_it_runs_as_the_user_of_the_engine_with_nothing_inherited_and_may_gain_a_group(site):
    hook = Hook(site, f"""{{ id -un; for fd in /proc/$$/fd/*; do readlink $fd; done; }} \
>{site.dir}/hook/who.$$ 2>&1
grep -E '^(NoNewPrivs|Seccomp|CapPrm|Groups|Uid|SigBlk)' /proc/self/status >>{site.dir}/hook/who.$$
mv {site.dir}/hook/who.$$ {site.dir}/hook/who""")
    scene = hooked(site, hook)
    scene.wait_up()
    break_filter(scene)
    who = wait_until(lambda: (hook.dir / "who").exists() and (hook.dir / "who").read_text(), 5, "it ran")
    uid = str(pwd.getpwnam(USER).pw_uid)
    status = dict(re.findall(r"^(\w+):\s+(.*)$", who, re.MULTILINE))
    assert who.splitlines()[0] == USER and set(status["Uid"].split()) == {uid}, who
    assert (status["NoNewPrivs"], status["Seccomp"], int(status["CapPrm"], 16)) == ("0", "0", 0), who
    assert int(status["SigBlk"], 16) == 0
    sockets = [line for line in who.splitlines() if line.startswith("socket:") or "anon_inode" in line]
    assert not sockets, who


@pytest.mark.seconds(8)
def test_changes_while_it_runs_become_one_or_none(site):
    hook = Hook(site)
    hook.write(f"while [ -e {hook.dir}/wait ]; do sleep 0.05; done")
    scene = hooked(site, hook)
    scene.wait_up()
    (hook.dir / "wait").touch()
    break_filter(scene)
    hook.wait_told((scene.hop, "up", "down"))
    for _ in range(2):
        repair_filter(scene)
        break_filter(scene)
    (hook.dir / "wait").unlink()
    time.sleep(0.3)
    assert hook.told() == [(scene.hop, "up", "down")], "down again is no news"
    (hook.dir / "wait").touch()
    repair_filter(scene)
    hook.wait_told((scene.hop, "up", "down"), (scene.hop, "down", "up"))


def test_its_failure_is_logged_with_its_words_and_a_reload_changes_it(site):
    hook = Hook(site, "echo 'the pager is out of order' >&2; echo more >&2; exit 4")
    scene = hooked(site, hook)
    scene.wait_up()
    break_filter(scene)
    scene.milter.log.wait_for(re.escape(
        f"warning: on_change: {hook.program}: hop {scene.hop}: up -> down: exit status 4: "
        "the pager is out of order") + "$")
    other = hook.dir / "other"
    other.write_text(f"#!/bin/sh\necho \"$FAILFAST_TO\" >>{hook.dir}/other.notes\n")
    other.chmod(0o755)
    scene.milter.options["on_change"] = str(other)
    scene.milter.write()
    mark = scene.milter.log.mark()
    scene.milter.hup()
    scene.milter.log.wait_for(r"reloaded: \d+ hops", 10, mark)
    repair_filter(scene)
    wait_until(lambda: (hook.dir / "other.notes").exists(), 5, "the new program runs")
    assert len(hook.told()) == 1, "and the old one does not"
    scene.milter.options["on_change"] = ""
    scene.milter.write()
    mark = scene.milter.log.mark()
    scene.milter.hup()
    scene.milter.log.wait_for(r"reloaded: \d+ hops", 10, mark)
    break_filter(scene)
    time.sleep(0.3)
    assert (hook.dir / "other.notes").read_text() == "up\n", "none is configured"


def test_a_new_engine_runs_it_and_a_lost_process_is_told(site):
    hook = Hook(site)
    scene = hooked(site, hook)
    scene.wait_up()
    engine = scene.milter.engine_pid()
    os.kill(engine, 9)
    wait_until(lambda: scene.milter.children(scene.milter.pid()) not in ([], [engine]), 5, "a new engine")
    scene.milter.wait_ready()
    scene.wait_up()
    break_filter(scene)
    hook.wait_told((scene.hop, "up", "down"))
    runner = scene.milter.hook_runner_pid()
    os.kill(runner, 9)
    scene.milter.log.wait_for("on_change: the process that runs programs is gone")
    repair_filter(scene)
    scene.must_deliver(scene.filter)
    assert len(hook.told()) == 1


def test_a_daemon_that_stops_ends_the_program_that_runs(site):
    hook = Hook(site)
    hook.write(f"echo $$ >{hook.dir}/pid; trap '' TERM; while :; do sleep 0.2; done")
    scene = hooked(site, hook)
    scene.wait_up()
    break_filter(scene)
    pid = int(wait_until(lambda: (hook.dir / "pid").exists() and (hook.dir / "pid").read_text(), 5, "it runs"))
    began = time.monotonic()
    assert scene.milter.stop() == 0
    assert time.monotonic() - began < 8
    wait_until(lambda: pid not in scene.site.world.processes(), 5, "the program is gone")


@pytest.mark.parametrize("words, make", [
    ("No such file or directory", lambda path: None),
    ("not executable", lambda path: path.write_text("#!/bin/sh\n")),
    ("not a file", lambda path: path.mkdir()),
])
def test_a_program_that_cannot_run_is_an_error_of_the_configuration(site, words, make):
    postfix = site.postfix()
    postfix.prepare()
    milter = site.milter(postfix)
    path = milter.dir / "program"
    make(path)
    text = f'# a comment\non_change = "{path}"\n' + milter.conf_text()
    done = check(milter, text)
    assert done.returncode == 78
    assert f'{milter.conf}:2: on_change = "{path}": {words}; expected' in done.stdout
    done = check(milter, milter.conf_text() + 'on_change = "bin/true"\n')
    assert done.returncode == 78 and "not an absolute path" in done.stdout


@pytest.mark.parametrize("user", ["", "root"])
def test_it_is_never_run_as_root(site, user):
    postfix = site.postfix()
    postfix.prepare()
    milter = site.milter(postfix, user=user, on_change="/bin/true")
    done = check(milter, milter.conf_text())
    assert done.returncode == 78 and "is never run as root" in done.stdout, done
    milter.options["on_change"] = ""
    milter.start()
    milter.options["on_change"] = "/bin/true"
    milter.write()
    mark = milter.log.mark()
    milter.hup()
    milter.log.wait_for("on_change = .*run.* as root", 5, mark)
    milter.log.wait_for("the configuration in use stays as it is", 5, mark)


def test_many_hops_are_told_each_and_mail_does_not_wait(site):
    hook = Hook(site, "sleep 0.2")
    scene = hooked(site, hook, RouteScene)
    for hop in (scene.good_hop, scene.bad_hop):
        scene.milter.wait_state(hop, "up")
    scene.good.stop()
    scene.bad.stop()
    for hop in (scene.good_hop, scene.bad_hop):
        scene.milter.ctl("probe", hop)
    began = time.monotonic()
    assert not scene.send("a@bad.test").accepted
    assert time.monotonic() - began < 1
    wait_until(lambda: sorted(hook.told()) == sorted(
        [(scene.good_hop, "up", "down"), (scene.bad_hop, "up", "down")]), 5, "both are told")
