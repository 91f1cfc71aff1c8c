"""failfastctl force: what the operator says goes before what probes find."""
import re
import time

import pytest

from harness.milter import BRISK
from harness.scene import FilterScene, RouteScene
from harness.smtp import message, new_ident, send
from harness.wait import wait_until


def epoch(text):
    """A time of status as seconds."""
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


@pytest.mark.seconds(6)
def test_forced_down_refuses_and_probes_go_on_underneath(site):
    scene = FilterScene(site, BRISK)
    scene.postfix.use_milter(scene.milter, non_smtpd=True)
    scene.start()
    scene.wait_up()
    hop = scene.milter.force(scene.hop, "down", "--for", "2h", "--comment", "new disks, back at 18:00")
    assert (hop["state"], hop["reason"], hop["detail"]) == \
        ("forced-down", "maintenance", "new disks, back at 18:00")
    forced = hop["forced"]
    assert (forced["state"], forced["comment"], forced["probed_state"], forced["probed_reason"]) == \
        ("forced-down", "new disks, back at 18:00", "up", None)
    assert forced["since"] == hop["since"]
    assert abs(epoch(forced["until"]) - time.time() - 7200) < 3
    # Everybody is refused, and only those whom we know read why.
    assert scene.send().refusal == \
        "451 4.3.2 content filter is temporarily unavailable: down for maintenance"
    for who in ("mynetworks", "authenticated"):
        assert scene.send(who=who).refusal == (
            f"451 4.3.2 content filter {scene.hop} is down since {hop['since'][11:]}: "
            "down for maintenance (new disks, back at 18:00)")
    scene.milter.log.wait_for(
        rf"^hop {re.escape(scene.hop)}: up -> forced-down: maintenance "
        rf"\(new disks, back at 18:00; until {forced['until']}\)")
    # Mail of sendmail(1) is tagged.
    ident = new_ident()
    scene.postfix.sendmail("s@from.test", ["a@to.test"], message(ident))
    found = wait_until(lambda: scene.filter.find(ident), 10, "the message of sendmail")
    header = " ".join(dict(found.header())["Failfast-Status"].split())
    assert re.search(r"; state=forced-down; .*; reason=maintenance; "
                     r'comment="new disks, back at 18:00"; since=', header), header
    # The filter goes, and comes: nothing changes, but underneath.
    mark = scene.milter.log.mark()
    scene.filter.stop()
    wait_until(lambda: scene.milter.hop(scene.hop)["forced"]["probed_reason"] == "connection-refused",
               5, "probes go on")
    assert scene.milter.hop(scene.hop)["state"] == "forced-down"
    assert scene.milter.log.find(r"^hop .* -> ", mark) == []
    scene.filter.start()
    wait_until(lambda: scene.milter.hop(scene.hop)["forced"]["probed_state"] == "up", 5, "it is back")
    hop = scene.milter.force(scene.hop, "auto")
    assert (hop["state"], hop["reason"], hop["forced"]) == ("up", None, None)
    scene.must_deliver(scene.filter)
    scene.milter.log.wait_for(rf"^hop {re.escape(scene.hop)}: forced-down -> up: ok", 5, mark)


@pytest.mark.seconds(6)
def test_forced_up_accepts_while_the_filter_is_down(site):
    scene = FilterScene(site, BRISK).start()
    scene.wait_up()
    scene.filter.stop()
    scene.milter.wait_state(scene.hop, "down")
    assert scene.send().refusal.code == 451
    hop = scene.milter.force(scene.hop, "up", "--comment", "the queue may fill")
    assert (hop["state"], hop["reason"], hop["detail"]) == ("forced-up", None, "the queue may fill")
    assert hop["forced"]["until"] is None
    sent = scene.must_accept()
    assert scene.milter.ctl("status")[0] == 0
    text = scene.milter.ctl("status")[1]
    assert "forced until it is taken back, probes say down (connection-refused)" in text, text
    scene.filter.start()
    scene.postfix.wait_delivery(lambda: scene.filter.find(sent.ident), 20, "it arrives")
    assert "Failfast-Status" not in dict(scene.filter.find(sent.ident).header())


