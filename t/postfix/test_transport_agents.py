"""Delivery agents that cannot start or are all at work, commands and bind addresses that are not there."""
import subprocess
import time

import pytest

from harness.scene import DETECTION, LOCAL_RECOVERY, MAX_AGE
from harness.transports import (BRISK, FakeService, TransportScene, check, greeting_of, hold_for,
                                pipe, service, wait_until)

SILENT = ("transport-silent", "4.3.0")
MISSING = ("command-missing", "4.3.5")
BIND = ("bind-address", "4.3.5")
ELSEWHERE = "192.0.2.77"  # not on this host
BAD = service("svc", "smtp", "smtp_mx_session_limit = many")
# `postfix reload` does not end it: master starts no agent of a service before it is over.
THROTTLE = "5s"


def must_be_up_soon_after_its_greeting(scene):
    """Within a second of what qmgr would see, and then mail passes."""
    assert greeting_of(scene.private(), 20)
    greeted = time.monotonic()
    scene.milter.wait_state(scene.hop, "up", timeout=2)
    seconds = time.monotonic() - greeted
    print(f"up {seconds:.2f} s after the agent's greeting")
    assert seconds <= 1.0, seconds
    scene.must_recover(0)


@pytest.mark.seconds(15)
def test_an_agent_that_dies_at_start_is_silent_within_fifteen_seconds(site):
    """With intervals and timeouts, ours and Postfix's, as they are by default."""
    scene = TransportScene(site, BAD, probe={})
    scene.postfix.params["content_filter"] = scene.hop
    scene.start()
    began = time.monotonic()
    hop = scene.milter.wait_state(scene.hop, "down", "transport-silent", 15)
    print(f"silent after {time.monotonic() - began:.1f} s")
    assert check(hop, "service") == ("down", "transport-silent"), hop
    scene.must_be_refused(*SILENT, role="content-filter")
    scene.must_have_nothing(scene.sink)


@pytest.mark.seconds(25)
def test_agents_that_die_again_and_again_are_not_taken_for_agents_at_work(site):
    """Each of them lives for a second after its last words, and master starts the next one."""
    scene = TransportScene(site, BAD, probe=BRISK)
    scene.postfix.params.update(content_filter=scene.hop, service_throttle_time="4s")
    scene.start()
    scene.milter.wait_state(scene.hop, "down", "transport-silent", 15)
    hold_for(12, lambda: scene.milter.hop(scene.hop)["state"] == "down",
             lambda: scene.milter.hop(scene.hop))


@pytest.mark.seconds(15)
@pytest.mark.parametrize("broken", [
    BAD, service("svc", "smtp", "daemon_timeout = later"), "svc unix - n n - - nosuchprogram\n",
], ids=["number", "time", "program"])
def test_an_agent_that_worked_and_then_dies_at_start_is_silent(site, broken):
    scene = TransportScene(site, probe=BRISK)
    scene.postfix.params.update(content_filter=scene.hop, service_throttle_time=THROTTLE)
    scene.start()
    text = scene.text
    scene.must_deliver(scene.sink)
    scene.postfix.wait_empty()
    scene.change_and_reload(broken)
    scene.milter.wait_state(scene.hop, "down", "transport-silent", 15)
    scene.must_be_refused(*SILENT, role="content-filter")
    scene.must_have_nothing(scene.sink, counts=[1])
    scene.change_and_reload(text)
    must_be_up_soon_after_its_greeting(scene)


@pytest.mark.seconds(8)
def test_agents_of_another_postfix_on_this_host_are_not_taken_for_ours(site):
    scene = TransportScene(site, probe=BRISK)
    scene.milter.extra = 'hop "svc:" { }\n'
    other = site.postfix()
    other.params["multi_instance_name"] = "other"
    other.add_service(service("svc"))
    other.start()
    assert greeting_of(other.queue_directory / "private" / "svc", 5)
    scene.postfix.prepare()
    scene.postfix.start()
    site.at_end(FakeService(scene.private()).close)
    scene.milter.start()
    scene.milter.wait_state("svc:", "down", "transport-silent", 6)


