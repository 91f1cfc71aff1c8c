"""Verdicts: who is named, odd addresses, many recipients, clients in a hurry."""
import re
import time

import pytest

from harness.milter import QUIET
from harness.scene import MAX_AGE, FilterScene, RelayScene, RouteScene, Scene, brief
from harness.smtp import Smtp, message, new_ident, transact
from harness.wait import wait_until

REFUSED = brief("4.4.1", "transport", "connection refused")


@pytest.mark.parametrize("role", ["content-filter", "proxy-filter"])
def test_of_several_hops_that_are_down_the_one_that_mail_meets_first_is_named(site, role):
    scene = Scene(site, QUIET)
    first, last = site.peer(), site.peer()
    where = f"127.0.0.1:{first.bind_to[1]}"
    scene.postfix.route("to.test", f"smtp:[127.0.0.1]:{last.bind_to[1]}")
    if role == "proxy-filter":
        scene.port = scene.postfix.add_listener(smtpd_proxy_filter=where)
    else:
        scene.postfix.params["content_filter"] = f"smtp-amavis:[127.0.0.1]:{first.bind_to[1]}"
    scene.start()
    scene.must_accept()
    last.stop()
    time.sleep(MAX_AGE)
    assert scene.send().refusal == REFUSED
    first.stop()
    time.sleep(MAX_AGE)
    assert scene.send().refusal == brief("4.4.1", role, "connection refused")
    first.start()
    time.sleep(MAX_AGE)
    wait_until(lambda: scene.send().refusal == REFUSED, 5, "the last one is named again")
    last.start()
    scene.must_recover(MAX_AGE + 1)


def test_a_thousand_recipients_of_a_healthy_route_are_all_taken_and_of_a_broken_one_none(site):
    scene = RouteScene(site, max_failures=1000)
    scene.postfix.params.update(smtpd_hard_error_limit="2000", smtpd_soft_error_limit="1900",
                                smtpd_recipient_overshoot_limit="2000")
    scene.start()
    scene.must_deliver(scene.good, "a@good.test")
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.postfix.wait_empty()
    scene.break_bad()
    ident = new_ident()
    with scene.session() as session:
        session.mail("s@from.test")
        names = [f"u{number}@{'bad' if number % 10 == 9 else 'good'}.test" for number in range(1000)]
        began = time.monotonic()
        for start in range(0, 1000, 50):
            batch = names[start:start + 50]
            replies = session.pipeline(*(f"RCPT TO:<{name}>" for name in batch))
            assert replies == [REFUSED if "bad" in name else "250 2.1.5 Ok" for name in batch]
        print(f"1000 recipients: {time.monotonic() - began:.2f} s")
        assert session.data(message(ident)).code == 250
    scene.postfix.wait_delivery(lambda: sum(len(found.recipients) for found in scene.good.messages
                                            if found.ident == ident) == 900, 20, "all 900")
    assert len(scene.milter.log.find(r": tempfail: to=<u\d+@bad\.test>")) == 100


def test_internationalised_addresses_are_logged_readably_and_stay_out_of_replies(site):
    scene = RouteScene(site)
    scene.postfix.params["smtputf8_enable"] = "yes"
    scene.postfix.route("b\u00fccher.test", scene.bad_hop)
    scene.start()
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.postfix.wait_empty()
    scene.break_bad()
    with scene.session() as session:
        assert session.command("MAIL FROM:<j\u00fcrgen@from.test> SMTPUTF8").code == 250
        assert session.rcpt("\u00e4rger@bad.test") == REFUSED
        assert session.rcpt("gr\u00fc\u00dfe@good.test").code == 250
    line = scene.milter.log.wait_for("tempfail: to=<\u00e4rger@bad.test>, from=<j\u00fcrgen@from.test>")
    assert all(char.isprintable() for char in line.string), line.string


def test_rules_match_internationalised_addresses(site):
    scene = RouteScene(site)
    scene.postfix.params["smtputf8_enable"] = "yes"
    scene.milter.extra = 'rule "utf8" { sender = {"*@b\u00fccher.test"} action = "accept" }\n'
    scene.start()
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.postfix.wait_empty()
    scene.break_bad()
    with scene.session() as session:
        assert session.command("MAIL FROM:<x@b\u00fccher.test> SMTPUTF8").code == 250
        assert session.rcpt("a@bad.test").code == 250
        session.command("RSET")
        assert session.command("MAIL FROM:<x@b\u00e4cher.test> SMTPUTF8").code == 250
        assert session.rcpt("a@bad.test") == REFUSED


def test_bytes_that_are_no_text_never_reach_the_log_raw(site):
    scene = RouteScene(site).start()
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.postfix.wait_empty()
    scene.break_bad()
    with scene.session() as session:
        session.send_raw(b"MAIL FROM:<\"a\x1b[2J\x07\"@from.test>\r\n")
        session.reply()
        session.send_raw(b"RCPT TO:<\"x\x1b]0;t\x9b\xff\"@bad.test>\r\n")
        reply = session.reply()
    assert reply.code in (451, 501, 500, 553, 555, 503), reply
    with open(scene.milter.log.path, "rb") as file:
        raw = file.read()
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", raw)
    raw.decode("utf-8")


@pytest.mark.parametrize("who", ["other", "authenticated"])
def test_a_pipelining_client_hears_421_and_the_end_of_the_session_after_max_failures(site, who):
    scene = FilterScene(site, max_failures=3).start()
    scene.wait_up()
    scene.filter.stop()
    time.sleep(MAX_AGE)
    session = RouteScene.session(scene, who)
    session.send("MAIL FROM:<s@from.test>", *(f"RCPT TO:<r{number}@to.test>" for number in range(6)),
                 "DATA")
    replies = []
    while reply := session.reply():
        replies.append(reply)
    assert [reply.code for reply in replies] == [250, 451, 451, 451, 421], replies
    assert scene.postfix.queue_files() == []


def test_one_refused_recipient_of_another_message_counts_for_nothing_in_the_next(site):
    scene = RouteScene(site).start()
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.postfix.wait_empty()
    scene.break_bad()
    with scene.session("authenticated") as session:
        session.mail("s@from.test")
        assert session.rcpt("a@bad.test").code == 451
        assert session.rcpt("a@good.test").code == 250
        session.command("RSET")
        assert transact(session, "b@good.test").accepted


def test_a_remote_relay_that_is_down_is_named_to_those_whom_we_know(site):
    scene = RelayScene(site).start()
    scene.milter.wait_state(scene.hop, "up")
    scene.relay.stop()
    scene.milter.wait_state(scene.hop, "down", timeout=15)
    scene.must_refuse(scene.hop, "connection-refused", "4.4.1", "relayhost", "connection refused")
    with Smtp(scene.port) as session:
        session.hello()
        assert transact(session, scene.recipient).refusal == \
            brief("4.4.1", "relayhost", "connection refused")
