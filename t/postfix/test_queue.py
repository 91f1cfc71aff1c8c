"""failfastctl queue: what waits in a real queue, by hop and reason, and what to do about it."""
import io
import json
import os
import pty
import random
import re
import subprocess
import sys
import time

import pytest

from harness.milter import is_sanitized, program
from harness.scene import FilterScene, RouteScene
from harness.wait import wait_until

REFUSED = "connect to SERVER: Connection refused"
GREYLISTED = "host SERVER said: 450 4.2.0 greylisted"


def queue(milter, *args):
    """Exit code and document of `failfastctl queue --json`."""
    return milter.ctl("-c", str(milter.conf), "queue", "--json", *args)


def groups(milter, *args):
    """{(hop, reason): group}, reasons cut where a server's words become long."""
    code, document = queue(milter, *args)
    assert code == 0, document
    return {(group["hop"], group["reason"].split(",", maxsplit=1)[0]): group
            for group in document["groups"]}


class QueueScene(RouteScene):
    """Mail of sendmail(1), which is never refused, for a hop that is down, one that greylists, and a transport that
    is not there for one sender."""

    def __init__(self, site):
        super().__init__(site)
        self.postfix.params.update(
            minimal_backoff_time="1h", maximal_backoff_time="1h", queue_run_delay="1h",
            default_transport="smtp", relay_transport="relay",
            sender_dependent_default_transport_maps="inline:{ {lost@from.test = nosuch:[192.0.2.1]} }")

    def start(self):
        super().start()
        self.milter.wait_state(self.good_hop, "up")
        self.bad.stop()
        self.good.set("greylist")
        return self

    def submit(self, *recipients, sender="s@from.test"):
        done = self.postfix.sendmail(sender, recipients, "Subject: x\n\nx\n")
        assert done.returncode == 0, done.stderr

    def wait_deferred(self, count):
        """Until so many recipients have a reason."""
        def waiting():
            reasons = [to.get("delay_reason") for item in self.postfix.queue()
                       for to in item["recipients"] if item["queue_name"] == "deferred"]
            return len([reason for reason in reasons if reason]) == count
        wait_until(waiting, 10, f"{count} recipients are deferred")


@pytest.mark.seconds(5)
def test_messages_are_grouped_by_the_hop_that_they_wait_for(site):
    scene = QueueScene(site).start()
    for number in range(3):
        scene.submit(f"a{number}@bad.test")
    scene.submit("a@bad.test", "b@good.test", "c@good.test")
    scene.submit("l@elsewhere.example", sender="lost@from.test")
    scene.wait_deferred(7)
    scene.milter.ctl("probe", scene.bad_hop)
    scene.milter.wait_state(scene.bad_hop, "down")
    found = groups(scene.milter)
    assert set(found) == {(scene.bad_hop, REFUSED), (scene.good_hop, GREYLISTED),
                          ("nosuch:[192.0.2.1]", "mail transport unavailable")}, found

    bad = found[scene.bad_hop, REFUSED]
    assert (bad["messages"], bad["recipients"]) == (4, 4), bad
    assert (bad["state"], bad["hop_reason"]) == ("down", "connection-refused"), bad
    assert bad["advice"].startswith("connection-refused: connect to 127.0.0.1:"), bad
    assert bad["instance"] == str(scene.postfix.config) and bad["oldest_age_seconds"] < 30, bad
    assert bad["servers"] == [f"127.0.0.1[127.0.0.1]:{scene.bad_hop.rsplit(':', 1)[1]}"], bad

    good = found[scene.good_hop, GREYLISTED]
    assert (good["messages"], good["recipients"], good["state"]) == (1, 2, "up"), good
    assert good["advice"].startswith("the server works and refuses these"), good
    lost = found["nosuch:[192.0.2.1]", "mail transport unavailable"]
    assert (lost["state"], lost["hop_reason"]) == ("down", "transport-undefined"), lost

    _, document = queue(scene.milter)
    assert document["queues"]["deferred"] == document["total"]["messages"] == 5, document
    assert document["total"]["recipients"] == 7 and document["daemon_error"] is None, document

    # What works again says how the queue is flushed, and that does it.
    scene.bad.start()
    scene.milter.ctl("probe", scene.bad_hop)
    scene.milter.wait_state(scene.bad_hop, "up", timeout=15)
    advice = groups(scene.milter)[scene.bad_hop, REFUSED]["advice"]
    command = re.fullmatch(r"the hop works now: (postqueue -c \S+ -f)", advice)
    assert command, advice
    subprocess.run(command.group(1).split(), check=True, timeout=20)
    wait_until(lambda: len(scene.bad.messages) == 4, 10, "delivered")


@pytest.mark.seconds(4)
def test_without_the_daemon_the_queue_is_still_shown(site):
    scene = QueueScene(site).start()
    scene.submit("a@bad.test")
    scene.wait_deferred(1)
    scene.milter.stop()
    code, document = queue(scene.milter)
    assert code == 0 and "failfast-milter running?" in document["daemon_error"], document
    group, = document["groups"]
    assert group["hop"] is None and group["state"] == "unknown" and group["messages"] == 1, group
    assert group["servers"] == [f"127.0.0.1[127.0.0.1]:{scene.bad_hop.rsplit(':', 1)[1]}"], group

    scene.postfix.params["queue_directory"] = "/nonexistent"
    scene.postfix.write()
    code, text = queue(scene.milter)
    assert code == 3 and "postqueue" in text, text


