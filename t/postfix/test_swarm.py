"""A thousand clients of the HTTP server and the control socket, and what mail notices of them: nothing."""
import signal
import statistics
import subprocess
import sys
import time

import pytest

from harness.milter import ROOT, is_sanitized
from harness.mta import Mta
from harness.wait import wait_until
from harness.web import Web

ROUNDS, SECONDS = 4, 0.8
LIMIT_S = 0.001


class Swarm:
    """A process that can be told to hold its breath."""

    def __init__(self, web):
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with
            [sys.executable, "-B", ROOT / "t" / "peers" / "swarm.py", web.host, str(web.port),
             web.milter.control, str(200 if is_sanitized() else 1000)], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "going\n"

    def rest(self):
        """Say nothing more."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        """Say what there is to say."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        """At the end of a test that failed."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def end(self):
        """How many answers it had, from HTTP and from the control socket."""
        self._process.terminate()
        self.go_on()
        return [int(word) for word in self._process.communicate(timeout=20)[0].split()]


def ask_for(mta, hop, seconds):
    """How long the answers took, one after the other with a short pause."""
    took = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        one, answer = mta.ask(*hop.split(":", 1))
        assert answer == b"c", answer
        took.append(one)
        time.sleep(0.002)
    return took


@pytest.mark.seconds(12)
def test_garbage_slow_and_a_thousand_parallel_clients_do_not_delay_a_verdict(site):
    peer = site.peer()
    hop = f"smtp:[127.0.0.1]:{peer.bind_to[1]}"
    milter = site.milter()
    # A few hundred hops, so that there is something to make for those who ask.
    milter.extra = "".join(f'hop "{name}" {{ }}\n' for name in
                           [hop] + [f"smtp-{number}:[127.0.0.1]:1" for number in range(300)])
    web = Web(milter, site.world.free_port())
    milter.start()
    milter.wait_state(hop, "up")
    wait_until(web.is_healthy, 10, "healthy")
    mta = Mta(milter.socket_path())
    site.at_end(mta.close)
    quiet, noisy, slowest = ask_for(mta, hop, SECONDS), [], 0
    swarm = Swarm(web)
    site.at_end(swarm.kill)
    for _ in range(ROUNDS):
        swarm.go_on()
        noisy += ask_for(mta, hop, SECONDS)
        began = time.monotonic()
        assert web.get("/healthz", timeout=20).status == 200
        slowest = max(slowest, time.monotonic() - began)
        swarm.rest()
        quiet += ask_for(mta, hop, SECONDS)
    answers = swarm.end()
    for name, took in (("quiet", quiet), ("noisy", noisy)):
        print(f"{name}: {len(took)} verdicts, half within {statistics.median(took) * 1000:.3f} ms, "
              f"99 of 100 within {statistics.quantiles(took, n=100)[98] * 1000:.3f} ms")
    print(f"answers to the swarm: HTTP {answers[0]}, control {answers[1]}; "
          f"healthz amid it within {slowest:.3f} s")
    assert min(answers) > 10, answers
    if not is_sanitized():
        assert statistics.median(noisy) - statistics.median(quiet) < LIMIT_S
    assert milter.hop(hop)["state"] == "up"
    wait_until(web.is_healthy, 10, "healthy")
