"""Reload: what changes takes effect, what does not keeps its state, what is wrong changes nothing."""
import time

import pytest

from harness.milter import BRISK
from harness.scene import MAX_AGE, FilterScene, RouteScene
from harness.wait import wait_until


def header_names(found):
    """Names of a message's headers, ours first."""
    return [name for name, _ in found.header()]


def test_hup_makes_a_changed_configuration_take_effect(site):
    scene = FilterScene(site, tag="always").start()
    scene.wait_up()
    assert header_names(scene.must_deliver(scene.filter))[0] == "Failfast-Status"
    scene.milter.options["header"] = "X-Health"
    scene.milter.write()
    engine = scene.milter.engine_pid()
    scene.milter.hup()
    wait_until(lambda: header_names(scene.must_deliver(scene.filter))[0] == "X-Health", 5,
               "the new header name", 0.1)
    assert scene.milter.engine_pid() == engine


@pytest.mark.seconds(6)
def test_hup_with_a_broken_configuration_changes_nothing_and_is_logged(site):
    scene = FilterScene(site, tag="always").start()
    scene.wait_up()
    text = scene.milter.conf_text().replace('tag = "always"', 'tag = "sometimes"')
    line = 1 + text[:text.index("sometimes")].count("\n")
    scene.milter.write(text)
    engine = scene.milter.engine_pid()
    scene.milter.hup()
    scene.milter.log.wait_for(rf"{scene.milter.conf}:{line}: .*sometimes")
    assert header_names(scene.must_deliver(scene.filter))[0] == "Failfast-Status"
    assert scene.milter.engine_pid() == engine
    scene.filter.stop()
    time.sleep(MAX_AGE)
    assert scene.send().refusal.code == 451
    # And a good one after it is taken again.
    scene.filter.start()
    scene.milter.options["header"] = "X-Health"
    scene.milter.write()
    scene.milter.hup()
    time.sleep(MAX_AGE)
    wait_until(lambda: header_names(scene.must_deliver(scene.filter))[0] == "X-Health", 5,
               "the new header name", 0.1)


@pytest.mark.seconds(8)
def test_a_reload_keeps_the_state_of_unchanged_hops(site):
    scene = RouteScene(site, BRISK)
    content_filter = site.peer()
    filter_hop = f"smtp-amavis:[127.0.0.1]:{content_filter.bind_to[1]}"
    own = scene.postfix.add_listener(content_filter=filter_hop)
    scene.start()
    scene.milter.wait_state(filter_hop, "up")
    scene.must_deliver(scene.bad, "a@bad.test")
    content_filter.stop()
    scene.bad.stop()
    names = (filter_hop, scene.bad_hop)
    for name in names:
        scene.milter.wait_state(name, "down", "connection-refused")
    before = scene.milter.hops()
    mark = scene.milter.log.mark()
    wait_until(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) >
               max(before[name]["since"] for name in names), 3, "the clock has moved on")
    scene.milter.options["max_failures"] = 100
    scene.milter.write()
    scene.milter.hup()
    scene.port = own
    for _ in range(20):
        assert scene.send("a@good.test").refusal.code == 451
        time.sleep(0.05)
    after = scene.milter.hops()
    for name in names:
        assert (after[name]["state"], after[name]["since"]) == ("down", before[name]["since"])
    assert scene.milter.log.find(r"^hop .* -> ", mark) == []


@pytest.mark.seconds(10)
def test_a_changed_content_filter_is_noticed_within_three_seconds_of_postfix_reload(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    fresh = site.peer()
    fresh.stop()
    hop = f"smtp-amavis:[127.0.0.1]:{fresh.bind_to[1]}"
    scene.postfix.params["content_filter"] = hop
    scene.postfix.reload()
    began = time.monotonic()
    wait_until(lambda: not (sent := scene.send()).accepted and sent.refusal, 3.2,
               "mail for the new, broken filter is refused", 0.1)
    print(f"noticed {time.monotonic() - began:.2f} s after the reload")
    assert scene.milter.hop(hop)["state"] == "down"
    # A session that had begun before may have taught it to us again.
    assert scene.milter.hop(scene.hop).get("learned", True), "the old filter is still configured"
    fresh.start()
    time.sleep(MAX_AGE)
    scene.must_deliver(fresh)


@pytest.mark.seconds(8)
def test_a_main_cf_that_cannot_be_read_for_a_moment_changes_nothing(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    main_cf = scene.postfix.config / "main.cf"
    text = main_cf.read_text()
    main_cf.unlink()
    scene.milter.hup()
    time.sleep(0.5)
    assert scene.milter.hop(scene.hop)["state"] == "up"
    main_cf.write_text(text)
    scene.milter.hup()
    scene.must_deliver(scene.filter)
    assert scene.milter.hop(scene.hop)["state"] == "up"
