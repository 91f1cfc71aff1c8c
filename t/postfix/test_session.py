"""What a client that goes on and on hears."""
import time

import pytest

from harness.scene import MAX_AGE, FilterScene, RouteScene, brief

REFUSED = brief("4.4.1", "content-filter", "connection refused")


@pytest.mark.parametrize("limit", [8, 3], ids=["default", "three"])
def test_after_max_failures_refusals_the_session_ends_with_421(site, limit):
    scene = FilterScene(site, **({} if limit == 8 else {"max_failures": limit}))
    scene.start()
    scene.wait_up()
    scene.filter.stop()
    time.sleep(MAX_AGE)
    session = RouteScene.session(scene)
    session.mail("s@from.test")
    replies = [session.rcpt(f"r{number}@to.test") for number in range(limit)]
    assert replies == [REFUSED] * limit
    last = session.rcpt("last@to.test")
    assert last.startswith("421 4."), last
    assert session.reply() == "", "the session is still open"
    assert scene.postfix.log.find("too many errors") == []
    # A new session starts at nought.
    assert scene.send().refusal == REFUSED


def test_refusals_count_over_several_messages_of_a_session(site):
    scene = FilterScene(site, max_failures=4).start()
    scene.wait_up()
    scene.filter.stop()
    time.sleep(MAX_AGE)
    session = RouteScene.session(scene)
    for _ in range(2):
        session.mail("s@from.test")
        assert [session.rcpt(f"{name}@to.test").code for name in "ab"] == [451, 451]
        session.command("RSET")
    session.mail("s@from.test")
    assert session.rcpt("c@to.test").code == 421


def test_each_message_of_a_session_is_looked_at_anew(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    scene.filter.stop()
    time.sleep(MAX_AGE)
    session = RouteScene.session(scene)
    for number in range(3):
        session.mail(f"s{number}@from.test")
        assert session.rcpt("a@to.test").code == 451
        session.command("RSET")
    found = scene.milter.log.find(r"tempfail: .* from=<(\S+)@from.test>")
    assert [match[1] for match in found] == ["s0", "s1", "s2"]
