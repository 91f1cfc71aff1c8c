"""What is wrong is told or ignored, and nothing stops working."""
import random
import re
import socket
import subprocess
import time

import pytest

from harness.milter import program
from harness.scene import MAX_AGE, FilterScene
from harness.wait import wait_until


def check(milter, text=None, flags=("-n",)):
    """Run failfast-milter -n on a configuration; the finished process, output in one."""
    if text is not None:
        milter.write(text)
    return subprocess.run([program("failfast-milter"), *flags, "-c", str(milter.conf)], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)


@pytest.fixture(name="unstarted")
def unstarted_milter(site):
    """A milter that has a Postfix to read, and is not started."""
    postfix = site.postfix()
    postfix.prepare()
    return site.milter(postfix)


def test_a_good_configuration_passes_and_starts_nothing(unstarted):
    done = check(unstarted, unstarted.conf_text())
    assert done.returncode == 0, done.stdout
    assert not unstarted.control.exists() and not unstarted.socket_path().exists()


@pytest.mark.parametrize("line, words", [
    ("no_such_option = 1", ["no_such_option"]),
    ('slow = "a while"', ["slow", "a while"]),
    ('tag = "sometimes"', ["tag", "sometimes", "always"]),
    ("max_failures = many", ["max_failures", "many"]),
    ("probe { rise = 0 }", ["rise", "0"]),
    ('http = "9895"', ["http", "the port is missing"]),
    ('hop "x:y" { depth = "deep" }', ["depth", "deep"]),
])
def test_an_error_is_told_with_file_line_option_and_value(unstarted, line, words):
    text = unstarted.conf_text()
    done = check(unstarted, f"{text}{line}\n")
    assert done.returncode == 78, done.stdout
    told = [out for out in done.stdout.splitlines()
            if f"{unstarted.conf}:{text.count(chr(10)) + 1}: " in out]
    assert told, done.stdout
    assert all(word in told[0] for word in words), told


def test_two_errors_in_one_file_are_both_told_with_their_lines(unstarted):
    done = check(unstarted, 'tag = "sometimes"\n\nslow = soon\n' + unstarted.conf_text())
    assert done.returncode == 78
    for number in (1, 3):
        assert re.search(rf"^.*{re.escape(str(unstarted.conf))}:{number}: ", done.stdout,
                         re.MULTILINE), done.stdout


def test_a_broken_file_never_starts_the_daemon(unstarted):
    done = check(unstarted, 'tag = "sometimes"\n', flags=("-f",))
    assert done.returncode == 78, done.stdout


