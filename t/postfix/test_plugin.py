"""failfastctl as other programs and hurried people meet it: monitoring plugin, names, help, errors, completion."""
import grp
import os
import re
import socket
import subprocess

import pytest

from harness.milter import QUIET, USER, program
from harness.scene import MAX_AGE, FilterScene, RouteScene
from harness.wait import wait_until

PERFDATA = re.compile(r"(\w+)=(\d+)")
STRANGER = "daemon"  # somebody who is neither root nor the user of the milter


def ctl(*args, **kwargs):
    """Run failfastctl; the finished process."""
    return subprocess.run([program("failfastctl"), *map(str, args)], check=False, capture_output=True,
                          text=True, timeout=20, **kwargs)


def plugin(milter, *pattern):
    """(exit status, words, {label: value}) of the one line."""
    done = ctl("-s", milter.control, "status", "--plugin", *pattern)
    assert done.stderr == "" and done.stdout.count("\n") == 1 and done.stdout.isascii(), done
    words, _, data = done.stdout.rstrip("\n").partition(" | ")
    assert "|" not in data
    numbers = dict(PERFDATA.findall(data))
    assert " ".join(f"{label}={value}" for label, value in numbers.items()) == data, data
    return done.returncode, words, {label: int(value) for label, value in numbers.items()}


LABELS = ["hops", "up", "degraded", "down", "unknown", "forced_up", "forced_down"]


def test_a_monitoring_plugin_says_one_line_and_exits_as_plugins_do(site):
    scene = RouteScene(site, probe={**QUIET, "down_interval": "200ms"}).start()
    for hop in (scene.good_hop, scene.bad_hop):
        scene.milter.wait_state(hop, "up")
    wait_until(lambda: plugin(scene.milter)[0] == 0, 10, "all hops are up")
    code, words, data = plugin(scene.milter)
    assert (code, words) == (0, f"FAILFAST OK - {data['hops']} hops up")
    assert list(data) == LABELS and data["up"] == data["hops"] > 1
    scene.bad.stop()
    scene.milter.ctl("probe", scene.bad_hop)
    code, words, data = plugin(scene.milter)
    assert (code, words) == (2, f"FAILFAST CRITICAL - 1 of {data['hops']} hops down: "
                                f"{scene.bad_hop} (connection refused)")
    assert data["down"] == 1 and data["up"] == data["hops"] - 1
    code, words, data = plugin(scene.milter, scene.good_hop)
    assert (code, words, data["hops"]) == (0, "FAILFAST OK - 1 hop up", 1)
    code, words, data = plugin(scene.milter, "no-such-hop")
    assert (code, words, data) == (3, "FAILFAST UNKNOWN - no hop matches", {})
    scene.milter.stop()
    code, words, data = plugin(scene.milter)
    assert code == 3 and words.startswith(f"FAILFAST UNKNOWN - {scene.milter.control}: ")


def test_a_plugin_names_three_and_counts_the_others_and_foreign_words_cannot_break_the_line(site):
    """Hops whose names have what a line of a plugin must not."""
    scene = FilterScene(site)
    odd = ['smtp:[127.0.0.1]:1|x=1', "smtp:[127.0.0.1]:1=", "smtp:[127.0.0.1]:1<b>", 'smtp:[127.0.0.1]:1;$(x)`']
    scene.milter.extra = "".join(f'hop "{name.replace("$", chr(92) + "$")}" {{ }}\n' for name in odd)
    scene.start()
    scene.wait_up()
    wait_until(lambda: plugin(scene.milter)[2].get("down") == 4 and
               plugin(scene.milter)[2]["unknown"] == 0, 10, "all four are down, and nothing is unknown")
    code, words, data = plugin(scene.milter)
    assert code == 2 and words.endswith(" and 1 more"), words
    assert data["down"] == 4 and "|" not in words
    names = ctl("-s", scene.milter.control, "status", "--names").stdout.splitlines()
    assert set(odd) <= set(names) and scene.hop in names


