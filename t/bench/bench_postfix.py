#!/usr/bin/python3
"""bench_postfix - what failfast-milter costs behind a real Postfix

    bench_postfix.py [-q] [-r]

As root: a private Postfix in namespaces of its own, as the tests have it, with a listener for each milter that is
compared.  smtp-source(1) sends, discard(8) takes the mail under another name, so that there is a hop to be asked
about.  opendkim (Debian's package) is measured where it is installed: it signs with RSA of 2048 bits, which the goal is
about, or verifies mail that nobody signed.  Behind Postfix, whose own work is the greatest part of a message, no plugin
could be five times as fast: there the rate without any milter is told beside it.  The exit status is 1 when a goal is
missed.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import time

import plugins
import rounds
from plugins import Empty, Ours, cpu_seconds, load, wait_until
from rounds import Goal, heading, say

# pylint: disable=wrong-import-order
from harness import net
from harness.postfix import MILTER_OPTIONS, PostfixInstance
from harness.smtp import Smtp, transact

TCP, SIGNING, VERIFYING = "failfast-milter, TCP", "opendkim, signing", "opendkim, verifying"
SENDER, RECIPIENT, HOP = "sender@from.test", "rcpt@to.test", "sink:"
SESSIONS, BUSY_SESSIONS = 10, 50
STALL_SECONDS = 0.03


class OpenDkim:
    """An opendkim on the UNIX socket DIRECTORY/...-MODE.sock; mode is v (verify) or s (sign)."""

    def __init__(self, directory, listen):
        self.dir = pathlib.Path(directory)
        self.listen = listen
        self.path = pathlib.Path(listen.removeprefix("unix:"))
        mode = self.path.stem[-1]
        conf = self.path.with_suffix(".conf")
        conf.write_text("\n".join([
            f"Mode {mode}", f"Socket local:{self.path}", "UMask 000", "Background no", "Syslog no",
            "AutoRestart no", "RequireSafeKeys no", "Canonicalization relaxed/simple", "Domain from.test",
            "Selector bench", f"KeyFile {self._key()}", "InternalHosts 0.0.0.0/0",
            "ExternalIgnoreList 0.0.0.0/0"]) + "\n", encoding="ascii")
        self._process = subprocess.Popen(["opendkim", "-f", "-x", conf], start_new_session=True)
        wait_until(self._listens, 5, f"{self.listen} listens")

    def _key(self):
        path = self.dir / "bench.private"
        if not path.exists():
            subprocess.run(["openssl", "genrsa", "-out", path, "2048"], check=True, capture_output=True)
        return path

    def _listens(self):
        assert self._process.poll() is None, "opendkim ended"
        return self.path.exists()

    @property
    def worker(self):
        """The process that does the work."""
        return self._process.pid

    def stop(self):
        """End it."""
        self._process.terminate()
        self._process.wait(10)


class Bench:
    """One Postfix, and a listener for each milter."""

    def __init__(self, world, count, seconds):
        self.world = world
        self.dir = pathlib.Path(world.base)
        self.count = count
        self.seconds = seconds
        self.ports = {}
        self.plugins = {}
        (self.dir / "postfix").mkdir()
        self.postfix = PostfixInstance(self.dir / "postfix", world.free_port)
        self.postfix.add_service("sink unix - - n - - discard\n")
        self.postfix.route("to.test", HOP)
        self.postfix.params["smtpd_client_connection_rate_limit"] = "0"

    def add(self, name, listen=None):
        """A listener that asks the milter there, or none."""
        milters = ""
        if listen:
            kind, where = listen.split(":", 1)
            if kind == "inet":
                where = ":".join(reversed(where.split("@")))
            milters = f"{{ {kind}:{where}, {MILTER_OPTIONS} }}"
        self.ports[name] = self.postfix.add_listener(smtpd_milters=milters)

    def ours(self, directory, **kwargs):
        """A failfast-milter that runs."""
        made = Ours(self.dir / directory, self.postfix, listen_group="postfix", **kwargs)
        made.start()
        made.wait_sockets()
        return made

    def start(self):
        """Postfix, then the milters; the names to compare the rates of."""
        names = {"failfast-milter": "ours", "empty plugin": "empty"}
        if shutil.which("opendkim"):
            names.update({VERIFYING: "opendkim-v", SIGNING: "opendkim-s"})
        else:
            heading("opendkim is not installed: not compared (scripts/packages --install bench)")
        listen = {name: f"unix:{self.dir}/{file}.sock" for name, file in names.items()}
        listen[TCP] = f"inet:{self.world.free_port()}@127.0.0.1"
        self.add("no milter")
        for name, where in listen.items():
            self.add(name, where)
        self.postfix.start()
        self.plugins["failfast-milter"] = ours = self.ours("ours", listen=listen["failfast-milter"])
        self.plugins[TCP] = self.ours("ours-tcp", listen=listen[TCP])
        steps = load(ours.listen, messages=1)["steps_left_out"]
        self.plugins["empty plugin"] = Empty(listen["empty plugin"], steps)
        os.chmod(listen["empty plugin"].removeprefix("unix:"), 0o666)
        for name in names:
            if name.startswith("opendkim"):
                self.plugins[name] = OpenDkim(self.dir, listen[name])
        for name in "failfast-milter", TCP:
            self.send(name, 20)
            self.plugins[name].wait_state(HOP, "up")
        return ["no milter", *names]

    def end(self):
        """Stop everything."""
        self.postfix.stop()
        for plugin in self.plugins.values():
            plugin.stop()

    def source(self, name, messages, sessions=SESSIONS):
        """smtp-source under way."""
        return subprocess.Popen(
            ["smtp-source", "-d", "-s", str(sessions), "-m", str(messages), "-l", "2000", "-f", SENDER,
             "-t", RECIPIENT, f"127.0.0.1:{self.ports[name]}"])

    def send(self, name, messages):
        """Messages a second, and what one cost the plugin."""
        plugin = self.plugins.get(name)
        began, used = time.monotonic(), cpu_seconds(plugin.worker) if plugin else 0
        assert self.source(name, messages).wait(120) == 0
        rate = messages / (time.monotonic() - began)
        cpu_us = (cpu_seconds(plugin.worker) - used) / messages * 1e6 if plugin else 0
        self.postfix.wait_empty(60)
        return {"per_second": rate, "cpu_us": cpu_us}


def column(results, key):
    """One number of each result."""
    return [result[key] for result in results]


def compare_rates(bench, names):
    """Messages a second through each listener."""
    messages = max(200, int(bench.send("failfast-milter", 500)["per_second"] * bench.seconds))
    results = rounds.in_turn({name: lambda name=name: bench.send(name, messages) for name in names},
                             bench.count)
    ours = results["failfast-milter"]
    heading(f"behind Postfix, {SESSIONS} sessions of smtp-source, UNIX sockets")
    for name in names:
        say(f"  messages a second, {name}", column(results[name], "per_second"), unit=" ")
    say("  rate: failfast-milter / empty plugin",
        rounds.ratios(column(ours, "per_second"), column(results["empty plugin"], "per_second")),
        Goal(least=0.97))
    say("  processor time of a message: failfast-milter / empty plugin",
        rounds.ratios(column(ours, "cpu_us"), column(results["empty plugin"], "cpu_us")))
    if SIGNING in names:
        say(f"  rate: failfast-milter / {SIGNING}",
            rounds.ratios(column(ours, "per_second"), column(results[SIGNING], "per_second")))
        say(f"  rate: no milter / {SIGNING}, which is the most there could be",
            rounds.ratios(column(results["no milter"], "per_second"),
                          column(results[SIGNING], "per_second")))


def compare_with_opendkim(bench, names):
    """Without Postfix, whose own work is the greatest part of a message."""
    hops = plugins.macros(HOP)

    def run(name, messages):
        return load(bench.plugins[name].listen, messages=messages, hops=hops)

    for name in names:
        messages = plugins.messages_for(lambda count, name=name: run(name, count // 4), bench.seconds / 2)
        results = rounds.in_turn(
            {key: lambda key=key: run(key, messages) for key in ("failfast-milter", name)}, bench.count)
        heading(f"the milters alone, 1 connection: failfast-milter / {name}")
        say("  rate", rounds.ratios(*(column(one, "per_second") for one in results.values())),
            Goal(least=5) if name == SIGNING else None)


def stalls(bench, name, messages=100):
    """Per cent of messages that took longer than STALL_SECONDS, over one session."""
    slow = 0
    with Smtp(bench.ports[name], "127.0.0.1") as session:
        session.hello()
        for _ in range(messages):
            began = time.monotonic()
            sent = transact(session, RECIPIENT, sender=SENDER)
            assert sent.accepted, sent
            slow += time.monotonic() - began > STALL_SECONDS
            session.transcript.clear()
    bench.postfix.wait_empty(30)
    return 100 * slow / messages


def count_stalls(bench):
    """Nagle's algorithm and delayed acknowledgements."""
    results = rounds.in_turn({name: lambda name=name: stalls(bench, name)
                              for name in ("failfast-milter", TCP)}, bench.count)
    heading(f"messages slower than {STALL_SECONDS * 1000:g} ms, one session")
    say("  over a UNIX socket", results["failfast-milter"], unit=" %")
    say("  over TCP", results[TCP], Goal(most=0), " %")


