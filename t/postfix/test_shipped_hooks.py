"""config/hooks: flush and notify, as they are but for their settings."""
import contextlib
import http.server
import json
import os
import pwd
import re
import shutil
import subprocess
import threading
import time

import pytest

from harness.milter import QUIET, ROOT, USER
from harness.scene import FilterScene
from harness.wait import wait_until

CHANGE = {
    "FAILFAST_HOP": "relay:[192.0.2.1]:25", "FAILFAST_ROLE": "relayhost", "FAILFAST_FROM": "down",
    "FAILFAST_TO": "up", "FAILFAST_REASON": "", "FAILFAST_DETAIL": "",
    "FAILFAST_SINCE": "2026-11-21T18:20:07Z", "FAILFAST_HOST": "mx.example.com"}


class Desk:
    """A copy of a hook with other settings, and stand-ins for the programs that it calls."""

    def __init__(self, site, name, **settings):
        self.dir = site.dir / "desk"
        self.dir.mkdir()
        self.dir.chmod(0o777)
        self.state = self.dir / "state"
        self.state.mkdir()
        shutil.chown(self.state, USER)
        self.calls_path = self.dir / "calls"
        self.calls_path.touch()
        self.calls_path.chmod(0o666)
        text = (ROOT / "config/hooks" / name).read_text(encoding="utf-8")
        for key, value in settings.items():
            text, count = re.subn(rf"^{key}=.*$", f"{key}={value}", text, flags=re.MULTILINE)
            assert count == 1, key
        self.program = self.dir / name
        self.program.write_text(text, encoding="utf-8")
        self.program.chmod(0o755)
        site.show("calls", self.calls_path.read_text)

    def stand_in(self, name, status=0):
        """A program that notes its arguments and its input."""
        path = self.dir / name
        path.write_text(f"#!/bin/sh\necho \"{name} $*\" >>{self.calls_path}\n"
                        f"[ -t 0 ] || cat >>{self.dir}/{name}.input\nexit {status}\n")
        path.chmod(0o755)

    def calls(self):
        """What was called with which arguments."""
        return self.calls_path.read_text().splitlines()

    def run(self, **change):
        """Run it as the milter's user."""
        user = pwd.getpwnam(USER)
        return subprocess.run([self.program], check=False, capture_output=True, text=True, timeout=30,
                              stdin=subprocess.DEVNULL, user=user.pw_uid, group=user.pw_gid, extra_groups=[],
                              env={"PATH": f"{self.dir}:/usr/sbin:/usr/bin:/sbin:/bin", **CHANGE, **change})


@contextlib.contextmanager
def default_postfix(postfix):
    """Programs without -c meet this Postfix."""
    subprocess.run(["mount", "--bind", postfix.config, "/etc/postfix"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "/etc/postfix"], check=True)


def queued(scene, recipient="a@to.test"):
    """A message that waits in the deferred queue, where nobody will look for an hour."""
    scene.postfix.sendmail("s@from.test", [recipient], "Subject: x\nX-Test: waits\n\nx\n")
    wait_until(lambda: [one for one in scene.postfix.queue() if one["queue_name"] == "deferred"
                        and one["recipients"][0].get("delay_reason")], 10, "it is deferred")


def patient(site, **options):
    """A filter scene whose Postfix does not try again by itself."""
    scene = FilterScene(site, probe={**QUIET, "down_interval": "200ms"}, **options)
    scene.postfix.params.update(queue_run_delay="1h", minimal_backoff_time="1h", maximal_backoff_time="1h")
    scene.start()
    scene.wait_up()
    return scene


@pytest.mark.seconds(8)
def test_flush_has_what_waits_for_a_hop_delivered_when_it_is_back(site):
    """postqueue(1) is set-group-ID: this works only where the hook may gain a group."""
    desk = Desk(site, "flush")
    desk.program.write_text(desk.program.read_text().replace(
        "STATE=/var/lib/failfast-milter", f"STATE={desk.state}"))
    scene = patient(site, on_change=str(desk.program))
    with default_postfix(scene.postfix):
        scene.filter.stop()
        scene.milter.ctl("probe", scene.hop)
        queued(scene)
        time.sleep(0.3)
        assert not scene.filter.messages
        scene.filter.start()
        wait_until(lambda: scene.filter.messages, 10, "it is delivered")
        wait_until(lambda: (desk.state / "flush.last").exists(), 5, "the moment is noted")
    assert not scene.milter.log.find("on_change: .*exit status"), scene.milter.log.tail()


def test_flush_of_a_site_that_postfix_keeps_a_list_for(site):
    desk = Desk(site, "flush", STATE=site.dir / "desk/state")
    scene = patient(site)
    with default_postfix(scene.postfix):
        # Of a site without a list it is the whole queue.
        for count, hop in enumerate(("relay:to.test", "smtp:elsewhere.example"), 1):
            scene.filter.stop()
            queued(scene)
            scene.filter.start()
            mark = scene.postfix.log.mark()

            def is_flushed(hop=hop, count=count):
                """Again and again, because qmgr may have met the agent that deferred it a moment ago."""
                (desk.state / "flush.last").unlink(missing_ok=True)
                done = desk.run(FAILFAST_HOP=hop)
                assert (done.returncode, done.stderr) == (0, "")
                return len(scene.filter.messages) == count
            wait_until(is_flushed, 10, "it is delivered", 0.3)
            assert bool(scene.postfix.log.find("postqueue.*fatal|not eligible", mark)) == (count == 2)