@pytest.mark.seconds(12)
def test_a_service_whose_only_agent_is_at_work_is_busy_and_mail_passes_with_a_tag(site):
    text = service("svc", "smtp", "smtp_helo_timeout = 60", maxproc="1")
    scene = TransportScene(site, text, probe=BRISK)
    slow = site.peer()
    scene.postfix.route("slow.test", f"svc:[127.0.0.1]:{slow.bind_to[1]}")
    scene.start()
    assert scene.must_deliver(scene.sink).header()[0][0] == "Received"
    scene.postfix.wait_empty()

    slow.set("hang")
    assert scene.postfix.sendmail("s@from.test", ["a@slow.test"], "Subject: x\n\nx\n").returncode == 0
    wait_until(lambda: slow.connections >= 1, 5, "the agent is at work")
    hop = scene.milter.wait_state(scene.hop, "degraded", "transport-busy", DETECTION)
    assert check(hop, "service") == ("degraded", "transport-busy"), hop
    assert check(hop, "server") == ("up", None), hop
    sent = scene.must_accept()
    time.sleep(2)
    assert scene.milter.hop(scene.hop)["reason"] == "transport-busy"
    assert scene.sink.find(sent.ident) is None, "the agent is not at work"

    slow.set("healthy")
    slow.release()
    found = scene.postfix.wait_delivery(lambda: scene.sink.find(sent.ident), 10, "delivery")
    name, value = found.header()[0]
    assert name == "Failfast-Status" and "state=degraded" in value, found.header()
    assert f'hop="{scene.hop}"; role=transport; reason=transport-busy' in value
    scene.milter.wait_state(scene.hop, "up", timeout=3)
    scene.postfix.wait_empty()
    assert scene.must_deliver(scene.sink).header()[0][0] == "Received"


@pytest.fixture(name="store")
def program(site):
    """A command that keeps mail in a file; returns (program, file)."""
    kept = site.dir / "kept"
    kept.touch()
    kept.chmod(0o666)
    command = site.dir / "store"

    def make(mode=0o755):
        command.write_text(f"#!/bin/sh\ncat >>{kept}\n", encoding="ascii")
        command.chmod(mode)
    return command, kept, make


def must_arrive(scene, kept):
    """One message that the command gets."""
    sent = scene.must_accept()
    wait_until(lambda: sent.ident in kept.read_text(), 10, "the command has run")
    scene.postfix.wait_empty()


def test_a_pipe_whose_program_appears_later_is_down_until_then(site, store):
    command, kept, make = store
    scene = TransportScene(site, pipe("svc", command), nexthop="").start()
    scene.must_be_refused(*MISSING)
    hop = scene.milter.hop("svc:")
    assert check(hop, "command") == ("down", "command-missing") and str(command) in hop["detail"]
    assert check(hop, "service") == ("up", None), hop
    make()
    scene.must_recover(LOCAL_RECOVERY)
    must_arrive(scene, kept)
    command.unlink()
    time.sleep(MAX_AGE)
    scene.must_be_refused(*MISSING)
    make()
    time.sleep(MAX_AGE)
    must_arrive(scene, kept)


def test_a_pipe_whose_program_may_not_be_executed_is_down_until_it_may(site, store):
    command, kept, make = store
    make(0o644)
    scene = TransportScene(site, pipe("svc", command), nexthop="").start()
    scene.must_be_refused(*MISSING)
    command.chmod(0o755)
    time.sleep(MAX_AGE)
    must_arrive(scene, kept)


@pytest.mark.parametrize("user", ["nosuchuser", "nobody:nosuchgroup", "root", "postfix"])
def test_a_pipe_with_a_user_that_cannot_be_is_down_until_master_cf_is_mended(site, store, user):
    command, kept, make = store
    make()
    scene = TransportScene(site, pipe("svc", command, user), nexthop="").start()
    scene.must_be_refused(*MISSING)
    assert "user=" in scene.milter.hop("svc:")["detail"]
    scene.must_deliver(scene.other, "a@other.test")
    scene.change_and_reload(pipe("svc", command))
    scene.must_recover(LOCAL_RECOVERY)
    must_arrive(scene, kept)


