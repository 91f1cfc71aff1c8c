"""Transports that master.cf lacks or lost, and what looking at private/ sockets costs Postfix."""
import os
import signal
import time

import pytest

from harness.scene import DETECTION, LOCAL_RECOVERY, MAX_AGE
from harness.transports import (BRISK, GREETING, QUIET, FakeService, TransportScene,
                                UnprivilegedMilter, check, hold_for, listens, pipe, service,
                                wait_until)

UNDEFINED = ("transport-undefined", "4.3.5")
REFUSED = ("transport-refused", "4.3.0")
# What virtual(8) does not start without.
VIRTUAL = {"virtual_mailbox_domains": "virtual.example", "virtual_mailbox_base": "/nonexistent",
           "virtual_uid_maps": "static:65534", "virtual_gid_maps": "static:65534"}


def test_a_transport_that_a_sender_map_names_and_master_cf_has_not_refuses_the_first_message(site):
    scene = TransportScene(site, sender="a@bad.example")
    scene.hop, scene.recipient = "gone:", "a@elsewhere.example"
    # A kind of table that cannot be listed, so that the hop is learned from the message.
    table = scene.postfix.config / "sdd"
    table.write_text(f"/@bad\\.example$/ gone:\n/@good\\.example$/ {scene.other_hop}\n",
                     encoding="utf-8")
    scene.postfix.params.update(
        smtpd_relay_restrictions="check_client_access static:OK, reject",
        sender_dependent_default_transport_maps=f"regexp:{table}")
    scene.start()
    assert scene.milter.hop("gone:") == {}
    scene.must_be_refused(*UNDEFINED)
    assert check(scene.milter.hop("gone:"), "service") == ("down", "transport-undefined")
    scene.must_deliver(scene.other, sender="a@good.example")
    scene.postfix.wait_empty()

    scene.change_and_reload(scene.text + service("gone", "discard"))
    scene.must_recover(LOCAL_RECOVERY)


def test_a_nexthop_of_a_transport_that_is_defined_later_is_looked_at_from_then_on(site):
    """Nothing can be asked of a server before we know what its transport speaks."""
    scene = TransportScene(site, text="", probe=BRISK).start()
    scene.must_be_refused(*UNDEFINED)
    scene.change_and_reload(service("svc"))
    scene.must_recover(LOCAL_RECOVERY)
    wait_until(lambda: check(scene.milter.hop(scene.hop), "server") == ("up", None), 5,
               "the server is looked at")
    scene.postfix.wait_empty()
    scene.sink.stop()
    scene.milter.wait_state(scene.hop, "down", "connection-refused")


def test_a_service_that_was_removed_refuses_until_it_is_back(site):
    """The socket stays where it is, and nobody listens on it."""
    scene = TransportScene(site).start()
    text = scene.text
    scene.must_deliver(scene.sink)
    assert check(scene.milter.hop(scene.hop), "service") == ("up", None)
    assert check(scene.milter.hop(scene.hop), "server") == ("up", None)
    scene.postfix.wait_empty()

    scene.change_and_reload("")
    time.sleep(MAX_AGE)
    assert scene.private().is_socket()
    scene.must_be_refused(*REFUSED)
    scene.must_have_nothing(scene.sink, counts=[1])
    scene.must_deliver(scene.other, "a@other.test")

    scene.change_and_reload(text)
    time.sleep(MAX_AGE / 10)
    scene.must_deliver(scene.sink)


def test_a_service_that_was_removed_with_its_socket_is_undefined_until_it_is_back(site):
    scene = TransportScene(site).start()
    text = scene.text
    scene.must_deliver(scene.sink)
    scene.postfix.wait_empty()
    scene.change_and_reload("")
    scene.private().unlink()
    time.sleep(MAX_AGE)
    scene.must_be_refused(*UNDEFINED)
    scene.change_and_reload(text)
    time.sleep(MAX_AGE / 10)
    scene.must_deliver(scene.sink)


@pytest.mark.seconds(10)
def test_a_service_that_was_removed_stays_refused_for_as_long_as_it_lasts(site):
    """Its server is not asked any more, and that must not make an old result of the whole."""
    scene = TransportScene(site, probe=BRISK).start()
    scene.must_deliver(scene.sink)
    scene.postfix.wait_empty()
    scene.change_and_reload("")
    scene.milter.wait_state(scene.hop, "down", "transport-refused", DETECTION)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        hop = scene.milter.hop(scene.hop)
        assert (hop["state"], hop["reason"]) == ("down", "transport-refused"), hop
        time.sleep(0.25)
    scene.must_be_refused(*REFUSED)
    assert scene.send().rcpt_seconds < 0.25


