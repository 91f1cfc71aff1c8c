# Three falls, but over more than ten minutes.
hop remote smtp:[relay.example.net]:587 relayhost
fall 1
rise 1
at 0s    probe ok -> up
at 10s   probe connection-timeout -> down
at 20s   probe ok -> up
at 310s  probe connection-timeout -> down
at 320s  probe ok -> up
at 605s  probe connection-timeout -> down
at 611s  probe ok -> up
at 620s  mail other -> accept