@pytest.mark.seconds(5)
def test_an_override_ends_by_itself_and_says_so(site):
    scene = FilterScene(site, BRISK).start()
    scene.wait_up()
    began = time.time()
    mark = scene.milter.log.mark()
    scene.milter.force(scene.hop, "down", "--for", "2s")
    assert scene.send().refusal.code == 451
    scene.milter.wait_state(scene.hop, "up", timeout=5)
    assert time.time() - began >= 1
    assert scene.milter.log.find(r"^hop .*: the time of the override is over", mark)
    assert scene.milter.log.find(r"^hop .*: forced-down -> up: ok", mark)
    scene.must_deliver(scene.filter)


def test_only_the_hop_that_is_named_is_forced(site):
    scene = RouteScene(site).start()
    scene.must_deliver(scene.good, "a@good.test")
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.milter.force(scene.bad_hop, "down")
    assert scene.send("a@bad.test").refusal.code == 451
    scene.must_deliver(scene.good, "a@good.test")
    # Said once more, it is another override, since when the hop is down stays.
    before = scene.milter.hop(scene.bad_hop)["since"]
    time.sleep(1.1)
    hop = scene.milter.force(scene.bad_hop, "down", "--for", "1h", "--comment", "twice")
    assert (hop["since"], hop["forced"]["comment"]) == (before, "twice")
    scene.milter.log.wait_for(r"forced-down again until \S+: twice")


def test_what_cannot_be_forced_is_refused_with_words(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    mistyped = scene.hop.replace("amavis", "amavsi")
    for args, words in (
            ([mistyped, "down"], f'no hop "{mistyped}" is known; did you mean "{scene.hop}"?'),
            ([scene.hop, "sideways"], 'expected up, down or auto instead of "sideways"'),
            ([scene.hop, "down", "--for", "soon"], 'a duration like 30m or 4h instead of "soon"'),
            ([scene.hop, "down", "--for", "0s"], "the duration is not between 1s and 365d"),
            ([scene.hop, "down", "--for", "400d"], "the duration is not between 1s and 365d"),
            ([scene.hop, "down", "--comment", "two\r\nX-Evil: lines"], "the comment is not one line"),
            ([scene.hop, "down", "--comment", "\x1b[31mred"], "the comment is not one line"),
            ([scene.hop, "down", "--comment", "x" * 128], "of at most 127 characters"),
            ([scene.hop, "auto", "--for", "1h"], "--for and --comment go with up and down"),
            ([scene.hop], "usage:")):
        code, text = scene.milter.ctl("force", *args)
        assert code == 3 and words in text, text
    assert scene.milter.hop(scene.hop)["forced"] is None
    assert scene.milter.force(scene.hop, "down", "--comment", "x" * 127)["detail"] == "x" * 127
    code, text = scene.milter.ctl("force", scene.hop, "auto")
    assert code == 0 and text.startswith("up "), text
    code, text = scene.milter.ctl("force", scene.hop, "auto")
    assert code == 0 and text.startswith("It was not forced."), text


@pytest.mark.seconds(6)
def test_an_override_outlives_a_reload_and_the_hop_itself(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    scene.milter.force(scene.hop, "down", "--comment", "mind me")
    scene.milter.reload()
    assert scene.milter.hop(scene.hop)["forced"]["comment"] == "mind me"
    # A slip of the pen in main.cf takes the hop away for a moment.
    other = site.peer()
    scene.postfix.params["content_filter"] = f"smtp-amavis:[127.0.0.1]:{other.bind_to[1]}"
    scene.postfix.write()
    scene.milter.reload()
    assert scene.milter.hop(scene.hop) == {}
    absent = scene.milter.status()["forced_absent"]
    assert [(one["hop"], one["state"], one["comment"]) for one in absent] == \
        [(scene.hop, "forced-down", "mind me")]
    assert "not known now" in scene.milter.ctl("status")[1]
    scene.postfix.params["content_filter"] = scene.hop
    scene.postfix.write()
    scene.milter.reload()
    assert scene.milter.hop(scene.hop)["state"] == "forced-down"
    assert scene.milter.status()["forced_absent"] == []
    assert send(scene.port, "a@to.test").refusal.code == 451
    # And one of a hop that is away can be taken back.
    scene.postfix.params["content_filter"] = f"smtp-amavis:[127.0.0.1]:{other.bind_to[1]}"
    scene.postfix.write()
    scene.milter.reload()
    code, text = scene.milter.ctl("force", scene.hop, "auto")
    assert code == 0 and "not known now" in text, text
    assert scene.milter.status()["forced_absent"] == []
