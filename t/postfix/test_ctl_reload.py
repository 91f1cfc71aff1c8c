"""failfastctl reload: what came of it is said, and sessions that are open keep what they began with."""
import os
import pathlib
import signal
import socket
import time

import pytest

from harness.load import Load
from harness.milter import BRISK, is_sanitized
from harness.scene import FilterScene, RouteScene
from harness.wait import wait_until


def test_a_reload_says_what_was_done(site):
    scene = FilterScene(site, tag="always").start()
    scene.wait_up()
    scene.milter.options["header"] = "X-Health"
    scene.milter.write()
    document = scene.milter.reload()
    assert (document["errors"], document["needs_restart"]) == ([], [])
    assert document["hops"] == len(scene.milter.hops()) or document["hops"] > 0
    # When it is answered it is in force.
    assert scene.must_deliver(scene.filter).header()[0][0] == "X-Health"
    scene.milter.options["user"] = "daemon"
    scene.milter.options["control"] = f"{scene.milter.run}/other.sock"
    scene.milter.write()
    assert scene.milter.reload()["needs_restart"] == ["control", "user"]
    code, text = scene.milter.ctl("reload")
    assert code == 0 and "A change of control needs a restart." in text, text
    assert "A change of user needs a restart." in text, text


def test_a_bad_configuration_is_told_as_n_tells_it_and_changes_nothing(site):
    scene = FilterScene(site, tag="always").start()
    scene.wait_up()
    text = scene.milter.conf_text().replace('tag = "always"', 'tag = "sometimes"\nslow = "late"')
    scene.milter.write(text)
    line = 1 + text[:text.index("sometimes")].count("\n")
    code, document = scene.milter.ctl("reload", "--json")
    assert code == 3 and document["reloaded"] is False
    assert [error.startswith(f"{scene.milter.conf}:{number}: {option} = ") for error, number, option in
            zip(document["errors"], (line, line + 1), ("tag", "slow"))] == [True, True], document
    checked = scene.milter.spawn("-n")
    assert checked.wait(10) == 78
    for error in document["errors"]:
        assert error in scene.milter.log.tail(20)
    code, text = scene.milter.ctl("reload")
    assert code == 3 and text.endswith("Nothing is changed.\n") and document["errors"][0] in text, text
    assert scene.must_deliver(scene.filter).header()[0][0] == "Failfast-Status"
    # Postfix's own.
    scene.milter.write()
    main_cf = scene.postfix.config / "main.cf"
    was = main_cf.read_text()
    main_cf.unlink()
    code, document = scene.milter.ctl("reload", "--json")
    assert code == 3 and "main.cf" in document["errors"][0], document
    main_cf.write_text(was)
    scene.milter.reload()


@pytest.mark.seconds(6)
def test_a_session_keeps_the_rules_that_it_began_with(site):
    scene = RouteScene(site, BRISK).start()
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.must_deliver(scene.good, "a@good.test")
    scene.bad.stop()
    scene.milter.wait_state(scene.bad_hop, "down")
    in_message, between = scene.session(), scene.session()
    for session in (in_message, between):
        session.mail("s@from.test")
        assert session.rcpt("a@bad.test").code == 451
    between.command("RSET")
    scene.milter.extra = 'rule "let it in" { action = accept }\n'
    scene.milter.write()
    scene.milter.reload()
    # In mid-message, and between two messages.
    assert in_message.rcpt("b@bad.test").code == 451
    assert in_message.rcpt("b@good.test").code == 250
    between.mail("s@from.test")
    assert between.rcpt("b@bad.test").code == 451
    # One that comes later.
    scene.must_accept("c@bad.test")
    # And back again.
    after = scene.session()
    scene.milter.extra = ""
    scene.milter.write()
    scene.milter.reload()
    after.mail("s@from.test")
    assert after.rcpt("d@bad.test").code == 250
    assert scene.send("d@bad.test").refusal.code == 451


