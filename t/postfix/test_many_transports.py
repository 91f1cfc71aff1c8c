"""Two thousand transports, each with a bind address of its own, as Plesk makes them: discovery, cost, and a fault."""
import os
import pathlib
import time

import pytest

from harness.milter import is_sanitized
from harness.scene import MAX_AGE, Scene
from harness.transports import TEXT
from harness.wait import wait_until

COUNT = 2000
DISCOVERY = 2.0          # seconds from the start of the milter to the last hop in status
STEADY_CPU = 0.02        # of a core, keeper and engine together
WINDOW = 12.0            # seconds in which that is measured
MEMORY_KIB = 40 * 1024   # of each process
ADDRESSES = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(COUNT)]


def name_of(address):
    """The service that sends from an address."""
    return f"plesk-{address}-"


def service_of(address):
    """Its lines of master.cf."""
    return f"{name_of(address)} unix - - n - - smtp\n    -o smtp_bind_address={address}\n"


class PleskScene(Scene):
    """A sender domain for each address; every destination is the sink's."""

    def __init__(self, site):
        super().__init__(site, {})
        self.sink = site.peer()
        table = self.postfix.config / "sdd"
        table.write_text("".join(f"@d{number}.example {name_of(address)}:[127.0.0.1]:{self.port_of_sink}\n"
                                 if number < 2 else f"@d{number}.example {name_of(address)}:\n"
                                 for number, address in enumerate(ADDRESSES)), encoding="utf-8")
        self.postfix.params.update(
            default_transport="smtp",
            sender_dependent_default_transport_maps=f"texthash:{table}",
            smtpd_relay_restrictions="check_client_access static:OK, reject")
        self.recipient = "a@elsewhere.example"
        self.services = {name_of(address): service_of(address) for address in ADDRESSES}
        for text in self.services.values():
            self.postfix.add_service(text)

    @property
    def port_of_sink(self):
        """Where the first two go."""
        return self.sink.bind_to[1]


def cpu_seconds(pid):
    """utime and stime of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def agents(site):
    """How many delivery agents run here."""
    return sum(1 for command in site.world.processes().values() if command.startswith("smtp -n "))


@pytest.mark.seconds(60)
def test_scratch(site):
    scene = PleskScene(site)
    scene.postfix.prepare()
    t = time.monotonic()
    scene.postfix.start()
    print("postfix up", time.monotonic() - t)
    began = time.monotonic()
    scene.milter.start()
    print("answers", time.monotonic() - began)
    wait_until(lambda: len(scene.milter.hops()) >= COUNT, 30, "all")
    print("discovered", time.monotonic() - began, len(scene.milter.hops()))
    pids = (scene.milter.pid(), scene.milter.engine_pid())
    print("cpu until now", [cpu_seconds(pid) for pid in pids])
    for _ in range(8):
        a = [cpu_seconds(pid) for pid in pids]
        m = cpu_seconds(scene.postfix.master_pid())
        time.sleep(3)
        b = [cpu_seconds(pid) for pid in pids]
        states = {}
        for hop in scene.milter.hops().values():
            states[hop["state"]] = states.get(hop["state"], 0) + 1
        print(f"{time.monotonic()-began:.1f} cpu", [round(y - x, 2) for x, y in zip(a, b)], "master", round(cpu_seconds(scene.postfix.master_pid()) - m, 2),
              "agents", agents(site), states, scene.milter.rss_kib())
