"""A real Dovecot as LMTP server, on a socket below Postfix's private/ where only Postfix may go."""
import contextlib
import os
import shutil
import subprocess
import time

import pytest

from harness.milter import QUIET
from harness.scene import MAX_AGE, Scene
from harness.wait import wait_until

HOP = "lmtp:unix:private/dovecot-lmtp"

CONF = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols = lmtp
ssl = no
mail_location = maildir:{dir}/mail/%n
first_valid_uid = 1
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={dir}/mail/%n
}}
passdb {{
  driver = static
  args = nopassword=y
}}
service lmtp {{
  unix_listener {socket} {{
    mode = 0600
    user = postfix
    group = postfix
  }}
}}
"""


class Dovecot:
    """One Dovecot that delivers to directories."""

    def __init__(self, directory, spool):
        self.dir = directory
        self.socket = spool / "private" / "dovecot-lmtp"
        (self.dir / "mail").mkdir(parents=True)
        shutil.chown(self.dir / "mail", "nobody")
        self.conf = self.dir / "dovecot.conf"
        self.conf.write_text(CONF.format(dir=self.dir, socket=self.socket), encoding="utf-8")
        self.process = None

    def start(self):
        """Start, and return when the socket is there."""
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.conf],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.socket.is_socket, 10, "Dovecot's socket")
        return self

    def stop(self):
        """End it, and its socket."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)

    def mails(self):
        """How many were delivered."""
        return len(list(self.dir.glob("mail/*/new/*")))


@pytest.mark.seconds(8)
def test_dovecot_lmtp_socket_missing_is_down_at_once_and_back_with_the_next_message(site):
    scene = Scene(site, QUIET)
    scene.recipient = "a@box.test"
    params = scene.postfix.params
    params["relay_domains"] = ""
    params["virtual_mailbox_domains"] = "box.test"
    params["virtual_mailbox_maps"] = "static:x"
    params["virtual_transport"] = HOP
    dovecot = Dovecot(scene.milter.dir / "dovecot", scene.postfix.queue_directory)
    site.at_end(dovecot.stop)
    dovecot.start()
    scene.start()
    scene.milter.wait_state(HOP, "up")
    scene.must_accept()
    wait_until(lambda: dovecot.mails() == 1, 10, "the message in the mailbox")
    scene.postfix.wait_empty()  # the file is there before Dovecot says so

    dovecot.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse(HOP, "socket-missing", "4.4.1", "transport", "socket does not exist")
    assert scene.postfix.queue() == []

    dovecot.start()
    scene.must_recover(1)
    wait_until(lambda: dovecot.mails() == 5, 10, "the messages in the mailbox")


@pytest.mark.seconds(8)
def test_behind_local_delivery_it_may_not_be_met_so_mail_is_tagged_and_not_refused(site):
    """aliases(5) and .forward files go before mailbox_transport: what they say is not known at RCPT."""
    scene = Scene(site, QUIET)
    scene.recipient = "nobody@mx.example.test"
    scene.postfix.params["mailbox_transport"] = HOP
    dovecot = Dovecot(scene.milter.dir / "dovecot", scene.postfix.queue_directory)
    site.at_end(dovecot.stop)
    dovecot.start()
    scene.start()
    scene.milter.wait_state(HOP, "up")
    scene.must_accept()
    wait_until(lambda: dovecot.mails() == 1, 10, "the message in the mailbox")
    scene.postfix.wait_empty()  # the file is there before Dovecot says so

    dovecot.stop()
    time.sleep(MAX_AGE)
    for who in ("other", "mynetworks", "authenticated"):
        assert scene.send(who=who).accepted
    explained = scene.milter.ctl("explain", "--json", "sender@from.test", scene.recipient)[1]
    assert [(hop["hop"], hop["state"]) for hop in explained["hops"]] == [
        ("local:", "up"), (HOP, "down")]
    assert {verdict["action"] for verdict in explained["verdicts"]} == {"tag"}

    dovecot.start()
    scene.postfix.wait_delivery(lambda: dovecot.mails() == 4, 20, "the messages in the mailbox")
    texts = [path.read_text(encoding="utf-8").replace("\n\t", " ").replace("\n ", " ")
             for path in dovecot.dir.glob("mail/*/new/*")]
    tags = [line for text in texts for line in text.splitlines()
            if line.startswith("Failfast-Status: ")]
    assert len(tags) == 3, tags
    assert all("state=down" in tag and HOP in tag for tag in tags), tags