def descriptors(pid):
    """How many a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.seconds(40)
@pytest.mark.timeout(400)
def test_a_thousand_reloads_under_load_refuse_none_wrongly_and_leak_nothing(site):
    scene = FilterScene(site, BRISK).start()
    scene.wait_up()
    scene.must_deliver(scene.filter)
    count = 200 if is_sanitized() else 1000
    keeper, engine = scene.milter.pid(), scene.milter.engine_pid()
    load = Load(scene.port, ["a@to.test"], rate=50).start()
    began = time.monotonic()
    before, fds, done = {}, {}, 0

    def reload_some(number):
        nonlocal done
        while done < number:
            assert scene.milter.ask(command="reload")["reloaded"]
            done += 1
    try:
        reload_some(count // 5)
        before = scene.milter.rss_kib()
        fds = {pid: descriptors(pid) for pid in (keeper, engine)}
        reload_some(count)
    finally:
        results = load.stop()
    print(f"{done} reloads in {time.monotonic() - began:.1f} s, {len(results)} messages")
    assert scene.milter.engine_pid() == engine
    assert len(scene.milter.log.find(r"^reloaded: ")) >= count
    refused = [sent for sent in results if not sent.accepted]
    assert not refused, f"{len(refused)} refused, the first:\n{refused[0]}"
    after = scene.milter.rss_kib()
    if not is_sanitized():
        for pid, kib in before.items():
            assert after[pid] < kib + 2048, (before, after)
    for pid, number in fds.items():
        wait_until(lambda pid=pid, number=number: descriptors(pid) <= number + 3, 10,
                   f"descriptors of {pathlib.Path(f'/proc/{pid}/comm').read_text()}")
    assert scene.milter.log.find(r"the configuration in use stays as it is") == []


@pytest.mark.seconds(24)
def test_an_engine_that_hangs_is_ended_and_mail_passes_meanwhile(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    # Postfix waits for a milter that does not answer, and then does as default_action says.
    scene.postfix.params["smtpd_milters"] = (
        f"{{ {scene.milter.postfix_address(scene.postfix)}, connect_timeout=2s, command_timeout=2s,"
        " content_timeout=2s, default_action=accept }")
    scene.postfix.reload()
    keeper, engine = scene.milter.pid(), scene.milter.engine_pid()
    scene.must_deliver(scene.filter)
    os.kill(engine, signal.SIGSTOP)
    stopped = time.monotonic()
    scene.must_deliver(scene.filter)
    scene.milter.log.wait_for("the engine does not say any more that it is alive: killing it", 20)
    assert 13 < time.monotonic() - stopped < 20
    scene.milter.log.wait_for("the engine was killed by signal 9: starting it again in 100 ms", 5)
    wait_until(lambda: scene.milter.children(keeper) not in ([], [engine]), 5, "a new engine")
    scene.milter.wait_ready()
    scene.wait_up()
    scene.filter.stop()
    wait_until(lambda: scene.send().refusal.startswith("451 4.4.1"), 5, "the new engine refuses")


@pytest.mark.seconds(5)
def test_a_service_manager_is_told_of_reloads_and_that_we_are_alive(site):
    path = site.dir / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.settimeout(5)
        scene = FilterScene(site)
        scene.milter.env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "600000"}
        scene.start()

        def next_of(*words):
            while True:
                said = listener.recv(4096).decode().splitlines()[0]
                if said in words:
                    return said
        first = next_of("READY=1", "RELOADING=1")
        assert first == "READY=1"
        began = time.monotonic()
        for _ in range(4):
            next_of("WATCHDOG=1")
        # Each half of what was asked for, the first at once.
        assert 0.6 < time.monotonic() - began < 3
        scene.milter.hup()
        assert next_of("READY=1", "RELOADING=1") == "RELOADING=1"
        assert next_of("READY=1", "RELOADING=1") == "READY=1"
        scene.milter.stop()
        next_of("STOPPING=1")
