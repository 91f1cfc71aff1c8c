# Single failures are no falls, and two falls are not yet too often.
hop remote smtp:[relay.example.net]:587 relayhost
fall 2
rise 2
at 0s    probe ok -> up
at 10s   probe connection-timeout -> up
at 11s   probe ok -> up
at 20s   probe connection-timeout -> up
at 21s   probe ok -> up
at 30s   probe connection-timeout -> up
at 31s   probe connection-timeout -> down
at 41s   probe ok -> down
at 42s   probe ok -> up
at 50s   probe connection-timeout -> up
at 51s   probe connection-timeout -> down
at 61s   probe ok -> down
at 62s   probe ok -> up
# The third one; while it is held a single success does not make it well either.
at 70s   probe connection-timeout -> up
at 71s   probe connection-timeout -> down
at 81s   probe ok -> down
at 82s   probe ok -> degraded
at 90s   probe connection-timeout -> degraded
at 91s   probe connection-timeout -> degraded
at 100s  probe ok -> degraded
at 101s  probe connection-timeout -> degraded
at 151s  probe connection-timeout -> down
