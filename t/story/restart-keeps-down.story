# A short restart: what was down is down, since the same time, and the next failure is one more of the same.
hop remote smtp:[relay.example.net]:587 relayhost
at 0s   probe ok -> up
at 10s  probe auth-rejected hard -> down
at 15s  probe auth-rejected -> down
at 25s  restart file 20s -> down
at 26s  mail mynetworks -> tempfail "451 4.7.8 relayhost smtp:[relay.example.net]:587 is down since 00:00:10Z: authentication rejected"
at 27s  probe auth-rejected -> down
at 28s  mail mynetworks -> tempfail "451 4.7.8 relayhost smtp:[relay.example.net]:587 is down since 00:00:10Z: authentication rejected"
at 30s  probe ok -> down
at 31s  probe ok -> up