def set_up(bench, name):
    """The 99th percentile of setting up a connection, in milliseconds, while many sessions are busy."""
    source = bench.source(name, 10**6, BUSY_SESSIONS)
    try:
        time.sleep(0.3)  # until they are
        result = load(bench.plugins[name].listen, messages=200, per_connection=1,
                      hops=plugins.macros(HOP))
        assert source.poll() is None, "smtp-source ended"
    finally:
        source.kill()
        source.wait()
    bench.postfix.wait_empty(60)
    return result["setup_us"]["p99"] / 1000


def time_set_up(bench):
    """Does a new session have to wait for the busy ones?"""
    results = rounds.in_turn({name: lambda name=name: set_up(bench, name)
                              for name in ("failfast-milter", "empty plugin")}, bench.count)
    heading(f"setting up a connection under {BUSY_SESSIONS} busy sessions of smtp-source, 99th percentile")
    say("  failfast-milter", results["failfast-milter"], Goal(most=20), " ms")
    say("  empty plugin", results["empty plugin"], unit=" ms")


def main():
    """Everything in turn."""
    options = rounds.options("what failfast-milter costs behind a real Postfix")
    if os.geteuid() != 0:
        print("behind a real Postfix: not measured, that needs root")
        return 0
    world = net.World.enter()
    bench = Bench(world, 5 if options.q else rounds.ROUNDS, 0.5 if options.q else 1.5)
    try:
        names = bench.start()
        compare_rates(bench, names)
        compare_with_opendkim(bench, [name for name in names if name.startswith("opendkim")])
        count_stalls(bench)
        time_set_up(bench)
    finally:
        bench.end()
        world.wait_for_no_processes()
        world.leave()
    return rounds.finish()


if __name__ == "__main__":
    sys.exit(main())
