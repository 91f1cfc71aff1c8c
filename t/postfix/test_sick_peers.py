"""Peers that drip, flood and babble: each has its reason, and together they cost little memory."""
import time

import pytest

from harness.milter import BRISK, is_sanitized
from harness.wait import wait_until

GROWTH_LIMIT_KIB = 4 * 1024

# What the peer does, and what must come of it.
SICK = (
    ("drip", {"delay": 1.0}, "down", "greeting-timeout"),
    ("flood", {}, "down", "protocol-error"),
    ("endless", {}, "down", "protocol-error"),
    ("garbage", {}, "down", "protocol-error"),
    ("nuls", {}, "down", "protocol-error"),
    ("hang", {}, "down", "greeting-timeout"),
    ("long_line", {}, "up", None),
    ("many_lines", {}, "up", None),
)


@pytest.mark.seconds(20)
def test_sick_peers_cost_bounded_time_and_memory(site):
    milter = site.milter(probe={**BRISK, "interval": "200ms", "down_interval": "200ms"})
    hops = {}
    for behaviour, options, state, reason in SICK:
        peer = site.peer().set(behaviour, **options)
        hops[f"smtp:[127.0.0.1]:{peer.bind_to[1]}"] = (behaviour, state, reason)
        milter.extra += f'hop "smtp:[127.0.0.1]:{peer.bind_to[1]}" {{ }}\n'
    healthy = site.peer()
    milter.extra += f'hop "smtp:[127.0.0.1]:{healthy.bind_to[1]}" {{ }}\n'
    milter.start()

    def settled():
        known = milter.hops()
        return all((known[hop]["state"], known[hop]["reason"]) == (state, reason)
                   for hop, (_, state, reason) in hops.items())
    wait_until(settled, 20, f"all as they should be: {hops} {milter.hops()}")
    engine = milter.engine_pid()
    before = milter.rss_kib()[engine]
    probes = healthy.connections
    time.sleep(8)
    after = milter.rss_kib()[engine]
    print(f"engine: {before} -> {after} KiB")
    assert settled(), milter.hops()
    assert healthy.connections - probes > 15, "the sick ones keep the healthy one waiting"
    assert milter.engine_pid() == engine
    if not is_sanitized():
        assert after - before < GROWTH_LIMIT_KIB, (before, after)
