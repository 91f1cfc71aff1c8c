# Its results are too old for a verdict, so mail is accepted; the first probe knows again, and since when.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s    probe ok -> up
at 10s   probe connection-timeout hard -> down
at 60s   restart file 12s -> unknown
at 60s   mail other -> accept
at 61s   probe connection-timeout -> down
at 61s   mail mynetworks -> tempfail "451 4.4.1 relayhost smtp:[relay.example.net]:587 is down since 00:00:10Z: connection timed out"
