"""Rules: each key and each action on real mail."""
import json
import re
import subprocess
import time

import pytest

from harness.milter import QUIET
from harness.scene import MAX_AGE, FilterScene, RouteScene, brief, full
from harness.smtp import MYNETWORKS, message, new_ident, send, transact
from harness.wait import wait_until

REFUSED = brief("4.4.1", "transport", "connection refused")


@pytest.fixture(name="ruled")
def ruled_scene(site):
    """good.test works, bad.test does not, and there are rules."""
    def make(rules, **options):
        scene = RouteScene(site, **options)
        scene.milter.extra = rules
        scene.postfix.use_milter(scene.milter, non_smtpd=True)
        scene.start()
        scene.must_deliver(scene.bad, "first@bad.test")
        scene.postfix.wait_empty()
        scene.break_bad()
        return scene
    return make


def tags(scene, sent_or_id):
    """Our headers of a message in the queue."""
    queue_id = getattr(sent_or_id, "queue_id", sent_or_id)
    done = scene.postfix.command("postcat", "-h", "-q", queue_id)
    assert done.returncode == 0, done.stderr
    return re.findall(r"^Failfast-Status: (.*(?:\n[ \t].*)*)", done.stdout, re.MULTILINE)


def queue_name(scene, queue_id):
    """"hold", "deferred", ...: where postqueue says that a message is."""
    return {item["queue_id"]: item["queue_name"] for item in scene.postfix.queue()}.get(queue_id)


def test_hold_keeps_the_message_in_the_hold_queue_and_refuses_nobody(ruled):
    scene = ruled('rule "hold it" { hop = {"smtp:*"} action = "hold" }\n')
    sent = scene.must_accept(["a@bad.test", "b@bad.test", "c@good.test"])
    assert [reply.code for reply in sent.rcpt] == [250] * 3
    wait_until(lambda: queue_name(scene, sent.queue_id) == "hold", 5, "in the hold queue")
    assert "milter-hold" in scene.postfix.log.wait_for(rf"{sent.queue_id}: milter-hold.*").string
    assert len(tags(scene, sent)) == 1 and "state=down" in tags(scene, sent)[0]
    line = scene.milter.log.wait_for(rf"{sent.queue_id}: hold: .*").string
    assert f"hop={scene.bad_hop}" in line and 'rule="hold it"' in line, line
    # Mail whose way is fine is not held.
    scene.must_deliver(scene.good, "d@good.test")
    # Held until somebody says otherwise.
    scene.bad.start()
    time.sleep(MAX_AGE)
    assert queue_name(scene, sent.queue_id) == "hold"
    assert scene.postfix.command("postsuper", "-H", sent.queue_id).returncode == 0
    scene.postfix.command("postqueue", "-f")
    found = scene.postfix.wait_delivery(lambda: scene.bad.find(sent.ident), 10, "delivery")
    assert sorted(found.recipients) == ["a@bad.test", "b@bad.test"]


def test_tag_and_accept_take_the_mail_with_and_without_a_header(ruled):
    scene = ruled('rule "tagged" { sender = {"tag@*"} action = "tag" }\n'
                  'rule "silent" { sender = {"accept@*"} action = "accept" }\n')
    tagged = scene.must_accept("a@bad.test", sender="tag@from.test")
    silent = scene.must_accept("a@bad.test", sender="accept@from.test")
    assert len(tags(scene, tagged)) == 1 and tags(scene, silent) == []
    assert f'hop="{scene.bad_hop}"' in tags(scene, tagged)[0]
    line = scene.milter.log.wait_for(r"accept: to=<a@bad\.test>.*").string
    assert 'rule="silent"' in line, line
    assert scene.send("a@bad.test", sender="other@from.test").refusal == REFUSED


def test_sender_and_recipient_patterns_and_bounces(ruled):
    scene = ruled('rule "bounces" { sender = {"<>"} action = "accept" }\n'
                  'rule "vip" { sender = {"*@VIP.test"} recipient = {"postmaster@*"} action = "tag" }\n')
    assert scene.send("a@bad.test", sender="").accepted
    assert scene.send("postmaster@bad.test", sender="x@vip.test").accepted
    assert scene.send("Postmaster@bad.test", sender="X@Vip.Test").accepted
    assert scene.send("a@bad.test", sender="x@vip.test").refusal == REFUSED
    assert scene.send("postmaster@bad.test", sender="x@from.test").refusal == REFUSED
    # Of one message only those recipients are refused that no rule takes.
    sent = scene.send(["postmaster@bad.test", "a@bad.test", "b@good.test"], sender="x@vip.test")
    assert [reply.code for reply in sent.rcpt] == [250, 451, 250] and sent.accepted, sent
    assert len(tags(scene, sent)) == 1


