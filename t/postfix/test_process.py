"""Start, stop, crash: what the service manager and the operator rely on."""
import os
import pwd
import signal
import stat
import time

import pytest

from harness.milter import USER, is_sanitized
from harness.scene import MAX_AGE, FilterScene
from harness.smtp import Smtp
from harness.wait import wait_until


@pytest.fixture(name="scene")
def running_scene(site):
    """A filter that is up."""
    scene = FilterScene(site).start()
    scene.wait_up()
    return scene


CAP_SETGID, CAP_SETUID = 1 << 6, 1 << 7


def process_status(pid):
    """What /proc says of a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def test_pid_file_names_the_keeper_and_the_engine_is_an_unprivileged_child(scene):
    milter = scene.milter
    assert milter.pid() == milter.process.pid
    status = process_status(milter.engine_pid())
    assert set(status["Uid"].split()) == {str(pwd.getpwnam(USER).pw_uid)}
    assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0


def test_the_keeper_lives_as_mail_owner_and_can_become_the_engine_only(scene):
    owner = pwd.getpwnam("postfix")
    status = process_status(scene.milter.pid())
    assert set(status["Uid"].split()) == {str(owner.pw_uid)}
    assert set(status["Gid"].split()) == {str(owner.pw_gid)}
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapPrm"], 16) == CAP_SETGID | CAP_SETUID
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


@pytest.mark.seconds(6)
def test_an_engine_that_hangs_at_the_end_is_killed(scene):
    engine = scene.milter.engine_pid()
    os.kill(engine, signal.SIGSTOP)
    assert scene.milter.stop() == 0
    assert engine not in scene.site.world.processes()


def test_a_reload_needs_no_root(scene):
    scene.milter.options["max_failures"] = 1
    scene.milter.write()
    mark = scene.milter.log.mark()
    scene.milter.hup()
    scene.milter.log.wait_for(r"reloaded: \d+ hops", 10, mark)


def test_what_the_keeper_may_not_read_is_told_and_a_reload_changes_nothing(scene):
    scene.milter.stop()
    scene.milter.write()
    scene.milter.conf.chmod(0o600)
    scene.milter.start()
    scene.wait_up()
    scene.milter.log.wait_for(
        r"failfast-milter\.conf: not readable for Postfix's mail_owner, .*: Permission denied")
    mark = scene.milter.log.mark()
    scene.milter.hup()
    scene.milter.log.wait_for(r"the configuration in use stays as it is", 10, mark)
    scene.must_deliver(scene.filter)


def test_a_directory_of_root_is_no_obstacle(scene):
    """Its sockets cannot be removed at the end; the next start does."""
    scene.milter.stop()
    directories = (scene.milter.socket_path().parent, scene.milter.control.parent)
    for directory in directories:
        os.chown(directory, 0, 0)
        directory.chmod(0o755)
    for _ in range(2):
        scene.milter.start()
        scene.wait_up()
        os.kill(scene.milter.engine_pid(), signal.SIGKILL)
        scene.must_deliver(scene.filter)
        assert scene.milter.stop() == 0
        assert scene.milter.pidfile.read_text() == "", "a number that is another process's soon"


def test_sockets_have_the_promised_modes(scene):
    mode = os.stat(scene.milter.socket_path())
    assert stat.S_IMODE(mode.st_mode) == 0o660, oct(mode.st_mode)
    assert mode.st_gid == pwd.getpwnam("postfix").pw_gid
    assert stat.S_IMODE(os.stat(scene.milter.control).st_mode) == 0o660


def test_term_ends_it_with_0_within_five_seconds_and_removes_its_sockets(scene):
    session = Smtp(scene.port)
    session.hello()
    session.mail("s@from.test")
    assert session.rcpt("a@to.test").code == 250
    began = time.monotonic()
    assert scene.milter.stop() == 0
    # ThreadSanitizer sleeps for a second at exit.
    assert time.monotonic() - began < (8 if is_sanitized() else 5.5)
    assert not scene.milter.socket_path().exists()
    assert not scene.milter.control.exists()
    # default_action=accept: the open session goes on without the milter.
    assert session.data("Subject: x\n\nx").code == 250


def test_int_ends_it_too(scene):
    scene.milter.process.send_signal(signal.SIGINT)
    assert scene.milter.process.wait(6) == 0


def test_a_second_instance_exits_69_and_leaves_the_first_alone(scene):
    second = scene.site.milter(scene.postfix)
    second.options["control"] = scene.milter.control
    second.write()
    process = second.spawn()
    try:
        assert process.wait(10) == 69, second.log.tail()
    finally:
        process.kill()
    assert scene.milter.hop(scene.hop)["state"] == "up"
    assert scene.milter.socket_path().exists()
    scene.filter.stop()
    time.sleep(MAX_AGE)
    assert scene.send().refusal.code == 451, "mail goes past the first instance"


def test_a_stale_socket_is_no_obstacle(scene):
    keeper, engine = scene.milter.pid(), scene.milter.engine_pid()
    os.kill(keeper, signal.SIGKILL)
    os.kill(engine, signal.SIGKILL)
    scene.milter.process.wait(5)
    assert scene.milter.socket_path().exists()
    scene.milter.start()
    scene.wait_up()
    scene.must_deliver(scene.filter)


@pytest.mark.seconds(6)
def test_an_engine_that_is_killed_is_started_again(scene):
    keeper, engine = scene.milter.pid(), scene.milter.engine_pid()
    os.kill(engine, signal.SIGKILL)
    wait_until(lambda: scene.milter.children(keeper) not in ([], [engine]), 5, "a new engine")
    scene.milter.wait_ready()
    scene.wait_up()
    assert scene.milter.pid() == keeper
    scene.must_deliver(scene.filter)
    scene.filter.stop()
    time.sleep(MAX_AGE)
    wait_until(lambda: scene.send().refusal.startswith("451 4.4.1"), 3, "the new engine refuses")


def test_an_engine_whose_keeper_is_killed_does_not_stay_behind(scene):
    family = scene.milter.family(scene.milter.pid())
    os.kill(scene.milter.pid(), signal.SIGKILL)
    scene.milter.process.wait(5)
    wait_until(lambda: not [pid for pid in family if pid in scene.site.world.processes()], 6,
               "the engine ends, too")


def test_usr1_dumps_the_state_to_the_log(scene):
    mark = scene.milter.log.mark()
    os.kill(scene.milter.pid(), signal.SIGUSR1)
    scene.milter.log.wait_for(scene.hop.replace("[", r"\[") + r".*\bup\b", 5, mark)
