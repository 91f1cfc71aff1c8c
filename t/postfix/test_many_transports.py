"""Two thousand transports, each with a bind address of its own, as Plesk makes them: discovery, cost, and a fault."""
import os
import pathlib
import time

import pytest

from harness.milter import is_sanitized
from harness.scene import Scene, brief
from harness.transports import TEXT
from harness.wait import wait_until

COUNT = 2000
REMOVED = 5
DISCOVERY = 2.0           # seconds of work from the start of the milter to the last hop in status, postconf's included
STEADY_CPU = 0.02         # of a core, keeper and engine together
WINDOW = 12.0             # seconds in which that is measured: each transport is looked at once every 10
MEMORY_KIB = 24 * 1024    # of keeper and engine, each
AGENTS = 100              # default_process_limit; what we start should stay well below
DETECTION = 10 * 1.1 + 5  # interval, jitter, and what reading 2,000 services takes
ADDRESSES = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(COUNT)]


def name_of(address):
    """The service that sends from an address."""
    return f"plesk-{address}-"


def service_of(address):
    """Its lines of master.cf."""
    return f"{name_of(address)} unix - - n - - smtp\n    -o smtp_bind_address={address}\n"


class PleskScene(Scene):
    """A sender domain for each address; what the first sends goes to the sink, the others have no fixed nexthop."""

    def __init__(self, site):
        super().__init__(site, {})
        self.sink = site.peer()
        table = self.postfix.config / "sdd"
        self.hops = [f"{name_of(address)}:" for address in ADDRESSES]
        self.hops[0] += f"[127.0.0.1]:{self.sink.bind_to[1]}"
        table.write_text("".join(f"@d{number}.example {hop}\n"
                                 for number, hop in enumerate(self.hops)), encoding="utf-8")
        self.postfix.params.update(
            default_transport="smtp",
            sender_dependent_default_transport_maps=f"texthash:{table}",
            smtpd_relay_restrictions="check_client_access static:OK, reject")
        self.recipient = "a@elsewhere.example"
        for address in ADDRESSES:
            self.postfix.add_service(service_of(address))

    def states(self):
        """Of the two thousand; those that status does not show are missing."""
        shown = self.milter.hops()
        return {hop: shown[hop]["state"] for hop in self.hops if hop in shown}

    def wait_all_up(self):
        """Until each is up."""
        wait_until(lambda: list(self.states().values()) == ["up"] * COUNT, 20, "all are up", 0.2)


def cpu_seconds(pid, with_children=False):
    """utime and stime of a process so far; with those of its children that have ended, if asked."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15 if with_children else 13])) / os.sysconf("SC_CLK_TCK")


def agents(site):
    """How many delivery agents of these transports run here."""
    return sum(1 for command in site.world.processes().values()
               if command.startswith("smtp -n plesk-"))


@pytest.mark.seconds(25)
def test_two_thousand_transports_are_found_at_once_and_cost_next_to_nothing(site):
    scene = PleskScene(site)
    scene.postfix.prepare()
    scene.postfix.start()
    began = time.monotonic()
    scene.milter.start()
    wait_until(lambda: len(scene.states()) == COUNT, 20, "every hop is shown", 0.05)
    took = time.monotonic() - began
    pids = (scene.milter.pid(), scene.milter.engine_pid())
    work = sum(cpu_seconds(pid, with_children=True) for pid in pids)
    scene.wait_all_up()
    before = sum(map(cpu_seconds, pids))
    time.sleep(WINDOW)
    cpu = (sum(map(cpu_seconds, pids)) - before) / WINDOW
    sizes = scene.milter.rss_kib()
    running = agents(site)
    print(f"{COUNT} transports: shown after {took:.2f} s ({work:.2f} s of work), {100 * cpu:.2f} % of a core, "
          f"keeper {sizes[pids[0]]} KiB, engine {sizes[pids[1]]} KiB, {running} agents of Postfix")
    assert 0 < running < AGENTS, running
    if not is_sanitized():
        # Not the time on the clock: tests share the machine.
        assert work < DISCOVERY, work
        assert cpu < STEADY_CPU, cpu
        assert max(sizes.values()) < MEMORY_KIB, sizes
    assert list(scene.states().values()) == ["up"] * COUNT


@pytest.mark.seconds(25)
def test_one_of_two_thousand_transports_that_is_removed_is_down_and_no_other(site):
    scene = PleskScene(site).start()
    scene.wait_all_up()
    hop, text = scene.hops[REMOVED], service_of(ADDRESSES[REMOVED])
    senders = {"good": "s@d0.example", "bad": f"s@d{REMOVED}.example"}
    scene.must_deliver(scene.sink, sender=senders["good"])

    mark = scene.milter.log.mark()
    scene.postfix.remove_service(text)
    scene.postfix.write()
    scene.milter.log.wait_for(r"reloaded: ", 10, mark)
    scene.postfix.reload()
    began = time.monotonic()
    # Without any mail.
    scene.milter.wait_state(hop, "down", "transport-refused", DETECTION)
    print(f"down {time.monotonic() - began:.1f} s after the reload of Postfix")
    assert {name: state for name, state in scene.states().items() if state != "up"} == {hop: "down"}
    assert scene.send(sender=senders["bad"]).refusal == \
        brief("4.3.0", "transport", TEXT["transport-refused"])
    scene.must_deliver(scene.sink, sender=senders["good"])
    assert agents(site) < AGENTS

    scene.postfix.add_service(text)
    scene.postfix.write()
    scene.postfix.reload()
    # Postfix takes its time to read 2,000 services.
    wait_until(lambda: scene.send(sender=senders["bad"]).accepted, 10, "it is back", 0.1)
