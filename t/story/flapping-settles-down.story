# While it flaps it is held at degraded whatever it does: in doubt mail is accepted.  When it stays down for a minute it
# is not in doubt any more.
hop remote smtp:[relay.example.net]:587 relayhost
fall 1
rise 1
at 0s    probe ok -> up
at 10s   probe connection-timeout -> down
at 20s   probe ok -> up
at 30s   probe connection-timeout -> down
at 40s   probe ok -> up
at 50s   probe connection-timeout -> down
at 60s   probe ok -> degraded
at 70s   probe connection-timeout -> degraded
at 70s   mail other -> tag
at 80s   probe ok -> degraded
at 90s   probe connection-timeout -> degraded
at 149s  probe connection-timeout -> degraded
at 149s  mail other -> tag
at 150s  probe connection-timeout -> down
at 150s  mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection timed out"
at 400s  probe connection-timeout -> down
# It is back, and held for a minute more.
at 401s  probe ok -> degraded
at 461s  probe ok -> up
