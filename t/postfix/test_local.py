"""Mail that does not come by SMTP: tagged when a hop on its way is down, never refused, never held up."""
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

import harness.postfix
from harness.load import together
from harness.milter import QUIET
from harness.scene import MAX_WAIT, RouteScene
from harness.smtp import message, new_ident
from harness.transports import FakeService, UnprivilegedMilter
from harness.wait import wait_until

TAG = re.compile(r"^Failfast-Status: (.*(?:\n[ \t].*)*)", re.MULTILINE)


class LocalScene(RouteScene):
    """good.test and bad.test, mail for them submitted with sendmail(1)."""

    def __init__(self, site, probe=QUIET, **options):
        super().__init__(site, probe, **options)
        self.postfix.use_milter(self.milter, non_smtpd=True)

    def submit(self, *recipients, sender="sender@from.test"):
        """One message; its mark in the log and its ident."""
        mark, ident = self.postfix.log.mark(), new_ident()
        done = self.postfix.sendmail(sender, recipients, message(ident))
        assert done.returncode == 0, done.stderr
        return mark, ident

    def queue_id(self, mark, recipients=1, timeout=20):
        """Of the message that came into the queue behind the mark."""
        return self.postfix.log.wait_for(
            rf" (\w+): from=<.*nrcpt={recipients} \(queue active\)", timeout, mark).group(1)

    def tags_in_queue(self, mark, recipients=1):
        """Our headers in the queue file of the message behind the mark."""
        queue_id = self.queue_id(mark, recipients)
        done = self.postfix.command("postcat", "-h", "-q", queue_id)
        assert done.returncode == 0, done.stderr
        return TAG.findall(done.stdout)

    def tags_at(self, sink, ident):
        """Our headers in the message as the sink has it."""
        found = wait_until(lambda: sink.find(ident), 10, "delivery")
        return [value for name, value in found.header() if name == "Failfast-Status"]

    def must_have_refused_nothing(self):
        """Postfix has not complained about us."""
        assert self.postfix.log.find("milter-reject|milter configuration error") == []


@pytest.fixture(name="scene")
def healthy_scene(site):
    """Both routes work."""
    return LocalScene(site).start()


def test_mail_whose_way_is_fine_bears_no_tag_and_its_hop_is_learned(scene):
    for recipient, sink, hop in (("a@good.test", scene.good, scene.good_hop),
                                 ("a@bad.test", scene.bad, scene.bad_hop)):
        _, ident = scene.submit(recipient)
        assert scene.tags_at(sink, ident) == []
        assert scene.milter.hop(hop)["state"] == "up"


def test_the_hop_of_the_recipient_is_named_when_it_is_down(scene):
    scene.break_bad()
    mark, _ = scene.submit("a@bad.test")
    tags = scene.tags_in_queue(mark)
    assert len(tags) == 1, tags
    for part in ("state=down", "role=transport", "reason=connection-refused",
                 f'hop="{scene.bad_hop}"', f"id={scene.queue_id(mark)}"):
        assert part in tags[0], tags
    _, ident = scene.submit("a@good.test")
    assert scene.tags_at(scene.good, ident) == []
    scene.must_have_refused_nothing()


def test_the_relayhost_is_named_when_it_is_down(site):
    scene = LocalScene(site)
    scene.postfix.params.update(relayhost=scene.bad_hop.removeprefix("smtp:"),
                                default_transport="smtp")
    scene.start()
    _, ident = scene.submit("a@elsewhere.example")
    assert scene.tags_at(scene.bad, ident) == []
    scene.break_bad()
    mark, ident = scene.submit("a@elsewhere.example")
    tags = scene.tags_in_queue(mark)
    assert len(tags) == 1 and "role=relayhost" in tags[0] and "state=down" in tags[0], tags
    scene.bad.start()
    assert len(scene.tags_at(scene.bad, ident)) == 1
    scene.must_have_refused_nothing()


def test_a_transport_of_the_sender_that_master_cf_has_not_is_named(site):
    scene = LocalScene(site)
    scene.postfix.params["sender_dependent_default_transport_maps"] = \
        "inline:{ { odd@from.test = gone: } }"
    scene.start()
    mark, _ = scene.submit("a@elsewhere.example", sender="odd@from.test")
    tags = scene.tags_in_queue(mark)
    assert len(tags) == 1 and 'hop="gone:"' in tags[0], tags
    assert "reason=transport-undefined" in tags[0], tags
    scene.must_have_refused_nothing()


