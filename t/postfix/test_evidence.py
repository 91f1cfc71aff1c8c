"""Postfix's own log is evidence: a deferral makes a probe come at once, a delivery spares one."""
import os
import pwd
import re
import shutil
import time

import pytest

from harness.milter import QUIET, USER
from harness.net import REMOTE_ADDRESS
from harness.scene import RelayScene
from harness.smtp import send
from harness.wait import wait_until

# Within a test nothing but the log can tell of the relay, and three probes make it down.
SLOW = {**QUIET, "interval": "60s", "fast_interval": "300ms"}
FOLLOWING = "following the log of Postfix"
OFF = "is off until it can be read"
NEWS = "deferred in Postfix's log"
SEEN = 3.0  # seconds from a deferral to "down": the log is looked at each 250 ms; three probes


class LogScene(RelayScene):
    """A relayhost that is probed each minute, and a log that we may read."""

    def __init__(self, site, probe=SLOW, **options):
        super().__init__(site, probe=probe, **options)
        # One hop for the relay: smtp and relay would log under the same name.
        self.postfix.params.update(relay_transport="smtp", smtp_helo_timeout="1s",
                                   smtp_connection_cache_on_demand="no")

    def start(self, is_readable=True):
        """postlogd(8) makes a log that only root may read."""
        self.postfix.prepare()
        self.postfix.start()
        os.chmod(self.postfix.log.path, 0o644 if is_readable else 0o600)
        self.milter.start()
        self.milter.wait_sockets()
        self.milter.wait_state(self.hop, "up")
        if is_readable and self.milter.evidence != "none":
            self.wait_following()
        return self

    def wait_following(self, start=0):
        """Until the log is read."""
        return self.milter.log.wait_for(FOLLOWING, 10, start)

    def defer(self):
        """A message that Postfix has to defer; returns when it has."""
        mark = self.postfix.log.mark()
        sent = self.must_accept()
        self.postfix.log.wait_for(r"status=(deferred|bounced)", 10, mark)
        return sent

    def probes(self):
        """Connections to the relay that ended in order and brought no message."""
        text = "\n".join(self.relay.log)
        ended = set(re.findall(r"#(\d+) closed", text))
        return len(ended - set(re.findall(r"#(\d+) message", text)))

    def must_stay_up(self, seconds):
        """Whatever the log says."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            hop = self.milter.hop(self.hop)
            assert hop["state"] == "up", hop
            time.sleep(0.1)

    def log_findings(self):
        """What `failfastctl check` says of the log."""
        _, found = self.milter.ctl("-c", str(self.milter.conf), "check", "--json")
        return [finding for finding in found["findings"] if finding["check"] == "log-unreadable"]

    def must_notice(self):
        """The relay is stopped, and Postfix's log tells it."""
        self.relay.stop()
        self.defer()
        self.milter.wait_state(self.hop, "down", "connection-refused", SEEN)


@pytest.mark.seconds(9)
@pytest.mark.parametrize("behaviour, reason", [
    ("refuse", "connection-refused"), ("hang", "greeting-timeout"), ("close", "connection-lost"),
    ("greet_421", "service-unavailable"), ("greet_554", "service-rejected"),
    ("hello_4xx", "service-unavailable"), ("drop_hello", "connection-lost"),
])
def test_a_relay_that_fails_is_seen_by_a_deferral(site, behaviour, reason):
    scene = LogScene(site).start()
    scene.must_deliver(scene.relay)
    if behaviour == "refuse":
        scene.relay.stop()
    else:
        scene.relay.set(behaviour)
    scene.defer()
    # A probe that waits for a greeting takes as long as reply_timeout says, three times.
    timeout = SEEN + (3 if behaviour == "hang" else 0)
    scene.milter.wait_state(scene.hop, "down", reason, timeout)
    assert scene.send().refusal, "a message is refused now"


@pytest.mark.seconds(6)
def test_one_deferral_counts_as_one_failure_and_a_probe_decides(site):
    scene = LogScene(site, probe={**SLOW, "fall": 2}).start()
    scene.relay.set("drop_hello")
    scene.defer()
    scene.milter.wait_state(scene.hop, "down", "connection-lost", SEEN)
    # What a probe finds is logged before what becomes of it.
    before = scene.milter.log.text().split("up -> down")[0]
    assert before.count(f"\n{scene.hop}: ") == 1, before


