"""rounds - measure two things in turn, and say how they compare

The machine may have other things to do, and its speed changes from second to second: so whatever is compared is
measured in short rounds in turn, now the one first and now the other, and each round gives a ratio of its own.
"""
import argparse
import dataclasses
import os
import statistics

ROUNDS = 7

_count = {"met": 0, "missed": 0}


def options(description):
    """The command line that all benchmarks have; -r takes effect at once, for all that is started later."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-q", action="store_true", help="fewer and shorter rounds, for a first impression")
    parser.add_argument("-r", action="store_true",
                        help="real-time scheduling, where the machine has other things to do (root)")
    given = parser.parse_args()
    if given.r:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    return given


def in_turn(functions, rounds=ROUNDS):
    """Call each of {name: function} once a round, the order turned around each time; {name: results}."""
    results = {name: [] for name in functions}
    for number in range(rounds):
        names = list(functions)
        for name in reversed(names) if number % 2 else names:
            results[name].append(functions[name]())
    return results


def ratios(ours, others):
    """Of the two of each round."""
    return [one / other for one, other in zip(ours, others)]


@dataclasses.dataclass
class Goal:
    """A median must be at least or at most so much."""
    least: float = None
    most: float = None

    def is_met(self, value):
        """Is it?"""
        return (self.least is None or value >= self.least) and \
            (self.most is None or value <= self.most)

    def __str__(self):
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"


def say(name, values, goal=None, unit=""):
    """One line: median, range, and the goal beside it."""
    median = statistics.median(values)
    digits = 3 if not unit else 1
    line = f"{name:<58} {median:9.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f}){unit}"
    if goal is not None:
        word = "met" if goal.is_met(median) else "missed"
        _count[word] += 1
        line = f"{line:<98} {goal}{unit}: {word}"
    print(line, flush=True)


def heading(text):
    """What the lines below it are about."""
    print(f"\n{text}", flush=True)


def finish():
    """The last line; the exit status."""
    print(f"\n{_count['met']} goals met, {_count['missed']} missed", flush=True)
    return 1 if _count["missed"] else 0
