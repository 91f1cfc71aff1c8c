"""postfix-report on set-ups that are broken names the cause first, keeps secrets, and writes nothing."""
import os
import pathlib
import re
import socket
import subprocess

import pytest

from harness.milter import BUILD, ROOT, is_sanitized
from harness.scene import FilterScene
from harness.wait import wait_until

pytestmark = pytest.mark.skipif(is_sanitized(), reason="of the programs it only meets failfastctl")


class Report:
    """What it says of one Postfix."""

    def __init__(self, postfix, conf, as_nobody=False, programs=""):
        words = [str(ROOT / "scripts" / "postfix-report"), "-c", str(postfix.config), "-f", str(conf)]
        if as_nobody:
            words = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *words]
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=100,
                              env={**os.environ, "PATH": f"{programs}:{BUILD}/milter:{os.environ['PATH']}"})
        self.text, self.stderr, self.code = done.stdout, done.stderr, done.returncode

    def first(self):
        """The most probable cause."""
        found = re.search(r"(?m)^ 1\. (.*)$", self.text)
        assert found, self.text + self.stderr
        return found.group(1)

    def must_say_first(self, pattern):
        """The cause stands first, and what to do behind it."""
        assert re.match(pattern, self.first()), f"{self.text}\n{self.stderr}"
        assert re.search(r"(?m)^ 1\. .*\n +-> .", self.text), self.text
        assert self.code == (2 if self.first().startswith("FAIL") else 1)
        assert self.stderr == ""


@pytest.fixture(name="scene")
def _scene(site):
    """Healthy, but not started."""
    scene = FilterScene(site)
    return scene


def report(scene, **kwargs):
    """The report on a scene."""
    return Report(scene.postfix, scene.milter.conf, **kwargs)


def start(scene):
    """All of it."""
    scene.start()
    scene.wait_up()


def test_healthy(scene):
    """Nothing is broken where nothing is."""
    start(scene)
    made = report(scene)
    assert "\n0 FAIL, " in made.text, made.text
    assert made.stderr == "", made.stderr


def test_master_is_gone(scene):
    """That explains all transports that refuse."""
    start(scene)
    scene.postfix.stop()
    report(scene).must_say_first("FAIL Postfix does not run")


def test_content_filter_is_down(scene):
    """The hop, the reason and what to start."""
    start(scene)
    scene.filter.stop()
    scene.milter.ctl("probe", scene.hop)
    report(scene).must_say_first(rf"FAIL hop {re.escape(scene.hop)} is down: connection-refused")


def test_transport_is_undefined(scene):
    """master.cf lacks what main.cf names."""
    scene.postfix.params["content_filter"] = "nowhere:[127.0.0.1]:10024"
    scene.start()
    scene.milter.wait_state("nowhere:[127.0.0.1]:10024", "down")
    report(scene).must_say_first("FAIL .*nowhere is not in master.cf")


def test_port_is_taken(scene):
    """Another program sits on Postfix's port."""
    scene.postfix.prepare()
    scene.milter.write()
    with socket.socket() as other:
        other.bind(("127.0.0.1", scene.port))
        other.listen()
        report(scene).must_say_first(rf'FAIL port {scene.port} is taken by another program: "')


def test_configuration_is_broken(scene):
    """postfix check says why Postfix cannot start."""
    scene.postfix.params["mail_owner"] = "nobody-of-that-name"
    scene.postfix.prepare()
    scene.milter.write()
    report(scene).must_say_first("FAIL postfix check: .*(nobody-of-that-name|mail_owner)")


def test_configuration_cannot_be_read(scene):
    """Nothing else is guessed then."""
    scene.postfix.prepare()
    scene.milter.write()
    (scene.postfix.config / "master.cf").write_text("smtp inet n\n", encoding="ascii")
    report(scene).must_say_first("FAIL Postfix's configuration cannot be read: .*master.cf: line 1")


def test_relayhost_has_no_address(scene):
    """A name that DNS does not have."""
    scene.postfix.params["relayhost"] = "[gone.example]:587"
    start(scene)
    report(scene).must_say_first("FAIL relayhost: gone.example has no address")


