# A relay falls for the third time within ten minutes.  When it returns it is held at degraded: mail passes, tagged.
# After a minute without a change it is up again.
hop remote smtp:[relay.example.net]:587 relayhost
fall 1
rise 1
at 0s    probe ok -> up
at 10s   probe connection-timeout -> down
at 20s   probe ok -> up
at 30s   probe connection-timeout -> down
at 40s   probe ok -> up
at 50s   probe connection-timeout -> down
at 50s   mail other -> tempfail "451 4.4.1 relayhost is temporarily unavailable: connection timed out"
at 60s   probe ok -> degraded
at 60s   mail other -> tag
at 60s   mail authenticated -> tag
at 119s  probe ok -> degraded
at 120s  probe ok -> up
at 120s  mail other -> accept
# Soon after, one more fall: it is refused while it is down, and held again when it returns.
at 200s  probe connection-timeout -> down
at 210s  probe ok -> degraded