def test_a_quoted_address_is_looked_up_as_postfix_does_it(site):
    scene = LocalScene(site)
    table = scene.postfix.config / "transport"
    table.write_text(f'/^"?x y"?@good.test$/ {scene.bad_hop}\n/@good.test$/ {scene.good_hop}\n',
                     encoding="utf-8")
    scene.postfix.params["transport_maps"] = f"regexp:{table}"
    scene.start()
    scene.break_bad()
    mark, _ = scene.submit('"x y"@good.test')
    assert len(scene.tags_in_queue(mark)) == 1
    _, ident = scene.submit('"z y"@good.test')
    assert scene.tags_at(scene.good, ident) == []


def test_one_message_bears_one_tag_for_each_hop_that_is_down(site):
    scene = LocalScene(site)
    third = site.peer()
    scene.postfix.route("third.test", f"smtp:[127.0.0.1]:{third.bind_to[1]}")
    scene.start()
    third.stop()
    scene.break_bad()
    mark, ident = scene.submit("a@good.test", "a@bad.test", "b@bad.test", "a@third.test")
    scene.queue_id(mark, 4)
    tags = scene.tags_at(scene.good, ident)
    assert len(tags) == 2 and len({tag.split("hop=")[1] for tag in tags}) == 2, tags


def test_tag_always_tells_of_the_recipient_s_hop_too(site):
    scene = LocalScene(site, tag="always").start()
    _, ident = scene.submit("a@good.test")
    tags = scene.tags_at(scene.good, ident)
    assert len(tags) == 1 and f'state=up; hop="{scene.good_hop}"; role=transport' in tags[0], tags


def by_header(scene):
    """sendmail -t"""
    ident = new_ident()
    text = f"From: x@from.test\nTo: a@bad.test\nX-Test-Id: {ident}\n\nx\n"
    return subprocess.run(["sendmail", "-C", str(scene.postfix.config), "-t"], input=text, check=True,
                          text=True, timeout=60)


def by_stdin(scene):
    """sendmail -bs: smtpd takes it, and hands it to pickup as its own"""
    text = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@bad.test>\r\nDATA\r\n\r\nx\r\n.\r\nQUIT\r\n"
    done = subprocess.run(["sendmail", "-C", str(scene.postfix.config), "-bs"], input=text.encode(),
                          check=True, capture_output=True, timeout=60)
    assert done.stdout.count(b"\n250 2.") == 3, done.stdout
    return done


def by_qmqp(scene):
    """qmqpd(8)"""
    def netstring(data):
        return b"%d:%s," % (len(data), data)
    with socket.create_connection(("127.0.0.1", scene.qmqp), 20) as sock:
        sock.sendall(netstring(netstring(b"Subject: x\n\nx\n") + netstring(b"s@from.test") +
                               netstring(b"a@bad.test")))
        reply = sock.recv(500)
    assert b":K" in reply, reply


@pytest.mark.parametrize("way", [by_header, by_stdin, by_qmqp])
def test_every_way_around_smtpd_leads_past_us(site, way):
    scene = LocalScene(site)
    scene.qmqp = site.world.free_port()
    scene.postfix.params["qmqpd_authorized_clients"] = "127.0.0.1"
    scene.postfix.add_service(f"127.0.0.1:{scene.qmqp} inet n - n - - qmqpd\n")
    scene.start()
    scene.break_bad()
    mark = scene.postfix.log.mark()
    way(scene)
    tags = scene.tags_in_queue(mark)
    assert len(tags) == 1 and scene.bad_hop in tags[0], tags
    scene.must_have_refused_nothing()


def test_a_requeued_message_keeps_its_one_tag(scene):
    scene.break_bad()
    mark, ident = scene.submit("a@bad.test")
    assert len(scene.tags_in_queue(mark)) == 1
    scene.postfix.log.wait_for("status=deferred", 10, mark)
    done = scene.postfix.command("postsuper", "-r", "ALL")
    assert done.returncode == 0 and "Requeued: 1 message" in done.stderr, done.stderr
    scene.bad.start()
    scene.submit("a@good.test")  # wakes pickup(8)
    assert len(scene.tags_at(scene.bad, ident)) == 1


def test_a_bounce_that_is_filtered_is_tagged(site):
    scene = LocalScene(site)
    scene.postfix.params["internal_mail_filter_classes"] = "bounce"
    scene.start()
    scene.break_bad()
    mark, _ = scene.submit("a@nowhere.example", sender="sender@bad.test")
    line = scene.postfix.log.wait_for(r" (\w+): from=<>, .*nrcpt=1 \(queue active\)", 20, mark)
    done = scene.postfix.command("postcat", "-h", "-q", line.group(1))
    tags = TAG.findall(done.stdout)
    assert len(tags) == 1 and scene.bad_hop in tags[0], done.stdout
    scene.must_have_refused_nothing()


