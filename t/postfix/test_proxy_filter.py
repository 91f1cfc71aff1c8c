"""smtpd_proxy_filter: Postfix itself would notice only after RCPT, with words that help nobody."""
import time

from harness.scene import MAX_AGE, Scene
from harness.milter import QUIET


def test_a_proxy_filter_that_is_down_is_named_at_rcpt_and_recovers_with_the_next_message(site):
    scene = Scene(site, QUIET)
    proxy = site.peer()
    value = f"127.0.0.1:{proxy.bind_to[1]}"
    hop = f"smtpd_proxy_filter:{value}"
    scene.postfix.route("to.test", "discard:")
    scene.port = scene.postfix.add_listener(smtpd_proxy_filter=value)
    scene.start()
    scene.milter.wait_state(hop, "up")
    scene.must_accept()
    assert len(proxy.messages) == 1

    proxy.stop()
    time.sleep(MAX_AGE)
    scene.must_refuse(hop, "connection-refused", "4.4.1", "proxy-filter", "connection refused")
    scene.must_have_nothing(proxy, counts=[1])

    public, scene.port = scene.port, scene.postfix.port
    scene.must_accept()
    scene.port = public
    proxy.start()
    time.sleep(MAX_AGE)
    scene.must_accept()
    assert len(proxy.messages) == 2
