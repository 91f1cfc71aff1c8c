"""Memory: little when idle, and no more after a hundred thousand messages.

FAILFAST_LOAD_MESSAGES changes the number; sanitizer builds, which are recognised, get fewer and are
not measured, because their own bookkeeping grows.
"""
import json
import os
import subprocess

import pytest

from harness.milter import BRISK, BUILD, ROOT, is_sanitized
from harness.scene import FilterScene, RouteScene

IDLE_LIMIT_KIB = 12 * 1024
GROWTH_LIMIT_KIB = 512


def load_program(site):
    """t/peers/mta_load as built, or built now."""
    built = BUILD / "t" / "peers" / "mta_load"
    if built.exists():
        return str(built)
    source = ROOT / "t" / "peers" / "mta_load.c"
    target = site.dir / "mta_load"
    subprocess.run(["cc", "-O2", "-pthread", "-o", target, source], check=True, timeout=60)
    return str(target)


def test_idle_engine_stays_under_twelve_mebibytes(site):
    scene = FilterScene(site, BRISK).start()
    scene.wait_up()
    scene.must_deliver(scene.filter)
    sizes = scene.milter.rss_kib()
    engine = sizes[scene.milter.engine_pid()]
    keeper = sizes[scene.milter.pid()]
    print(f"resident: engine {engine} KiB, keeper {keeper} KiB")
    assert len(sizes) == 2, sizes
    if not is_sanitized():
        assert engine < IDLE_LIMIT_KIB and keeper < IDLE_LIMIT_KIB, sizes


@pytest.mark.seconds(40)
def test_memory_does_not_grow_over_a_hundred_thousand_messages(site):
    messages = int(os.environ.get("FAILFAST_LOAD_MESSAGES",
                                  "10000" if is_sanitized() else "100000"))
    scene = RouteScene(site, BRISK, tag="always").start()
    scene.must_deliver(scene.good, "a@good.test")
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.bad.stop()
    scene.milter.wait_state(scene.bad_hop, "down")
    hops = ",".join(hop.replace(":", "=", 1) for hop in (scene.good_hop, scene.bad_hop))
    load = load_program(site)

    def run(count):
        done = subprocess.run([load, "-f", "-c", "4", "-m", "5", "-n", str(count), "-r", hops,
                               scene.milter.listen], check=False, text=True, capture_output=True,
                              timeout=100)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        result = json.loads(done.stdout)
        assert result["accepted"] + result["tempfailed"] == count, result
        assert abs(result["accepted"] - result["tempfailed"]) <= 0.1 * count, result
        assert result["header_edits"] >= result["accepted"], result
        return result

    engine, keeper = scene.milter.engine_pid(), scene.milter.pid()
    run(messages // 10)
    before = scene.milter.rss_kib()
    result = run(messages)
    after = scene.milter.rss_kib()
    print(f"{messages} messages, {result['per_second']} a second: engine {before[engine]} -> "
          f"{after[engine]} KiB, keeper {before[keeper]} -> {after[keeper]} KiB")
    assert scene.milter.engine_pid() == engine, "the engine died"
    if not is_sanitized():
        assert after[engine] - before[engine] < GROWTH_LIMIT_KIB, (before, after)
        assert after[keeper] - before[keeper] < GROWTH_LIMIT_KIB, (before, after)
    scene.must_accept("b@good.test")