@pytest.mark.parametrize("fault", ["nobody", "program"])
def test_what_postfix_makes_of_a_faulty_pipe_agrees(site, store, fault):
    """Without us the mail stays in the queue: that is what a tempfail saves senders from."""
    command, _kept, make = store
    if fault == "nobody":
        make()
    user = "nosuchuser" if fault == "nobody" else "nobody"
    scene = TransportScene(site, pipe("svc", command, user), nexthop="")
    del scene.postfix.params["smtpd_milters"]
    scene.start()
    scene.must_accept()
    said = r"unknown username|unknown user" if fault == "nobody" else r"[Nn]o such file|not found"
    scene.postfix.log.wait_for(said, 10)
    assert scene.postfix.queue_files()


@pytest.mark.parametrize("address", ["not-an-address", "127.0.0.999", "2001:db8::1::2"])
def test_a_malformed_bind_address_is_down_until_master_cf_is_mended(site, address):
    text = service("svc", "smtp", f"smtp_bind_address = {address}")
    scene = TransportScene(site, text).start()
    scene.must_be_refused(*BIND)
    hop = scene.milter.hop(scene.hop)
    assert check(hop, "bind") == ("down", "bind-address") and address in hop["detail"], hop
    scene.must_deliver(scene.other, "a@other.test")
    scene.change_and_reload(service("svc", "smtp", "smtp_bind_address = 127.0.0.1"))
    scene.must_recover(LOCAL_RECOVERY)
    wait_until(lambda: scene.sink.messages, 10, "delivery")


@pytest.fixture(name="add_address")
def addresses(site):
    """Give this host the address that is missing."""
    def add():
        subprocess.run(["ip", "addr", "add", f"{ELSEWHERE}/32", "dev", "lo"], check=True)
        site.at_end(lambda: subprocess.run(["ip", "addr", "del", f"{ELSEWHERE}/32", "dev", "lo"],
                                           check=True))
    return add


def test_a_bind_address_of_another_host_degrades_and_mail_is_tagged(site, add_address):
    """Postfix warns, and sends from another address."""
    text = service("svc", "smtp", f"smtp_bind_address = {ELSEWHERE}")
    scene = TransportScene(site, text).start()
    scene.must_tag(scene.sink, "bind-address")
    hop = scene.milter.hop(scene.hop)
    assert (hop["state"], hop["reason"]) == ("degraded", "bind-address"), hop
    assert check(hop, "bind") == ("degraded", "bind-address"), hop
    assert scene.postfix.log.find(rf"warning: .*{ELSEWHERE}"), scene.postfix.log.tail()
    add_address()
    time.sleep(MAX_AGE)
    found = scene.must_deliver(scene.sink)
    assert found.header()[0][0] == "Received", found.header()
    assert scene.milter.hop(scene.hop)["state"] == "up"


def test_an_enforced_bind_address_of_another_host_is_down_until_it_is_here(site, add_address):
    text = service("svc", "smtp", f"smtp_bind_address = {ELSEWHERE}",
                   "smtp_bind_address_enforce = yes")
    scene = TransportScene(site, text).start()
    scene.must_be_refused(*BIND)
    assert check(scene.milter.hop(scene.hop), "bind") == ("down", "bind-address")
    scene.must_have_nothing(scene.sink)
    add_address()
    scene.must_recover(LOCAL_RECOVERY)
    wait_until(lambda: scene.sink.messages, 10, "delivery")


def test_a_bind_address_of_main_cf_counts_for_every_transport_that_has_no_other(site):
    scene = TransportScene(site, service("svc", "smtp", "smtp_bind_address = 127.0.0.1"))
    scene.postfix.params.update(smtp_bind_address=ELSEWHERE, smtp_bind_address_enforce="yes")
    scene.start()
    scene.must_deliver(scene.sink)
    assert scene.send("a@other.test").refusal.startswith("451 4.3.5 transport is temporarily")
    hop = scene.milter.hop(scene.other_hop)
    assert (hop["state"], hop["reason"]) == ("down", "bind-address"), hop
