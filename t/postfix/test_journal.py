"""Postfix's log is evidence where nothing but the systemd journal has it, too."""
import time

import pytest

from harness.journald import Journald
from test_evidence import FOLLOWING, OFF, SEEN, LogScene

JOURNAL = f"the journal: {FOLLOWING}"


class JournalScene(LogScene):
    """Postfix logs to syslog(3), and no syslogd writes a file."""

    def __init__(self, site):
        super().__init__(site)
        self.postfix.params.update(maillog_file="", syslog_name="postfix")
        self.journald = Journald(site.dir / "journald", self.postfix.log.path)
        site.at_end(self.journald.stop)

    def start(self, is_readable=True):
        self.journald.start(0o644 if is_readable else 0o600)
        self.postfix.prepare()
        self.postfix.start()
        self.milter.start()
        self.milter.wait_sockets()
        self.milter.wait_state(self.hop, "up")
        if is_readable:
            self.milter.log.wait_for(JOURNAL, 10)
        return self


@pytest.mark.seconds(6)
def test_a_deferral_in_the_journal_is_seen_after_a_rotation_too(site):
    scene = JournalScene(site).start()
    scene.must_deliver(scene.relay)
    scene.journald.rotate()
    scene.must_notice()
    assert scene.send().refusal, "a message is refused now"
    assert not scene.milter.log.find(OFF)


@pytest.mark.seconds(8)
def test_a_journal_that_cannot_be_read_is_told_once_and_how_to_change_that(site):
    scene = JournalScene(site).start(is_readable=False)
    scene.milter.log.wait_for(
        f"/var/log/mail.log: No such file or directory; the journal: Permission denied: .*{OFF}"
        r" \(add our user to the group systemd-journal, then restart us\)")
    finding, = scene.log_findings()
    assert "nobody may not read the journal" in finding["message"], finding
    assert finding["fix"].startswith("usermod -a -G systemd-journal nobody"), finding
    scene.relay.stop()
    scene.defer()
    scene.must_stay_up(2)
    scene.journald.chmod(0o644)
    assert scene.log_findings() == []
    mark = scene.milter.log.mark()
    scene.milter.hup()
    scene.milter.log.wait_for(JOURNAL, 10, mark)
    scene.postfix.wait_delivery(lambda: scene.milter.hop(scene.hop)["state"] == "down", 12,
                                "the next deferral is read")
    assert len(scene.milter.log.find(OFF)) == 1


@pytest.mark.seconds(9)
def test_a_file_that_comes_later_is_followed_instead(site):
    scene = JournalScene(site).start()
    with open("/var/log/mail.log", "w", encoding="ascii") as file:
        scene.milter.log.wait_for(f"/var/log/mail.log: {FOLLOWING}", 10)
        port = scene.relay.bind_to[1]
        scene.relay.stop()
        # The journal has nothing of this.
        file.write(f"Nov 22 01:19:49 mx postfix/smtp[1]: E6B7748: to=<a@b>, relay=none, delay=0,"
                   f" delays=0/0/0/0, dsn=4.4.1, status=deferred (connect to 198.51.100.2[198.51.100.2]:{port}:"
                   f" Connection refused)\n")
        file.flush()
        scene.milter.wait_state(scene.hop, "down", "connection-refused", SEEN)


@pytest.mark.seconds(8)
def test_a_flood_in_the_journal_does_not_delay_a_verdict(site):
    scene = JournalScene(site).start()
    for _ in range(20000):
        scene.journald.write(
            b"<22>postfix/smtp[1]: E6B7748: to=<a@b>, relay=none, delay=0, delays=0/0/0/0, dsn=4.4.1,"
            b" status=deferred (connect to 192.0.2.1[192.0.2.1]:25: Connection refused)")
    began = time.monotonic()
    waits = [scene.must_accept().rcpt_seconds for _ in range(20)]
    assert max(waits) < 0.3, waits
    scene.postfix.wait_empty()
    scene.must_notice()
    assert time.monotonic() - began < 20
