"""wait - wait for a condition, never for time"""
import time


def wait_until(condition, timeout, what, interval=0.02):
    """Call condition() until it returns something true, and return that; fail after timeout s."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}; last seen: {found!r}")
        time.sleep(interval)
