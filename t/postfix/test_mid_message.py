"""A hop that breaks between RCPT and the end of the message: the last word is what holds then."""
import re

import pytest

from harness.milter import QUIET
from harness.scene import FilterScene, RouteScene, brief, full
from harness.smtp import message, new_ident
from harness.wait import wait_until

BRIEF = brief("4.4.1", "transport", "connection refused")


@pytest.fixture(name="begin")
def begin_message(site):
    """A scene, and a session that has named its recipients while all was well."""
    def make(who, recipients, **options):
        scene = RouteScene(site, **options).start()
        scene.must_deliver(scene.good, "first@good.test")
        scene.must_deliver(scene.bad, "first@bad.test")
        scene.postfix.wait_empty()
        session = scene.session(who)
        site.at_end(session.close)
        session.mail("s@from.test")
        assert [session.rcpt(recipient).code for recipient in recipients] == [250] * len(recipients)
        return scene, session
    return make


def break_meanwhile(scene):
    """Somebody else's message finds out."""
    scene.break_bad()
    assert scene.send("other@bad.test").refusal == BRIEF


def refusal(scene, who):
    """What such a client hears."""
    if who == "other":
        return BRIEF
    return full("4.4.1", "transport", scene.bad_hop, scene.milter.hop(scene.bad_hop)["since"],
                "connection refused")


@pytest.mark.parametrize("who, recipients, strip_forged", [
    ("other", ["a@bad.test"], True), ("mynetworks", ["a@bad.test", "b@bad.test"], True),
    ("authenticated", ["a@good.test", "a@bad.test"], True), ("other", ["a@bad.test"], False)])
def test_what_would_be_refused_now_is_refused_at_the_end_of_data(begin, who, recipients, strip_forged):
    scene, session = begin(who, recipients, strip_forged=strip_forged)
    ident = new_ident()
    break_meanwhile(scene)
    assert session.command("DATA").code == 354
    final = session.command("\r\n".join(message(ident).splitlines()) + "\r\n.")
    assert final == refusal(scene, who), final
    assert scene.postfix.queue_files() == []
    assert scene.milter.log.find(rf": tempfail: .*hop={re.escape(scene.bad_hop)}.*reply=\"451 ")
    # The session goes on.
    session.command("RSET")
    session.mail("s@from.test")
    assert session.rcpt("c@good.test").code == 250
    assert session.data(message(new_ident())).code == 250
    scene.postfix.wait_empty()
    assert scene.good.find(ident) is None


def test_a_break_in_the_middle_of_the_data_counts(begin):
    scene, session = begin("other", ["a@bad.test"])
    assert session.command("DATA").code == 354
    lines = message(new_ident()).splitlines()
    session.send(*lines[:4])
    break_meanwhile(scene)
    session.send(*lines[4:], ".")
    assert session.reply() == BRIEF
    assert scene.postfix.queue_files() == []


def test_a_message_that_also_goes_a_healthy_way_is_taken_and_tagged(begin):
    """Refusing it would refuse the healthy recipient, who was accepted."""
    scene, session = begin("other", ["a@good.test", "a@bad.test"])
    ident = new_ident()
    break_meanwhile(scene)
    assert session.data(message(ident)).code == 250
    found = wait_until(lambda: scene.good.find(ident), 10, "the message at the healthy hop")
    tags = [value for key, value in found.header() if key == "Failfast-Status"]
    assert len(tags) == 1 and "state=down" in tags[0] and scene.bad_hop in tags[0], found.header()
    scene.bad.start()
    scene.postfix.wait_delivery(lambda: scene.bad.find(ident), 15, "the message at the other, later")


def test_what_works_again_at_the_end_of_data_is_forgotten(site):
    """Nobody hears of what was degraded at RCPT and is up when the message is all here."""
    scene = FilterScene(site, {**QUIET, "interval": "500ms"}, slow="200ms")
    scene.filter.set("slow", delay=0.5)
    scene.start()
    scene.milter.wait_state(scene.hop, "degraded", "slow", 15)
    session = RouteScene.session(scene)
    site.at_end(session.close)
    session.mail("s@from.test")
    assert session.rcpt("a@to.test").code == 250
    assert session.command("DATA").code == 354
    ident = new_ident()
    scene.filter.set("healthy")
    scene.milter.wait_state(scene.hop, "up")
    session.send(*message(ident).splitlines(), ".")
    assert session.reply().code == 250
    found = scene.postfix.wait_delivery(lambda: scene.filter.find(ident), 10, "delivery")
    assert not [key for key, _ in found.header() if key == "Failfast-Status"], found.header()