def test_clients_are_told_apart_by_login_network_and_way_in(ruled):
    scene = ruled('rule "one" { client = {"127.0.0.64/26"} action = "tag" }\n'
                  'rule "two" { client = {"authenticated"} detail = "brief" }\n'
                  'rule "three" { client = {"mynetworks"} action = "accept" }\n'
                  'rule "four" { client = {"reentry"} action = "hold" }\n'
                  'rule "five" { client = {"local"} action = "hold" }\n')
    assert scene.must_accept("a@bad.test", source="127.0.0.66")
    assert scene.send("a@bad.test", source="127.0.0.67").accepted
    assert send(scene.port, "a@bad.test", source="127.0.0.128").refusal == REFUSED
    # Login first; the address of this client is in no rule.
    sent = send(scene.port, "a@bad.test", source="127.0.0.128", login=True)
    assert sent.refusal == REFUSED and sent.data == "", sent
    assert send(scene.port, "a@bad.test", source=MYNETWORKS).accepted
    handed = send(scene.postfix.reentry, "a@bad.test", source=MYNETWORKS)
    assert handed.accepted
    wait_until(lambda: queue_name(scene, handed.queue_id) == "hold", 5, "held at re-entry")
    mark = scene.postfix.log.mark()
    assert scene.postfix.sendmail("s@from.test", ["a@bad.test"], message(new_ident())).returncode == 0
    line = scene.postfix.log.wait_for(r"(\S+): milter-hold: END-OF-MESSAGE from local", 10, mark)
    assert queue_name(scene, line.group(1).split()[-1]) == "hold"


def test_tempfail_never_meets_sendmail_nor_by_accident_what_a_filter_hands_back(ruled):
    scene = ruled('rule "all" { action = "tempfail" }\n')
    mark = scene.postfix.log.mark()
    assert scene.postfix.sendmail("s@from.test", ["a@bad.test"], message(new_ident())).returncode == 0
    found = scene.postfix.log.wait_for(r" (\w+): from=<s@from\.test>.*\(queue active\)", 15, mark)
    assert len(tags(scene, found.group(1))) == 1
    assert send(scene.postfix.reentry, "a@bad.test", source=MYNETWORKS).accepted
    assert scene.postfix.log.find("milter configuration error|status=bounced") == []


def test_role_hop_and_reason_choose_the_fault(site):
    scene = FilterScene(site)
    scene.milter.extra = (
        f'rule "other hop" {{ hop = {{"{scene.hop}9"}} action = "accept" }}\n'
        'rule "role" { role = {"relayhost", "transport"} action = "accept" }\n'
        'rule "hung up" { role = {"content-filter"} reason = {"connection-lost"} action = "tag" }\n'
        'rule "rest" { hop = {"smtp-amavis:*"} reason = {"connection-*"} detail = "full" }\n')
    scene.start()
    scene.wait_up()
    scene.filter.stop()
    time.sleep(MAX_AGE)
    sent = scene.send()
    since = scene.milter.hop(scene.hop)["since"]
    assert sent.refusal == full("4.4.1", "content-filter", scene.hop, since, "connection refused")
    scene.filter.set("close")
    scene.filter.start()
    time.sleep(MAX_AGE)
    wait_until(lambda: scene.send().accepted, 10, "connection-lost is tagged")
    assert scene.milter.hop(scene.hop)["reason"] == "connection-lost"
    assert len(tags(scene, scene.must_accept())) == 1


SWAKS = ["swaks", "--helo", "client.test", "--suppress-data", "--pipeline", "--timeout", "10",
         "--header", "X-Test-Id: swaks", "--auth", "PLAIN", "--auth-user", "user@from.test",
         "--auth-password", "secret"]


