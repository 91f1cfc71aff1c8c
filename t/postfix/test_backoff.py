"""A relay that stays down is left alone more and more, and mail notices the repair nevertheless."""
import time

import pytest

from harness.milter import BRISK
from harness.scene import RelayScene

# A twentieth of ten seconds is more than two down_intervals.
HASTY = {**BRISK, "down_interval": "200ms", "jitter": "0%"}


@pytest.mark.seconds(25)
def test_a_relay_that_stays_down_is_probed_less_and_less_but_mail_has_it_probed_at_once(site):
    scene = RelayScene(site, probe=HASTY).start()
    scene.milter.wait_state(scene.hop, "up")
    scene.relay.set("greet_421")
    scene.milter.wait_state(scene.hop, "down", "service-unavailable")

    def probes(seconds):
        before = scene.relay.connections
        time.sleep(seconds)
        return scene.relay.connections - before

    early = probes(3)
    time.sleep(9)
    late = probes(3)
    # Two hops lead there: smtp: and relay:.
    assert early >= 18 and late <= 13, (early, late)
    assert scene.milter.hop(scene.hop)["state"] == "down"

    # Mail that is refused asks for a probe, one a down_interval however much mail there is.
    before = scene.relay.connections
    until = time.monotonic() + 2
    while time.monotonic() < until:
        sent = scene.send()
        assert sent.refusal and sent.rcpt_seconds < 0.15, sent
        time.sleep(0.02)
    asked = scene.relay.connections - before
    assert 8 <= asked <= 16, asked  # without mail: 6

    time.sleep(1.5)
    scene.relay.set("healthy")
    scene.must_recover(scene.recovery())