@pytest.mark.parametrize("flags", [("-Z",), ("-n", "extra"), ("-c",)])
def test_usage_errors_exit_64(flags):
    done = subprocess.run([program("failfast-milter"), *flags], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    assert done.returncode == 64, done
    assert "usage" in done.stdout.lower()


def test_a_file_or_directory_that_is_not_there_is_named_and_exits_78(unstarted):
    text = unstarted.conf_text()
    unstarted.conf.unlink(missing_ok=True)
    done = check(unstarted)
    assert done.returncode == 78 and str(unstarted.conf) in done.stdout, done
    absent = f"{unstarted.dir}/absent"
    done = check(unstarted, text.replace(str(unstarted.postfix[0].config), absent))
    assert done.returncode == 78 and absent in done.stdout, done


def test_version_is_printed(unstarted):
    done = check(unstarted, flags=("-V",))
    assert done.returncode == 0
    assert re.search(r"\d+\.\d+", done.stdout), done


def test_failfastctl_says_so_when_nobody_answers(unstarted):
    code, said = unstarted.ctl("status", "--json")
    assert code == 3, said
    code, _ = unstarted.ctl("no-such-command")
    assert code == 3


def throw(connect, blob):
    """Send something and hang up, whatever happens."""
    with connect() as sock:
        try:
            sock.sendall(blob)
        except OSError:
            pass


GARBAGE = {
    "nothing": b"",
    "newline": b"\n",
    "zeros": bytes(100000),
    "random": random.Random(1).randbytes(100000),
    "huge": b'{"command": "' + b"x" * 10_000_000,
    "nested": b"[" * 60000 + b"\n",
    "partial": b'{"command": "sta',
    "unknown": b'{"command": "destroy"}\n',
    "wrong_types": b'{"command": 7, "pattern": [1]}\n',
    "array": b"[1, 2, 3]\n",
    "bad_utf8": b'{"command": "\xff\xfe"}\n',
    "many_lines": b'{"command": "status"}\n' * 2000,
    "optneg_huge": b"\xff\xff\xff\xffO" + b"A" * 100000,
    "optneg_short": b"\0\0\0\1O",
    "milter_zero": b"\0\0\0\0" * 1000,
    "milter_unknown": b"\0\0\0\rO\0\0\0\6\0\0\1\xff\0\x1f\xff\xff\0\0\0\1?\0\0\0\1~",
    "milter_early_eom": b"\0\0\0\rO\0\0\0\6\0\0\1\xff\0\x1f\xff\xff\0\0\0\1E\0\0\0\1E",
    "milter_rcpt_only": b"\0\0\0\rO\0\0\0\6\0\0\1\xff\0\x1f\xff\xff\0\0\0\1R\0\0\0\2R\0",
    "milter_macros": b"\0\0\0\rO\0\0\0\6\0\0\1\xff\0\x1f\xff\xff\0\0\0\7DRaaaaa\0\0\0\2DR",
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.seconds(12)
def test_garbage_on_either_socket_leaves_the_daemon_working(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    engine = scene.milter.engine_pid()

    def to(path):
        def connect():
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(5)
            sock.connect(str(path))
            return sock
        return connect

    control, mail = to(scene.milter.control), to(scene.milter.socket_path())
    for name, blob in GARBAGE.items():
        throw(control, blob)
        assert scene.milter.status(), name
        throw(mail, blob)
    for seed in range(50):
        noise = random.Random(seed)
        throw(mail, b"\0\0\0\rO\0\0\0\6\0\0\1\xff\0\x1f\xff\xff" + b"".join(
            len(part).to_bytes(4, "big") + part for part in
            (bytes([noise.choice(b"ABCDEHKLMNOQRTU")]) + noise.randbytes(noise.randrange(60))
             for _ in range(20))))
    assert scene.milter.engine_pid() == engine, "the engine died of garbage"
    scene.must_deliver(scene.filter)
    scene.filter.stop()
    time.sleep(MAX_AGE)
    assert scene.send().refusal.startswith("451 4.4.1 content filter is")
    assert scene.milter.engine_pid() == engine


def test_clients_that_say_nothing_do_not_keep_others_from_the_control_socket(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    idle = []
    for number in range(100):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(2)
        try:
            sock.connect(str(scene.milter.control))
            sock.sendall(b"{" * (number % 3))
        except OSError:
            sock.close()
            continue
        idle.append(sock)
    scene.must_deliver(scene.filter)
    # They are thrown out after a while; then, at the latest, status answers again.
    wait_until(lambda: scene.milter.status(check=False), 20, "an answer on the control socket")
    for sock in idle:
        sock.close()
    scene.must_deliver(scene.filter)


def test_status_of_a_pattern_and_exit_codes_follow_the_states(site):
    scene = FilterScene(site)
    scene.start()
    scene.wait_up()
    code, document = scene.milter.ctl("status", "--json", "smtp-amavis:*")
    assert code == 0 and [hop["hop"] for hop in document["hops"]] == [scene.hop]
    keys = {"hop", "state", "reason", "detail", "since", "last_probe", "latency_ms", "roles"}
    assert keys <= set(document["hops"][0])
    code, text = scene.milter.ctl("status")
    assert scene.hop in text and "up" in text
    scene.filter.stop()
    time.sleep(MAX_AGE)
    scene.send()
    code, _ = scene.milter.ctl("status", "--json", "smtp-amavis:*")
    assert code == 2