def stand_in(scene, **texts):
    """A directory with programs that print these texts, whatever they are asked."""
    made = scene.postfix.dir / "programs"
    made.mkdir()
    for name, text in texts.items():
        (made / f"{name}.txt").write_text(text, encoding="utf-8")
        (made / name).write_text(f"#!/bin/sh\ncat '{made}/{name}.txt'\n", encoding="utf-8")
        (made / name).chmod(0o755)
    return made


def test_port_25_is_blocked(scene):
    """As canaries tell."""
    start(scene)
    scene.milter.write(scene.milter.conf_text() + 'canary "smtp" { hosts = {"mx.partner.example"} }\n')
    text = "down         smtp:\n             transport, since 2026-11-21T18:20:07Z\n" \
           "             connection-timeout: connect to 192.0.2.1:25: Connection timed out\n"
    made = report(scene, programs=stand_in(scene, failfastctl=text))
    made.must_say_first("FAIL no canary of smtp can be reached: connection-timeout")


def test_denial(scene):
    """SELinux or AppArmor keeps smtpd from the socket."""
    start(scene)
    text = 'audit: type=1400 apparmor="DENIED" operation="connect" profile="/usr/lib/postfix/sbin/smtpd" ' \
           'name="/var/spool/postfix/failfast-milter/milter.sock" comm="smtpd" denied_mask="wr"\n'
    made = report(scene, programs=stand_in(scene, dmesg=text))
    made.must_say_first('FAIL SELinux or AppArmor denies something: .*profile="/usr/lib/postfix/sbin/smtpd"')


def test_only_loopback(scene):
    """Works, and nobody can connect."""
    scene.postfix.params["inet_interfaces"] = "loopback-only"
    start(scene)
    report(scene).must_say_first("WARN inet_interfaces = loopback-only")


def test_address_is_not_here(scene):
    """inet_interfaces with an address that the host lost."""
    scene.postfix.params["inet_interfaces"] = "127.0.0.1, 192.0.2.77"
    scene.postfix.prepare()
    scene.milter.write()
    report(scene).must_say_first("FAIL inet_interfaces: 192.0.2.77 is not an address of this host")


def test_queue_by_reason(scene):
    """What waits, and why."""
    start(scene)
    scene.filter.stop()
    scene.postfix.sendmail("a@from.test", ["b@to.test"], "Subject: waits\n\nHello.\n")
    wait_until(lambda: any("delay_reason" in str(message) for message in scene.postfix.queue()), 20,
               "a deferred message")
    made = report(scene)
    assert re.search(r"(?m)^WARN  1 deliveries are deferred, mostly: 1 connect to 127.0.0.1", made.text), made.text


def test_secrets_are_masked(scene):
    """Passwords and names before the @ stay here; what a reader needs stays in."""
    scene.postfix.params.update(
        smtp_sasl_password_maps="inline:{ { relay.example = joe:geheim1 } }", my_password="geheim2",
        smtp_sasl_auth_enable="yes", always_bcc="boss@example.test", my_url="mysql://root:geheim3@db/", my_bind_pw="geheim4")
    start(scene)
    with open(scene.postfix.log.path, "a", encoding="utf-8") as log:
        log.write("Nov 28 06:00:00 mx postfix/smtp[1]: 1234: to=<jane.doe@example.test>, relay=none, "
                  "dsn=4.4.1, status=deferred (for jane.doe@example.test: sasl_username=joe2)\n")
    made = report(scene)
    for secret in ("geheim", "boss", "jane", "joe"):
        assert secret not in made.text, made.text
    assert "***@example.test" in made.text and "smtp_sasl_password_maps = " in made.text


def tree(directory):
    """Everything below it, with times."""
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_mode) for path in
            pathlib.Path(directory).rglob("*")}


def test_nothing_is_written(scene):
    """Not even the directories that postfix check would make."""
    scene.postfix.prepare()
    scene.milter.write()
    (scene.postfix.queue_directory / "trace").rmdir()
    before = tree(scene.postfix.config), tree(scene.postfix.queue_directory)
    made = report(scene)
    assert "postfix check: " in made.text
    assert (tree(scene.postfix.config), tree(scene.postfix.queue_directory)) == before


def test_without_root(scene):
    """It says what it could not see, and the rest."""
    start(scene)
    made = report(scene, as_nobody=True)
    assert made.stderr == "" and "not seen: postfix check" in made.text, made.text + made.stderr
    assert re.search(r"(?m)^OK +a master\(8\) runs", made.text), made.text
