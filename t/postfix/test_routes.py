"""Two routes, one of them broken: the other's mail must not notice."""
import time

import pytest

from harness.milter import QUIET
from harness.scene import MAX_AGE, RouteScene, brief, full
from harness.smtp import transact
from harness.wait import wait_until

REFUSED = brief("4.4.1", "transport", "connection refused")


@pytest.fixture(name="scene")
def broken_scene(site):
    """good.test works, bad.test does not."""
    scene = RouteScene(site).start()
    scene.must_deliver(scene.good, "a@good.test")
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.postfix.wait_empty()
    scene.break_bad()
    return scene


def test_mail_for_a_healthy_route_passes_while_another_is_down_also_in_one_session(scene):
    with scene.session() as session:
        assert transact(session, "b@bad.test").refusal == REFUSED
        good = transact(session, "b@good.test")
        assert good.accepted, good
        assert transact(session, "c@bad.test").refusal == REFUSED
        assert transact(session, "c@good.test").accepted
    wait_until(lambda: len(scene.good.messages) == 3, 5, "both messages at the healthy sink")
    scene.postfix.wait_empty()


@pytest.mark.parametrize("order", [("a@good.test", "a@bad.test"), ("a@bad.test", "a@good.test")])
def test_of_two_recipients_of_one_message_only_the_broken_one_is_refused(scene, order):
    sent = scene.send(list(order))
    replies = dict(zip(order, sent.rcpt))
    assert replies == {"a@good.test": "250 2.1.5 Ok", "a@bad.test": REFUSED}
    assert sent.accepted, sent
    found = wait_until(lambda: scene.good.find(sent.ident), 5, "delivery")
    assert found.recipients == ["a@good.test"]
    scene.postfix.wait_empty()


def test_mynetworks_gets_the_full_reply_for_one_of_two_recipients(scene):
    sent = scene.send(["a@good.test", "a@bad.test"], "mynetworks")
    since = scene.milter.hop(scene.bad_hop)["since"]
    assert sent.rcpt[1] == full("4.4.1", "transport", scene.bad_hop, since, "connection refused")
    assert sent.accepted, sent


@pytest.mark.parametrize("order", [("a@good.test", "a@bad.test"), ("a@bad.test", "a@good.test")])
def test_an_authenticated_client_has_the_whole_message_refused(scene, order):
    sent = scene.send(list(order), "authenticated")
    since = scene.milter.hop(scene.bad_hop)["since"]
    refusal = full("4.4.1", "transport", scene.bad_hop, since, "connection refused")
    assert dict(zip(order, sent.rcpt))["a@bad.test"] == refusal
    assert dict(zip(order, sent.rcpt))["a@good.test"] == "250 2.1.5 Ok"
    assert sent.data == refusal, sent
    assert scene.postfix.queue_files() == []
    assert scene.good.find(sent.ident) is None
    # The next message of the same client, to the healthy route alone, is another matter.
    with scene.session("authenticated") as session:
        assert transact(session, list(order)).data == refusal
        assert transact(session, "z@good.test").accepted


def test_pipelined_commands_get_their_own_answers(scene):
    with scene.session() as session:
        replies = session.pipeline("MAIL FROM:<s@from.test>", "RCPT TO:<a@bad.test>",
                                   "RCPT TO:<a@good.test>", "RCPT TO:<b@bad.test>", "DATA")
        assert [reply.code for reply in replies] == [250, 451, 250, 451, 354], replies
        assert session.command("Subject: x\r\n\r\nx\r\n.").code == 250
    wait_until(lambda: len(scene.good.messages) == 2, 5, "delivery")
    assert scene.good.messages[1].recipients == ["a@good.test"]


def test_a_broken_local_hop_is_refused_with_the_first_message_that_names_it(site):
    """Nothing is known of it; the message waits for the first result."""
    scene = RouteScene(site)
    scene.bad.stop()
    scene.start()
    assert scene.send("a@bad.test").refusal == REFUSED
    scene.must_accept("a@good.test")
    scene.bad.start()
    time.sleep(MAX_AGE)
    scene.must_deliver(scene.bad, "b@bad.test")


def test_error_and_discard_transports_put_no_hop_on_the_route(site):
    scene = RouteScene(site, QUIET)
    scene.postfix.route("discard.test", "discard:")
    scene.postfix.route("error.test", "error:5.1.1 no such domain here")
    scene.start()
    scene.must_accept("a@discard.test")
    assert scene.send("a@error.test").refusal.code in (0, 550)
    assert not [name for name in scene.milter.hops() if name.startswith(("discard:", "error:"))]
