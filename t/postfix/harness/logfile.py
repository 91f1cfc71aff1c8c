"""logfile - read a growing log"""
import re

from .wait import wait_until


class LogFile:
    """A log that somebody else writes; mark() and since() look at what a step of a test added."""

    def __init__(self, path):
        self.path = path

    def text(self, start=0):
        """Everything behind offset start."""
        try:
            with open(self.path, "rb") as file:
                file.seek(start)
                return file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def mark(self):
        """Where the log ends now."""
        try:
            with open(self.path, "rb") as file:
                return file.seek(0, 2)
        except FileNotFoundError:
            return 0

    def find(self, pattern, start=0):
        """All matches of a regular expression, line by line."""
        compiled = re.compile(pattern)
        return [match for line in self.text(start).splitlines()
                if (match := compiled.search(line))]

    def wait_for(self, pattern, timeout=5.0, start=0):
        """The first match, as soon as it is there."""
        return wait_until(lambda: self.find(pattern, start), timeout,
                          f"a line like {pattern!r} in {self.path}")[0]

    def tail(self, lines=150):
        """The end, for a report."""
        return "\n".join(self.text().splitlines()[-lines:])
