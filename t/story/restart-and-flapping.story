# A relay that flaps does not become quiet because we were started again.
hop remote smtp:[relay.example.net]:587 relayhost
fall 1
rise 1
at 0s    probe ok -> up
at 10s   probe connection-timeout -> down
at 20s   probe ok -> up
at 30s   probe connection-timeout -> down
at 42s   restart file 41s -> down
at 43s   probe ok -> up
at 50s   probe connection-timeout -> down
at 60s   probe ok -> degraded
at 62s   restart file 61s -> degraded
at 63s   probe ok -> degraded
at 119s  probe ok -> degraded
at 120s  probe ok -> up
