"""The log lines that scripts rely on."""
import re
import time

from harness.scene import MAX_AGE, FilterScene, RouteScene
from harness.smtp import MYNETWORKS, send


def test_one_line_for_each_refused_recipient_and_one_for_each_change_of_state(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    hop = re.escape(scene.hop)
    port = scene.filter.bind_to[1]
    scene.milter.log.wait_for(rf"^hop {hop}: unknown -> up: ")
    scene.filter.stop()
    time.sleep(MAX_AGE)
    for number in range(5):
        scene.send([f"a{number}@to.test", f"b{number}@to.test"])
    wanted = (r"NOQUEUE: tempfail: to=<a3@to\.test>, from=<sender@from\.test>, "
              rf"client=unknown\[127\.0\.0\.66\], hop={hop}, role=content-filter, "
              r'reason=connection-refused, reply="451 4\.4\.1 content filter is temporarily '
              r'unavailable: connection refused"$')
    scene.milter.log.wait_for(wanted)
    assert len(scene.milter.log.find(r": tempfail: ")) == 10
    changes = scene.milter.log.find(rf"^hop {hop}: up -> down: connection-refused "
                                    rf"\(connect to 127\.0\.0\.1:{port}: Connection refused\)$")
    assert len(changes) == 1
    scene.filter.start()
    time.sleep(MAX_AGE)
    scene.must_accept()
    scene.milter.log.wait_for(rf"^hop {hop}: down -> up: ")
    assert len(scene.milter.log.find(rf"^hop {hop}: \S+ -> ")) == 3


def test_the_reply_in_the_log_is_the_one_that_the_client_saw(site):
    scene = FilterScene(site).start()
    scene.wait_up()
    scene.filter.stop()
    time.sleep(MAX_AGE)
    sent = send(scene.port, "full@to.test", source=MYNETWORKS)
    line = scene.milter.log.wait_for(r"tempfail: to=<full@to\.test>.*client=(\S+), .*reply=\"(.*)\"$")
    assert line.group(2) == sent.refusal
    assert line.group(1).endswith("[127.0.0.1]")
    scene.postfix.log.wait_for(r"milter-reject: RCPT from \S+: 451 4\.4\.1 content filter")


def test_the_queue_id_is_logged_once_there_is_one(site):
    scene = RouteScene(site).start()
    scene.must_deliver(scene.bad, "a@bad.test")
    scene.postfix.wait_empty()
    scene.break_bad()
    sent = scene.send(["a@good.test", "late@bad.test"])
    assert sent.accepted, sent
    line = scene.milter.log.wait_for(r"(\S+): tempfail: to=<late@bad\.test>")
    assert line.group(1) == sent.queue_id
