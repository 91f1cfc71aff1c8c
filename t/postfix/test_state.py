"""The state file: what is known survives a restart."""
import json
import os
import pathlib
import pwd
import re
import signal
import time

import pytest

from harness.milter import BRISK, QUIET, USER
from harness.scene import FilterScene, RelayScene, RouteScene
from harness.wait import wait_until
from test_auth import AuthScene

SAYS = "^(warning: |error: )?state: "
NOBODY = pwd.getpwnam(USER)


def state_path(scene):
    """Of a file in a directory that the keeper has to make."""
    return scene.milter.dir / "state" / "state.json"


def with_state(scene):
    """Give a scene a state file."""
    scene.milter.options["state"] = str(state_path(scene))
    return scene


def lines(path):
    """The documents of a state file, which has to be whole."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert found[0]["format"] == "failfast-milter state" and found[0]["version"] == 1
    assert found[-1] == {"end": len(found) - 2}
    return found


def saved_hop(path, name):
    """A hop as the file has it; {} when it is not there."""
    if not path.exists():
        return {}
    return next((line for line in lines(path) if line.get("hop") == name), {})


def wait_saved(scene, name, state, timeout=5):
    """Wait until the file says so."""
    return wait_until(lambda: (hop := saved_hop(state_path(scene), name)).get("state") == state and hop,
                      timeout, f"{name} {state} in {state_path(scene)}")


def restart(scene):
    """Stop and start the milter; the mark in its log before that."""
    mark = scene.milter.log.mark()
    scene.milter.stop()
    scene.milter.start()
    scene.milter.wait_sockets()
    return mark


def change_head(path, **values):
    """Another head for a file that is there."""
    text = path.read_text(encoding="utf-8").splitlines(keepends=True)
    text[0] = json.dumps({**json.loads(text[0]), **values}) + "\n"
    path.write_text("".join(text), encoding="utf-8")


@pytest.mark.seconds(8)
def test_a_restart_keeps_states_times_and_overrides(site):
    scene = with_state(RelayScene(site, probe={**BRISK, "interval": "1m", "down_interval": "1m"}))
    scene.start()
    scene.milter.wait_state(scene.hop, "up")
    scene.relay.stop()
    scene.milter.ctl("probe", scene.hop)
    down = scene.milter.wait_state(scene.hop, "down")
    wait_saved(scene, scene.hop, "down")
    path = state_path(scene)
    assert (path.stat().st_mode & 0o777, path.stat().st_uid) == (0o600, NOBODY.pw_uid)
    assert (path.parent.stat().st_mode & 0o777, path.parent.stat().st_uid) == (0o700, NOBODY.pw_uid)
    time.sleep(1.1)
    mark = restart(scene)
    # What counts from the first moment on, and nobody is told of a change.
    assert scene.send().refusal.code == 451
    hop = scene.milter.hop(scene.hop)
    assert (hop["state"], hop["reason"], hop["since"], hop["detail"]) == \
        ("down", "connection-refused", down["since"], down["detail"])
    assert scene.milter.log.find(rf"^hop {re.escape(scene.hop)}: .* -> ", mark) == []
    assert scene.milter.log.find(r"^state: \d+ hops and 0 overrides are as they were \d s ago", mark)
    scene.milter.force(scene.hop, "up", "--for", "1h", "--comment", "on purpose")
    forced = scene.milter.hop(scene.hop)["forced"]
    mark = restart(scene)
    assert scene.milter.hop(scene.hop)["forced"]["until"] == forced["until"]
    assert scene.milter.log.find(rf"still forced-up until {forced['until']}: on purpose", mark)
    scene.must_accept()


@pytest.mark.seconds(8)
def test_an_old_file_says_nothing_of_hops_and_still_what_the_operator_said(site):
    scene = with_state(FilterScene(site, QUIET)).start()
    scene.wait_up()
    scene.milter.force(scene.hop, "down", "--for", "4h")
    path = state_path(scene)
    scene.milter.stop()
    assert [line["state"] for line in lines(path) if "force" in line] == ["down"]
    saved = lines(path)[0]["saved"]
    change_head(path, saved=saved - 11 * 60 * 1000)
    mark = scene.milter.log.mark()
    scene.milter.start()
    assert scene.milter.log.find(r"^state: \S+ is 66\d s old: only its 1 overrides are used", mark)
    assert scene.milter.hop(scene.hop)["state"] == "forced-down"
    assert scene.send().refusal.code == 451
    # Its own time is over while the daemon does not run.
    scene.milter.force(scene.hop, "down", "--for", "2s")
    scene.milter.stop()
    time.sleep(2)
    scene.milter.start()
    scene.wait_up()
    assert scene.milter.status()["forced_absent"] == []


def spoil_half(path):
    """As after a crash of a file system."""
    text = path.read_bytes()
    path.write_bytes(text[:len(text) // 2])


def spoil_owner(path):
    """Somebody else's."""
    os.chown(path, 0, 0)
    path.chmod(0o644)


def spoil_mode(path):
    """Anybody's."""
    path.chmod(0o666)


def spoil_link(path):
    """A way to another file."""
    path.rename(path.parent / "other.json")
    path.symlink_to(path.parent / "other.json")


def spoil_fifo(path):
    """Whoever opens it waits for ever."""
    path.unlink()
    os.mkfifo(path)
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)


