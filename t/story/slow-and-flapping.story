# "Slow" is no fall, however often it comes and goes; but a slow answer is an answer to one that flaps.
hop remote smtp:[relay.example.net]:587 relayhost
fall 1
rise 1
at 0s    probe ok -> up
at 10s   probe slow -> degraded
at 20s   probe ok -> up
at 30s   probe slow -> degraded
at 40s   probe ok -> up
at 50s   probe slow -> degraded
at 60s   probe ok -> up
at 70s   probe connection-timeout -> down
at 80s   probe slow -> degraded
at 90s   probe connection-timeout -> down
at 100s  probe ok -> up
at 110s  probe connection-timeout -> down
at 120s  probe slow -> degraded
at 130s  probe connection-timeout -> degraded
at 140s  probe slow -> degraded
at 200s  probe slow -> degraded
at 201s  probe ok -> up
