"""Many sessions, clients that disappear, a milter that is restarted under load: count the mail."""
import collections
import os
import re
import signal
import socket
import struct
import time

import pytest

from harness.load import Load, together
from harness.milter import BRISK, is_sanitized
from harness.scene import RouteScene
from harness.smtp import Smtp, message, transact
from harness.wait import wait_until

REASON = re.compile(r"451 4\.\d\.\d transport is temporarily unavailable: \S.*|"
                    r"421 4\.\d\.\d transport is temporarily unavailable: \S.*")


def delivered(*sinks):
    """How often each id was delivered."""
    return collections.Counter(ident for sink in sinks for ident in sink.ids() if ident)


@pytest.mark.seconds(20)
def test_two_hundred_sessions_at_once_each_get_the_right_answer(site):
    scene = RouteScene(site)
    scene.postfix.params["default_process_limit"] = "450"
    scene.start()
    scene.must_deliver(scene.good, "a@good.test")
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.postfix.wait_empty()
    scene.break_bad()
    sessions = [Smtp(scene.port) for _ in range(200)]
    for session in sessions:
        assert session.hello().code == 250

    def one(session, number):
        return lambda: transact(session, "x@bad.test" if number % 2 else "x@good.test")

    results = together([one(session, number) for number, session in enumerate(sessions)])
    for session in sessions:
        session.close()
    failed = [result for result in results if not hasattr(result, "accepted")]
    assert not failed, failed[:3]
    good, bad = results[0::2], results[1::2]
    assert all(sent.accepted for sent in good)
    wrong = [sent.refusal for sent in bad if not REASON.fullmatch(sent.refusal)]
    assert not wrong, wrong
    slowest = max(sent.ended - sent.began for sent in results)
    print(f"slowest of 200 transactions at once: {slowest:.2f} s")
    scene.postfix.wait_empty(30)
    assert delivered(scene.good) == collections.Counter(
        [sent.ident for sent in good] + [scene.good.messages[0].ident])
    assert len(scene.bad.messages) == 1


def test_clients_that_disappear_in_mid_message_leave_nothing_behind(site):
    scene = RouteScene(site).start()
    scene.must_deliver(scene.good, "a@good.test")
    engine = scene.milter.engine_pid()

    def descriptors():
        return len(os.listdir(f"/proc/{engine}/fd"))

    def disappear(stage):
        session = Smtp(scene.port)
        session.hello()
        commands = ["MAIL FROM:<s@from.test>", "RCPT TO:<a@good.test>", "DATA"][:stage]
        for command in commands:
            session.command(command)
        if stage == 3:
            session.send(*message("lost").splitlines())
        sock = session._sock  # pylint: disable=protected-access
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        session.close()

    wait_until(lambda: not scene.postfix.queue_files(), 5, "an empty queue")
    before = descriptors()
    for _ in range(10):
        for stage in range(4):
            disappear(stage)
    scene.must_deliver(scene.good, "b@good.test")
    scene.postfix.wait_empty()
    assert delivered(scene.good)["lost"] == 0
    wait_until(lambda: descriptors() <= before + 3, 10, f"descriptors back at {before}")
    assert scene.milter.engine_pid() == engine


def must_have_lost_nothing(scene, results):
    """Each message was delivered once, or refused in our words; the healthy hop's were all accepted."""
    wrong = [sent.refusal for sent in results
             if not sent.accepted and not REASON.fullmatch(sent.refusal)]
    assert not wrong, wrong[:5]
    assert all(sent.accepted for sent in results if "good.test" in sent.transcript[2])
    scene.bad.start()
    scene.postfix.wait_empty(30)
    ours = {sent.ident for sent in results}
    counts = collections.Counter({ident: count for ident, count in
                                  delivered(scene.good, scene.bad).items() if ident in ours})
    accepted = collections.Counter(sent.ident for sent in results if sent.accepted)
    assert accepted - counts == collections.Counter(), "lost"
    assert counts - accepted == collections.Counter(), "doubled, or delivered although refused"
    print(f"{len(results)} messages, {len(results) - sum(accepted.values())} refused")


def refusing_scene(site, address=None):
    """Mail under way to two hops, one of which is down; the scene and the load."""
    scene = RouteScene(site, BRISK, listen=address)
    scene.start()
    scene.must_deliver(scene.good, "a@good.test")
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.bad.stop()
    load = Load(scene.port, ["x@good.test", "x@bad.test", "y@good.test"], rate=40, threads=4).start()
    wait_until(lambda: sum(not sent.accepted for sent in list(load.results)) > 5, 20, "refusals")
    return scene, load


def wait_refusals(load):
    """Wait until a message that is sent from now on is refused."""
    count = len(load.results)
    wait_until(lambda: any(not sent.accepted for sent in list(load.results)[count:]), 20,
               "refusals again")


@pytest.mark.seconds(25)
@pytest.mark.parametrize("listen", ["unix", "inet"])
def test_no_message_is_lost_or_doubled_while_the_milter_stops_and_starts_under_load(site, listen):
    """default_action=accept: without the milter mail is taken as if there were none."""
    address = f"inet:{site.world.free_port()}@127.0.0.1" if listen == "inet" else None
    scene, load = refusing_scene(site, address)
    for _ in range(2):
        began = time.monotonic()
        assert scene.milter.stop() == 0
        assert time.monotonic() - began < (8 if is_sanitized() else 5.5), "TERM took longer than 5 s"
        count = len(load.results)
        wait_until(lambda: len(load.results) > count + 30, 20, "mail without the milter")
        scene.milter.start()
        scene.milter.wait_sockets()
        wait_refusals(load)
    must_have_lost_nothing(scene, load.stop())


@pytest.mark.seconds(15)
def test_no_message_is_lost_when_the_engine_is_killed_again_and_again_under_load(site):
    scene, load = refusing_scene(site)
    for _ in range(4):
        engine = scene.milter.engine_pid()
        os.kill(engine, signal.SIGKILL)
        wait_until(lambda engine=engine: scene.milter.children(scene.milter.pid()) not in (
            [], [engine]), 5, "a new engine")
        wait_refusals(load)
    must_have_lost_nothing(scene, load.stop())


@pytest.mark.seconds(10)
def test_no_message_is_lost_when_the_keeper_is_killed_under_load(site):
    scene, load = refusing_scene(site)
    family = scene.milter.family(scene.milter.pid())
    os.kill(scene.milter.pid(), signal.SIGKILL)
    wait_until(lambda: not [pid for pid in family[1:] if pid in scene.site.world.processes()], 8,
               "the engine ends, too")
    scene.milter.process.wait(5)
    count = len(load.results)
    wait_until(lambda: len(load.results) > count + 30, 20, "mail without the milter")
    must_have_lost_nothing(scene, load.stop())
