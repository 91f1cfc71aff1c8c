"""A filter that is killed under load: how long the window is in which mail is still taken."""
import os
import signal
import subprocess
import sys
import time

import pytest

from harness.load import Load
from harness.milter import QUIET
from harness.scene import LOCAL_RECOVERY, MAX_AGE, Scene
from harness.wait import wait_until

PEER = os.path.join(os.path.dirname(__file__), "..", "peers", "sick_peer.py")
TRANSIT = 0.1  # from the verdict to our clock: the rest of the dialogue on a busy machine


class KilledFilter:
    """sick_peer as a process that can be killed like any other."""

    def __init__(self, site, port):
        self.journal = site.dir / "journal"
        self.address = f"inet:127.0.0.1:{port}"
        self.process = None
        site.at_end(self.kill)

    def start(self):
        """Start; the time at which it listened."""
        self.process = subprocess.Popen(
            [sys.executable, PEER, "--journal", str(self.journal), self.address],
            stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        return time.time()

    def kill(self):
        """SIGKILL; the time just before."""
        when = time.time()
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process.stdout.close()
            self.process = None
        return when

    def idents(self):
        """Ids of all messages taken."""
        if not self.journal.exists():
            return []
        return [line.split()[1] for line in self.journal.read_text().splitlines()]


@pytest.mark.seconds(30)
def test_the_window_is_no_longer_than_max_age_and_closes_once(site):
    scene = Scene(site, QUIET)
    port = site.world.free_port()
    killed = KilledFilter(site, port)
    hop = f"smtp-amavis:[127.0.0.1]:{port}"
    scene.postfix.params["content_filter"] = hop
    scene.postfix.route("to.test", "discard:")
    killed.start()
    scene.start()
    scene.milter.wait_state(hop, "up")

    load = Load(scene.port, ["a@to.test"], rate=50, threads=5).start()
    wait_until(lambda: len(load.results) > 100, 20, "100 messages")
    kill_time = killed.kill()
    wait_until(lambda: any(not sent.accepted for sent in list(load.results)), 5, "a refusal")
    wait_until(lambda: load.results[-1].ended > kill_time + 4, 10, "four seconds of outage")
    restart_time = killed.start()
    wait_until(lambda: load.results[-1].ended > restart_time + 4, 10, "four seconds of service")
    results = load.stop()

    rate = len(results) / (results[-1].ended - results[0].began)
    assert rate > 40, f"only {rate:.0f} messages a second: this machine proves nothing"
    before = [sent for sent in results if sent.ended < kill_time]
    outage = [sent for sent in results if kill_time <= sent.began and sent.ended < restart_time]
    assert all(sent.accepted for sent in before)
    late = [sent for sent in outage if sent.accepted and (
        sent.began > kill_time + MAX_AGE or sent.ended > kill_time + MAX_AGE + TRANSIT)]
    assert not late, f"accepted {late[-1].ended - kill_time:.3f} s after the kill"
    first_refusal = min(sent.ended for sent in outage if not sent.accepted)
    after = [sent for sent in results if sent.accepted and sent.ended < restart_time and (
        sent.began > first_refusal or sent.ended > first_refusal + TRANSIT)]
    assert not after, f"accepted {after[0].began - first_refusal:.3f} s after the first refusal"
    refused = [sent for sent in results if not sent.accepted]
    assert len(refused) > 50
    assert all(sent.refusal[:3] in ("451", "421") and
               sent.refusal.endswith(": connection refused") for sent in refused)
    window = max((sent.ended for sent in outage if sent.accepted), default=kill_time) - kill_time
    recovery = max(sent.began for sent in refused) - restart_time
    print(f"window {window:.3f} s, recovery {recovery:.3f} s, {rate:.0f} messages a second")
    assert recovery <= LOCAL_RECOVERY, f"refused {recovery:.3f} s after the restart"

    scene.postfix.wait_empty(20)
    accepted = {sent.ident for sent in results if sent.accepted}
    assert accepted == set(killed.idents()), "accepted and delivered differ"


@pytest.mark.seconds(10)
def test_messages_that_ask_at_the_same_time_share_one_probe(site):
    """The freshness probe of a filter is not multiplied by the mail that waits for it."""
    scene = Scene(site, QUIET)
    peer = site.peer()
    hop = f"smtp-amavis:[127.0.0.1]:{peer.bind_to[1]}"
    scene.postfix.params["content_filter"] = hop
    scene.postfix.route("to.test", "discard:")
    scene.start()
    scene.milter.wait_state(hop, "up")
    before = peer.connections
    load = Load(scene.port, ["nobody@to.test"], rate=60, threads=6).start()
    began = time.time()
    wait_until(lambda: len(load.results) > 150, 20, "150 messages")
    load.stop()
    scene.postfix.wait_empty(20)
    probes = sum(1 for number in range(before + 1, peer.connections + 1)
                 if not any(f"#{number} message" in line for line in list(peer.log)))
    assert probes <= (time.time() - began) / MAX_AGE + 3, f"{probes} probes"