def test_flush_is_gentle(site):
    desk = Desk(site, "flush", STATE=site.dir / "desk/state", PAUSE=3)
    desk.stand_in("postqueue")
    for change in ({"FAILFAST_FROM": "up", "FAILFAST_TO": "down"}, {"FAILFAST_FROM": "unknown"},
                   {"FAILFAST_FROM": "degraded"}):
        assert desk.run(**change).returncode == 0
    assert desk.calls() == []
    began = time.monotonic()
    assert desk.run(FAILFAST_HOP="smtp:partner.example").returncode == 0
    assert desk.calls() == ["postqueue -s partner.example"]
    for _ in range(3):
        assert desk.run().returncode == 0
    assert len(desk.calls()) == 1 and time.monotonic() - began < 3, "the others wait in the background"
    wait_until(lambda: len(desk.calls()) == 2, 5, "one flush for all of them")
    assert time.monotonic() - began >= 1
    assert desk.calls()[1] == "postqueue -f"
    wait_until(lambda: not [pid for pid in site.world.processes() if pid != os.getpid() and _is_flush(pid)], 5,
               "nobody waits any more")
    assert len(desk.calls()) == 2


def _is_flush(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"/desk/flush" in file.read()
    return False


@pytest.mark.parametrize("hop, args", [
    ("relay:[partner.example]", "-f"), ("relay:partner.example:26", "-f"), ("lmtp:unix:private/x", "-f"),
    ("smtp:", "-f"), ("smtp:-f.example", "-f"), ("smtp:localhost", "-f"),
    ("postfix-out/smtp:partner.example", "-s partner.example")])
def test_flush_takes_for_a_site_what_is_one(site, hop, args):
    desk = Desk(site, "flush", STATE=site.dir / "desk/state", CONFIG_DIRECTORY="/etc/postfix-out")
    desk.stand_in("postqueue")
    assert desk.run(FAILFAST_HOP=hop).returncode == 0
    assert desk.calls() == [f"postqueue -c /etc/postfix-out {args}"]


def test_flush_without_a_place_for_its_notes_does_nothing_and_says_so(site):
    desk = Desk(site, "flush", STATE="/nonexistent")
    desk.stand_in("postqueue")
    done = desk.run()
    assert (done.returncode, done.stderr) == (1, f"flush: /nonexistent: not a directory that {USER} may write to\n")
    assert desk.calls() == []


class Hook(http.server.BaseHTTPRequestHandler):
    """A webhook that keeps what it is sent."""

    def do_POST(self):  # pylint: disable=invalid-name
        """Take it, or refuse."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        """Say nothing."""


@pytest.fixture(name="webhook")
def running_webhook(site):
    """An HTTP server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", site.world.free_port()), Hook)
    server.taken, server.status = [], 204
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_notify_posts_json_whatever_is_in_the_words(site, webhook):
    desk = Desk(site, "notify", WEBHOOK=f"http://127.0.0.1:{webhook.server_address[1]}/hook",
                MAILTO="admin@example.com")
    for name in ("logger", "sendmail", "failfastctl"):
        desk.stand_in(name)
    done = desk.run(FAILFAST_HOP='x:"\\$(touch pwned)', FAILFAST_FROM="up", FAILFAST_TO="down",
                    FAILFAST_REASON="protocol-error", FAILFAST_DETAIL='a "b" \\ c\n% d \udce9')
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    kind, document = webhook.taken[0]
    assert kind == "application/json" and document == {
        "text": 'mx.example.com: hop x:"\\$(touch pwned): up -> down: protocol-error (a "b" \\ c?% d ?)',
        "hop": 'x:"\\$(touch pwned)', "role": "relayhost", "from": "up", "to": "down",
        "reason": "protocol-error", "detail": 'a "b" \\ c?% d ?', "since": "2026-11-21T18:20:07Z",
        "host": "mx.example.com"}
    assert desk.calls() == [], "the webhook has it"


def test_notify_without_a_webhook_that_works_logs_and_mails_where_mail_goes(site, webhook):
    desk = Desk(site, "notify", WEBHOOK=f"http://127.0.0.1:{webhook.server_address[1]}/hook",
                MAILTO="admin@example.com")
    desk.stand_in("logger")
    desk.stand_in("sendmail")
    desk.stand_in("failfastctl", status=2)
    webhook.status = 500
    done = desk.run()
    assert done.returncode == 1 and "500" in done.stderr
    text = "hop relay:[192.0.2.1]:25: down -> up"
    log = "logger -t failfast-milter -p daemon.warning -- "
    asked = "failfastctl explain  admin@example.com"
    assert desk.calls() == [log + text, asked, log + "no mail to admin@example.com: its way is down"]
    desk.stand_in("failfastctl", status=0)
    assert desk.run().returncode == 1
    assert desk.calls()[3:] == [log + text, asked, "sendmail -f  -- admin@example.com"]
    mail = (desk.dir / "sendmail.input").read_text()
    assert mail.startswith("To: admin@example.com\nSubject: mx.example.com: " + text + "\nAuto-Submitted: ")


def test_notify_mails_and_runs_another_program(site):
    desk = Desk(site, "notify", MAILTO="a@to.test", THEN=site.dir / "desk/then")
    for name in ("logger", "failfastctl", "then"):
        desk.stand_in(name)
    scene = FilterScene(site)
    scene.start()
    with default_postfix(scene.postfix):
        done = desk.run()
        assert (done.returncode, done.stderr) == (0, "")
        message = wait_until(lambda: scene.filter.messages, 10, "the mail arrives")[0]
    assert desk.calls()[-1] == "then "
    assert "Subject: mx.example.com: hop relay:[192.0.2.1]:25: down -> up" in str(message.__dict__)