def test_a_service_that_was_removed_takes_down_every_hop_that_uses_it(site):
    scene = TransportScene(site, probe=BRISK)
    second = f"svc:[127.0.0.1]:{scene.other.bind_to[1]}"
    scene.postfix.route("second.test", second)
    scene.start()
    scene.must_deliver(scene.sink)
    scene.must_deliver(scene.other, "a@second.test")
    scene.postfix.wait_empty()
    scene.change_and_reload("")
    for hop in (scene.hop, second):
        scene.milter.wait_state(hop, "down", "transport-refused", DETECTION)
    assert scene.milter.hop(scene.other_hop).get("state", "up") == "up"


@pytest.mark.seconds(6)
def test_a_service_that_was_removed_but_not_reloaded_goes_on(site):
    scene = TransportScene(site, probe=BRISK).start()
    scene.must_deliver(scene.sink)
    scene.change("")
    hold_for(3, lambda: scene.milter.hop(scene.hop)["state"] == "up",
             lambda: scene.milter.hop(scene.hop))
    for _ in range(3):
        scene.must_deliver(scene.sink)
    scene.postfix.reload()
    time.sleep(MAX_AGE)
    scene.must_be_refused(*REFUSED)


def test_a_content_filter_whose_transport_is_gone_is_down_before_any_mail(site):
    scene = TransportScene(site)
    scene.hop = "gone:[127.0.0.1]:10024"
    scene.postfix.params["content_filter"] = scene.hop
    scene.start()
    scene.milter.wait_state(scene.hop, "down", "transport-undefined", 5)
    scene.must_be_refused(*UNDEFINED, role="content-filter")
    scene.must_have_nothing(scene.sink, scene.other)

    scene.postfix.params["content_filter"] = ""
    scene.postfix.reload()
    wait_until(lambda: scene.milter.hop(scene.hop) == {}, 5, "the hop is forgotten")
    scene.must_deliver(scene.sink)


@pytest.mark.parametrize("port", ["nosuchport", "99999"])
def test_a_nexthop_with_an_unknown_port_refuses_the_first_message(site, port):
    scene = TransportScene(site, nexthop=f"[127.0.0.1]:{port}").start()
    scene.must_be_refused("nexthop-invalid", "4.3.5")
    assert check(scene.milter.hop(scene.hop), "service") == ("up", None)
    scene.must_deliver(scene.other, "a@other.test")
    scene.postfix.route("to.test", f"svc:[127.0.0.1]:{scene.sink.bind_to[1]}")
    scene.postfix.reload()
    time.sleep(1)  # trivial-rewrite of before the reload
    scene.must_deliver(scene.sink)


def test_transports_of_main_cf_are_hops_from_the_start(site):
    scene = TransportScene(site)
    scene.postfix.params.update(default_transport="smtp", local_transport="local:$myhostname",
                                **VIRTUAL)
    scene.start()
    for hop in ("smtp:", "relay:", "local:", "virtual:"):
        seen = scene.milter.wait_state(hop, "up", timeout=5)
        assert check(seen, "service") == ("up", None) and seen["roles"] == ["transport"], seen
        assert not seen["learned"]


@pytest.mark.seconds(8)
def test_sockets_refuse_when_master_was_killed_and_answer_when_it_is_back(site):
    scene = TransportScene(site, probe=BRISK)
    scene.postfix.params["default_transport"] = "smtp"
    scene.start()
    scene.must_deliver(scene.sink)
    names = ("smtp:", "local:", "relay:", scene.hop)
    for name in names:
        scene.milter.wait_state(name, "up")
    os.kill(scene.postfix.master_pid(), signal.SIGKILL)
    for name in names:
        scene.milter.wait_state(name, "down", "transport-refused", DETECTION)
    scene.postfix.start()
    for name in names:
        scene.milter.wait_state(name, "up", timeout=3)
    scene.must_recover(LOCAL_RECOVERY)


