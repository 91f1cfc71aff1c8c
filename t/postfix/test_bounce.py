"""The header in what the sender gets back: a message that was accepted, tagged, and could not be delivered."""
import re

import pytest

from harness.smtp import message, new_ident
from harness.scene import RouteScene


@pytest.fixture(name="scene")
def tagging_scene(site):
    """bad.test's hop is down, its mail is tagged; bounces go to good.test's peer."""
    scene = RouteScene(site)
    scene.milter.extra = 'rule "tagged" { action = "tag" }\n'
    scene.postfix.route("from.test", scene.good_hop)
    scene.start()
    scene.must_deliver(scene.bad, "first@bad.test")
    scene.postfix.wait_empty()
    scene.break_bad()
    return scene


def bounce(scene, mail, rcpt=""):
    """The text of the bounce of a message that was tagged; it has our header, and the id."""
    ident = new_ident()
    with scene.session() as session:
        assert session.command(f"MAIL FROM:<sender@from.test>{mail}").code == 250
        assert session.command(f"RCPT TO:<a@bad.test>{rcpt}").code == 250
        final = session.data(message(ident, extra="X-Long: " + "x" * 900 + "\n", body="The secret."))
    assert final.code == 250, final
    queue_id = final.rsplit(" ", 1)[-1]
    scene.postfix.route("bad.test", "error:5.1.1 nobody here")
    scene.postfix.reload()
    scene.postfix.command("postqueue", "-f")

    def returned():
        return next((found for found in scene.good.messages if f"Message-ID: <{ident}@".encode()
                     in found.data), None)
    found = scene.postfix.wait_delivery(returned, 20, "the bounce")
    assert found.sender == "" and found.recipients == ["sender@from.test"], found
    return queue_id, found.data.decode()


@pytest.mark.seconds(8)
@pytest.mark.parametrize("mail, rcpt, has_body", [
    ("", "", True), (" RET=HDRS", " NOTIFY=FAILURE ORCPT=rfc822;a@bad.test", False),
    (" RET=FULL ENVID=x1", " NOTIFY=FAILURE,DELAY", True)], ids=["plain", "headers", "full"])
def test_a_bounce_shows_what_was_known_when_the_message_was_accepted(scene, mail, rcpt, has_body):
    queue_id, text = bounce(scene, mail, rcpt)
    found = re.findall(r"^Failfast-Status: ([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", text, re.MULTILINE)
    assert len(found) == 1, text
    value = re.sub(r"\r\n[ \t]+", " ", found[0]).strip()
    assert re.fullmatch(rf'mx\.example\.test; state=down; hop="{re.escape(scene.bad_hop)}"; '
                        r"role=transport; reason=connection-refused; "
                        rf"since=\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ; id={queue_id}", value), value
    # In the returned message, at its very top; not in the bounce's own header.
    assert "Failfast-Status" not in text.split("\r\n\r\n", 1)[0]
    returned = re.split(r"Content-Type: (?:message/rfc822|text/rfc822-headers|message/rfc822-headers)",
                        text)[1]
    assert returned.index("Failfast-Status:") < returned.index("Received:")
    assert ("The secret." in text) == has_body
    for line in re.findall(r"^Failfast-Status:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", text,
                           re.MULTILINE)[0].split("\r\n"):
        assert len(line) <= 78, line