@pytest.mark.parametrize("order", [("a@good.test", "a@bad.test"), ("a@bad.test", "a@good.test")])
@pytest.mark.parametrize("way", ["default", "rule", "inet"])
def test_all_or_nothing_refuses_the_whole_message_of_a_client_that_pipelines(site, ruled, order, way):
    """Over TCP Postfix asks us at DATA, too, where a refusal would not outlive a second DATA."""
    scene = ruled(
        'rule "all" { client = {"other"} all_or_nothing = true }\n' if way == "rule" else "",
        **({"listen": f"inet:{site.world.free_port()}@127.0.0.1"} if way == "inet" else {}))
    with scene.session("other" if way == "rule" else "authenticated") as session:
        replies = session.pipeline("MAIL FROM:<s@from.test>", *(f"RCPT TO:<{to}>" for to in order),
                                   "DATA")
        codes = dict(zip(order, (reply.code for reply in replies[1:3])))
        assert codes == {"a@good.test": 250, "a@bad.test": 451}, replies
        final = replies[3]
        assert final.code == 354, replies
        final = session.command("Subject: x\r\n\r\nx\r\n.")
        assert final.code == 451 and "connection refused" in final, final
        assert final == dict(zip(order, replies[1:3]))["a@bad.test"]
        assert session.command("RSET").code == 250
        # The next message of the session is another matter.
        assert transact(session, "b@good.test").accepted
    wait_until(lambda: len(scene.good.messages) == 1, 5, "the healthy message alone")


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "in steps"])
def test_all_or_nothing_with_swaks(ruled, pipelining):
    scene = ruled("")
    argv = [word for word in SWAKS if pipelining or word != "--pipeline"]
    done = subprocess.run([*argv, "--server", f"127.0.0.1:{scene.port}", "--local-interface",
                           "127.0.0.66", "--from", "s@from.test", "--to", "a@good.test,a@bad.test"],
                          check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0, done.stdout
    assert re.search(r"^<\S* +451 4\.4\.1 transport smtp:\S+ is down since \S+: connection refused",
                     done.stdout, re.MULTILINE), done.stdout
    assert "queued as" not in done.stdout and scene.postfix.queue_files() == []
    assert len(scene.good.messages) == 0


def test_without_all_or_nothing_an_authenticated_client_loses_one_recipient_alone(ruled):
    scene = ruled('rule "lists" { client = {"authenticated"} all_or_nothing = false }\n')
    sent = scene.send(["a@good.test", "a@bad.test"], "authenticated")
    assert [reply.code for reply in sent.rcpt] == [250, 451] and sent.accepted, sent


def test_after_and_for_at_most_make_a_window(ruled):
    scene = ruled('rule "window" { after = 3s for_at_most = 8s }\n',
                  probe={**QUIET, "down_interval": "1s"})
    began = time.monotonic()
    first = scene.send("a@bad.test")
    assert first.accepted and len(tags(scene, first)) == 1, first
    seen = []
    while time.monotonic() < began + 11:
        asked = time.monotonic() - began
        sent = scene.send("a@bad.test")
        seen.append((asked, time.monotonic() - began, "tag" if sent.accepted else "tempfail"))
        time.sleep(0.2)
    # "since" has whole seconds, so each edge may be up to a second early.
    for start, end, what in seen:
        if end < 2 or start > 8.2:
            assert what == "tag", seen
        if start > 3.2 and end < 7:
            assert what == "tempfail", seen


def test_what_a_rule_says_is_explained_with_its_name(ruled):
    scene = ruled('rule "vip" { sender = {"*@vip.test"} action = "hold" }\n'
                  'rule "back" { client = {"reentry"} action = "tag" }\n'
                  'rule "submission" { client = {"authenticated"} detail = "brief" }\n')
    scene.send("a@bad.test")
    _, found = scene.milter.ctl("explain", "--json", "x@vip.test", "a@bad.test")
    assert {(item["client"], item["action"], item["rule"]) for item in found["verdicts"]} == {
        (client, "hold", "vip") for client in ("other", "mynetworks", "authenticated", "local")}, found
    _, found = scene.milter.ctl("explain", "--json", "x@from.test", "a@bad.test")
    by_client = {item["client"]: item for item in found["verdicts"]}
    assert by_client["authenticated"]["rule"] == "submission"
    assert by_client["authenticated"]["reply"] == REFUSED
    assert by_client["other"]["rule"] is None and by_client["local"]["action"] == "tag"
    _, found = scene.milter.ctl("explain", "--json", "x@from.test", "a@bad.test", "--listener",
                                f"127.0.0.1:{scene.postfix.reentry}")
    assert [(item["client"], item["action"], item["rule"]) for item in found["verdicts"]] == [
        ("reentry", "tag", "back")], json.dumps(found, indent=1)
    _, text = scene.milter.ctl("explain", "x@vip.test", "a@bad.test")
    assert re.search(r'^other +hold \(rule "vip"\)$', text, re.MULTILINE), text


def test_rules_change_with_a_reload_and_not_in_mid_session(ruled):
    scene = ruled("")
    with scene.session() as session:
        session.mail("s@from.test")
        assert session.rcpt("a@good.test").code == 250
        scene.milter.extra = 'rule "all" { action = "tag" }\n'
        scene.milter.write()
        mark = scene.milter.log.mark()
        scene.milter.hup()
        scene.milter.log.wait_for("reload", 10, mark)
        wait_until(lambda: scene.send("a@bad.test").accepted, 10, "the new rule")
        assert session.rcpt("b@bad.test") == REFUSED
        session.command("RSET")
        assert transact(session, "c@bad.test").refusal == REFUSED
    assert scene.send("d@bad.test").accepted


def test_a_thousand_recipients_by_a_rule_about_recipients(ruled):
    scene = ruled('rule "some" { recipient = {"tag*@*"} action = "tag" }\n'
                  'rule "held" { recipient = {"hold*@*"} action = "hold" }\n', max_failures=1000)
    with scene.session() as session:
        commands = ["MAIL FROM:<s@from.test>"]
        names = [f"{('tag', 'bad', 'hold', 'good')[number % 4]}{number}" for number in range(1000)]
        commands += [f"RCPT TO:<{name}@{'good' if name.startswith('good') else 'bad'}.test>"
                     for name in names[:16]]
        replies = session.pipeline(*commands)
        codes = [reply.code for reply in replies[1:]]
        assert codes == [250, 451, 250, 250] * 4, replies
        for name in names[16:]:
            if not name.startswith("bad"):
                domain = "good" if name.startswith("good") else "bad"
                assert session.rcpt(f"{name}@{domain}.test").code == 250, name
        began = time.monotonic()
        final = session.data(message(new_ident()))
        assert final.code == 250, final
        assert time.monotonic() - began < 2
    queue_id = final.rsplit(" ", 1)[-1]
    wait_until(lambda: queue_name(scene, queue_id) == "hold", 5, "one recipient holds all")
    assert len(tags(scene, queue_id)) == 1


def test_all_or_nothing_holds_where_a_before_queue_filter_takes_the_message(site):
    """There Postfix does not ask us at the end of a message."""
    scene = RouteScene(site)
    proxy = site.peer()
    scene.port = scene.postfix.add_listener(smtpd_proxy_filter=f"127.0.0.1:{proxy.bind_to[1]}")
    scene.start()
    scene.must_accept(["first@bad.test", "first@good.test"], "authenticated")
    scene.break_bad()
    sent = scene.send(["a@good.test", "a@bad.test"], "authenticated")
    assert [reply.code for reply in sent.rcpt] == [250, 451], sent
    # A client that could say DATA again would be let through: libmilter does not answer to that.
    assert sent.data.code == 421 and "connection refused" in sent.data, sent
    with scene.session("authenticated") as session:
        session.pipeline("MAIL FROM:<s@from.test>", "RCPT TO:<a@good.test>", "RCPT TO:<a@bad.test>")
        session.send("DATA", "DATA")
        assert session.reply().code == 421
        assert session.reply() == "", "hung up"
    assert len(proxy.messages) == 1


@pytest.mark.parametrize("strips", [True, False], ids=["strip_forged", "no strip_forged"])
@pytest.mark.parametrize("way", ["unix", "inet"])
def test_a_refused_message_stays_refused_whatever_the_client_says_next(site, ruled, way, strips):
    scene = ruled("", strip_forged=strips,
                  **({"listen": f"inet:{site.world.free_port()}@127.0.0.1"} if way == "inet" else {}))
    with scene.session("authenticated") as session:
        for then in ((), ("DATA",), ("RCPT TO:<c@good.test>", "DATA")):
            assert session.command("MAIL FROM:<s@from.test>").code == 250
            assert session.command("RCPT TO:<a@good.test>").code == 250
            assert session.command("RCPT TO:<a@bad.test>").code == 451
            began = time.monotonic()
            assert session.command("DATA").code == 354
            assert session.command("Subject: x\r\n\r\nx\r\n.").code == 451
            for command in then:
                # There is no transaction any more.
                assert session.command(command).code == 503, command
            assert time.monotonic() - began < 2
            # What is taken back is not held against the next message.
            assert session.command("RSET").code == 250
            assert transact(session, "b@good.test").accepted
    wait_until(lambda: len(scene.good.messages) == 3, 5, "the healthy messages alone")