def test_an_error_of_the_configuration_is_one_line_of_a_plugin_too(site):
    milter = site.milter()
    milter.write("nonsense = 1\nmore = 2\n" + milter.conf_text())
    done = ctl("-c", milter.conf, "status", "--plugin")
    assert done.returncode == 3 and done.stderr == ""
    assert re.fullmatch(r"FAILFAST UNKNOWN - .*:1: nonsense: unknown option.*\n", done.stdout), done


def test_help_is_told_on_standard_output_and_slips_are_understood():
    for args in (["help"], ["--help"], ["-h"]):
        done = ctl(*args)
        assert done.returncode == 0 and done.stderr == "" and "watch [--json] [PATTERN]" in done.stdout
        assert all(len(line) <= 80 for line in done.stdout.splitlines())
    for args in (["help", "watch"], ["watch", "--help"], ["--help", "watch"]):
        done = ctl(*args)
        assert done.returncode == 0 and done.stdout.startswith("usage: failfastctl") and \
            "watch [--json] [PATTERN]" in done.stdout and "explain" not in done.stdout
    commands = re.findall(r"^    (\w+) +\w.*$", ctl("help").stdout.split("\n\n")[1], re.MULTILINE)
    assert "status" in commands and "help" in commands
    for command in commands:
        assert ctl(command, "--help").returncode == 0, command
    done = ctl("-V")
    assert done.returncode == 0 and re.fullmatch(r"failfastctl \d+\.\d+.*\n", done.stdout)
    done = ctl("statsu")
    assert done.returncode == 3 and done.stderr == \
        'failfastctl: no such command: statsu; did you mean "status"?\n'
    done = ctl("xyzzy")
    assert done.returncode == 3 and 'failfastctl help' in done.stderr
    for args in ([], ["watch", "--plugin"], ["status", "--json", "--plugin"], ["watch", "a", "b"]):
        done = ctl("-s", "/nonexistent", *args)
        assert done.returncode == 3 and done.stderr.startswith("usage: failfastctl"), args


def as_stranger(*args, groups=()):
    """The words of failfastctl for somebody without rights."""
    done = ctl(*args, user=STRANGER, group=STRANGER,
               extra_groups=[grp.getgrnam(name).gr_gid for name in groups])
    return done.returncode, done.stdout + done.stderr


def test_who_may_not_is_told_which_group_may(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    group = grp.getgrgid(scene.milter.control.stat().st_gid).gr_name
    code, said = as_stranger("-s", scene.milter.control, "status")
    assert code == 3 and said == (
        f"failfastctl: {scene.milter.control}: Permission denied: you are not a member of group {group}, "
        f"which owns {scene.milter.control}: become one, or run this as root\n")
    code, said = as_stranger("-s", scene.milter.control, "status", "--plugin")
    assert code == 3 and said.startswith("FAILFAST UNKNOWN - ") and group in said and said.count("\n") == 1
    assert as_stranger("-s", scene.milter.control, "status", scene.hop, groups=[group])[0] == 0
    scene.milter.control.parent.chmod(0o750)
    owner = grp.getgrgid(scene.milter.control.parent.stat().st_gid).gr_name
    code, said = as_stranger("-s", scene.milter.control, "status")
    assert f"not a member of group {owner}, which owns {scene.milter.control.parent}:" in said


def test_a_socket_that_was_left_behind_and_one_that_says_nothing(site):
    path = site.dir / "control.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    done = ctl("-s", path, "status")
    assert done.returncode == 3 and "left behind, nobody listens: is failfast-milter running?" in done.stderr
    path.unlink()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        client = subprocess.Popen([program("failfastctl"), "-s", path, "status"], stderr=subprocess.PIPE,
                                  text=True)
        sock.accept()[0].close()  # with or without its question
        assert "no answer: failfast-milter hung up" in client.communicate(timeout=20)[1]


def test_a_configuration_that_the_user_may_not_read_is_no_obstacle(site):
    milter = site.milter()
    milter.write()
    milter.conf.chmod(0o600)
    code, said = as_stranger("-c", milter.conf, "status")
    assert code == 3 and "/run/failfast-milter/control.sock: No such file or directory" in said
    assert f"the usual socket was tried: you may not read {milter.conf}" in said
    code, said = as_stranger("-c", milter.conf, "check")
    assert code == 3 and f"{milter.conf}: cannot be opened: Permission denied" in said