@pytest.mark.seconds(12)
def test_a_file_that_is_not_to_be_believed_is_told_in_one_line_and_replaced(site):
    scene = with_state(FilterScene(site, QUIET)).start()
    path = state_path(scene)
    for spoil, words in (
            (spoil_half, r"is damaged, line \d+: "),
            (lambda path: path.write_text("\n"), "is damaged, line 1: it is not JSON"),
            (lambda path: path.write_text(""), "is damaged, line 1: it ends too early"),
            (lambda path: change_head(path, version=2), "is of another version"),
            (lambda path: change_head(path, saved=int(time.time() + 3600) * 1000), "from now: only its 0"),
            (spoil_owner, "belongs to another user"), (spoil_mode, "others may write to it"),
            (spoil_link, "not a regular file"), (spoil_fifo, "not a regular file")):
        scene.wait_up()
        scene.milter.stop()
        assert saved_hop(path, scene.hop)["state"] == "up"
        spoil(path)
        spoiled = path.lstat().st_ino
        mark = scene.milter.log.mark()
        scene.milter.start()
        said = [match.string for match in scene.milter.log.find(SAYS + ".*", mark)]
        assert len(said) == 1 and scene.milter.log.find(SAYS + f".*{words}", mark), (words, said)
        wait_until(lambda spoiled=spoiled: path.lstat().st_ino != spoiled, 5, "another file")
        wait_saved(scene, scene.hop, "up")


@pytest.mark.seconds(5)
def test_a_directory_that_cannot_be_written_to_is_told_once(site):
    scene = with_state(FilterScene(site, BRISK))
    state_path(scene).parent.mkdir()
    scene.start()
    scene.wait_up()
    scene.milter.log.wait_for(SAYS + r"\S+: Permission denied: what is known will not survive a restart")
    for _ in range(2):
        scene.filter.stop()
        scene.milter.wait_state(scene.hop, "down")
        scene.filter.start()
        scene.wait_up()
        time.sleep(1.1)
    assert len(scene.milter.log.find(SAYS + ".*not survive")) == 1
    os.chown(state_path(scene).parent, NOBODY.pw_uid, NOBODY.pw_gid)
    scene.filter.stop()
    wait_saved(scene, scene.hop, "down")
    scene.milter.log.wait_for(r"^state: written again")


@pytest.mark.seconds(8)
def test_learned_hops_are_known_again(site):
    scene = with_state(RouteScene(site, QUIET)).start()
    scene.milter.probe["learned_ttl"] = "1h"
    direct = f"smtp:[127.0.0.1]:{site.peer().bind_to[1]}"
    scene.postfix.params["sender_dependent_default_transport_maps"] = \
        f"pcre:{scene.postfix.config}/sdd"
    (scene.postfix.config / "sdd").write_text(f"/@learned\\.test/ {direct}\n")
    scene.postfix.params["smtpd_relay_restrictions"] = "check_client_access static:OK, reject"
    scene.postfix.reload()
    scene.milter.reload()
    assert scene.milter.hop(direct) == {}
    scene.must_accept("a@elsewhere.example", sender="s@learned.test")
    scene.milter.wait_state(direct, "up")
    restart(scene)
    hop = scene.milter.hop(direct)
    assert (hop["state"], hop["learned"], hop["roles"]) == ("up", True, ["transport"])


@pytest.mark.seconds(14)
def test_rejected_credentials_are_not_sent_again_by_the_next_engine(site):
    scene = with_state(AuthScene(site)).passwords("wrong")
    scene.start()
    scene.wait("down", "auth-rejected")
    assert len(scene.attempts()) == 1
    wait_until(lambda: '"latched":true' in state_path(scene).read_text(), 5, "it is kept")
    assert "wrong" not in state_path(scene).read_text()
    for is_crash in (False, True, False):
        before = scene.relay.connections
        if is_crash:
            engine = scene.milter.engine_pid()
            os.kill(engine, signal.SIGKILL)
            wait_until(lambda engine=engine: scene.milter.children(scene.milter.pid()) not in ([], [engine]),
                       5, "a new engine")
            scene.milter.wait_ready()
        else:
            restart(scene)
        wait_until(lambda before=before: scene.relay.connections >= before + 3, 10, "probes after that")
        scene.wait("down", "auth-rejected")
        assert len(scene.attempts()) == 1, "an engine that is started again locks the account"
    # Others are tried while nothing runs that could have been told.
    scene.milter.stop()
    scene.passwords()
    scene.milter.start()
    scene.wait("up")
    assert len(scene.attempts()) == 2


@pytest.mark.seconds(20)
def test_killing_the_engine_at_any_moment_leaves_a_whole_file(site):
    scene = with_state(FilterScene(site, {**BRISK, "interval": "100ms", "fast_interval": "50ms"}))
    scene.start()
    scene.wait_up()
    path = state_path(scene)
    wait_saved(scene, scene.hop, "up")
    is_up, deadline = True, time.monotonic() + 12
    kills = 0
    while time.monotonic() < deadline:
        if is_up:
            scene.filter.stop()
        else:
            scene.filter.start()
        is_up = not is_up
        wait_until(lambda: scene.milter.status(check=False), 10, "an engine answers")
        for _ in range(20):
            scene.milter.force(scene.hop, "down" if kills % 2 else "up")
            lines(path)
        engine = scene.milter.engine_pid()
        time.sleep(0.05 * (kills % 7))
        os.kill(engine, signal.SIGKILL)
        kills += 1
        lines(path)
        wait_until(lambda engine=engine: scene.milter.children(scene.milter.pid()) not in ([], [engine]),
                   10, "a new engine")
    print(f"{kills} kills")
    assert scene.milter.log.find(SAYS + ".*(damaged|not used)") == []
    scene.milter.wait_ready()
    assert scene.milter.log.find(r"^state: \d+ hops and 1 overrides are as they were")
    assert list(pathlib.Path(path.parent).glob("*")) in ([path], [path, pathlib.Path(f"{path}.new")])