@pytest.mark.seconds(8)
def test_without_the_right_to_look_into_private_nothing_is_known_and_all_mail_passes(site):
    scene = TransportScene(site, probe=BRISK)
    scene.milter = UnprivilegedMilter(scene.site.dir / "nobody", scene.postfix, probe=dict(BRISK),
                                      listen=f"inet:{site.world.free_port()}@127.0.0.1")
    site.at_end(scene.milter.end)
    site.show("milter", lambda: scene.milter.log.tail(200))
    scene.postfix.use_milter(scene.milter)
    scene.start()
    scene.must_deliver(scene.sink)
    scene.must_deliver(scene.other, "a@other.test", "mynetworks")
    for name in (scene.hop, scene.other_hop, "local:"):
        hop = scene.milter.wait_state(name, "unknown", "local-error")
        assert check(hop, "service") == ("unknown", "local-error"), hop
        assert "Permission denied" in hop["detail"], hop
    hold_for(2, lambda: scene.milter.hop(scene.hop)["state"] == "unknown", "never held against it")
    scene.must_deliver(scene.sink)
    scene.postfix.wait_empty()
    # What it can see still counts.
    scene.sink.stop()
    time.sleep(MAX_AGE)
    assert scene.send().refusal.startswith("451 4.4.1 transport is temporarily unavailable: ")


@pytest.mark.seconds(50)
def test_an_hour_of_probes_of_private_sockets_leaves_no_trace_in_the_log_of_postfix(site):
    """An hour at the default interval is 360 probes; an agent ends by itself when it was asked so often."""
    probe = {**BRISK, "interval": "100ms", "fast_interval": "100ms"}
    scene = TransportScene(site, service("svc") + pipe("piped", "/bin/true"), probe=probe)
    scene.postfix.params.update(default_transport="smtp", max_use="360", default_process_limit="1", **VIRTUAL)
    names = ("smtp", "relay", "lmtp", "local", "virtual", "error", "retry", "discard", "smtp-amavis", "svc",
             "piped")
    scene.milter.extra = "".join(f'hop "{name}:" {{ }}\n' for name in names)
    scene.start()
    for name in names:
        scene.milter.wait_state(f"{name}:", "up")
    mark = scene.postfix.log.mark()
    first = {name: wait_until(lambda name=name: agent_of(site, name), 20, f"one agent of {name}")
             for name in names}
    waiting = set(names)

    def all_were_replaced():
        waiting.difference_update([name for name in waiting
                                   if agent_of(site, name) not in (first[name], None)])
        return not waiting
    wait_until(all_were_replaced, 100, f"every agent has been asked 360 times, but {waiting}", 0.5)
    assert scene.postfix.log.text(mark) == ""
    for name in names:
        assert scene.milter.hop(f"{name}:")["state"] == "up"


def agent_of(site, name):
    """The process ID of the one agent of a service, None: none or several run."""
    found = [pid for pid, command in site.world.processes().items()
             if (words := command.split()) and "-t" in words
             and (words[words.index("-n") + 1] if "-n" in words else words[0].split("/")[-1]) == name]
    return found[0] if len(found) == 1 else None


@pytest.mark.seconds(6)
def test_a_service_that_never_answered_was_never_up(site):
    scene = TransportScene(site, probe=BRISK)
    scene.milter.extra = 'hop "svc:" { }\n'
    scene.postfix.prepare()
    scene.postfix.start()
    site.at_end(FakeService(scene.private()).close)
    scene.milter.start()
    seen = set()

    def is_down():
        seen.add(scene.milter.hop("svc:").get("state"))
        return "down" in seen
    wait_until(is_down, DETECTION, "the service is down")
    assert seen == {"unknown", "down"}, seen


@pytest.mark.seconds(10)
def test_never_more_than_one_connection_waits_for_a_service_whatever_mail_asks(site):
    """Nothing that is accepted is delivered: qmgr would have connections of its own."""
    scene = TransportScene(site, probe={**BRISK, "interval": "200ms"})
    scene.postfix.params["defer_transports"] = "svc"
    scene.postfix.prepare()
    scene.postfix.start()
    fake = FakeService(scene.private())
    site.at_end(fake.close)
    scene.milter.start()
    scene.milter.wait_sockets()
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        scene.send()
        time.sleep(0.05)
    scene.milter.wait_state(scene.hop, "down", "transport-silent", DETECTION)
    assert (fake.most, fake.total, fake.sent) == (1, 1, b""), vars(fake)
    fake.release(GREETING)
    scene.milter.wait_state(scene.hop, "up", timeout=1)
    for _ in range(3):
        time.sleep(MAX_AGE)
        scene.send()
    assert fake.most == 1 and fake.total > 1 and fake.sent == b"", vars(fake)


