"""Failfast-Status: its place, its format, and no forged copies."""
import re
import time

import pytest

from harness.milter import BRISK
from harness.scene import MAX_AGE, FilterScene, RouteScene
from harness.smtp import MYNETWORKS, message, new_ident, send

SLOW = {"slow": "200ms"}
FORMAT = (r'mx\.example\.test; state={state}; hop="{hop}"; role={role}; reason={reason}; '
          r"since=\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ; id={id}")


def pattern(scene, state, reason, queue_id, role="content-filter"):
    """What the header about the scene's filter has to look like."""
    return FORMAT.format(state=state, hop=re.escape(scene.hop), role=role, reason=reason, id=queue_id)


def ours(found, name="Failfast-Status"):
    """Values of our header in a delivered message."""
    return [value for key, value in found.header() if key.lower() == name.lower()]


@pytest.fixture(name="degraded")
def degraded_scene(site):
    """The filter greets, but late."""
    def make(**options):
        scene = FilterScene(site, BRISK, **{**SLOW, **options})
        scene.filter.set("slow", delay=0.5)
        scene.start()
        hop = scene.milter.wait_state(scene.hop, "degraded", "slow", 15)
        assert hop["latency_ms"] >= 500, hop
        return scene
    return make


def test_mail_accepted_while_a_hop_is_degraded_is_tagged_at_the_very_top(degraded):
    scene = degraded()
    sent = scene.must_accept()
    found = scene.postfix.wait_delivery(lambda: scene.filter.find(sent.ident), 10, "delivery")
    name, value = found.header()[0]
    assert name == "Failfast-Status"
    assert re.fullmatch(pattern(scene, "degraded", "slow", sent.queue_id), value), value
    assert found.header()[1][0] == "Received"
    assert len(ours(found)) == 1
    scene.filter.set("healthy")
    scene.milter.wait_state(scene.hop, "up")
    assert ours(scene.must_deliver(scene.filter)) == []


def test_a_terse_header_leaves_out_the_hop(degraded):
    scene = degraded(header_detail="terse")
    found = scene.must_deliver(scene.filter)
    assert len(ours(found)) == 1 and "hop=" not in ours(found)[0], found.header()
    assert "state=degraded; role=content-filter; reason=slow; since=" in ours(found)[0]


def test_tag_never_adds_nothing(degraded):
    scene = degraded(tag="never")
    assert ours(scene.must_deliver(scene.filter)) == []


def test_tag_always_tells_of_a_hop_that_is_up_under_another_name_and_host(site):
    scene = FilterScene(site, tag="always", header="X-Site-Status", hostname="other.example.test")
    scene.start()
    scene.wait_up()
    found = scene.must_deliver(scene.filter)
    assert found.header()[0][0] == "X-Site-Status"
    value = ours(found, "X-Site-Status")[0]
    assert value.startswith("other.example.test; state=up; "), value
    assert f'hop="{scene.hop}"' in value


FORGED = ("Failfast-Status: mx.example.test; state=up; forged=1\n"
          "failfast-status: MX.EXAMPLE.TEST; state=down; forged=2\n"
          "Failfast-Status: relay.elsewhere.test; state=degraded; kept=1\n"
          "Failfast-Status:\n mx.example.test;\n state=down; forged=3\n"
          "Failfast-Status: mx.example.test.elsewhere.test; kept=2\n"
          "FAILFAST-STATUS: (a comment) mx.example.test; forged=4\n"
          "Failfast-Status: \"mx.example.test\"; forged=5\n"
          "Failfast-Status : mx.example.test; forged=6\n"
          "Failfast-Status:\tmx.example.test.; forged=7\n")


@pytest.mark.parametrize("state", ["up", "degraded"])
def test_forged_copies_with_our_name_are_removed_and_those_of_others_kept(site, degraded, state):
    if state == "up":
        scene = FilterScene(site).start()
        scene.wait_up()
    else:
        scene = degraded()
    found = scene.must_deliver(scene.filter, extra=FORGED)
    values = ours(found)
    assert [value for value in values if "forged" in value] == []
    assert [value for value in values if "kept" in value] == [
        "relay.elsewhere.test; state=degraded; kept=1", "mx.example.test.elsewhere.test; kept=2"]
    assert len(values) == (2 if state == "up" else 3)
    if state == "degraded":
        assert found.header()[0] == ("Failfast-Status", values[0])
    assert ("X-Test-Id", found.ident) in found.header()


def test_mail_from_sendmail_is_never_refused_but_tagged(site):
    scene = FilterScene(site)
    scene.postfix.use_milter(scene.milter, non_smtpd=True)
    scene.start()
    scene.wait_up()
    scene.filter.stop()
    time.sleep(MAX_AGE)
    ident = new_ident()
    done = scene.postfix.sendmail("sender@from.test", ["a@to.test"], message(ident, FORGED))
    assert done.returncode == 0, done.stderr
    line = scene.postfix.log.wait_for(r"(\S+): to=<a@to\.test>.*status=deferred", 10)
    scene.filter.start()
    found = scene.postfix.wait_delivery(lambda: scene.filter.find(ident), 15, "delivery")
    assert found.header()[0][0] == "Failfast-Status", found.header()
    assert re.fullmatch(pattern(scene, "down", "connection-refused", line.group(1)),
                        found.header()[0][1]), found.header()
    assert not [value for value in ours(found) if "forged" in value]
    assert scene.postfix.log.find("milter-reject|tempfail") == []


def test_mail_that_a_content_filter_hands_back_is_accepted_and_logged_whatever_is_down(site):
    scene = RouteScene(site).start()
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.postfix.wait_empty()
    scene.break_bad()
    assert send(scene.port, "b@bad.test").refusal.code == 451
    sent = send(scene.postfix.reentry, "back@bad.test", source=MYNETWORKS)
    assert sent.accepted, sent
    line = scene.milter.log.wait_for(r".*back@bad\.test.*")
    assert scene.bad_hop in line.group() and "connection-refused" in line.group()
    assert "accept" in line.group(), line.group()
    scene.bad.start()
    scene.postfix.wait_delivery(lambda: scene.bad.find(sent.ident), 15, "delivery")


def test_the_content_filter_is_not_on_the_route_of_mail_that_it_hands_back(site):
    scene = FilterScene(site)
    sink = site.peer()
    scene.postfix.route("to.test", f"smtp:[127.0.0.1]:{sink.bind_to[1]}")
    scene.start()
    scene.wait_up()
    scene.filter.stop()
    time.sleep(MAX_AGE)
    assert scene.send().refusal.code == 451
    sent = send(scene.postfix.reentry, "a@to.test", source=MYNETWORKS)
    assert sent.accepted, sent
    found = scene.postfix.wait_delivery(lambda: sink.find(sent.ident), 10, "delivery")
    assert ours(found) == []
