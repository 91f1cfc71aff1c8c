#!/usr/bin/python3
"""bench_verdict - what failfast-milter costs beside a plugin that does nothing

    bench_verdict.py [-q] [-r]

t/peers/mta_load plays the MTA for both, with the same protocol steps over UNIX sockets.  Rates, the 99th percentile of
a message's time and the processor time that the plugin's process uses for a message are compared.  The exit status is
1 when a goal is missed.
"""
import pathlib
import socket
import sys
import tempfile

import plugins
import rounds
from plugins import Empty, Ours, Sink, cpu_seconds, load, macros
from rounds import Goal, heading, say

RATE = Goal(least=0.97)
SLOWEST = Goal(most=1.1)
MANY_HOPS, FEW_HOPS = 10000, 10

# Name, connections, messages of a connection.
SHAPES = (("1 connection", 1, 10**9), ("50 connections", 50, 10**9), ("500 connections", 500, 10**9),
          ("a connection for each message", 1, 1))
# One that refuses has to end a session behind MAX_FAILURES.
REFUSING_SHAPES = tuple((name, connections, min(count, plugins.MAX_FAILURES))
                        for name, connections, count in SHAPES)


class Bench:
    """What all comparisons need."""

    def __init__(self, directory, count, seconds):
        self.dir = pathlib.Path(directory)
        self.count = count
        self.seconds = seconds
        self._cleanup = []

    def at_end(self, function):
        """Call this when all is done; last first."""
        self._cleanup.append(function)

    def end(self):
        """Stop everything."""
        for function in reversed(self._cleanup):
            function()

    def ours(self, name, **kwargs):
        """A failfast-milter that runs."""
        made = Ours(self.dir / name, **kwargs)
        self.at_end(made.stop)
        made.start()
        made.wait_sockets()
        return made

    def empty(self, name, steps, flags=()):
        """An empty plugin that runs."""
        with open(self.dir / f"{name}.log", "ab") as log:
            made = Empty(f"unix:{self.dir}/{name}.sock", steps, flags, log)
        self.at_end(made.stop)
        return made

    def compare(self, runs, **shape):
        """Rounds of {name: (plugin, arguments of load())}; {name: list of results, each with its cpu_us}."""
        def one(plugin, arguments, messages):
            began = cpu_seconds(plugin.worker)
            result = load(plugin.listen, messages=messages, **shape, **arguments)
            result["cpu_us"] = (cpu_seconds(plugin.worker) - began) / messages * 1e6
            return result

        plugin, arguments = list(runs.values())[-1]
        messages = plugins.messages_for(lambda count: one(plugin, arguments, count), self.seconds)
        return rounds.in_turn({name: lambda run=run: one(*run, messages)
                               for name, run in runs.items()}, self.count)


def free_port():
    """A TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def column(results, *keys):
    """One number of each result."""
    for key in keys:
        results = [result[key] for result in results]
    return results


def report(ours, other, rate_goal=RATE, slowest_goal=SLOWEST):
    """The lines about one comparison."""
    say("  rate", rounds.ratios(column(ours, "per_second"), column(other, "per_second")), rate_goal)
    say("  99th percentile of a message's time",
        rounds.ratios(column(ours, "message_us", "p99"), column(other, "message_us", "p99")),
        slowest_goal)
    say("  processor time of a message",
        rounds.ratios(column(ours, "cpu_us"), column(other, "cpu_us")))
    say("    of failfast-milter", column(ours, "cpu_us"), unit=" us")
    say("  messages a second", column(ours, "per_second"), unit=" ")


def compare_with_empty(bench, sink):
    """Accepted messages, then refused ones."""
    ours = bench.ours("ours")
    good, bad = sink.hop(), f"smtp:[127.0.0.1]:{free_port()}"
    for hop in good, bad:
        load(ours.listen, hops=macros(hop), messages=4)
    ours.wait_state(good, "up")
    ours.wait_state(bad, "down")
    steps = load(ours.listen, hops=macros(good), messages=1)["steps_left_out"]
    plugin = bench.empty("empty", steps)
    for shape in SHAPES:
        compare_one(bench, f"accepted, {shape[0]}: failfast-milter / empty plugin", shape,
                    (ours, good), (plugin, good))
    plugin = bench.empty("refusing", steps, ["-r"])
    for shape in REFUSING_SHAPES:
        compare_one(bench, f"refused with 451, {shape[0]}: failfast-milter / empty plugin that refuses", shape,
                    (ours, bad), (plugin, bad))
    plugin = bench.empty("logging", steps, ["-r", "-l"])
    compare_one(bench, "refused with 451, 1 connection: failfast-milter / the same that writes a log line",
                REFUSING_SHAPES[0], (ours, bad), (plugin, bad), None, None)


def compare_one(bench, title, shape, ours, other, *goals):  # pylint: disable=too-many-arguments
    """Two (plugin, hop) in turn, and the lines about it."""
    _name, connections, per_connection = shape
    runs = {name: (plugin, {"hops": macros(hop)}) for name, (plugin, hop) in
            (("other", other), ("ours", ours))}
    results = bench.compare(runs, connections=connections, per_connection=per_connection)
    assert all(one["failed"] == 0 and one["accepted"] * one["tempfailed"] == 0
               for run in results.values() for one in run), results
    heading(title)
    report(results["ours"], results["other"], *goals)


def knowing(bench, sink, count):
    """A failfast-milter that knows so many hops, and a file of them."""
    ours = bench.ours(f"hops-{count}", probe={"interval": "1h", "max_age": "1h", "learned_ttl": "1d"})
    names = [sink.hop(number) for number in range(count)]
    file = bench.dir / f"hops-{count}.txt"
    file.write_text("\n".join(map(macros, names)) + "\n", encoding="ascii")

    def all_up():
        load(ours.listen, connections=50, messages=count, hop_file=file)
        states = [hop["state"] for hop in ours.status()["hops"]]
        return states.count("up") == count

    plugins.wait_until(all_up, 120, f"{count} hops are up", interval=1)
    return ours, file


def compare_hops(bench, sink):
    """Does it matter how many hops are known?"""
    runs = {}
    for count in FEW_HOPS, MANY_HOPS:
        ours, file = knowing(bench, sink, count)
        runs[count] = (ours, {"hop_file": file})
    heading(f"{MANY_HOPS} hops known and mail to each / {FEW_HOPS} hops")
    results = bench.compare(runs, connections=1)
    report(results[MANY_HOPS], results[FEW_HOPS], slowest_goal=None)


def main():
    """Everything in turn."""
    options = rounds.options("what a verdict costs beside a plugin that does nothing")
    with tempfile.TemporaryDirectory(prefix="failfast-b-") as directory:
        pathlib.Path(directory).chmod(0o755)
        bench = Bench(directory, 5 if options.q else rounds.ROUNDS, 0.2 if options.q else 0.6)
        try:
            sink = Sink(free_port())
            bench.at_end(sink.stop)
            compare_with_empty(bench, sink)
            compare_hops(bench, sink)
        finally:
            bench.end()
    return rounds.finish()


if __name__ == "__main__":
    sys.exit(main())
