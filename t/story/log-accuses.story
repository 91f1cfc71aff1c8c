# What Postfix's log says brings the probes on and counts, but a probe has the last word.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe ok -> up
at 20s  log deferred -> up
at 20s  log deferred -> up
at 20s  log deferred -> up
at 20s  log deferred -> up
at 20s  mail other -> accept
at 20s  probe connection-timeout -> up
at 21s  mail other -> accept
at 21s  log deferred -> up
at 21s  probe connection-timeout -> down
at 22s  mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection timed out"
# It keeps nothing down.
at 23s  log deferred -> down
at 26s  probe ok -> down
at 26s  log deferred -> down
at 27s  probe ok -> up
# A log that nothing bears out.
at 30s  log deferred -> up
at 30s  probe ok -> up
at 40s  log deferred -> up
at 40s  log deferred -> up
at 40s  probe ok -> up
at 41s  mail other -> accept