@pytest.mark.seconds(8)
def test_a_relay_that_works_for_probes_stays_up_and_is_not_knocked_at_each_second(site):
    scene = LogScene(site).start()
    before = scene.probes()
    scene.relay.set("drop_data")
    for _ in range(5):
        scene.defer()
        scene.must_stay_up(1)
    # At once, then 0.6, 1.2, 2.4 s after the last.
    assert 2 <= scene.probes() - before <= 5, "\n".join(scene.relay.log)


@pytest.mark.seconds(6)
def test_greylisting_is_no_fault_of_the_relay_and_its_words_are_not_believed(site):
    scene = LogScene(site).start()
    scene.relay.set("greylist")
    scene.defer()
    scene.must_stay_up(2)
    assert not scene.milter.log.find(NEWS)
    line = scene.postfix.log.find("status=deferred")[-1].string
    assert "while receiving the initial server greeting" in line, "the peer's words are there"


@pytest.mark.seconds(6)
@pytest.mark.parametrize("style", ["external", "internal"])
def test_addresses_that_look_like_a_log_do_nothing(site, style):
    scene = LogScene(site)
    scene.postfix.params["info_log_address_format"] = style
    scene.postfix.params["allow_min_user"] = "yes"
    scene.start()
    port = scene.relay.bind_to[1]
    server = f"{REMOTE_ADDRESS}[{REMOTE_ADDRESS}]:{port}"
    fake = (f'"a>, relay=none, delay=0, delays=0/0/0/0, dsn=4.4.1, status=deferred'
            f' (connect to {server}: Connection refused)"@elsewhere.example')
    sent = send(scene.port, fake, source="127.0.0.1")
    assert sent.accepted, sent
    scene.postfix.log.wait_for(r"postfix/smtp\[\d+\]: .*status=deferred \(connect to")
    sent = send(scene.port, "a@elsewhere.example", source="127.0.0.1", sender=fake)
    assert sent.accepted, sent
    scene.must_stay_up(2)
    assert not scene.milter.log.find(NEWS)


@pytest.mark.seconds(5)
def test_a_transport_that_qmgr_cannot_reach_is_seen(site):
    """Mail of sendmail(1), which we are not asked about here."""
    scene = LogScene(site)
    scene.postfix.add_service("customer unix - - n - - smtp\n")
    scene.postfix.route("customer.test", f"customer:[127.0.0.1]:{scene.relay.bind_to[1]}")
    scene.start()
    hop = f"customer:[127.0.0.1]:{scene.relay.bind_to[1]}"
    scene.milter.wait_state(hop, "down", "connection-refused")
    os.unlink(scene.postfix.queue_directory / "private/customer")
    scene.postfix.sendmail("a@from.test", ["b@customer.test"], "Subject: x\n\nx\n")
    scene.postfix.log.wait_for("connect to transport private/customer: No such file")
    scene.milter.wait_state(hop, "down", "transport-undefined", SEEN)


@pytest.mark.seconds(16)
def test_deliveries_put_probes_off_but_not_for_ever(site):
    scene = LogScene(site, probe={**SLOW, "interval": "2s", "jitter": "0%"}).start()
    before, began = scene.probes(), time.monotonic()
    while time.monotonic() < began + 12:
        scene.must_deliver(scene.relay)
        time.sleep(0.3)
    # Six without evidence; no more than two and a half intervals apart.
    assert 2 <= scene.probes() - before <= 4, "\n".join(scene.relay.log)


@pytest.mark.seconds(10)
def test_a_delivery_brings_a_hop_that_is_down_no_further_than_to_a_probe(site):
    """Mail of sendmail(1) goes out over a relay that probes are not greeted by."""
    scene = LogScene(site, probe={**SLOW, "rise": 2}).start()
    scene.must_notice()
    queued = scene.postfix.queue()
    assert queued
    scene.relay.start()
    began = time.monotonic()
    scene.postfix.wait_empty()
    # Two successes of probes, of which the delivery made the first come at once.
    scene.milter.wait_state(scene.hop, "up", timeout=SEEN)
    assert time.monotonic() - began < 20
    assert scene.milter.log.find("delivered in Postfix's log")
    assert scene.probes() >= 2


