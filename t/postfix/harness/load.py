"""load - senders that work at a steady pace in the background"""
import contextlib
import threading
import time

from .smtp import OTHER, Reply, Sent, Smtp, message, new_ident


class Load:
    """Threads with sessions of their own that send `rate` messages a second in all.

    recipients: one per message, in turn.  results has what became of each message; a session that
    has had session_messages, ends with 421 or is lost is followed by a new one.
    """

    def __init__(self, port, recipients, rate=50.0, threads=5, source=OTHER, session_messages=20):
        self.port = port
        self.recipients = recipients
        self.source = source
        self.session_messages = session_messages
        self.results = []
        self._pause = threads / rate
        self._stop = threading.Event()
        self._errors = []
        self._threads = [threading.Thread(target=self._work, args=(number, 1 / rate), daemon=True)
                         for number in range(threads)]

    def start(self):
        """Go."""
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        """End after the messages under way; the results in the order of their beginning."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        assert not self._errors, self._errors
        return sorted(self.results, key=lambda sent: sent.began)

    def _work(self, number, stagger):
        try:
            self._send_all(number, stagger)
        except Exception as error:  # pylint: disable=broad-except
            self._errors.append(repr(error))
            raise

    def _send_all(self, number, stagger):
        due = time.monotonic() + number * stagger
        session = None
        count, used = number, 0
        while not self._stop.is_set():
            self._stop.wait(max(0.0, due - time.monotonic()))
            due = max(due + self._pause, time.monotonic() - 1.0)
            if session is None:
                session = Smtp(self.port, self.source)
                session.hello()
                used = 0
            sent = self._one(session, self.recipients[count % len(self.recipients)])
            count += len(self._threads)
            self.results.append(sent)
            used += 1
            if sent.rcpt[-1].code in (0, 421) or sent.data.code == 421 or \
                    used == self.session_messages:
                session.close()
                session = None
        if session is not None:
            with contextlib.suppress(OSError):
                session.quit()

    @staticmethod
    def _one(session, recipient):
        session.transcript.clear()
        ident = new_ident()
        session.mail("sender@from.test")
        began = time.time()
        rcpt = session.rcpt(recipient)
        data = Reply("")
        if rcpt.code == 250:
            data = session.data(message(ident))
        ended = time.time()
        if rcpt.code not in (0, 250, 421):
            session.command("RSET")
        return Sent(ident, began, ended, [rcpt], data, list(session.transcript))


def together(functions):
    """Run functions in threads of their own, all at once; their results in order."""
    results = [None] * len(functions)
    barrier = threading.Barrier(len(functions))

    def run(index, function):
        barrier.wait(30)
        try:
            results[index] = function()
        except Exception as error:  # pylint: disable=broad-except
            results[index] = error

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results
