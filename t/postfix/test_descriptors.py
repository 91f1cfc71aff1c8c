"""Our own descriptors run out: no hop is blamed, and mail passes."""
import os
import pwd
import subprocess
import time

import pytest

from harness.milter import USER
from harness.net import REMOTE_ADDRESS
from harness.scene import MAX_AGE, FilterScene, RelayScene
from harness.wait import wait_until


def use_up(milter, spare):
    """From now on the engine may open at most so many descriptors more; returns what ends that."""
    engine = milter.engine_pid()
    in_use = {int(name) for name in os.listdir(f"/proc/{engine}/fd")}
    _limit(engine, min(set(range(len(in_use) + 1)) - in_use) + spare)
    return lambda: _limit(engine, 1024)


def _limit(engine, soft):
    """As the engine's user: a container's root may not."""
    user = pwd.getpwnam(USER)
    subprocess.run(["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups",
                    "prlimit", f"--pid={engine}", f"--nofile={soft}:"], check=True, timeout=10)


@pytest.mark.parametrize("is_broken", [False, True], ids=["healthy", "broken"])
def test_probes_give_up_before_mail_does_and_nobody_is_blamed(site, is_broken):
    scene = FilterScene(site).start()
    scene.wait_up()
    scene.must_deliver(scene.filter)
    restore = use_up(scene.milter, 8)
    if is_broken:
        scene.filter.stop()
    time.sleep(MAX_AGE)
    for _ in range(5):
        began = time.monotonic()
        scene.must_accept()
        assert time.monotonic() - began < 2, "mail waits for a descriptor"
    hop = scene.milter.wait_state(scene.hop, "unknown", "local-error")
    assert "Too many open files" in hop["detail"], hop
    assert "Too many open files" in scene.milter.log.text()
    restore()
    if is_broken:
        wait_until(lambda: scene.send().refusal.startswith("451 4.4.1"), 5, "the fault is seen")
    else:
        def is_up():
            scene.must_accept()
            return scene.milter.hop(scene.hop)["state"] == "up"
        wait_until(is_up, 5, "the next messages ask again", 0.2)
        scene.must_deliver(scene.filter)


def test_a_relayhost_with_a_name_is_not_blamed_either(site):
    site.dns.set("relay.example.net", a=[REMOTE_ADDRESS])
    scene = RelayScene(site, "[relay.example.net]:PORT").start()
    scene.milter.wait_state(scene.hop, "up")
    restore = use_up(scene.milter, 8)
    scene.milter.wait_state(scene.hop, "unknown", "local-error")
    scene.must_accept(scene.recipient)
    restore()
    scene.milter.wait_state(scene.hop, "up")
    assert not scene.milter.log.find("-> down")
