# It ends while nothing runs that could have ended it.
hop remote smtp:[relay.example.net]:587 relayhost
interval 1h
at 0s    probe ok -> up
at 10s   force down for 1m -> forced-down
at 69s   restart file 12s -> forced-down
at 70s   look -> up
at 80s   force down for 1m -> forced-down
at 140s  restart file 90s -> up
