# Two failures before, one after: that makes three.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe ok -> up
at 10s  probe connection-timeout -> up
at 11s  probe connection-timeout -> up
at 13s  restart file 12s -> up
at 14s  probe connection-timeout -> down
# The same with successes, of which a failure has taken nothing away.
at 19s  probe ok -> down
at 21s  restart file 20s -> down
at 22s  probe ok -> up