@pytest.mark.seconds(8)
@pytest.mark.parametrize("how", ["rename", "copytruncate", "gone"])
def test_a_log_that_is_rotated_is_followed(site, how):
    scene = LogScene(site).start()
    scene.must_deliver(scene.relay)
    scene.postfix.wait_empty()
    path = str(scene.postfix.log.path)
    if how == "copytruncate":
        shutil.copy(path, path + ".1")
        os.truncate(path, 0)
    else:
        os.rename(path, path + ".1")
        if how == "gone":
            os.unlink(path + ".1")
            time.sleep(1.5)
        with open(path, "w", encoding="ascii"):
            os.chmod(path, 0o644)
        scene.postfix.command("postfix", "reload")
        # Postfix goes on with the old file until then.
        wait_until(lambda: scene.must_accept() and scene.postfix.log.text(), 10, "the new log")
    scene.must_notice()


@pytest.mark.seconds(8)
def test_a_log_that_cannot_be_read_is_told_once_and_followed_when_it_can(site):
    scene = LogScene(site).start(is_readable=False)
    scene.milter.log.wait_for(f"{re.escape(str(scene.postfix.log.path))}: Permission denied: .*{OFF}")
    scene.relay.stop()
    scene.defer()
    scene.must_stay_up(6)
    assert len(scene.milter.log.find(OFF)) == 1
    finding, = scene.log_findings()
    assert str(scene.postfix.log.path) in finding["message"] and "setfacl" in finding["fix"], finding
    os.chmod(scene.postfix.log.path, 0o644)
    assert scene.log_findings() == []
    scene.wait_following()
    scene.postfix.wait_delivery(lambda: scene.milter.hop(scene.hop)["state"] == "down", 12,
                                "the next deferral is read")


@pytest.mark.seconds(6)
@pytest.mark.parametrize("reader", ["postfix", USER], ids=["keeper", "engine"])
def test_it_is_enough_that_one_of_our_users_may_read_the_log(site, reader):
    scene = LogScene(site).start(is_readable=False)
    scene.milter.log.wait_for(OFF)
    os.chown(scene.postfix.log.path, pwd.getpwnam(reader).pw_uid, -1)
    scene.wait_following()
    scene.must_notice()


@pytest.mark.seconds(8)
def test_evidence_is_switched_off_and_on_by_a_reload(site):
    scene = LogScene(site)
    scene.milter.evidence = "none"
    scene.start()
    scene.relay.stop()
    scene.defer()
    scene.must_stay_up(2)
    assert not scene.milter.log.find(FOLLOWING)

    scene.milter.evidence = "log"
    scene.milter.write()
    scene.milter.hup()
    scene.wait_following()
    scene.milter.wait_state(scene.hop, "down", "connection-refused", SEEN)

    mark = scene.milter.log.mark()
    scene.milter.evidence = "none"
    scene.milter.write()
    scene.milter.hup()
    scene.milter.log.wait_for("not following the log of Postfix", 5, mark)


@pytest.mark.seconds(8)
def test_a_flood_of_lines_does_not_delay_a_verdict(site):
    scene = LogScene(site).start()
    deferred = (f"Nov 22 01:19:49 mx postfix/smtp[1]: E6B7748: to=<a@b>, relay=none, delay=0, delays=0/0/0/0,"
                f" dsn=4.4.1, status=deferred (connect to 192.0.2.1[192.0.2.1]:25: Connection refused)\n")
    other = "Nov 22 01:19:49 mx postfix/qmgr[1]: E6B7748: from=<a@b>, size=1, nrcpt=1 (queue active)\n"
    with open(scene.postfix.log.path, "a", encoding="ascii") as log:
        log.write((deferred + other) * 50000)
    waits = [scene.must_accept().rcpt_seconds for _ in range(20)]
    assert max(waits) < 0.3, waits
    scene.postfix.wait_empty()
    scene.must_notice()
    wait_until(lambda: scene.milter.status(), 2, "the engine answers")
