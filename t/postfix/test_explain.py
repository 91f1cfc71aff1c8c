"""failfastctl explain: the route, each hop on it, and what we would say."""
import time

from harness.scene import MAX_AGE, FilterScene, RouteScene, brief


def test_explain_tells_route_hops_and_replies(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    code, found = scene.milter.ctl("explain", "--json", "s@from.test", "a@to.test")
    assert [(hop["role"], hop["hop"], hop["state"]) for hop in found["hops"]][0] == \
        ("content-filter", scene.hop, "up"), found
    assert {verdict["action"] for verdict in found["verdicts"]} == {"accept"}, found
    assert found["transport"] and found["recipient"] == "a@to.test"

    scene.filter.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse(scene.hop, "connection-refused", "4.4.1", "content-filter",
                      "connection refused")
    code, found = scene.milter.ctl("explain", "--json", "s@from.test", "a@to.test")
    assert code == 2
    replies = {verdict["client"]: verdict["reply"] for verdict in found["verdicts"]}
    assert replies["other"] == brief("4.4.1", "content-filter", "connection refused")
    assert f"{scene.hop} is down since" in replies["authenticated"]
    actions = {verdict["client"]: verdict["action"] for verdict in found["verdicts"]}
    assert actions == {"other": "tempfail", "mynetworks": "tempfail",
                       "authenticated": "tempfail", "local": "tag"}


def test_explain_follows_transport_maps_and_listeners(site):
    scene = RouteScene(site).start()
    _, found = scene.milter.ctl("explain", "--json", "s@from.test", "a@bad.test", "--listener",
                                f"127.0.0.1:{scene.postfix.port}")
    assert f"{found['transport']}:{found['nexthop']}" == scene.bad_hop, found
    _, found = scene.milter.ctl("explain", "--json", "", "a@good.test", "--listener",
                                f"127.0.0.1:{scene.postfix.reentry}")
    assert found["reentry"] and found["hops"][-1]["hop"] == scene.good_hop, found


def test_explain_says_what_is_wrong_with_the_question(site):
    scene = FilterScene(site).start()
    assert scene.milter.ctl("explain", "only-one")[0] == 3
    assert scene.milter.ctl("explain", "a@b.test", "c@d.test", "--listener", "no-port")[0] == 3
