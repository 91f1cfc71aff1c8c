"""A real amavisd as the content filter: stopped, frozen, and brought back."""
import time

import pytest

from harness.milter import BRISK
from harness.scene import DETECTION, LOCAL_RECOVERY, MAX_AGE, Scene
from harness.wait import wait_until


class AmavisScene(Scene):
    """Postfix, amavis, back to Postfix, on to a sink."""

    def __init__(self, site, probe):
        super().__init__(site, probe)
        self.sink = site.peer()
        self.amavis = site.amavis(self.postfix.reentry)
        self.hop = f"smtp-amavis:[127.0.0.1]:{self.amavis.port}"
        self.postfix.params["content_filter"] = self.hop
        self.postfix.route("to.test", f"smtp:[127.0.0.1]:{self.sink.bind_to[1]}")
        self.amavis.start()
        self.start()
        self.milter.wait_state(self.hop, "up")


@pytest.mark.seconds(12)
def test_amavis_stopped_is_down_at_once_and_back_with_the_next_message(site):
    scene = AmavisScene(site, {"interval": "60s", "down_interval": "60s"})
    scene.must_deliver(scene.sink)
    scene.postfix.wait_empty()

    scene.amavis.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse(scene.hop, "connection-refused", "4.4.1", "content-filter",
                      "connection refused")
    scene.must_have_nothing(scene.sink, counts=[1])

    scene.amavis.start()
    time.sleep(MAX_AGE)
    scene.must_deliver(scene.sink)
    scene.postfix.wait_empty()


@pytest.mark.seconds(14)
def test_amavis_frozen_is_down_with_greeting_timeout_and_back_when_it_goes_on(site):
    scene = AmavisScene(site, BRISK)
    scene.must_deliver(scene.sink)
    scene.postfix.wait_empty()

    scene.amavis.freeze()
    scene.milter.wait_state(scene.hop, "down", "greeting-timeout", DETECTION)
    scene.must_refuse(scene.hop, "greeting-timeout", "4.4.2", "content-filter",
                      "no greeting in time")
    scene.must_have_nothing(scene.sink, counts=[1])

    scene.amavis.thaw()
    sent = scene.must_recover(LOCAL_RECOVERY)
    scene.postfix.wait_empty()
    assert scene.sink.ids().count(sent.ident) == 1


@pytest.mark.seconds(8)
def test_probes_leave_amavis_with_its_children_and_its_log_clean(site):
    """One connection at a time, QUIT at its end: amavis has two children and must keep both."""
    scene = AmavisScene(site, {**BRISK, "interval": "300ms"})
    seen = set()
    wait_until(lambda: seen.add(scene.milter.hop(scene.hop)["last_probe"]) or len(seen) > 3, 10,
               "probes for three seconds")
    scene.must_deliver(scene.sink)
    assert scene.amavis.log.find(r"\(!+\)") == []