@pytest.mark.seconds(8)
def test_one_connection_at_a_time_without_any_mail(site):
    scene = TransportScene(site, probe={**BRISK, "interval": "200ms"})
    scene.milter.extra = 'hop "svc:" { }\n'
    scene.postfix.prepare()
    scene.postfix.start()
    fake = FakeService(scene.private())
    site.at_end(fake.close)
    scene.milter.start()
    scene.milter.wait_state("svc:", "down", "transport-silent", DETECTION)
    time.sleep(3)
    assert (fake.most, fake.total, fake.open, fake.sent) == (1, 1, 1, b"")
    released = time.monotonic()
    fake.release(GREETING)
    scene.milter.wait_state("svc:", "up", timeout=1.0)
    print(f"up {time.monotonic() - released:.3f} s after the greeting")
    time.sleep(2)
    assert fake.most == 1 and fake.total >= 5 and fake.sent == b"", vars(fake)


@pytest.mark.parametrize("greeting", [b"220 I am an SMTP server\r\n", b"",
                                      b"protocol\0something_else\0\0"], ids=["smtp", "eof", "other"])
def test_a_service_that_is_no_delivery_agent_is_broken(site, greeting):
    scene = TransportScene(site, probe=BRISK)
    scene.milter.extra = 'hop "svc:" { }\n'
    scene.postfix.prepare()
    scene.postfix.start()
    fake = FakeService(scene.private(), greeting)
    site.at_end(fake.close)
    scene.milter.start()
    scene.milter.wait_sockets()
    scene.milter.wait_state("svc:", "down", "transport-broken", DETECTION)
    scene.must_be_refused("transport-broken", "4.3.0")
    fake.release(GREETING)
    scene.milter.wait_state("svc:", "up", timeout=2)


@pytest.mark.seconds(20)
def test_three_hundred_transports_are_up_soon_and_one_that_is_removed_is_seen(site):
    names = [f"t{number:03d}" for number in range(300)]
    lines = {name: service(name, "discard") for name in names}
    scene = TransportScene(site, "".join(lines.values()), probe={**QUIET, "interval": "5s"})
    scene.postfix.params["max_idle"] = "3s"
    scene.milter.extra = "".join(f'hop "{name}:" {{ }}\n' for name in names)
    scene.postfix.route("to.test", "t123:")
    scene.hop = "t123:"
    scene.postfix.prepare()
    scene.postfix.start()
    began = time.monotonic()
    scene.milter.start()
    scene.milter.wait_sockets()

    def not_up():
        hops = scene.milter.hops()
        return [name for name in names if hops.get(f"{name}:", {}).get("state") != "up"]
    wait_until(lambda: not not_up(), 20, "all of them are up", 0.1)
    print(f"300 transports up after {time.monotonic() - began:.2f} s")
    scene.must_accept()
    scene.postfix.wait_empty()
    text = scene.text
    scene.change_and_reload("".join(line for name, line in lines.items() if name != "t123"))
    # The engine reads the configuration of 300 transports again meanwhile.
    scene.milter.wait_state("t123:", "down", "transport-refused")
    scene.must_be_refused(*REFUSED)
    wait_until(lambda: not_up() == ["t123"], 10, f"only that one: {not_up()}", 0.2)
    began = time.monotonic()
    scene.change_and_reload(text)
    wait_until(lambda: listens(scene.private("t123")), 20, "master has done it")
    print(f"master listens {time.monotonic() - began:.1f} s after the edit")
    scene.must_recover(LOCAL_RECOVERY)


@pytest.mark.seconds(8)
def test_an_engine_that_was_killed_is_followed_by_one_that_sees_the_same(site):
    scene = TransportScene(site, probe=QUIET)
    scene.postfix.params["default_transport"] = "smtp"
    scene.postfix.route("gone.test", "gone:")
    scene.start()
    names = ("smtp:", "local:", "relay:")
    scene.must_deliver(scene.sink)
    scene.send("a@gone.test")
    for name in names:
        scene.milter.wait_state(name, "up")
    engine = scene.milter.engine_pid()
    os.kill(engine, signal.SIGKILL)
    scene.milter.log.wait_for(r"killed by signal 9")
    wait_until(lambda: scene.milter.status(check=False), 5, "the next engine answers")
    for name in names:
        scene.milter.wait_state(name, "up")
    assert scene.milter.engine_pid() != engine
    scene.milter.wait_sockets()
    scene.must_deliver(scene.sink)
    assert scene.send("a@gone.test").refusal.startswith("451 4.3.5 transport is temporarily")
    scene.postfix.wait_empty()
    scene.change_and_reload("")
    time.sleep(MAX_AGE)
    scene.must_be_refused(*REFUSED)