class AsideScene(LocalScene):
    """Postfix itself uses another trivial-rewrite than the one that main.cf names, so that a test can take that."""

    def __init__(self, site, monkeypatch, probe=QUIET, **options):
        services = re.sub(r"(?m)^((pickup|cleanup|qmgr|local|bounce) .*)$",
                          r"\1\n    -o rewrite_service_name=aside", harness.postfix.MASTER_CF)
        monkeypatch.setattr(harness.postfix, "MASTER_CF", services)
        super().__init__(site, probe, **options)
        self.postfix.add_service("aside unix - - n - - trivial-rewrite\n")
        self.private = self.postfix.queue_directory / "private" / "rewrite"

    def trivial_rewrite(self):
        """Process ids of those that only we ask."""
        found = []
        for cmdline in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = cmdline.read_bytes().split(b"\0")
                if words[:3] == [b"trivial-rewrite", b"-n", b"rewrite"] and \
                        (cmdline.parent / "cwd").samefile(self.postfix.queue_directory):
                    found.append(int(cmdline.parent.name))
        return found

    def freeze_rewrite(self):
        """SIGSTOP for it, until the test ends or thaws it; its process id."""
        [pid] = self.trivial_rewrite()
        os.kill(pid, signal.SIGSTOP)
        self.site.at_end(lambda: os.kill(pid, signal.SIGCONT))
        return pid


RETRY = 1.1  # trivial-rewrite is asked again so many seconds after it failed
OUTAGE = "mail of sendmail.1. is accepted without a look at the hops of its recipients: "
MANY = [f"r{number}@bad.test" for number in range(1000)]


def accept_untagged(scene, within, recipients=("a@bad.test",)):
    """A message to a hop that is down is in the queue within so many seconds, and bears no tag."""
    mark = scene.postfix.log.mark()
    began = time.monotonic()
    scene.submit(*recipients)
    scene.queue_id(mark, len(recipients))
    took = time.monotonic() - began
    assert scene.tags_in_queue(mark, len(recipients)) == []
    assert took <= within, took
    return took


def break_rewrite(site, scene, fault):
    """Let something else be at private/rewrite."""
    scene.private.unlink()
    greetings = {"hangs": None, "hangs-up": b"", "rubbish": b"220 mx ESMTP\r\n",
                 "another-service": b"protocol\0anvil_protocol\0\0"}
    if fault in greetings:
        site.at_end(FakeService(scene.private, greetings[fault]).close)
    elif fault == "refuses":
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(scene.private))


@pytest.mark.seconds(12)
@pytest.mark.parametrize("fault", ["missing", "refuses", "hangs", "hangs-up", "another-service",
                                   "rubbish"])
def test_without_an_answer_of_trivial_rewrite_mail_is_accepted_at_once(site, monkeypatch, fault):
    scene = AsideScene(site, monkeypatch)
    scene.bad.stop()
    scene.postfix.prepare()
    scene.postfix.start()
    break_rewrite(site, scene, fault)
    scene.milter.start()
    scene.milter.wait_sockets()
    accept_untagged(scene, 3)
    time.sleep(RETRY)
    accept_untagged(scene, 5, MANY)
    time.sleep(RETRY)
    accept_untagged(scene, 3)
    assert len(scene.milter.log.find(OUTAGE)) == 1
    scene.must_have_refused_nothing()


def test_a_thousand_recipients_are_looked_up_in_no_time(site, monkeypatch):
    scene = AsideScene(site, monkeypatch).start()
    scene.break_bad()
    mark = scene.postfix.log.mark()
    began = time.monotonic()
    scene.submit(*MANY)
    assert len(scene.tags_in_queue(mark, len(MANY))) == 1
    took = time.monotonic() - began
    assert took <= 5, took
    assert len(scene.trivial_rewrite()) == 1


def test_a_trivial_rewrite_that_was_restarted_is_no_outage(site, monkeypatch):
    # It takes a while to start on a busy machine.
    scene = AsideScene(site, monkeypatch, {**QUIET, "max_wait": "5s"}).start()
    scene.break_bad()
    for stop in (lambda: None, lambda: os.kill(scene.trivial_rewrite()[0], signal.SIGTERM),
                 scene.postfix.reload):
        stop()
        mark, _ = scene.submit("a@bad.test")
        assert len(scene.tags_in_queue(mark)) == 1
    assert scene.milter.log.find("trivial-rewrite") == []