@pytest.mark.seconds(4)
def test_mail_that_waits_for_its_content_filter_is_told_from_its_own_way(site):
    scene = FilterScene(site)
    scene.postfix.params.update(minimal_backoff_time="1h", queue_run_delay="1h")
    scene.start()
    scene.wait_up()
    scene.filter.stop()
    assert scene.postfix.sendmail("s@from.test", ["a@to.test"], "Subject: x\n\nx\n").returncode == 0
    wait_until(lambda: any(item["recipients"][0].get("delay_reason") for item in scene.postfix.queue()),
               10, "deferred")
    (hop, reason), = groups(scene.milter)
    assert (hop, reason) == (scene.hop, REFUSED)


def terminal(argv):
    """What a program shows on a terminal of 80 columns."""
    parent, child = pty.openpty()
    subprocess.run(["stty", "cols", "80", "rows", "24"], stdin=child, check=True)
    with subprocess.Popen(argv, stdin=child, stdout=child, stderr=subprocess.DEVNULL) as process:
        os.close(child)
        shown = b""
        try:
            while chunk := os.read(parent, 65536):
                shown += chunk
        except OSError:
            pass
        os.close(parent)
        assert process.wait(20) == 0
    return re.sub(r"\x1b\[\d*m", "", shown.decode("ascii")).replace("\r\n", "\n")


# In a small process: what is counted as the size of a child begins with that of its parent.
MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[2:], stdout=open(sys.argv[1], "wb"), check=True)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""

REASONS = [
    "connect to 127.0.0.1[127.0.0.1]:10024: Connection refused",
    "mail transport unavailable",
    "host mx{n}.dest{d}.example[203.0.113.{o}] said: 450 4.7.1 <u{n}@dest{d}.example>: Recipient address"
    " rejected: Greylisted for {n} seconds, id {h} (in reply to RCPT TO command)",
    "delivery temporarily suspended: connect to mx{o}.dest{d}.example[203.0.113.{o}]:25: Connection timed out",
    "Host or domain name not found. Name service error for name=dest{d}.example type=MX: Host not found,"
    " try again",
    "host gmail-smtp-in.example[142.250.1.{o}] said: 421-4.7.0 [198.51.100.7      15] Our system has detected"
    " https://support.example/?p={h} a{h}.{n} - gsmtp (in reply to end of DATA command)",
    "lost connection with mx{o}.dest{d}.example[203.0.113.{o}] while receiving the initial server greeting",
    "Postf\u00e4cher \u00fcberf\u00fcllt \u2620 \x1b[31m",
]


def write_queue(path, messages, times=1):
    """What postqueue -j might print on a bad day."""
    dice = random.Random(1)
    with io.StringIO() as out:
        for _ in range(messages):
            words = {"n": dice.randrange(1000), "d": dice.randrange(3000), "o": dice.randrange(250),
                     "h": f"{dice.getrandbits(60):x}"}
            recipients = [{"address": f"u{words['n']}.{number}@dest{words['d']}.example",
                           "delay_reason": dice.choice(REASONS).format(**words)}
                          for number in range(dice.choice((1, 1, 1, 2)))]
            out.write(json.dumps({
                "queue_name": "deferred", "queue_id": f"{dice.getrandbits(44):X}",
                "arrival_time": int(time.time()) - dice.randrange(400000),
                "message_size": dice.randrange(10 ** 6), "forced_expire": False,
                "sender": f"s{dice.randrange(500)}@from.test", "recipients": recipients},
                ensure_ascii=False) + "\n")
        path.write_text(out.getvalue() * times, encoding="utf-8")


@pytest.mark.seconds(4)
def test_a_hundred_thousand_messages_take_three_seconds_and_64_mib(site):
    scene = QueueScene(site).start()
    path = site.dir / "queue"
    write_queue(path, 5000, 20)
    argv = [program("failfastctl"), "-c", str(scene.milter.conf), "queue"]
    done = subprocess.run([sys.executable, "-c", MEASURED, site.dir / "out", *argv, "--json", path],
                          check=True, capture_output=True, text=True, timeout=60)
    cpu_seconds, rss_kib = map(float, done.stdout.split())
    document = json.loads((site.dir / "out").read_text(encoding="utf-8"))
    assert document["total"]["messages"] == 100000 and document["unreadable_lines"] == 0
    assert len(document["groups"]) < 40, [group["reason"] for group in document["groups"]]
    if not is_sanitized():
        # Of processor time: how many others share the machine is not our business.
        assert cpu_seconds < 3 and rss_kib < 64 * 1024, done.stdout
    write_queue(path, 1000)
    shown = terminal([*argv, path])
    assert max(map(len, shown.splitlines())) <= 80, shown
    assert "\x1b" not in shown and "1000 messages to" in shown, shown


def test_a_file_with_odd_lines_is_read_and_that_is_told(site):
    scene = QueueScene(site).start()
    path = site.dir / "queue"
    write_queue(path, 2)
    with open(path, "ab") as out:
        out.write(b'garbage\n{"queue_name": "deferred"}\n\xff\xfe\n{"queue_name": "defer')
    code, document = queue(scene.milter, str(path))
    assert code == 0 and document["unreadable_lines"] == 4, document
    assert document["total"]["messages"] == 2
    code, text = scene.milter.ctl("-c", str(scene.milter.conf), "queue", str(path))
    assert code == 0 and "4 lines of postqueue could not be read" in text, text
    assert queue(scene.milter, "/nonexistent")[0] == 3
    assert queue(scene.milter, "a", "b")[0] == 3