def test_a_trivial_rewrite_that_hangs_is_waited_for_once_and_asked_again_later(site, monkeypatch):
    scene = AsideScene(site, monkeypatch).start()
    scene.break_bad()
    mark, _ = scene.submit("a@bad.test")
    assert len(scene.tags_in_queue(mark)) == 1
    pid = scene.freeze_rewrite()
    accept_untagged(scene, 5, MANY)
    assert len(scene.milter.log.find(OUTAGE + r".*: no answer in time$")) == 1
    os.kill(pid, signal.SIGCONT)
    time.sleep(RETRY)
    mark, _ = scene.submit("a@bad.test")
    assert len(scene.tags_in_queue(mark)) == 1
    assert len(scene.milter.log.find(r"trivial-rewrite\(8\) of .* answers again")) == 1
    assert len(scene.milter.log.find(OUTAGE)) == 1
    scene.must_have_refused_nothing()


class SlowRewrite(FakeService):
    """Answers each question, but late."""

    def __init__(self, path, nexthop, delay):
        self.answer = b"".join(word.encode() + b"\0" for word in (
            "flags", "0", "transport", "smtp", "nexthop", nexthop, "recipient", "a@bad.test", "flags",
            "1024", ""))
        self.delay = delay
        super().__init__(path, b"protocol\0trivial_rewrite_protocol\0\0")

    def _serve(self, sock):
        with sock, contextlib.suppress(OSError):
            sock.sendall(self.greeting)
            while sock.recv(4096):
                time.sleep(self.delay)
                sock.sendall(self.answer)


@pytest.mark.seconds(5)
def test_a_message_to_many_does_not_wait_for_a_slow_trivial_rewrite_again_and_again(
        site, monkeypatch):
    scene = AsideScene(site, monkeypatch)
    scene.bad.stop()
    scene.postfix.prepare()
    scene.postfix.start()
    scene.private.unlink()
    site.at_end(SlowRewrite(scene.private, scene.bad_hop.removeprefix("smtp:"), MAX_WAIT / 2).close)
    scene.milter.start()
    scene.milter.wait_sockets()
    mark = scene.postfix.log.mark()
    began = time.monotonic()
    scene.submit(*MANY)
    assert len(scene.tags_in_queue(mark, len(MANY))) == 1
    assert 4 * MAX_WAIT <= time.monotonic() - began <= 6 * MAX_WAIT + 3
    assert scene.milter.log.find(OUTAGE) == []


def test_a_hanging_trivial_rewrite_does_not_hold_up_mail_that_comes_by_smtp(site, monkeypatch):
    scene = AsideScene(site, monkeypatch)
    for options in (scene.postfix.listener_options(scene.port),
                    scene.postfix.listener_options(scene.postfix.reentry)):
        options["rewrite_service_name"] = "aside"
    scene.start()
    _, ident = scene.submit("a@bad.test")
    assert scene.tags_at(scene.bad, ident) == []
    scene.freeze_rewrite()
    together([lambda: scene.submit("a@bad.test")] * 10)
    began = time.monotonic()
    scene.must_accept("a@good.test")
    assert time.monotonic() - began <= 1.0
    scene.milter.log.wait_for(OUTAGE)
    scene.postfix.wait_empty()
    assert len(scene.milter.log.find(OUTAGE)) == 1


def test_a_burst_of_submissions_is_tagged_to_the_last(site):
    scene = LocalScene(site).start()
    scene.break_bad()
    mark = scene.postfix.log.mark()

    def submit():
        for _ in range(20):
            scene.submit("a@bad.test")
    assert together([submit] * 10) == [None] * 10

    def queued():
        return {match.group(1) for match in
                scene.postfix.log.find(r"qmgr.* (\w+): from=.*nrcpt=1 \(queue active\)", mark)}
    wait_until(lambda: len(queued()) == 200, 60, "200 messages in the queue", 0.2)
    assert queued() == {match.group(1) for match in scene.milter.log.find(r"^(\w+): tag: ")}
    assert scene.milter.log.find("trivial-rewrite") == []
    scene.must_have_refused_nothing()


def test_without_the_right_to_private_mail_is_accepted(site):
    scene = LocalScene(site)
    scene.milter = UnprivilegedMilter(site.dir / "nobody", scene.postfix,
                                      listen=f"inet:{site.world.free_port()}@127.0.0.1")
    site.at_end(scene.milter.end)
    site.show("milter of nobody", lambda: scene.milter.log.tail(300))
    scene.postfix.use_milter(scene.milter, non_smtpd=True)
    scene.start()
    scene.break_bad()
    for _ in range(2):
        accept_untagged(scene, 3)
        time.sleep(RETRY)
    assert len(scene.milter.log.find(OUTAGE + ".*: Permission denied$")) == 1
    scene.must_have_refused_nothing()
